"""Put a backup back: all of it is checked first, what is there is moved aside, and what is put back are copies.

restored = restore("latest", settings, force=False)
"""

import os
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lib import reports, runs
from lib.backup import copy_file
from lib.errors import BadData, Busy, CannotWrite, DeskError, SourceUnavailable
from lib.files import aside_of, cannot_write, sha256_of, shown, sync_folder
from lib.keeping import BACKUPS, REPLACED, RUN_FOLDER
from lib.manifest import MANIFEST, Manifest, backups_in, check_store, read_manifest
from lib.settings import Settings
from lib.store import STORE, open_store, rows, table, writing

LATEST = "latest"
LOCK_SECONDS = 2.0
_BESIDE = ("", "-wal", "-shm", "-journal")  # what SQLite keeps beside a store belongs to that store alone


@dataclass(frozen=True)
class Restored:
    """What a restore came to. `replaced` is where what was there lies now, `fault` why the pages aren't written."""

    source: Path
    manifest: Manifest
    replaced: Path | None
    crashed: int
    fault: str = ""

    @property
    def data(self) -> dict[str, Any]:
        """It as JSON."""
        return {
            "source": str(self.source),
            "date": self.manifest.date,
            "made_at": self.manifest.made_at,
            "files": len(self.manifest.files),
            "bytes": self.manifest.bytes,
            "database_rows": self.manifest.database_rows,
            "replaced": str(self.replaced) if self.replaced else None,
            "crashed": self.crashed,
        }

    @property
    def lines(self) -> list[str]:
        """It for people."""
        said = self.manifest
        lines = [
            f"{len(said.files):,} files of {said.bytes / 2**20:,.1f} MiB and {said.database_rows:,} rows are back as "
            f"they were at {said.made_at}, from {self.source}."
        ]
        if self.replaced:
            lines.append(f"What was there before is in {self.replaced}; remove it when nothing of it is missed.")
        if self.crashed:
            lines.append(f"{self.crashed} of the runs were at work when the backup was made; they count as crashed.")
        if self.fault:
            lines.append(f"The pages are not written: {self.fault}; each job's next start writes them.")
        return lines

    @property
    def exit_code(self) -> int:
        """0, or 73 where the pages could not be written."""
        return CannotWrite.exit_code if self.fault else 0


def restore(
    source: str | Path,
    settings: Settings,
    *,
    force: bool = False,
    jobs: Collection[str] = (),
    backups: Path | None = None,
) -> Restored:
    """Put the backup `source` into the desk's data folder and write its pages anew.

    `source` is a backup's folder or its name, a folder of backups, or "latest"; the last two mean the newest in it, or
    in `backups` (default: data/backups). Nothing is touched until every byte of it was checked. What is there already
    is moved to data/replaced-STAMP, with `force` alone; pages are moved in any case, since they are made anew. `jobs`
    are those that may be started, besides the ones that the folder of locks knows.

    Raises SourceUnavailable (no such backup), BadData (damaged), CannotWrite (something is there, no room), Busy.
    """
    data = settings.data
    folder = find(source, backups or data / BACKUPS)
    manifest = read_manifest(folder)
    standing = [path for path in _places(data, manifest) if _holds_something(path)]
    if standing and not force:
        names = ", ".join(path.name for path in standing)
        raise CannotWrite(f"{data} holds {names} already; use --force to have that moved aside first")
    check(folder, manifest)
    with _all_locks(data, {*jobs, *manifest.jobs}):
        stage = aside_of(data / "restore")
        try:
            _stage(folder, manifest, stage)
            replaced = _swap(settings, manifest, stage)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        crashed, fault = _settle(settings, manifest, folder.name)
    return Restored(folder, manifest, replaced, crashed, fault)


def find(source: str | Path, backups: Path) -> Path:
    """The folder of the backup that is meant. Raises SourceUnavailable, BadData where it is no whole backup."""
    if str(source) == LATEST:
        return _newest(backups)
    path = Path(source)
    if not path.exists() and len(path.parts) == 1 and (backups / path).exists():
        path = backups / path
    if not path.is_dir():
        raise SourceUnavailable(f"there is no backup {shown(path)}; expected its folder, or {LATEST} for {backups}")
    return path if (path / MANIFEST).exists() or not backups_in(path) else _newest(path)


def _newest(backups: Path) -> Path:
    found = [each for each in backups_in(backups) if each.manifest is not None]
    if not found:
        raise SourceUnavailable(f"there is no backup in {shown(backups)}; name the folder of one")
    return found[-1].folder


