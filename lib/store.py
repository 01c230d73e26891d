"""The store: one SQLite file, `data/nightdesk.db`, opened, migrated and written to in one way.

datasette data/nightdesk.db
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sqlite_utils import Database
from sqlite_utils.db import Table
from sqlite_utils.migrations import Migrations
from tenacity import retry, retry_if_exception_message, stop_after_delay, wait_random

from lib.errors import CannotWrite

STORE = "nightdesk.db"
BUSY_TIMEOUT = 30.0  # seconds

desk_tables = Migrations("desk")


@desk_tables()
def runs(db: Database) -> None:
    """The ledger of runs, with its figures, rejects and stages."""
    table(db, "runs").create(
        {
            "id": int,
            "job": str,
            "date": str,
            "status": str,
            "started_at": str,
            "ended_at": str,
            "seconds": float,
            "stage": str,
            "message": str,
            "exit_code": int,
            "report": str,
            "folder": str,
            "options": str,
            "committed": int,
            "partial": int,
            "demo": int,
            "pid": int,
        },
        pk="id",
        not_null={"job", "date", "status", "started_at", "committed", "partial", "demo"},
        defaults={"committed": 0, "partial": 0, "demo": 0},
    )
    db.execute("CREATE UNIQUE INDEX one_committed_run_a_date ON runs (job, date) WHERE committed = 1")
    db.execute("CREATE INDEX running ON runs (status) WHERE status = 'running'")
    table(db, "runs").create_index(["job", "started_at"])
    table(db, "metrics").create(
        {"run": int, "name": str, "value": float, "json": str}, pk=("run", "name"), foreign_keys=[("run", "runs", "id")]
    )
    table(db, "rejected").create(
        {"run": int, "reason": str, "count": int}, pk=("run", "reason"), foreign_keys=[("run", "runs", "id")]
    )
    table(db, "stages").create(
        {"run": int, "stage": str, "seconds": float}, pk=("run", "stage"), foreign_keys=[("run", "runs", "id")]
    )


@desk_tables()
def watched(db: Database) -> None:
    """From when on a job's fire times count, and the date that was last started to be made up for."""
    table(db, "watched").create(
        {"job": str, "at": str, "timezone": str, "since": str, "seen": str, "trying": str, "tried_at": str},
        pk="job",
        not_null={"at", "timezone", "since", "seen"},
    )
    table(db, "runs").create_index(["job", "date"])


@desk_tables()
def notifications(db: Database) -> None:
    """What has to be told, and to whom it has been: a row an event and channel. Delivered, given up or tried again.

    And the runs whose end has been judged, told or not. What had ended before there was this table is: nobody is told
    of last year.
    """
    table(db, "notifications").create(
        {
            "id": int,
            "run": int,
            "job": str,
            "date": str,
            "event": str,
            "channel": str,
            "body": str,
            "created_at": str,
            "attempts": int,
            "next_at": str,
            "delivered_at": str,
            "error": str,
        },
        pk="id",
        not_null={"job", "date", "event", "channel", "body", "created_at", "attempts"},
        defaults={"attempts": 0},
        foreign_keys=[("run", "runs", "id")],
    )
    db.execute("CREATE UNIQUE INDEX told_once_a_run ON notifications (run, event, channel) WHERE run IS NOT NULL")
    db.execute("CREATE UNIQUE INDEX told_once_a_date ON notifications (job, date, event, channel) WHERE run IS NULL")
    db.execute("CREATE INDEX to_be_told ON notifications (next_at) WHERE next_at IS NOT NULL")
    table(db, "judged").create({"run": int}, pk="run", foreign_keys=[("run", "runs", "id")])
    db.execute("INSERT INTO judged SELECT id FROM runs WHERE status <> 'running'")


@desk_tables()
def headlines(db: Database) -> None:
    """The metric that is a job's key figure, what people call it and how it is written (lib.headline)."""
    columns = {"job": str, "metric": str, "label": str, "kind": str}
    table(db, "headlines").create(columns, pk="job", not_null={"metric", "label", "kind"})


def table(db: Database, name: str) -> Table:
    """The table of that name (sqlite-utils' `db[name]` may be a view as well, which we have none of)."""
    return cast(Table, db[name])


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Whether a SQLite version is free of the WAL-reset fault: 3.44.x from .6, 3.50.x from .7, 3.51.3 and later."""
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)


def open_store(data: Path, migrations: Iterable[Migrations] = (), *, patience: float | None = None) -> Database:
    """Open `data/nightdesk.db`, made and migrated if need be: the desk's tables, then those given.

    Where another program keeps it locked, all that is done with it waits for `patience` seconds (BUSY_TIMEOUT).
    Raises CannotWrite where the folder or the file can't be made.
    """
    path = data / STORE
    try:
        data.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT if patience is None else patience)
    except (OSError, sqlite3.OperationalError) as fault:
        raise CannotWrite(f"can't open the store {path} ({fault}); check the data folder and who owns it") from fault
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted, as a tweet, leaves the file too
        _set_journal(connection)
        db = Database(connection)
        migrate(db, (desk_tables, *migrations))
    except BaseException:
        connection.close()
        raise
    return db


def open_to_read(data: Path) -> Database | None:
    """The store to read from alone, or None where there is none: for those who must leave no trace in the folder."""
    path = data / STORE
    if not path.exists():
        return None
    return Database(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True))


@retry(
    retry=retry_if_exception_message(match=".*locked"),
    stop=stop_after_delay(BUSY_TIMEOUT),
    wait=wait_random(0.01, 0.1),
    reraise=True,
)
def _set_journal(connection: sqlite3.Connection) -> None:
    """WAL where this SQLite is safe with it, else the rollback journal; nothing is asked of a file that has it.

    The change itself doesn't wait for the busy timeout: it turns a read into a write.
    """
    wanted = "wal" if wal_is_safe(sqlite3.sqlite_version_info) else "delete"
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != wanted:
        connection.execute(f"PRAGMA journal_mode = {wanted}")


def migrate(db: Database, migrations: Iterable[Migrations]) -> None:
    """Apply what is pending, in one write transaction, so that ten first starts don't collide."""
    sets = tuple(migrations)
    if any(each.pending(db) for each in sets):
        with writing(db):
            for each in sets:
                each.apply(db)


@contextmanager
def writing(db: Database) -> Iterator[Database]:
    """A write transaction that takes its place in the queue at the start.

    `BEGIN IMMEDIATE` waits for the busy timeout; a plain BEGIN whose read turns into a write fails at once.
    """
    db.conn.execute("BEGIN IMMEDIATE")
    try:
        yield db
    except BaseException:
        db.conn.rollback()
        raise
    try:
        db.conn.commit()
    except BaseException:
        db.conn.rollback()
        raise


def tables_with_results(db: Database) -> list[str]:
    """The tables whose rows carry their run's id in a column `run`, less the ledger's own."""
    own = {"metrics", "rejected", "stages", "notifications", "judged"}
    return [
        name
        for name in db.table_names()
        if name not in own
        and any(key.column == "run" and key.other_table == "runs" for key in table(db, name).foreign_keys)
    ]


def rows(db: Database, sql: str, *values: Any) -> list[dict[str, Any]]:
    """What a query finds, as dictionaries."""
    return list(db.query(sql, values))
