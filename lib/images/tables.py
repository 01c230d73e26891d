"""How the nights of training become rows: the registry `models`, and each run's class_accuracies and epochs.

A model's row outlives its run's result: its id is that of the run that made it, in no column `run`, so that `--force`
replaces the night's figures and leaves the champion in its place.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from lib.runs import now
from lib.store import rows, table

migrations = Migrations("images")
STATES = ("champion", "previous", "retired", "beaten", "lost")  # beaten: never promoted; lost: its file is gone


@migrations()
def models(db: Database) -> None:
    """The registry of models, with one champion and one previous champion at most, and the results of a night."""
    table(db, "models").create(
        {
            "id": int,
            "state": str,
            "date": str,
            "recipe": str,
            "seed": int,
            "backend": str,
            "data_checksum": str,
            "split": str,
            "validation_accuracy": float,
            "accuracy": float,
            "accuracy_low": float,
            "accuracy_high": float,
            "metrics": str,
            "promoted_at": str,
            "why": str,
            "file": str,
            "sha256": str,
            "bytes": int,
            "card": str,
        },
        pk="id",
        foreign_keys=[("id", "runs", "id")],
        not_null={"state", "date", "recipe", "sha256", "card"},
    )
    for state in ("champion", "previous"):
        db.execute(f"CREATE UNIQUE INDEX one_{state} ON models (state) WHERE state = '{state}'")
    table(db, "models").create_index(["date"])
    table(db, "class_accuracies").create(
        {
            "run": int,
            "class": int,
            "name": str,
            "superclass": str,
            "images": int,
            "correct": int,
            "accuracy": float,
            "champion_correct": int,
        },
        pk=("run", "class"),
        foreign_keys=[("run", "runs", "id")],
    )
    table(db, "class_accuracies").create_index(["name"])
    table(db, "epochs").create(
        {
            "run": int,
            "epoch": int,
            "loss": float,
            "accuracy": float,
            "val_loss": float,
            "val_accuracy": float,
            "learning_rate": float,
            "seconds": float,
            "images_per_second": float,
        },
        pk=("run", "epoch"),
        foreign_keys=[("run", "runs", "id")],
    )


def holder(db: Database, state: str) -> dict[str, Any] | None:
    """The model that is the champion, or the previous one; its `card` and `metrics` as objects."""
    found = rows(db, "SELECT * FROM models WHERE state = ?", state) if "models" in db.table_names() else []
    if not found:
        return None
    return {**found[0], "card": json.loads(found[0]["card"]), "metrics": json.loads(found[0]["metrics"])}


def register(db: Database, card: Mapping[str, Any], *, promote: bool, why: str) -> None:
    """Write the night's model; where it is promoted, the champion becomes the previous one and that one retires.

    Has to stand in the run's commit. Files follow later, see `champion.settle`.
    """
    if promote:
        db.execute("UPDATE models SET state = 'retired', file = NULL WHERE state = 'previous'")
        db.execute("UPDATE models SET state = 'previous', file = NULL WHERE state = 'champion'")
    test, validation = card["metrics"]["test"], card["metrics"]["validation"]
    table(db, "models").insert(
        {
            "id": card["id"],
            "state": "champion" if promote else "beaten",
            "date": card["date"],
            "recipe": card["recipe"],
            "seed": card["seed"],
            "backend": card["backend"],
            "data_checksum": card["data"]["checksum"],
            "split": card["data"]["split"],
            "validation_accuracy": validation["accuracy"],
            "accuracy": test["accuracy"],
            "accuracy_low": test["accuracy_low"],
            "accuracy_high": test["accuracy_high"],
            "metrics": json.dumps(card["metrics"]),
            "promoted_at": now() if promote else None,
            "why": why,
            "sha256": card["file"]["sha256"],
            "bytes": card["file"]["bytes"],
            "card": json.dumps(card, ensure_ascii=False),
        }
    )


def swap(db: Database, why: str) -> None:
    """Have the champion and the previous one change places. Has to stand in a write transaction."""
    champion, previous = holder(db, "champion"), holder(db, "previous")
    assert champion is not None
    assert previous is not None
    table(db, "models").update(
        champion["id"], {"state": "retired", "file": None, "why": why}
    )  # one of a kind at a time
    table(db, "models").update(previous["id"], {"state": "champion", "file": None, "promoted_at": now(), "why": why})
    table(db, "models").update(champion["id"], {"state": "previous"})


def lose(db: Database, lost: Iterable[int]) -> int | None:
    """Note that no file holds these models any more; has to stand in a write transaction.

    Where the champion is lost, the previous one that is there takes its place; returns the id of that one.
    """
    for id in lost:
        table(db, "models").update(id, {"state": "lost", "file": None})
    previous = holder(db, "previous")
    if previous is None or holder(db, "champion"):
        return None
    back = {
        "state": "champion",
        "file": None,
        "promoted_at": now(),
        "why": "Back, since its successor's file was lost.",
    }
    table(db, "models").update(previous["id"], back)
    return int(previous["id"])


def save(
    db: Database,
    run: int,
    card: Mapping[str, Any],
    *,
    promote: bool,
    why: str,
    classes: Sequence[Mapping[str, Any]],
    epochs: Iterable[Mapping[str, Any]],
) -> None:
    """Write a run's model and results; to stand in its commit. `classes` and `epochs` are rows less their run."""
    register(db, card, promote=promote, why=why)
    table(db, "class_accuracies").insert_all({"run": run, **each} for each in classes)
    table(db, "epochs").insert_all({"run": run, **each} for each in epochs)


def nights(db: Database, before: str, most: int) -> list[dict[str, Any]]:
    """The models of committed runs of earlier dates, the last `most` of them, the earliest first."""
    sql = (
        "SELECT models.id, models.date, models.recipe, models.accuracy, models.accuracy_low, models.accuracy_high,"
        " models.validation_accuracy, models.state, models.promoted_at IS NOT NULL AS promoted FROM models"
        " JOIN runs ON runs.id = models.id WHERE runs.committed = 1 AND models.date < ?"
        " ORDER BY models.date DESC LIMIT ?"
    )
    return rows(db, sql, before, most)[::-1]
