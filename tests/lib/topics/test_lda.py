"""The compiled model against gensim's: the same numbers from the same start, in any number of threads."""

from typing import Any

import numpy as np
import pytest
from gensim.models import LdaModel
from gensim.models.ldamodel import LdaState
from hypothesis import given, settings
from numpy.typing import NDArray

from lib.topics.lda import Lda
from lib.topics.rows import Bags
from tests.lib.topics.models import (
    Documents,
    assert_same,
    cases,
    drawn_topics,
    gensims_inference,
    model_of,
    pair,
    random_documents,
    start_of,
)

DOCUMENTS = random_documents(1, 700, 120)
START = start_of(700, 10)


def gensims_bound(model: LdaModel, documents: Documents, gamma: NDArray[np.float32], **ratio: float) -> float:
    """gensim's bound for a given γ. (It takes rows of γ only with two dimensions.)"""
    return float(model.bound(documents, gamma=gamma.astype(model.dtype)[:, None, :], **ratio))


@pytest.mark.parametrize("topics", [1, 2, 15, 16, 17, 64])
def test_gamma_and_statistics_are_gensims_and_no_further_from_the_truth(topics: int) -> None:
    sstats, start = drawn_topics(topics, 120), start_of(700, topics)
    ours, exact = pair(sstats)
    gamma, found = ours.inference(DOCUMENTS, collect_sstats=True, start=start)
    expected, statistics = gensims_inference(exact, DOCUMENTS, start)
    single, _ = gensims_inference(model_of(LdaModel, sstats), DOCUMENTS, start)
    np.testing.assert_allclose(gamma, single, rtol=5e-3)
    assert_same(gamma, expected)
    assert_same(found, statistics, least=1e-6)
    assert np.abs(gamma / expected - 1).max() < max(1e-4, np.abs(single / expected - 1).max())


def test_with_the_usual_threshold_nearly_all_documents_agree_and_the_rest_by_about_the_threshold() -> None:
    usual = {"iterations": 50, "gamma_threshold": 1e-3}
    ours, gensims = model_of(Lda, drawn_topics(10, 120), **usual), model_of(LdaModel, drawn_topics(10, 120), **usual)
    gamma, _ = ours.inference(DOCUMENTS, start=START)
    expected, _ = gensims_inference(gensims, DOCUMENTS, START)
    off = (np.abs(gamma - expected) / expected).max(axis=1) > 1e-4
    assert off.mean() < 0.01
    assert np.abs(gamma - expected).mean(axis=1).max() < 5e-3


@given(cases())
@settings(deadline=None, max_examples=60)
def test_the_bound_of_a_given_gamma_is_gensims(case: Any) -> None:
    documents, sstats, priors = case
    ours, gensims = pair(sstats, **priors)
    gamma, _ = ours.inference(documents)
    found = ours.bound(documents, gamma=gamma, subsample_ratio=3.0)
    expected = gensims_bound(gensims, documents, gamma, subsample_ratio=3.0)
    assert np.isfinite(found)
    # the priors are single precision's here and double's there
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-3)


def test_held_out_log_perplexity_is_gensims() -> None:
    ours, gensims = pair(drawn_topics(10, 120), iterations=50, gamma_threshold=1e-3)
    found = ours.log_perplexity(DOCUMENTS, total_docs=7_000)
    assert found == pytest.approx(gensims.log_perplexity(DOCUMENTS, total_docs=7_000), rel=1e-3)
    gamma, _ = ours.inference(DOCUMENTS)
    words = sum(count for document in DOCUMENTS for _, count in document)
    expected = gensims_bound(gensims, DOCUMENTS, gamma, subsample_ratio=10.0) / (10.0 * words)
    assert found == pytest.approx(expected, rel=1e-6)


def test_documents_without_words_have_a_bound() -> None:
    ours = model_of(Lda, drawn_topics(3, 5))
    assert np.isfinite(ours.log_perplexity([[], []]))
    assert np.isfinite(ours.bound([]))


