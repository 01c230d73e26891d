"""Streams as they come: closed, no UTF-8, a terminal; commands and jobs end as they should on all of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lib.store import open_store, writing
from tests.jobs.conftest import Desk


@pytest.fixture
def here(tmp_path: Path) -> Desk:
    return Desk(tmp_path, "jobs.backup")


def shell(here: Desk, line: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in which $PY is Python."""
    return subprocess.run(
        ["sh", "-c", line],
        cwd=here.folder,
        env={**here.environment, "NIGHTDESK_TIMEZONE": "UTC", "PY": sys.executable, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_job_without_streams_works_as_with_them(here: Desk, closed: str):
    assert shell(here, f"$PY -m jobs.backup {closed}").returncode == 0
    assert here.query("SELECT status, committed FROM runs") == [("ok", 1)]
    assert shell(here, f"$PY -m jobs list {closed}").returncode == 0


def test_what_a_terminal_has_no_letters_for_is_escaped(here: Desk):
    odd = {"PYTHONIOENCODING": "ascii", "NIGHTDESK_NOTIFY__COMMAND": '["/bin/true"]'}
    tried = shell(here, "$PY -m jobs notify --test", **odd)
    assert (tried.returncode, "\\u2713" in tried.stdout) == (0, True), tried.stderr
    plan = shell(here, "$PY -m jobs.backup --dry-run --to é", **odd)
    assert (plan.returncode, "\\xe9" in plan.stdout) == (0, True), plan.stderr
    plan = shell(here, "$PY -m jobs.backup --dry-run --to é --json", **odd)
    assert "é" in json.loads(plan.stdout)["metrics"]["plan"][1]


def test_nothing_that_a_run_said_is_obeyed_by_a_terminal(here: Desk):
    db = open_store(here.data)
    with writing(db):
        db.execute(
            "INSERT INTO runs (job, date, status, started_at, message) VALUES (?, ?, ?, ?, ?)",
            ("backup", "2026-03-01", "failed", "2026-03-01T05:30:00.000Z", "a file \x1b[2J is bad"),
        )
    db.close()
    for command in ("list", "runs", "show 1"):
        said = shell(here, f"$PY -m jobs {command}").stdout
        assert "a file \\x1b[2J is bad" in said
        assert "\x1b" not in said


def test_a_bug_is_one_json_object_too(here: Desk):
    (here.folder / "sitecustomize.py").write_text(
        "import lib.overview, lib.job\ndef bug(*a, **b): raise RuntimeError('a bug')\n"
        "lib.overview.next_times = lib.job.Job.start = bug\n"
    )
    path = f"{here.folder}:{here.environment['PYTHONPATH']}"
    for command in ("jobs next", "jobs.backup"):
        done = shell(here, f"$PY -m {command} --json", PYTHONPATH=path)
        assert done.returncode == 1
        assert isinstance(json.loads(done.stdout), dict)
        assert "RuntimeError: a bug" in done.stderr
