"""The registry of models outlives the results of the runs that made them."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from lib import runs
from lib.images import tables
from lib.runs import Outcome
from lib.store import open_store, rows, tables_with_results, writing
from tests.lib.images.nights import card_of, commit, states

CLASSES = [{"class": 3, "name": "bear", "superclass": "large carnivores", "images": 50, "correct": 20}]
EPOCHS = [{"epoch": 1, "loss": 4.0, "accuracy": 0.1, "val_loss": 3.9, "val_accuracy": 0.12, "learning_rate": 0.001}]


@pytest.fixture
def db(data: Path) -> Iterator[Database]:
    store = open_store(data, [tables.migrations])
    yield store
    store.close()


def saved(db: Database, date: str, promote: bool = True) -> int:
    run = runs.begin(db, "retrain_cnn", date, options={}, demo=False)
    with writing(db):
        runs.commit(db, run, Outcome("ok", "Done.", 0))
        card = card_of(run, date, f"{run:064x}", 3)
        tables.save(db, run, card, promote=promote, why="Because.", classes=CLASSES, epochs=EPOCHS)
    return run


def test_a_nights_model_classes_and_epochs_become_rows(db: Database) -> None:
    run = saved(db, "2024-05-01")
    (model,) = rows(db, "SELECT * FROM models")
    assert (model["id"], model["state"], model["recipe"], model["seed"]) == (run, "champion", "seed", 1)
    assert (model["accuracy"], model["accuracy_low"], model["accuracy_high"]) == (0.5, 0.49, 0.51)
    assert (model["data_checksum"], model["sha256"], model["bytes"]) == ("a" * 64, f"{run:064x}", 3)
    assert model["promoted_at"]
    assert rows(db, "SELECT name, correct FROM class_accuracies WHERE run = ?", run) == [
        {"name": "bear", "correct": 20}
    ]
    assert rows(db, "SELECT epoch, val_accuracy FROM epochs") == [{"epoch": 1, "val_accuracy": 0.12}]


def test_a_forced_run_replaces_the_results_and_leaves_the_models(db: Database) -> None:
    assert sorted(tables_with_results(db)) == ["class_accuracies", "epochs"]
    first, second = saved(db, "2024-05-01"), saved(db, "2024-05-01", promote=False)
    assert states(db) == {first: "champion", second: "beaten"}
    assert rows(db, "SELECT DISTINCT run FROM class_accuracies") == [{"run": second}]
    assert rows(db, "PRAGMA foreign_key_check") == []


def test_there_can_be_only_one_champion(db: Database, data: Path) -> None:
    first, second = saved(db, "2024-05-01"), saved(db, "2024-05-02")
    assert states(db) == {first: "previous", second: "champion"}
    with pytest.raises(sqlite3.IntegrityError), writing(db):
        db.execute("UPDATE models SET state = 'champion'")
    assert states(db) == {first: "previous", second: "champion"}


def test_a_commit_that_fails_leaves_the_champion(db: Database, data: Path) -> None:
    first = commit(db, data, "2024-05-01", b"one")
    run = runs.begin(db, "retrain_cnn", "2024-05-02", options={}, demo=False)
    with pytest.raises(ZeroDivisionError), writing(db):
        tables.register(db, card_of(run, "2024-05-02", "b" * 64, 3), promote=True, why="")
        raise ZeroDivisionError
    assert states(db) == {first: "champion"}


def test_the_history_has_one_model_a_date_and_none_of_the_date_itself(db: Database) -> None:
    saved(db, "2024-05-02")
    forced = saved(db, "2024-05-02", promote=False)
    earlier = saved(db, "2024-05-01", promote=False)  # made up for later
    saved(db, "2024-05-03")
    found = tables.nights(db, "2024-05-03", 10)
    assert [(each["date"], each["id"], each["promoted"]) for each in found] == [
        ("2024-05-01", earlier, 0),
        ("2024-05-02", forced, 0),
    ]
    assert [each["id"] for each in tables.nights(db, "2024-05-03", 1)] == [forced]


def test_a_store_without_models_has_no_champion(data: Path) -> None:
    store = open_store(data)
    assert tables.holder(store, "champion") is None
    store.close()
