"""Documents as rows of a sparse matrix, some or all of them, in any order: what the model and the sampler read."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
TOGETHER = 4_000  # documents copied at a time


@dataclass(frozen=True)
class Bags:
    """Documents as rows of a sparse matrix in CSR form: row r's word ids are `ids[indptr[r]:indptr[r + 1]]`, ascending.

    `rows` says which rows, in which order, are the documents; all of them where it is not given.
    """

    indptr: NDArray[np.int64]
    ids: NDArray[np.int32]
    counts: NDArray[np.int32] | Floats
    rows: NDArray[np.int64]

    def __post_init__(self) -> None:
        # Views that can't be written to, so that one compiled function serves arrays and read-only maps of files.
        for name in ("indptr", "ids", "counts"):
            view = np.asarray(getattr(self, name)).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @classmethod
    def of(cls, corpus: Any, rows: Sequence[int] | NDArray[np.int64] | None = None) -> "Bags":
        """Some rows, or all, of whatever has `indptr`, `ids` and `counts`."""
        which = np.arange(len(corpus.indptr) - 1) if rows is None else np.asarray(rows, np.int64)
        return cls(corpus.indptr, corpus.ids, corpus.counts, which)

    @classmethod
    def from_lists(cls, documents: Iterable[Sequence[tuple[int, float]]]) -> "Bags":
        """The same of gensim's bags of words, lists of (word id, count)."""
        lists = [sorted((int(word), count) for word, count in document) for document in documents]
        flat = np.array([count for each in lists for _, count in each], np.float64)
        whole = bool((flat == np.floor(flat)).all()) and (not flat.size or flat.max() < 2**31)
        indptr = np.concatenate([[0], np.cumsum([len(each) for each in lists], dtype=np.int64)]).astype(np.int64)
        ids = np.array([word for each in lists for word, _ in each], np.int32)
        counts = flat.astype(np.int32) if whole else flat.astype(np.float32)
        return cls(indptr, ids, counts, np.arange(len(lists)))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[list[tuple[int, float]]]:
        """The documents in gensim's form."""
        for row in self.rows:
            a, b = self.indptr[row], self.indptr[row + 1]
            yield list(zip(self.ids[a:b].tolist(), self.counts[a:b].tolist(), strict=True))

    def chunks(self, size: int) -> Iterator["Bags"]:
        """The documents in portions of `size`; the last one may be smaller."""
        for start in range(0, len(self), size):
            yield Bags(self.indptr, self.ids, self.counts, self.rows[start : start + size])

    def offsets(self) -> NDArray[np.int64]:
        """Where each document's words would begin if the documents lay one after another; (documents + 1,)."""
        lengths = self.indptr[self.rows + 1] - self.indptr[self.rows]
        return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)

    def lengths(self) -> NDArray[np.float64]:
        """How many words each document has, repetitions counted; (documents,)."""
        lengths = np.zeros(len(self))
        for start in range(0, len(self), TOGETHER):
            some = Bags(self.indptr, self.ids, self.counts, self.rows[start : start + TOGETHER]).copied()
            owner = np.repeat(np.arange(len(some)), np.diff(some.indptr))
            lengths[start : start + TOGETHER] = np.bincount(owner, weights=some.counts, minlength=len(some))
        return lengths

    def cumulative(self) -> NDArray[np.int64]:
        """How many words stand before each document, (documents + 1,); for counts that are whole numbers."""
        return np.concatenate([[0], np.cumsum(self.lengths())]).astype(np.int64)

    def copied(self, most: int | None = None) -> "Bags":
        """The documents in arrays of their own, each word counted at most `most` times."""
        offsets = self.offsets()
        sizes = np.diff(offsets)
        places = np.repeat(self.indptr[self.rows] - offsets[:-1], sizes) + np.arange(offsets[-1])
        counts = self.counts[places]
        if most is not None:
            counts = np.minimum(counts, counts.dtype.type(most))
        return Bags(offsets, self.ids[places], counts, np.arange(len(self)))


def taken(corpus: Any, rows: Sequence[int] | NDArray[np.int64], most: int | None = None) -> Bags:
    """Some documents of a corpus in arrays of their own, each word counted at most `most` times.

    They are read in portions, and the pages of large bags, which lie on disk, are given back after each.
    """
    which = np.asarray(rows, np.int64)
    parts = []
    for start in range(0, len(which), TOGETHER):
        parts.append(Bags.of(corpus, which[start : start + TOGETHER]).copied(most))
        corpus.release()
    if not parts:
        return Bags.of(corpus, which).copied(most)
    sizes = np.concatenate([np.diff(part.indptr) for part in parts])
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    ids, counts = (np.concatenate([getattr(part, name) for part in parts]) for name in ("ids", "counts"))
    return Bags(indptr, ids, counts, np.arange(len(which)))
