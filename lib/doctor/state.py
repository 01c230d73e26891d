"""What the desk has written: the store, locks, ticks, last runs, backups, and the templates that show them."""

import json
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import lock_descriptor
from jinja2 import TemplateError
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from lib import reports
from lib.doctor.check import Check, Need, failed, ok, warning
from lib.keeping import BACKUPS, REPLACED
from lib.manifest import MANIFEST
from lib.runs import stamp
from lib.schedules import NEVER, TICK_MINUTES, Schedule
from lib.settings import Settings
from lib.store import STORE, desk_tables, migrate, rows

LONGEST_LOOK = 20.0  # seconds that the store is held for readers alone; a run's commit waits for 30
SETTLING = 1.5  # seconds that a start may hold a lock before its row is there
TICKS = timedelta(minutes=3 * TICK_MINUTES)
OLDEST_BACKUP = timedelta(days=3)
RUNS_MEASURED = 5
PUT_BACK = "put a backup back: python -m jobs restore --force, which moves aside what is there"
LOST = f"the store isn't sound; stop the desk and {PUT_BACK}"


def open_store_to_look(data: Path) -> Database | None:
    """The store as it is, without migrations; None where there is none. Raises sqlite3.Error.

    Not read-only: what a killed process has left half done is rolled back by whoever opens the file next.
    """
    path = data / STORE
    if not os.path.lexists(path):
        return None
    return Database(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=5))


def database(data: Path, migrations: Iterable[Migrations]) -> Iterator[Check]:
    """Whether the store opens, is whole, keeps its foreign keys, and has the tables of this code."""
    name = "database"
    try:
        db = open_store_to_look(data)
        if db is None:
            yield ok(name, f"{data / STORE} is not there yet; the first run makes it")
            return
        try:
            yield from _integrity(db, name)
            yield from _tables(db, (desk_tables, *migrations))
        finally:
            db.close()
    except sqlite3.OperationalError as fault:
        if "locked" in str(fault):
            said = "somebody has held the store for 5 seconds, so it was not looked at"
            yield warning(name, said, "look again when no run is at work")
        else:
            yield failed(name, f"{data / STORE} can't be opened ({fault})", "check who owns the data folder; " + LOST)
    except sqlite3.DatabaseError as fault:
        yield failed(name, f"{data / STORE} is damaged ({fault})", LOST)


def _integrity(db: Database, name: str) -> Iterator[Check]:
    end = time.monotonic() + LONGEST_LOOK
    over = threading.Event()

    def interrupt() -> None:
        """Older SQLites don't ask the handler while they walk the pages; this reaches them there, too."""
        if not over.wait(LONGEST_LOOK):
            while not over.wait(0.01):  # between two statements it comes to nothing
                db.conn.interrupt()

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    db.conn.set_progress_handler(lambda: int(time.monotonic() > end), 100_000)
    try:
        faults = [str(row[0]) for row in db.execute("PRAGMA integrity_check(100)")]
        orphans = Counter(str(row[0]) for row in db.execute("PRAGMA foreign_key_check"))
    except sqlite3.OperationalError as fault:
        if "interrupted" not in str(fault):
            raise
        said = f"the look at it was given up after {LONGEST_LOOK:g} seconds, so as not to hold up a run"
        yield warning(name, said, f"when none is at work: sqlite3 {STORE} 'PRAGMA integrity_check'")
        return
    finally:
        over.set()
        thread.join()
        db.conn.set_progress_handler(None, 0)
    if faults != ["ok"]:
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        yield failed(name, f"damaged: {' '.join(faults[0].split())}{more}", LOST)
    if orphans:
        shown = ", ".join(f"{table} ({count:,} rows)" for table, count in orphans.items())
        yield failed(name, f"rows without the row they belong to, in {shown}", PUT_BACK)
    if faults == ["ok"] and not orphans:
        yield ok(name, "whole, and its foreign keys hold")


def _tables(db: Database, sets: Sequence[Migrations]) -> Iterator[Check]:
    nothing = Database(memory=True)
    pending = [f"{each.name}.{step.name}" for each in sets for step in each.pending(db)]
    known = {f"{each.name}.{step.name}" for each in sets for step in each.pending(nothing)}
    nothing.close()
    newer = [name for each in sets for step in each.applied(db) if (name := f"{each.name}.{step.name}") not in known]
    if newer:
        said = f"written by a newer desk, with {', '.join(newer)}"
        yield warning("tables", said, "bring the code up to date, or put an older backup back")
    elif pending:
        yield ok("tables", f"the next start makes {', '.join(pending)}")
    else:
        yield ok("tables", "up to date")


