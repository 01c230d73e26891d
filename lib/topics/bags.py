"""Bags of words in compiled code: how many articles have a word, and each article's words with their counts."""

from pathlib import Path

import numpy as np

from lib.compiled import compiled
from lib.topics.hashed import Ids, Places
from lib.topics.scratch import Scratch

MAPPED = 1 << 23  # entries (64 MiB of ids and counts): larger bags lie on disk


class Frequencies:
    """By word number: articles that have it, its uses in them, and the first of them (−1 without one)."""

    def __init__(self, words: int) -> None:
        self.articles = np.zeros(words, np.int64)
        self.uses = np.zeros(words, np.int64)
        self.first = np.full(words, -1, np.int32)
        self._last = np.full(words, -1, np.int32)
        self._done = 0

    def count(self, ids: Ids, ends: Places) -> None:
        """Add articles."""
        _count(ids, ends, self._done, self.articles, self.uses, self.first, self._last)
        self._done += len(ends)


@compiled
def _count(ids: Ids, ends: Places, done: int, articles: Places, uses: Places, first: Ids, last: Ids) -> None:
    begin = 0
    for d in range(len(ends)):
        for i in range(begin, ends[d]):
            word = ids[i]
            uses[word] += 1
            if last[word] != done + d:
                last[word] = done + d
                articles[word] += 1
                if first[word] < 0:
                    first[word] = done + d
        begin = ends[d]


def bags_of(ids: Ids, ends: Places, new_ids: Ids, words: int) -> tuple[Ids, Ids, Places]:
    """Word ids (ascending) and counts of each article, and how many entries each has.

    `new_ids` gives the id of each word number, −1 where the word is cut; ids are below `words`.
    """
    out, counts, sizes = np.empty(len(ids), np.int32), np.empty(len(ids), np.int32), np.empty(len(ends), np.int64)
    entries = _bags(ids, ends, new_ids, np.zeros(words + 1, np.int64), np.empty(len(ids), np.int32), out, counts, sizes)
    return out[:entries], counts[:entries], sizes


@compiled
def _bags(
    ids: Ids, ends: Places, new_ids: Ids, starts: Places, articles: Ids, out: Ids, counts: Ids, sizes: Places
) -> int:
    """Sort by word (a counting sort), then deal each word's articles out: so each article gets its words ascending."""
    for word in ids:
        if new_ids[word] >= 0:
            starts[new_ids[word] + 1] += 1
    for word in range(len(starts) - 1):
        starts[word + 1] += starts[word]
    begin = 0
    for d in range(len(ends)):
        for i in range(begin, ends[d]):
            word = new_ids[ids[i]]
            if word >= 0:
                articles[starts[word]] = d
                starts[word] += 1  # in the end, where the next word started
        begin = ends[d]
        sizes[d] = 0
    at = 0
    for word in range(len(starts) - 1):
        while at < starts[word]:
            d = articles[at]
            place = (ends[d - 1] if d > 0 else 0) + sizes[d]
            if sizes[d] > 0 and out[place - 1] == word:
                counts[place - 1] += 1
            else:
                out[place] = word
                counts[place] = 1
                sizes[d] += 1
            at += 1
    written = 0
    for d in range(len(ends)):
        place = ends[d - 1] if d > 0 else 0
        for i in range(place, place + sizes[d]):
            out[written] = out[i]
            counts[written] = counts[i]
            written += 1
    return written


class Column:
    """A growing int32 array of which the size is known: in memory, or mapped from a file without a name."""

    def __init__(self, folder: Path, size: int) -> None:
        self._array = np.empty(size if size <= MAPPED else 0, np.int32)
        self._file = Scratch(folder) if size > MAPPED else None
        self._done = 0

    def put(self, values: Ids) -> None:
        """Add values."""
        if self._file is not None:
            self._file.add(values)
        else:
            self._array[self._done : self._done + len(values)] = values
            self._done += len(values)

    def array(self) -> Ids:
        """All of it; read-only where it is mapped."""
        return self._array if self._file is None else self._file.mapped(np.int32)
