"""Compiled tokenising gives what the one in Python gives."""

import string

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lib.topics.scanning import BREAK_ID
from lib.topics.text import BREAK, tokenise
from lib.topics.tokens import Vocabulary

# what the rules are about, and characters of one to four bytes of each class
telling = st.text("aBnst'’`-_.,:%7 \n²٣İΣéß漢𝒳😀́", max_size=24)
texts = st.lists(st.text(max_size=30) | telling | st.text(string.ascii_letters + " .'", max_size=60), max_size=6)


def tokens_of(vocabulary: Vocabulary, given: list[str]) -> list[list[str]]:
    ids, ends = vocabulary.tokenise(given)
    return [vocabulary.words(part) for part in np.split(ids, ends[:-1])] if given else []


@given(texts)
@example(["can't won't shan't n't didn't", "rock'n'roll 'tis dogs' o'clock it's we'll you're I've he'd I'm x'st"])
@example(["the U.S. and u.k said e.g. a.b a.b.c. é.é. İ.x. 1.2.3, 50% 7up x_y _z a-b --"])
@example(["a" * 3000 + "'" + "b" * 3000, "", "漢" * 500])
@settings(deadline=None)
def test_any_texts_give_the_tokens_that_the_reference_gives(given: list[str]) -> None:
    assert tokens_of(Vocabulary(), given) == [tokenise(text) for text in given]


@given(st.lists(texts, max_size=4))
@settings(deadline=None)
def test_a_word_keeps_its_number_however_texts_are_batched(batches: list[list[str]]) -> None:
    one, many = Vocabulary(), Vocabulary()
    together, _ = one.tokenise([text for batch in batches for text in batch])
    apart = [many.tokenise(batch)[0] for batch in batches]
    assert together.tolist() == [word for ids in apart for word in ids.tolist()]


def test_words_are_numbered_in_the_order_in_which_they_come_behind_the_break() -> None:
    vocabulary = Vocabulary()
    before = len(vocabulary)
    ids, ends = vocabulary.tokenise(["one two, one", "", "three two"])
    assert ids.tolist() == [before, before + 1, BREAK_ID, before, before + 2, before + 1]
    assert ends.tolist() == [4, 4, 6]
    assert vocabulary.words(np.array([BREAK_ID], np.int32)) == [BREAK]


def test_more_words_than_there_was_room_for_are_all_known() -> None:
    words = [f"w{number}" for number in range(50_000)]
    vocabulary = Vocabulary()
    ids, _ = vocabulary.tokenise([" ".join(words)])
    assert vocabulary.words(ids) == words
    assert vocabulary.ids_of([*words, "other"]).tolist() == [*ids.tolist(), -1]


@pytest.mark.parametrize("word", ["white_house", "漢字", "x" * 10_000])
def test_a_word_can_be_added_and_is_found_again(word: str) -> None:
    vocabulary = Vocabulary()
    (known,) = vocabulary.ids_of([word]).tolist()
    (number,) = vocabulary.ids_of([word], add=True).tolist()
    assert (known, number) == (-1, len(vocabulary) - 1)
    assert vocabulary.ids_of([word, word]).tolist() == [number, number]
    assert vocabulary.characters()[number] == len(word)
