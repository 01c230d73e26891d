"""Being told: what a run's start, its end and the passing of time amount to goes into the outbox, and out.

    notices.started(db, settings, run)                                      # the job, before it works
    notices.ended(db, settings, run, output="articles", log=folder / LOG)   # and when its row has ended
    notices.watch(db, settings, schedules, datetime.now(UTC))               # tick, last: look, then deliver
    outbox.waiting(db); outbox.test(settings)                               # notify, notify --test

`[notify] on` says which events are worth a message. A ping goes out for each run that starts and ends, whatever it
says; demo runs tell nobody. What goes wrong here is a line in the log and never the run's fault.

Each end is judged once, which the table `judged` remembers, whether or not somebody is told: by the run itself, and
where it can't (it was missed, found dead, or its supervisor was killed) by the job's next run or by a tick.
"""

import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ParamSpec

from sqlite_utils import Database

from lib import logs, outbox, rules
from lib.channels import host_name, targets
from lib.errors import as_desk_error
from lib.files import is_demo
from lib.messages import LOG_BYTES, Message, figure, last_lines
from lib.outbox import Delivery
from lib.runs import stamp
from lib.schedules import Schedule
from lib.settings import Settings
from lib.store import rows, table, writing

FIGURES = 6
SETTLED = timedelta(minutes=5)  # after its end, a run that hasn't judged it was left by a supervisor that was killed

P = ParamSpec("P")
log_of_the_desk = logging.getLogger("nightdesk.notices")


def started(db: Database, settings: Settings, run: int) -> None:
    """Tell the dead man's switch that a run has started, in ten seconds at most."""
    _at_the_border(_started, db, settings, run)


def ended(db: Database, settings: Settings, run: int, output: str | None = None, log: Path | None = None) -> None:
    """Put what a run's end amounts to into the outbox and deliver it, in ten seconds at most.

    What the job's earlier runs left untold comes first. For every way a row ends, `skipped` included. `output` is the
    metric that counts what the job makes, `log` the run's log (without it, the one in the run's folder). A person's
    Ctrl-C leaves the rest to the next tick.
    """
    try:
        _at_the_border(_ended, db, settings, run, output, log)
    except KeyboardInterrupt:
        log_of_the_desk.warning("interrupted while telling of run %s; what is left is told by the next tick", run)


def look(db: Database, settings: Settings, schedules: Mapping[str, Schedule], now: datetime) -> None:
    """Put into the outbox what no run says of itself: what is late, slow by now, or has ended untold.

    `schedules` are those in force, by job. Nothing is sent: `deliver` does that. May be called as often as one likes.
    """
    _at_the_border(_look, db, settings, schedules, now.astimezone(UTC))


def watch(db: Database, settings: Settings, schedules: Mapping[str, Schedule], now: datetime) -> Delivery:
    """`look`, then `deliver`."""
    look(db, settings, schedules, now)
    return deliver(db, settings, now)


def deliver(db: Database, settings: Settings, now: datetime) -> Delivery:
    """Send what waits and is due, in ten seconds at most; what could not be sent is a line in the log."""
    found: list[Delivery] = []
    _at_the_border(lambda: found.append(_deliver(db, settings, now.astimezone(UTC))))
    return found[0] if found else Delivery()


def message_of(
    settings: Settings, db: Database, row: Mapping[str, Any], event: str, why: str = "", log: Path | None = None
) -> Message:
    """The message of an event of a run: its sentence, figures, page and the end of its log."""
    report = (settings.reports / row["report"]).absolute() if row["report"] else None
    path = log or (settings.data / row["folder"] / logs.LOG if row["folder"] else None)
    rejected = rows(db, "SELECT COALESCE(SUM(count), 0) AS count FROM rejected WHERE run = ?", row["id"])
    return Message(
        event,
        row["job"],
        row["date"],
        host_name(),
        run=row["id"],
        status=row["status"],
        exit_code=row["exit_code"],
        message=row["message"] or "",
        why=why,
        figures=tuple(figures(db, row["id"])),
        rejected=rejected[0]["count"],
        report=str(report) if report else None,
        report_url=report.as_uri() if report else None,
        started_at=row["started_at"],
        seconds=row["seconds"],
        log=_end_of(path),
    )


def figures(db: Database, run: int) -> list[tuple[str, str]]:
    """Up to six of a run's metrics that are one number, in the job's own order, for people."""
    found = []
    for each in rows(db, "SELECT name, json FROM metrics WHERE run = ? ORDER BY rowid", run):
        value = json.loads(each["json"])
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            found.append((each["name"].replace("_", " "), figure(value)))
    return found[:FIGURES]


def _started(db: Database, settings: Settings, run: int) -> None:
    row = table(db, "runs").get(run)
    if not row["demo"] and "ping" in targets(settings.notify):
        now = datetime.now(UTC)
        message = message_of(settings, db, row, "start")
        with writing(db):
            outbox.put(db, ["ping"], [message], stamp(now))
        _deliver(db, settings, now)


