"""Nights of training without the training: runs whose models are a few bytes, in a real store and real files."""

from pathlib import Path
from typing import Any

from sqlite_utils import Database

from lib import runs
from lib.files import sha256_of
from lib.images import champion, tables
from lib.images.card import model_card
from lib.images.saving import FOLDER, stage_file
from lib.images.verdict import Material
from lib.runs import Outcome
from lib.store import rows, writing

MATERIAL = Material(
    checksum="a" * 64,
    split="100 images a class, by the archive's checksum",
    classes=tuple(f"class {number:02d}" for number in range(100)),
    superclasses=tuple(f"superclass {number:02d}" for number in range(20)),
    superclass_of=tuple(number // 5 for number in range(100)),
    training=40_000,
    validation=10_000,
    test=10_000,
)
MEASURED = {"accuracy": 0.5, "accuracy_low": 0.49, "accuracy_high": 0.51}


def card_of(run: int, date: str, sha256: str, size: int, accuracy: float = 0.5) -> dict[str, Any]:
    """A model card."""
    return model_card(
        run,
        date,
        MATERIAL,
        recipe="seed",
        seed=1,
        training={"backend": "tensorflow", "epochs": 50, "params": 123_456},
        metrics={"validation": {**MEASURED, "accuracy": accuracy}, "test": {**MEASURED, "accuracy": accuracy}},
        sha256=sha256,
        size=size,
    )


def commit(db: Database, data: Path, date: str, content: bytes, *, promote: bool = True, accuracy: float = 0.5) -> int:
    """A night up to its commit: the files are still to be settled. Returns the run, which is the model's id."""
    run = runs.begin(db, "retrain_cnn", date, options={}, demo=False)
    staged = stage_file(lambda path: path.write_bytes(content) and None, data, run)
    with writing(db):
        runs.commit(db, run, Outcome("ok", "Done.", 0))
        card = card_of(run, date, staged.sha256, staged.size, accuracy)
        tables.save(db, run, card, promote=promote, why="Because.", classes=[], epochs=[])
    return run


def night(db: Database, data: Path, date: str, content: bytes, *, promote: bool = True) -> int:
    """A whole night."""
    run = commit(db, data, date, content, promote=promote)
    assert champion.settle(db, data) == []
    return run


def states(db: Database) -> dict[int, str]:
    """What the registry says of each model."""
    return {row["id"]: row["state"] for row in rows(db, "SELECT id, state FROM models ORDER BY id")}


def files(data: Path) -> dict[str, bytes]:
    """What lies in the folder of models, less the cards."""
    return {path.name: path.read_bytes() for path in (data / FOLDER).iterdir() if path.suffix != ".json"}


def assert_in_line(db: Database, data: Path) -> None:
    """The files are those that the registry names, and no others are there."""
    expected = set()
    for role in ("champion", "previous"):
        row = tables.holder(db, role)
        if row:
            expected |= {f"{role}.keras", f"{role}.json", f"{row['id']}.keras"}
            assert sha256_of(data / FOLDER / f"{role}.keras") == row["sha256"]
            assert sha256_of(data / FOLDER / f"{row['id']}.keras") == row["sha256"]
            assert row["sha256"] in (data / FOLDER / f"{role}.json").read_text()
            assert row["file"] == f"models/{role}.keras"
    assert {path.name for path in (data / FOLDER).iterdir()} == expected
