"""The ledger: every run ends on a row, one at a time, and one committed a job and date."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from lib import runs
from lib.errors import CannotWrite
from lib.runs import Outcome
from lib.store import open_store, rows, table, writing

HOLDS = """
import os, sys, time
from pathlib import Path
from lib import runs

assert runs.take_lock(Path(sys.argv[1]), "job") is not None
print("ready", flush=True)
time.sleep(60)
"""

HOLDS_WITH_A_CHILD = """
import os, sys, time
from pathlib import Path
from lib import runs

lock = runs.take_lock(Path(sys.argv[1]), "job")
if os.fork() == 0:
    sys.stdin.readline()
    print(os.getpid(), flush=True)
    time.sleep(60)
os.close(lock)
print("closed", flush=True)
time.sleep(60)
"""

own_tables = Migrations("own")


@own_tables()
def results(db: Database) -> None:
    """A parent made before its children, as jobs make them, and rows that mention a second run."""
    table(db, "topics").create({"id": int, "run": int}, pk="id", foreign_keys=[("run", "runs", "id")])
    table(db, "words").create(
        {"run": int, "topic": int, "word": str}, foreign_keys=[("run", "runs", "id"), ("topic", "topics", "id")]
    )
    table(db, "models").create({"run": int, "beat": int}, foreign_keys=[("run", "runs", "id"), ("beat", "runs", "id")])
    table(db, "visits").create({"of": int}, foreign_keys=[("of", "runs", "id")])
    table(db, "articles").create({"title": str})


@pytest.fixture
def db(data: Path) -> Iterator[Database]:
    store = open_store(data, [own_tables])
    yield store
    store.close()


def began(db: Database, date: str = "2026-03-01", job: str = "job") -> int:
    return runs.begin(db, job, date, options={}, demo=False)


def ok(**values: object) -> Outcome:
    return Outcome("ok", "Done.", 0, **values)


def committed_run(db: Database, date: str = "2026-03-01", **values: object) -> int:
    run = began(db, date)
    with writing(db):
        topic = table(db, "topics").insert({"run": run}).last_pk
        table(db, "words").insert({"run": run, "topic": topic, "word": "café"})
        table(db, "models").insert({"run": run, "beat": None})
        table(db, "runs").update(run, {"folder": f"models/{run}"})
        runs.commit(db, run, ok(**values))
    return run


def row(db: Database, run: int) -> dict:
    return table(db, "runs").get(run)


def test_a_run_has_a_running_row_before_it_works(db: Database):
    run = runs.begin(db, "job", "2026-03-01", options={"text": "año", "folder": Path("data")}, demo=True)
    found = row(db, run)
    assert found["status"] == "running"
    assert (found["job"], found["date"], found["demo"], found["committed"]) == ("job", "2026-03-01", 1, 0)
    assert found["options"] == '{"text": "año", "folder": "data"}'
    assert found["pid"] == os.getpid()
    assert found["ended_at"] is None
    assert table(db, "runs").count == 1


def test_a_run_that_never_worked_is_kept_with_its_reason(db: Database):
    run = runs.record(db, "job", "2026-03-01", "skipped", "Another run holds the lock.", 75)
    found = row(db, run)
    assert (found["status"], found["message"], found["exit_code"]) == ("skipped", "Another run holds the lock.", 75)
    assert found["started_at"] == found["ended_at"]


def test_an_ended_run_keeps_its_metrics_rejects_and_stages(db: Database):
    run = began(db)
    outcome = Outcome(
        "failed",
        "Too little.",
        65,
        metrics={"accuracy": 0.5, "epochs": 3, "losses": [2.0, 1.5], "backend": "tensorflow"},
        rejected={"too short": 7},
        stages={"reading": 0.25, "training": 12.5},
        report="job/2026-03-01.html",
        partial=True,
    )
    with writing(db):
        runs.finish(db, run, outcome)
    found = row(db, run)
    assert (found["status"], found["message"], found["exit_code"]) == ("failed", "Too little.", 65)
    assert (found["report"], found["partial"], found["committed"]) == ("job/2026-03-01.html", 1, 0)
    assert found["ended_at"] >= found["started_at"]
    assert found["seconds"] == runs.seconds_between(found["started_at"], found["ended_at"])
    assert rows(db, "SELECT name, value, json FROM metrics ORDER BY rowid") == [
        {"name": "accuracy", "value": 0.5, "json": "0.5"},
        {"name": "epochs", "value": 3.0, "json": "3"},
        {"name": "losses", "value": None, "json": "[2.0, 1.5]"},
        {"name": "backend", "value": None, "json": '"tensorflow"'},
    ]
    assert rows(db, "SELECT run, reason, count FROM rejected") == [{"run": run, "reason": "too short", "count": 7}]
    assert rows(db, "SELECT stage, seconds FROM stages ORDER BY rowid") == [
        {"stage": "reading", "seconds": 0.25},
        {"stage": "training", "seconds": 12.5},
    ]


def test_an_end_that_is_not_committed_to_leaves_the_run_running(db: Database):
    run = began(db)
    with pytest.raises(RuntimeError), writing(db):
        runs.commit(db, run, ok(metrics={"topics": 3}, stages={"reading": 1.0}))
        raise RuntimeError
    assert row(db, run)["status"] == "running"
    assert table(db, "metrics").count == table(db, "stages").count == 0


def test_a_commit_is_the_only_one_of_its_job_and_date(db: Database):
    run = committed_run(db)
    assert runs.committed(db, "job", "2026-03-01")["id"] == run
    assert runs.committed(db, "job", "2026-03-02") is None
    assert runs.committed(db, "other", "2026-03-01") is None


def test_a_forced_second_run_replaces_the_first_whole(db: Database):
    with writing(db):
        table(db, "articles").insert({"title": "of no run"})
    neighbour = committed_run(db, "2026-02-22")
    first = committed_run(db, report="job/2026-03-01.html", metrics={"topics": 1})
    with writing(db):
        table(db, "models").update(1, {"beat": first})
        table(db, "visits").insert({"of": first})
    second = began(db)
    with writing(db):
        assert runs.commit(db, second, ok(report="job/2026-03-01.html")) == f"models/{first}"
    assert runs.committed(db, "job", "2026-03-01")["id"] == second
    assert runs.committed(db, "job", "2026-02-22")["id"] == neighbour
    for name in ("topics", "words", "models"):
        assert [found["run"] for found in table(db, name).rows] == [neighbour], name
    assert table(db, "articles").count == table(db, "visits").count == 1
    replaced = row(db, first)
    assert (replaced["status"], replaced["committed"]) == ("ok", 0)
    assert (replaced["report"], replaced["folder"]) == (None, None)
    assert replaced["message"] == f"Done. Replaced by run {second}."


def test_a_replacement_that_fails_leaves_the_first_in_its_place(db: Database):
    first = committed_run(db)
    second = began(db)
    with pytest.raises(RuntimeError), writing(db):
        runs.commit(db, second, ok())
        raise RuntimeError
    assert runs.committed(db, "job", "2026-03-01")["id"] == first
    assert table(db, "words").count == 1


def test_a_second_taker_doesnt_get_the_lock(data: Path):
    lock = runs.take_lock(data, "job")
    assert lock is not None
    assert runs.take_lock(data, "job") is None
    other = runs.take_lock(data, "other")
    assert other is not None
    os.close(other)
    os.close(lock)
    again = runs.take_lock(data, "job")
    assert again is not None
    os.close(again)


def test_a_killed_holder_gives_the_lock_up(data: Path, start: Callable, until: Callable):
    holder = start(HOLDS)
    assert holder.stdout.readline() == "ready\n"
    assert runs.take_lock(data, "job") is None
    holder.kill()
    os.close(until(lambda: runs.take_lock(data, "job")))


def test_a_forked_child_keeps_the_lock_after_the_holder_closed_it_and_died(
    data: Path, start: Callable, until: Callable
):
    holder = start(HOLDS_WITH_A_CHILD)
    assert holder.stdout.readline() == "closed\n"
    assert runs.take_lock(data, "job") is None
    holder.kill()
    holder.wait()
    holder.stdin.write("go\n")
    holder.stdin.flush()
    child = int(holder.stdout.readline())
    assert runs.take_lock(data, "job") is None
    os.kill(child, signal.SIGKILL)
    os.close(until(lambda: runs.take_lock(data, "job")))


def test_a_lock_that_cant_be_made_is_named(tmp_path: Path):
    (tmp_path / "locks").write_text("not a folder")
    with pytest.raises(CannotWrite, match=r"can't make the lock .*locks/job\.lock \(.+\); check the folder"):
        runs.take_lock(tmp_path, "job")


def test_the_rows_of_dead_jobs_are_found_crashed_and_those_that_live_are_left(data: Path, db: Database):
    mine, dead, alive = (began(db, job=job) for job in ("mine", "dead", "alive"))
    done = committed_run(db)
    with writing(db):
        table(db, "runs").update(dead, {"stage": "training"})
    locks = [runs.take_lock(data, job) for job in ("mine", "alive")]
    assert sorted(runs.reap(db, data, holding="mine")) == [mine, dead]
    assert {each["id"]: each["status"] for each in table(db, "runs").rows} == {
        mine: "crashed",
        dead: "crashed",
        alive: "running",
        done: "ok",
    }
    assert "in the stage training" in row(db, dead)["message"]
    assert row(db, dead)["ended_at"] is not None
    for lock in locks:
        os.close(lock)


def test_looking_for_the_dead_gives_their_locks_back(data: Path, db: Database):
    began(db, job="dead")
    runs.reap(db, data, holding="mine")
    lock = runs.take_lock(data, "dead")
    assert lock is not None
    os.close(lock)


def test_the_json_object_has_exactly_the_keys_of_the_contract(db: Database):
    metrics = {"accuracy": 0.5, "epochs": 3, "losses": [2.0, 1], "whole": 2.0, "name": "año", "none": None}
    run = committed_run(db, metrics=metrics, rejected={"too short": 7}, report="job/2026-03-01.html")
    found = runs.as_json(db, run, Path("reports"))
    assert list(found) == [
        "job",
        "run_id",
        "date",
        "status",
        "started_at",
        "seconds",
        "report",
        "metrics",
        "rejected",
    ]
    assert (found["job"], found["run_id"], found["date"], found["status"]) == ("job", run, "2026-03-01", "ok")
    assert found["report"] == "reports/job/2026-03-01.html"
    assert found["rejected"] == {"too short": 7}
    assert found["metrics"] == metrics
    assert list(found["metrics"]) == list(metrics)
    assert {name: type(value) for name, value in found["metrics"].items()} == {
        "accuracy": float,
        "epochs": int,
        "losses": list,
        "whole": float,
        "name": str,
        "none": type(None),
    }
    assert [type(value) for value in found["metrics"]["losses"]] == [float, int]


def test_the_json_object_has_all_its_keys_without_a_run(db: Database):
    run = committed_run(db)
    assert set(runs.json_object("job", None, "failed")) == set(runs.as_json(db, run, Path("reports")))


def test_moments_are_in_utc_and_sort_as_text():
    assert runs.now().endswith("Z")
    assert runs.now() <= runs.now()
    assert runs.seconds_between("2026-03-01T02:00:00.000Z", "2026-03-01T02:01:30.250Z") == 90.25
