"""Phrases are those that gensim's Phrases finds."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from gensim.models.phrases import FrozenPhrases, Phrases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.topics import phrases
from lib.topics.documents import Documents, read_documents
from lib.topics.phrases import PHRASE_COUNT, PHRASE_NPMI, learn_phrases
from lib.topics.text import BREAK
from tests.lib.topics.made import advance, article

STOP = frozenset({"the", "of", "and", "in"})
Read = Callable[[Sequence[str]], Documents]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def make(texts: Sequence[str]) -> Documents:
        articles = [article(d, content=text) for d, text in enumerate(texts)]
        return read_documents(articles, tmp_path, "content", lambda *_, **__: None, advance)

    return make


def gensim_s(documents: Documents) -> FrozenPhrases:
    """What gensim finds, less what reaches over a break."""
    found = Phrases(
        documents, min_count=PHRASE_COUNT, threshold=PHRASE_NPMI, scoring="npmi", connector_words=STOP | {BREAK}
    ).freeze()
    found.phrasegrams = {name: score for name, score in found.phrasegrams.items() if BREAK not in name.split("_")}
    return found


def assert_same(documents: Documents) -> int:
    ours, theirs = learn_phrases(documents, STOP, advance), gensim_s(documents)
    assert ours.scores == theirs.phrasegrams
    texts = list(documents)
    for (ids, ends), start in zip(documents.spool.pieces(), [0], strict=True):
        joined, joined_ends = ours.join(ids, ends)
        for d, part in enumerate(np.split(joined, joined_ends[:-1])):
            assert documents.vocabulary.words(part) == theirs[texts[start + d]]
    return len(ours)


def real_like(seed: int, articles: int = 150) -> list[str]:
    """Texts of words as frequent as words are, with names, stop words and marks among them."""
    pick = random.Random(seed)
    names = ["white house", "bank of america", "lords of the rings", "new york", "york times", "ha ha ha"]
    words = [f"w{rank}" for rank in range(500)]
    weights = [1 / (rank + 1) for rank in range(500)]
    texts = []
    for _ in range(articles):
        tokens = pick.choices(words, weights, k=60)
        for name in pick.choices(names, k=6):
            tokens.insert(pick.randrange(len(tokens)), name)
        for mark in pick.choices([*STOP, ",", ".", "7"], k=30):
            tokens.insert(pick.randrange(len(tokens)), mark)
        texts.append(" ".join(tokens))
    return texts


@pytest.mark.parametrize("seed", range(3))
def test_texts_like_real_ones_have_gensim_s_phrases_with_its_scores(read: Read, seed: int) -> None:
    assert assert_same(read(real_like(seed))) >= 5


@given(
    texts=st.lists(
        st.lists(st.sampled_from(["aa", "bb", "cc", "the", "of", ",", "dd ee", "ff of gg"]), max_size=40).map(" ".join),
        min_size=1,
        max_size=6,
    ),
    times=st.integers(5, 30),
)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_texts_have_gensim_s_phrases(read: Read, texts: list[str], times: int) -> None:
    assert_same(read(texts * times))


def test_of_more_pairs_than_there_is_room_for_the_frequent_ones_are_kept(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = read(real_like(1))
    whole = learn_phrases(documents, STOP, advance).scores
    monkeypatch.setattr(phrases, "SKETCH", 2)  # every pair may be frequent then
    monkeypatch.setattr(phrases, "FEWEST", 64)
    monkeypatch.setattr(phrases, "MOST_PAIRS", 256)
    pruned = learn_phrases(documents, STOP, advance).scores
    assert {"white_house", "bank_of_america", "lords_of_the_rings"} <= set(pruned) <= set(whole)


def test_a_phrase_that_stands_in_the_texts_as_one_word_has_that_word_s_number(read: Read) -> None:
    documents = read([f"{text} white_house" for text in real_like(2)])
    known = documents.vocabulary.ids_of(["white_house"])
    found = learn_phrases(documents, STOP, advance)
    assert known[0] == found.ids[list(found.scores).index("white_house")] >= 0