def check(folder: Path, manifest: Manifest) -> None:
    """Read every byte of a backup. Raises BadData that names the first file that isn't as the manifest has it."""
    for each in manifest.files:
        path = folder / each.path
        if not path.is_file():
            raise BadData(f"{path} is missing; nothing was restored, try an earlier backup")
        size = path.stat().st_size
        if size != each.size:
            raise BadData(f"{path} has {size:,} bytes and should have {each.size:,}; nothing was restored")
        if sha256_of(path) != each.sha256:
            raise BadData(f"{path} is damaged (its sha256 isn't the manifest's); nothing was restored")
    if not any(each.path == STORE for each in manifest.files):
        raise BadData(f"{folder / MANIFEST} names no {STORE}; nothing was restored")
    check_store(folder / STORE)


def _places(data: Path, manifest: Manifest) -> list[Path]:
    """What in the data folder a restore replaces: the store, the manifest's folders, and those of runs of any job."""
    names = {f"{STORE}{ending}" for ending in _BESIDE} | set(manifest.folders)
    for folder in data.iterdir() if data.is_dir() else ():
        if folder.name == BACKUPS:  # named as runs' folders are
            continue
        if folder.is_dir() and any(RUN_FOLDER.fullmatch(f"{folder.name}/{each.name}") for each in folder.iterdir()):
            names.add(folder.name)
    return [data / name for name in sorted(names)]


def _holds_something(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        return any(path.iterdir())
    return os.path.lexists(path)


@contextmanager
def _all_locks(data: Path, jobs: Collection[str]) -> Iterator[None]:
    """Hold the lock of every job, so that none is at work and none begins. Raises Busy that names one."""
    known = {path.stem for path in (data / "locks").glob("*.lock")}
    held: list[int] = []
    try:
        for name in sorted(known | set(jobs)):
            lock = runs.wait_for_lock(data, name, LOCK_SECONDS)
            if lock is None:
                raise Busy(f"{name} is at work in {data}; try again when it has ended, and stop the service first")
            held.append(lock)
        yield
    finally:
        for lock in held:
            os.close(lock)


def _stage(folder: Path, manifest: Manifest, stage: Path) -> None:
    """Copy the backup beside what it replaces, and see that what was written is what was checked."""
    for each in manifest.files:
        target = stage / each.path
        with cannot_write(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        if copy_file(folder / each.path, target, each.mtime_ns)[1] != each.sha256:
            raise BadData(f"{folder / each.path} changed while it was read; nothing was restored")
    for place, _, _ in os.walk(stage, topdown=False):
        sync_folder(Path(place))


def _swap(settings: Settings, manifest: Manifest, stage: Path) -> Path | None:
    """Move what is there aside and the new in its place; where that fails, back again. Returns where the old is."""
    data = settings.data
    aside = data / f"{REPLACED}-{datetime.now(UTC):%Y%m%dT%H%M%S}Z"
    while aside.exists():
        aside = aside.with_name(f"{aside.name}_")
    # The store comes last: a start in between would make a new one in its place.
    new = sorted((path.name for path in stage.iterdir()), key=lambda name: name == STORE)
    moves = [(path, aside / path.name) for path in _places(data, manifest) if _holds_something(path)]
    moves += [
        (settings.reports / job, aside / "reports" / job)
        for job in manifest.jobs
        if _holds_something(settings.reports / job)
    ]
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in [*moves, *((stage / name, data / name) for name in new)]:
            with cannot_write(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                if target.is_dir():
                    target.rmdir()  # an empty one: all others were moved
                shutil.move(source, target)
            done.append((source, target))
        sync_folder(data)
    except BaseException:
        for source, target in reversed(done):
            shutil.move(target, source)
        for folder in (aside / "reports", aside):
            with suppress(OSError):  # not there, or not empty
                folder.rmdir()
        raise
    return aside if moves else None


def _settle(settings: Settings, manifest: Manifest, name: str) -> tuple[int, str]:
    """End the rows of runs that were at work, and write the pages; returns how many, and why there are none."""
    db = open_store(settings.data)
    try:
        with writing(db):
            found = rows(db, "SELECT id FROM runs WHERE status = 'running'")
            for row in found:
                message = f"Was at work when the backup {name} was made, which has nothing of what it came to."
                table(db, "runs").update(
                    row["id"], {"status": "crashed", "message": message, "exit_code": 1, "ended_at": runs.now()}
                )
        try:
            for job in manifest.jobs:
                reports.publish(db, settings, job)
        except (DeskError, OSError, sqlite3.Error) as fault:
            return len(found), str(fault)
        return len(found), ""
    finally:
        db.close()
