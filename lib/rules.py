"""What is worth telling of a run: rules over the ledger, which ask nothing else and change nothing.

    for event, why in events_of(db, row, failing_after=3, output="articles"):
        ...

A run is compared with the job's last ok ones of the same options, of which there have to be five. Neither a run on
demo data nor one that was skipped is worth a word, and neither counts in another's history.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from sqlite_utils import Database

from lib.files import is_demo
from lib.messages import span
from lib.runs import seconds_between, stamp
from lib.schedules import Schedule
from lib.settings import Event, Settings
from lib.store import rows

HISTORY = 20  # runs: three weeks of nights, five months of weeks
ENOUGH = 5  # with fewer, a median is one night's whim
SHORTEST = 60.0  # seconds; below, starting up and a busy disk are most of a run, and a factor of ten is nothing
# Six median deviations are four standard ones where times are spread normally. Times have a long tail: a run has to
# take twice the median as well, which a neighbour on the same cores doesn't do, or less than a quarter of it.
DEVIATIONS = 6
SLOW, FAST = 2.0, 0.25
LOOK_BACK = timedelta(days=8)  # beyond a weekly job's last fire time

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Bounds:
    """How long, in seconds, a run may take without a word; `fast` is 0 where no run is too short."""

    fast: float
    slow: float
    usual: float
    runs: int

    def __str__(self) -> str:
        return f"its last {self.runs} runs took {span(self.usual)} (median)"


def bounds(seconds: list[float]) -> Bounds | None:
    """The bounds that a history of durations sets; None where it is too short to tell."""
    if len(seconds) < ENOUGH:
        return None
    usual = median(seconds)
    spread = DEVIATIONS * median(abs(each - usual) for each in seconds)
    fast = min(FAST * usual, usual - spread) if usual >= SHORTEST else 0.0
    slow = max(SLOW * usual, usual + spread, usual + SHORTEST)
    return Bounds(max(0.0, fast), slow, usual, len(seconds))


def history(db: Database, row: Row) -> list[float]:
    """The seconds of the last committed, whole runs before this one that had the same options."""
    sql = """
        SELECT seconds FROM runs WHERE job = ? AND options IS ? AND id < ? AND status = 'ok' AND committed = 1
        AND demo = 0 AND partial = 0 AND seconds IS NOT NULL ORDER BY id DESC LIMIT ?
    """
    return [each["seconds"] for each in rows(db, sql, row["job"], row["options"], row["id"], HISTORY)]


def events_of(db: Database, row: Row, *, failing_after: int, output: str | None = None) -> list[tuple[Event, str]]:
    """The events that the end of a run amounts to, each with why, "" where the run's own sentence says it all.

    `output` is the name of the metric that counts what the run has made; None: the job hasn't declared one.
    """
    if row["demo"]:
        return []
    if row["status"] == "ok":
        found: list[tuple[Event, str]] = [("finished", "")]
        found += _by_time(row, bounds(history(db, row)))
        if output is not None and _is_empty(db, row["id"], output):
            found.append(("empty", f"the run is ok, but its {output.replace('_', ' ')} came to 0"))
        told, failures = _told_failures(db, row)
        if told:
            found.append(("recovered", f"it has succeeded after {_times(failures)}"))
        return found
    if row["status"] == "missed":
        return [("missed", "")]
    if row["status"] in ("failed", "crashed"):
        streak = failures_in_a_row(db, row)
        found = [(row["status"], "")]
        if streak % failing_after == 0:
            found.append(("failing", f"it has failed {streak} times in a row"))
        return found
    return []


def failures_in_a_row(db: Database, row: Row) -> int:
    """How many runs of the job, this one the last, failed or crashed with no ok one among them."""
    return len(_streak(db, row["job"], row["id"]))


def slow_so_far(db: Database, row: Row, now: datetime) -> str | None:
    """Why a run that still goes on is slow by now, or None where it isn't."""
    found = bounds(history(db, row))
    so_far = seconds_between(row["started_at"], stamp(now))
    if row["demo"] or row["status"] != "running" or found is None or so_far <= found.slow:
        return None
    return f"it has been running for {span(so_far)}; {found}"


