"""An evaluation's figures are those of the formulas it names, on any labels and for any number of images."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lib.errors import BadData
from lib.images.evaluation import IMAGES_SHOWN, Evaluation, evaluate, wilson

SUPERCLASS_OF = np.arange(100) // 5
Floats = NDArray[np.float64]


def softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def made(n: int = 2000, seed: int = 0, skill: float = 3.0) -> tuple[Floats, NDArray[np.int64]]:
    """Probabilities that lean towards the right class, and the labels."""
    rng = np.random.default_rng(seed)
    fine = rng.integers(0, 100, n)
    scores = rng.normal(size=(n, 100))
    scores[np.arange(n), fine] += skill * rng.random(n)
    return softmax(scores), fine


def sure(predicted: list[int], confidence: float = 0.9) -> Floats:
    """Rows that give one class `confidence` and share the rest out evenly."""
    p = np.full((len(predicted), 100), (1 - confidence) / 99)
    p[np.arange(len(predicted)), predicted] = confidence
    return p


def judged(predicted: list[int], fine: list[int], confidence: float = 0.9) -> Evaluation:
    return evaluate(sure(predicted, confidence), np.array(fine), SUPERCLASS_OF)


def test_the_accuracies_are_shares_of_the_images() -> None:
    p, fine = made()
    its = evaluate(p, fine, SUPERCLASS_OF)
    order = np.argsort(-p, axis=1, kind="stable")
    assert its.n == 2000
    assert its.accuracy.value == (order[:, 0] == fine).mean()
    assert its.top5.value == (order[:, :5] == fine[:, None]).any(axis=1).mean()
    sums = p.reshape(-1, 20, 5).sum(axis=2)
    assert its.coarse.value == (sums.argmax(axis=1) == fine // 5).mean()
    assert its.accuracy.value < its.top5.value
    assert its.loss == pytest.approx(-np.log(p[np.arange(2000), fine]).mean())


def test_a_superclass_is_the_one_whose_classes_add_up_to_most() -> None:
    p = np.zeros((1, 100))
    p[0, [0, 5, 6, 7]] = 0.4, 0.2, 0.2, 0.2  # class 0 is likeliest, the second superclass is
    its = evaluate(p, np.array([5]), SUPERCLASS_OF)
    assert its.accuracy.hits == 0
    assert its.coarse.hits == 1
    assert its.superclasses[1, 1] == 1


def test_the_interval_is_wilsons() -> None:
    share = wilson(81, 263)  # Newcombe (1998), table I, method 3
    assert (round(share.low, 4), round(share.high, 4)) == (0.2553, 0.3662)
    share = wilson(0, 20)
    assert (share.low, round(share.high, 4)) == (0.0, 0.1611)
    assert (wilson(5, 5).high, wilson(0, 0).n) == (1.0, 0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_slides_accuracy_is_one_less_two_errors_of_all_decisions(seed: int) -> None:
    p, fine = made(seed=seed)
    its = evaluate(p, fine, SUPERCLASS_OF)
    errors = its.n - its.accuracy.hits
    assert its.slides_accuracy == pytest.approx(1 - 2 * errors / (its.n * 100))


def test_the_originals_accuracy_is_almost_one_by_the_slides_formula() -> None:
    its = judged([0] * 4927 + [1] * 5073, [0] * 10_000)
    assert its.accuracy.value == 0.4927
    assert its.slides_accuracy == pytest.approx(0.989854)


def test_one_image_ruled_out_keeps_the_loss_finite() -> None:
    p = np.zeros((1, 100))
    p[0, 3] = 1.0
    assert evaluate(p, np.array([4]), SUPERCLASS_OF).loss == pytest.approx(-np.log(1e-7))


def test_calibration_is_the_distance_of_accuracy_and_confidence_over_the_bins() -> None:
    its = judged([0] * 10, [0] * 7 + [1] * 3, confidence=0.9)
    assert its.ece == pytest.approx(0.2)
    filled = [each for each in its.bins if each.count]
    assert len(its.bins) == 15
    assert [(each.count, each.accuracy) for each in filled] == [(10, 0.7)]
    assert filled[0].confidence == pytest.approx(0.9)
    assert filled[0].low < 0.9 <= filled[0].high


def test_every_image_is_in_one_bin_also_at_the_edges() -> None:
    p = np.full((1, 100), 0.01)
    assert sum(each.count for each in evaluate(p, np.array([0]), SUPERCLASS_OF).bins) == 1
    assert judged([4], [4], confidence=1.0).bins[-1].count == 1
    p, fine = made()
    assert sum(each.count for each in evaluate(p, fine, SUPERCLASS_OF).bins) == 2000


def test_classes_without_images_have_no_accuracy() -> None:
    its = judged([3, 3, 9], [3, 4, 9])
    assert its.class_n.tolist()[:5] == [0, 0, 0, 1, 1]
    assert its.class_accuracy[[3, 4, 9]].tolist() == [1.0, 0.0, 1.0]
    assert np.isnan(its.class_accuracy).sum() == 97
    assert its.superclass_shares[0].tolist() == [1.0] + [0.0] * 19
    assert its.superclass_shares[5].sum() == 0.0


def test_classes_without_a_superclass_take_part_where_they_have_no_images() -> None:
    superclass_of = SUPERCLASS_OF.copy()
    superclass_of[50:] = -1
    its = evaluate(sure([3, 70]), np.array([3, 4]), superclass_of)
    assert (its.accuracy.hits, its.coarse.hits) == (1, 2)


def test_pairs_count_both_ways_and_the_most_confused_come_first() -> None:
    its = judged([1, 1, 0, 8, 9, 9], [0, 0, 1, 9, 8, 9])
    assert [(each.one, each.other, each.there, each.back, each.both) for each in its.pairs] == [
        (0, 1, 2, 1, 3),
        (8, 9, 1, 1, 2),
    ]


def test_ties_go_to_the_lower_place() -> None:
    p = np.full((2, 100), 0.01)
    its = evaluate(p, np.array([4, 5]), SUPERCLASS_OF)
    assert its.predicted.tolist() == [0, 0]
    assert its.top5.hits == 1


def test_the_galleries_hold_the_most_confident_images_one_of_a_kind() -> None:
    p = np.concatenate([sure([1, 1, 2], 0.9), sure([1, 2, 7], 0.95), sure([8, 8], 0.5)])
    its = evaluate(p, np.array([0, 0, 0, 0, 2, 7, 8, 8]), SUPERCLASS_OF)
    assert its.mistakes == (3, 2)  # taken for 1 with 95%, for 2 with 90%; the others are such mistakes again
    assert its.successes == (4, 5, 6)
    p, fine = made()
    its = evaluate(p, fine, SUPERCLASS_OF)
    assert len(its.mistakes) == len(its.successes) == IMAGES_SHOWN
    assert (np.diff(its.confidence[list(its.mistakes)]) <= 0).all()


def test_one_image_is_enough() -> None:
    its = judged([4], [4])
    assert (its.accuracy.value, its.mistakes, its.successes, its.pairs) == (1.0, (), (0,), ())


BAD = {
    "nothing": (np.zeros((0, 100)), [], "shape"),
    "too few classes": (np.full((1, 10), 0.1), [0], "shape"),
    "too few images": (np.full((1, 100), 0.01), [0, 1], "shape"),
    "whole numbers": (np.zeros((1, 100), np.int64), [0], "int64"),
    "not a number": (np.full((1, 100), np.nan), [0], "diverged"),
    "infinite": (np.full((1, 100), np.inf), [0], "diverged"),
    "logits": (np.random.default_rng(0).normal(size=(1, 100)), [0], "softmax"),
    "scores that add up to 2": (np.full((1, 100), 0.02), [0], "add up to 2"),
    "a label out of range": (np.full((1, 100), 0.01), [100], "expected 0 to 99"),
    "a label below": (np.full((1, 100), 0.01), [-1], "expected 0 to 99"),
}


@pytest.mark.parametrize(("p", "fine", "said"), BAD.values(), ids=BAD)
def test_what_are_no_probabilities_is_refused(p: Floats, fine: list[int], said: str) -> None:
    with pytest.raises(BadData, match=said):
        evaluate(p, np.array(fine, np.int64), SUPERCLASS_OF)


def test_float32_probabilities_and_labels_of_one_byte_give_the_same_figures() -> None:
    p, fine = made(10_000)
    one = evaluate(p, fine, SUPERCLASS_OF)
    other = evaluate(p.astype(np.float32), fine.astype(np.uint8), SUPERCLASS_OF.astype(np.uint8))  # type: ignore[arg-type]
    assert (one.accuracy, one.top5, one.coarse, one.pairs) == (other.accuracy, other.top5, other.coarse, other.pairs)
    assert other.loss == pytest.approx(one.loss, rel=1e-5)
