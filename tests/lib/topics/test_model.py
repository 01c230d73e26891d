"""The topic model: the same every time, trained on what it may see, and without surprises at the edges."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gensim.corpora import Dictionary
from gensim.models import LdaModel

from lib.topics.corpus import Corpus
from lib.topics.files import save_model
from lib.topics.model import (
    CHUNK,
    WATCHED,
    Engine,
    chunk_size,
    fit_topics,
    infer_topics,
    training_articles,
    work,
)
from lib.topics.start import sweeps_to_come
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


ENGINES: list[Engine] = ["compiled", "gensim"]


def themes(corpus: Corpus, model: LdaModel) -> list[list[str]]:
    return [sorted(corpus.dictionary[word] for word in np.argsort(-row)[:8]) for row in model.get_topics()]


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


@pytest.mark.parametrize("engine", ENGINES)
def test_held_out_and_empty_articles_are_never_trained_on(engine: Engine) -> None:
    texts = planted_texts(40)
    texts[3], texts[11] = ["secret"] * 30, ["hidden"] * 30
    corpus = made_corpus([*texts, []], held_out=[3, 11])
    assert training_articles(corpus) == [d for d in range(40) if d not in (3, 11)]
    model = fit_topics(corpus, topics=3, passes=3, seed=1, engine=engine)
    for word in ("secret", "hidden"):
        np.testing.assert_allclose(model.state.sstats[:, corpus.dictionary.token2id[word]], 0, atol=1e-12)
    trained = int(corpus.lengths[training_articles(corpus)].sum())
    if engine == "compiled":  # gensim's online update blends old counts in
        assert model.state.sstats.sum() == pytest.approx(trained, rel=1e-4)


def test_the_watched_articles_are_not_trained_on_either() -> None:
    corpus = made_corpus(planted_texts(1_200, words=10))
    model = fit_topics(corpus, topics=3, passes=2, seed=1)
    assert model.state.sstats.sum() == pytest.approx(10 * (1_200 - 1_200 // WATCHED), rel=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_order_of_reading_is_decided_by_the_seed_alone(engine: Engine) -> None:
    corpus = made_corpus(random_texts(1))
    made = [
        fit_topics(corpus, topics=3, passes=1, seed=seed, engine=engine).get_topics().tobytes() for seed in (1, 1, 2)
    ]
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize("topics", [1, 5])
def test_any_number_of_threads_makes_the_same_model(topics: int) -> None:
    corpus = made_corpus(random_texts(2, articles=1_300, longest=12))
    made = set()
    for threads in (1, 2, 3, 5):
        model = fit_topics(corpus, topics=topics, passes=3, seed=1, threads=threads)
        made.add((model.state.sstats.tobytes(), model.alpha.tobytes(), infer_topics(model, corpus, advance).tobytes()))
    assert len(made) == 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("warm", [False, True])
def test_progress_counts_all_the_work_where_nothing_ends_early(engine: Engine, warm: bool) -> None:
    counted: list[int] = []
    corpus = made_corpus(planted_texts(30), held_out=[4])
    start = np.ones((2, 24), np.float32) if warm else None
    model = fit_topics(corpus, topics=2, passes=3, seed=1, advance=counted.append, start=start, engine=engine)
    assert sum(counted) == work(corpus, passes=3, engine=engine, start=start)
    counted.clear()
    infer_topics(model, corpus, counted.append)
    assert sum(counted) == 30


def test_training_ends_once_the_watched_articles_gain_hardly_anything() -> None:
    counted: list[int] = []
    corpus = made_corpus(planted_texts(1_200, words=10))
    fit_topics(corpus, topics=3, passes=30, seed=1, advance=counted.append)
    trained = 1_200 - 1_200 // WATCHED
    passes = (sum(counted) - sweeps_to_come(corpus.lengths[:trained], warm=False)) / trained
    assert 2 <= passes < 10
    assert sum(counted) <= work(corpus, passes=30, engine="compiled", start=None)


def test_without_enough_articles_to_watch_every_pass_is_made() -> None:
    counted: list[int] = []
    corpus = made_corpus(planted_texts(60))
    fit_topics(corpus, topics=3, passes=7, seed=1, advance=counted.append)
    assert sum(counted) == 7 * 60 + sweeps_to_come(corpus.lengths, warm=False)


@pytest.mark.parametrize("engine", ENGINES)
def test_last_weeks_topics_go_on_in_their_places(engine: Engine) -> None:
    corpus = made_corpus(planted_texts())
    before = fit_topics(corpus, topics=3, passes=5, seed=1)
    for order in ([0, 1, 2], [2, 0, 1]):
        start = before.state.sstats[order]
        model = fit_topics(corpus, topics=3, passes=2, seed=8, start=start, engine=engine)
        assert themes(corpus, model) == [themes(corpus, before)[place] for place in order]
        np.testing.assert_array_equal(start, before.state.sstats[order])


@pytest.mark.parametrize("engine", ENGINES)
def test_topics_that_last_week_had_not_are_found_in_the_places_left(engine: Engine) -> None:
    corpus = made_corpus(planted_texts())
    before = fit_topics(corpus, topics=3, passes=5, seed=1)
    start = before.state.sstats.copy()
    start[1] = 0.0
    model = fit_topics(corpus, topics=3, passes=20, seed=3, start=start, engine=engine)
    assert themes(corpus, model) == themes(corpus, before)


def test_a_start_of_nothing_at_all_is_a_start_at_random() -> None:
    corpus = made_corpus(planted_texts())
    model = fit_topics(corpus, topics=3, passes=10, seed=1, start=np.zeros((3, 24), np.float32))
    assert np.isfinite(model.get_topics()).all()
    assert sorted(themes(corpus, model)) == sorted(map(sorted, PLANTED))


def test_gensims_engine_finds_planted_topics_too() -> None:
    corpus = made_corpus(planted_texts())
    model = fit_topics(corpus, topics=3, passes=20, seed=1, engine="gensim")
    assert sorted(themes(corpus, model)) == sorted(map(sorted, PLANTED))


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
        ([["one"], *[[]] * 1_100], [0], 2),  # nor has what is watched
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_very_small_corpora_make_a_model_without_nan(
    texts: list[list[str]], held_out: list[int], topics: int, engine: Engine
) -> None:
    corpus = made_corpus(texts, held_out=held_out)
    model = fit_topics(corpus, topics=topics, passes=2, seed=1, engine=engine)
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
