"""The ledger of runs: a row exists before work starts and ends on every path, with a sentence that explains it.

A row's status is `running`, then one of `ok`, `failed`, `skipped`, `missed` or `crashed` (found dead by the next
start).
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import lock_descriptor
from sqlite_utils import Database

from lib.errors import CannotWrite
from lib.files import shown
from lib.store import rows, table, tables_with_results, writing

STATUSES = ("running", "ok", "failed", "skipped", "missed", "crashed")


@dataclass(frozen=True)
class Outcome:
    """How a run ended, as it goes into the ledger and out as JSON."""

    status: str
    message: str
    exit_code: int
    metrics: Mapping[str, Any] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    stages: Mapping[str, float] = field(default_factory=dict)
    report: str | None = None
    partial: bool = False


def now() -> str:
    """This moment as the store writes moments."""
    return stamp(datetime.now(UTC))


def stamp(moment: datetime) -> str:
    """A moment of UTC as the store writes it: to the millisecond, so that text order is time order."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def take_lock(data: Path, job: str) -> int | None:
    """The kernel lock that lets one run of a job at a time work: its file descriptor, or None where it is held.

    The lock belongs to the open file, which a forked child shares: it is given up when the last of the two is dead.
    """
    folder = data / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / f"{job}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as fault:
        raise CannotWrite(f"can't make the lock {folder / job}.lock ({fault.strerror}); check the folder") from fault
    if lock_descriptor(descriptor, blocking=False):
        return descriptor
    os.close(descriptor)
    return None


def wait_for_lock(data: Path, job: str, seconds: float) -> int | None:
    """The lock, or None where it stays held for so long.

    A start of another job may hold it for a moment, to see whether a run is dead.
    """
    end = time.monotonic() + seconds
    while (lock := take_lock(data, job)) is None and time.monotonic() < end:
        time.sleep(0.1)
    return lock


def begin(db: Database, job: str, date: str, *, options: Mapping[str, Any], demo: bool) -> int:
    """A new `running` row; returns its id."""
    row = {
        "job": job,
        "date": date,
        "status": "running",
        "started_at": now(),
        "options": shown(json.dumps(options, default=str, ensure_ascii=False)),
        "demo": int(demo),
        "pid": os.getpid(),
    }
    return _insert(db, row)


def record(
    db: Database, job: str, date: str, status: str, message: str, exit_code: int | None, *, demo: bool = False
) -> int:
    """A row for a run that never started to work (`skipped`, `missed` or `failed`); returns its id."""
    with writing(db):
        return note(db, job, date, status, message, exit_code, demo=demo)


def note(
    db: Database,
    job: str,
    date: str,
    status: str,
    message: str,
    exit_code: int | None,
    *,
    demo: bool = False,
    moment: str | None = None,
) -> int:
    """What `record` does, as of another moment if need be. Has to stand in a write transaction."""
    moment = moment or now()
    row = {
        "job": job,
        "date": date,
        "status": status,
        "started_at": moment,
        "ended_at": moment,
        "seconds": 0.0,
        "message": message,
        "exit_code": exit_code,
        "demo": int(demo),
    }
    key = table(db, "runs").insert(row).last_pk
    assert isinstance(key, int)
    return key


def _insert(db: Database, row: Mapping[str, Any]) -> int:
    with writing(db):
        key = table(db, "runs").insert(dict(row)).last_pk
    assert isinstance(key, int)
    return key


def finish(db: Database, run: int, outcome: Outcome) -> None:
    """End a `running` row and keep its figures. Has to stand in a write transaction."""
    row = table(db, "runs").get(run)
    ended = now()
    table(db, "runs").update(
        run,
        {
            "status": outcome.status,
            "ended_at": ended,
            "seconds": seconds_between(row["started_at"], ended),
            "message": outcome.message,
            "exit_code": outcome.exit_code,
            "report": outcome.report,
            "partial": int(outcome.partial),
        },
    )
    metrics = [
        {"run": run, "name": name, "value": _number(value), "json": json.dumps(value, ensure_ascii=False)}
        for name, value in outcome.metrics.items()
    ]
    table(db, "metrics").insert_all(metrics, replace=True)
    table(db, "rejected").insert_all(
        [{"run": run, "reason": reason, "count": count} for reason, count in outcome.rejected.items()], replace=True
    )
    table(db, "stages").insert_all(
        [{"run": run, "stage": stage, "seconds": seconds} for stage, seconds in outcome.stages.items()], replace=True
    )


