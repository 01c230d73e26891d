"""Tokens on disk: the numbers of all articles' words behind one another, read again for each pass.

They are read by pieces and not mapped, so that a pass over them takes no more memory than a piece does.
"""

from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lib.topics.hashed import Ids, Places
from lib.topics.scratch import Scratch

PIECE = 1 << 20  # tokens read at a time, about


class Spool:
    """Lists of numbers, int32."""

    def __init__(self, folder: Path) -> None:
        self._file = Scratch(folder)
        self._lengths = array("i")

    def __len__(self) -> int:
        return len(self._lengths)

    def put(self, ids: Ids, ends: Places) -> None:
        """Add lists: one behind another in `ids`, each up to its end."""
        self._lengths.frombytes(np.diff(ends, prepend=0).astype(np.int32).tobytes())
        self._file.add(np.ascontiguousarray(ids))

    def pieces(self) -> Iterator[tuple[Ids, Places]]:
        """The lists in order, some at a time, as they were put; a piece has one list or about PIECE numbers."""
        ends = np.cumsum(self._lengths, dtype=np.int64)
        first = before = 0
        while first < len(ends):
            last = max(first + 1, int(np.searchsorted(ends, before + PIECE, "right")))
            piece = ends[first:last] - before
            yield self.read(before, int(piece[-1])), piece
            first, before = last, int(ends[last - 1])

    def read(self, start: int, count: int) -> Ids:
        """So many numbers from the start-th on, whichever lists they are of."""
        return self._file.read(4 * start, count, np.int32)

    def renumber(self, new: Ids) -> None:
        """Put new[number] in the place of each number."""
        at = 0
        for ids, _ in self.pieces():
            self._file.replace(4 * at, new[ids])
            at += len(ids)

    def close(self) -> None:
        """Give the room on disk back."""
        self._file.close()
