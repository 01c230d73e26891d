"""What of a run is worth a message."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from lib import notices, rules
from lib.files import mark_as_demo
from lib.schedules import Schedule
from lib.store import desk_tables, migrate, table, writing
from tests.lib.told import ALL, NOW, add, events, measured, settings_of, watched, without_secrets

NIGHTLY = {"job": Schedule("02:15", grace="15m")}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    without_secrets(monkeypatch)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(100, []), (199, []), (201, ["slow"]), (26, []), (24, ["fast"]), (0.0, ["fast"])],
)
def test_a_run_is_slow_or_fast_by_its_own_history(db: Database, seconds: float, said: list[str]):
    for each in (100, 98, 103, 100, 101):
        add(db, seconds=each)
    assert events(db, add(db, seconds=seconds)) == ["finished", *said]


def test_a_run_of_seconds_is_never_slow_or_fast(db: Database):
    for each in (2, 2, 3, 2, 2):
        add(db, seconds=each)
    assert events(db, add(db, seconds=40)) == events(db, add(db, seconds=0.01)) == ["finished"]


def test_a_history_that_varies_widely_is_no_measure(db: Database):
    for each in (100, 600, 100, 620, 350, 90, 580):
        add(db, seconds=each)
    assert events(db, add(db, seconds=900)) == events(db, add(db, seconds=60)) == ["finished"]


@pytest.mark.parametrize(
    "other", [{"options": '{"epochs": 1}'}, {"demo": 1}, {"committed": 0}, {"partial": 1}, {"job": "another"}]
)
def test_only_whole_committed_runs_of_the_same_options_are_its_history(db: Database, other: dict[str, Any]):
    for _ in range(9):
        add(db, seconds=1000, **other)
    for _ in range(4):
        add(db, seconds=100)
    assert events(db, add(db, seconds=999)) == ["finished"]
    add(db, seconds=100)
    assert rules.history(db, table(db, "runs").get(add(db))) == [100, 999, 100, 100, 100, 100]


def test_a_run_that_is_known_to_have_ended_early_is_not_too_fast(db: Database):
    for _ in range(5):
        add(db, seconds=600)
    assert events(db, add(db, seconds=30, partial=1)) == ["finished"]


@given(st.lists(st.floats(0, 1e6), max_size=30))
def test_bounds_leave_room_around_what_is_usual(seconds: list[float]):
    found = rules.bounds(seconds)
    if len(seconds) < rules.ENOUGH:
        assert found is None
    else:
        assert found is not None
        assert 0 <= found.fast <= found.usual * rules.FAST
        assert found.slow >= found.usual + rules.SHORTEST
        assert found.fast == 0 or found.usual >= rules.SHORTEST
        assert found.slow >= rules.SLOW * found.usual


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"articles": 0}, ["empty"]),
        ({"articles": 0.0}, ["empty"]),
        ({"articles": []}, ["empty"]),
        ({"articles": None}, ["empty"]),
        ({"articles": float("nan")}, ["empty"]),
        ({"topics": 5}, ["empty"]),
        ({"articles": 5}, []),
        ({"articles": [1]}, []),
    ],
)
def test_an_ok_run_whose_output_is_nothing_is_empty(db: Database, metrics: dict[str, Any], said: list[str]):
    run = measured(db, add(db), **metrics)
    assert events(db, run, output="articles") == ["finished", *said]
    assert events(db, run) == ["finished"]


def test_failures_in_a_row_are_told_at_n_and_at_each_multiple(db: Database):
    add(db, "failed")
    add(db, "ok")
    said = []
    for status in ("failed", "crashed", "missed", "failed", "skipped", "failed", "crashed", "failed", "failed"):
        said.append(events(db, add(db, status, job="job")))
        add(db, "ok", job="another")
        add(db, "ok", demo=1)
    assert said == [
        ["failed"],
        ["crashed"],
        ["missed"],
        ["failed", "failing"],
        [],
        ["failed"],
        ["crashed"],
        ["failed", "failing"],
        ["failed"],
    ]


@given(st.lists(st.sampled_from(["ok", "failed", "crashed", "missed", "skipped"]), max_size=25), st.integers(2, 5))
def test_failing_is_said_once_every_n_failures_whatever_the_order(statuses: list[str], n: int):
    db = Database(memory=True)
    migrate(db, (desk_tables,))
    streak = 0
    for number, status in enumerate(statuses):
        run = add(db, status, date=f"day {number}")
        streak = 0 if status == "ok" else streak + (status in ("failed", "crashed"))
        expected = status in ("failed", "crashed") and streak % n == 0
        assert ("failing" in events(db, run, failing_after=n)) is expected
    db.close()


def test_the_first_ok_after_a_failure_that_was_told_is_a_recovery(data: Path, db: Database):
    silent = settings_of(data, command=("true",), on=("missed",))
    loud = settings_of(data, command=(sys.executable, "-c", ""), on=ALL)
    notices.ended(db, silent, add(db, "failed"))
    assert "recovered" not in events(db, add(db))
    notices.ended(db, loud, add(db, "failed"))
    add(db, "failed")
    first, second = add(db), add(db)
    assert ("recovered", "it has succeeded after 2 failures in a row") in rules.events_of(
        db, table(db, "runs").get(first), failing_after=3
    )
    assert "recovered" not in events(db, second)


def late(db: Database, data: Path, now: datetime, schedules: dict[str, Schedule] = NIGHTLY) -> list[str]:
    return [date for _, date, _ in rules.late(db, settings_of(data), schedules, now)]


def test_a_run_is_late_once_its_grace_is_over_and_only_the_last_of_several_is(db: Database, data: Path):
    watched(db)
    assert late(db, data, datetime(2026, 3, 10, 2, 29, tzinfo=UTC)) == ["2026-03-09"]
    assert late(db, data, datetime(2026, 3, 10, 2, 30, tzinfo=UTC)) == ["2026-03-10"]
    found = rules.late(db, settings_of(data), NIGHTLY, NOW)
    assert found == [
        ("job", "2026-03-10", "it should have started at 2026-03-10 02:15 UTC and hasn't; is the scheduler up?")
    ]


@pytest.mark.parametrize("status", ["running", "ok", "failed", "crashed", "missed"])
def test_a_date_that_has_begun_or_was_found_missed_is_not_late(db: Database, data: Path, status: str):
    watched(db)
    add(db, "skipped", date="2026-03-10")
    assert late(db, data, NOW) == ["2026-03-10"]
    add(db, status, date="2026-03-10", started_at="2026-03-10T02:29:59.000Z")
    assert late(db, data, NOW) == []


def test_a_run_that_began_after_its_grace_is_late(db: Database, data: Path):
    watched(db)
    add(db, "running", date="2026-03-10", started_at="2026-03-10T09:00:02.000Z")
    [(_, _, why)] = rules.late(db, settings_of(data), NIGHTLY, NOW)
    assert why == "it should have started at 2026-03-10 02:15 UTC and did so at 2026-03-10 09:00 UTC"
    add(db, "missed", date="2026-03-10", started_at="2026-03-10T09:00:02.000Z")
    assert late(db, data, NOW) == []


def test_nothing_is_late_at_a_demo_desk(db: Database, data: Path):
    watched(db)
    mark_as_demo(data)
    assert late(db, data, NOW) == []


def test_nothing_is_late_before_the_job_was_watched_or_by_another_schedule(db: Database, data: Path):
    assert late(db, data, NOW) == []
    watched(db, "2026-03-10T02:15:00.000Z")
    assert late(db, data, NOW) == []
    watched(db, at="03:00")
    assert late(db, data, NOW) == []
    watched(db, timezone="Europe/Madrid")
    assert late(db, data, NOW) == []
    watched(db)
    assert late(db, data, NOW, {"job": Schedule("never")}) == []
    assert late(db, data, NOW, {"job": Schedule("02:15", catch_up="none")}) == []  # that is missed, and told so
    with writing(db):
        db.execute("DROP TABLE watched")
    assert late(db, data, NOW) == []