def locks(db: Database, data: Path, schedules: Mapping[str, Schedule], now: datetime) -> Iterator[Check]:
    """Whether who runs holds a lock, and who holds a lock runs."""
    quiet = True
    running = {row["job"]: row for row in rows(db, "SELECT * FROM runs WHERE status = 'running' ORDER BY id")}
    for job in dict.fromkeys([*schedules, *running]):
        name, held = f"lock of {job}", _is_held(data, job)
        if held and job not in running:
            time.sleep(SETTLING)
            held = _is_held(data, job)
            started = rows(db, "SELECT * FROM runs WHERE status = 'running' AND job = ? ORDER BY id", job)
            running |= {job: started[-1]} if started else {}
        row = running.get(job)
        if not held and row is None:
            continue
        quiet = False
        if row is None:
            said = f"held {_by_whom(data, job)}, and no run is at work; starts of {job} are skipped"
            yield warning(name, said, "wait if that is a backup, a rollback or the like; else end that process")
        elif not held:
            said = f"run {row['id']} is `running` since {row['started_at']}, and nobody holds the lock: it is dead"
            yield failed(name, said, f"python -m jobs tick, or the next start of {job}, marks it as crashed")
        else:
            yield _at_work(name, data, row, schedules.get(job), now)
    if quiet:
        yield ok("locks", "no run is at work, and no lock is held")


def _at_work(name: str, data: Path, row: Mapping[str, Any], schedule: Schedule | None, now: datetime) -> Check:
    since = datetime.fromisoformat(row["started_at"])
    said = f"run {row['id']} is at work since {row['started_at']}, {_by_whom(data, row['job'])}"
    if schedule and (now - since).total_seconds() > schedule.seconds + 60:
        return failed(name, f"{said}, past its deadline of {schedule.deadline}", "end that process; the run is lost")
    return ok(name, said)


