"""The topic model: the same every time, trained on what it may see, and without surprises at the edges."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from gensim.corpora import Dictionary
from gensim.models import LdaModel

from lib.topics.corpus import Corpus
from lib.topics.files import save_model
from lib.topics.model import CHUNK, chunk_size, fit_topics, infer_topics, training_articles
from tests.lib.topics.made import PLANTED, advance, made_corpus, planted_texts, random_texts

ROOT = Path(__file__).parents[3]
FIT = """
import sys
from lib.topics.model import fit_topics, infer_topics
from tests.lib.topics.made import advance, made_corpus, planted_texts

corpus = made_corpus(planted_texts(), held_out=[5])
model = fit_topics(corpus, topics=3, passes=3, seed=7, advance=advance)
sys.stdout.buffer.write(model.get_topics().tobytes() + infer_topics(model, corpus, advance).tobytes())
"""


@dataclass(frozen=True)
class WatchedCorpus(Corpus):
    """A corpus that remembers which articles were asked for."""

    asked: list[int] = field(default_factory=list)

    def bag(self, d: int) -> list[tuple[int, int]]:
        self.asked.append(d)
        return super().bag(d)


def watched(corpus: Corpus) -> WatchedCorpus:
    return WatchedCorpus(**vars(corpus))


def asked_in_training(seed: int) -> list[int]:
    corpus = watched(made_corpus([*planted_texts(40), []], held_out=[3, 11]))
    fit_topics(corpus, topics=3, passes=2, seed=seed, advance=advance)
    return corpus.asked


def test_two_processes_with_other_hash_seeds_make_the_same_model_byte_for_byte() -> None:
    made = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", FIT], cwd=ROOT, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        made.append(done.stdout)
    assert made[0] == made[1]
    assert len(made[0]) == 4 * 3 * 24 + 4 * 120 * 3


def test_another_seed_makes_another_model() -> None:
    corpus = made_corpus(planted_texts())
    one, other = (fit_topics(corpus, topics=3, passes=1, seed=seed, advance=advance).get_topics() for seed in (1, 2))
    assert not np.array_equal(one, other)


def test_planted_topics_are_found_and_each_article_is_given_its_own() -> None:
    corpus = made_corpus(planted_texts())
    model = fit_topics(corpus, topics=3, passes=10, seed=1, advance=advance)
    found = [{corpus.dictionary[word] for word in np.argsort(-row)[:8]} for row in model.get_topics()]
    assert sorted(map(sorted, found)) == sorted(map(sorted, PLANTED))
    weights = infer_topics(model, corpus, advance)
    for d in range(len(corpus)):
        assert found[weights[d].argmax()] == set(PLANTED[d % 3])
        assert weights[d].max() > 0.9


def test_held_out_and_empty_articles_are_never_trained_on() -> None:
    corpus = made_corpus([*planted_texts(40), []], held_out=[3, 11])
    assert training_articles(corpus) == [d for d in range(40) if d not in (3, 11)]
    assert set(asked_in_training(1)) == set(training_articles(corpus))


def test_each_pass_reads_each_training_article_once() -> None:
    asked = asked_in_training(1)
    assert len(asked) == 2 * 38
    assert sorted(asked[:38]) == sorted(asked[38:]) == sorted(set(asked))


def test_articles_are_read_in_an_order_that_the_seed_alone_decides() -> None:
    one, again, other = asked_in_training(1), asked_in_training(1), asked_in_training(2)
    assert one == again
    assert one != other
    assert one[:38] != sorted(one[:38])


def test_progress_counts_every_article_of_every_pass() -> None:
    counted: list[int] = []
    corpus = made_corpus(planted_texts(30))
    model = fit_topics(corpus, topics=2, passes=3, seed=1, advance=counted.append)
    assert sum(counted) == 90
    counted.clear()
    infer_topics(model, corpus, counted.append)
    assert sum(counted) == 30


@pytest.mark.parametrize("articles", [1, 2, 50, 3_999, 4_001, 5_999, 6_001, 10_000, 143_000, 204_135, 1_000_001])
def test_chunks_are_as_equal_as_one_size_can_make_them(articles: int) -> None:
    size = chunk_size(articles)
    chunks = -(-articles // size)
    last = articles - (chunks - 1) * size
    assert size - last < chunks  # another size would need another chunk or leave a smaller last one
    assert articles < CHUNK or CHUNK / 1.5 <= size <= CHUNK * 1.5


@pytest.mark.parametrize("seed", range(3))
def test_weights_are_shares(seed: int) -> None:
    corpus = made_corpus(random_texts(seed))
    weights = infer_topics(fit_topics(corpus, topics=4, passes=1, seed=1, advance=advance), corpus, advance)
    assert weights.shape == (40, 4)
    assert weights.dtype == np.float32
    assert (weights > 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)


def test_an_article_without_words_has_the_priors_weights() -> None:
    corpus = made_corpus([*planted_texts(30), [], []])
    model = fit_topics(corpus, topics=3, passes=1, seed=1, advance=advance)
    weights = infer_topics(model, corpus, advance)
    np.testing.assert_allclose(weights[30], model.alpha / model.alpha.sum(), rtol=1e-5)
    np.testing.assert_array_equal(weights[30], weights[31])


@pytest.mark.parametrize(
    "texts, held_out, topics",
    [
        ([["one"]], [], 1),
        ([["one"]], [], 5),
        ([["one"], []], [], 2),
        ([["one", "two"], ["two"]], [], 30),
        ([["one", "two"], ["two"]], [0, 1], 3),  # all held out: there is nothing else to train on
        ([["one"], [], []], [0], 2),  # what isn't held out has no words
    ],
)
def test_very_small_corpora_make_a_model_without_nan(texts: list[list[str]], held_out: list[int], topics: int) -> None:
    corpus = made_corpus(texts, held_out=held_out)
    model = fit_topics(corpus, topics=topics, passes=2, seed=1, advance=advance)
    weights = infer_topics(model, corpus, advance)
    assert model.get_topics().shape == (topics, len(corpus.dictionary))
    assert np.isfinite(model.get_topics()).all()
    assert np.isfinite(weights).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)


def test_the_saved_model_and_dictionary_load_with_gensim_alone(tmp_path: Path) -> None:
    corpus = made_corpus(planted_texts(), held_out=[1])
    model = fit_topics(corpus, topics=3, passes=2, seed=1, advance=advance)
    save_model(tmp_path, model, corpus, infer_topics(model, corpus, advance))
    loaded = LdaModel.load(str(tmp_path / "lda.model"))
    dictionary = Dictionary.load(str(tmp_path / "dictionary.gensim"))
    np.testing.assert_array_equal(loaded.get_topics(), model.get_topics())
    assert dictionary.token2id == corpus.dictionary.token2id
    assert loaded.show_topics() == model.show_topics()
    bag = dictionary.doc2bow(["ship", "sail"])
    loaded.random_state, model.random_state = (np.random.RandomState(1) for _ in range(2))
    assert loaded.get_document_topics(bag) == model.get_document_topics(bag)
