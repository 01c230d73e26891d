"""Room on disk for what memory shouldn't hold: a file without a name.

It goes when nobody has it open any more, also where the process is killed.
"""

import os
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lib.files import cannot_write


class Scratch:
    """Bytes that are added at the end and read anywhere. Raises CannotWrite where the disk is full."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with cannot_write(folder), tempfile.TemporaryFile(dir=folder) as file:
            self._descriptor = os.dup(file.fileno())
        self.close = weakref.finalize(self, os.close, self._descriptor)  # gives the room back, once

    def add(self, data: bytes | NDArray[Any]) -> None:
        """Write bytes, or an array's, behind what there is."""
        rest = memoryview(data) if isinstance(data, bytes) else data.view(np.uint8).data
        with cannot_write(self._folder):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def replace(self, start: int, data: NDArray[Any]) -> None:
        """Write an array over what stands from the byte `start` on."""
        rest = data.view(np.uint8).data
        with cannot_write(self._folder):
            while rest:
                written = os.pwrite(self._descriptor, rest, start)
                rest, start = rest[written:], start + written

    def read(self, start: int, count: int, kind: DTypeLike) -> NDArray[Any]:
        """So many values from the byte `start` on."""
        values = np.empty(count, kind)
        rest = values.view(np.uint8).data
        while rest:
            got = os.preadv(self._descriptor, [rest], start)
            if not got:
                raise EOFError("what was put aside on disk has become less")
            rest, start = rest[got:], start + got
        return values

    def mapped(self, kind: DTypeLike) -> "np.memmap[Any, Any]":
        """All of it as a read-only array that is mapped from the file."""
        with open(os.dup(self._descriptor), "rb") as file:  # noqa: PTH123 (it has no path)
            values: np.memmap[Any, Any] = np.memmap(file, kind, "r")
        return values
