"""Calibration: the temperature is found again that logits were drawn with, and is the best there is."""

import numpy as np
import pytest
from scipy.special import softmax

from lib.images.calibration import temperature


def drawn(count: int, sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, 10), and classes that are as likely as `sharpness` times them say."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(0, 2, (count, 10))
    chances = softmax(sharpness * logits, axis=1)
    return logits, (chances.cumsum(axis=1) > draw.random((count, 1))).argmax(axis=1)


@pytest.mark.parametrize("sharpness", [0.25, 1.0, 4.0])
def test_logits_are_divided_by_what_they_were_drawn_with(sharpness: float) -> None:
    logits, labels = drawn(40_000, sharpness)
    assert temperature(logits[None], labels) == pytest.approx(1 / sharpness, rel=0.03)


def test_the_mean_of_two_ways_has_the_lowest_loss_at_its_own_temperature() -> None:
    logits, labels = drawn(2_000, 1.5)
    noise = np.random.default_rng(1).normal(0, 2, (2, *logits.shape))
    ways = logits + noise

    def loss(at: float) -> float:
        return -float(np.log(softmax(ways / at, axis=2).mean(axis=0)[np.arange(2_000), labels]).mean())

    found = temperature(ways, labels)
    assert loss(found) <= min(loss(at) for at in np.geomspace(0.05, 20, 400)) + 1e-6
    assert found < temperature(ways[:1], labels)  # two that disagree are less sure than each


def test_it_stays_between_its_bounds() -> None:
    logits = np.eye(10)[None]
    assert temperature(logits, np.arange(10)) == pytest.approx(0.05, rel=0.01)  # always right
    assert temperature(logits, np.arange(10)[::-1].copy()) == pytest.approx(20, rel=0.01)  # never
    assert temperature(np.empty((1, 0, 10)), np.empty(0, np.int64)) == 1.0
