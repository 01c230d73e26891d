"""What lies in the data folder, as plain data: what a backup takes, and what `prune` may remove after its time.

The desk knows its store and the folders that the ledger names; a domain says of its own folders what is in them (a
`Kind`).
"""

import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from lib.store import rows

BACKUPS = "backups"  # in the data folder, unless told otherwise
REPLACED = "replaced"  # replaced-STAMP: what a restore has moved aside
RUN_FOLDER = re.compile(r"(?P<job>[a-z_][a-z0-9_]*)/(?P<date>\d{4}-\d\d-\d\d)-(?P<run>\d+)")
ASIDE = re.compile(r"\..{1,200}\.[0-9a-f]{16}\.aside(\.\w{1,8})?", re.DOTALL)
ENDED = "status != 'running' AND folder IS NOT NULL"


def nothing(_: Database) -> frozenset[str]:
    """No file."""
    return frozenset()


@dataclass(frozen=True)
class Kind:
    """One kind of files in the data folder, in a `folder` of its own. All names are those in the data folder.

    `shape` matches the whole name, in `folder`, of what the desk makes there: a file, or a folder that goes whole. Its
    group `date`, if it has one, tells the age; else the time of the last change does. `protected` are names that
    `prune` never touches, given the ids of the runs whose pages are kept. `settled` are names that are replaced and
    never written into again, so that a hard link is a copy of them; `all_settled` says so of every file. `known`,
    where it is told, are the only names that may go: what no row tells of may be the one copy of something. `forget`
    is told of a name that was removed. `job` writes there, under its lock.
    """

    name: str  # a field of [keep]
    folder: str
    job: str
    shape: re.Pattern[str]
    protected: Callable[[Database, Collection[int]], Collection[str]]
    why_kept: str = ""
    backed_up: bool = True
    all_settled: bool = False
    settled: Callable[[Database], Collection[str]] = nothing
    known: Callable[[Database], Collection[str]] | None = None
    forget: Callable[[Database, str], None] | None = None


def files_below(folder: Path) -> Iterator[Path]:
    """The files below a folder, in order of their names: no hidden ones, no links to folders and nothing special.

    None where there is no such folder. Raises OSError where one can't be read, as a link to a disk that isn't there: a
    backup without it would look whole.
    """

    def unless_gone(fault: OSError) -> None:
        if os.path.lexists(fault.filename):
            raise fault

    for place, folders, names in os.walk(folder, onerror=unless_gone):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            if not name.startswith(".") and path.is_file():
                yield path


def run_folders(db: Database) -> list[dict[str, str]]:
    """The folders of runs that have ended, each with `ended_at`; a name of another shape is left out."""
    found = rows(db, f"SELECT folder, ended_at, started_at FROM runs WHERE {ENDED} ORDER BY id")
    return [
        {"folder": row["folder"], "ended_at": row["ended_at"] or row["started_at"]}
        for row in found
        if RUN_FOLDER.fullmatch(row["folder"])
    ]


def size_of(path: Path) -> int:
    """The bytes of a file, or of all below a folder; 0 where it is gone."""
    try:
        if path.is_symlink() or not path.is_dir():
            return path.lstat().st_size
        return sum(each.lstat().st_size for each in path.rglob("*") if each.is_symlink() or not each.is_dir())
    except FileNotFoundError:
        return 0


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it; nothing where it is gone. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def opened_to_read(store: Path, *, alone: bool = False) -> Database:
    """A store to read from and leave as it is; `alone`: nobody writes to it, so that not even a lock is taken.

    Raises sqlite3.Error where it can't be opened.
    """
    how = "mode=ro&immutable=1" if alone else "mode=ro"
    return Database(sqlite3.connect(f"{store.resolve().as_uri()}?{how}", uri=True))
