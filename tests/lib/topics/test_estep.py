"""The compiled arithmetic: exp(ψ) against SciPy, and γ and the statistics against gensim's own code."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.special import psi

from lib.topics.estep import exp_digamma
from tests.lib.topics.models import assert_same, cases, gensims_inference, pair, start_of


def exp_digamma_of(x: Any) -> Any:
    into = np.empty(len(x), np.float32)
    exp_digamma(np.asarray(x, np.float32), np.float32(0.0), into, into.view(np.int32), np.empty_like(into))
    return into


@pytest.mark.parametrize("least, most, error", [(0.0175, 0.1, 2e-5), (0.1, 1.0, 4e-6), (1.0, 1e7, 2e-6)])
def test_exp_digamma_is_scipys_to_single_precision(least: float, most: float, error: float) -> None:
    x = np.geomspace(least, most, 50_000).astype(np.float32)
    np.testing.assert_allclose(exp_digamma_of(x), np.exp(psi(x.astype(np.float64))), rtol=error)


def test_exp_digamma_of_next_to_nothing_is_next_to_nothing_and_no_denormal() -> None:
    found = exp_digamma_of(np.geomspace(1e-44, 0.017, 10_000))
    assert (found > 0).all()
    assert (found <= 1e-25).all()
    assert (found > 1e-30).all()


@pytest.mark.parametrize("x", [1e10, 1e20, 1e30, 1e37])
def test_exp_digamma_of_the_largest_numbers_is_themselves(x: float) -> None:
    assert exp_digamma_of([x] * 3) == pytest.approx([x] * 3, rel=1e-6)


@given(cases())
@settings(deadline=None, max_examples=100)
def test_gamma_and_statistics_are_gensims(case: Any) -> None:
    documents, sstats, priors = case
    ours, gensims = pair(sstats, **priors)
    topics = gensims.expElogbeta
    np.testing.assert_allclose(ours.expElogbeta, topics, rtol=2e-5, atol=2e-25)
    gensims.expElogbeta = ours.expElogbeta.astype(np.float64)  # equal topics would magnify the noise in them
    start = start_of(len(documents), len(sstats))
    gamma, found = ours.inference(documents, collect_sstats=True, start=start)
    expected, statistics = gensims_inference(gensims, documents, start)
    assert gamma.dtype == found.dtype == np.float32
    assert_same(gamma, expected)
    assert_same(found, statistics, least=1e-6 * max(1.0, statistics.max()))
