"""The champion's files in `data/models`, kept in line with the registry whatever happens in between.

    settle(db, data)  # at each start, and after each commit: champion.keras follows the registry

The registry's commit decides; files follow. `ID.keras` holds a model's bytes and is never written over; champion.keras
and previous.keras, each with its model card, are copies that appear whole. So a kill at any point leaves the old
champion or the new one, and the next `settle` ends what was begun. Only the holder of retrain_cnn's lock writes here.
"""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from lib import runs
from lib.errors import BadData, Busy, SourceUnavailable
from lib.files import atomic_write, writing_aside
from lib.images import tables
from lib.images.saving import FOLDER, load, sha_or_none
from lib.store import STORE, open_store, rows, table, writing

JOB = "retrain_cnn"  # whose lock guards the folder
ROLES = ("previous", "champion")  # in this order: while the previous one is written, the old champion still stands
LOCK_SECONDS = 2.0
_TITLES = {"champion": "champion", "previous": "previous champion"}
_OWN = re.compile(r"(\d+)\.keras")


@dataclass(frozen=True)
class Standing:
    """The model that stands: its card and its Keras model, both None where there is none. `notes` are sentences."""

    model: Any
    card: dict[str, Any] | None
    notes: tuple[str, ...] = ()


def load_champion(db: Database, data: Path) -> Standing:
    """The champion, or the previous one where no file holds the champion; only reads.

    A file is loaded only if its checksum is the registry's; what is wrong with it is in `notes`.
    """
    notes: list[str] = []
    for role in reversed(ROLES):
        row = tables.holder(db, role)
        if row is None:
            continue
        for path in _places(data / FOLDER, role, row["id"]):
            found = sha_or_none(path)
            if found == row["sha256"]:
                try:
                    return Standing(load(path, row["sha256"]), row["card"], tuple(notes))
                except BadData as fault:
                    notes.append(f"{fault}.")
                    break  # another copy of the same bytes is no better
            if path.stem == role and row["file"]:
                notes.append(f"{path} is {'damaged' if found else 'missing'} and was not loaded.")
    return Standing(None, None, tuple(notes))


def settle(db: Database, data: Path) -> list[str]:
    """Bring the files in line with the registry; returns what was out of order, a sentence each.

    Has to be called while nothing is staged that isn't committed, by the holder of the job's lock. Doing it twice, or
    again after a kill, comes to the same. Raises CannotWrite, and OSError where a file can't be read.
    """
    folder = data / FOLDER
    notes: list[str] = []
    lost = {role: row for role, row in _held(db).items() if not _secure(folder, row)}
    if lost:
        with writing(db):
            back = tables.lose(db, [row["id"] for row in lost.values()])
        notes += [f"No file holds model {row['id']}, the {_TITLES[role]}, any more." for role, row in lost.items()]
        notes += [f"Model {back}, the previous champion, is the champion again."] if back else []
    held = _held(db)
    known = {row["sha256"] for row in rows(db, "SELECT sha256 FROM models")} if "models" in db.table_names() else set()
    for role in ROLES:
        notes += _follow(db, folder, role, held.get(role), known)
    _clean(folder, {row["id"] for row in held.values()})
    return notes


def rollback(data: Path) -> str:
    """Have the previous champion and the champion change places; returns what to tell.

    Raises Busy while a night's run is at work, SourceUnavailable where there is no previous champion.
    """
    nobody = SourceUnavailable(f"there is no previous champion in {data / FOLDER}, so nothing to put back")
    if not (data / STORE).exists():
        raise nobody
    lock = runs.wait_for_lock(data, JOB, LOCK_SECONDS)
    if lock is None:
        raise Busy(f"a run of {JOB} is at work and may promote a model itself; try again when it has ended")
    db = open_store(data, [tables.migrations])
    try:
        notes = settle(db, data)
        champion, previous = tables.holder(db, "champion"), tables.holder(db, "previous")
        if previous is None:
            raise nobody if not notes else SourceUnavailable(f"{nobody}. {' '.join(notes)}")
        with writing(db):
            tables.swap(db, f"Changed places by hand at {runs.now()} (python -m jobs rollback).")
        notes += settle(db, data)
    finally:
        db.close()
        os.close(lock)
    assert champion is not None  # `lose` leaves no previous one without a champion
    text = f"{_said(previous)} is the champion again; {_said(champion)} is kept as the previous one."
    return " ".join([text, *notes])


def _held(db: Database) -> dict[str, dict[str, Any]]:
    return {role: row for role in ROLES if (row := tables.holder(db, role))}


def _said(row: dict[str, Any]) -> str:
    return f"Model {row['id']} ({row['recipe']}, {row['date']}, {row['validation_accuracy']:.1%} on validation images)"


def _places(folder: Path, role: str, id: int) -> list[Path]:
    """Where a model's bytes may lie: in its role's file, in its own, or in the other role's in the middle of a swap."""
    other = ROLES[1 - ROLES.index(role)]
    return [folder / f"{role}.keras", folder / f"{id}.keras", folder / f"{other}.keras"]


def _secure(folder: Path, row: dict[str, Any]) -> bool:
    """Whether `ID.keras` holds the model, put there from wherever else its bytes lie; before any role is written."""
    own = folder / f"{row['id']}.keras"
    if sha_or_none(own) == row["sha256"]:
        return True
    for role in ROLES:
        if sha_or_none(folder / f"{role}.keras") == row["sha256"]:
            _copy(folder / f"{role}.keras", own)
            return True
    return False


def _follow(db: Database, folder: Path, role: str, row: dict[str, Any] | None, known: set[str]) -> list[str]:
    """Make a role's file and card those of its model, or take them away where nobody has the role."""
    path, card = folder / f"{role}.keras", folder / f"{role}.json"
    found = sha_or_none(path)
    notes = []
    if found is not None and found not in known:
        notes.append(_set_aside(path, found))
    if row is None:
        path.unlink(missing_ok=True)
        card.unlink(missing_ok=True)
        return notes
    if found != row["sha256"]:
        if found is None and row["file"]:
            notes.append(f"{path} was missing; it was put back from {row['id']}.keras.")
        _copy(folder / f"{row['id']}.keras", path)
    text = (
        json.dumps(
            {**row["card"], "state": role, "file": {**row["card"]["file"], "name": path.name}},
            indent=1,
            ensure_ascii=False,
        )
        + "\n"
    )
    if not card.is_file() or card.read_bytes() != text.encode():
        atomic_write(card, text)
    file = f"{FOLDER}/{path.name}"
    if row["file"] != file:
        with writing(db):
            table(db, "models").update(row["id"], {"file": file})
    return notes


def _set_aside(path: Path, sha256: str) -> str:
    """Keep a file that no registry knows, for a person to look at: it is damaged, or somebody put it there."""
    kept = path.with_name(f"unknown-{sha256[:12]}.keras")
    if not kept.exists():
        _copy(path, kept)
    return f"{path} was damaged or not the desk's, and was not loaded; what lay there is kept as {kept.name}."


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as file, writing_aside(target) as aside:
        shutil.copyfileobj(file, aside, 1 << 20)


def _clean(folder: Path, held: set[int]) -> None:
    """Remove the files of models without a role, and what killed processes left half written."""
    for path in folder.glob("*.keras") if folder.is_dir() else ():
        own = _OWN.fullmatch(path.name)
        if own and int(own[1]) not in held:
            path.unlink(missing_ok=True)
    for path in folder.glob(".*.aside*") if folder.is_dir() else ():
        path.unlink(missing_ok=True)
