"""A job: one verb function with a schedule, run by whoever starts it under the same rules.

The verb function gets a `Run` (lib.run). What it saves and reports is kept back until it has returned; then the rows,
the run's `ok` and the earlier result's end are one transaction, and the page is put in its place.
"""

import contextlib
import datetime
import os
import shutil
import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from lib import headline, machine, reports, runs
from lib.errors import CannotWrite, DeskError
from lib.files import is_demo
from lib.logs import LOG, RunLog, listen
from lib.retrying import Ended
from lib.run import Run, folder_of
from lib.run_files import REJECTS
from lib.runs import Outcome
from lib.schedules import Schedule
from lib.settings import Settings
from lib.store import open_store, table, writing
from lib.supervise import attempt, sentence, supervise, uninterrupted

PAGE = "report.html"
LOCK_SECONDS = 1.0
PATIENCE = 120.0  # seconds that a run waits for a store which another program keeps locked

Work = Callable[[Run, Any], None]
Plan = Callable[[Any], Sequence[str]]


@dataclass(frozen=True)
class Job:
    """A job's declaration. `migrations` is called late, since a domain's tables needn't be loaded for `--help`.

    `output` is the metric that says how much came out, `headline` the key figure (lib.headline). In the supervisor,
    `on_start` is called with the store, the settings and the run's id before the work begins, `on_end` with the path of
    the run's log besides, once the row has ended and pages are written. Whatever they raise is logged and changes
    nothing.
    """

    name: str
    work: Work
    schedule: Schedule
    migrations: Callable[[], Sequence[Migrations]] = tuple
    plan: Plan = field(default=lambda options: ())
    output: str | None = None
    headline: tuple[str, str, str] | None = None
    on_start: Callable[[Database, Settings, int], None] = field(default=lambda db, settings, run: None)
    on_end: Callable[[Database, Settings, int, Path], None] = field(default=lambda db, settings, run, log: None)

    def start(
        self,
        settings: Settings,
        date: datetime.date,
        options: Mapping[str, Any],
        *,
        force: bool,
        quiet: bool,
        as_json: bool = False,
    ) -> "Result":
        """Run the job for a logical date, if nobody else does and it isn't done yet.

        Raises DeskError where not even the store can be opened.
        """
        day = date.isoformat()
        db = self._open(settings)
        lock = None
        try:
            headline.declare(db, self.name, headline.Headline(*self.headline) if self.headline else None)
            demo = is_demo([settings.data])
            lock = runs.wait_for_lock(settings.data, self.name, LOCK_SECONDS)
            if lock is None:
                message = f"Another run of {self.name} is at work; this one did nothing. Try again when it has ended."
                run = runs.record(db, self.name, day, "skipped", message, 75, demo=demo)
                return self._result(db, run, settings)
            tidy_dead(db, settings.data, runs.reap(db, settings.data, holding=self.name))
            earlier = runs.committed(db, self.name, day)
            if earlier is not None and not force:
                message = f"{self.name} is already done for {day} (run {earlier['id']}); use --force to replace it."
                run = runs.record(db, self.name, day, "skipped", message, 0, demo=demo)
                return self._result(db, run, settings)
            try:
                reports.publish(db, settings, self.name)  # to know now, not after a night's work, that pages can be
            except CannotWrite as fault:
                run = runs.record(db, self.name, day, "failed", sentence(str(fault)), fault.exit_code, demo=demo)
                log = self._begin_log(db, settings, run, day, options)
            else:
                run = runs.begin(db, self.name, day, options=options, demo=demo)
                log = self._begin_log(db, settings, run, day, options)
                store = db
                _call(log, lambda: reports.publish_index(store, settings))  # on which it is at work

                def before() -> None:
                    _call(log, lambda: self.on_start(store, settings, run))
                    store.close()  # a connection must not be carried through a fork

                code = supervise(
                    run,
                    lambda: self._run(run, day, settings, options, log, demo=demo, quiet=quiet, as_json=as_json),
                    lambda: self._open(settings),
                    self.schedule.seconds,
                    retries=self.schedule.retries,
                    log=log,
                    quiet=quiet,
                    before=before,
                )
                try:
                    db = self._open(settings)
                    table(db, "runs").get(run)
                except (DeskError, sqlite3.OperationalError):
                    if code != 0:
                        raise
                    return _unread(self.name, day, run)
            result = self._result(db, run, settings, log)
            _end_log(db, run, log)
            os.close(lock)  # the next run needn't wait until a mail server has answered
            lock = None
            _call(log, lambda: self.on_end(db, settings, run, log.path))
            return result
        finally:
            db.close()
            if lock is not None:
                os.close(lock)

    def _open(self, settings: Settings) -> Database:
        return open_store(settings.data, self.migrations(), patience=PATIENCE)

    def _begin_log(self, db: Database, settings: Settings, run: int, day: str, options: Mapping[str, Any]) -> RunLog:
        folder = folder_of(self.name, day, run)
        with writing(db):
            table(db, "runs").update(run, {"folder": str(folder)})
        with contextlib.suppress(OSError):  # the work itself will say so
            (settings.data / folder).mkdir(parents=True, exist_ok=True)
        log = RunLog(settings.data / folder / LOG, run, self.name)
        text = f"Run {run} of {self.name} for {day} begins"
        log.write(text, date=day, options=dict(options), machine=machine.describe())
        return log

    def _result(self, db: Database, run: int, settings: Settings, log: RunLog | None = None) -> "Result":
        fault: Exception | None = None
        try:
            reports.publish(db, settings, self.name)
        except (DeskError, OSError) as met:
            fault = met
        row = table(db, "runs").get(run)  # by now it names its page, also where it has failed
        said = runs.as_json(db, run, settings.reports)
        message, code = row["message"] or "", int(row["exit_code"] or 0)
        if fault is not None and code == 0:
            kept = "the results are in the store, and the next start writes the page"
            said["report"], code = None, CannotWrite.exit_code
            message = sentence(f"{message} But its page is not written: {fault}; {kept}")
            if log:
                log.write(message, "error")
        return Result(said, message, code)

    def _run(
        self,
        run_id: int,
        day: str,
        settings: Settings,
        options: Mapping[str, Any],
        log: RunLog,
        *,
        demo: bool,
        quiet: bool,
        as_json: bool,
    ) -> Outcome:
        """What the child does: work, commit, tidy up."""
        db = self._open(settings)
        run = Run(db, run_id, self.name, day, settings, log, demo=demo, quiet=quiet)
        listen(log, lambda: run.stages.current)
        outcome = attempt(lambda: self._work_and_commit(run, SimpleNamespace(**options), as_json=as_json), log)
        if outcome.status != "ok":
            _tidy(run.folder)  # first: on a full disk this makes the room to say so
            with contextlib.suppress(OSError):
                run.close()
            metrics = {**run.metrics, **({"repaired": dict(run.repaired)} if run.repaired else {})}
            outcome = replace(outcome, metrics=metrics, rejected=dict(run.rejected), stages=dict(run.stages.seconds))
            if isinstance(outcome, Ended) and run.only_once:
                outcome = replace(outcome, passes=False)
        db.close()
        return outcome

    def _work_and_commit(self, run: Run, options: Any, *, as_json: bool) -> Outcome:
        self.work(run, options)
        if run.page is not None:
            (run.folder / PAGE).write_text(run.page, encoding="utf-8", errors="replace")
        run.close()
        outcome = Outcome(
            "ok",
            run.message,
            0,
            metrics={**run.metrics, "repaired": dict(run.repaired), "stage_seconds": dict(run.stages.seconds)},
            rejected=dict(run.rejected),
            stages=dict(run.stages.seconds),
            report=reports.page_name(run.job, run.date) if run.page is not None else None,
            partial=run.partial,
        )
        with uninterrupted():
            with writing(run.db):
                earlier = runs.commit(run.db, run.id, outcome)
                for saver in run.savers:
                    saver(run.db)
            if earlier:
                shutil.rmtree(run.settings.data / earlier, ignore_errors=True)
            for settle in run.after_commit:
                settle()
            if run.lines:
                print("\n".join(run.lines), file=sys.stderr if as_json else sys.stdout)
            return outcome


