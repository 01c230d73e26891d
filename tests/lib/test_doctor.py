"""Doctor: a healthy desk is well, and each thing that is broken, broken for real, is said in its own line."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from lib import doctor, reports, runs
from lib.doctor import Check, Probe, as_json, as_lines, check, exit_code
from lib.errors import SourceUnavailable
from lib.runs import Outcome
from lib.schedules import Schedule
from lib.settings import Settings
from lib.store import STORE, table, writing
from tests.lib.looked_at import (
    MARKER,
    NOW,
    SCHEDULES,
    good_run,
    line,
    look,
    new_desk,
    running_desk,
    without_this_machines_settings,
    wrong,
)


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    without_this_machines_settings(monkeypatch)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return new_desk(tmp_path)


@pytest.fixture
def db(settings: Settings) -> Iterator[Database]:
    with running_desk(settings) as store:
        yield store


# a healthy desk


def test_a_new_desk_is_fit_and_warned_only_that_nothing_ticks(settings: Settings, tmp_path: Path) -> None:
    checks = look(settings)
    assert exit_code(checks) == 0, as_lines(checks)
    assert wrong(checks) == {"ticks"}
    assert list(tmp_path.iterdir()) == []  # nothing is made by looking


def test_a_desk_that_runs_is_well(settings: Settings, db: Database) -> None:
    before = sorted(settings.data.rglob("*"))
    checks = look(settings)
    assert exit_code(checks) == 0
    assert wrong(checks) == set(), as_lines(checks)
    assert sorted(settings.data.rglob("*")) == before


def test_lines_have_a_sign_and_say_below_what_to_do_where_it_is_not_well() -> None:
    checks = [Check("disk", "ok", "12 GiB free"), Check("clock", "failed", "it shows 1970", "set it\x1b[2J")]
    lines = as_lines(checks)
    assert lines[0] == "✓ disk   12 GiB free"
    assert lines[1] == "✕ clock  it shows 1970"
    assert lines[2].strip() == "→ set it\N{REPLACEMENT CHARACTER}[2J"
    assert lines[-1] == "The desk is not fit: see clock."
    assert exit_code(checks) == 1
    assert exit_code([Check("x", "warning", "so so", "mend it")]) == 0


def test_json_has_every_line_and_whether_the_desk_is_fit() -> None:
    said = json.loads(json.dumps(as_json([Check("clock", "failed", "it shows 1970", "set it")])))
    assert said == {
        "fit": False,
        "checks": [{"name": "clock", "status": "failed", "said": "it shows 1970", "remedy": "set it"}],
    }


def test_the_next_five_fire_times_of_all_jobs_are_told_in_the_desks_zone(settings: Settings) -> None:
    here = settings.model_copy(update={"timezone": "Europe/Madrid"})
    said = line(look(here, datetime(2026, 11, 27, 12, 0, tzinfo=UTC)), "next fire times").said.splitlines()
    assert said[0] == "Sat 2026-11-28 02:15 UTC+01:00  job"
    assert said[1] == "Sat 2026-11-28 22:00 UTC+01:00  weekly"
    assert len(said) == 5


# checks that break


def test_a_check_that_breaks_is_a_failed_line_and_stops_no_other(settings: Settings) -> None:
    def broken() -> Iterator[doctor.Found]:
        yield Check("first", "ok", "fine")
        raise KeyError("no such thing")

    def gone() -> Iterator[doctor.Found]:
        raise SourceUnavailable("the archive is not there")
        yield

    checks = look(settings, of_jobs={"job": broken, "weekly": gone})
    assert line(checks, "first").status == "ok"
    assert "KeyError" in line(checks, "job").said
    assert line(checks, "weekly").said == "the archive is not there"
    assert {each.name for each in checks if each.status == "failed"} == {"job", "weekly"}
    assert line(checks, "next fire times").status == "ok"


def test_no_fault_of_the_disk_or_the_store_ends_the_look_itself(
    settings: Settings, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any) -> Any:
        raise PermissionError(13, "Permission denied", "somewhere")

    def malformed(*_: Any) -> Any:
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(doctor.access, "read_secret", denied)
    monkeypatch.setattr(doctor.state, "measured", malformed)
    checks = look(settings)
    assert "not permitted to use somewhere" in line(checks, "messages").said
    monkeypatch.setattr(doctor.state, "open_store_to_look", denied)
    assert line(look(settings), "ledger").status == "warning"
    assert line(look(settings), "database").status == "failed"


def test_what_fails_for_a_job_on_no_schedule_is_a_warning(settings: Settings) -> None:
    failing = {"job": lambda: [Check("source", "failed", "it is away", "bring it")]}
    assert line(look(settings, of_jobs=failing), "source").status == "failed"
    found = line(look(settings, of_jobs=failing, schedules={"job": Schedule("never")}), "source")
    assert found.status == "warning"
    assert "job is on no schedule" in found.said


# sources


def test_sources_are_asked_at_the_same_time_and_left_out_offline(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=20)

    def meet(name: str) -> Probe:
        return Probe(name, lambda: (both.wait(), Check(name, "ok", "met"))[1])

    of_jobs = {"job": lambda: [meet("one")], "weekly": lambda: [meet("two")]}
    checks = look(settings, of_jobs=of_jobs)
    assert (line(checks, "one").said, line(checks, "two").said) == ("met", "met")
    checks = look(settings, of_jobs=of_jobs, offline=True)
    assert line(checks, "one").said == "not looked at (--offline)"


def test_a_source_that_never_ends_its_answer_does_not_hold_the_desk(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = threading.Event()
    monkeypatch.setattr(doctor, "LONGEST", 0.2)
    of_jobs = {"job": lambda: [Probe("slow", lambda: (ends.wait(60), Check("slow", "ok", "late"))[1])]}
    found = line(look(settings, of_jobs=of_jobs), "slow")
    ends.set()
    assert found.status == "failed"


def test_a_server_that_hangs_or_refuses_is_said_with_its_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        hangs = check.answers("source", f"http://127.0.0.1:{port}/{MARKER}?token={MARKER}", "look")
        secure = check.answers("source", f"wss://127.0.0.1:{port}/{MARKER}", "look")
    refuses = check.answers("source", f"ws://user:{MARKER}@127.0.0.1:{port}/", "look")
    assert [each.status for each in (hangs, secure, refuses)] == ["failed"] * 3
    assert hangs.said == f"127.0.0.1:{port} doesn't answer within 0.3 seconds"
    assert "refused" in refuses.said
    assert MARKER not in f"{hangs}{secure}{refuses}"
    assert check.answers("source", "https://", "look").status == "failed"


def test_an_answer_of_any_status_will_do_unless_the_thing_itself_has_to_be_there(fake_x: Any) -> None:
    assert check.answers("X", fake_x.url, "look").status == "ok"
    assert check.answers("X", f"{fake_x.url}/nothing", "look", there=True).status == "failed"


# the store, locks and runs


def flip_bytes(path: Path, start: int, count: int) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        bits = file.read(count)
        file.seek(start)
        file.write(bytes(each ^ 0xFF for each in bits))


@pytest.mark.parametrize("place", ["header", "middle"])
def test_a_store_with_flipped_bytes_fails_and_the_rest_is_looked_at_all_the_same(
    settings: Settings, place: str
) -> None:
    with running_desk(settings) as db, writing(db):
        table(db, "metrics").insert_all({"run": 1, "name": f"n{n}", "value": n, "json": "1" * 200} for n in range(2000))
    path = settings.data / STORE
    flip_bytes(path, 0 if place == "header" else path.stat().st_size // 2 // 4096 * 4096, 4096)
    checks = look(settings)
    assert line(checks, "database").status == "failed"
    assert "restore" in line(checks, "database").remedy
    assert line(checks, "templates").status == "ok"
    assert exit_code(checks) == 1


def test_rows_that_lost_the_row_they_belong_to_fail(settings: Settings, db: Database) -> None:
    db.execute("PRAGMA foreign_keys = OFF")
    with writing(db):
        table(db, "stages").insert_all([{"run": 999, "stage": "reading", "seconds": 1.0}])
    found = line(look(settings), "database")
    assert found.status == "failed"
    assert "stages (1 rows)" in found.said


def test_a_store_of_a_newer_desk_is_warned_of_and_pending_tables_are_told(settings: Settings, db: Database) -> None:
    with writing(db):
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'watched'")
    assert "desk.watched" in line(look(settings), "tables").said
    with writing(db):
        db.execute("UPDATE _sqlite_migrations SET name = 'of_tomorrow' WHERE name = 'runs'")
    assert line(look(settings), "tables").status == "warning"


def test_a_store_held_by_another_program_is_not_taken_for_damaged(
    settings: Settings, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.conn.execute("BEGIN EXCLUSIVE")
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **how: connect(*a, **{**how, "timeout": 0.1}))
    checks = look(settings)
    db.conn.rollback()
    assert line(checks, "database").status == ("ok" if _is_wal(settings) else "warning")
    assert exit_code(checks) == 0


def _is_wal(settings: Settings) -> bool:
    return (settings.data / STORE).read_bytes()[18] == 2


def test_a_dead_run_left_running_fails(settings: Settings, db: Database) -> None:
    run = runs.begin(db, "job", "2026-11-24", options={}, demo=False)
    found = line(look(settings, datetime.now(UTC)), "lock of job")
    assert found.status == "failed"
    assert f"run {run} is `running`" in found.said and "dead" in found.said


HOLDS = """
import sys, time
from pathlib import Path
from lib import runs

