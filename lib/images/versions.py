"""The two official versions of a CIFAR-100 archive as arrays: Python's pickles, and the binary one's records.

Each function takes the folder where the files lie, and the path that people know it by, for the errors.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lib.errors import BadData
from lib.images.pickles import Value, read_pickle, shown

FINE, COARSE = 100, 20  # classes, superclasses
PIXELS = 3 * 32 * 32  # bytes an image: the red plane, the green and the blue, each by rows
RECORD = 2 + PIXELS  # bytes an image of the binary version: superclass, class, pixels
PYTHON_FILES = ("train", "test", "meta")
BINARY_FILES = ("train.bin", "test.bin", "fine_label_names.txt", "coarse_label_names.txt")

LIMIT_BYTES = 512 << 20  # a file; the official train has 155 MB, and 230 where Python 3 writes it at protocol 2


class Part(NamedTuple):
    """Training or test images, uint8 (N, 32, 32, 3), with their classes and superclasses, int64 (N,)."""

    images: NDArray[np.uint8]
    fine: NDArray[np.int64]
    coarse: NDArray[np.int64]


class Contents(NamedTuple):
    """What the files of either version hold."""

    train: Part
    test: Part
    fine_names: tuple[str, ...]
    coarse_names: tuple[str, ...]


def read_python(place: Path, path: Path) -> Contents:
    """The Python version: three pickled dictionaries. Raises BadData, OSError."""
    meta = read_pickle(_content(place / "meta", path), str(path / "meta"))
    train, test = (_python_part(place / name, path / name) for name in PYTHON_FILES[:2])
    fine_names = _names(_value(meta, "fine_label_names", path / "meta"), FINE, path / "meta")
    coarse_names = _names(_value(meta, "coarse_label_names", path / "meta"), COARSE, path / "meta")
    return Contents(train, test, fine_names, coarse_names)


def _python_part(file: Path, path: Path) -> Part:
    batch = read_pickle(_content(file, path.parent), str(path))
    rows = _value(batch, "data", path)
    if not isinstance(rows, np.ndarray):
        raise BadData(f"{path} holds its data as a {type(rows).__name__}; expected an array")
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != PIXELS:
        raise BadData(f"{path} holds data of {rows.dtype} in the shape {rows.shape}; expected uint8 in (N, {PIXELS})")
    images = _channels_last(rows, path)
    labels = [
        _labels(_value(batch, key, path), key, len(rows), classes, path)
        for key, classes in (("fine_labels", FINE), ("coarse_labels", COARSE))
    ]
    return Part(images, *labels)


def read_binary(place: Path, path: Path) -> Contents:
    """The binary version: records of fixed length, and names one a line. Raises BadData, OSError."""
    train, test = (_binary_part(place / name, path / name) for name in BINARY_FILES[:2])
    names = []
    for name, count in zip(BINARY_FILES[2:], (FINE, COARSE), strict=True):
        lines = _content(place / name, path).splitlines()
        names.append(_names([line.strip() for line in lines if line.strip()], count, path / name))
    return Contents(train, test, *names)


def _binary_part(file: Path, path: Path) -> Part:
    content = _content(file, path.parent)
    if len(content) % RECORD:
        raise BadData(f"{path} has {len(content):,} bytes; expected {RECORD:,} an image")
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    images = _channels_last(records[:, 2:], path)
    coarse = _labels(records[:, 0], "coarse labels", len(records), COARSE, path)
    fine = _labels(records[:, 1], "fine labels", len(records), FINE, path)
    return Part(images, fine, coarse)


def _content(file: Path, path: Path) -> bytes:
    if (size := file.stat().st_size) > LIMIT_BYTES:
        raise BadData(f"{path / file.name} has {size:,} bytes; expected {LIMIT_BYTES:,} at most")
    return file.read_bytes()


def _value(batch: dict[str, Value], key: str, path: Path) -> Value:
    if key not in batch:
        raise BadData(f"{path} has no {key}; it has {shown(', '.join(batch)) or 'nothing'}")
    return batch[key]


def _names(value: object, count: int, path: Path) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else []
    if len(texts) != count:
        raise BadData(f"{path} has {len(texts)} names; expected {count}, one a class")
    try:
        names = tuple(each.decode() if isinstance(each, bytes) else str(each) for each in texts)
    except UnicodeDecodeError as fault:
        raise BadData(f"{path} has a name that is not UTF-8 ({fault.object!r:.40}); expected text") from fault
    for name in names:
        if not name.isprintable() or not name:
            raise BadData(f"{path} has the name {name!r:.40}; expected one that can be printed")
    if twice := [name for name in names if names.count(name) > 1]:
        raise BadData(f"{path} has the name {twice[0]!r:.40} more than once; expected {count} different ones")
    return names


def _labels(value: object, key: str, images: int, classes: int, path: Path) -> NDArray[np.int64]:
    whole = isinstance(value, list) and all(type(each) is int for each in value)
    if not whole and not (isinstance(value, np.ndarray) and value.dtype.kind in "iu" and value.ndim == 1):
        raise BadData(f"{path} has {key} that are no list of whole numbers; expected one an image")
    labels = np.asarray(value)  # of objects, where a number is too large for all else
    if len(labels) != images:
        raise BadData(f"{path} has {images:,} images and {len(labels):,} {key}; expected one an image")
    for worst in (labels.min(), labels.max()):
        if not 0 <= worst < classes:
            raise BadData(f"{path} has {shown(str(worst))} among its {key}; expected 0 to {classes - 1}")
    return labels.astype(np.int64)


def _channels_last(rows: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    """Rows of three planes, (N, 3072), as images, (N, 32, 32, 3)."""
    if not len(rows):
        raise BadData(f"{path} holds no images; expected one at least")
    images = np.empty((len(rows), 32, 32, 3), np.uint8)
    for start in range(0, len(rows), 64):  # what fits into the cache is turned twice as fast
        part = rows[start : start + 64].reshape(-1, 3, 32, 32)
        images[start : start + 64] = part.transpose(0, 2, 3, 1)
    return images


VERSIONS: Mapping[tuple[str, ...], Callable[[Path, Path], Contents]] = {
    PYTHON_FILES: read_python,
    BINARY_FILES: read_binary,
}
