"""Runs, settings and messages for tests of what is told, and the moment at which they happen."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from lib import rules, runs
from lib.settings import Notify, Settings
from lib.store import rows, table, writing

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
ALL = ("finished", "failed", "crashed", "late", "missed", "slow", "fast", "empty", "failing", "recovered")


def without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that sets no channel's secret and no proxy."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("SMTP_PASSWORD", "WEBHOOK_SECRET", "PING_URL"):
        monkeypatch.delenv(f"NIGHTDESK_{name}", raising=False)


def settings_of(data: Path, **notify: Any) -> Settings:
    """A desk's settings with these of `[notify]`."""
    return Settings(data=data, reports=data.parent / "reports", timezone="UTC", notify=Notify(**notify))


def add(db: Database, status: str = "ok", seconds: float | None = 100.0, **values: Any) -> int:
    """A run's row as the ledger has it, ended a moment ago."""
    row = {"job": "job", "date": "2026-03-10", "status": status, "started_at": runs.now(), "ended_at": runs.now()}
    row |= {"seconds": seconds, "options": "{}", "message": "Said.", "exit_code": 1 if status == "failed" else 0}
    row["committed"] = 0
    if status == "ok":
        row["committed"], row["date"] = 1, f"day {rows(db, 'SELECT COUNT(*) AS count FROM runs')[0]['count']}"
    with writing(db):
        return table(db, "runs").insert({**row, **values}).last_pk


def events(db: Database, run: int, **how: Any) -> list[str]:
    """What a run's end amounts to."""
    row = table(db, "runs").get(run)
    return [event for event, _ in rules.events_of(db, row, **{"failing_after": 3, **how})]


def measured(db: Database, run: int, **metrics: Any) -> int:
    """Give a run its metrics."""
    with writing(db):
        table(db, "metrics").insert_all(
            [{"run": run, "name": name, "value": None, "json": json.dumps(each)} for name, each in metrics.items()]
        )
    return run


def outbox_of(db: Database) -> list[tuple[Any, ...]]:
    """The outbox: run, event, channel and whether it was delivered."""
    found = rows(db, "SELECT * FROM notifications ORDER BY id")
    return [(each["run"], each["event"], each["channel"], each["delivered_at"] is not None) for each in found]


def watched(db: Database, since: str = "2026-03-01T00:00:00.000Z", **values: str) -> None:
    """Have the fire times of `job`, nightly at 02:15 UTC, count from a moment on."""
    row = {"job": "job", "at": "02:15", "timezone": "UTC", "since": since, "seen": since, **values}
    with writing(db):
        table(db, "watched").upsert(row, pk="job")
