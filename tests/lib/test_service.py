"""The service: jobs start at their times in processes that outlive it, and a signal stops it soon and cleanly."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from sqlite_utils import Database

from lib.backfill import backfill
from lib.errors import CannotWrite, WrongUsage
from lib.launch import launch, run_of
from lib.schedules import Schedule
from lib.service import Service, serve
from lib.settings import Settings
from lib.store import rows, table, writing
from lib.tick import Order

# A job whose run works until a file allows it to end; `refuses` ends before it has a row, `fails` with bad data.
A_JOB = """
import sys, time
from datetime import date
from pathlib import Path
from lib.errors import BadData
from lib.job import Job
from lib.schedules import Schedule
from lib.settings import Settings

name, day, data = sys.argv[1], sys.argv[2], Path(sys.argv[3])

def work(run, options):
    if name == "fails":
        raise BadData("the input is empty")
    end = time.monotonic() + 60
    while not (data / "go").exists() and time.monotonic() < end:
        time.sleep(0.02)
    run.message = f"It is done for {run.date}."

if name == "refuses":
    print("setting topics is 0; expected 1 or more", file=sys.stderr)
    sys.exit(78)
settings = Settings(data=data, reports=data.parent / "reports", timezone="UTC")
result = Job(name, work, Schedule("02:15")).start(settings, date.fromisoformat(day), {}, force=False, quiet=True)
if result.exit_code:
    print(result.message, file=sys.stderr)
sys.exit(result.exit_code)
"""

SERVES = """
import sys
from pathlib import Path
from lib.schedules import Schedule
from lib.service import serve
from lib.settings import Settings

data, script, jobs = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]

def command(job, day, settings):
    return [sys.executable, script, job, str(day), str(data)]

settings = Settings(data=data, reports=data.parent / "reports", timezone="UTC")
sys.exit(serve({job: Schedule("00:00") for job in jobs}, settings, command=command))
"""

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "a_job.py"
    path.write_text(A_JOB)
    return path


@pytest.fixture
def settings(data: Path) -> Settings:
    return Settings(data=data, reports=data.parent / "reports", timezone="UTC")


@pytest.fixture
def command(script: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return lambda job, day, settings: [sys.executable, str(script), job, str(day), str(data)]


@pytest.fixture
def serving(
    start: Callable, script: Path, data: Path, db: Database, until: Callable
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the service on a desk that has watched its jobs for days, so that there is something to make up for."""
    pids: list[int] = []

    def serve_jobs(*jobs: str) -> subprocess.Popen[str]:
        since = (datetime.now(UTC) - timedelta(days=1, hours=1)).isoformat()
        with writing(db):
            for job in jobs:
                row = {"job": job, "at": "00:00", "timezone": "UTC", "since": since, "seen": since}
                table(db, "watched").insert(row, ignore=True)
        process = start(SERVES, str(script), *jobs)
        until(lambda: {row["job"] for row in working(db)} == set(jobs))
        pids.extend(row["pid"] for row in working(db))
        return process

    yield serve_jobs
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def working(db: Database) -> list[dict]:
    return rows(db, "SELECT * FROM runs WHERE status = 'running'")


def last(db: Database, job: str) -> dict:
    return rows(db, "SELECT * FROM runs WHERE job = ? ORDER BY id DESC LIMIT 1", job)[0]


def told(data: Path) -> list[dict]:
    return [json.loads(line) for line in (data / "logs" / "service.jsonl").read_text().splitlines()]


