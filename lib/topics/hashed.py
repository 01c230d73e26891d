"""Open addressing in compiled code: what the tables of words, of pairs of words and of articles share.

A table has `slots`, int32 and a power of two of them, each the number of an entry or −1, and `keys`, int64, the
entries' hashes in the order they came. Slots are looked at one after another, so that a table at most half full is
near what memory allows. All arithmetic is int64, which wraps round in compiled code.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.compiled import compiled

Keys = NDArray[np.int64]
Slots = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Ids = NDArray[np.int32]
Places = NDArray[np.int64]
BASIS, PRIME = -3750763034362895579, 1099511628211  # FNV-1a's
FEWEST = 1 << 12


@compiled
def first_slot(key: int, slots: int) -> int:
    """Where a key's search begins: the finaliser of MurmurHash3, so that keys that differ anywhere lie apart."""
    key ^= (key >> 33) & 0x7FFFFFFF
    key *= -49064778989728563
    key ^= (key >> 33) & 0x7FFFFFFF
    key *= -4265267296055464877
    key ^= (key >> 33) & 0x7FFFFFFF
    return key & (slots - 1)


@compiled
def place_of(key: int, keys: Keys, slots: Slots) -> int:
    """The slot that holds the key, or the empty one that it would take."""
    slot = first_slot(key, len(slots))
    while slots[slot] >= 0 and keys[slots[slot]] != key:
        slot = (slot + 1) & (len(slots) - 1)
    return slot


@compiled
def fill(keys: Keys, count: int, slots: Slots) -> None:
    """Put the first `count` keys into `slots` anew; equal keys each have a slot."""
    slots[:] = -1
    for entry in range(count):
        slot = first_slot(keys[entry], len(slots))
        while slots[slot] >= 0:
            slot = (slot + 1) & (len(slots) - 1)
        slots[slot] = entry


def slots_for(entries: int) -> Slots:
    """Empty slots for a table that is at most half full with so many entries."""
    return np.full(max(FEWEST, 1 << (2 * entries - 1).bit_length()), -1, np.int32)


def grown(array: NDArray[Any], wanted: int) -> NDArray[Any]:
    """A copy with room for `wanted` elements or twice as many as before, whichever is more."""
    larger = np.empty(max(wanted, 2 * len(array)), array.dtype)
    larger[: len(array)] = array
    return larger


@compiled
def hashed(text: Bytes, start: int, end: int, key: int) -> int:
    """FNV-1a, 64 bits, of text[start:end], from the key on that the bytes before have."""
    for i in range(start, end):
        key = (key ^ text[i]) * PRIME
    return key


@compiled
def hash_parts(data: Bytes, ends: Places, keys: Keys) -> None:
    """The hash of each part of the data, up to its end."""
    start = 0
    for part in range(len(ends)):
        keys[part] = hashed(data, start, ends[part], BASIS)
        start = ends[part]


class Seen:
    """The keys of the articles that have come by, 8 bytes each and as many for their slots."""

    def __init__(self) -> None:
        self._keys = np.empty(FEWEST // 2, np.int64)
        self._slots = slots_for(FEWEST // 2)
        self._count = 0

    def new(self, titles: Sequence[bytes], bodies: Sequence[bytes], alone: Sequence[bool]) -> list[bool]:
        """Which articles have neither their title and body together nor, where `alone`, their body from an earlier one.

        White space of ASCII's is one blank however much there is. What an article that isn't new has is not kept.
        """
        data, ends = joined(part for pair in zip(titles, bodies, strict=True) for part in pair)
        wanted = self._count + len(ends)
        if wanted > len(self._keys):
            self._keys = grown(self._keys, wanted)
            self._slots = slots_for(len(self._keys))
            fill(self._keys, self._count, self._slots)
        new = np.empty(len(titles), np.bool_)
        self._count = _admit(data, ends, np.array(alone, np.bool_), self._keys, self._count, self._slots, new)
        return new.tolist()


@compiled
def _admit(
    data: Bytes, ends: Places, alone: NDArray[np.bool_], keys: Keys, count: int, slots: Slots, new: NDArray[np.bool_]
) -> int:
    for d in range(len(new)):
        start = 0 if d == 0 else ends[2 * d - 1]
        body: Any = BASIS
        blank = False
        for i in range(ends[2 * d], ends[2 * d + 1]):
            byte = data[i]
            white = byte == 32 or 9 <= byte <= 13 or 28 <= byte <= 31
            if white and blank:
                continue
            blank = white
            body = (body ^ (32 if white else byte)) * PRIME
        key = hashed(data, start, ends[2 * d], body + 1)  # of both
        slot, slot_alone = place_of(key, keys, slots), place_of(body, keys, slots)
        new[d] = slots[slot] < 0 and not (alone[d] and slots[slot_alone] >= 0)
        if new[d]:
            slots[slot] = count
            keys[count] = key
            count += 1
        if new[d] and alone[d]:
            while slots[slot_alone] >= 0:  # the one that was empty may have been taken just now
                slot_alone = (slot_alone + 1) & (len(slots) - 1)
            slots[slot_alone] = count
            keys[count] = body
            count += 1
    return count


def joined(parts: Iterable[bytes]) -> tuple[Bytes, Places]:
    """The parts behind one another as an array, and where each ends."""
    every = list(parts)
    ends = np.cumsum([len(part) for part in every], dtype=np.int64)
    return np.frombuffer(b"".join(every), np.uint8), ends
