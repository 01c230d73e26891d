"""Pairs of words that are phrases, as gensim's Phrases finds them, in compiled code and bounded memory.

A pair is two words side by side or with stop words alone between them (`bank_of_america`); it is a phrase where its
normalised pointwise mutual information (Bouma 2009) is high. Counting goes in two passes over the words on disk. The
first counts in a small table of bytes that pairs share by chance, so that its counts are never too low; the second
counts exactly, and only the pairs for which the first leaves it open whether they are frequent enough.
"""

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lib.compiled import compiled
from lib.progress import Advance
from lib.topics.hashed import FEWEST, Bytes, Ids, Keys, Places, Slots, fill, first_slot, grown, slots_for
from lib.topics.scanning import BREAK_ID

if TYPE_CHECKING:
    from lib.topics.documents import Documents

# Tried on training articles: gensim's default score of 10 joins "mln_dlrs" and breaks topics up; 0.7 leaves names and
# fixed expressions.
PHRASE_NPMI = 0.7
PHRASE_COUNT = 20  # a pair has to stand in the corpus so often
SKETCH = 1 << 24  # bytes
MOST_PAIRS = 1 << 21  # in the exact table, of 24 bytes each; where there are more, the rarest are dropped
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Phrases:
    """Phrases with their scores, and what joins them: a table from a pair's key to the phrase's word number."""

    scores: dict[str, float]
    ids: Ids
    keys: Keys
    slots: Slots
    connectors: NDArray[np.bool_]  # a word number: may stand inside a phrase, never at an end

    def __len__(self) -> int:
        return len(self.scores)

    def join(self, ids: Ids, ends: Places) -> tuple[Ids, Places]:
        """The same articles with the words of phrases joined, the first from the left where two overlap."""
        out, ends_out = np.empty(len(ids), np.int32), np.empty(len(ends), np.int64)
        written = _join(ids, ends, self.connectors, self.keys, self.slots, self.ids, out, ends_out)
        return out[:written], ends_out


def learn_phrases(documents: "Documents", stop_words: frozenset[str], advance: Advance) -> Phrases:
    """Pairs of words that stand together far more often than apart; stop words may stand inside.

    Progress tells each article twice.
    """
    vocabulary, counts = documents.vocabulary, documents.counts
    connectors = np.zeros(len(vocabulary), np.bool_)
    stops = vocabulary.ids_of(sorted(stop_words))
    connectors[[BREAK_ID, *stops[stops >= 0].tolist()]] = True
    connectors = connectors[: len(counts)]
    total = int(counts.sum())
    with np.errstate(divide="ignore"):
        chances = np.where(connectors | (counts < PHRASE_COUNT), -np.inf, np.log(counts / max(total, 1)))

    table, sketch = _Pairs(), np.zeros(SKETCH, np.uint8)
    for ids, ends in documents.spool.pieces():
        table.count(ids, ends, 0, connectors, chances, sketch, np.zeros(2, np.int64), exactly=False)
        advance(len(ends))
    before = 0
    for ids, ends in documents.spool.pieces():
        state = np.zeros(2, np.int64)
        while not table.count(ids, ends, before, connectors, chances, sketch, state, exactly=True):
            table.make_room()
        before += len(ids)
        advance(len(ends))

    scores: dict[str, float] = {}
    keys: list[int] = []
    for key, count, place, span in table.frequent():
        words = documents.spool.read(place, span)
        a, b = int(counts[words[0]]) / float(total), int(counts[words[-1]]) / float(total)
        both = count / float(total)
        score = log(both / (a * b)) / -log(both)  # gensim's npmi_scorer, operation by operation
        if score > PHRASE_NPMI:
            scores["_".join(vocabulary.words(words))] = score
            keys.append(key)
    joined = vocabulary.ids_of(scores, add=True)
    slots = slots_for(len(keys))
    fill(np.array(keys, np.int64), len(keys), slots)
    return Phrases(scores, joined, np.array(keys, np.int64), slots, connectors)


