"""The desk's own commands, as a person and cron run them."""

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lib.runs import stamp
from tests.jobs.conftest import Desk


@pytest.fixture
def here(tmp_path: Path) -> Desk:
    """A new desk; its job is the backup, the lightest."""
    return Desk(tmp_path, "jobs.backup")


def say(here: Desk, *args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobs", *args],
        cwd=here.folder,
        env={**here.environment, "NIGHTDESK_TIMEZONE": "UTC", **(env or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def told(here: Desk, *args: str, code: int = 0, **how: Any) -> Any:
    done = say(here, *args, "--json", **how)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def settings(here: Desk, text: str) -> None:
    (here.folder / "nightdesk.toml").write_text(text)


def test_a_new_desk_answers_every_question(here: Desk):
    assert [each["job"] for each in told(here, "list")] == ["retrain_cnn", "capture_tweets", "model_topics", "backup"]
    assert len(told(here, "next", "-n", "7")) == 7
    assert told(here, "runs") == []
    assert told(here, "notify") == []
    assert told(here, "prune", "--dry-run") is not None
    assert not (here.data / "nightdesk.db").exists()


def test_a_run_is_listed_and_shown_with_its_log(here: Desk):
    assert here.run().returncode == 0
    [row] = told(here, "runs", "backup")
    assert (row["status"], row["committed"]) == ("ok", True)
    shown = told(here, "show", "backup")
    assert shown["run_id"] == row["id"]
    assert shown["metrics"]["files"] >= 1
    assert any("begins" in each["message"] for each in shown["log"])
    assert "✓" not in say(here, "show", str(row["id"])).stderr
    assert told(here, "list")[3]["last"]["id"] == row["id"]


def test_run_and_backup_hand_their_options_to_the_job(here: Desk):
    assert "--keep-daily" in say(here, "run", "backup", "--help").stdout
    done = say(here, "run", "backup", "--json", "--date", "2026-11-22")
    assert json.loads(done.stdout)["date"] == "2026-11-22"
    assert json.loads(say(here, "backup", "--json", "--date", "2026-11-22").stdout)["status"] == "skipped"
    assert say(here, "run", "nothing").returncode == 2


def test_what_is_not_there_is_wrong_usage(here: Desk):
    for args in (["show", "99"], ["runs", "nothing"], ["backfill", "backup", "--from", "x", "--to", "y"], ["nonsense"]):
        done = say(here, *args)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr


def test_wrong_settings_end_a_command_with_78_and_doctor_with_a_finding(here: Desk):
    settings(here, '[schedule.backup]\nat = "noon"\n')
    for args in (["list"], ["next"], ["tick"], []):
        done = say(here, *args)
        assert done.returncode == 78
        assert "'noon' is not a time" in done.stderr
    found = told(here, "doctor", "--offline", code=1)
    assert not found["fit"]
    assert any("noon" in each["said"] for each in found["checks"])


def test_a_schedule_in_the_settings_holds_for_every_command(here: Desk):
    settings(here, '[schedule.backup]\nat = "sun 07:07"\n[schedule.retrain_cnn]\nat = "never"\n')
    jobs = {each["job"]: each for each in told(here, "list")}
    assert jobs["backup"]["schedule"]["at"] == "sun 07:07"
    assert jobs["retrain_cnn"]["next"] is None
    assert {each["job"] for each in told(here, "next", "-n", "30")} == {"capture_tweets", "model_topics", "backup"}
    crontab = say(here, "crontab").stdout
    assert "7 7 * * sun" in crontab
    assert "retrain_cnn" not in crontab


def test_a_night_missed_is_made_up_for_by_a_tick_from_cron(here: Desk, until):
    hours_ago = datetime.now(UTC) - timedelta(hours=6)  # what has just been due is left to cron's own line for it
    settings(here, f'[schedule.backup]\nat = "{hours_ago:%H:%M}"\n')
    assert say(here, "tick").returncode == 0
    seen = stamp(datetime.now(UTC) - timedelta(days=3))
    with contextlib.closing(sqlite3.connect(here.data / "nightdesk.db")) as store, store:
        store.execute("UPDATE watched SET since = ?, seen = ? WHERE job = 'backup'", [seen, seen])
    done = told(here, "tick")
    assert [each["job"] for each in done["started"]] == ["backup"]
    assert {each["job"] for each in done["missed"]} == {"backup"}
    until(lambda: here.query("SELECT 1 FROM runs WHERE job = 'backup' AND status = 'ok'"))
    assert told(here, "tick")["started"] == []


def test_backfill_runs_the_dates_that_have_no_result(here: Desk):
    today = datetime.now(UTC).date()
    days = [str(today - timedelta(days=each)) for each in (3, 2)]
    assert told(here, "backfill", "backup", "--from", days[0], "--to", days[1], "--dry-run")["dates"] == days
    done = told(here, "backfill", "backup", "--from", days[0], "--to", days[1])
    assert [(each["date"], each["exit_code"]) for each in done["done"]] == [(day, 0) for day in days]
    refused = say(here, "backfill", "capture_tweets", "--from", days[0], "--to", days[1])
    assert refused.returncode == 2
    assert "can't be made up for" in refused.stderr


def test_a_failure_is_told_once_and_a_command_hears_of_it(here: Desk):
    heard = here.folder / "heard.jsonl"
    script = here.folder / "hear.sh"
    script.write_text(f'#!/bin/sh\ncat >> "{heard}"; echo >> "{heard}"\n')
    script.chmod(0o755)
    settings(here, f'[notify]\ncommand = ["{script}"]\n')
    assert told(here, "notify", "--test")[0]["ok"]
    assert here.run().returncode == 0  # finished: not worth a message by default
    (here.reports / "backup").rename(here.folder / "gone")
    (here.reports / "backup").write_text("in the way")
    failed = here.run("--date", "2026-11-20")
    assert failed.returncode == 73
    events = [json.loads(line)["event"] for line in heard.read_text().splitlines() if line.strip()]
    assert events == ["test", "failed"]
    told(here, "tick")
    assert len([line for line in heard.read_text().splitlines() if line.strip()]) == 2


def test_notify_test_without_anybody_to_tell_is_a_matter_of_settings(here: Desk):
    done = say(here, "notify", "--test")
    assert done.returncode == 78
    assert "[notify]" in done.stderr


def test_completion_knows_commands_and_jobs(here: Desk):
    for shell in ("bash", "zsh", "fish"):
        assert "_NIGHTDESK_COMPLETE" in say(here, "completion", shell).stdout
    words = {"COMP_WORDS": "nightdesk runs ", "COMP_CWORD": "2", "_NIGHTDESK_COMPLETE": "bash_complete"}
    assert "model_topics" in say(here, env=words).stdout


def test_the_service_fires_a_job_at_its_minute_and_stops_on_sigterm(here: Desk, until):
    """As a new user would try it: a schedule a minute ahead, and `python -m jobs`."""
    at = datetime.now(UTC) + timedelta(seconds=65 if datetime.now(UTC).second > 55 else 60)
    settings(here, f'timezone = "UTC"\n[schedule.backup]\nat = "{at:%H:%M}"\n')
    service = subprocess.Popen(
        [sys.executable, "-m", "jobs"],
        cwd=here.folder,
        env=here.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: (here.data / "logs" / "service.jsonl").exists())  # the store has its tables by then
        until(lambda: here.query("SELECT 1 FROM runs WHERE job = 'backup' AND status = 'ok'"), seconds=150.0)
        [(date, started)] = here.query("SELECT date, started_at FROM runs WHERE job = 'backup'")
        assert date == str(at.date())
        assert started >= f"{at:%Y-%m-%dT%H:%M}:00"
        asked = time.monotonic()
        service.send_signal(signal.SIGTERM)
        _, said = service.communicate(timeout=30)
        assert time.monotonic() - asked < 10
    finally:
        service.kill()
        service.wait()
        if service.stderr:
            service.stderr.close()
    assert service.returncode == 0
    assert "backup: next" in said
    assert "ended with exit code 0" in said
    assert (here.reports / "backup" / "latest.html").exists()
