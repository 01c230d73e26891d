"""The outbox: what has to be told is a row before it is sent, and stays one until it has been, or for three days.

    deliver(db, settings, datetime.now(UTC))

Messages go out from a process of their own, all at once, that is ended after ten seconds: neither a dead mail server
nor a name server that keeps silent holds a night up. A row is taken before it is sent, so that of two deliveries at the
same time one sends it. Only where a delivery was killed, or an answer got lost, is a message sent again, with the id
it had.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from lib.channels import Target, host_name, targets
from lib.messages import Message
from lib.runs import stamp
from lib.settings import Settings
from lib.store import rows, table, writing

ROOT = Path(__file__).parent.parent
IN_ALL = 10.0  # seconds that one delivery may take
AT_ONCE = 16  # messages in one sending process
TAKEN = timedelta(minutes=2)  # for so long nobody else sends a row; a delivery that was killed gives it up so
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=3)
FEWEST_TRIES = 3  # before that: to a clock that is a year ahead everything is old
PING_EVENTS = ("start", "end")
SENDER = "import sys; sys.path.insert(0, sys.argv[1]); from lib.channels import main; main()"


@dataclass(frozen=True)
class Delivery:
    """What became of the rows that waited, and of how many more are still waiting; `faults` are one line each."""

    delivered: int = 0
    waiting: int = 0
    given_up: int = 0
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tried:
    """What came of a test message over one channel."""

    channel: str
    ok: bool
    sentence: str


def put(db: Database, channels: Sequence[str], messages: Sequence[Message], moment: str) -> int:
    """Add a row an event and channel, unless it has one; returns how many are new. `moment` is as `runs.stamp` writes.

    Pings get the events start and end, the other channels all the others. Has to stand in a write transaction.
    """
    new = 0
    for message in messages:
        for channel in channels:
            if (channel == "ping") is not (message.event in PING_EVENTS):
                continue
            row = {
                "run": message.run,
                "job": message.job,
                "date": message.date,
                "event": message.event,
                "channel": channel,
                "body": json.dumps(message.to_json(), ensure_ascii=False),
                "created_at": moment,
                "next_at": moment,
            }
            names = ", ".join(row)
            marks = ", ".join("?" for _ in row)
            sql = f"INSERT OR IGNORE INTO notifications ({names}) VALUES ({marks})"
            new += max(0, db.execute(sql, list(row.values())).rowcount)
    return new


def waiting(db: Database) -> list[dict[str, Any]]:
    """The rows that wait for a try, the oldest first: all their columns but the message's body."""
    columns = "id, run, job, date, event, channel, created_at, attempts, next_at, error"
    return rows(db, f"SELECT {columns} FROM notifications WHERE next_at IS NOT NULL ORDER BY id")


def deliver(db: Database, settings: Settings, now: datetime) -> Delivery:
    """Send what is due at `now`, in ten seconds at most. Rows are written; nothing is raised that a channel does."""
    known = targets(settings.notify)
    end = time.monotonic() + IN_ALL
    delivered = given_up = 0
    faults: list[str] = []
    while time.monotonic() < end and (taken := _take(db, known, now)) is not None:
        given_up += taken.given_up
        results = send_all(
            [_item(number, row, known) for number, row in enumerate(taken.rows)], max(1.0, end - time.monotonic())
        )
        for row, (fault, note) in zip(taken.rows, results, strict=True):
            change: dict[str, Any]
            if fault is None:
                change = {"delivered_at": stamp(now), "next_at": None, "error": note, "body": _kept(row)}
                delivered += 1
            elif _is_old(row, now) and row["attempts"] >= FEWEST_TRIES:
                said = f"given up after {row['attempts']} attempts in {GIVE_UP_AFTER.days} days: {fault}"
                change = {"next_at": None, "error": said, "body": _kept(row)}
                given_up += 1
            else:
                change = {"next_at": stamp(now + wait(row["attempts"])), "error": fault}
            with writing(db):
                # A machine that slept in between may find that another delivery has had it since.
                if fault is None or table(db, "notifications").get(row["id"])["delivered_at"] is None:
                    table(db, "notifications").update(row["id"], change)
            if fault or note:
                faults.append(f"{row['job']}, {row['date']}, {row['event']} by {row['channel']}: {fault or note}")
    left = rows(db, "SELECT COUNT(*) AS count FROM notifications WHERE next_at IS NOT NULL")[0]["count"]
    return Delivery(delivered, left, given_up, tuple(faults))


def wait(attempts: int) -> timedelta:
    """How long a message waits after so many attempts: a minute, two, four, and so on, an hour at most."""
    return min(FIRST_WAIT * (1 << min(attempts - 1, 10)), LONGEST_WAIT)


