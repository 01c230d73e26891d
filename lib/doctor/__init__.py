"""What is fit on this desk and what isn't, line by line: `python -m jobs doctor`.

    checks = examine(settings, schedules, {"retrain_cnn": lambda: images.checks(settings, options)}, datetime.now(UTC))
    print("\\n".join(as_lines(checks)))
    sys.exit(exit_code(checks))

Nothing is changed by it. A job's own checks come from its domain (`lib/images/checks.py`); a check that breaks says so
and stops no other. What takes time and the network is done side by side, each with a limit.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from lib.doctor import access, clock, machine, state
from lib.doctor.access import secret
from lib.doctor.check import PATIENCE, Check, Found, Need, Probe, Status, answers, failed, guarded, ok, warning
from lib.errors import DeskError
from lib.files import shown
from lib.schedules import NEVER, Schedule
from lib.settings import Settings

__all__ = [
    "Check", "Found", "Need", "Probe", "Status", "answers", "as_json", "as_lines", "examine", "exit_code", "failed",
    "guarded", "ok", "secret", "warning",
]  # fmt: skip

SIGNS: dict[Status, str] = {"ok": "✓", "warning": "!", "failed": "✕"}
LONGEST = 4 * PATIENCE  # seconds for all that is asked of the network, with names that nobody answers for

OfAJob = Callable[[], Iterable[Found]]


def examine(
    settings: Settings,
    schedules: Mapping[str, Schedule],
    of_jobs: Mapping[str, OfAJob],
    now: datetime,
    offline: bool = False,
    migrations: Callable[[], Iterable[Migrations]] = tuple,
) -> list[Check]:
    """All checks, in the order people read them.

    `of_jobs` gives the checks of each job by its name; what fails there is a warning where the job is on no schedule.
    `migrations` are those of the jobs' tables; what stands in the ledger is looked at only where the store is sound.
    """
    found: list[tuple[str, Found]] = []

    def look(name: str, check: Callable[[], Iterable[Found]], job: str = "") -> None:
        found.extend((job, each) for each in guarded(name, check))

    look("Python", machine.python)
    look("Python's tarfile", machine.tar_filters)
    look("SQLite", lambda: machine.sqlite(settings.data))
    look("packages", machine.packages)
    place_of_room = len(found)
    look("folders", lambda: machine.folders(settings))
    look("database", lambda: state.database(settings.data, migrations()))
    look("restore", lambda: state.half_restored(settings.data))
    ledger, kept_away = _ledger(settings.data)
    needs: list[tuple[str, Need]] = []
    try:
        look("clock", lambda: clock.clock(now, state.newest_moment(ledger) if ledger else None))
        look("clock's source", clock.synchronised)
        look("time zone", lambda: clock.zone(settings, schedules, now))
        look("messages", lambda: access.told(settings))
        for job, checks in of_jobs.items():
            look(job, checks, job)
        look("templates", lambda: state.templates(settings, ledger))
        look("ticks", lambda: state.ticks(ledger, settings.data, schedules, now))
        if ledger is not None:
            look("locks", partial(state.locks, ledger, settings.data, schedules, now))
            look("last runs", partial(state.last_runs, ledger, schedules, settings.notify.failing_after))
            look("messages on their way", partial(state.undelivered, ledger, now))
            look("backup", partial(state.backups, ledger, settings.data, schedules, now))
            with suppress(OSError, sqlite3.Error):  # said by the line of the folder, or the database
                needs += state.measured(ledger, settings, schedules)
        elif kept_away:
            remedy = "see to the database first"
            look("ledger", lambda: [warning("ledger", "locks, last runs and backups were not looked at", remedy)])
    finally:
        if ledger is not None:
            ledger.close()
    look("next fire times", lambda: clock.next_fires(settings, schedules, now))

    on = {job for job, schedule in schedules.items() if schedule.at != NEVER}
    needs += [(job, each) for job, each in found if isinstance(each, Need) and job in on]
    rooms: list[tuple[str, Found]] = [
        ("", each) for each in guarded("room", lambda: machine.room(settings, _largest(needs)))
    ]
    found[place_of_room:place_of_room] = rooms
    lines = _with_answers(found, offline)
    return [_without_secrets(_softer(job, each) if job and job not in on else each) for job, each in lines]


def _ledger(data: Path) -> tuple[Database | None, bool]:
    """The store, where it has a ledger that can be read; and whether there is a store that can't."""
    db = None
    try:
        db = state.open_store_to_look(data)
        if db is not None and "runs" in db.table_names():
            state.newest_moment(db)
            return db, False
    except (OSError, sqlite3.Error):
        if db is not None:
            db.close()
        return None, True
    if db is not None:
        db.close()
    return None, False


