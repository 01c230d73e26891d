"""A run with nobody watching: its log, what is tried again, and who is told, by a small job's own command line."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lib.logs import lines_for_people, read_log
from tests.jobs.conftest import Desk

SCRIPT = '''
"""A job for the tests."""
import logging, os, subprocess, sys, time, warnings
from dataclasses import replace
import click
from lib import retrying
from lib.command import job
from lib.errors import BadData, SourceDown
from lib.schedules import Schedule

SCHEDULE = Schedule("02:15")
retrying.FIRST_WAIT = 0.01

@job(SCHEDULE, plan=lambda options: [], output="things")
@click.option("--do", default="well")
@click.option("--url", default="")
def small(run, options):
    """A small job."""
    from lib.download import download
    do = options.do
    with run.stage("working"):
        (run.folder / "made").write_text("half")
        run.log("for the log alone", answer=42)
        run.stages.say("for people")
        os.write(2, b"a banner\\n")
        warnings.warn("a warning")
        logging.getLogger("library").error("a record")
        subprocess.run(["sh", "-c", "echo a child >&2"])
        if do == "gently":
            run.stop_gently()
        if do in ("down", "gently"):
            raise SourceDown("the source is away")
        if do == "bad":
            raise BadData("the file is bad")
        if do == "bug":
            1 / 0
        if do == "sleep":
            print("ready", flush=True)
            time.sleep(60)
        if do == "terminal":
            print(f"a terminal: {sys.stderr.isatty()}", file=sys.stderr)
    if options.url:
        with run.stage("fetching"):
            run.reject("of an attempt that failed") if not (run.settings.data / "tried").exists() else None
            (run.settings.data / "tried").touch()
            download(options.url, run.settings.data / "fetched", attempts=1)
    run.metrics = {"things": 3}
    run.message = "Three things."

def started(db, settings, run):
    print("started", run, [row["status"] for row in db.query("SELECT status FROM runs WHERE id = ?", [run])])
    sys.stdout.flush()
    if os.environ.get("HOOKS") == "raise":
        raise RuntimeError("the mail server is away")

def over(db, settings, run, log):
    said = [row["status"] for row in db.query("SELECT status FROM runs WHERE id = ?", [run])]
    print("over", run, said, log.name, log.is_file(), flush=True)
    if os.environ.get("HOOKS") == "raise":
        sys.exit(9)

if os.environ.get("HOOKS"):
    import lib.job
    begin = lib.job.Job.start
    lib.job.Job.start = lambda self, *a, **k: begin(replace(self, on_start=started, on_end=over), *a, **k)

if __name__ == "__main__":
    small()
'''


@pytest.fixture
def small(tmp_path: Path) -> Desk:
    """A desk with the small job."""
    (tmp_path / "small.py").write_text(SCRIPT)
    return Desk(tmp_path, "small")


def log_of(desk: Desk, run: int) -> list[dict[str, Any]]:
    """A run's log, found as `python -m jobs show` finds it: by the row's folder."""
    ((folder,),) = desk.query("SELECT folder FROM runs WHERE id = ?", run)
    assert folder is not None
    return read_log(desk.data / folder / "log.jsonl")


def test_the_log_has_all_of_a_run_and_the_terminal_what_is_for_people(small: Desk):
    done = small.run("--date", "2026-03-01")
    assert (done.returncode, done.stdout) == (0, "")
    assert [line.split(" ", 1)[1] for line in done.stderr.splitlines()] == ["for people", "things."]
    entries = log_of(small, 1)
    assert {(entry["run"], entry["job"]) for entry in entries} == {(1, "small")}
    first, last = entries[0], entries[-1]
    assert (first["date"], first["options"]) == ("2026-03-01", {"do": "well", "url": ""})
    assert "Python" in first["machine"]
    assert (last["message"], last["status"], last["exit_code"]) == ("Three things.", "ok", 0)
    assert last["seconds"] > 0
    said = [(entry["level"], entry["message"].splitlines()[0]) for entry in entries]
    for each in (
        ("info", "working: begun"),
        ("info", "for the log alone"),
        ("info", "for people"),
        ("error", "a record"),
        ("noise", "a banner"),
        ("noise", "a child"),
    ):
        assert said.count(each) == 1, each
    assert any(level == "warning" and "UserWarning: a warning" in message for level, message in said)
    (end,) = [entry for entry in entries if entry["message"].startswith("working: done in")]
    assert (end["stage"], end["seconds"] > 0) == ("working", True)
    assert len(lines_for_people(entries)) >= len(entries)


def test_quiet_is_for_the_terminal_and_not_for_the_log(small: Desk):
    assert small.run("--quiet").stderr == ""
    assert "for people" in [entry["message"] for entry in log_of(small, 1)]


def test_json_is_one_object_whatever_noise_there_is(small: Desk):
    code, said = small.json()
    assert (code, said["status"], said["metrics"]["things"]) == (0, "ok", 3)


def test_on_a_terminal_people_have_one_and_noise_has_not(small: Desk):
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        small.command("--do", "terminal"),
        cwd=small.folder,
        env=small.environment,
        stdout=subprocess.DEVNULL,
        stderr=end,
    )
    os.close(end)
    said = b""
    with contextlib.suppress(OSError):  # Linux: EIO when the last writer has gone
        while part := os.read(terminal, 65536):
            said += part
    os.close(terminal)
    assert process.wait(20) == 0
    assert b"a terminal: True" in said
    assert b"for people" in said
    assert b"banner" not in said
    assert b"a warning" not in said


@pytest.mark.parametrize(("do", "code"), [("bad", 65), ("bug", 1)])
def test_a_failed_run_leaves_its_log_and_nothing_else(small: Desk, do: str, code: int):
    done = small.run("--do", do, "--date", "2026-03-01")
    assert done.returncode == code
    assert ("Traceback" in done.stderr) == (do == "bug")
    assert [path.name for path in (small.data / "small" / "2026-03-01-1").iterdir()] == ["log.jsonl"]
    entries = log_of(small, 1)
    assert (entries[-1]["level"], entries[-1]["status"], entries[-1]["exit_code"]) == ("error", "failed", code)
    assert any(entry["message"].startswith("Traceback") for entry in entries) == (do == "bug")


def running(small: Desk) -> subprocess.Popen[str]:
    process = small.start("--do", "sleep", "--date", "2026-03-01")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_an_interrupted_run_leaves_its_log(small: Desk):
    process = running(small)
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 143
    assert log_of(small, 1)[-1]["exit_code"] == 143


def test_a_run_found_dead_keeps_its_log_and_the_log_says_so(small: Desk):
    process = running(small)
    end = time.monotonic() + 20
    while "a banner" not in [entry["message"] for entry in log_of(small, 1)]:  # until then it lies in the pipe
        assert time.monotonic() < end
    process.kill()
    process.communicate(timeout=20)
    end = time.monotonic() + 20
    while small.run("--date", "2026-03-02").returncode == 75:  # its child still has the lock
        assert time.monotonic() < end
    entries = log_of(small, 1)
    assert "a banner" in [entry["message"] for entry in entries]
    assert entries[-1]["status"] == "crashed"
    assert [path.name for path in (small.data / "small" / "2026-03-01-1").iterdir()] == ["log.jsonl"]


def test_a_replaced_runs_log_goes_with_it(small: Desk):
    small.run("--date", "2026-03-01")
    small.run("--date", "2026-03-01", "--force")
    assert [path.name for path in (small.data / "small").iterdir()] == ["2026-03-01-2"]
    assert log_of(small, 2)[-1]["status"] == "ok"


@pytest.fixture
def site() -> Iterator[Callable[[list[int]], str]]:
    """An HTTP server that answers with the statuses given, one a request, and then with 200."""
    servers: list[ThreadingHTTPServer] = []

    def serve(statuses: list[int]) -> str:
        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status = statuses.pop(0) if statuses else 200
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *args: Any) -> None:
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Answers))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/archive"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_source_that_is_down_for_a_while_costs_a_night_nothing(small: Desk, site: Callable[[list[int]], str]):
    code, said = small.json("--url", site([503, 429]), "--date", "2026-03-01")
    assert (code, said["run_id"], said["status"], said["rejected"]) == (0, 1, "ok", {})
    assert (said["metrics"]["things"], said["metrics"]["attempts"]) == (3, 3)
    assert small.query("SELECT COUNT(*) FROM runs") == [(1,)]
    again = [entry["message"] for entry in log_of(small, 1) if "trying again" in entry["message"]]
    assert ["(1 of 3)" in again[0], "(2 of 3)" in again[1], len(again)] == [True, True, 2]
    assert not (small.data / "small" / "2026-03-01-1" / "rejects.jsonl").exists()  # that was the first attempt's


def test_what_is_not_there_is_not_tried_again(small: Desk, site: Callable[[list[int]], str]):
    code, said = small.json("--url", site([404] * 9))
    assert (code, said["metrics"]) == (69, {})
    assert not any("trying again" in entry["message"] for entry in log_of(small, 1))


def test_how_often_is_a_setting(small: Desk):
    done = small.run("--do", "down", env={"NIGHTDESK_SCHEDULE__SMALL__RETRIES": "1"})
    assert done.returncode == 69
    assert done.stderr.count("trying again") == 1
    none = small.run("--do", "down", env={"NIGHTDESK_SCHEDULE__SMALL__RETRIES": "0"})
    assert (none.returncode, none.stderr.count("trying again")) == (69, 0)


def test_an_hour_that_doesnt_come_again_is_not_tried_again(small: Desk):
    done = small.run("--do", "gently")
    assert done.returncode == 69
    assert "trying again" not in done.stderr


def test_whoever_asks_is_told_of_the_start_and_the_end(small: Desk):
    done = small.run(env={"HOOKS": "tell"})
    assert done.stdout.splitlines() == ["started 1 ['running']", "over 1 ['ok'] log.jsonl True"]
    again = small.run(env={"HOOKS": "tell"})
    assert (again.returncode, again.stdout) == (0, "")  # skipped


def test_an_end_before_any_work_is_told(small: Desk):
    (small.folder / "reports").write_text("in the way")
    done = small.run(env={"HOOKS": "tell"})
    assert done.returncode == 73
    assert done.stdout.splitlines() == ["over 1 ['failed'] log.jsonl True"]
    assert log_of(small, 1)[-1]["exit_code"] == 73


@pytest.mark.parametrize(("do", "code"), [("well", 0), ("bad", 65)])
def test_whoever_is_told_and_fails_changes_nothing(small: Desk, do: str, code: int):
    done = small.run("--do", do, env={"HOOKS": "raise"})
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    said = json.dumps(log_of(small, 1))
    assert "the mail server is away" in said
    assert "SystemExit: 9" in said


def test_a_stop_signal_while_the_start_is_told_leaves_no_row_running(small: Desk):
    process = small.start(env={"HOOKS": "tell"})
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert small.query("SELECT COUNT(*) FROM runs WHERE status = 'running'") == [(0,)]
