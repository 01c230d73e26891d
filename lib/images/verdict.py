"""Whether the night's model is better than the champion beyond noise, on validation images that neither has learnt.

verdict = judge(standing.card, predict(standing.model, images), material, predict(model, images), fine)
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.images.evaluation import Z

LEVEL = 0.05  # of the two-sided test: chance alone promotes one equal model in forty nights, before the margin
MARGIN = 0.005  # half a percentage point: a smaller gain isn't worth new files for those who use the champion
Probabilities = NDArray[np.floating]


@dataclass(frozen=True)
class Material:
    """What a model is trained and judged on. `split` says how the validation images were chosen, in words.

    `checksum` is the archive's SHA-256; `training`, `validation` and `test` count images.
    """

    checksum: str
    split: str
    classes: tuple[str, ...]
    superclasses: tuple[str, ...]
    superclass_of: tuple[int, ...]
    training: int
    validation: int
    test: int
    demo: bool = False

    @classmethod
    def of(cls, archive: Any, validation: int, split: str, *, demo: bool) -> "Material":
        """That of an archive (`Cifar100`) with this many of its training images held back."""
        return cls(
            checksum=archive.checksum,
            split=split,
            classes=tuple(archive.fine_names),
            superclasses=tuple(archive.coarse_names),
            superclass_of=tuple(archive.superclass_of.tolist()),
            training=len(archive.train_images) - validation,
            validation=validation,
            test=len(archive.test_images),
            demo=demo,
        )

    def as_card(self) -> dict[str, Any]:
        """The part `data` of a model card."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if name not in ("classes", "superclasses", "superclass_of")
        }


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger is promoted, and why, in one sentence.

    `b` images of `n` only the challenger got right, `c` only the champion; `p_value` is that of McNemar's exact test,
    `difference` the challenger's accuracy less the champion's, with its 95% interval. They are None where the two were
    not compared. `fair` is False where the champion may have learnt some of the images.
    """

    promote: bool
    why: str
    n: int = 0
    b: int = 0
    c: int = 0
    p_value: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float = MARGIN
    fair: bool = True


def judge(
    card: Mapping[str, Any] | None,
    champion: Probabilities | None,
    material: Material,
    challenger: Probabilities,
    fine: NDArray[np.int64],
) -> Verdict:
    """Judge tonight's `challenger` against the champion, whose model card is `card`; None where there is no champion.

    Both give probabilities, (N, classes), for tonight's validation images, whose classes are `fine`. A champion of
    another archive or split may have learnt some of these: that can only favour it, so it can lose here and not win.
    One that names other classes can't be compared at all.
    """
    if card is None or champion is None:
        return Verdict(True, "There was no champion that could be loaded, so this model is the first of its line.")
    if not names_the_same(card, material):
        return Verdict(
            False,
            f"Not promoted: the champion (model {card['id']}) tells other classes apart than this archive has, so the "
            "two can't be compared; move the folder data/models away to start a new line.",
        )
    return compare(champion, challenger, fine, fair=judged_fairly(card, material))


def names_the_same(card: Mapping[str, Any], material: Material) -> bool:
    """Whether a champion's classes are those of tonight's archive, in their order."""
    return list(card["classes"]) == list(material.classes)


def judged_fairly(card: Mapping[str, Any], material: Material) -> bool:
    """Whether the champion was kept from tonight's validation images: those follow from the archive and the split."""
    return (card["data"]["checksum"], card["data"]["split"]) == (material.checksum, material.split)


def compare(
    champion: Probabilities, challenger: Probabilities, fine: NDArray[np.int64], *, fair: bool = True
) -> Verdict:
    """Promote where the challenger is better by `MARGIN` and McNemar's test says that it isn't noise.

    The exact, two-sided test on the images that one of them alone got right (McNemar 1947; recommended for two
    classifiers on one set of images by Dietterich 1998). The difference's interval is Wald's for paired shares
    (Agresti 2013, section 11.1.1).
    """
    ours, theirs = challenger.argmax(axis=1) == fine, champion.argmax(axis=1) == fine
    n, b, c = len(fine), int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    p_value = exact_mcnemar(b, c)
    difference = (b - c) / n
    half = Z * math.sqrt(max(b + c - (b - c) ** 2 / n, 0.0)) / n
    sure = p_value < LEVEL
    promote = difference >= MARGIN and sure
    return Verdict(
        promote=promote,
        why=_why(difference, n, b, c, p_value, fair=fair),
        n=n,
        b=b,
        c=c,
        p_value=p_value,
        difference=difference,
        low=difference - half,
        high=difference + half,
        fair=fair,
    )


def exact_mcnemar(b: int, c: int) -> float:
    """The probability of a split at least as uneven as b : c if each of the b + c images fell to either side alike."""
    from scipy.stats import binomtest  # loads for most of a second

    return float(binomtest(b, b + c).pvalue) if b + c else 1.0


def _why(difference: float, n: int, b: int, c: int, p_value: float, *, fair: bool) -> str:
    points = f"{abs(difference) * 100:.1f} points"
    counts = f"on {n:,} validation images ({b:,} it alone got right, {c:,} the champion alone; {said_p(p_value)})"
    learnt = "the champion may have learnt some of these images, for it comes from another archive or split"
    if difference >= MARGIN and p_value < LEVEL:
        end = "" if fair else f", although {learnt}"
        return f"Promoted: it is {points} better than the champion {counts}{end}."
    end = "" if fair else f"; {learnt}, so the comparison favours it"
    if difference <= 0:
        verb = "is not better than" if difference == 0 else f"is {points} worse than"
        return f"Not promoted: it {verb} the champion {counts}{end}."
    if p_value >= LEVEL:
        return f"Not promoted: it is {points} better than the champion {counts}, which chance alone may do{end}."
    return (
        f"Not promoted: it is {points} better than the champion {counts}, less than the margin of "
        f"{MARGIN * 100:g} points{end}."
    )


def said_p(p_value: float) -> str:
    """A p-value as people write it."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}" if p_value < 0.1 else f"p = {p_value:.2f}"
