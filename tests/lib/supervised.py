"""Jobs for tests of the supervisor: a script that is given its `work`, and what became of it."""

import subprocess
from pathlib import Path

from lib.store import open_store, rows

BEGINS = """
import os, signal, subprocess, sys, threading, time
from pathlib import Path
from lib import retrying, runs, supervise
from lib.errors import BadData, BadSettings, Busy, NotPermitted, SourceDown, SourceUnavailable
from lib.logs import RunLog
from lib.runs import Outcome
from lib.store import open_store, table, writing

data = Path(sys.argv[1])
deadline = 60.0
options = {}
retrying.FIRST_WAIT, retrying.LONGEST_WAIT = 0.01, 0.03

def kept():
    data.mkdir(exist_ok=True)
    return {"log": RunLog(data / "log.jsonl", 1, "job")}

def nth():
    path = data / "attempts"
    path.write_text(path.read_text() + "x" if path.exists() else "x")
    return len(path.read_text())

def open_db():
    return open_store(data)

def stage(name):
    db = open_db()
    with writing(db):
        table(db, "runs").update(run, {"stage": name})
    db.close()

def commit(**values):
    outcome = Outcome("ok", "Done.", 0, **values)
    db = open_db()
    with supervise.uninterrupted(), writing(db):
        runs.commit(db, run, outcome)
    db.close()
    return outcome

def ready():
    print(os.getpid(), flush=True)

def go():
    ready()
    while not (data / "go").exists():
        time.sleep(0.01)
"""

RUNS = """
lock = runs.take_lock(data, "job")
assert lock is not None
db = open_db()
runs.reap(db, data, holding="job")
run = runs.begin(db, "job", "2026-03-01", options={}, demo=False)
db.close()
sys.exit(supervise.supervise(run, work, open_db, deadline, **options))
"""


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and stderr, once nobody writes there any more: neither the supervisor nor what it started."""
    _, err = process.communicate(timeout=20)
    return process.returncode, err


def last_row(data: Path) -> dict:
    db = open_store(data)
    found = rows(db, "SELECT * FROM runs ORDER BY id DESC LIMIT 1")[0]
    db.close()
    return found


def metrics(data: Path) -> dict[str, float]:
    db = open_store(data)
    found = {row["name"]: row["value"] for row in rows(db, "SELECT name, value FROM metrics")}
    db.close()
    return found
