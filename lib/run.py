"""One run of a job, as its verb function sees it: stages, rejects, figures, rows to save and a page to report."""

import contextlib
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TextIO

from sqlite_utils import Database

from lib import pages
from lib.files import writing_aside
from lib.formats import csv_text
from lib.frame import frame_of
from lib.logs import Level, RunLog
from lib.progress import Advance, Stages
from lib.run_files import REJECTS, TABLE
from lib.settings import Settings
from lib.store import table, writing
from lib.supervise import Stop, stop_gently

NOTE_MILLISECONDS = 2000  # how long a run waits to say in its row that a stage begins
REJECT_CHARACTERS = 1 << 20  # of one rejected text; a lost quote can swallow megabytes


def folder_of(job: str, date: str, run: int) -> Path:
    """Where a run keeps its files, below the data folder."""
    return Path(job, f"{date}-{run}")


class Run:
    """One run of a job, while it works. Paths and figures are plain; what is saved and reported waits for the end."""

    def __init__(
        self,
        db: Database,
        id: int,
        job: str,
        date: str,
        settings: Settings,
        log: RunLog,
        *,
        demo: bool,
        quiet: bool,
    ):
        self.db, self.id, self.job, self.date, self.settings, self.demo = db, id, job, date, settings, demo
        self.message = ""
        self.partial = False
        self.metrics: dict[str, Any] = {}
        self.rejected: Counter[str] = Counter()
        self.repaired: Counter[str] = Counter()
        self.stages = Stages(quiet=quiet, on_start=self._note_stage, log=self.log)
        self.savers: list[Callable[[Database], None]] = []
        self.after_commit: list[Callable[[], None]] = []  # in this order; a start after a kill has to do it again
        self.page: str | None = None
        self.lines: list[str] = []  # data for stdout (stderr where stdout is JSON), printed after the commit
        self.only_once = False  # whether the work, once it has failed, is not to be tried again
        self._log = log
        self._rejects: TextIO | None = None
        self.folder = settings.data / folder_of(job, date, id)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / REJECTS).unlink(missing_ok=True)  # an earlier attempt's
        with writing(db):
            table(db, "runs").update(id, {"stage": None})

    def stage(self, name: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Advance]:
        """A stage with its progress: `with run.stage("reading", 300, "articles") as advance: … advance(1)`."""
        return self.stages.stage(name, total, unit)

    def log(self, message: str, level: Level = "info", **fields: Any) -> None:
        """Add a line to the run's log, which nobody sees on the terminal."""
        self._log.write(message, level, **{"stage": self.stages.current, **fields})

    def reject(self, reason: str, **what: Any) -> None:
        """Count something left out, and keep it in the run's `rejects.jsonl`."""
        self.rejected[reason] += 1
        if self._rejects is None:
            self._rejects = (self.folder / REJECTS).open("w", encoding="utf-8", errors="backslashreplace")
        cut = {key: value[:REJECT_CHARACTERS] if isinstance(value, str) else value for key, value in what.items()}
        self._rejects.write(json.dumps({"reason": reason, **cut}, ensure_ascii=False) + "\n")

    def stop_gently(self) -> Stop:
        """Have the first stop signal noted rather than end the run; `partial` is then for the job to set.

        What can end early is an hour that doesn't come again: from now on the work isn't tried a second time.
        """
        self.only_once = True
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

    def report(
        self, template: str, tables: Mapping[str, Sequence[Mapping[str, Any]]] | None = None, **context: Any
    ) -> None:
        """Render the run's page now, so that a fault in it fails the run; it is published after the commit.

        The figures in `metrics` by now are compared with the run's before. `tables` are rows by a short name, `topics`;
        each becomes a CSV file beside the page.
        """
        for name, each in (tables or {}).items():
            (self.folder / TABLE.format(name)).write_text(
                csv_text(each), encoding="utf-8", newline="", errors="replace"
            )
        self.page = pages.render(
            template,
            frame=frame_of(
                self.db,
                self.settings,
                self.id,
                self.job,
                self.date,
                folder=self.folder,
                stem=self.date,
                metrics=self.metrics,
                tables=tables,
            ),
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
        """Say in the row where the run is; a store that is locked just now neither ends the work nor holds it up."""
        patience = self.db.execute("PRAGMA busy_timeout").fetchone()[0]
        self.db.execute(f"PRAGMA busy_timeout = {NOTE_MILLISECONDS}")
        try:
            with contextlib.suppress(sqlite3.OperationalError), writing(self.db):
                table(self.db, "runs").update(self.id, {"stage": name})
        finally:
            self.db.execute(f"PRAGMA busy_timeout = {patience}")