def alive(pid: int) -> bool:
    """Whether a process lives; one that only waits for its parent to notice doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_makes_up_for_what_was_missed_and_tells_of_the_start_the_end_and_the_next_fire_time(
    serving: Callable, db: Database, data: Path, until: Callable
):
    service = serving("job")
    (data / "go").touch()
    until(lambda: not working(db))
    until(lambda: any(line["event"] == "ended" for line in told(data)))
    service.send_signal(signal.SIGTERM)
    _, err = service.communicate(timeout=30)
    assert service.returncode == 0
    day, run = last(db, "job")["date"], last(db, "job")["id"]
    assert f"job {day}: started, to make up for {day} 00:00 (process " in err
    assert f"job {day}: ended with exit code 0 (run {run}). It is done for {day}." in err
    assert [line["event"] for line in told(data)][:2] == ["up", "next"]
    ended = next(line for line in told(data) if line["event"] == "ended")
    assert (ended["job"], ended["exit_code"], ended["run"]) == ("job", 0, run)
    assert "\x1b" not in err  # plain where it is no terminal


def test_a_signal_leaves_a_running_job_to_finish(serving: Callable, db: Database, data: Path, until: Callable):
    service = serving("job")
    run = working(db)[0]
    service.send_signal(signal.SIGTERM)
    _, err = service.communicate(timeout=30)
    assert service.returncode == 0
    assert f"job {run['date']}: left to finish (run {run['id']}, process {run['pid']})" in err
    assert alive(run["pid"])
    (data / "go").touch()
    until(lambda: not working(db))
    assert last(db, "job")["status"] == "ok"
    until(lambda: not alive(run["pid"]))


def test_a_signal_waits_for_a_job_that_is_about_to_end(serving: Callable, db: Database, data: Path):
    service = serving("job")
    service.send_signal(signal.SIGINT)
    (data / "go").touch()
    _, err = service.communicate(timeout=30)
    assert service.returncode == 0
    assert last(db, "job")["status"] == "ok"
    assert "left to finish" not in err


def test_a_second_signal_ends_running_jobs_cleanly(serving: Callable, db: Database, data: Path, until: Callable):
    service = serving("one", "two")
    service.send_signal(signal.SIGTERM)
    until(lambda: any(line["event"] == "stopping" for line in told(data)))
    service.send_signal(signal.SIGTERM)
    service.communicate(timeout=30)
    assert service.returncode == 0
    for job in ("one", "two"):
        row = last(db, job)
        assert (row["status"], row["exit_code"]) == ("failed", 143)
        assert row["message"].startswith("Interrupted by SIGTERM")
    assert not working(db)


def test_a_job_outlives_a_service_that_is_killed(serving: Callable, db: Database, data: Path, until: Callable):
    service = serving("job")
    run = working(db)[0]
    service.kill()
    service.communicate(timeout=30)
    assert alive(run["pid"])
    (data / "go").touch()
    until(lambda: not working(db))
    assert (last(db, "job")["id"], last(db, "job")["status"]) == (run["id"], "ok")


def test_of_two_services_on_a_desk_one_runs_a_date(serving: Callable, start: Callable, script, db, data, until):
    first = serving("job")
    second = start(SERVES, str(script), "job")
    until(lambda: sum(line["event"] == "up" for line in told(data)) == 2)
    (data / "go").touch()
    until(lambda: any(line["event"] == "ended" for line in told(data)))
    for each in (first, second):
        each.send_signal(signal.SIGTERM)
        each.communicate(timeout=30)
        assert each.returncode == 0
    assert len(rows(db, "SELECT id FROM runs WHERE status = 'ok'")) == 1


def test_a_desk_whose_store_cant_be_opened_is_told_before_anything_starts(settings: Settings):
    settings.data.write_text("a file in the folder's place")
    with pytest.raises(CannotWrite, match="can't open the store"):
        serve({"job": Schedule("00:00")}, settings)


@pytest.fixture
def service(settings: Settings, command: Callable, data: Path, db: Database) -> Iterator[Service]:
    """A service in this process, whose beats the test makes itself; it has looked at the desk."""
    made = Service({"job": Schedule("22:00", catch_up="none", grace="5m")}, settings, command=command)
    made.next_look = float("inf")
    yield made
    (data / "go").touch()
    made.stop()
    made.log.close()


def fires(service: Service) -> datetime:
    return service.scheduler.get_job("job").next_run_time


def on(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_job_starts_at_its_fire_time_once_though_the_clock_is_set_back(service, db, data, until):
    with time_machine.travel(on("2026-11-28T21:59:59"), tick=True) as clock:
        service.begin()
        until(lambda: [row["date"] for row in working(db)] == ["2026-11-28"])
        (data / "go").touch()
        until(lambda: service.see_ends() or not service.children)
        clock.move_to(on("2026-11-28T21:59:59"))
        service.refresh()
        assert fires(service) == on("2026-11-29T22:00")
        assert not service.start(Order("job", date(2026, 11, 28), on("2026-11-28T22:00"), late=False))
    assert len(rows(db, "SELECT id FROM runs")) == 1


def test_a_clock_that_was_ten_years_ahead_doesnt_leave_the_service_waiting_for_years(service, db, until):
    with time_machine.travel(on("2036-11-28T12:00"), tick=True) as clock:
        service.begin()
        assert fires(service) == on("2036-11-28T22:00")
        clock.move_to(on("2026-11-28T21:59:59"))
        service.refresh()
        assert service.next_look == 0.0
        until(lambda: [row["date"] for row in working(db)] == ["2026-11-28"])


def test_a_clock_set_ahead_starts_what_is_within_its_grace_and_no_more(service, db, until):
    with time_machine.travel(on("2026-11-28T12:00"), tick=True) as clock:
        service.begin()
        clock.move_to(on("2026-11-28T22:06"))
        service.refresh()
        until(lambda: fires(service) == on("2026-11-29T22:00"))
        clock.move_to(on("2026-11-29T22:04"))
        service.refresh()
        until(lambda: [row["date"] for row in working(db)] == ["2026-11-29"])


def test_a_job_that_is_at_work_isnt_started_again(service, db, data, until):
    first = Order("job", date(2026, 11, 28), on("2026-11-28T22:00"), late=False)
    assert service.start(first)
    assert not service.start(Order("job", date(2026, 11, 29), on("2026-11-29T22:00"), late=True))
    until(lambda: working(db))
    (data / "go").touch()
    until(lambda: service.see_ends() or not service.children)
    assert service.start(Order("job", date(2026, 11, 29), on("2026-11-29T22:00"), late=True))
    until(lambda: service.see_ends() or not service.children)
    assert [row["status"] for row in rows(db, "SELECT status FROM runs")] == ["ok", "ok"]


def test_a_job_that_starts_in_another_session_keeps_what_it_prints(settings: Settings, command, data: Path):
    started = launch("refuses", YESTERDAY, settings, command)
    assert os.getsid(started.process.pid) == started.process.pid
    assert started.process.wait() == 78
    assert run_of(started, settings) == (None, "setting topics is 0; expected 1 or more")
    assert "setting topics is 0" in (data / "logs" / "refuses.out").read_text()


def test_a_backfill_runs_the_dates_without_a_result_one_after_another(settings, command, data, db):
    (data / "go").touch()
    launch("job", date(2026, 3, 3), settings, command).process.wait()
    lines: list[str] = []
    days = date(2026, 3, 2), date(2026, 3, 4)
    schedule = Schedule("02:15")
    plan = backfill("job", schedule, settings, *days, dry_run=True)
    assert (plan.lines, plan.exit_code) == (["2026-03-02", "2026-03-04"], 0)
    done = backfill("job", schedule, settings, *days, dry_run=False, command=command, say=lines.append)
    assert (done.exit_code, done.lines) == (0, [])
    assert [(each.date, each.exit_code) for each in done.done] == [("2026-03-02", 0), ("2026-03-04", 0)]
    assert lines[1].startswith("2/2 job 2026-03-04: done in ")
    assert lines[1].endswith("It is done for 2026-03-04.")
    assert backfill("job", schedule, settings, *days, dry_run=True).lines == []


def test_a_backfill_ends_with_the_worst_exit_code(settings, command, db):
    day = date(2026, 3, 2)
    done = backfill("fails", Schedule("02:15"), settings, day, day, dry_run=False, command=command)
    assert done.exit_code == 65
    assert done.done[0].message == "The input is empty."


def test_a_dry_backfill_writes_nothing_on_a_desk_without_a_store(settings, data):
    now = datetime(2026, 3, 8, 12, tzinfo=UTC)
    plan = backfill("job", Schedule("sun 06:00"), settings, date(2026, 2, 23), date(2026, 3, 20), dry_run=True, now=now)
    assert plan.lines == ["2026-03-01", "2026-03-08"]  # what hasn't fired yet is left out
    assert not data.exists()


def test_a_backfill_of_what_is_live_or_the_wrong_way_round_is_wrong_usage(settings):
    days = date(2026, 3, 2), date(2026, 3, 4)
    with pytest.raises(WrongUsage, match="job listens to what is live, which can't be made up for"):
        backfill("job", Schedule("02:15", catch_up="none"), settings, *days, dry_run=True)
    with pytest.raises(WrongUsage, match=r"job has no logical dates to make up for \(its schedule is never\)"):
        backfill("job", Schedule("never"), settings, *days, dry_run=True)
    with pytest.raises(WrongUsage, match="--from 2026-03-04 is after --to 2026-03-02"):
        backfill("job", Schedule("02:15"), settings, *reversed(days), dry_run=True)


BACKFILLS = """
import sys
from datetime import date
from pathlib import Path
from lib.backfill import backfill
from lib.schedules import Schedule
from lib.settings import Settings