def _ended(db: Database, settings: Settings, run: int, output: str | None, log: Path | None) -> None:
    row = table(db, "runs").get(run)
    now = datetime.now(UTC)
    left = [each for each in _unjudged(db, now) if each["job"] == row["job"] and each["id"] < run]
    new = _judge_all(db, settings, left, now)
    if new + _judge(db, settings, row, now, output=output, log=log):
        _deliver(db, settings, now)


def _look(db: Database, settings: Settings, schedules: Mapping[str, Schedule], now: datetime) -> None:
    _judge_all(db, settings, _unjudged(db, now), now)
    channels, wanted = list(targets(settings.notify)), settings.notify.on
    messages: list[Message] = []
    if channels and "slow" in wanted:
        for row in rows(db, "SELECT * FROM runs WHERE status = 'running' AND demo = 0"):
            why = rules.slow_so_far(db, row, now)
            messages += [message_of(settings, db, row, "slow", why)] if why else []
    if channels and "late" in wanted:
        late = rules.late(db, settings, schedules, now)
        messages += [Message("late", job, date, host_name(), why=why) for job, date, why in late]
    if messages:
        with writing(db):
            outbox.put(db, channels, messages, stamp(now))


def _unjudged(db: Database, now: datetime) -> list[dict[str, Any]]:
    """The rows whose end nobody has judged, and whose own run isn't about to.

    A start that was skipped is judged by itself or not at all. An end that is still to come is of a clock that was
    ahead.
    """
    sql = """
        SELECT * FROM runs WHERE id NOT IN (SELECT run FROM judged) AND (
            status IN ('crashed', 'missed') OR status IN ('ok', 'failed') AND (ended_at <= ? OR ended_at > ?)
        ) ORDER BY id
    """
    return rows(db, sql, stamp(now - SETTLED), stamp(now + SETTLED))


def _judge_all(db: Database, settings: Settings, found: Iterable[dict[str, Any]], now: datetime) -> int:
    """Judge rows in their order, for one recovers only from what was told; returns the number of new messages.

    Of the dates that a job has missed the last one speaks for all: a fortnight without power is one message.
    """
    new = 0

    def one(row: Mapping[str, Any], before: Sequence[Mapping[str, Any]] = ()) -> None:
        nonlocal new
        new += _judge(db, settings, row, now, before=before)

    missed: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in found:
        if row["status"] == "missed":
            missed.setdefault((row["job"], row["demo"]), []).append(row)
        else:
            _at_the_border(one, row)  # one that can't be told holds no other up
    for of_job in missed.values():
        *before, last = sorted(of_job, key=lambda row: (row["date"], row["id"]))
        _at_the_border(one, last, before)
    return new


def _judge(
    db: Database,
    settings: Settings,
    row: Mapping[str, Any],
    now: datetime,
    *,
    output: str | None = None,
    log: Path | None = None,
    before: Sequence[Mapping[str, Any]] = (),
) -> int:
    """Put what a row's end amounts to into the outbox, once; returns the number of new messages.

    `before` are dates missed before it, which are judged with it.
    """
    if row["status"] == "running":
        return 0
    channels = list(targets(settings.notify))
    silent = not channels or row["demo"] or is_demo([settings.data])  # a date missed at a demo desk doesn't say so
    messages = [] if silent else _messages(db, settings, row, output, log, before)
    with writing(db):
        if not _mark(db, row):
            return 0
        for each in before:
            _mark(db, each)
        return outbox.put(db, channels, messages, stamp(now))


def _mark(db: Database, row: Mapping[str, Any]) -> bool:
    """Note that a row is judged; False where it was."""
    return db.execute("INSERT OR IGNORE INTO judged (run) VALUES (?)", [row["id"]]).rowcount > 0


def _messages(
    db: Database,
    settings: Settings,
    row: Mapping[str, Any],
    output: str | None,
    log: Path | None,
    before: Sequence[Mapping[str, Any]],
) -> list[Message]:
    wanted = settings.notify.on
    events = rules.events_of(db, row, failing_after=settings.notify.failing_after, output=output)
    more = _missed_before([each["date"] for each in before])
    messages = [message_of(settings, db, row, event, why or more, log) for event, why in events if event in wanted]
    # What is done already is well; of a start that found another at work, the other one tells.
    said_by_another = row["status"] == "skipped" and row["exit_code"] != 0
    if not said_by_another:
        messages.append(message_of(settings, db, row, "end", log=log))
    return messages


def _missed_before(dates: Sequence[str]) -> str:
    if len(dates) < 2:
        return f"one date before it was missed as well, {dates[0]}" if dates else ""
    return f"{len(dates)} dates before it were missed as well, the first of them {dates[0]}"


def _deliver(db: Database, settings: Settings, now: datetime) -> Delivery:
    done = outbox.deliver(db, settings, now)
    for fault in done.faults:
        log_of_the_desk.warning("not told: %s", fault)
    return done


def _end_of(path: Path | None) -> str:
    return last_lines(logs.tail(path, LOG_BYTES)) if path else ""


def _at_the_border(call: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call, and make a line of whatever goes wrong. A bug's text is left out, for it may hold anything."""
    try:
        call(*args, **kwargs)
    except Exception as fault:
        known = as_desk_error(fault)
        log_of_the_desk.warning("notifications failed, the run is as it was: %s", known or type(fault).__name__)