def test_words_that_no_topic_has_cost_what_they_cost_in_gensim() -> None:
    sstats = drawn_topics(3, 6)
    sstats[:, 5] = 0.0
    for eta in (1e-4, 0.01, 0.1):
        ours, gensims = pair(sstats, eta=eta)
        gamma, _ = ours.inference([[(0, 2), (5, 3)]])
        expected = gensims_bound(gensims, [[(0, 2), (5, 3)]], gamma)
        assert ours.bound([[(0, 2), (5, 3)]], gamma=gamma) == pytest.approx(expected, rel=1e-5)


def test_a_prior_by_topic_and_word_is_taken_as_gensim_takes_it() -> None:
    eta = np.random.default_rng(0).gamma(1.0, 0.1, (4, 30)).astype(np.float32)
    documents = random_documents(2, 50, 30)
    ours, gensims = pair(drawn_topics(4, 30), eta=eta)
    gamma, _ = ours.inference(documents, start=start_of(50, 4))
    expected, _ = gensims_inference(gensims, documents, start_of(50, 4))
    np.testing.assert_allclose(gamma, expected, rtol=1e-4)
    assert ours.bound(documents, gamma=gamma) == pytest.approx(gensims_bound(gensims, documents, gamma), rel=1e-5)


def test_the_m_step_is_gensims() -> None:
    ours, gensims = pair(drawn_topics(10, 120), eta="auto")
    for model in (ours, gensims):
        model.state.numdocs = 700
        other = LdaState(model.eta, model.state.sstats.shape, model.dtype)
        other.sstats, other.numdocs = drawn_topics(10, 120, seed=7).astype(model.dtype), 700
        model.do_mstep(0.6, other)
        assert model.num_updates == 700
    np.testing.assert_allclose(ours.state.sstats, gensims.state.sstats, rtol=1e-5)
    np.testing.assert_allclose(ours.eta, gensims.eta, rtol=1e-4)
    np.testing.assert_allclose(ours.expElogbeta, gensims.expElogbeta, rtol=3e-5, atol=1e-25)


def test_alpha_learns_as_gensims_does() -> None:
    ours, gensims = pair(drawn_topics(10, 120), alpha="auto")
    gamma, _ = ours.inference(DOCUMENTS)
    for _ in range(3):
        ours.update_alpha(gamma, 0.7)
        gensims.update_alpha(gamma.astype(np.float64), 0.7)
    assert ours.alpha.dtype == np.float32
    np.testing.assert_allclose(ours.alpha, gensims.alpha, rtol=1e-4)


@pytest.mark.parametrize("topics, words", [(1, 1), (10, 120), (17, 5), (70, 2)])
def test_any_number_of_threads_makes_the_same_bytes(topics: int, words: int) -> None:
    documents = random_documents(3, 1_100, words)
    made = set()
    for threads in (1, 2, 3, 5):
        model = model_of(Lda, drawn_topics(topics, words), threads=threads, gamma_threshold=1e-3)
        gamma, sstats = model.inference(documents, collect_sstats=True)
        model.do_estep(documents)
        model.sync_state()
        bound = model.bound(documents)
        made.add((gamma.tobytes(), sstats.tobytes(), model.expElogbeta.tobytes(), bound))
    assert len(made) == 1


def test_the_same_chunk_gets_the_same_answer_again() -> None:
    model = model_of(Lda, drawn_topics(10, 120))
    first, other, again = (model.inference(chunk)[0] for chunk in (DOCUMENTS, DOCUMENTS[5:90], DOCUMENTS))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[5:90], other)  # a start goes by the place in the chunk


def test_another_seed_starts_elsewhere() -> None:
    one, other = (model_of(Lda, drawn_topics(10, 120), random_state=seed, iterations=1) for seed in (1, 2))
    assert not np.array_equal(one.inference(DOCUMENTS)[0], other.inference(DOCUMENTS)[0])


