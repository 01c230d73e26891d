"""How good probabilities are: accuracies with intervals, calibration, confusions, and the images that tell most.

its = evaluate(predict(model, archive.test_images), archive.test_fine, archive.superclass_of)
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lib.errors import BadData

Z = 1.959964  # the normal distribution's quantile at 97.5%, for intervals of 95%
BINS = 15  # of confidence, equally wide, as in Guo et al. (2017)
TOP = 5
SUPERCLASSES = 20
PAIRS_SHOWN = 12
IMAGES_SHOWN = 24
LEAST_PROBABILITY = 1e-7  # Keras' epsilon: one image that was ruled out can't make the loss infinite
SUM_TOLERANCE = 1e-3  # a float32 softmax over 100 classes stays a thousand times nearer to 1
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SLIDES_NOTE = (
    "The slides’ formula counts, for each class, the images rightly said not to be of it: an error is one false "
    "positive and one false negative among N × classes decisions, so it is 1 − 2 · errors / (N × classes), and always "
    "answering the same class already gives 98% on 100 classes."
)


@dataclass(frozen=True)
class Share:
    """A share of `n` items with its 95% interval, all between 0 and 1."""

    value: float
    low: float
    high: float
    hits: int
    n: int


@dataclass(frozen=True)
class Bin:
    """A bin of the reliability diagram: images whose confidence is in (low, high]; the means are None where empty."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Pair:
    """Two classes (places) taken for each other: images of `one` taken for `other`, and the reverse."""

    one: int
    other: int
    there: int
    back: int

    @property
    def both(self) -> int:
        """Mistakes of both kinds."""
        return self.there + self.back


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` found over `n` images. Classes and superclasses are places in their lists of names.

    `predicted` (int64) and `confidence` (float64), (n,), are the likeliest class and its probability; ties go to the
    lower place. `class_n` and `class_hits`, (classes,), count the images of a class and those of them that were
    recognised. `superclasses`, (20, 20), counts images by their superclass and the one they were taken for. `mistakes`
    and `successes` are places of images, the most confident first.
    """

    n: int
    accuracy: Share
    top5: Share
    coarse: Share
    slides_accuracy: float
    loss: float
    ece: float
    bins: tuple[Bin, ...]
    predicted: Ints
    confidence: Floats
    class_n: Ints
    class_hits: Ints
    superclasses: Ints
    pairs: tuple[Pair, ...]
    mistakes: tuple[int, ...]
    successes: tuple[int, ...]

    @property
    def class_accuracy(self) -> Floats:
        """Each class's accuracy, (classes,); NaN where it has no images."""
        share = self.class_hits / np.maximum(self.class_n, 1)
        return np.where(self.class_n > 0, share, np.nan)

    @property
    def superclass_shares(self) -> Floats:
        """`superclasses` with rows that sum to 1, or to 0 where there are no images."""
        totals = self.superclasses.sum(axis=1, keepdims=True)
        return np.asarray(self.superclasses / np.maximum(totals, 1), np.float64)


def evaluate(probabilities: NDArray[np.floating], fine: Ints, superclass_of: Ints) -> Evaluation:
    """Judge `probabilities`, (N, classes), of images whose classes are `fine`, (N,).

    `superclass_of`, (classes,), is -1 for classes without images. An image's superclass is the one whose classes'
    probabilities add up to most, and not that of the likeliest class: of what the network says, that errs least.
    The loss is the mean cross-entropy in nats; ECE is the mean distance of accuracy and confidence over the bins,
    weighted by their images (Guo et al. 2017, equation 3).

    Raises BadData where these are no probabilities, or don't fit the labels.
    """
    p = _checked(probabilities, fine, superclass_of)
    fine, superclass_of = fine.astype(np.int64), superclass_of.astype(np.int64)  # small ones would overflow below
    n, classes = p.shape
    predicted = p.argmax(axis=1)
    confidence = p[np.arange(n), predicted]
    right = predicted == fine
    hits = int(right.sum())
    coarse, taken_for = superclass_of[fine], superclass_sums(p, superclass_of).argmax(axis=1)
    bins = _bins(confidence, right)
    return Evaluation(
        n=n,
        accuracy=wilson(hits, n),
        top5=wilson(int((_rank(p, fine) < TOP).sum()), n),
        coarse=wilson(int((coarse == taken_for).sum()), n),
        slides_accuracy=_slides_accuracy(predicted, fine, classes),
        loss=float(-np.log(np.clip(p[np.arange(n), fine], LEAST_PROBABILITY, 1.0)).mean()),
        ece=sum(each.count * abs((each.accuracy or 0.0) - (each.confidence or 0.0)) for each in bins) / n,
        bins=bins,
        predicted=predicted,
        confidence=confidence,
        class_n=np.bincount(fine, minlength=classes),
        class_hits=np.bincount(fine[right], minlength=classes),
        superclasses=_crossed(coarse, taken_for, SUPERCLASSES),
        pairs=_pairs(_crossed(fine, predicted, classes)),
        mistakes=_telling(~right, confidence, fine * classes + predicted),
        successes=_telling(right, confidence, fine),
    )


def wilson(hits: int, n: int) -> Share:
    """A share with its 95% interval (Wilson 1927), which holds near 0 and 1 and for few items too."""
    if n == 0:
        return Share(0.0, 0.0, 1.0, 0, 0)
    share = hits / n
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return Share(share, min(max(centre - half, 0.0), share), max(min(centre + half, 1.0), share), hits, n)


def _checked(probabilities: NDArray[np.floating], fine: Ints, superclass_of: Ints) -> Floats:
    p = np.asarray(probabilities)
    classes = len(superclass_of)
    if p.ndim != 2 or p.dtype.kind != "f" or p.shape != (len(fine), classes) or not len(fine):
        raise BadData(
            f"the network's answer is {p.dtype} in the shape {p.shape}; "
            f"expected probabilities of {classes} classes for {len(fine):,} images"
        )
    if not np.isfinite(p).all():
        bad = int((~np.isfinite(p)).any(axis=1).sum())
        raise BadData(f"the network's answer is no number for {bad:,} of {len(p):,} images; its training diverged")
    sums = p.sum(axis=1, dtype=np.float64)
    worst = float(sums[np.abs(sums - 1).argmax()])
    if p.min() < -SUM_TOLERANCE or abs(worst - 1) > SUM_TOLERANCE:
        raise BadData(
            f"the network's answers are no probabilities: the least is {p.min():.3g} and those of one image add up to "
            f"{worst:.4g}; expected a softmax at its end"
        )
    if np.min(fine) < 0 or np.max(fine) >= classes:
        raise BadData(f"the labels run from {np.min(fine)} to {np.max(fine)}; expected 0 to {classes - 1}")
    if np.max(superclass_of) >= SUPERCLASSES or np.min(np.asarray(superclass_of)[fine]) < 0:
        raise BadData("a class that has images has no superclass; read the archive again")
    return p.astype(np.float64)


def _rank(p: Floats, fine: Ints) -> Ints:
    """How many classes come before the right one, (N,); among equals the lower place comes first, as in argmax."""
    own = p[np.arange(len(p)), fine][:, None]
    before = (p > own) | ((p == own) & (np.arange(p.shape[1]) < fine[:, None]))
    return np.asarray(before.sum(axis=1), np.int64)


def superclass_sums(p: Floats, superclass_of: Ints) -> Floats:
    """The probabilities (N, 20) of the superclasses, each the sum of its classes'; -1 marks a class without one."""
    known = superclass_of >= 0
    member = np.zeros((p.shape[1], SUPERCLASSES))
    member[np.flatnonzero(known), superclass_of[known]] = 1.0
    return np.asarray(p @ member, np.float64)


def _slides_accuracy(predicted: Ints, fine: Ints, classes: int) -> float:
    """(tp + tn) / (tp + tn + fp + fn), each summed over the classes, one against all others (slides, "Resultados")."""
    tp = np.bincount(fine[predicted == fine], minlength=classes)
    fp = np.bincount(predicted, minlength=classes) - tp
    fn = np.bincount(fine, minlength=classes) - tp
    tn = len(fine) - tp - fp - fn
    return float((tp + tn).sum() / (tp + tn + fp + fn).sum())


def _bins(confidence: Floats, right: NDArray[np.bool_]) -> tuple[Bin, ...]:
    edges = np.linspace(0.0, 1.0, BINS + 1)
    places = np.clip(np.digitize(confidence, edges, right=True) - 1, 0, BINS - 1)
    found = []
    for place in range(BINS):
        inside = places == place
        count = int(inside.sum())
        means = (float(confidence[inside].mean()), float(right[inside].mean())) if count else (None, None)
        found.append(Bin(float(edges[place]), float(edges[place + 1]), count, *means))
    return tuple(found)


def _crossed(rows: Ints, columns: Ints, size: int) -> Ints:
    return np.bincount(rows * size + columns, minlength=size * size).reshape(size, size)


def _pairs(confusions: Ints) -> tuple[Pair, ...]:
    """The pairs of classes that are taken for each other most."""
    both = np.triu(confusions + confusions.T, k=1)
    order = np.argsort(-both, axis=None, kind="stable")[:PAIRS_SHOWN]
    places = [divmod(int(each), len(both)) for each in order if both.flat[each] > 0]
    return tuple(Pair(i, j, int(confusions[i, j]), int(confusions[j, i])) for i, j in places)


def _telling(wanted: NDArray[np.bool_], confidence: Floats, kind: Ints) -> tuple[int, ...]:
    """The most confident of the wanted images, one of a kind: two dozen oranges would say no more than one."""
    seen: set[int] = set()
    found: list[int] = []
    for place in np.flatnonzero(wanted)[np.argsort(-confidence[wanted], kind="stable")].tolist():
        if len(found) == IMAGES_SHOWN:
            break
        if int(kind[place]) not in seen:
            seen.add(int(kind[place]))
            found.append(place)
    return tuple(found)
