"""Put a backup back: all of it is checked first, what is there is moved aside, and what is put back are copies.

restored = restore("latest", settings, force=False)
"""

import os
import shutil
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lib import reports, runs
from lib.backup import copy_file
from lib.errors import BadData, Busy, CannotWrite, DeskError, SourceUnavailable
from lib.files import aside_of, cannot_write, sha256_of, shown, sync_folder
from lib.keeping import BACKUPS, REPLACED, RUN_FOLDER
from lib.manifest import MANIFEST, NAME, Found, Manifest, backups_in, check_store, desk_name, read_manifest
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
            "fault": self.fault or None,
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
        return [*lines, "To see whether this desk goes with it: python -m jobs doctor"]

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
    folder = find(source, backups or data / BACKUPS, data)
    manifest = read_manifest(folder)
    standing = [path for path in _places(data, manifest) if _holds_something(path)]
    if standing and not force:
        names = ", ".join(path.name for path in standing)
        raise CannotWrite(f"there is something in {data} already ({names}); use --force to have that moved aside first")
    check(folder, manifest)
    with _all_locks(data, {*jobs, *manifest.jobs}):
        for left in data.glob(".restore.*.aside"):  # by a restore that was killed; now there is no other
            shutil.rmtree(left, ignore_errors=True)
        stage = aside_of(data / "restore")
        try:
            _stage(folder, manifest, stage)
            crashed = _settle(stage, manifest, folder.name)
            replaced = _swap(settings, manifest, stage)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        fault = _write_pages(settings, manifest)
    return Restored(folder, manifest, replaced, crashed, fault)


def find(source: str | Path, backups: Path, data: Path) -> Path:
    """The folder of the backup that is meant, for the desk in `data`. Raises SourceUnavailable, BadData (damaged)."""
    if str(source) == LATEST:
        return _newest(backups, data)
    path = Path(source)
    if not path.exists() and len(path.parts) == 1 and (backups / path).exists():
        path = backups / path
    if not path.is_dir():
        raise SourceUnavailable(f"there is no backup {shown(path)}; expected its folder, or {LATEST} for {backups}")
    return path if (path / MANIFEST).exists() or not backups_in(path) else _newest(path, data)


def _newest(backups: Path, data: Path) -> Path:
    """The newest backup of this desk; where it has none, as on a new machine, of the only desk that has some.

    An earlier one is never taken in silence: who asks for the latest has to know what is lost.
    """
    found = backups_in(backups)
    readable = [(each, each.manifest) for each in found if each.manifest is not None]
    desks = sorted({manifest.desk for _, manifest in readable})
    here = desk_name(data)
    if here not in desks and len(desks) > 1:
        named = ", ".join(desks)
        raise SourceUnavailable(f"{shown(backups)} has backups of {named}, none of {here}; name the folder of one")
    mine = [(each, manifest) for each, manifest in readable if here not in desks or manifest.desk == here]
    flaws = [each for each in found if each.manifest is None and (not mine or _by_name(each) > _by_name(mine[-1][0]))]
    flaws += [each for each, _ in mine[-1:] if each.flaw]
    whole = [each.folder for each, _ in mine if not each.flaw]
    if flaws:
        other = (
            f"to put the one before back: python -m jobs restore {shown(whole[-1])}" if whole else "there is no other"
        )
        raise BadData(f"the newest backup is damaged: {flaws[-1].flaw}; {other}")
    if not whole:
        raise SourceUnavailable(f"there is no backup in {shown(backups)}; name the folder of one")
    return whole[-1]


def _by_name(found: Found) -> tuple[str, int]:
    said = NAME.fullmatch(found.folder.name)
    assert said is not None  # else it had not been found
    return said["date"], int(said["run"])


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


def _swap(settings: Settings, manifest: Manifest, stage: Path) -> Path | None:
    """Move what is there aside and the new in its place; where that fails, back again. Returns where the old is."""
    data = settings.data
    aside = data / f"{REPLACED}-{datetime.now(UTC):%Y%m%dT%H%M%S}Z"
    while aside.exists():
        aside = aside.with_name(f"{aside.name}_")
    moves = [(path, aside / path.name) for path in _places(data, manifest) if _holds_something(path)]
    moves += [
        (settings.reports / job, aside / "reports" / job)
        for job in manifest.jobs
        if _holds_something(settings.reports / job)
    ]
    puts = [(path, data / path.name) for path in stage.iterdir()]
    done: list[tuple[Path, Path]] = []
    try:
        # The old store gives way right before the new one comes: a start in between would make one in its place.
        for source, target in sorted([*moves, *puts], key=lambda move: move[0].name.startswith(STORE)):
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


def _settle(stage: Path, manifest: Manifest, name: str) -> int:
    """End the rows of runs that were at work when the backup was made; returns how many came to nothing.

    The run that made the backup did: its row says so. Nobody needs a message about any of them.
    """
    with closing(open_store(stage)) as db, writing(db):
        found = rows(db, "SELECT * FROM runs WHERE status = 'running'")
        for row in found:
            if _made(manifest, row):
                change: dict[str, Any] = {
                    "status": "ok",
                    "message": f"Made the backup {name}, from which this store was put back.",
                    "exit_code": 0,
                    "ended_at": manifest.made_at,
                    "seconds": runs.seconds_between(row["started_at"], manifest.made_at),
                    "committed": int(runs.committed(db, row["job"], row["date"]) is None),
                }
            else:
                message = f"Was at work when the backup {name} was made, which has nothing of what it came to."
                change = {"status": "crashed", "message": message, "exit_code": 1, "ended_at": runs.now()}
            table(db, "runs").update(row["id"], {**change, "folder": None})
            table(db, "judged").insert({"run": row["id"]}, ignore=True)
    for place, _, _ in os.walk(stage, topdown=False):
        sync_folder(Path(place))
    return sum(not _made(manifest, row) for row in found)


def _made(manifest: Manifest, row: Mapping[str, Any]) -> bool:
    return (row["id"], row["date"]) == (manifest.run, manifest.date)


def _write_pages(settings: Settings, manifest: Manifest) -> str:
    """Write the pages anew; returns why there are none, or ""."""
    try:
        with closing(open_store(settings.data)) as db:
            for job in manifest.jobs:
                reports.publish(db, settings, job)
    except (DeskError, OSError, sqlite3.Error) as fault:
        return str(fault)
    return ""