def commit(db: Database, run: int, outcome: Outcome) -> str | None:
    """End a row as the committed one of its job and date; an earlier one gives up its place and its results.

    Returns the earlier one's data folder, which is free to go. Has to stand in the write transaction of the results.
    """
    row = table(db, "runs").get(run)
    earlier = committed(db, row["job"], row["date"])
    if earlier is not None:
        db.execute("PRAGMA defer_foreign_keys = ON")  # until the commit: a parent's rows may go before its children's
        for name in tables_with_results(db):
            db.execute(f"DELETE FROM [{name}] WHERE run = ?", [earlier["id"]])
        message = f"{earlier['message']} Replaced by run {run}."
        table(db, "runs").update(earlier["id"], {"committed": 0, "message": message, "report": None, "folder": None})
    finish(db, run, outcome)
    table(db, "runs").update(run, {"committed": 1})
    return earlier["folder"] if earlier else None


def committed(db: Database, job: str, date: str) -> dict[str, Any] | None:
    """The committed run of a job and logical date."""
    found = rows(db, "SELECT * FROM runs WHERE job = ? AND date = ? AND committed = 1", job, date)
    return found[0] if found else None


def committed_dates(db: Database, job: str) -> set[str]:
    """The logical dates of a job that have a committed run."""
    return {row["date"] for row in rows(db, "SELECT date FROM runs WHERE job = ? AND committed = 1", job)}


def last_id(db: Database) -> int:
    """The id of the newest row; 0 where there is none."""
    return int(rows(db, "SELECT max(id) AS id FROM runs")[0]["id"] or 0)


def started_since(db: Database, job: str, date: str, id: int, pid: int) -> dict[str, Any] | None:
    """The row, newer than `id`, of a process that was started for a job and date; another's where it has none."""
    found = rows(
        db,
        "SELECT * FROM runs WHERE job = ? AND date = ? AND id > ? ORDER BY pid IS ? DESC, id DESC LIMIT 1",
        *(job, date, id, pid),
    )
    return found[0] if found else None


def reap(db: Database, data: Path, *, holding: str) -> list[int]:
    """Mark as `crashed` the running rows of jobs whose lock nobody holds; returns their ids.

    `holding` is the job whose lock the caller has.
    """
    dead: list[int] = []
    for job in {row["job"] for row in rows(db, "SELECT job FROM runs WHERE status = 'running'")}:
        descriptor = None if job == holding else take_lock(data, job)
        if job != holding and descriptor is None:
            continue
        try:
            dead += _mark_crashed(db, job)
        finally:
            if descriptor is not None:
                os.close(descriptor)
    return dead


def _mark_crashed(db: Database, job: str) -> list[int]:
    with writing(db):
        found = rows(db, "SELECT id, stage FROM runs WHERE job = ? AND status = 'running'", job)
        for row in found:
            where = f" in the stage {row['stage']}" if row["stage"] else ""
            message = f"Found dead by the next start: the run's process was killed{where} or the machine went off."
            table(db, "runs").update(row["id"], {"status": "crashed", "message": message, "ended_at": now()})
    return [row["id"] for row in found]


def as_json(db: Database, run: int, reports: Path) -> dict[str, Any]:
    """The object that `--json` prints, from the ledger."""
    row = table(db, "runs").get(run)
    metrics = {
        each["name"]: json.loads(each["json"], parse_constant=lambda _: None)  # JSON has no word for NaN
        for each in rows(db, "SELECT * FROM metrics WHERE run = ? ORDER BY rowid", run)
    }
    rejected = {
        each["reason"]: each["count"] for each in rows(db, "SELECT * FROM rejected WHERE run = ? ORDER BY rowid", run)
    }
    return json_object(
        row["job"],
        row["date"],
        row["status"],
        run_id=run,
        started_at=row["started_at"],
        seconds=row["seconds"],
        report=str(reports / row["report"]) if row["report"] else None,
        metrics=metrics,
        rejected=rejected,
        partial=bool(row["partial"]),
    )


def json_object(
    job: str,
    date: str | None,
    status: str,
    *,
    run_id: int | None = None,
    started_at: str | None = None,
    seconds: float | None = None,
    report: str | None = None,
    metrics: Mapping[str, Any] | None = None,
    rejected: Mapping[str, int] | None = None,
    partial: bool = False,
) -> dict[str, Any]:
    """The one object of `--json`, with all its keys, also where there is no run; `partial` is there if so."""
    return {
        "job": job,
        "run_id": run_id,
        "date": date,
        "status": status,
        "started_at": started_at,
        "seconds": seconds,
        "report": report,
        "metrics": dict(metrics or {}),
        "rejected": dict(rejected or {}),
        **({"partial": True} if partial else {}),
    }


def seconds_between(start: str, end: str) -> float:
    """Seconds from one of `now`'s moments to another."""
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds(), 3)


def _number(value: Any) -> float | None:
    """A metric's value where it is one number; lists and texts live in the column `json` alone."""
    return float(value) if isinstance(value, int | float) else None
