"""Where training starts: the least coherent topics dissolved, the largest divided, and the work counted before."""

from typing import Any

import numpy as np
import pytest

from lib.topics.corpus import Corpus
from lib.topics.sampling import Sample
from lib.topics.start import MANY, find_start, relocated, sweeps_to_come
from tests.lib.topics.made import PLANTED, made_corpus, planted_texts, random_texts


def started(corpus: Corpus, topics: int, **how: Any) -> Sample:
    settings: dict[str, Any] = {"seed": 1, "threads": 1, "past": None, "advance": lambda count: None, **how}
    return find_start(corpus, np.arange(len(corpus)), topics=topics, **settings)


def themes(corpus: Corpus, sample: Sample) -> list[list[str]]:
    return [sorted(corpus.dictionary[word] for word in np.argsort(-row)[:8]) for row in sample.counts]


def test_the_start_has_the_planted_topics() -> None:
    corpus = made_corpus(planted_texts())
    assert sorted(themes(corpus, started(corpus, 3))) == sorted(map(sorted, PLANTED))


def test_last_weeks_topics_stay_in_their_places() -> None:
    corpus = made_corpus(planted_texts())
    before = started(corpus, 3)
    for order in ([0, 1, 2], [1, 2, 0]):
        past = Sample(before.counts[order], before.alpha[order])
        assert themes(corpus, started(corpus, 3, past=past, seed=4)) == [themes(corpus, before)[k] for k in order]


def test_the_least_coherent_topic_is_dissolved_and_the_largest_divided_over_both_places() -> None:
    counts = np.array([[9, 0, 1], [50, 60, 70], [3, 3, 3], [5, 5, 5]], np.float32)
    sample = Sample(counts.copy(), np.array([0.1, 0.8, 0.2, 0.3], np.float32))
    found = relocated(sample, np.array([0.5, -0.9, -0.1, 0.2]), np.random.default_rng(0))
    np.testing.assert_array_equal(sample.counts, counts)  # what was given stays
    # topic 1 coheres least and, though the largest, is gone: topic 3 is the largest of the others
    np.testing.assert_allclose(found.counts[1] + found.counts[3], counts[3])
    np.testing.assert_array_equal(found.counts[[0, 2]], counts[[0, 2]])
    np.testing.assert_allclose(found.alpha, [0.1, 0.15, 0.2, 0.15])
    assert found.counts.sum() == pytest.approx(counts.sum() - counts[1].sum())


@pytest.mark.parametrize("topics, moved", [(2, 1), (3, 1), (10, 2), (20, 4)])
def test_one_topic_in_five_moves_and_at_least_one(topics: int, moved: int) -> None:
    random = np.random.default_rng(topics)
    counts = random.integers(1, 9, (topics, 6)).astype(np.float32)
    coherence = random.normal(size=topics)
    found = relocated(Sample(counts, np.full(topics, 1e-3, np.float32)), coherence, random)
    same = (found.counts == counts).all(axis=1)
    assert (~same).sum() == 2 * moved
    assert not same[np.argsort(coherence)[:moved]].any()
    assert (found.counts >= 0).all()
    np.testing.assert_allclose(found.alpha, 1e-3)  # α stays above its least


@pytest.mark.parametrize(
    "texts, topics",
    [
        (planted_texts(30), 1),
        (planted_texts(30), 2),
        ([["one", "two"], ["two"]], 30),
        ([["one", "two", "three"]], 3),
        ([*planted_texts(20), [], [], []], 3),
        ([["one"], []], 2),
    ],
)
def test_small_corpora_have_a_start_with_every_word_in_it(texts: list[list[str]], topics: int) -> None:
    corpus = made_corpus(texts)
    found = started(corpus, topics)
    uses = np.bincount(corpus.ids, weights=corpus.counts, minlength=len(corpus.dictionary))
    np.testing.assert_array_equal(found.counts.sum(axis=0), uses)
    assert np.isfinite(found.alpha).all()


def test_articles_without_any_word_leave_empty_topics() -> None:
    corpus = made_corpus([["one"], [], []])
    found = find_start(corpus, np.array([1, 2]), topics=2, seed=1, threads=1, past=None, advance=lambda count: None)
    assert not found.counts.any()
    assert np.isfinite(found.alpha).all()


def test_a_word_a_million_times_takes_no_longer_than_a_thousand_times() -> None:
    corpus = made_corpus(planted_texts(30))
    counts = corpus.counts.copy()
    counts[0] = 50_000_000
    corpus = Corpus(**{**vars(corpus), "counts": counts})
    found = started(corpus, 3)
    assert found.counts.sum() < 10_000
    assert np.isfinite(found.alpha).all()


def test_any_number_of_threads_makes_the_same_bytes() -> None:
    corpus = made_corpus(random_texts(1, articles=300))
    made = {
        (found.counts.tobytes(), found.alpha.tobytes())
        for found in (started(corpus, 5, threads=threads) for threads in (1, 2, 3, 5))
    }
    assert len(made) == 1


@pytest.mark.parametrize("topics", [1, 3])
@pytest.mark.parametrize("warm", [True, False])
def test_the_work_is_what_was_foretold(topics: int, warm: bool) -> None:
    counted: list[int] = []
    corpus = made_corpus(planted_texts(50))
    past = Sample(np.ones((topics, 24), np.float32), np.full(topics, 0.1, np.float32)) if warm else None
    started(corpus, topics, past=past, advance=counted.append)
    foretold = sweeps_to_come(corpus.lengths, warm=warm)
    assert sum(counted) == foretold if topics > 1 or warm else sum(counted) < foretold  # one topic needs no rounds


def test_beyond_so_many_words_the_start_takes_no_longer() -> None:
    lengths = np.full(8_000, 1_000)
    assert MANY < 4_000 * 1_000
    for warm in (True, False):
        assert sweeps_to_come(lengths, warm=warm) == sweeps_to_come(lengths[:4_000], warm=warm)
