"""The store: one file, opened, migrated and written to in one way."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from lib.errors import BadData, Busy, CannotWrite, as_desk_error
from lib.store import STORE, open_store, rows, table, tables_with_results, wal_is_safe, writing

OPENS = """
import sys
from pathlib import Path
from lib import store

store.wal_is_safe = lambda version: sys.argv[2] == "wal"
print("ready", flush=True)
sys.stdin.readline()
db = store.open_store(Path(sys.argv[1]))
with store.writing(db):
    store.table(db, "runs").insert({"job": "j", "date": "2026-03-01", "status": "ok", "started_at": "now"})
db.close()
"""


def a_run(**values: object) -> dict[str, object]:
    return {"job": "job", "date": "2026-03-01", "status": "ok", "started_at": "2026-03-01T02:00:00.000Z", **values}


def pragma(db: Database, name: str) -> object:
    return db.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_new_store_has_the_desks_tables(db: Database):
    assert {"runs", "metrics", "rejected", "stages"} <= set(db.table_names())


def test_foreign_keys_are_on(db: Database):
    assert pragma(db, "foreign_keys") == 1
    with pytest.raises(sqlite3.IntegrityError), writing(db):
        table(db, "metrics").insert({"run": 404, "name": "accuracy", "value": 0.5, "json": "0.5"})


def test_a_locked_store_is_waited_for_thirty_seconds(db: Database):
    assert pragma(db, "busy_timeout") == 30_000


def test_a_commit_is_flushed_to_disk(db: Database):
    assert pragma(db, "synchronous") == 2


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 44, 9), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_wal_is_used_only_where_sqlite_is_free_of_the_wal_reset_fault(version: tuple[int, int, int], safe: bool):
    assert wal_is_safe(version) is safe


@pytest.mark.parametrize(("safe", "mode"), [(True, "wal"), (False, "delete")])
def test_the_journal_follows_the_sqlite_version(data: Path, monkeypatch: pytest.MonkeyPatch, safe: bool, mode: str):
    asked: list[object] = []
    monkeypatch.setattr("lib.store.wal_is_safe", lambda version: asked.append(version) or safe)
    db = open_store(data)
    assert pragma(db, "journal_mode") == mode
    assert asked == [sqlite3.sqlite_version_info]
    db.close()


def test_a_store_in_wal_goes_back_to_the_rollback_journal_on_an_unsafe_sqlite(
    data: Path, monkeypatch: pytest.MonkeyPatch
):
    for safe, mode in ((True, "wal"), (False, "delete")):
        monkeypatch.setattr("lib.store.wal_is_safe", lambda _, safe=safe: safe)
        db = open_store(data)
        assert pragma(db, "journal_mode") == mode
        db.close()


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_ten_first_starts_at_once_all_succeed(data: Path, start: Callable, mode: str):
    processes = [start(OPENS, mode) for _ in range(10)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    ends = [process.communicate(timeout=60)[1] for process in processes]
    assert [(process.returncode, said) for process, said in zip(processes, ends, strict=True)] == [(0, "")] * 10
    db = open_store(data)
    assert table(db, "runs").count == 10
    db.close()


def test_the_change_to_wal_waits_for_whoever_is_writing(data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lib.store.wal_is_safe", lambda _: True)
    data.mkdir()
    other = sqlite3.connect(data / STORE)
    other.execute("CREATE TABLE before (id)")
    other.execute("BEGIN IMMEDIATE")
    found: list[object] = []

    def opens() -> None:
        try:
            db = open_store(data)
            found.append(pragma(db, "journal_mode"))
            db.close()
        except sqlite3.OperationalError as fault:
            found.append(fault)

    thread = threading.Thread(target=opens)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    other.rollback()
    thread.join(20)
    other.close()
    assert found == ["wal"]


def test_a_store_opened_again_keeps_what_it_has(data: Path):
    for count in (0, 1):
        db = open_store(data)
        assert table(db, "runs").count == count
        with writing(db):
            table(db, "runs").insert(a_run())
        db.close()


def test_a_jobs_own_tables_are_made_after_the_desks(data: Path):
    own = Migrations("own")

    @own()
    def results(db: Database) -> None:
        table(db, "results").create({"run": int, "text": str}, foreign_keys=[("run", "runs", "id")])

    db = open_store(data, [own])
    assert tables_with_results(db) == ["results"]
    db.close()


def test_a_migration_that_fails_leaves_nothing_behind(data: Path):
    own = Migrations("own")

    @own()
    def results(db: Database) -> None:
        table(db, "results").create({"run": int})
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        open_store(data, [own])
    with sqlite3.connect(data / STORE) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    connection.close()


def test_one_committed_run_a_job_and_date_is_held_by_the_store_itself(db: Database):
    with writing(db):
        table(db, "runs").insert(a_run(committed=1))
        table(db, "runs").insert(a_run(committed=0))
    with pytest.raises(sqlite3.IntegrityError), writing(db):
        table(db, "runs").insert(a_run(committed=1))


def test_writing_is_undone_by_an_exception(db: Database):
    with pytest.raises(KeyboardInterrupt), writing(db):
        table(db, "runs").insert(a_run())
        raise KeyboardInterrupt
    assert not db.conn.in_transaction
    assert table(db, "runs").count == 0


def test_what_is_being_written_is_seen_by_others_only_when_whole(data: Path, db: Database):
    other = open_store(data)
    with writing(db):
        table(db, "runs").insert_all([a_run(), a_run()])
        assert table(other, "runs").count == 0
    assert table(other, "runs").count == 2
    other.close()


def test_a_second_writer_waits_and_reads_what_the_first_wrote(data: Path, db: Database):
    found: list[object] = []
    began = threading.Event()

    def second() -> None:
        own = open_store(data)
        began.set()
        try:
            with writing(own):
                found.append(rows(own, "SELECT pid FROM runs")[0]["pid"])
                own.execute("UPDATE runs SET pid = pid + 1")
        except BaseException as fault:
            found.append(fault)
        finally:
            own.close()

    thread = threading.Thread(target=second)
    with writing(db):
        table(db, "runs").insert(a_run(pid=1))
        thread.start()
        assert began.wait(20)
        thread.join(0.2)
        assert thread.is_alive()
        db.execute("UPDATE runs SET pid = 2")
    thread.join(20)
    assert found == [2]
    assert rows(db, "SELECT pid FROM runs") == [{"pid": 3}]


def test_a_write_takes_its_place_at_the_start(data: Path, db: Database):
    other = sqlite3.connect(data / STORE, timeout=0)
    with writing(db), pytest.raises(sqlite3.OperationalError, match="locked") as fault:
        other.execute("BEGIN IMMEDIATE")
    assert isinstance(as_desk_error(fault.value), Busy)
    other.close()


def test_a_file_in_the_data_folders_place_is_named(tmp_path: Path):
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(CannotWrite, match=r"can't open the store .*nightdesk\.db .*check the data folder") as fault:
        open_store(tmp_path / "data")
    assert fault.value.exit_code == 73


def test_a_folder_in_the_stores_place_is_named(data: Path):
    (data / STORE).mkdir(parents=True)
    with pytest.raises(CannotWrite, match="can't open the store"):
        open_store(data)


def test_a_damaged_store_is_bad_data(data: Path):
    data.mkdir()
    (data / STORE).write_bytes(b"this was never a database" * 100)
    with pytest.raises(sqlite3.DatabaseError) as fault:
        open_store(data)
    known = as_desk_error(fault.value)
    assert isinstance(known, BadData)
    assert "put a backup" in str(known)
