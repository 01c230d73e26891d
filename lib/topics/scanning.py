"""Where the tokens of texts are: the regular expression of `text.tokenise` in compiled code.

A text is its UTF-8 bytes in lower case.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from lib.compiled import compiled
from lib.topics.hashed import BASIS, PRIME, Bytes, Ids, Keys, Places, hashed, joined
from lib.topics.text import APOSTROPHES, BREAK

BREAK_ID = 0
FIRST_WORDS = (BREAK, "can", "will", "shall")  # of these numbers; the last three are what can't, won't and shan't give

# Classes of characters. Python's own regular expressions tell them apart, 256 code points at a time.
_UNKNOWN, _OTHER, _LETTER, _DIGIT, _SPACE, _UNDERSCORE, _APOSTROPHE, _HYPHEN = range(8)
_PAGE = 256
_A, _C, _D, _E, _H, _L, _M, _N, _O, _R, _S, _T, _V, _W = b"acdehlmnorstvw"
_COMMA, _STOP, _COLON, _PERCENT = map(ord, ",.:%")
_CLASSES = ((_LETTER, re.compile(r"[^\W\d_]")), (_DIGIT, re.compile(r"\d")), (_SPACE, re.compile(r"\s")))
_SINGLE = {"_": _UNDERSCORE, "'": _APOSTROPHE, "-": _HYPHEN}
_classes = np.zeros(0x110000, np.uint8)


def _learn_classes(code_point: int) -> None:
    start = code_point - code_point % _PAGE
    for code in range(start, start + _PAGE):
        character = chr(code)
        known = (kind for kind, pattern in _CLASSES if pattern.match(character))
        _classes[code] = _SINGLE.get(character) or next(known, _OTHER)


_learn_classes(0)  # ASCII


def scan(texts: Sequence[str]) -> tuple[Bytes, Keys, Places, Ids, Places]:
    """The texts' bytes; of each token its hash, where it stands in them and how long it is; where each text's end.

    A token that is always the same has, instead of its place, −1 less its number.
    """
    data, ends = joined(_prepared(text) for text in texts)
    keys, begins = np.empty(len(data), np.int64), np.empty(len(data), np.int64)
    sizes, ends_out = np.empty(len(data), np.int32), np.empty(len(ends), np.int64)
    state = np.zeros(4, np.int64)
    while not _scan(data, ends, _classes, state, keys, begins, sizes, ends_out):
        _learn_classes(int(state[_WANTED]))
    tokens = int(state[_TOKENS])
    return data, keys[:tokens], begins[:tokens], sizes[:tokens], ends_out


def _prepared(text: str) -> bytes:
    for each in APOSTROPHES:
        text = text.replace(each, "'")
    return text.lower().encode("utf-8", "surrogatepass")


@compiled
def _code_point(text: Bytes, i: int) -> tuple[Any, int]:
    """The character at i and its length in bytes; the text is good UTF-8, or halves of surrogate pairs."""
    first: Any = np.int64(text[i])
    if first < 0x80:
        return first, 1
    size = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    code = first & (0x7F >> size)
    for k in range(1, size):
        code = code << 6 | text[i + k] & 0x3F
    return code, size


# What `_scan` keeps between two calls, since it ends where it comes upon a character whose class is not known yet.
_TEXT, _PLACE, _TOKENS, _WANTED = range(4)


@compiled
def _scan(
    text: Bytes,
    ends: Places,
    classes: Bytes,
    state: Places,
    keys: Places,
    begins: Places,
    sizes: Ids,
    ends_out: Places,
) -> bool:
    """What `scan` gives, from where `state` says; whether it has come to the end."""
    i, tokens = state[_PLACE], state[_TOKENS]
    for d in range(state[_TEXT], len(ends)):
        end = ends[d]
        first = 0 if d == 0 else ends_out[d - 1]  # of the text's tokens
        while i < end:
            code, size = _code_point(text, i)
            kind = classes[code]
            stop = i + size
            key: Any = BASIS  # an integer of 64 bits, as numba sees it
            apostrophe = -1
            if kind == _SPACE:
                i = stop
                continue
            if kind == _LETTER:
                # most words are ASCII's letters and digits alone
                stop = i
                while stop < end and text[stop] < 0x80 and classes[text[stop]] in (_LETTER, _DIGIT):
                    key = (key ^ text[stop]) * PRIME
                    stop += 1
                behind = text[stop] if stop < end else 32
                plain = behind < 0x80 and (classes[behind] == _SPACE or behind == _COMMA)
                if not plain and not (behind == _STOP and stop > i + 1):
                    key = BASIS
                    stop, apostrophe, code = _word_end(text, i, end, classes)
            elif kind == _DIGIT:
                while stop < end:
                    code, size = _code_point(text, stop)
                    last = classes[code]
                    within = code in (_STOP, _COMMA, _COLON, _PERCENT)
                    if last == _UNKNOWN or (last not in (_LETTER, _DIGIT, _UNDERSCORE) and not within):
                        break
                    stop += size
            if classes[code] == _UNKNOWN:
                state[_TEXT], state[_PLACE], state[_TOKENS], state[_WANTED] = d, i, tokens, code
                return False
            if kind in (_OTHER, _DIGIT):
                if tokens > first and begins[tokens - 1] != -1 - BREAK_ID:
                    begins[tokens] = -1 - BREAK_ID
                    tokens += 1
            elif kind == _LETTER:
                until, number = stop, 0
                if apostrophe >= 0:
                    until, number = _bare(text, i, apostrophe, stop)
                if key == BASIS:
                    key = hashed(text, i, until, BASIS)
                keys[tokens] = key
                begins[tokens] = -1 - number if number else i
                sizes[tokens] = until - i
                tokens += 1
            i = stop
        ends_out[d] = tokens
    state[_TOKENS] = tokens
    return True


@compiled
def _word_end(text: Bytes, i: int, end: int, classes: Bytes) -> tuple[int, int, Any]:
    """Where the word at i ends, its apostrophe (−1 without one), and the last character looked at."""
    at, dotted = i, 0
    code, size = _code_point(text, i)
    # dotted initials: a letter and a full stop, at least twice
    while classes[code] == _LETTER and at + size < end and text[at + size] == _STOP:
        at += size + 1
        dotted += 1
        if at == end:
            break
        code, size = _code_point(text, at)
    if dotted >= 2 or classes[code] == _UNKNOWN:
        return at, -1, code
    at, apostrophe = i, -1
    while at < end:
        code, size = _code_point(text, at)
        if classes[code] == _APOSTROPHE and apostrophe < 0:
            apostrophe = at
        elif classes[code] not in (_LETTER, _DIGIT, _UNDERSCORE):
            break
        at += size
    # an apostrophe needs something behind it
    return (apostrophe, -1, code) if apostrophe == at - 1 else (at, apostrophe, code)


@compiled
def _bare(text: Bytes, a: int, apostrophe: int, b: int) -> tuple[int, int]:
    """Where the word text[a:b] ends without its clitic, as `text._bare` has it; and its number if it is another."""
    first, second = text[apostrophe + 1], text[b - 1]
    length = b - apostrophe - 1
    if length == 1 and first == _T and text[apostrophe - 1] == _N and apostrophe - a > 1:
        stem = apostrophe - 1 - a
        if stem == 2 and text[a] == _C and text[a + 1] == _A:
            return b, 1
        if stem == 2 and text[a] == _W and text[a + 1] == _O:
            return b, 2
        if stem == 3 and text[a] == _S and text[a + 1] == _H and text[a + 2] == _A:
            return b, 3
        return apostrophe - 1, 0
    if length == 1 and first in (_S, _D, _M):
        return apostrophe, 0
    if length == 2 and first == second == _L:
        return apostrophe, 0
    if length == 2 and second == _E and first in (_R, _V):
        return apostrophe, 0
    return b, 0