def _largest(needs: Sequence[tuple[str, Need]]) -> list[tuple[str, Need]]:
    """A job's needs in a folder: what it says itself and what its earlier runs took is the same room, told twice."""
    said: dict[tuple[str, Any, bool], list[Need]] = {}
    for job, need in needs:
        said.setdefault((job, need.folder, need.measured), []).append(need)
    kept: dict[tuple[str, Any], Need] = {}
    for (job, folder, measured), each in said.items():
        total = sum(need.bytes for need in each)
        if (job, folder) not in kept or total > kept[job, folder].bytes:
            kept[job, folder] = Need(folder, total, each[0].what, measured)
    return [(job, need) for (job, _), need in kept.items()]


def _with_answers(found: Sequence[tuple[str, Found]], offline: bool) -> list[tuple[str, Check]]:
    """The checks, with what became of each probe in its place; all probes run at the same time."""
    answered: dict[int, list[Check]] = {}

    def ask(place: int, probe: Probe) -> None:
        answered[place] = [each for each in guarded(probe.name, lambda: [probe.look()]) if isinstance(each, Check)]

    probes = {place: each for place, (_, each) in enumerate(found) if isinstance(each, Probe)}
    threads = [] if offline else [
        # a name that nobody answers for can hold a thread for long, and mustn't hold the desk
        threading.Thread(target=ask, args=(place, probe), daemon=True)
        for place, probe in probes.items()
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    end = time.monotonic() + LONGEST
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))

    def of(place: int, each: Found) -> Iterator[Check]:
        if isinstance(each, Check):
            yield each
        elif isinstance(each, Probe) and offline:
            yield ok(each.name, "not looked at (--offline)")
        elif isinstance(each, Probe):
            late = failed(each.name, f"no answer within {LONGEST:g} seconds", "check the network and its name server")
            yield from answered.get(place, [late])

    return [(job, check) for place, (job, each) in enumerate(found) for check in of(place, each)]


def _softer(job: str, check: Check) -> Check:
    """What fails for a job that no schedule starts is a warning."""
    if check.status != "failed":
        return check
    return replace(check, status="warning", said=f"{check.said} ({job} is on no schedule)")


def _without_secrets(check: Check) -> Check:
    """No check writes a secret; a fault's own words might, as those of a server's answer."""
    said, remedy = check.said, check.remedy
    for value in access.secret_values():
        said, remedy = said.replace(value, "(secret)"), remedy.replace(value, "(secret)")
    return replace(check, said=said, remedy=remedy)


def exit_code(checks: Iterable[Check]) -> int:
    """0 where nothing that is required failed, else 1 (failed); warnings are for people."""
    return DeskError.exit_code if any(check.status == "failed" for check in checks) else 0


def as_lines(checks: Sequence[Check]) -> list[str]:
    """A line a check for people: sign, name, what was found; below it, where it isn't well, what to do."""
    width = max((len(check.name) for check in checks), default=0)
    lines = []
    for check in checks:
        first, *more = _plain(check.said).splitlines() or [""]
        lines.append(f"{SIGNS[check.status]} {check.name:<{width}}  {first}")
        lines += [f"  {'':<{width}}  {line}" for line in more]
        if check.remedy:
            lines.append(f"  {'':<{width}}  → {_plain(check.remedy)}")
    return [*lines, one_sentence(checks)]


def _plain(text: str) -> str:
    """Text without what a terminal would obey: it may tell of a file's name, or what a stranger's server answered."""
    return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in shown(text))


def one_sentence(checks: Sequence[Check]) -> str:
    """What it comes to."""
    wrong = [check.name for check in checks if check.status == "failed"]
    warnings = sum(check.status == "warning" for check in checks)
    also = f" {warnings} warning{'s' if warnings != 1 else ''}." if warnings else ""
    if wrong:
        return f"The desk is not fit: see {', '.join(dict.fromkeys(wrong))}.{also}"
    return f"All that is required is well.{also}"


def as_json(checks: Sequence[Check]) -> dict[str, Any]:
    """One object: `{"fit": true, "checks": [{"name", "status", "said", "remedy"}, …]}`."""
    said = [{key: shown(value) for key, value in asdict(check).items()} for check in checks]
    return {"fit": exit_code(checks) == 0, "checks": said}
