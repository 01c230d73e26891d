"""What a backup says of itself in its `manifest.json`, and whether what lies there is what it says.

manifest = read_manifest(Path("data/backups/2026-11-23-41"))
"""

import platform
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from lib.errors import BadData
from lib.files import sha256_of, shown
from lib.keeping import BACKUPS, opened_to_read
from lib.store import STORE, rows

VERSION = 1
MANIFEST = "manifest.json"
CLOCK_STEP = 2_000_000_000  # nanoseconds: the coarsest time of change that a file system keeps (FAT's)
FOLDER = re.compile(r"[a-z_][a-z0-9_]*")  # in the data folder; of a job, too
NAME = re.compile(r"(?P<date>\d{4}-\d\d-\d\d)-(?P<run>\d+)(-\d+)?")  # of a backup's folder


@dataclass(frozen=True)
class Entry:
    """A file of a backup. `mode` says whose bytes it shares: the desk's own file's, the backup's before, or nobody's.

    `mtime_ns` is the desk's file's; `checked` the day on which its bytes were last read.
    """

    path: str
    kind: str
    size: int
    mtime_ns: int
    sha256: str
    mode: Literal["link", "before", "copy"]
    checked: str


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself. `folders` are the folders of the data folder that it stands for, also if empty."""

    version: int
    desk: str
    date: str
    run: int
    made_at: str
    sqlite: str
    database_rows: int
    jobs: list[str]
    folders: list[str]
    files: list[Entry]

    @property
    def bytes(self) -> int:
        """The size of all files, as a restore would write them."""
        return sum(each.size for each in self.files)

    @property
    def moment(self) -> datetime:
        """When it was made."""
        return datetime.fromisoformat(self.made_at)


@dataclass(frozen=True)
class Found:
    """A folder that holds a backup, or what is left of one: `flaw` then says what is wrong with it."""

    folder: Path
    manifest: Manifest | None
    flaw: str = ""


def desk_name(data: Path) -> str:
    """The desk that a backup is of: this machine's name and the data folder."""
    return shown(f"{platform.node()}:{data.resolve()}")


def check_store(path: Path) -> tuple[int, list[str]]:
    """Check a copy of the store that nobody writes to; returns its number of rows and the jobs in its ledger.

    Raises BadData that names the file.
    """
    try:
        with closing(opened_to_read(path, alone=True)) as db:
            said = [row[0] for row in db.execute("PRAGMA integrity_check").fetchall()]
            if said != ["ok"]:
                raise BadData(f"{path} is damaged: {said[0]} (PRAGMA integrity_check)")
            loose = db.execute("PRAGMA foreign_key_check").fetchall()
            if loose:
                raise BadData(
                    f"{path} has {len(loose)} rows that refer to rows which aren't there, the first in the table "
                    f"{loose[0][0]} (PRAGMA foreign_key_check)"
                )
            names = db.table_names()
            count = sum(db.execute(f"SELECT COUNT(*) FROM [{name}]").fetchone()[0] for name in names)
            jobs = [row["job"] for row in rows(db, "SELECT DISTINCT job FROM runs ORDER BY job")]
            return count, jobs
    except sqlite3.DatabaseError as fault:
        raise BadData(f"{path} is damaged or no store of the desk ({fault})") from fault


def read_manifest(folder: Path) -> Manifest:
    """A backup's manifest. Raises BadData that names it where it is missing, damaged or of a later version."""
    path = folder / MANIFEST
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as fault:
        raise BadData(f"{folder} is no whole backup: it has no {MANIFEST}") from fault
    try:
        version = msgspec.json.decode(raw)["version"]
        if version != VERSION:
            raise BadData(f"{path} is of version {version}; this desk reads version {VERSION}")
        manifest = msgspec.json.decode(raw, type=Manifest)
        datetime.fromisoformat(manifest.made_at)
        for name in [*manifest.folders, *manifest.jobs]:
            if not FOLDER.fullmatch(name) or name == BACKUPS:
                raise ValueError(f"it names the folder {name!r}, which no backup stands for")
        for entry in manifest.files:
            _check_name(entry, manifest)
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as fault:
        raise BadData(f"{path} is damaged ({fault})") from fault
    return manifest


def flaw_of(folder: Path, manifest: Manifest) -> str:
    """What a look from outside shows to be wrong with a backup's files, in a sentence; "" where nothing is."""
    for each in manifest.files:
        path = folder / each.path
        try:
            stat = path.stat()
        except FileNotFoundError:
            return f"{path} is missing"
        if stat.st_size != each.size:
            return f"{path} has {stat.st_size:,} bytes and should have {each.size:,}"
        if abs(stat.st_mtime_ns - each.mtime_ns) >= CLOCK_STEP and sha256_of(path) != each.sha256:
            return f"{path} was changed after the backup was made"
    return ""


def backups_in(to: Path, data: Path | None = None) -> list[Found]:
    """The backups in a folder, the oldest first; with `data` those of that desk alone, and the unreadable ones."""
    found = []
    for folder in sorted(to.iterdir()) if to.is_dir() else ():
        if folder.is_symlink() or not folder.is_dir() or not NAME.fullmatch(folder.name):
            continue
        try:
            manifest = read_manifest(folder)
            found.append(Found(folder, manifest, flaw_of(folder, manifest)))
        except (BadData, OSError) as fault:
            found.append(Found(folder, None, str(fault)))
    mine = [each for each in found if data is None or each.manifest is None or each.manifest.desk == desk_name(data)]
    return sorted(mine, key=lambda each: (each.manifest.made_at if each.manifest else "", each.folder.name))


def _check_name(entry: Entry, manifest: Manifest) -> None:
    """A manifest may name the store and what lies in its folders, and nothing outside of them. Raises ValueError."""
    parts = PurePosixPath(entry.path).parts
    inside = len(parts) > 1 and parts[0] in manifest.folders and ".." not in parts and "\\" not in entry.path
    if entry.path != STORE and (not inside or "/".join(parts) != entry.path or "\0" in entry.path):
        raise ValueError(f"it names {entry.path!r}, which no backup holds")
    date.fromisoformat(entry.checked)