class _Pairs:
    """Counts by key, with the place on the spool where each was first met and how many words it spans there."""

    def __init__(self) -> None:
        self._keys = np.empty(FEWEST // 2, np.int64)
        self._counts = np.empty((FEWEST // 2, 3), np.int64)
        self._slots = slots_for(FEWEST // 2)
        self._entries = np.zeros(1, np.int64)
        self._least = 1  # so often a pair must have come to stay where there is no more room; gensim's min_reduce

    def count(
        self,
        ids: Ids,
        ends: Places,
        before: int,
        connectors: NDArray[np.bool_],
        chances: Floats,
        sketch: Bytes,
        state: Places,
        *,
        exactly: bool,
    ) -> bool:
        """Count in the sketch, or exactly the pairs that it leaves open; False where there is no more room."""
        return _count_pairs(
            ids,
            ends,
            before,
            connectors,
            chances,
            1 + PHRASE_NPMI,
            PHRASE_COUNT,
            sketch,
            exactly,
            self._keys,
            self._counts,
            self._slots,
            self._entries,
            state,
        )

    def make_room(self) -> None:
        entries = int(self._entries[0])
        if entries < MOST_PAIRS:
            self._keys = grown(self._keys, entries + 1)
            self._counts = np.concatenate([self._counts, np.empty_like(self._counts)])
            self._slots = slots_for(len(self._keys))
        while entries == MOST_PAIRS:
            kept = self._counts[:entries, 0] > self._least
            self._least += 1
            entries = int(kept.sum())
            self._keys[:entries] = self._keys[: len(kept)][kept]
            self._counts[:entries] = self._counts[: len(kept)][kept]
            self._entries[0] = entries
        fill(self._keys, entries, self._slots)

    def frequent(self) -> list[tuple[int, int, int, int]]:
        """Key, count, place and span of the pairs that came often enough, in the order they first came."""
        entries = int(self._entries[0])
        often = np.flatnonzero(self._counts[:entries, 0] >= PHRASE_COUNT)
        return [
            (key, *rest) for key, rest in zip(self._keys[often].tolist(), self._counts[often].tolist(), strict=True)
        ]


@compiled
def _mixed(key: int, word: int) -> int:
    """A key that goes on by a word: for pairs with stop words between them, where a and b alone don't say which."""
    key = (key ^ (word + 1)) * -7046029254386353131  # 2⁶⁴ / golden ratio, as splitmix64 has it
    return key ^ ((key >> 32) & 0xFFFFFFFF)


@compiled
def _may_be(a: float, b: float, power: float) -> bool:
    """Whether words of these log chances can make a phrase at all, since no pair comes more often than its words.

    With p the pair's chance, log(p / (ab)) / −log p > t says that (1 + t) log p > log a + log b.
    """
    return power * min(a, b) > a + b - 1e-6


@compiled
def _count_pairs(
    ids: Ids,
    ends: Places,
    before: int,
    connectors: NDArray[np.bool_],
    chances: Floats,
    power: float,
    least: int,
    sketch: Bytes,
    exactly: bool,
    keys: Keys,
    counts: NDArray[np.int64],
    slots: Slots,
    entries: Places,
    state: Places,
) -> bool:
    """Whether all is counted; else `state` has the article and the place to go on from once there is room."""
    begin = state[1]
    for d in range(state[0], len(ends)):
        start: Any = -1
        between: Any = 0
        at = begin
        for i in range(begin, ends[d]):
            word = ids[i]
            if connectors[word]:
                between = _mixed(between, word)
                if word == BREAK_ID:
                    start = -1
                continue
            if start >= 0 and _may_be(chances[start], chances[word], power):
                key = start << 32 | word
                if between:
                    key = _mixed(_mixed(between, start), word)
                cell = first_slot(key, len(sketch))
                if not exactly:
                    sketch[cell] += sketch[cell] < least
                elif sketch[cell] >= least:
                    slot = first_slot(key, len(slots))
                    while slots[slot] >= 0 and keys[slots[slot]] != key:
                        slot = (slot + 1) & (len(slots) - 1)
                    entry = slots[slot]
                    if entry < 0:
                        entry = entries[0]
                        if entry == len(keys):
                            state[0] = d
                            state[1] = at
                            return False
                        slots[slot] = entry
                        keys[entry] = key
                        counts[entry, 0] = 0
                        counts[entry, 1] = before + at
                        counts[entry, 2] = i + 1 - at
                        entries[0] = entry + 1
                    counts[entry, 0] += 1
            start = word
            at = i
            between = 0
        begin = ends[d]
    return True


@compiled
def _join(
    ids: Ids,
    ends: Places,
    connectors: NDArray[np.bool_],
    keys: Keys,
    slots: Slots,
    phrases: Ids,
    out: Ids,
    ends_out: Places,
) -> int:
    written = 0
    begin = 0
    for d in range(len(ends)):
        start: Any = -1
        between: Any = 0
        place = 0  # of the start, in out
        for i in range(begin, ends[d]):
            word = ids[i]
            out[written] = word
            written += 1
            if connectors[word]:
                between = _mixed(between, word)
                if word == BREAK_ID:
                    start = -1
                continue
            if start >= 0:
                key = start << 32 | word
                if between:
                    key = _mixed(_mixed(between, start), word)
                slot = first_slot(key, len(slots))  # place_of, spelt out: a call with arrays costs as much as the rest
                while slots[slot] >= 0 and keys[slots[slot]] != key:
                    slot = (slot + 1) & (len(slots) - 1)
                entry = slots[slot]
                if entry >= 0:
                    out[place] = phrases[entry]
                    written = place + 1
                    start = -1
                    continue
            start = word
            place = written - 1
            between = 0
        begin = ends[d]
        ends_out[d] = written
    return written
