"""Read a stranger's pickle without running it: the NumPy array constructors are admitted and nothing else.

    read_pickle(Path("cifar-100-python/train").read_bytes(), "cifar-100-python/train")

A pickle is a program that calls what it names. Here the names of NumPy's array constructors lead to functions of this
module that look at every argument, so that NumPy is never called with one that a stranger made up. `_codecs.encode`
stands with them: it is how Python 3 writes bytes at protocol 2 (the official files, by Python 2, don't need it).

The reader is the standard library's in Python, since that one's instructions can be chosen. The one in C reserves a
memo as long as four bytes of a pickle ask for, and knows instructions that never come past `find_class`.
"""

import io
import math
import pickle
import pickletools
import re
import struct
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.errors import BadData

Value = NDArray[Any] | list[Any] | bytes | str | int

LIMIT_STEPS = 2_000_000  # the official train takes 200,362; each step may cost some hundred bytes
LIMIT_SIZE = 1 << 32  # of an array along one axis, and no more than 4 axes: more would only be costly to multiply

# What picklers of protocols 2 to 5 write for a dictionary of arrays, lists, texts and numbers.
_INSTRUCTIONS = frozenset(
    "PROTO FRAME STOP MARK MEMOIZE BINPUT LONG_BINPUT BINGET LONG_BINGET NONE NEWTRUE NEWFALSE "  # noqa: SIM905
    "BININT BININT1 BININT2 LONG1 SHORT_BINSTRING BINSTRING SHORT_BINBYTES BINBYTES BINBYTES8 BYTEARRAY8 "
    "SHORT_BINUNICODE BINUNICODE BINUNICODE8 EMPTY_TUPLE TUPLE1 TUPLE2 TUPLE3 TUPLE EMPTY_LIST APPEND APPENDS "
    "EMPTY_DICT SETITEM SETITEMS GLOBAL STACK_GLOBAL REDUCE BUILD".split()
)
_NAMES = {code.code: code.name for code in pickletools.opcodes}

_TYPE = re.compile(r"b1|[iu][1248]|f[248]")  # numbers; no objects, which are pickles inside the pickle
_NDARRAY = object()  # numpy.ndarray, which is only ever named

# What the reader raises on bytes that make no sense, which isn't documented in full.
_DAMAGE = (pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError, AttributeError, struct.error)


def read_pickle(content: bytes, name: str) -> dict[str, Value]:
    """The dictionary in a pickle, its keys as text. `name` is for the errors.

    Values are arrays of numbers (read-only, without a copy of their bytes), flat lists of numbers and texts, texts and
    numbers; what Python 2 wrote as a string is bytes. What follows the pickle's end is not looked at.

    Raises BadData: the pickle asks for something else, holds something else, or is damaged.
    """
    try:
        loaded = _Reader(content, name).load()
        if type(loaded) is not dict:
            raise BadData(f"{name} holds a value of the type {_kinds({type(loaded)})}; expected a dictionary")
        return {_text(key): _plain(value, f"{name} holds as {shown(_text(key))}") for key, value in loaded.items()}
    except _DAMAGE as fault:
        raise BadData(
            f"{name} is no pickle of a CIFAR archive, or a damaged one ({shown(str(fault)) or type(fault).__name__})"
        ) from fault


def shown(text: str) -> str:
    """A stranger's text for an error message: short, and without what would steer a terminal."""
    return "".join(each if each.isprintable() else "�" for each in text[:80])


class _Reader(pickle._Unpickler):
    """The standard library's reader, with the instructions and names that a CIFAR archive needs."""

    stack: list[Any]  # the machine's, and its items since the last mark, both made by `load`
    pop_mark: Callable[[], list[Any]]

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")  # a claimed length can't bring more than there is
        self.name = name
        self.steps = LIMIT_STEPS
        self.encodable = len(content)  # each text once, where an honest pickler wrote it

    def find_class(self, module: str, name: str) -> Any:
        match module.replace("numpy.core.", "numpy._core.", 1), name:  # NumPy 2 has put an underscore there
            case "numpy._core.multiarray", "_reconstruct":
                return _reconstruct
            case "numpy._core.numeric", "_frombuffer":
                return _frombuffer
            case "numpy", "ndarray":
                return _NDARRAY
            case "numpy", "dtype":
                return _Type
            case "_codecs", "encode":
                return self._encode
        raise BadData(
            f"{self.name} asks for {shown(f'{module}.{name}')}, which could run a stranger's code; "
            "only NumPy's array constructors are admitted, so bring the archive from a place that can be trusted"
        )

    def _encode(self, text: str, encoding: str | bytes) -> bytes:
        # The same text again and again would be a small pickle that fills the memory.
        self.encodable -= len(text)
        if _text(encoding) != "latin1" or self.encodable < 0:
            raise ValueError("bytes as no pickler writes them")
        return text.encode("latin1")

    def _refuse(self, instruction: str) -> None:
        raise BadData(f"{self.name} uses the pickle instruction {instruction}, which no CIFAR archive needs")

    def _put(self, items: Iterable[tuple[Any, Any]]) -> None:
        for key, value in items:
            # Only texts: the hash of a tuple in a tuple in a tuple … ends the process.
            self.stack[-1].update({_text(key): value})

    def _setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._put([(key, value)])

    def _setitems(self) -> None:
        items = self.pop_mark()
        self._put(zip(items[::2], items[1::2], strict=True))

    def _build(self) -> None:
        state = self.stack.pop()
        # Anything else with attributes could have them set.
        if not isinstance(self.stack[-1], _Array | _Type):
            raise TypeError(f"a state for {type(self.stack[-1]).__name__}")
        self.stack[-1].build(state)


