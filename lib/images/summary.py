"""What a night of training came to: as metrics, as a sentence, as rows, and as finished values for the page."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from lib.formats import seconds
from lib.images import courses, figures, tables
from lib.images.backend import packages
from lib.images.card import model_card
from lib.images.evaluation import SLIDES_NOTE, Evaluation
from lib.images.gallery import filter_sheet, gallery, spoken
from lib.images.recipes import RECIPES
from lib.images.resume import Epoch
from lib.images.saving import FOLDER, Staged
from lib.images.verdict import Material, Verdict, said_p

NIGHTS_SHOWN = 60


@dataclass(frozen=True, eq=False)
class Night:
    """A night, once all is decided. `trained` is training.Trained; the evaluations are of the staged file.

    `champion` is what stood before (its model card), and `champion_test` its evaluation on the same test images; both
    are None where there was none. `notes` are sentences on files that were out of order.
    """

    run: int
    date: str
    recipe: str
    seed: int
    material: Material
    trained: Any
    validation: Evaluation
    test: Evaluation
    verdict: Verdict
    champion: Mapping[str, Any] | None = None
    champion_test: Evaluation | None = None
    notes: Sequence[str] = ()


def measured(its: Evaluation) -> dict[str, Any]:
    """An evaluation's figures for a model card or the metrics; shares are between 0 and 1."""
    return {
        "images": its.n,
        "accuracy": its.accuracy.value,
        "accuracy_low": its.accuracy.low,
        "accuracy_high": its.accuracy.high,
        "top5_accuracy": its.top5.value,
        "coarse_accuracy": its.coarse.value,
        "slides_accuracy": its.slides_accuracy,
        "loss": its.loss,
        "ece": its.ece,
    }


def training_facts(trained: Any) -> dict[str, Any]:
    """How a model was trained, for its card and the metrics."""
    return {
        "backend": trained.backend,
        "epochs": trained.epochs,
        "seconds": round(trained.seconds, 3),
        "images_per_second": round(trained.images_per_second, 1),
        "params": trained.params,
        "temperature": round(trained.temperature, 4),
        "precision": trained.precision,
    }


def went_on_from(night: Night) -> int | None:
    """The champion whose weights the night's training went on from, or None where it started afresh."""
    return night.champion["id"] if night.champion and night.trained.went_on else None


def metrics(night: Night, data: Path) -> dict[str, Any]:
    """What --json says of a night: the figures are the night's model's on the test images."""
    return {
        "recipe": night.recipe,
        "seed": night.seed,
        **training_facts(night.trained),
        "resumed_from": night.trained.resumed_from,
        "went_on_from": went_on_from(night),
        **measured(night.test),
        "validation_accuracy": night.validation.accuracy.value,
        "promoted": night.verdict.promote,
        "why": night.verdict.why,
        "p_value": night.verdict.p_value,
        "champion": str(data / FOLDER / "champion.keras"),
        "champion_accuracy": _champions(night).accuracy.value,
        "notes": list(night.notes),
    }


def _champions(night: Night) -> Evaluation:
    """The evaluation of the model that is the champion after this night."""
    return night.test if night.verdict.promote or night.champion_test is None else night.champion_test


def one_sentence(night: Night) -> str:
    """What the night came to, for the last line on stderr and the desk's index."""
    its, trained = night.test.accuracy, night.trained
    verdict = "It is the new champion." if night.verdict.promote else "The champion stays."
    epochs = f"{trained.epochs} epoch{'s' if trained.epochs != 1 else ''}"
    return " ".join(
        [
            f"The {night.recipe} network, trained for {epochs} in {seconds(trained.seconds)}, is right about "
            f"{its.value:.2%} ({its.low:.1%} to {its.high:.1%}) of {its.n:,} test images.",
            verdict,
            *night.notes,
        ]
    )


def of_epoch(epoch: Epoch) -> str:
    """An epoch in a line for the log."""
    return (
        f"accuracy {epoch.accuracy:.1%}, on the validation images {epoch.val_accuracy:.1%} "
        f"(loss {epoch.val_loss:.2f}), {epoch.images_per_second:,.0f} images/s"
    )


def card(night: Night, staged: Staged) -> dict[str, Any]:
    """The model card of the night's model, whose file is staged."""
    return model_card(
        night.run,
        night.date,
        night.material,
        recipe=night.recipe,
        seed=night.seed,
        training={**training_facts(night.trained), "went_on_from": went_on_from(night)},
        metrics={"validation": measured(night.validation), "test": measured(night.test)},
        sha256=staged.sha256,
        size=staged.size,
    )


