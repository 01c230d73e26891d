"""The words shown for each λ are those of the highest relevance by Sievert and Shirley's formula."""

import math

import numpy as np
import pytest
from gensim.corpora import Dictionary

from lib.topics.model import fit_topics, infer_topics
from lib.topics.relevance import SHOWN_FIRST, STEPS, WORDS, relevance, relevant_words
from lib.topics.summary import SHOWN, summarise
from tests.lib.topics.made import advance, made_corpus, random_texts


def random_model(seed: int, topics: int = 4, words: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray, Dictionary]:
    """Topics' words, counts in the corpus, topics' shares, and a dictionary."""
    random = np.random.default_rng(seed)
    beta = random.dirichlet(np.full(words, 0.1), topics)
    dictionary = Dictionary([[f"w{word:02d}" for word in range(words)]])
    return beta, random.integers(1, 500, words).astype(float), random.dirichlet(np.ones(topics)), dictionary


def test_relevance_is_log_probability_at_one_and_lift_at_zero() -> None:
    beta = np.random.default_rng(0).dirichlet(np.ones(6), 3)
    shares = np.full(6, 1 / 6)
    np.testing.assert_allclose(relevance(beta, shares, 1.0), np.log(beta))
    np.testing.assert_allclose(relevance(beta, shares, 0.0), np.log(beta * 6))
    assert np.isfinite(relevance(np.zeros((1, 6)), np.zeros(6), 0.5)).all()


@pytest.mark.parametrize("seed", range(3))
def test_each_step_has_the_ten_words_that_the_formula_puts_first(seed: int) -> None:
    beta, counts, shares, dictionary = random_model(seed)
    found = relevant_words(beta, counts, shares, dictionary, range(4))
    for k in range(4):
        for lam, words in zip(STEPS, found[k], strict=True):

            def formula(word: int, k: int = k, lam: float = lam) -> float:
                phi, p = max(beta[k, word], 1e-12), counts[word] / counts.sum()
                return lam * math.log(phi) + (1 - lam) * math.log(phi / p)

            expected = sorted(range(40), key=formula, reverse=True)[:WORDS]
            assert [each.word for each in words] == [dictionary[word] for word in expected]


def test_the_topics_parts_of_a_words_uses_add_up_to_its_uses() -> None:
    beta, counts, shares, dictionary = random_model(7, words=WORDS)
    found = relevant_words(beta, counts, shares, dictionary, range(4))
    for word in range(WORDS):
        parts = [each.inside for k in range(4) for each in found[k][0] if each.word == dictionary[word]]
        assert sum(parts) == pytest.approx(counts[word])
        expected = [counts[word] * shares[k] * beta[k, word] / (shares @ beta[:, word]) for k in range(4)]
        assert parts == pytest.approx(expected)


def test_words_that_the_corpus_lacks_are_relevant_to_nothing() -> None:
    beta, counts, shares, dictionary = random_model(1)
    counts[:35] = 0
    for steps in relevant_words(beta, counts, shares, dictionary, range(4)).values():
        assert all({each.word for each in words} == {f"w{word}" for word in range(35, 40)} for words in steps)


def test_the_first_step_shown_is_one_of_five_from_zero_to_one() -> None:
    assert STEPS == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert SHOWN_FIRST in STEPS


def test_a_summary_has_the_words_of_the_topics_that_are_shown_and_at_one_they_are_the_likeliest() -> None:
    corpus = made_corpus(random_texts(3))
    model = fit_topics(corpus, topics=SHOWN + 2, passes=2, seed=1, advance=advance)
    summary = summarise(model, corpus, infer_topics(model, corpus, advance))
    assert [bool(topic.relevant) for topic in summary.topics] == [True] * SHOWN + [False] * 2
    for topic in summary.topics[:SHOWN]:
        assert [each.word for each in topic.relevant[-1]] == [word for word, _ in topic.words]