class _Type:
    """numpy.dtype, for numbers of a given size and order."""

    def __init__(self, code: str | bytes, *_: object) -> None:
        self.code = _text(code)
        if not _TYPE.fullmatch(self.code):
            raise ValueError(f"an array of the type {self.code}")
        self.dtype = np.dtype(self.code)

    def build(self, state: tuple[Any, ...]) -> None:
        """The state that `dtype.__reduce__` gives: version, byte order, and three that only other types have."""
        _, order, *others = state
        if _text(order) not in ("|", "<", ">", "=") or others[:3] != [None, None, None]:
            raise ValueError("an array of a composite type")
        self.dtype = np.dtype(_text(order) + self.code)


class _Array:
    """numpy.ndarray, as far as it is known."""

    def __init__(self) -> None:
        self.array: NDArray[Any] | None = None

    def build(self, state: tuple[Any, ...]) -> None:
        """The state that `ndarray.__reduce__` gives: version, shape, type, whether by columns, the bytes."""
        _, shape, kind, by_columns, content = state
        self.array = _made(content, kind, shape, "F" if by_columns else "C")


def _reconstruct(subtype: object, *_: object) -> _Array:
    if subtype is not _NDARRAY:
        raise TypeError("an array that is no numpy.ndarray")
    return _Array()


def _frombuffer(content: object, kind: object, shape: object, order: object) -> _Array:
    """How protocol 5 writes an array."""
    array = _Array()
    array.array = _made(content, kind, shape, "F" if order == "F" else "C")
    return array


def _made(content: object, kind: object, shape: object, order: Any) -> NDArray[Any]:
    """The array, if its bytes are as many as its shape and type say: what it claims costs nothing then."""
    if type(content) is not bytes or type(kind) is not _Type or type(shape) is not tuple:
        raise TypeError("an array from something else than bytes, a type and a shape")
    if len(shape) > 4 or not all(type(size) is int and 0 <= size < LIMIT_SIZE for size in shape):
        raise ValueError("an array whose shape is none")
    if math.prod(shape) * kind.dtype.itemsize != len(content):
        raise ValueError(f"an array of the shape {shape} in {len(content):,} bytes")
    return np.frombuffer(content, kind.dtype).reshape(shape, order=order)


def _text(value: object) -> str:
    """Text that Python 2 may have written as bytes. Raises TypeError for anything else, UnicodeDecodeError."""
    if type(value) is bytes:
        return value.decode()
    if type(value) is not str:
        raise TypeError(f"{type(value).__name__} where a text should be")
    return value


def _plain(value: object, where: str) -> Value:
    if type(value) is _Array and value.array is not None:
        return value.array
    if type(value) is list:
        if strange := {type(each) for each in value} - {int, str, bytes}:
            raise BadData(f"{where} a list with a value of the type {_kinds(strange)}; expected numbers or texts")
        return value
    if isinstance(value, bytes | str | int) and type(value) is not bool:
        return value
    raise BadData(f"{where} a value of the type {_kinds({type(value)})}; expected an array, a list, a text or a number")


def _kinds(types: set[type]) -> str:
    return ", ".join(sorted(each.__name__.strip("_") for each in types))


_OWN: dict[str, Callable[[Any], None]] = {
    "SETITEM": _Reader._setitem,
    "SETITEMS": _Reader._setitems,
    "BUILD": _Reader._build,
    # Its own would reserve what is claimed; as bytes it is as good.
    "BYTEARRAY8": pickle._Unpickler.dispatch[pickle.BINBYTES8[0]],
}


def _step(code: int) -> Callable[[Any], None]:
    """What the reader does on a byte of the program."""
    name = _NAMES.get(chr(code), f"{code:#04x}")
    if name not in _INSTRUCTIONS:
        return lambda reader: reader._refuse(name)
    carry_out: Callable[[Any], None] = _OWN.get(name) or pickle._Unpickler.dispatch[code]

    def step(reader: _Reader) -> None:
        reader.steps -= 1
        if reader.steps < 0:
            raise BadData(f"{reader.name} takes more than {LIMIT_STEPS:,} steps to read; it is not what it says it is")
        carry_out(reader)

    return step


_Reader.dispatch = {code: _step(code) for code in range(256)}
