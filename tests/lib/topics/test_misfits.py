"""Articles that fit no topic: one whose halves are of different worlds, and no planted one."""

import numpy as np

from lib.topics.misfits import misfits
from lib.topics.model import fit_topics
from tests.lib.topics.made import made_corpus

# by id, words of the two worlds take turns: so do those of an article that has all of them
ALL = sorted(f"{number:03d}{world}" for number in range(60) for world in "ab")


def worlds(articles: int = 120) -> list[list[str]]:
    """Articles of one of two vocabularies of sixty words each."""
    random = np.random.default_rng(0)
    return [[f"{word:03d}{'ab'[d % 2]}" for word in random.integers(0, 60, 80)] for d in range(articles)]


def test_articles_of_one_topic_fit_and_short_ones_are_not_judged() -> None:
    corpus = made_corpus([*worlds(), ["000a", "001b"]])
    found = misfits(fit_topics(corpus, topics=2, passes=5, seed=1), corpus)
    assert found.judged == 120
    assert found.count == 0
    assert found.articles == []
    assert found.median > 0.5  # near the log of two: half the words are out of question


def test_an_article_whose_second_half_comes_from_elsewhere_fits_no_topic() -> None:
    corpus = made_corpus([ALL, *worlds()])
    assert [corpus.dictionary[id] for id in range(len(ALL))] == ALL
    found = misfits(fit_topics(corpus, topics=2, passes=5, seed=1), corpus)
    assert found.count == 1
    assert found.articles[0][0] == 0
    assert found.articles[0][1] < -0.5


def test_no_article_long_enough_is_no_fault() -> None:
    corpus = made_corpus([["one", "two"], ["two"]])
    found = misfits(fit_topics(corpus, topics=2, passes=1, seed=1), corpus)
    assert (found.judged, found.count, found.articles) == (0, 0, [])
