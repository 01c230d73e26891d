"""Stability: planted topics are found again in every draw, and what has no topics is not."""

import numpy as np
import pytest

from lib.topics.quality import top_words
from lib.topics.stability import effort, matched, stability
from tests.lib.topics.made import PLANTED, made_corpus, planted_texts, random_texts


def planted_topics(corpus: object) -> np.ndarray:
    ids = corpus.dictionary.token2id  # type: ignore[attr-defined]
    found = np.zeros((len(PLANTED), len(ids)), np.float32)
    for k, words in enumerate(PLANTED):
        found[k, [ids[word] for word in words]] = 1.0
    return found


def test_planted_topics_are_found_again_in_every_draw() -> None:
    corpus = made_corpus(planted_texts())
    found = stability(corpus, np.arange(120), planted_topics(corpus), seed=1, threads=1)
    # eight of each topic's ten words are its own: the last two are any
    assert found.shape == (3,)
    assert (found >= 0.8).all()


def test_topics_of_words_by_chance_are_less_stable_than_planted_ones() -> None:
    corpus = made_corpus(random_texts(1, articles=200, vocabulary=200))
    chance = np.random.default_rng(0).random((5, len(corpus.dictionary))).astype(np.float32)
    assert stability(corpus, np.arange(200), chance, seed=1, threads=1).mean() < 0.4


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    corpus = made_corpus(planted_texts())
    found = planted_topics(corpus)
    one = stability(corpus, np.arange(120), found, seed=1, threads=1)
    assert (one == stability(corpus, np.arange(120), found, seed=1, threads=threads)).all()


def test_progress_adds_up_to_the_effort() -> None:
    corpus = made_corpus(planted_texts())
    counted: list[int] = []
    stability(corpus, np.arange(120), planted_topics(corpus), seed=1, threads=1, advance=counted.append)
    assert sum(counted) == effort(120)


def test_top_words_are_the_likeliest_first_and_ties_go_by_number() -> None:
    topics = np.array([[0.1, 0.3, 0.3, *[0.01] * 20], [0.0] * 22 + [0.5]], np.float32)
    words = top_words(topics)
    assert words[0][:3] == [1, 2, 0]
    assert words[1][0] == 22
    assert all(len(set(each)) == 10 for each in words)
    assert top_words(np.array([[0.2, 0.8]], np.float32)) == [[1, 0]]


@pytest.mark.parametrize("seed", range(5))
def test_top_words_are_the_first_of_a_stable_sort_also_where_the_tenth_is_one_of_many_alike(seed: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 4, (6, 300)).astype(np.float32)
    assert top_words(counts) == [np.argsort(-row, kind="stable")[:10].tolist() for row in counts]


def test_topics_are_matched_one_to_one_by_what_they_share() -> None:
    one = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    assert matched(one, [one[2], one[0], one[1]]).tolist() == [1.0, 1.0, 1.0]
    assert matched(one, [[1, 2, 90, 91], [1, 2, 3, 92], [93, 94, 95, 96]]).tolist()[0] == 0.75
    assert matched(one, [one[1]]).tolist() == [0.0, 1.0, 0.0]  # with fewer, some have none
