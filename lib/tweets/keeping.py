"""What becomes of captures with the time: which of them a backup may link, and which are needed."""

import re
from collections.abc import Collection

from sqlite_utils import Database

from lib.keeping import Kind
from lib.store import rows, writing
from lib.tweets.capture import FOLDER


def captures() -> Kind:
    """The captures in the data folder."""
    return Kind(
        "captures",
        FOLDER,
        "capture_tweets",
        re.compile(r"(?P<date>\d{4}-\d\d-\d\d)-\d+\.jsonl\.gz"),
        _protected,
        why_kept="not scored yet, or named by a page that is kept",
        settled=_settled,
        known=_known,
        forget=_forget,
    )


def _settled(db: Database) -> list[str]:
    """Those that results were made from. The others are still appended to, or mended in place by the next start."""
    if "recordings" not in db.table_names():
        return []
    sql = "SELECT file FROM recordings JOIN runs ON runs.id = made_by WHERE state = 'kept' AND status != 'running'"
    return [row["file"] for row in rows(db, sql)]


def _known(db: Database) -> set[str]:
    """Those that the store tells of. Others were never scored, as far as it goes: it may be older than they are."""
    found: set[str] = set()
    if "recordings" in db.table_names():
        found.update(row["file"] for row in rows(db, "SELECT file FROM recordings"))
    if "captures" in db.table_names():
        found.update(
            name for row in rows(db, "SELECT files FROM captures") for name in (row["files"] or "").split(", ")
        )
    return found


def _protected(db: Database, kept: Collection[int]) -> set[str]:
    """Those that no results were made from yet, and those that the pages of these runs name."""
    found: set[str] = set()
    if "recordings" in db.table_names():
        for row in rows(db, "SELECT file, made_by, state FROM recordings"):
            if row["state"] == "open" or row["made_by"] in kept:
                found.add(row["file"])
    if "captures" in db.table_names():
        for row in rows(db, "SELECT run, files FROM captures"):
            if row["run"] in kept:
                found.update((row["files"] or "").split(", "))
    return found


def _forget(db: Database, name: str) -> None:
    if "recordings" in db.table_names():
        with writing(db):
            db.execute("DELETE FROM recordings WHERE file = ?", [name])
