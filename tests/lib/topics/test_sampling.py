"""The sampler: its counts are the corpus's, it finds what was planted, and threads make no difference."""

from typing import Any

import numpy as np
import pytest
from gensim.corpora import Dictionary
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lib.topics.rows import Bags
from lib.topics.sampling import Sample, sample_topics
from tests.lib.topics.made import PLANTED, planted_texts
from tests.lib.topics.models import random_documents

TEXTS = planted_texts()
WORDS = Dictionary(TEXTS)
BAGS = Bags.from_lists([WORDS.doc2bow(text) for text in TEXTS])


def sampled(bags: Bags, words: int, topics: int, **how: Any) -> Sample:
    return sample_topics(bags, words, topics, **{"sweeps": 30, "seed": 1, "threads": 1, **how})


def uses(bags: Bags, words: int) -> NDArray[np.float64]:
    """How often each word stands in these documents."""
    counted = np.zeros(words)
    for document in bags:
        for word, count in document:
            counted[word] += count
    return counted


def themes(counts: NDArray[np.float32]) -> list[list[str]]:
    return [sorted(WORDS[word] for word in np.argsort(-row)[:8]) for row in counts]


@given(st.integers(1, 20), st.integers(1, 40), st.integers(0, 30), st.integers(1, 25), st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_every_use_of_a_word_has_one_topic(topics: int, words: int, documents: int, sweeps: int, seed: int) -> None:
    bags = Bags.from_lists(random_documents(seed, documents, words))
    found = sampled(bags, words, topics, sweeps=sweeps, seed=seed)
    assert found.counts.shape == (topics, words)
    np.testing.assert_array_equal(found.counts.sum(axis=0), uses(bags, words))
    assert (found.counts >= 0).all()
    assert (found.alpha > 0).all()
    assert np.isfinite(found.alpha).all()


def test_planted_topics_are_found() -> None:
    assert sorted(themes(sampled(BAGS, 24, 3).counts)) == sorted(map(sorted, PLANTED))


def test_a_common_topic_has_a_larger_alpha() -> None:
    rows = np.array([d for d in range(120) if d % 3 == 0 or d < 30])  # 40 articles of ships, ten each of the others
    found = sampled(Bags.of(BAGS, rows), 24, 3, sweeps=60)
    ships = themes(found.counts).index(sorted(PLANTED[0]))
    assert found.alpha.argmax() == ships
    assert found.alpha[ships] > 1.5 * np.delete(found.alpha, ships).max()


def test_a_warm_start_keeps_its_topics_in_their_places() -> None:
    first = sampled(BAGS, 24, 3)
    for order in ([0, 1, 2], [2, 0, 1]):
        start = Sample(first.counts[order], first.alpha[order])
        again = sampled(BAGS, 24, 3, sweeps=5, seed=9, start=start)
        assert themes(again.counts) == [themes(first.counts)[each] for each in order]


@pytest.mark.parametrize("topics", [1, 3, 20])
def test_any_number_of_threads_makes_the_same_bytes(topics: int) -> None:
    bags = Bags.from_lists(random_documents(5, 1_500, 60))  # more than a portion of articles, and many blocks
    made = {
        (found.counts.tobytes(), found.alpha.tobytes())
        for found in (sampled(bags, 60, topics, sweeps=25, threads=threads) for threads in (1, 2, 3, 5))
    }
    assert len(made) == 1


def test_seeds_make_different_samples_and_the_same_seed_the_same() -> None:
    one, again, other = (sampled(BAGS, 24, 6, sweeps=3, seed=seed).counts for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("topics", [1, 2, 50])
@pytest.mark.parametrize(
    "documents", [[], [[]], [[(0, 3)]], [[], [(1, 1)], []], [[(0, 1), (1, 70_000)]], [[(0, 2), (1, 1)]] * 3]
)
def test_degenerate_articles_are_no_fault(documents: list[list[tuple[int, float]]], topics: int) -> None:
    bags = Bags.from_lists(documents)
    found = sampled(bags, 2, topics, sweeps=22)
    np.testing.assert_array_equal(found.counts.sum(axis=0), uses(bags, 2))
    assert np.isfinite(found.alpha).all()
    assert (found.alpha > 0).all()


def test_progress_counts_each_article_of_each_sweep() -> None:
    counted: list[int] = []
    sampled(Bags.from_lists(random_documents(5, 2_500, 60)), 60, 3, sweeps=4, advance=counted.append)
    assert sum(counted) == 4 * 2_500
