"""The desk's own commands: what they say of jobs, fire times and runs."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlite_utils import Database

from lib import runs
from lib.errors import WrongUsage
from lib.overview import columns, next_times, of_jobs, of_run, of_runs
from lib.runs import Outcome
from lib.schedules import Schedule
from lib.settings import Settings, load_settings
from lib.store import writing

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday
SCHEDULES = {"nightly": Schedule("02:15"), "weekly": Schedule("sat 22:00"), "off": Schedule("never")}
TITLES = {"nightly": "Train", "weekly": "Listen", "off": "Rest"}


@pytest.fixture
def settings(data: Path, tmp_path: Path) -> Settings:
    return load_settings({"timezone": "Europe/Madrid"}, {"data": data, "reports": tmp_path / "reports"})


def done(db: Database, job: str, date: str, status: str = "ok", **figures: float) -> int:
    run = runs.begin(db, job, date, options={"topics": 10, "articles": []}, demo=False)
    with writing(db):
        if status == "ok":
            runs.commit(db, run, Outcome("ok", f"{job} went well.", 0, figures, {"empty": 3}, {"reading": 1.5}))
        else:
            runs.finish(db, run, Outcome(status, f"{job} went wrong.", 65))
    return run


def test_a_new_desk_has_jobs_and_times_and_no_runs(settings: Settings):
    said = of_jobs(None, settings, SCHEDULES, TITLES, NOW)
    assert [each["next"] for each in said.data] == ["2026-11-24T01:15:00Z", "2026-11-28T21:00:00Z", None]
    assert [each["last"] for each in said.data] == [None, None, None]
    assert "  daily 02:15, next Tue 24 Nov 2026 02:15 CET" in said.lines
    assert "  never, next never" in said.lines
    assert of_runs(None, settings, None, None, 10).lines == ["no run yet"]


def test_the_last_run_of_a_job_is_the_last_that_did_something(db: Database, settings: Settings):
    wrong = done(db, "nightly", "2026-11-22", "failed")
    runs.record(db, "nightly", "2026-11-22", "skipped", "Another is at work.", 75)
    said = of_jobs(db, settings, SCHEDULES, TITLES, NOW)
    assert (said.data[0]["last"]["id"], said.data[0]["last"]["status"]) == (wrong, "failed")
    assert any("failed, run 1" in line and "went wrong" in line for line in said.lines)


def test_the_next_times_of_all_jobs_are_in_one_order(settings: Settings):
    said = next_times(settings, SCHEDULES, 7, NOW)
    assert [(each["job"], each["date"]) for each in said.data] == [
        *(("nightly", f"2026-11-{day}") for day in range(24, 29)),
        ("weekly", "2026-11-28"),
        ("nightly", "2026-11-29"),
    ]
    assert said.lines[5].split()[:6] == ["Sat", "28", "Nov", "2026", "22:00", "CET"]


def test_next_shows_as_many_times_of_a_weekly_job_as_are_asked_for(settings: Settings):
    weekly = {"weekly": Schedule("sat 22:00")}
    assert len(next_times(settings, weekly, 60, NOW).data) == 60
    assert next_times(settings, {"off": Schedule("never")}, 5, NOW).lines == []


def test_runs_are_newest_first_and_can_be_chosen(db: Database, settings: Settings):
    done(db, "nightly", "2026-11-21")
    done(db, "weekly", "2026-11-21")
    done(db, "nightly", "2026-11-22", "failed")
    assert [row["id"] for row in of_runs(db, settings, None, None, 10).data] == [3, 2, 1]
    assert [row["id"] for row in of_runs(db, settings, "nightly", None, 10).data] == [3, 1]
    assert [row["id"] for row in of_runs(db, settings, "nightly", "ok", 10).data] == [1]
    assert [row["id"] for row in of_runs(db, settings, None, None, 1).data] == [3]


def test_a_run_is_shown_with_its_figures_rejects_stages_and_settings(db: Database, settings: Settings):
    run = done(db, "nightly", "2026-11-22", articles=24148)
    said = of_run(db, settings, str(run))
    assert said.data["metrics"] == {"articles": 24148}
    assert said.data["rejected"] == {"empty": 3}
    assert said.data["stages"] == {"reading": 1.5}
    assert said.data["options"] == {"topics": 10, "articles": []}
    assert said.data["log"] == []
    text = "\n".join(said.lines)
    assert "run 1 of nightly for 2026-11-22: ok, committed" in text
    assert "  articles  24,148" in text
    assert "  topics  10" in text
    json.dumps(said.data)


def test_a_run_is_found_by_its_jobs_name_too_and_its_log_is_shown(db: Database, settings: Settings):
    done(db, "nightly", "2026-11-21")
    run = done(db, "nightly", "2026-11-22")
    folder = settings.data / "nightly" / "2026-11-22-2"
    folder.mkdir(parents=True)
    line = {"time": "2026-11-22T01:15:00.000Z", "run": run, "job": "nightly", "level": "info", "message": "it began"}
    (folder / "log.jsonl").write_text(json.dumps(line) + "\n")
    db.execute("UPDATE runs SET folder = 'nightly/2026-11-22-2' WHERE id = ?", [run])
    db.conn.commit()
    said = of_run(db, settings, "nightly")
    assert said.data["run_id"] == run
    assert [each["message"] for each in said.data["log"]] == ["it began"]
    assert any("02:15:00" in each and "it began" in each for each in said.lines)


@pytest.mark.parametrize("which", ["99", "0", "nobody", "-1", "1.5", "٣", "9" * 40, "1; DROP TABLE runs"])
def test_a_run_that_is_not_there_is_wrong_usage(db: Database, settings: Settings, which: str):
    with pytest.raises(WrongUsage, match="there is no run"):
        of_run(db, settings, which)


def test_columns_are_as_wide_as_their_widest_entry():
    assert columns([["a", "bb", "c"], ["aaa", "b", "cc"]]) == ["a    bb  c", "aaa  b   cc"]
    assert columns([]) == []


def test_a_row_with_odd_values_is_shown_all_the_same(db: Database, settings: Settings):
    run = done(db, "nightly", "2026-11-22")
    figures = [("loss", "NaN"), ("worst", "-Infinity"), ("words", '["a"]')]
    with writing(db):
        db.execute("UPDATE runs SET options = '{', started_at = 'yesterday', seconds = NULL WHERE id = ?", [run])
        for name, value in figures:
            db.execute("INSERT INTO metrics VALUES (?, ?, NULL, ?)", [run, name, value])
    said = of_run(db, settings, str(run))
    assert json.loads(json.dumps(said.data, allow_nan=False))["metrics"] == {
        "loss": None,
        "worst": None,
        "words": ["a"],
    }
    assert said.data["options"] == {}
    assert any("yesterday" in line for line in said.lines)
    assert "yesterday" in of_runs(db, settings, None, None, 9).lines[0]
    assert of_jobs(db, settings, SCHEDULES, TITLES, NOW).lines
