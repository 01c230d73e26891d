"""Run a job for the logical dates of a range that have no result yet, one after another, in the foreground.

python -m jobs backfill model_topics --from 2026-01-01 --to 2026-03-01 --dry-run
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from types import FrameType
from typing import Any

from lib import runs
from lib.errors import WrongUsage
from lib.launch import Command, Started, job_command, launch, reading, run_of
from lib.schedules import NEVER, Schedule
from lib.settings import Settings

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Done:
    """How the run of a date went; `run` is None where it left none."""

    date: str
    exit_code: int
    run: int | None
    message: str


@dataclass(frozen=True)
class Backfill:
    """What a backfill did, or would do: `dates` have no result yet. `exit_code` is the highest of all."""

    job: str
    dates: tuple[str, ...]
    done: tuple[Done, ...]
    exit_code: int
    dry_run: bool

    @property
    def data(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)

    @property
    def lines(self) -> list[str]:
        """For stdout: the dates of a dry run."""
        return list(self.dates) if self.dry_run else []


def backfill(
    job: str,
    schedule: Schedule,
    settings: Settings,
    first: date,
    last: date,
    *,
    dry_run: bool,
    now: datetime | None = None,
    command: Command = job_command,
    say: Callable[[str], None] | None = None,
) -> Backfill:
    """Run the job for its logical dates from `first` to `last` that have fired and have no committed run.

    `say` gets a line a date; by default it goes to stderr. A Ctrl-C ends the run that is at work, cleanly, and then
    stops; a second one kills it. Raises WrongUsage where there can be nothing to make up for, CannotWrite.
    """
    dates = tuple(_dates(job, schedule, settings, first, last, now or datetime.now(UTC)))
    if dry_run:
        return Backfill(job, tuple(map(str, dates)), (), 0, dry_run=True)
    say = say or (lambda line: print(line, file=sys.stderr, flush=True))
    done: list[Done] = []
    with _noting_signals() as stop:
        for number, day in enumerate(dates, start=1):
            if stop.came:
                break
            begun = time.monotonic()
            started = launch(job, day, settings, command)
            stop.process = started
            stop.pass_on()
            code = started.process.wait()
            stop.process = None
            run, message = run_of(started, settings)
            done.append(Done(str(day), code if code >= 0 else 128 - code, run, message))
            went = "done" if code == 0 else f"exit code {done[-1].exit_code}"
            seconds = time.monotonic() - begun
            say(f"{number}/{len(dates)} {job} {day}: {went} in {seconds:.0f} s. {message}".rstrip())
        came = stop.came
    if came:
        say(f"Stopped by {came.name}; {len(done)} of {len(dates)} dates were run.")
    elif not dates:
        say(f"{job} has a result for every date from {first} to {last} that has fired; nothing was run.")
    codes = [each.exit_code for each in done] + ([128 + came] if came else [])
    return Backfill(job, tuple(map(str, dates)), tuple(done), max(codes, default=0), dry_run=False)


def _dates(job: str, schedule: Schedule, settings: Settings, first: date, last: date, now: datetime) -> Iterator[date]:
    if schedule.at == NEVER:
        raise WrongUsage(f"{job} has no logical dates to make up for (its schedule is {NEVER})")
    if schedule.most_caught_up == 0:
        raise WrongUsage(f"{job} listens to what is live, which can't be made up for (its catch_up is none)")
    if first > last:
        raise WrongUsage(f"--from {first} is after --to {last}; expected an earlier date")
    with reading(settings) as db:
        have = runs.committed_dates(db, job) if db is not None else set()
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    for day in days:
        fire = schedule.fire_time(day, settings.zone)
        if fire is not None and fire > now:
            return
        if fire is not None and day.isoformat() not in have:
            yield day


class _Stop:
    """The stop signal that came; it is handed on to the run at work, whose supervisor ends it cleanly."""

    def __init__(self) -> None:
        self.came: signal.Signals | None = None
        self.process: Started | None = None
        self.passed_on = False

    def __call__(self, number: int, _: FrameType | None) -> None:
        self.passed_on = False
        self.came = signal.Signals(number)
        self.pass_on()

    def pass_on(self) -> None:
        """Send the signal to the run at work, once; one that came before there was a process waits for it."""
        if self.came is None or self.process is None or self.passed_on:
            return
        self.passed_on = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.process.pid, self.came)


@contextlib.contextmanager
def _noting_signals() -> Iterator[_Stop]:
    stop = _Stop()
    kept = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup's choice
    before = {number: signal.signal(number, stop) for number in kept}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
