"""Texts to numbers of words in compiled code: what `text.tokenise` gives, many texts at a call.

A text is its UTF-8 bytes in lower case. Each token is looked up, by its bytes, in a table that knows all words met so
far; words are numbered in the order in which they first came. Python's lock is given up meanwhile, so that a thread
can tokenise while another reads.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.compiled import compiled
from lib.topics.hashed import (
    BASIS,
    FEWEST,
    PRIME,
    Bytes,
    Places,
    fill,
    first_slot,
    grown,
    hashed,
    joined,
    place_of,
    slots_for,
)
from lib.topics.text import APOSTROPHES, BREAK

BREAK_ID = 0
_FIRST_WORDS = (BREAK, "can", "will", "shall")  # numbers 0–3; the last three are what is left of can't, won't, shan't

Ids = NDArray[np.int32]

# Classes of characters. Python's own regular expressions tell them apart, 256 code points at a time.
_UNKNOWN, _OTHER, _LETTER, _DIGIT, _SPACE, _UNDERSCORE, _APOSTROPHE, _HYPHEN = range(8)
_PAGE = 256
_CLASSES = ((_LETTER, re.compile(r"[^\W\d_]")), (_DIGIT, re.compile(r"\d")), (_SPACE, re.compile(r"\s")))
_SINGLE = {"_": _UNDERSCORE, "'": _APOSTROPHE, "-": _HYPHEN}
_classes = np.zeros(0x110000, np.uint8)

# What `state` holds between two calls, since a call ends where there is no room for a new word or a class is unknown.
_TEXT, _PLACE, _WORDS, _USED, _WRITTEN, _WANTED = range(6)
_DONE, _NO_ROOM, _NO_CLASS = range(3)


def _learn_classes(code_point: int) -> None:
    start = code_point - code_point % _PAGE
    for code in range(start, start + _PAGE):
        character = chr(code)
        known = (kind for kind, pattern in _CLASSES if pattern.match(character))
        _classes[code] = _SINGLE.get(character) or next(known, _OTHER)


_learn_classes(0)  # ASCII


class Vocabulary:
    """Words and their numbers, the bytes of all words in one array."""

    def __init__(self) -> None:
        self._hashes = np.empty(FEWEST // 2, np.int64)
        self._starts = np.zeros(FEWEST // 2 + 1, np.int64)
        self._letters = np.empty(FEWEST * 4, np.uint8)
        self._slots = slots_for(FEWEST // 2)
        self._state = np.zeros(6, np.int64)
        self.ids_of(_FIRST_WORDS, add=True)

    def __len__(self) -> int:
        return int(self._state[_WORDS])

    def tokenise(self, texts: Sequence[str]) -> tuple[Ids, Places]:
        """The tokens of the texts, one text behind another, and where each text ends among them."""
        data, ends = joined(_prepared(text) for text in texts)
        out = np.empty(len(data), np.int32)
        ends_out = np.empty(len(ends), np.int64)
        state = self._state
        state[[_TEXT, _PLACE, _WRITTEN]] = 0
        while True:
            table = (self._hashes, self._starts, self._letters, self._slots)
            how = _tokenise(data, ends, _classes, *table, state, out, ends_out)
            if how == _DONE:
                return out[: state[_WRITTEN]].copy(), ends_out
            if how == _NO_CLASS:
                _learn_classes(int(state[_WANTED]))
            else:
                self._make_room(int(state[_WANTED]))

    def ids_of(self, words: Iterable[str], *, add: bool = False) -> Ids:
        """The numbers of whole words as they stand; −1 where one is not known, unless it is to be added."""
        data, ends = joined(word.encode("utf-8", "surrogatepass") for word in words)
        if add:
            self._make_room(len(data), len(ends))
        ids = np.empty(len(ends), np.int32)
        _look_up(data, ends, self._hashes, self._starts, self._letters, self._slots, self._state, ids, add)
        return ids

    def words(self, ids: Ids) -> list[str]:
        """The words of these numbers."""
        letters = self._letters
        pairs = zip(self._starts[ids].tolist(), self._starts[np.asarray(ids) + 1].tolist(), strict=True)
        return [letters[start:end].tobytes().decode("utf-8", "surrogatepass") for start, end in pairs]

    def characters(self) -> NDArray[np.int64]:
        """How many characters each word has."""
        words, used = len(self), int(self._state[_USED])
        begins = (self._letters[:used] & 0xC0) != 0x80  # a character's bytes after its first are 10……
        return np.add.reduceat(begins, self._starts[:words], dtype=np.int64)

    def _make_room(self, letters: int, words: int = 1) -> None:
        """Room for so many more."""
        if int(self._state[_USED]) + letters > len(self._letters):
            self._letters = grown(self._letters, int(self._state[_USED]) + letters)
        if len(self) + words > len(self._hashes):
            self._hashes = grown(self._hashes, len(self) + words)
            self._starts = grown(self._starts, len(self._hashes) + 1)
            self._slots = slots_for(len(self._hashes))
            fill(self._hashes, len(self), self._slots)


def _prepared(text: str) -> bytes:
    for each in APOSTROPHES:
        text = text.replace(each, "'")
    return text.lower().encode("utf-8", "surrogatepass")


@compiled
def _code_point(text: Bytes, i: int) -> tuple[Any, int]:
    """The character at i and its length in bytes; the text is good UTF-8, or halves of surrogate pairs."""
    first = np.int64(text[i])
    if first < 0x80:
        return first, 1
    if first < 0xE0:
        return (first & 0x1F) << 6 | np.int64(text[i + 1]) & 0x3F, 2
    if first < 0xF0:
        return (first & 0x0F) << 12 | (np.int64(text[i + 1]) & 0x3F) << 6 | np.int64(text[i + 2]) & 0x3F, 3
    upper = (first & 0x07) << 18 | (np.int64(text[i + 1]) & 0x3F) << 12
    return upper | (np.int64(text[i + 2]) & 0x3F) << 6 | np.int64(text[i + 3]) & 0x3F, 4


@compiled
def _word_id(
    text: Bytes,
    a: int,
    b: int,
    key: int,
    hashes: Places,
    starts: Places,
    letters: Bytes,
    slots: Ids,
    state: Places,
    add: bool,
) -> Any:
    """The number of the word text[a:b], of which the key is known; −1 if it is not known and not to be added, −2 if
    there is no room to.
    """
    slot = place_of(key, hashes, slots)
    if slots[slot] >= 0:
        return slots[slot]
    if not add:
        return -1
    word, used = state[_WORDS], state[_USED]
    if word == len(hashes) or used + b - a > len(letters):
        state[_WANTED] = b - a
        return -2
    slots[slot] = word
    hashes[word] = key
    for i in range(b - a):
        letters[used + i] = text[a + i]
    starts[word] = used
    starts[word + 1] = used + b - a
    state[_WORDS] = word + 1
    state[_USED] = used + b - a
    return word


@compiled
def _look_up(
    text: Bytes,
    ends: Places,
    hashes: Places,
    starts: Places,
    letters: Bytes,
    slots: Ids,
    state: Places,
    ids: Ids,
    add: bool,
) -> None:
    start = 0
    for word in range(len(ends)):
        key: Any = hashed(text, start, ends[word], BASIS)
        ids[word] = _word_id(text, start, ends[word], key, hashes, starts, letters, slots, state, add)
        start = ends[word]


@compiled
def _tokenise(
    text: Bytes,
    ends: Places,
    classes: Bytes,
    hashes: Places,
    starts: Places,
    letters: Bytes,
    slots: Ids,
    state: Places,
    out: Ids,
    ends_out: Places,
) -> int:
    """`text.tokenise`'s regular expression by hand; goes on where `state` says that the last call has stopped."""
    i, written = state[_PLACE], state[_WRITTEN]
    for d in range(state[_TEXT], len(ends)):
        end = ends[d]
        first = 0 if d == 0 else ends_out[d - 1]  # of the text's tokens
        while i < end:
            # 1. the many words of ASCII's letters and digits that have nothing special about them
            if text[i] < 0x80 and classes[text[i]] == _SPACE:
                i += 1
                continue
            if text[i] < 0x80 and classes[text[i]] == _LETTER:
                at = i
                key: Any = BASIS  # an integer of 64 bits, as numba sees it
                while at < end and text[at] < 0x80 and (classes[text[at]] == _LETTER or classes[text[at]] == _DIGIT):
                    key = (key ^ text[at]) * PRIME
                    at += 1
                behind = text[at] if at < end else 32
                if behind < 0x80 and (
                    classes[behind] == _SPACE or (behind == 44) or (behind == 46 and at - i > 1)  # , .
                ):
                    # place_of, spelt out: a call with arrays costs as much as the rest
                    slot = first_slot(key, len(slots))
                    while slots[slot] >= 0 and hashes[slots[slot]] != key:
                        slot = (slot + 1) & (len(slots) - 1)
                    word: Any = slots[slot]
                    if word < 0:
                        word = _word_id(text, i, at, key, hashes, starts, letters, slots, state, True)
                    if word < 0:
                        state[_TEXT], state[_PLACE], state[_WRITTEN] = d, i, written
                        return _NO_ROOM
                    out[written] = word
                    written += 1
                    i = at
                    continue
            # 2. any other token [i:stop], or what stands between tokens
            code, size = _code_point(text, i)
            kind = classes[code]
            stop = i + size
            apostrophe = -1
            dotted = 0
            if kind == _LETTER:
                # dotted initials: a letter and a full stop, at least twice
                at, last = i, i
                while at < end:
                    code, size = _code_point(text, at)
                    if classes[code] == _UNKNOWN:
                        kind = np.uint8(_UNKNOWN)
                        break
                    if classes[code] != _LETTER or at + size >= end or text[at + size] != 46:
                        break
                    at += size + 1
                    dotted += 1
                if kind == _UNKNOWN:
                    pass
                elif dotted >= 2:
                    stop = at
                else:
                    at = stop
                    while at < end:
                        code, size = _code_point(text, at)
                        last = classes[code]
                        if last == _UNKNOWN:
                            kind = np.uint8(_UNKNOWN)
                            break
                        if last == _APOSTROPHE and apostrophe < 0:
                            apostrophe = at
                        elif last != _LETTER and last != _DIGIT and last != _UNDERSCORE:
                            break
                        at += size
                    stop = at
                    if apostrophe == stop - 1:  # it needs something behind it
                        stop = apostrophe
                        apostrophe = -1
            elif kind == _DIGIT:
                while stop < end:
                    code, size = _code_point(text, stop)
                    last = classes[code]
                    if last == _UNKNOWN:
                        kind = np.uint8(_UNKNOWN)
                        break
                    within = code == 46 or code == 44 or code == 58 or code == 37  # . , : %
                    if not within and last != _LETTER and last != _DIGIT and last != _UNDERSCORE:
                        break
                    stop += size
            if kind == _UNKNOWN:
                state[_TEXT], state[_PLACE], state[_WRITTEN], state[_WANTED] = d, i, written, code
                return _NO_CLASS
            # 3. what it gives
            if kind in (_OTHER, _DIGIT):
                if written > first and out[written - 1] != BREAK_ID:
                    out[written] = BREAK_ID
                    written += 1
            elif kind == _LETTER:
                until = stop
                word = -1
                if apostrophe >= 0:
                    until, word = _bare(text, i, apostrophe, stop)
                if word < 0:
                    key = hashed(text, i, until, BASIS)
                    word = _word_id(text, i, until, key, hashes, starts, letters, slots, state, True)
                if word < 0:
                    state[_TEXT], state[_PLACE], state[_WRITTEN] = d, i, written
                    return _NO_ROOM
                out[written] = word
                written += 1
            i = stop
        ends_out[d] = written
    state[_WRITTEN] = written
    return _DONE


@compiled
def _bare(text: Bytes, a: int, apostrophe: int, b: int) -> tuple[int, int]:
    """Where the word text[a:b] ends without its clitic, as `text._bare` has it; and its number if it is another."""
    first = text[apostrophe + 1]
    length = b - apostrophe - 1
    if length == 1 and first == 116 and text[apostrophe - 1] == 110 and apostrophe - a > 1:  # …n't
        stem = apostrophe - 1 - a
        if stem == 2 and text[a] == 99 and text[a + 1] == 97:  # ca
            return b, 1
        if stem == 2 and text[a] == 119 and text[a + 1] == 111:  # wo
            return b, 2
        if stem == 3 and text[a] == 115 and text[a + 1] == 104 and text[a + 2] == 97:  # sha
            return b, 3
        return apostrophe - 1, -1
    second = text[b - 1]
    if length == 1 and (first == 115 or first == 100 or first == 109):  # 's 'd 'm
        return apostrophe, -1
    if length == 2 and ((first == 108 and second == 108) or (second == 101 and (first == 114 or first == 118))):
        return apostrophe, -1  # 'll 're 've
    return b, -1