def late(
    db: Database, settings: Settings, schedules: Mapping[str, Schedule], now: datetime
) -> list[tuple[str, str, str]]:
    """The jobs whose last run should have started within its grace and didn't: job, logical date, why.

    A run that began later, to make up for it, changes nothing of that; one that was found missed is told as such, and a
    job that isn't made up for is never late but missed. Fire times count from `watched.since` on; without such a row
    none does. Nothing is late at a demo desk.
    """
    if "watched" not in db.table_names() or is_demo([settings.data]):
        return []
    since = {each["job"]: each for each in rows(db, "SELECT job, at, timezone, since FROM watched")}
    found = []
    for job, schedule in schedules.items():
        anchor = since.get(job)
        if anchor is None or not schedule.most_caught_up:
            continue
        if (anchor["at"], anchor["timezone"]) != (schedule.at, settings.timezone):
            continue
        after = max(datetime.fromisoformat(anchor["since"]), now - LOOK_BACK)
        fires = list(schedule.fire_times(settings.zone, after, now - schedule.misfire_grace))
        if not fires:
            continue
        day, moment = fires[-1]
        sql = "SELECT status, started_at FROM runs WHERE job = ? AND date = ? AND status <> 'skipped' ORDER BY id"
        begun = rows(db, sql, job, day.isoformat())
        in_time = stamp(moment + schedule.misfire_grace)
        if any(each["status"] == "missed" or each["started_at"] <= in_time for each in begun):
            continue
        did = f"did so at {_clock(begun[0]['started_at'], settings)}" if begun else "hasn't; is the scheduler up?"
        found.append((job, day.isoformat(), f"it should have started at {_clock(stamp(moment), settings)} and {did}"))
    return found


def overdue(
    db: Database, settings: Settings, schedules: Mapping[str, Schedule], now: datetime
) -> dict[str, tuple[str, str]]:
    """The jobs that are late and still haven't begun: the logical date and why, by job."""
    sql = "SELECT 1 FROM runs WHERE job = ? AND date = ? AND status <> 'skipped' LIMIT 1"
    return {job: (day, why) for job, day, why in late(db, settings, schedules, now) if not rows(db, sql, job, day)}


def _clock(moment: str, settings: Settings) -> str:
    return datetime.fromisoformat(moment).astimezone(settings.zone).strftime("%Y-%m-%d %H:%M %Z")


def _by_time(row: Row, found: Bounds | None) -> list[tuple[Event, str]]:
    if found is None or row["seconds"] is None:
        return []
    took = f"it took {span(row['seconds'])}; {found}"
    if row["seconds"] > found.slow:
        return [("slow", took)]
    if row["seconds"] < found.fast and not row["partial"]:  # a partial one is known to have ended early
        return [("fast", took)]
    return []


def _is_empty(db: Database, run: int, output: str) -> bool:
    said = rows(db, "SELECT json FROM metrics WHERE run = ? AND name = ?", run, output)
    value = json.loads(said[0]["json"]) if said else None
    return not value or (isinstance(value, float) and math.isnan(value))


def _streak(db: Database, job: str, last: int) -> list[int]:
    """The failed and crashed runs up to `last` and after the ok one before it."""
    sql = """
        SELECT id FROM runs WHERE job = ?1 AND id <= ?2 AND status IN ('failed', 'crashed') AND demo = 0 AND id >
        (SELECT COALESCE(MAX(id), 0) FROM runs WHERE job = ?1 AND id <= ?2 AND status = 'ok' AND demo = 0)
    """
    return [each["id"] for each in rows(db, sql, job, last)]


def _told_failures(db: Database, row: Row) -> tuple[bool, int]:
    """Whether one of the failures right before an ok run was told, or is going to be, and how many there are."""
    failures = _streak(db, row["job"], row["id"] - 1)
    if not failures:
        return False, 0
    sql = f"""
        SELECT 1 FROM notifications WHERE run IN ({", ".join("?" * len(failures))}) AND channel <> 'ping'
        AND event IN ('failed', 'crashed', 'failing') AND (delivered_at IS NOT NULL OR next_at IS NOT NULL) LIMIT 1
    """
    return bool(rows(db, sql, *failures)), len(failures)


def _times(count: int) -> str:
    return "a failure" if count == 1 else f"{count:,} failures in a row"