def save(db: Database, night: Night, card: Mapping[str, Any]) -> None:
    """Write the night's rows; to stand in its commit."""
    verdict, trained = night.verdict, night.trained
    rows = {"classes": class_rows(night), "epochs": epoch_rows(trained)}
    tables.save(db, night.run, card, promote=verdict.promote, why=verdict.why, **rows)


def class_rows(night: Night) -> list[dict[str, Any]]:
    """Rows for `class_accuracies`; the champion's count is of the same images."""
    its, before, material = night.test, night.champion_test, night.material
    return [
        {
            "class": place,
            "name": name,
            "superclass": material.superclasses[material.superclass_of[place]]
            if material.superclass_of[place] >= 0
            else None,
            "images": int(its.class_n[place]),
            "correct": int(its.class_hits[place]),
            "accuracy": None if np.isnan(its.class_accuracy[place]) else float(its.class_accuracy[place]),
            "champion_correct": int(before.class_hits[place]) if before else None,
        }
        for place, name in enumerate(material.classes)
    ]


def epoch_rows(trained: Any) -> list[dict[str, Any]]:
    """Rows for `epochs`, counted from 1."""
    return [{"epoch": number, **asdict(epoch)} for number, epoch in enumerate(trained.history, start=1)]


def page(
    night: Night,
    images: NDArray[np.uint8],
    fine: NDArray[np.int64],
    *,
    layers: Sequence[Any],
    filters: NDArray[np.floating],
    nights: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """What the page shows, finished. `images` and `fine` are the test images and their classes.

    `layers` and `filters` are networks.describe_layers' and networks.first_filters'; `nights` are tables.nights'.
    """
    its, material = night.test, night.material
    names = material.classes
    tonight = {"date": night.date, "recipe": night.recipe, "promoted": night.verdict.promote, **measured(its)}
    logs = night.trained.logs
    return {
        "packages": packages(),
        "tables": {name: rows for name, rows in data_tables(night).items() if rows},
        "night": night,
        "its": its,
        "verdict": night.verdict,
        "p_said": None if night.verdict.p_value is None else said_p(night.verdict.p_value),
        "champion": night.champion,
        "champion_test": night.champion_test,
        "material": material,
        "trained": night.trained,
        "notes": list(night.notes),
        "slides_note": SLIDES_NOTE,
        "recipe": RECIPES[night.recipe],
        "charts": {
            "curves": courses.learning_curves([asdict(each) for each in night.trained.history]),
            "over_time": courses.over_time(
                [asdict(each) for each in night.trained.history],
                night.trained.seconds,
                original=not material.demo,
            ),
            "classes": figures.class_dots(its, names),
            "superclasses": figures.superclass_heat(its, material.superclasses),
            "reliability": figures.reliability(its),
            "movers": courses.movers(its, night.champion_test, names) if night.champion_test else None,
            "history": courses.history([*nights[1 - NIGHTS_SHOWN :], tonight]),
        },
        "confused": [
            (spoken(names[pair.one]), spoken(names[pair.other]), pair.there, pair.back, pair.both) for pair in its.pairs
        ],
        "mistakes": gallery(images, fine, its, its.mistakes, names),
        "successes": gallery(images, fine, its, its.successes, names),
        "layers": [(each.name, each.kind, shape_said(each.shape), each.parameters) for each in layers],
        "filters": filter_sheet(filters) if len(filters) else None,
        "tensorboard": f"tensorboard --logdir {shlex.quote(str(logs))}" if logs else None,
    }


def data_tables(night: Night) -> dict[str, list[dict[str, Any]]]:
    """The night's figures as tables to lie beside the page."""
    its, material = night.test, night.material
    return {
        "classes": class_rows(night),
        "epochs": epoch_rows(night.trained),
        "confused": [
            {"one": material.classes[pair.one], "other": material.classes[pair.other]}
            | {"one_taken_for_other": pair.there, "other_taken_for_one": pair.back, "both": pair.both}
            for pair in its.pairs
        ],
        "superclasses": [
            {"superclass": own, "taken_for": taken, "images": int(its.superclasses[i, j])}
            for i, own in enumerate(material.superclasses)
            for j, taken in enumerate(material.superclasses)
            if its.superclasses[i, j]
        ],
        "calibration": [
            {"low": each.low, "high": each.high, "images": each.count}
            | {"confidence": each.confidence, "accuracy": each.accuracy}
            for each in its.bins
        ],
    }


def shape_said(shape: Sequence[int | None]) -> str:
    """32 × 32 × 3."""
    return " × ".join("?" if each is None else f"{each:,}" for each in shape)