@pytest.mark.parametrize("whole", [True, False])
def test_bags_and_gensims_lists_have_the_same_answer(whole: bool) -> None:
    documents = DOCUMENTS if whole else [[(word, count * 0.37) for word, count in each] for each in DOCUMENTS]
    bags = Bags.from_lists(documents)
    assert bags.counts.dtype == (np.int32 if whole else np.float32)
    ours, gensims = pair(drawn_topics(10, 120))
    gamma, sstats = ours.inference(bags, collect_sstats=True, start=START)
    for other in (documents, [each[::-1] for each in documents], np.array(documents, dtype=object)):
        again, same = ours.inference(other, collect_sstats=True, start=START)
        np.testing.assert_array_equal(again, gamma)
        np.testing.assert_array_equal(same, sstats)
    expected, statistics = gensims_inference(gensims, documents, START)
    assert_same(gamma, expected)
    assert_same(sstats, statistics, least=1e-6)
    assert ours.bound(bags, gamma=gamma) == ours.bound(documents, gamma=gamma)


def test_rows_may_come_in_any_order_and_more_than_once() -> None:
    rows = np.array([5, 3, 3, 699, 0])
    bags = Bags.from_lists(DOCUMENTS)
    model = model_of(Lda, drawn_topics(10, 120))
    gamma, sstats = model.inference(Bags.of(bags, rows), collect_sstats=True)
    same, statistics = model.inference([DOCUMENTS[row] for row in rows], collect_sstats=True)
    np.testing.assert_array_equal(gamma, same)
    np.testing.assert_array_equal(sstats, statistics)


def test_bags_are_the_lists_they_were_made_of() -> None:
    bags = Bags.from_lists(DOCUMENTS)
    assert list(bags) == DOCUMENTS
    assert [document for chunk in bags.chunks(64) for document in chunk] == DOCUMENTS
    assert bags.lengths().sum() == bags.cumulative()[-1] == sum(count for each in DOCUMENTS for _, count in each)
    assert len(Bags.from_lists([])) == 0


def test_arrays_and_read_only_maps_of_files_are_one_to_the_compiler(tmp_path: Any) -> None:
    bags = Bags.from_lists(DOCUMENTS[:50])
    mapped = []
    for name in ("indptr", "ids", "counts"):
        np.save(tmp_path / f"{name}.npy", getattr(bags, name))
        mapped.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    model = model_of(Lda, drawn_topics(10, 120))
    own = Bags(*(np.array(each) for each in mapped), np.arange(50))
    np.testing.assert_array_equal(model.inference(Bags(*mapped, np.arange(50)))[0], model.inference(own)[0])
    assert not own.ids.flags.writeable


@pytest.mark.parametrize("word", [-1, 120, 2**31 - 1])
def test_a_word_that_the_model_has_not_is_refused(word: int) -> None:
    with pytest.raises(IndexError, match="120 words"):
        model_of(Lda, drawn_topics(10, 120)).inference([[(0, 1), (word, 1)]])


@pytest.mark.parametrize(
    "documents",
    [[], [[]], [[], [(0, 1)], []], [[(0, 1_000_000), (1, 1_000_000)]], [[(0, 0)]], [[(0, 1e-6)]], [[(1, 3)]] * 3],
)
@pytest.mark.parametrize("topics", [1, 2, 50])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e9])
def test_degenerate_documents_leave_no_nan(documents: Documents, topics: int, scale: float) -> None:
    model = model_of(Lda, drawn_topics(topics, 2, scale=scale), eta=1e-5, alpha=1e-3, iterations=50)
    gamma, sstats = model.inference(documents, collect_sstats=True)
    assert gamma.shape == (len(documents), topics)
    assert sstats.shape == (topics, 2)
    for each in (gamma, sstats, model.expElogbeta, model.get_topics()):
        assert np.isfinite(each).all()
    assert np.isfinite(model.bound(documents))
    counts = sum(count for document in documents for _, count in document)
    assert gamma.sum() <= (len(documents) * topics * 1e-3 + counts) * 1.001  # words that no topic has give nothing
