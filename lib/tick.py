"""One look at the whole desk: what was missed is recorded or made up for, dead runs are ended, messages tried again.

    python -m jobs tick

Cron does it every ten minutes, the service by itself. One look at a time works; a second one at once does nothing.
"""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlite_utils import Database

from lib import runs
from lib.due import Due, Row, Watch, due, watch_of
from lib.errors import DeskError
from lib.launch import launch
from lib.rules import overdue
from lib.schedules import Schedule
from lib.settings import Settings
from lib.store import open_store, rows, table, writing

LOCK = "tick"
ENDED_BY_SIGTERM = 128 + signal.SIGTERM  # exit code

After = Callable[[Database, datetime], Sequence[str] | None]


@dataclass(frozen=True)
class Order:
    """A start that is asked for: `late` to make up for what was missed, else on time. `fire` is in UTC."""

    job: str
    date: date
    fire: datetime
    late: bool

    def why(self, zone: ZoneInfo) -> str:
        """For people."""
        return f"{'to make up for' if self.late else 'due at'} {self.fire.astimezone(zone):%Y-%m-%d %H:%M}"


Start = Callable[[Order], bool]


@dataclass(frozen=True)
class Entry:
    """A job and date, and what is to be said of it."""

    job: str
    date: str
    message: str


@dataclass(frozen=True)
class Report:
    """What a look found and did. `busy`: another one was at work, and this one did nothing. `dead` are runs' numbers.

    `waiting` are made up for when the run before them has ended. `failed` are starts that couldn't be.
    """

    busy: bool = False
    dead: tuple[int, ...] = ()
    missed: tuple[Entry, ...] = ()
    started: tuple[Entry, ...] = ()
    waiting: tuple[Entry, ...] = ()
    failed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """For people; none where there was nothing to do."""
        if self.busy:
            return ["Another tick is at work; this one did nothing."]
        return [
            *(f"run {each} was found dead" for each in self.dead),
            *(f"{each.job} {each.date}: missed. {each.message}" for each in self.missed),
            *(f"{each.job} {each.date}: started, {each.message}" for each in self.started),
            *(f"{each.job} {each.date}: waits, {each.message}" for each in self.waiting),
            *self.failed,
            *self.notes,
        ]

    @property
    def json(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def tick(
    schedules: Mapping[str, Schedule],
    settings: Settings,
    *,
    now: datetime | None = None,
    start: Start | None = None,
    starts: bool = False,
    before: After | None = None,
    after: After | None = None,
) -> Report:
    """Look at the desk once. Makes the store where there is none yet. Raises DeskError.

    `schedules` are the jobs', with nightdesk.toml's changes. `start` starts a job and doesn't wait; false where that
    can't be now. With `starts`, what is due now and on time is started as well, which cron or the
    service's own timer does otherwise. `before(db, now)` is called before anything is started, when what is late still
    is, and `after(db, now)` at the end; what they return are lines for people.
    """
    lock = runs.take_lock(settings.data, LOCK)
    if lock is None:
        return Report(busy=True)
    try:
        db = open_store(settings.data)
        try:
            moment = now or datetime.now(UTC)
            dead = reap(db, settings)
            known = _times_known(db)
            notes = (before(db, moment) if before else None) or ()
            report = look(db, schedules, settings, moment, start or _launcher(settings), starts=starts)
            late = overdue(db, settings, schedules, moment)
            news = bool(dead or report.missed or late) or _times_known(db) != known
            notes = (*notes, *_publish(db, settings, schedules, news=news))
            said = after(db, moment) if after else None
            return replace(report, dead=tuple(dead), notes=(*notes, *report.notes, *(said or ())))
        finally:
            db.close()
    finally:
        os.close(lock)


def _times_known(db: Database) -> list[tuple[Any, ...]]:
    """The jobs' times as the store has them: the desk's page says when each is started next."""
    return list(db.execute("SELECT job, at, timezone FROM watched ORDER BY job").fetchall())


def reap(db: Database, settings: Settings) -> list[int]:
    """End the rows of runs found dead and remove what they have left, as the next start of their job would."""
    dead = runs.reap(db, settings.data, holding="")
    if dead:
        from lib.job import tidy_dead  # pages and their libraries: not needed to see that nobody is dead

        tidy_dead(db, settings.data, dead)
    return dead


def _publish(db: Database, settings: Settings, schedules: Mapping[str, Schedule], *, news: bool) -> Sequence[str]:
    """Show on the desk's page what was missed, found dead or is late, and pages whose run was killed before it could.

    What goes wrong with it is a line, also where it is a bug: there are messages to be delivered.
    """
    unseen = _unseen(db, settings)
    if not news and not unseen:
        return ()
    from lib import reports  # pages and their libraries: not needed where there is nothing new

    try:
        for job in unseen:
            reports.publish(db, settings, job)
        if news:
            reports.publish_index(db, settings, schedules)
    except Exception as fault:
        return (f"the desk's page is not written: {fault if isinstance(fault, DeskError) else repr(fault)}",)
    return ()


def _unseen(db: Database, settings: Settings) -> list[str]:
    """Jobs whose latest page is kept beside the run and not among the reports, and which aren't at work."""
    sql = "SELECT job, max(date), report, folder FROM runs WHERE committed = 1 AND report IS NOT NULL GROUP BY job"
    found = []
    for row in rows(db, sql):
        kept = settings.data / (row["folder"] or "") / "report.html"
        if kept.is_file() and not (settings.reports / row["report"]).exists():
            lock = runs.take_lock(settings.data, row["job"])
            if lock is not None:
                os.close(lock)
                found.append(row["job"])
    return found


def look(
    db: Database,
    schedules: Mapping[str, Schedule],
    settings: Settings,
    now: datetime,
    start: Start,
    *,
    starts: bool = False,
) -> Report:
    """Record what was missed, start what is made up for; the store is only written to where there is something new."""
    missed: list[Entry] = []
    started: list[Entry] = []
    waiting: list[Entry] = []
    failed: list[str] = []
    notes: list[str] = []
    for job, schedule in schedules.items():
        old = _read_watch(db, job)
        watch, believed = watch_of(old, schedule, settings.timezone, now)
        if watch is None or not believed:
            notes.append(f"{job}: the clock says {now:%Y-%m-%d %H:%M} UTC, far from the last look; nothing is done yet")
            if watch is not None and watch != old:
                with writing(db):
                    _write_watch(db, job, watch)
            continue
        found = _due(db, job, schedule, settings, watch, now)
        if found.missed or found.make_up or replace(watch, since=found.since) != old:
            with writing(db):  # what was read above may have changed since: a run may just have begun
                found = _due(db, job, schedule, settings, watch, now)
                for slot, message in found.missed:
                    runs.note(db, job, slot.date.isoformat(), "missed", message, None, moment=runs.stamp(now))
                    missed.append(Entry(job, slot.date.isoformat(), message))
                tried = watch
                if found.make_up:
                    tried = replace(watch, trying=found.make_up.date, tried_at=now)
                _write_watch(db, job, replace(tried, since=found.since))
        if found.make_up:
            order = Order(job, found.make_up.date, found.make_up.fire, late=True)
            if _start(start, order, settings.zone, started, failed):
                waiting += [Entry(job, each.date.isoformat(), "one at a time") for each in found.later]
            else:
                with writing(db):  # not tried: the next look may
                    _write_watch(db, job, replace(watch, since=found.since))
        for slot in found.on_time if starts else ():
            _start(start, Order(job, slot.date, slot.fire, late=False), settings.zone, started, failed)
    return Report(
        missed=tuple(missed),
        started=tuple(started),
        waiting=tuple(waiting),
        failed=tuple(failed),
        notes=tuple(notes),
    )


def _start(start: Start, order: Order, zone: ZoneInfo, started: list[Entry], failed: list[str]) -> bool:
    try:
        if not start(order):
            return False
    except (OSError, DeskError) as fault:
        failed.append(f"{order.job} {order.date}: can't be started: {fault}")
        return False
    started.append(Entry(order.job, order.date.isoformat(), order.why(zone)))
    return True


def _due(db: Database, job: str, schedule: Schedule, settings: Settings, watch: Watch, now: datetime) -> Due:
    """`due` from the ledger. Reads only."""
    # A logical date may fire two days after it, where a zone leaves out a day.
    first = watch.since.astimezone(settings.zone).date().toordinal() - 2
    ledger: dict[date, list[Row]] = {}
    sql = "SELECT date, status, started_at, exit_code FROM runs WHERE job = ? AND date >= ?"
    for row in rows(db, sql, job, date.fromordinal(first).isoformat()):
        # A machine that is shut down ends its jobs with SIGTERM: as good as found dead.
        status = "crashed" if row["exit_code"] == ENDED_BY_SIGTERM else row["status"]
        each = Row(status, datetime.fromisoformat(row["started_at"]))
        ledger.setdefault(date.fromisoformat(row["date"]), []).append(each)
    at_work = bool(rows(db, "SELECT id FROM runs WHERE status = 'running' AND job = ? LIMIT 1", job))
    return due(schedule, settings.zone, watch, ledger, now, at_work=at_work)


def _read_watch(db: Database, job: str) -> Watch | None:
    found = rows(db, "SELECT * FROM watched WHERE job = ?", job)
    if not found:
        return None
    row = found[0]
    return Watch(
        row["at"],
        row["timezone"],
        datetime.fromisoformat(row["since"]),
        datetime.fromisoformat(row["seen"]),
        date.fromisoformat(row["trying"]) if row["trying"] else None,
        datetime.fromisoformat(row["tried_at"]) if row["tried_at"] else None,
    )


def _write_watch(db: Database, job: str, watch: Watch) -> None:
    row = {
        "job": job,
        "at": watch.at,
        "timezone": watch.timezone,
        "since": runs.stamp(watch.since),
        "seen": runs.stamp(watch.seen),
        "trying": watch.trying.isoformat() if watch.trying else None,
        "tried_at": runs.stamp(watch.tried_at) if watch.tried_at else None,
    }
    table(db, "watched").insert(row, replace=True)


def _launcher(settings: Settings) -> Start:
    """Start jobs and let go of them."""

    def start(order: Order) -> bool:
        launch(order.job, order.date, settings).process.returncode = 0  # nobody waits, and Python would warn of that
        return True

    return start