@dataclass(frozen=True)
class Result:
    """How a start ended: the JSON object, the sentence and the exit code."""

    json: dict[str, Any]
    message: str
    exit_code: int


def _unread(job: str, day: str, run: int) -> Result:
    """The end of a run that has committed, on a store that has been locked since."""
    message = f"Run {run} of {job} for {day} is done; the store that has its figures is locked by another program."
    return Result(runs.json_object(job, day, "ok", run_id=run), f"{message} The next start writes its page.", 0)


def tidy_dead(db: Database, data: Path, dead: Iterable[int]) -> None:
    """Remove what runs that were found dead have left behind, and end their logs."""
    for run in dead:
        row = table(db, "runs").get(run)
        if row["folder"]:
            _tidy(data / row["folder"])
            _end_log(db, run, RunLog(data / row["folder"] / LOG, run, row["job"]))


def _tidy(folder: Path) -> None:
    """Remove what a run that failed or died has left behind, except what it rejected and its log."""
    if not folder.exists():
        return
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in (REJECTS, LOG):
            path.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def _end_log(db: Database, run: int, log: RunLog) -> None:
    row = table(db, "runs").get(run)
    figures = {name: row[name] for name in ("status", "exit_code", "seconds")}
    log.write(row["message"] or "", "info" if row["status"] == "ok" else "error", **figures)


def _call(log: RunLog, hook: Callable[[], None]) -> None:
    """Call a hook; what becomes of it is not the run's."""
    try:
        hook()
    except BaseException:  # a person's Ctrl-C, too: what the run came to stands
        log.write(f"What is called around a run has failed\n{traceback.format_exc().rstrip()}", "error")
