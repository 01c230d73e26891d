"""Desks for doctor to look at, and its lines."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from lib import runs
from lib.doctor import Check, examine
from lib.runs import Outcome
from lib.schedules import Schedule
from lib.settings import Notify, Settings
from lib.store import open_store, table, writing

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SCHEDULES = {"job": Schedule("02:15"), "weekly": Schedule("sat 22:00")}
MARKER = "s3cr3t-m4rk3r"
# what a machine may be told of, whatever its desk is like
OF_THE_MACHINE = {"Python's tarfile", "packages", "clock's source"}


def without_this_machines_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that sets nothing of a desk."""
    for name in tuple(os.environ):
        if name.startswith("NIGHTDESK_") or name in ("CREDENTIALS_DIRECTORY", "TMPDIR"):
            monkeypatch.delenv(name)
    for module in ("lib.settings", "lib.doctor.clock", "lib.doctor.whole"):
        monkeypatch.setattr(f"{module}.get_localzone_name", lambda: "UTC")


def new_desk(folder: Path) -> Settings:
    """The settings of a desk with nothing in it yet; a command is told of what happens."""
    return Settings(data=folder / "data", reports=folder / "reports", timezone="UTC", notify=Notify(command=("true",)))


@contextmanager
def running_desk(settings: Settings) -> Iterator[Database]:
    """A desk that runs: a tick a minute ago, and the last run of each job was good."""
    store = open_store(settings.data)
    for job in SCHEDULES:
        good_run(store, job)
    with writing(store):
        moment = runs.stamp(NOW - timedelta(minutes=1))
        row = {"job": "job", "at": "02:15", "timezone": "UTC", "since": moment, "seen": moment}
        table(store, "watched").insert(row)
        store.execute("UPDATE runs SET started_at = ?, ended_at = ?", [moment, moment])
    yield store
    store.close()


def good_run(db: Database, job: str, date: str = "2026-11-23") -> int:
    """A committed run."""
    run = runs.begin(db, job, date, options={}, demo=False)
    with writing(db):
        runs.commit(db, run, Outcome("ok", "Done.", 0))
    return run


def look(settings: Settings, now: datetime = NOW, **more: Any) -> list[Check]:
    """What doctor finds."""
    return examine(settings, more.pop("schedules", SCHEDULES), more.pop("of_jobs", {}), now, **more)


def line(checks: list[Check], name: str) -> Check:
    """The one line of that name."""
    found = [each for each in checks if each.name == name]
    assert len(found) == 1, [each.name for each in checks]
    return found[0]


def wrong(checks: list[Check]) -> set[str]:
    """The names of the lines that aren't well, less those of the machine."""
    return {each.name for each in checks if each.status != "ok"} - OF_THE_MACHINE