def _is_held(data: Path, job: str) -> bool:
    """Whether somebody holds a job's lock; it is taken for a moment to see, as a start of another job does."""
    try:
        descriptor = os.open(data / "locks" / f"{job}.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not lock_descriptor(descriptor, blocking=False)
    finally:
        os.close(descriptor)


def _by_whom(data: Path, job: str) -> str:
    """The processes that hold a lock, as far as one may see: Linux tells it of a descriptor in /proc (proc(5))."""
    wanted = str((data / "locks" / f"{job}.lock").resolve())
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            for link in (process / "fd").iterdir():
                holds = str(link.readlink()) == wanted and "lock:" in (process / "fdinfo" / link.name).read_text()
                if holds:
                    found.append(f"{process.name} ({(process / 'comm').read_text().strip()})")
                    break
        except OSError:  # another user's, or gone by now
            continue
    return f"by process {' and '.join(found)}" if found else "by a process that can't be seen from here"


def ticks(db: Database | None, data: Path, schedules: Mapping[str, Schedule], now: datetime) -> Iterator[Check]:
    """Whether somebody looks for runs that never started: cron's tick, or the service."""
    if all(schedule.at == NEVER for schedule in schedules.values()):
        return
    seen: list[str] = []
    if db is not None and "watched" in db.table_names():
        seen += [row["at"] for row in rows(db, "SELECT MAX(seen) AS at FROM watched") if row["at"]]
    log = data / "logs" / "service.jsonl"
    if log.exists():
        seen.append(stamp(datetime.fromtimestamp(log.stat().st_mtime, UTC)))
    remedy = "put crontab.example's lines into crontab -e, or start the service: python -m jobs"
    if not seen:
        yield warning("ticks", "nothing has ticked yet: neither cron nor the service starts the jobs", remedy)
    elif now - datetime.fromisoformat(max(seen)) > TICKS:
        said = f"nothing has ticked since {max(seen)}: neither cron nor the service starts the jobs"
        yield warning("ticks", said, remedy)
    else:
        yield ok("ticks", f"the last one was at {max(seen)}")


def last_runs(db: Database, schedules: Mapping[str, Schedule], failing_after: int) -> Iterator[Check]:
    """How each job's last run ended, and whether it is failing."""
    for job in schedules:
        name = f"last run of {job}"
        ended = rows(
            db,
            "SELECT * FROM runs WHERE job = ? AND status IN ('ok', 'failed', 'crashed', 'missed') "
            "ORDER BY started_at DESC, id DESC LIMIT ?",
            job,
            max(failing_after, 1),
        )
        if not ended:
            yield ok(name, "it has never run")
            continue
        last = ended[0]
        said = f"{last['status']} for {last['date']} (run {last['id']})"
        look = f"python -m jobs show {last['id']}"
        bad = sum(row["status"] in ("failed", "crashed") for row in ended)
        if bad >= failing_after:
            yield failed(name, f"{said}, failing {failing_after} times in a row: {last['message']}", look)
        elif last["status"] != "ok":
            yield warning(name, f"{said}: {last['message']}", look)
        else:
            yield ok(name, said)


def half_restored(data: Path) -> Iterator[Check]:
    """Whether a restore was killed in the middle, so that some of the desk is old and some of it is moved aside."""
    left = [path.name for path in sorted(data.glob(".restore.*.aside"))]
    if left:
        said = f"one has not ended ({', '.join(left)}): parts of the desk may lie in {data / REPLACED}-…"
        yield failed("restore", said, "if none is at work, run it again: python -m jobs restore --force")


def backups(db: Database, data: Path, schedules: Mapping[str, Schedule], now: datetime) -> Iterator[Check]:
    """How old the newest backup is, by the ledger, and whether it is still where it was put."""
    name, job = "backup", "backup"
    if job not in schedules:
        return
    made = rows(db, "SELECT * FROM runs WHERE job = ? AND status = 'ok' ORDER BY ended_at DESC, id DESC LIMIT 1", job)
    newest = made[0]["ended_at"] if made else None
    first = rows(db, "SELECT MIN(started_at) AS at FROM runs")[0]["at"]
    age = now - datetime.fromisoformat(newest or first or stamp(now))
    place = _where_it_lies(made[0], data) if made else None
    if place is not None and not any(place.glob(f"{made[0]['date']}-{made[0]['id']}*/{MANIFEST}")):
        said = f"the newest is of {newest}, and it is not in {place} any more"
        yield warning(name, said, "see that the disk is there; or make another: python -m jobs backup")
    elif newest and age <= OLDEST_BACKUP:
        yield ok(name, f"the newest is of {newest}")
    elif age > OLDEST_BACKUP:
        said = f"the newest is of {newest}, {age.days} days ago" if newest else f"none in {age.days} days of runs"
        yield warning(name, said, "python -m jobs backup; see why the nightly one doesn't run")
    else:
        yield ok(name, "none yet; the first is made by the next night's run")


def _where_it_lies(row: Mapping[str, Any], data: Path) -> Path | None:
    """The folder of backups that a run of the job was told of; None where its row doesn't tell."""
    options = json.loads(row["options"] or "{}")
    return (Path(options["to"]) if options["to"] else data / BACKUPS) if "to" in options else None


def undelivered(db: Database, now: datetime) -> Iterator[Check]:
    """Messages that nobody has got: those that wait for another try, and those given up."""
    name = "messages on their way"
    if "notifications" not in db.table_names():  # a store of an earlier version, which the next run brings up to date
        return
    sql = "SELECT COUNT(*) AS count, MIN(created_at) AS oldest FROM notifications WHERE delivered_at IS NULL"
    waiting = rows(db, f"{sql} AND next_at IS NOT NULL")[0]
    # the others that nobody got were overtaken by a later run, or lost their channel
    lost = rows(db, f"{sql} AND next_at IS NULL AND error LIKE 'given up after%'")[0]
    said = [
        f"{found['count']:,} {what} (the oldest of {found['oldest']})"
        for found, what in ((waiting, "waiting"), (lost, "given up"))
        if found["count"]
    ]
    late = waiting["count"] and now - datetime.fromisoformat(waiting["oldest"]) > TICKS
    if late or lost["count"]:
        yield warning(name, ", ".join(said), "try the channels: python -m jobs notify --test")
    else:
        yield ok(name, ", ".join(said) or "none waiting")


def newest_moment(db: Database) -> str | None:
    """The latest moment that the ledger knows of."""
    found = rows(db, "SELECT MAX(started_at) AS started, MAX(ended_at) AS ended FROM runs")[0]
    return max(filter(None, found.values()), default=None)


def measured(db: Database, settings: Settings, schedules: Mapping[str, Schedule]) -> Iterator[tuple[str, Need]]:
    """What the latest good runs of each job have left in the data folder; a backup needs as much as the store has."""
    for job, schedule in schedules.items():
        if schedule.at == NEVER:
            continue
        sql = "SELECT folder FROM runs WHERE job = ? AND status = 'ok' AND folder IS NOT NULL ORDER BY id DESC LIMIT ?"
        sizes: list[int] = [_size(settings.data / row["folder"]) for row in rows(db, sql, job, RUNS_MEASURED)]
        largest = max(sizes, default=0)
        if largest:
            yield job, Need(settings.data, largest, "what its earlier runs took", measured=True)
        if job == "backup":
            yield job, Need(settings.data, (settings.data / STORE).stat().st_size, "a copy of the store")


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def templates(settings: Settings, db: Database | None) -> Iterator[Check]:
    """Whether every template compiles, and the desk's page renders."""
    name, broken = "templates", False
    pages = sorted(path.name for path in reports.TEMPLATES.glob("*.html"))
    reports._environment.cache_clear()
    for page in pages:
        try:
            reports._environment().get_template(page)
        except (TemplateError, UnicodeDecodeError, OSError) as fault:
            broken = True
            number = getattr(fault, "lineno", None)
            line = f" in line {number}" if number else ""
            yield failed(name, f"{page} doesn't compile{line} ({fault})", "put the template of this version back")
    if not pages:
        yield failed(name, f"there are none in {reports.TEMPLATES}", "bring the whole checkout back")
    if broken or not pages:
        return
    try:
        text = reports.index(db, settings) if db is not None else _empty_index(settings)
    except TemplateError as fault:
        yield failed(name, f"index.html doesn't render ({fault})", "put the template of this version back")
        return
    yield ok(name, f"{len(pages)} compile, and the index renders ({len(text.encode()):,} bytes)")


def _empty_index(settings: Settings) -> str:
    db = Database(memory=True)
    try:
        migrate(db, [desk_tables])
        return reports.index(db, settings)
    finally:
        db.close()
