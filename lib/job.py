"""A job: one verb function with a schedule, run by whoever starts it under the same rules.

`Run` is what the verb function gets. What it saves and reports is kept back until it has returned; then the rows, the
run's `ok` and the earlier result's end are one transaction, and the page is put in its place.
"""

import contextlib
import datetime
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from lib import reports, runs
from lib.errors import CannotWrite, DeskError
from lib.files import is_demo, writing_aside
from lib.progress import Advance, Stages
from lib.runs import Outcome
from lib.schedules import Schedule
from lib.settings import Settings
from lib.store import open_store, table, writing
from lib.supervise import Stop, attempt, sentence, stop_gently, supervise, uninterrupted

REJECTS = "rejects.jsonl"
PAGE = "report.html"
LOCK_SECONDS = 1.0
REJECT_CHARACTERS = 1 << 20  # of one rejected text; a lost quote can swallow megabytes

Work = Callable[["Run", Any], None]
Plan = Callable[[Any], Sequence[str]]


class Run:
    """One run of a job, while it works. Paths and figures are plain; what is saved and reported waits for the end."""

    def __init__(self, db: Database, id: int, job: str, date: str, settings: Settings, *, demo: bool, quiet: bool):
        self.db, self.id, self.job, self.date, self.settings, self.demo = db, id, job, date, settings, demo
        self.message = ""
        self.partial = False
        self.metrics: dict[str, Any] = {}
        self.rejected: Counter[str] = Counter()
        self.repaired: Counter[str] = Counter()
        self.stages = Stages(quiet=quiet, on_start=self._note_stage)
        self.savers: list[Callable[[Database], None]] = []
        self.after_commit: list[Callable[[], None]] = []  # in this order; a start after a kill has to do it again
        self.page: str | None = None
        self.lines: list[str] = []  # data for stdout (stderr where stdout is JSON), printed after the commit
        self._rejects: TextIO | None = None
        self.folder = settings.data / job / f"{date}-{id}"
        self.folder.mkdir(parents=True, exist_ok=True)
        with writing(db):
            table(db, "runs").update(id, {"folder": str(self.folder.relative_to(settings.data))})

    def stage(self, name: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Advance]:
        """A stage with its progress: `with run.stage("reading", 300, "articles") as advance: … advance(1)`."""
        return self.stages.stage(name, total, unit)

    def reject(self, reason: str, **what: Any) -> None:
        """Count something left out, and keep it in the run's `rejects.jsonl`."""
        self.rejected[reason] += 1
        if self._rejects is None:
            self._rejects = (self.folder / REJECTS).open("w", encoding="utf-8", errors="backslashreplace")
        cut = {key: value[:REJECT_CHARACTERS] if isinstance(value, str) else value for key, value in what.items()}
        self._rejects.write(json.dumps({"reason": reason, **cut}, ensure_ascii=False) + "\n")

    def stop_gently(self) -> Stop:
        """Have the first stop signal noted rather than end the run; `partial` is then for the job to set."""
        return stop_gently()

    def redact(self, gone: Callable[[str], bool]) -> None:
        """Empty the rejected texts that nobody may keep any more."""
        if self._rejects is None:
            return
        self._rejects.close()
        path = self.folder / REJECTS
        with writing_aside(path) as file:
            for line in path.read_bytes().splitlines():
                said = json.loads(line)
                if isinstance(said.get("text"), str) and gone(said["text"]):
                    line = json.dumps({**said, "text": ""}, ensure_ascii=False).encode("utf-8", "backslashreplace")
                file.write(line + b"\n")
        self._rejects = path.open("a", encoding="utf-8", errors="backslashreplace")

    def save(self, saver: Callable[[Database], None]) -> None:
        """Have `saver(db)` write rows when the run is committed, in the same transaction."""
        self.savers.append(saver)

    def report(self, template: str, **context: Any) -> None:
        """Render the run's page now, so that a fault in it fails the run; it is published after the commit."""
        self.page = reports.render(
            template,
            run=self,
            demo=self.demo,
            zone=self.settings.zone,
            rejected=dict(self.rejected),
            repaired=dict(self.repaired),
            stages=dict(self.stages.seconds),
            **context,
        )

    def close(self) -> None:
        """Flush what the run has written to disk."""
        if self._rejects is not None:
            self._rejects.close()
            self._rejects = None
        for path in self.folder.rglob("*"):
            if path.is_file():
                descriptor = os.open(path, os.O_RDONLY)
                os.fsync(descriptor)
                os.close(descriptor)

    def _note_stage(self, name: str) -> None:
        with writing(self.db):
            table(self.db, "runs").update(self.id, {"stage": name})


