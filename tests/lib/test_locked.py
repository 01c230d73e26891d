"""A store that another program keeps locked: what a run has done stands, and its exit code tells of that."""

import sqlite3
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlite_utils import Database

from lib import runs
from lib.logs import RunLog
from lib.run import Run
from lib.settings import Settings
from lib.store import STORE, open_store, table, writing
from tests.lib.supervised import BEGINS, RUNS, ended, last_row

LOCKS = """
from lib import store
store.BUSY_TIMEOUT = 0.3

def hold_the_store(seconds):
    '''Lock the store in another process, which lets go after so long or where it is told to.'''
    script = '''if True:
        import sqlite3, sys, time
        from pathlib import Path
        data = Path(sys.argv[1])
        store = sqlite3.connect(data / "nightdesk.db", isolation_level=None)
        store.execute("BEGIN EXCLUSIVE")
        (data / "locked").touch()
        end = time.monotonic() + float(sys.argv[2])
        while not (data / "unlock").exists() and time.monotonic() < end:
            time.sleep(0.01)
    '''
    kept = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    subprocess.Popen([sys.executable, "-c", script, str(data), str(seconds)], **kept).returncode = 0
    while not (data / "locked").exists():
        time.sleep(0.01)
"""


@pytest.fixture
def supervised(start: Callable) -> Callable[[str], subprocess.Popen[str]]:
    return lambda work: start(BEGINS + LOCKS + textwrap.dedent(work) + RUNS)


@pytest.fixture
def unlocked(data: Path, until: Callable) -> Callable[[], None]:
    """Have whoever locks the store let go of it."""

    def unlock() -> None:
        (data / "unlock").touch()
        until(lambda: reads(data / STORE))

    return unlock


def reads(path: Path) -> bool:
    store = sqlite3.connect(path, timeout=0)
    try:
        return bool(store.execute("SELECT count(*) FROM runs").fetchone())
    except sqlite3.OperationalError:
        return False
    finally:
        store.close()


def test_a_run_that_has_committed_is_done_though_the_store_is_locked_from_then_on(data, supervised, unlocked):
    code, err = ended(
        supervised("""
        def work():
            outcome = commit()
            hold_the_store(20.0)
            return outcome
    """)
    )
    unlocked()
    assert (code, err) == (0, "")
    assert (last_row(data)["status"], last_row(data)["committed"]) == ("ok", 1)


def test_a_deadline_is_told_though_the_store_is_locked_for_a_while(data: Path, supervised: Callable):
    job = supervised("""
        store.BUSY_TIMEOUT = 2.0
        deadline = 0.2

        def work():
            hold_the_store(3.0)
            time.sleep(30)
    """)
    assert ended(job) == (1, "")
    assert "Stopped at its deadline" in last_row(data)["message"]


def test_a_stage_begins_though_the_store_is_locked_just_now(data: Path, db: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lib.run.NOTE_MILLISECONDS", 10)
    id = runs.begin(db, "job", "2026-03-01", options={}, demo=False)
    settings = Settings(data=data, reports=data.parent / "reports", timezone="UTC")
    run = Run(db, id, "job", "2026-03-01", settings, RunLog(data / "log.jsonl", id, "job"), demo=False, quiet=True)
    other = open_store(data)
    with writing(other), run.stage("listening"):
        pass
    other.close()
    assert table(db, "runs").get(id)["stage"] is None
    with run.stage("scoring"):
        assert table(db, "runs").get(id)["stage"] == "scoring"
    assert db.execute("PRAGMA busy_timeout").fetchone()[0] == 30_000