def send_all(items: Sequence[dict[str, Any]], seconds: float) -> list[tuple[str | None, str | None]]:
    """Send in a process of its own, ended after so many seconds; of each item the fault, and what else is to be said.

    What a command has started and left behind ends with it, as with a job.
    """
    results: list[tuple[str | None, str | None]] = [(f"no answer within {seconds:.0f} s", None)] * len(items)
    if not items:
        return results
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", SENDER, str(ROOT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a traceback's texts may hold anything
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(json.dumps(list(items)).encode(), timeout=seconds)
        if process.returncode:
            results = [(f"the sending process ended with status {process.returncode}", None)] * len(items)
    except subprocess.TimeoutExpired:
        _kill_group(process)
        said, _ = process.communicate()
    except BaseException:
        _kill_group(process)
        process.communicate()
        raise
    _kill_group(process)
    for line in said.splitlines():
        with contextlib.suppress(ValueError, LookupError, TypeError):  # a line cut short by the end
            result = json.loads(line)
            results[result["number"]] = (result["fault"], result["note"])
    return results


def test(settings: Settings, job: str = "nightdesk") -> list[Tried]:
    """Send a test message over each channel that is set, now, past the outbox; [] where none is.

    A ping is one that is logged and moves nothing (Healthchecks' /log); `job` stands in its address for {job}.
    """
    known = targets(settings.notify)
    moment = datetime.now(settings.zone)
    message = Message(
        "test",
        job,
        moment.date().isoformat(),
        host_name(),
        message="This is a test; nothing has happened.",
        figures=(("accuracy", "0.75"), ("articles", "1,234")),
        started_at=stamp(moment.astimezone(UTC)),
    )
    items = [
        {"number": number, "channel": channel, "target": target, "message": message.to_json(), "id": str(uuid.uuid4())}
        for number, (channel, target) in enumerate(known.items())
    ]
    results = send_all(items, IN_ALL)
    return [
        Tried(channel, fault is None, fault or note or "delivered")
        for channel, (fault, note) in zip(known, results, strict=True)
    ]


@dataclass(frozen=True)
class _Taken:
    rows: list[dict[str, Any]]
    given_up: int


def _take(db: Database, known: dict[str, Target], now: datetime) -> _Taken | None:
    """Take the rows that are due, with their attempt counted, or None where none is; the pointless are given up.

    What is for a channel that isn't known here is left alone until it is old: the service may know a secret that a
    hand's shell doesn't.
    """
    # No row waits longer than the longest wait: one that seems to was put off by a clock since set back.
    sql = f"""
        SELECT * FROM notifications WHERE (next_at <= ? OR next_at > ?)
        AND (channel IN ({", ".join("?" * len(known))}) OR created_at <= ?) ORDER BY id LIMIT ?
    """
    moments = stamp(now), stamp(now + LONGEST_WAIT + TAKEN)
    with writing(db):
        due = rows(db, sql, *moments, *known, stamp(now - GIVE_UP_AFTER), AT_ONCE)
        if not due:
            return None
        kept = []
        for row in due:
            reason = _pointless(db, row, known)
            if reason:
                change = {"next_at": None, "error": f"given up: {reason}", "body": _kept(row)}
                table(db, "notifications").update(row["id"], change)
                continue
            row["attempts"] += 1
            change = {"attempts": row["attempts"], "next_at": stamp(now + TAKEN)}
            table(db, "notifications").update(row["id"], change)
            kept.append(row)
    return _Taken(kept, len(due) - len(kept))


def _pointless(db: Database, row: dict[str, Any], known: dict[str, Target]) -> str | None:
    """Why a row needn't be sent any more. A ping is about now: one of the past would tell the switch a lie."""
    if row["channel"] not in known:
        return "the channel isn't set any more"
    if row["event"] == "start" and table(db, "runs").get(row["run"])["status"] != "running":
        return "the run has ended"
    if row["event"] == "end":
        sql = (
            "SELECT MAX(run) AS run FROM notifications WHERE job = ? AND channel = 'ping' AND event = 'end' AND run > ?"
        )
        later = rows(db, sql, row["job"], row["run"])[0]["run"]
        if later:
            return f"run {later} has ended since"
    return None


def _is_old(row: dict[str, Any], now: datetime) -> bool:
    return now - datetime.fromisoformat(row["created_at"]) >= GIVE_UP_AFTER


def _kept(row: dict[str, Any]) -> str:
    """What is kept of a message that is settled: all but the log, which has its own place and its own retention."""
    return json.dumps({**json.loads(row["body"]), "log": ""}, ensure_ascii=False)


def _item(number: int, row: dict[str, Any], known: dict[str, Target]) -> dict[str, Any]:
    id = uuid.uuid5(uuid.NAMESPACE_URL, f"nightdesk:{host_name()}:{row['id']}:{row['created_at']}")
    return {
        "number": number,
        "channel": row["channel"],
        "target": known[row["channel"]],
        "message": json.loads(row["body"]),
        "id": str(id),
    }


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