data, script = Path(sys.argv[1]), sys.argv[2]
settings = Settings(data=data, reports=data.parent / "reports", timezone="UTC")
done = backfill("job", Schedule("02:15"), settings, date(2026, 3, 2), date(2026, 3, 9), dry_run=False,
                command=lambda job, day, settings: [sys.executable, script, job, str(day), str(data)])
sys.exit(done.exit_code)
"""


def test_ctrl_c_ends_the_run_of_a_backfill_cleanly_and_starts_no_other(start, script, data, db, until):
    process = start(BACKFILLS, str(script))
    until(lambda: working(db))
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "Stopped by SIGINT; 1 of 8 dates were run."
    assert [(row["status"], row["exit_code"]) for row in rows(db, "SELECT * FROM runs")] == [("failed", 130)]


def test_a_job_starts_though_what_it_prints_cant_be_kept(settings: Settings, command, data: Path, db: Database):
    (data / "go").touch()
    (data / "logs").write_text("a file in the folder's place")
    started = launch("job", YESTERDAY, settings, command)
    assert started.process.wait() == 0
    assert run_of(started, settings) == (1, f"It is done for {YESTERDAY}.")


def test_a_start_that_found_the_store_locked_is_on_time_again_at_the_next_look(service, db, data, until):
    service.next_look = float("inf")
    service.command = lambda job, day, settings: [sys.executable, "-c", "raise SystemExit(75)"]
    order = Order("job", date(2026, 11, 28), on("2026-11-28T22:00"), late=False)
    assert service.start(order)
    until(lambda: service.see_ends() or not service.children)
    assert service.next_look < float("inf")
    assert service.start(order)


def test_a_backfill_to_the_end_of_the_calendar_ends_now(settings, db):
    asked = backfill("job", Schedule("00:00"), settings, YESTERDAY, date.max, dry_run=True)
    assert asked.dates[0] == str(YESTERDAY)
    assert len(asked.dates) <= 2
