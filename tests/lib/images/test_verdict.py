"""A challenger is promoted only if it is better beyond noise, on images that the champion hasn't learnt."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lib.images.verdict import Material, compare, exact_mcnemar, judge, said_p
from tests.lib.images.nights import MATERIAL, card_of


def right_about(n: int, right: slice) -> NDArray[np.float64]:
    """Probabilities for n images of class 0 that are right about a slice of them."""
    p = np.zeros((n, 100))
    p[:, 1] = 1.0
    p[right] = 0.0
    p[right, 0] = 1.0
    return p


def compared(n: int, b: int, c: int, **how: Any) -> Any:
    """The verdict on a challenger that alone is right about b images, and the champion alone about c."""
    return compare(right_about(n, slice(b, b + c)), right_about(n, slice(0, b)), np.zeros(n, np.int64), **how)


def card(material: Material = MATERIAL) -> dict[str, Any]:
    made = card_of(12, "2024-05-01", "ab" * 32, 3)
    return {**made, "classes": list(material.classes), "data": material.as_card()}


def test_the_test_is_mcnemars_exact_one() -> None:
    assert exact_mcnemar(0, 0) == 1.0
    assert exact_mcnemar(5, 5) == 1.0
    assert exact_mcnemar(1, 9) == exact_mcnemar(9, 1) == pytest.approx(22 / 1024)
    assert exact_mcnemar(0, 6) == pytest.approx(2 / 64)


def test_a_better_model_is_promoted() -> None:
    verdict = compared(5000, 400, 300)
    assert verdict.promote
    assert (verdict.b, verdict.c, verdict.n) == (400, 300, 5000)
    assert verdict.difference == pytest.approx(0.02)
    assert verdict.low < 0.02 < verdict.high
    assert verdict.why == (
        "Promoted: it is 2.0 points better than the champion on 5,000 validation images (400 it alone got right, "
        "300 the champion alone; p < 0.001)."
    )


@pytest.mark.parametrize(
    ("n", "b", "c", "said"),
    [
        (5000, 300, 300, "is not better than"),
        (5000, 300, 400, "is 2.0 points worse than"),
        (5000, 330, 300, "which chance alone may do"),
        (100_000, 400, 300, "less than the margin of 0.5 points"),
        (20, 3, 0, "which chance alone may do"),
    ],
)
def test_one_that_is_not_better_beyond_noise_and_margin_stays_behind(n: int, b: int, c: int, said: str) -> None:
    verdict = compared(n, b, c)
    assert not verdict.promote
    assert said in verdict.why
    assert verdict.why.startswith("Not promoted: ")
    assert verdict.why.endswith(".")


def test_the_same_model_again_is_not_promoted() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(100), 200)
    assert not compare(p, p, np.zeros(200, np.int64)).promote


def test_equal_models_are_seldom_promoted() -> None:
    rng = np.random.default_rng(0)
    fine = np.zeros(1000, np.int64)
    count = 0
    for _ in range(400):
        ours, theirs = (np.where(rng.random((1000, 1)) < 0.5, np.eye(100)[0], np.eye(100)[1]) for _ in range(2))
        count += compare(ours, theirs, fine).promote
    assert count / 400 < 0.05


def test_without_a_champion_the_first_model_is_promoted() -> None:
    p = right_about(10, slice(0, 5))
    assert judge(None, None, MATERIAL, p, np.zeros(10, np.int64)).promote


@pytest.mark.parametrize("other", [{"checksum": "b" * 64}, {"split": "another"}])
def test_a_champion_of_other_images_can_lose_to_a_better_one_and_says_that_it_was_favoured(other: Any) -> None:
    fine = np.zeros(5000, np.int64)
    before = card(replace(MATERIAL, **other))
    lost = judge(before, right_about(5000, slice(0, 1000)), MATERIAL, right_about(5000, slice(0, 1500)), fine)
    assert (lost.promote, lost.fair) == (True, False)
    assert "may have learnt" in lost.why
    won = judge(before, right_about(5000, slice(0, 1000)), MATERIAL, right_about(5000, slice(0, 900)), fine)
    assert (won.promote, won.fair) == (False, False)
    assert "favours it" in won.why
    fair = judge(card(), right_about(5000, slice(0, 1000)), MATERIAL, right_about(5000, slice(0, 900)), fine)
    assert (fair.promote, fair.fair) == (False, True)


def test_a_champion_of_other_classes_is_never_compared() -> None:
    other = replace(MATERIAL, classes=tuple(reversed(MATERIAL.classes)))
    p = right_about(5000, slice(0, 5000))
    verdict = judge(card(other), right_about(5000, slice(0, 1)), MATERIAL, p, np.zeros(5000, np.int64))
    assert not verdict.promote
    assert verdict.p_value is None
    assert "move the folder data/models away" in verdict.why


def test_small_p_values_are_said_to_be_small() -> None:
    assert [said_p(value) for value in (1e-9, 0.0123, 0.5)] == ["p < 0.001", "p = 0.012", "p = 0.50"]