@dataclass(frozen=True)
class Job:
    """A job's declaration. `migrations` is called late, since a domain's tables needn't be loaded for `--help`."""

    name: str
    work: Work
    schedule: Schedule
    migrations: Callable[[], Sequence[Migrations]] = tuple
    plan: Plan = field(default=lambda options: ())

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
            demo = is_demo([settings.data])
            lock = runs.wait_for_lock(settings.data, self.name, LOCK_SECONDS)
            if lock is None:
                message = f"Another run of {self.name} is at work; this one did nothing. Try again when it has ended."
                run = runs.record(db, self.name, day, "skipped", message, 75, demo=demo)
                return self._result(db, run, settings)
            for dead in runs.reap(db, settings.data, holding=self.name):
                folder = table(db, "runs").get(dead)["folder"]
                if folder:
                    _keep_only_rejects(settings.data / folder)
            earlier = runs.committed(db, self.name, day)
            if earlier is not None and not force:
                message = f"{self.name} is already done for {day} (run {earlier['id']}); use --force to replace it."
                run = runs.record(db, self.name, day, "skipped", message, 0, demo=demo)
                return self._result(db, run, settings)
            try:
                reports.publish(db, settings, self.name)  # to know now, not after a night's work, that pages can be
            except CannotWrite as fault:
                run = runs.record(db, self.name, day, "failed", sentence(str(fault)), fault.exit_code, demo=demo)
                return self._result(db, run, settings)
            run = runs.begin(db, self.name, day, options=options, demo=demo)
            db.close()  # a connection must not be carried through a fork
            supervise(
                run,
                lambda: self._run(run, day, settings, options, demo=demo, quiet=quiet, as_json=as_json),
                lambda: self._open(settings),
                self.schedule.seconds,
            )
            db = self._open(settings)
            return self._result(db, run, settings)
        finally:
            db.close()
            if lock is not None:
                os.close(lock)

    def _open(self, settings: Settings) -> Database:
        return open_store(settings.data, self.migrations())

    def _result(self, db: Database, run: int, settings: Settings) -> "Result":
        row = table(db, "runs").get(run)
        said = runs.as_json(db, run, settings.reports)
        message, code = row["message"] or "", int(row["exit_code"] or 0)
        try:
            reports.publish(db, settings, self.name)
        except (DeskError, OSError) as fault:
            if code == 0:
                kept = "the results are in the store, and the next start writes the page"
                said["report"], code = None, CannotWrite.exit_code
                message = sentence(f"{message} But its page is not written: {fault}; {kept}")
        return Result(said, message, code)

    def _run(
        self,
        run_id: int,
        day: str,
        settings: Settings,
        options: Mapping[str, Any],
        *,
        demo: bool,
        quiet: bool,
        as_json: bool,
    ) -> Outcome:
        """What the child does: work, commit, tidy up."""
        db = self._open(settings)
        run = Run(db, run_id, self.name, day, settings, demo=demo, quiet=quiet)
        outcome = attempt(lambda: self._work_and_commit(run, SimpleNamespace(**options), as_json=as_json))
        if outcome.status != "ok":
            _keep_only_rejects(run.folder)  # first: on a full disk this makes the room to say so
            with contextlib.suppress(OSError):
                run.close()
            metrics = {**run.metrics, **({"repaired": dict(run.repaired)} if run.repaired else {})}
            outcome = replace(outcome, metrics=metrics, rejected=dict(run.rejected), stages=dict(run.stages.seconds))
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


def _keep_only_rejects(folder: Path) -> None:
    """Remove what a run that failed or died has left behind, except what it rejected."""
    if not folder.exists():
        return
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != REJECTS:
            path.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
