"""Jobs as processes of their own, as cron would start them: in a session of their own, that outlives who started them.

    started = launch("model_topics", date(2026, 3, 1), settings)

What such a process prints is added to data/logs/JOB.out, or lost where that can't be written. Its results and its
sentence are in the ledger.
"""

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO

from sqlite_utils import Database

from lib import runs
from lib.settings import Settings
from lib.store import STORE

MOST_BYTES = 1 << 20  # of a .out file; a longer one becomes .out.1 at the next start
TAIL_BYTES = 4096
PATIENCE = 0.5  # seconds to wait for the store, where its answer is good to have and not needed

Command = Callable[[str, date, Settings], Sequence[str]]


def job_command(job: str, day: date, settings: Settings) -> list[str]:
    """The command line of a job for a logical date."""
    return [
        *(sys.executable, "-m", f"jobs.{job}", "--date", day.isoformat(), "--quiet"),
        *("--data", str(settings.data), "--reports", str(settings.reports)),
    ]


@dataclass(frozen=True)
class Started:
    """A process that was started for a job and date; `known` is the ledger's newest row before it."""

    job: str
    date: date
    process: "subprocess.Popen[bytes]"
    output: Path
    offset: int
    known: int


def launch(job: str, day: date, settings: Settings, command: Command = job_command) -> Started:
    """Start a job in a session of its own and don't wait for it. Raises OSError (no process)."""
    line = list(command(job, day, settings))
    output = settings.data / "logs" / f"{job}.out"
    known = _last_id(settings)
    with _opened(output) as file:
        with contextlib.suppress(OSError):  # a full disk
            os.write(file.fileno(), f"# {runs.now()} {' '.join(line)}\n".encode("utf-8", "backslashreplace"))
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)
        return Started(job, day, process, output, os.fstat(file.fileno()).st_size, known)


def _opened(output: Path) -> BinaryIO:
    """The file for what is printed; /dev/null where there can be none: the job's own row says how it went."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        if output.exists() and output.stat().st_size > MOST_BYTES:
            output.replace(output.with_name(f"{output.name}.1"))
        return output.open("ab")
    except OSError:
        return Path(os.devnull).open("ab")


def run_of(started: Started, settings: Settings) -> tuple[int | None, str]:
    """The run's number and sentence; of a process that left no row, None and the last line it printed."""
    with reading(settings) as db:
        row = None
        if db is not None:
            day = started.date.isoformat()
            row = runs.started_since(db, started.job, day, started.known, started.process.pid)
    if row is not None:
        return row["id"], row["message"] or ""
    return None, _last_line(started)


@contextlib.contextmanager
def reading(settings: Settings) -> Iterator[Database | None]:
    """The store to read from, for a moment's patience; None where there is none yet or somebody keeps it locked.

    Nothing is made or migrated.
    """
    path = (settings.data / STORE).resolve()
    connection = None
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=PATIENCE)
        connection.execute("SELECT max(id) FROM runs").fetchone()
    except sqlite3.Error:
        if connection is not None:
            connection.close()
        yield None
        return
    try:
        yield Database(connection)
    finally:
        connection.close()


def _last_id(settings: Settings) -> int:
    with reading(settings) as db:
        return runs.last_id(db) if db is not None else 0


def _last_line(started: Started) -> str:
    try:
        with started.output.open("rb") as file:
            file.seek(max(started.offset, started.output.stat().st_size - TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip() and not line.startswith("# ")), "")
