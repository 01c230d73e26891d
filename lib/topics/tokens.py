"""Words and their numbers: what `text.tokenise` gives, as numbers, many texts at a call.

Each token is looked up by its hash in a table that knows all words met so far; words are numbered in the order in which
they first came. Python's lock is given up meanwhile, so that a thread can tokenise while another reads. Two words of
one hash, of 64 bits, would be one word: among two million words that has a chance of one in ten million.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from lib.compiled import compiled
from lib.topics.hashed import FEWEST, Bytes, Ids, Places, fill, first_slot, grown, hash_parts, joined, slots_for
from lib.topics.scanning import BREAK_ID, FIRST_WORDS, scan


class Vocabulary:
    """Words and their numbers, the bytes of all words in one array."""

    def __init__(self) -> None:
        self._hashes = np.empty(FEWEST // 2, np.int64)
        self._starts = np.zeros(FEWEST // 2 + 1, np.int64)
        self._letters = np.empty(FEWEST * 4, np.uint8)
        self._slots = slots_for(FEWEST // 2)
        self._words = 0
        self.ids_of(FIRST_WORDS, add=True)

    def __len__(self) -> int:
        return self._words

    def tokenise(self, texts: Sequence[str]) -> tuple[Ids, Places]:
        """The tokens of the texts, one text behind another, and where each text ends among them."""
        data, keys, begins, sizes, ends = scan(texts)
        return self._numbers(data, keys, begins, sizes, add=True), ends

    def ids_of(self, words: Iterable[str], *, add: bool = False) -> Ids:
        """The numbers of whole words as they stand; −1 where one is not known, unless it is to be added."""
        data, ends = joined(word.encode("utf-8", "surrogatepass") for word in words)
        begins = np.concatenate([[0], ends[:-1]]).astype(np.int64)[: len(ends)]
        keys = np.empty(len(ends), np.int64)
        hash_parts(data, ends, keys)
        return self._numbers(data, keys, begins, (ends - begins).astype(np.int32), add=add)

    def words(self, ids: Ids) -> list[str]:
        """The words of these numbers."""
        letters = self._letters
        pairs = zip(self._starts[ids].tolist(), self._starts[np.asarray(ids) + 1].tolist(), strict=True)
        return [letters[start:end].tobytes().decode("utf-8", "surrogatepass") for start, end in pairs]

    def characters(self) -> NDArray[np.int64]:
        """How many characters each word has."""
        begins = (self._letters[: self._starts[len(self)]] & 0xC0) != 0x80  # bytes after a character's first are 10……
        return np.add.reduceat(begins, self._starts[: len(self)], dtype=np.int64)

    def forget(self, kept: NDArray[np.bool_]) -> Ids:
        """Leave out the words that are not marked; returns the new number of each, a break's where it is left out."""
        kept = kept.copy()
        kept[: len(FIRST_WORDS)] = True
        sizes = np.diff(self._starts[: len(kept) + 1])
        letters = self._letters[: self._starts[len(kept)]][np.repeat(kept, sizes)]
        new = np.where(kept, np.cumsum(kept) - 1, BREAK_ID).astype(np.int32)
        self._words = int(kept.sum())
        self._hashes[: self._words] = self._hashes[: len(kept)][kept]
        self._starts[1 : self._words + 1] = np.cumsum(sizes[kept])
        self._letters[: len(letters)] = letters
        fill(self._hashes, self._words, self._slots)
        return new

    def _numbers(self, data: Bytes, keys: Places, begins: Places, sizes: Ids, *, add: bool) -> Ids:
        """The numbers of words by their hashes; where they stand in `data` is for those that are to be added."""
        ids = np.empty(len(keys), np.int32)
        done = 0
        while True:
            done, self._words = _look_up(
                data,
                keys,
                begins,
                sizes,
                self._hashes,
                self._starts,
                self._letters,
                self._slots,
                self._words,
                done,
                add,
                ids,
            )
            if done == len(ids):
                return ids
            self._make_room(int(sizes[done]))

    def _make_room(self, letters: int) -> None:
        """Room for one more word."""
        used = int(self._starts[len(self)])
        if used + letters > len(self._letters):
            self._letters = grown(self._letters, used + letters)
        if len(self) == len(self._hashes):
            self._hashes = grown(self._hashes, len(self) + 1)
            self._starts = grown(self._starts, len(self._hashes) + 1)
            self._slots = slots_for(len(self._hashes))
            fill(self._hashes, len(self), self._slots)


@compiled
def _look_up(
    data: Bytes,
    keys: Places,
    begins: Places,
    sizes: Ids,
    hashes: Places,
    starts: Places,
    letters: Bytes,
    slots: Ids,
    words: int,
    done: int,
    add: bool,
    ids: Ids,
) -> tuple[int, int]:
    """How many are looked up, all or up to one for which there is no room, and how many words there are then."""
    for t in range(done, len(keys)):
        if begins[t] < 0:
            ids[t] = -1 - begins[t]
            continue
        # hashed.place_of, spelt out: a call that is given arrays costs as much as all the rest
        slot = first_slot(keys[t], len(slots))
        while slots[slot] >= 0 and hashes[slots[slot]] != keys[t]:
            slot = (slot + 1) & (len(slots) - 1)
        if slots[slot] < 0 and add:
            used = starts[words]
            if words == len(hashes) or used + sizes[t] > len(letters):
                return t, words
            for i in range(sizes[t]):
                letters[used + i] = data[begins[t] + i]
            starts[words + 1] = used + sizes[t]
            hashes[words] = keys[t]
            slots[slot] = words
            words += 1
        ids[t] = slots[slot]
    return len(keys), words
