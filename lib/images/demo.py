"""Images for the demo: an archive in the official Python layout, drawn here. What it shows is invented.

A class is a shape, a pattern and a colour ("red striped disc"), a superclass the shape and the pattern ("striped
discs"). Place, size, turn, shades and noise differ from image to image, so that the classes can be learnt and not
known by heart. Flips and turns leave a class what it is.
"""

import gzip
import io
import struct
import tarfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.files import writing_aside

TRAIN_PER_CLASS, TEST_PER_CLASS = 50, 10
SHAPES = ("cross", "disc", "ring", "square", "triangle")
PLURALS = ("crosses", "discs", "rings", "squares", "triangles")
PATTERNS = ("checked", "plain", "split", "striped")
COLOURS = {  # red, green, blue, 0 to 1
    "blue": (0.15, 0.35, 0.95),
    "green": (0.15, 0.75, 0.25),
    "purple": (0.70, 0.20, 0.80),
    "red": (0.90, 0.15, 0.15),
    "yellow": (0.95, 0.85, 0.15),
}
FINE_NAMES = tuple(" ".join(words) for words in product(COLOURS, PATTERNS, SHAPES))
COARSE_NAMES = tuple(" ".join(words) for words in product(PATTERNS, PLURALS))
SUPERCLASS_OF = np.arange(len(FINE_NAMES)) % len(COARSE_NAMES)  # the colour comes first in a name, and varies slowest

_NOISE = 0.06  # of each pixel and channel, of 1
_SEED = 100


def write_demo_archive(folder: Path) -> Path:
    """Write `cifar-100-demo.tar.gz` into the folder and return its path: 5,000 training and 1,000 test images."""
    random = np.random.default_rng(_SEED)
    members: dict[str, dict[str, object]] = {
        "meta": {"fine_label_names": list(FINE_NAMES), "coarse_label_names": list(COARSE_NAMES)}
    }
    for name, per_class in (("test", TEST_PER_CLASS), ("train", TRAIN_PER_CLASS)):
        fine = random.permutation(np.repeat(np.arange(len(FINE_NAMES)), per_class))
        members[name] = {
            "filenames": [f"{name}_{number:05d}.png" for number in range(len(fine))],
            "batch_label": "demo images, drawn by Nightdesk",
            "fine_labels": fine.tolist(),
            "coarse_labels": SUPERCLASS_OF[fine].tolist(),
            "data": draw(fine, random).transpose(0, 3, 1, 2).reshape(len(fine), -1),
        }
    path = folder / "cifar-100-demo.tar.gz"
    with (
        writing_aside(path) as file,
        # Without a time and a name in it, the same bytes each time; most of it is noise, which no level packs better.
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name, value in members.items():
            content = python2_pickle(value)
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def draw(fine: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.uint8]:
    """One image a label, (N, 32, 32, 3)."""

    def between(low: float, high: float) -> NDArray[np.float32]:
        return random.uniform(low, high, (len(fine), 1, 1)).astype(np.float32)

    axis = np.linspace(-1, 1, 32, dtype=np.float32)
    x, y = axis[None, None, :] - between(-0.25, 0.25), axis[None, :, None] - between(-0.25, 0.25)
    turn, size = between(-np.pi, np.pi), between(0.55, 0.8)
    # Each image's own axes: the shape's edge is about 1 from its middle.
    u, v = (np.cos(turn) * x + np.sin(turn) * y) / size, (np.cos(turn) * y - np.sin(turn) * x) / size
    colour, pattern, shape = np.unravel_index(fine, (len(COLOURS), len(PATTERNS), len(SHAPES)))
    inside = np.clip((1 - _by_kind(_DISTANCES, shape, u, v)) * size * 16 + 0.5, 0, 1)  # half a pixel of soft edge
    marked = _by_kind(_MARKS, pattern, u, v)

    ink = np.array(list(COLOURS.values()), np.float32)[colour][:, None, None, :]
    ink = ink + random.normal(0, 0.06, ink.shape).astype(np.float32)
    ground = random.uniform(0.25, 0.65, (len(fine), 1, 1, 3)).astype(np.float32)
    ground = ground + (x * between(-0.15, 0.15) + y * between(-0.15, 0.15))[..., None]  # lit from one side
    paint = ink * (1 - between(0.6, 0.8) * marked)[..., None]  # what is marked is darker
    image: NDArray[np.float32] = ground + (paint - ground) * inside[..., None]
    image += random.normal(0, _NOISE, image.shape).astype(np.float32)
    return (np.clip(image, 0, 1) * 255).astype(np.uint8)


# How far a place (u, v) is from a shape's middle, 1 being its edge.
_DISTANCES = (
    lambda u, v: np.minimum(np.maximum(np.abs(u), 2.8 * np.abs(v)), np.maximum(2.8 * np.abs(u), np.abs(v))),
    lambda u, v: np.hypot(u, v),
    lambda u, v: np.abs(np.hypot(u, v) - 0.75) / 0.25,
    lambda u, v: np.maximum(np.abs(u), np.abs(v)) * 1.2,
    lambda u, v: np.maximum(v, np.abs(u) * 0.866 - v / 2) * 1.8,
)
# Which places a pattern darkens.
_MARKS = (
    lambda u, v: np.sin(7 * u) * np.sin(7 * v) > 0,
    lambda u, v: np.zeros(u.shape, bool),
    lambda u, v: v > 0,
    lambda u, v: np.sin(9 * v) > 0,
)


def _by_kind(functions: Sequence[Any], kinds: NDArray[np.int64], u: Any, v: Any) -> NDArray[np.float32]:
    """Each image's own function at its places."""
    values = np.empty(u.shape, np.float32)
    for kind, function in enumerate(functions):
        values[kinds == kind] = function(u[kinds == kind], v[kinds == kind])
    return values


def python2_pickle(value: object) -> bytes:
    """A pickle of protocol 2 as Python 2 wrote the official files: texts are strings of bytes.

    Python 3's pickler has no way to write these. Takes dictionaries, lists, texts, numbers below 2³¹ and uint8 arrays.
    """
    return b"\x80\x02" + _pickled(value) + b"."


def _pickled(value: object) -> bytes:
    match value:
        case dict():
            return b"}(" + b"".join(_pickled(each) for pair in value.items() for each in pair) + b"u"
        case list():
            return b"](" + b"".join(map(_pickled, value)) + b"e"
        case str():
            return _pickled(value.encode())
        case bytes():
            return (b"U" + bytes([len(value)]) if len(value) < 256 else b"T" + struct.pack("<i", len(value))) + value
        case int():
            return b"J" + struct.pack("<i", value)
        case np.ndarray():
            # What ndarray.__reduce__ gave: the empty array of the type, and then its state.
            kind = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN" + 2 * b"J\xff\xff\xff\xff" + b"K\x00tb"
            empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
            shape = b"(" + b"".join(map(_pickled, value.shape)) + b"t"
            return empty + b"(K\x01" + shape + kind + b"\x89" + _pickled(value.tobytes()) + b"tb"
    raise TypeError(f"no pickle is made of a {type(value).__name__}")