assert runs.take_lock(Path(sys.argv[1]), "job") is not None
print("ready", flush=True)
time.sleep(60)
"""


def test_a_lock_held_without_a_run_names_the_process_that_holds_it(
    settings: Settings, db: Database, start: Callable[..., subprocess.Popen[str]]
) -> None:
    holder = start(HOLDS)
    assert holder.stdout and holder.stdout.readline() == "ready\n"
    found = line(look(settings), "lock of job")
    assert found.status == "warning"
    assert f"by process {holder.pid} (" in found.said or not Path("/proc/self/fdinfo").exists()


def test_a_run_at_work_is_well_until_its_deadline_is_past(
    settings: Settings, db: Database, start: Callable[..., subprocess.Popen[str]]
) -> None:
    holder = start(HOLDS)
    assert holder.stdout and holder.stdout.readline() == "ready\n"
    runs.begin(db, "job", "2026-11-24", options={}, demo=False)
    assert line(look(settings, datetime.now(UTC)), "lock of job").status == "ok"
    late = line(look(settings, datetime.now(UTC) + timedelta(hours=3)), "lock of job")
    assert late.status == "failed"
    assert "past its deadline of 2h" in late.said


def test_a_failed_run_is_a_warning_and_a_failing_job_fails(settings: Settings, db: Database) -> None:
    for number in range(1, 4):
        run = runs.begin(db, "job", f"2026-11-2{number}", options={}, demo=False)
        with writing(db):
            runs.finish(db, run, Outcome("failed", "The source is away.", 69))
        found = line(look(settings, datetime.now(UTC)), "last run of job")
        assert found.status == ("failed" if number == settings.notify.failing_after else "warning")
        assert "The source is away." in found.said
        runs.record(db, "job", f"2026-11-2{number}", "skipped", "Another run is at work.", 75)
    good_run(db, "job", "2026-11-24")
    assert line(look(settings, datetime.now(UTC)), "last run of job").status == "ok"


def test_a_desk_where_nothing_ticks_any_more_is_warned_since_when(settings: Settings, db: Database) -> None:
    found = line(look(settings, NOW + timedelta(hours=1)), "ticks")
    assert found.status == "warning"
    assert "2026-11-23T11:59" in found.said
    log = settings.data / "logs" / "service.jsonl"
    log.parent.mkdir()
    log.write_text("{}\n")
    stamp = (NOW + timedelta(minutes=55)).timestamp()
    os.utime(log, (stamp, stamp))
    assert line(look(settings, NOW + timedelta(hours=1)), "ticks").status == "ok"


def test_an_old_backup_is_warned_of(settings: Settings, db: Database) -> None:
    schedules = {**SCHEDULES, "backup": Schedule("04:00")}
    assert line(look(settings, schedules=schedules), "backup").status == "ok"  # none yet, on a desk of a minute
    good_run(db, "backup")
    with writing(db):
        db.execute("UPDATE runs SET started_at = ?, ended_at = ? WHERE job = 'backup'", [runs.stamp(NOW)] * 2)
    assert line(look(settings, schedules=schedules), "backup").status == "ok"
    late = line(look(settings, NOW + timedelta(days=5), schedules=schedules), "backup")
    assert (late.status, "5 days ago" in late.said) == ("warning", True)


@pytest.mark.parametrize("to", [None, "elsewhere"])
def test_a_newest_backup_that_is_gone_is_warned_of(settings: Settings, db: Database, to: str | None) -> None:
    schedules = {**SCHEDULES, "backup": Schedule("04:00")}
    place = settings.data / (to or "backups")
    run = good_run(db, "backup")
    with writing(db):
        options = json.dumps({"to": str(place) if to else None})
        db.execute("UPDATE runs SET ended_at = ?, options = ? WHERE id = ?", [runs.stamp(NOW), options, run])
    gone = line(look(settings, schedules=schedules), "backup")
    assert (gone.status, str(place) in gone.said) == ("warning", True)
    folder = place / f"2026-11-23-{run}"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    assert line(look(settings, schedules=schedules), "backup").status == "ok"


def test_a_look_at_a_large_store_ends_in_time(
    settings: Settings, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.execute("CREATE TABLE large (content BLOB)")
    with writing(db):
        db.conn.executemany("INSERT INTO large VALUES (?)", ((bytes(3000),) for _ in range(20_000)))
    monkeypatch.setattr("lib.doctor.state.LONGEST_LOOK", 0.001)
    found = line(look(settings), "database")
    assert (found.status, "given up" in found.said) == ("warning", True)


def test_a_restore_that_was_killed_fails(settings: Settings, db: Database) -> None:
    (settings.data / ".restore.0123456789abcdef.aside").mkdir()
    found = line(look(settings), "restore")
    assert (found.status, "replaced-" in found.said) == ("failed", True)


@pytest.mark.parametrize("what", ["folder", "link"])
def test_what_is_no_file_in_the_stores_place_fails(settings: Settings, what: str) -> None:
    settings.data.mkdir()
    store = settings.data / STORE
    store.mkdir() if what == "folder" else store.symlink_to("nowhere")
    assert line(look(settings), "database").status == "failed"


def test_a_template_that_does_not_compile_fails_with_its_line(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(reports.TEMPLATES, tmp_path / "templates")
    page = copy / "model_topics.html"
    page.write_text(page.read_text() + "\n{% if broken %}")
    monkeypatch.setattr("lib.pages.TEMPLATES", copy)
    try:
        found = line(look(settings), "templates")
    finally:
        monkeypatch.undo()
        reports._environment.cache_clear()
    assert found.status == "failed"
    assert "model_topics.html doesn't compile in line" in found.said


def test_messages_that_nobody_got_are_warned_of(settings: Settings, db: Database) -> None:
    assert line(look(settings), "messages on their way").said == "none waiting"
    message = {"job": "job", "date": "2026-11-23", "event": "failed", "channel": "webhook", "body": "{}", "attempts": 1}
    waits = {**message, "created_at": runs.stamp(NOW), "next_at": runs.stamp(NOW + timedelta(minutes=10))}
    with writing(db):
        table(db, "notifications").insert(waits)
    assert line(look(settings), "messages on their way").status == "ok"
    assert line(look(settings, NOW + timedelta(hours=2)), "messages on their way").status == "warning"
    with writing(db):
        db.execute("UPDATE notifications SET next_at = NULL, error = 'given up: run 12 has ended since'")
    assert line(look(settings), "messages on their way").status == "ok"
    with writing(db):
        db.execute("UPDATE notifications SET error = 'given up after 30 attempts in 3 days: refused'")
    assert "1 given up" in line(look(settings), "messages on their way").said
