"""Coherence and the held-out bound are gensim's own figures, found faster."""

import numpy as np
import pytest
from gensim.models import CoherenceModel

from lib.topics.model import fit_topics, training_articles
from lib.topics.quality import held_out_bound, npmi
from tests.lib.topics.made import advance, made_corpus, planted_texts, random_texts


@pytest.mark.parametrize("seed", range(4))
def test_coherence_is_gensims_npmi_over_whole_articles(seed: int) -> None:
    texts = [text for text in random_texts(seed, articles=60, vocabulary=18) if text]
    corpus = made_corpus(texts)
    random = np.random.default_rng(seed)
    # words that never meet are measured too: the vocabulary is small, but some pairs stay apart
    top = [random.choice(len(corpus.dictionary), 10, replace=False).tolist() for _ in range(4)]
    theirs = CoherenceModel(
        topics=[[corpus.dictionary[word] for word in words] for words in top],
        texts=texts,
        dictionary=corpus.dictionary,
        coherence="c_npmi",
        window_size=max(map(len, texts)),
        topn=10,
        processes=1,
    ).get_coherence_per_topic()
    np.testing.assert_allclose(npmi(corpus, range(len(texts)), top), theirs, rtol=0, atol=1e-9)


def test_coherence_tells_words_that_meet_from_words_that_do_not() -> None:
    corpus = made_corpus([["a", "b"], ["a", "b"], ["c"], ["d"]])
    word = corpus.dictionary.token2id
    together, apart = npmi(corpus, range(4), [[word["a"], word["b"]], [word["c"], word["d"]]])
    assert together == pytest.approx(1)
    assert apart < -0.8


def test_only_the_articles_asked_for_are_counted() -> None:
    corpus = made_corpus([["a", "b"], ["c"], ["a"], ["b"]])
    word = corpus.dictionary.token2id
    top = [[word["a"], word["b"]]]
    assert npmi(corpus, [0, 1], top)[0] == pytest.approx(1)
    assert npmi(corpus, [0, 1, 2, 3], top)[0] < 0.5


def test_a_word_of_no_training_article_makes_a_topics_coherence_zero_and_not_nan() -> None:
    corpus = made_corpus([["a", "b"], ["b", "a"], ["rare"]], held_out=[2])
    word = corpus.dictionary.token2id
    assert npmi(
        corpus, training_articles(corpus), [[word["a"], word["rare"]], [word["rare"]], [word["a"]]]
    ).tolist() == [
        0.0,
        0.0,
        0.0,
    ]


def test_the_held_out_bound_is_gensims_log_perplexity() -> None:
    held_out = [0, 7, 20]
    corpus = made_corpus([*planted_texts(60), []], held_out=[*held_out, 60])
    model = fit_topics(corpus, topics=3, passes=2, seed=1, advance=advance)
    model.random_state = np.random.RandomState(5)
    ours = held_out_bound(model, corpus, 57)
    model.random_state = np.random.RandomState(5)
    assert ours == pytest.approx(float(model.log_perplexity([corpus.bag(d) for d in held_out], total_docs=57)))


def test_the_bound_is_nearer_zero_for_a_model_that_knows_the_topics() -> None:
    corpus = made_corpus(planted_texts(), held_out=range(0, 120, 10))
    bounds = [
        held_out_bound(fit_topics(corpus, topics=k, passes=8, seed=1, advance=advance), corpus, 108) for k in (1, 3)
    ]
    assert bounds[0] is not None
    assert bounds[1] is not None
    assert bounds[0] < bounds[1] < 0


@pytest.mark.parametrize("held_out", [[], [3]])
def test_without_held_out_words_there_is_no_bound(held_out: list[int]) -> None:
    corpus = made_corpus([["a"], ["b"], ["a", "b"], []], held_out=held_out)
    model = fit_topics(corpus, topics=2, passes=1, seed=1, advance=advance)
    assert held_out_bound(model, corpus, 3) is None
