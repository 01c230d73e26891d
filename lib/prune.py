"""Remove what is older than `[keep]` in nightdesk.toml says, kind by kind; nothing that a page or a champion needs.

    pruned = prune(settings, kinds, dry_run=True, now=datetime.now(UTC))

Only names of known shapes go. A run's row stays when its files go; its `folder` is then NULL. What a job at work holds
the lock of is left for the next time.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import lock_descriptor
from sqlite_utils import Database

from lib import reports, runs
from lib.files import shown
from lib.keeping import ASIDE, BACKUPS, ENDED, REPLACED, RUN_FOLDER, Kind, opened_to_read, remove, size_of
from lib.settings import Settings
from lib.store import STORE, open_store, rows, table, writing

ASIDES, PAGES, RUN_FILES = "asides", "reports", "run_files"
ASIDE_AGE = timedelta(days=1)
LOCK_SECONDS = 1.0
# Of the desk, and without a time: made again, looked after by others, or a person's.
_LEFT_ALONE = {"locks", "logs", "archives", "articles", "nltk_data", "demo", "training", BACKUPS}


@dataclass(frozen=True)
class Item:
    """Something that goes or went, or is left: its kind, where it lies, its bytes, and why."""

    kind: str
    path: Path
    bytes: int
    why: str


@dataclass(frozen=True)
class Pruned:
    """What went, or with `dry_run` would go; and what is left since the desk doesn't know it or a run is at work."""

    removed: list[Item]
    left: list[Item]
    dry_run: bool

    @property
    def bytes(self) -> int:
        """The bytes of what went. Where a backup has a file as a hard link, its room is free when that is dropped."""
        return sum(each.bytes for each in self.removed)

    @property
    def data(self) -> dict[str, Any]:
        """It as JSON."""
        said = {
            name: [
                {"kind": each.kind, "path": shown(each.path), "bytes": each.bytes, "why": each.why} for each in items
            ]
            for name, items in (("removed", self.removed), ("left", self.left))
        }
        return {"dry_run": self.dry_run, "bytes": self.bytes, **said}

    @property
    def lines(self) -> list[str]:
        """It for people; what is left with a dry run alone."""
        verb = "would go" if self.dry_run else "removed"
        lines = [
            f"{verb}: {shown(each.path)} ({each.kind}, {each.bytes / 2**20:,.1f} MiB; {each.why})"
            for each in self.removed
        ]
        if self.dry_run:
            lines += [f"left: {shown(each.path)} ({each.why})" for each in self.left]
        total = f"In all {len(self.removed):,}, of {self.bytes / 2**20:,.1f} MiB, {verb}." if self.removed else ""
        return [*lines, total or "Nothing is older than [keep] says."]

    @property
    def exit_code(self) -> int:
        """Always 0: what couldn't be done is raised."""
        return 0


@dataclass
class _Pruning:
    """One pruning: what it has to go by, and what it came to so far."""

    settings: Settings
    db: Database
    now: datetime
    dry_run: bool
    kept: set[int]  # the ids of the runs whose pages are kept
    removed: list[Item] = field(default_factory=list)
    left: list[Item] = field(default_factory=list)

    def is_over(self, kind: str, since: datetime) -> bool:
        """Whether a thing of this age and kind has had its time."""
        span = self.settings.keep.span_of(kind)
        return span is not None and self.now - since > span

    def drop(self, kind: str, path: Path, since: str) -> None:
        """Remove a thing that has had its time."""
        why = f"of {since[:10]}, kept for {getattr(self.settings.keep, kind)}"
        self.removed.append(Item(kind, path, size_of(path), why))
        if not self.dry_run:
            remove(path)

    def leave(self, kind: str, path: Path, why: str) -> None:
        """Note what stays."""
        self.left.append(Item(kind, path, size_of(path), why))


def prune(
    settings: Settings,
    kinds: Sequence[Kind] = (),
    *,
    dry_run: bool,
    now: datetime | None = None,
    holding: str | None = None,
) -> Pruned:
    """Remove what has had its time, of the desk's own files and of `kinds`; `dry_run` only says what would go.

    `holding` is the job whose lock the caller has. Raises CannotWrite, OSError.
    """
    now = now or datetime.now(UTC)
    removed = list(_old_asides(settings, now))
    if not dry_run:
        for each in removed:
            remove(each.path)
    store = settings.data / STORE
    if not store.is_file():  # nothing tells what is needed
        return Pruned(removed, [], dry_run)
    with closing(opened_to_read(store) if dry_run else open_store(settings.data)) as db:
        jobs = [row["job"] for row in rows(db, "SELECT DISTINCT job FROM runs ORDER BY job")]
        pages = rows(db, "SELECT id FROM runs WHERE committed = 1 AND report IS NOT NULL")
        work = _Pruning(settings, db, now, dry_run, {row["id"] for row in pages}, removed)
        for job in sorted({*jobs, *(kind.job for kind in kinds)}):
            mine = [kind for kind in kinds if kind.job == job]
            # A lock at a time, and briefly: a job that starts meanwhile waits no more than a second for its own.
            with _locked(settings.data, job, dry_run=dry_run) if job != holding else nullcontext(True) as free:
                if free:
                    _prune_pages(work, job)
                    _prune_run_folders(work, job)
                    for kind in mine:
                        _prune_kind(work, kind)
                else:
                    for name, folder in [(RUN_FILES, job), *((kind.name, kind.folder) for kind in mine)]:
                        work.leave(name, settings.data / folder, f"{job} is at work")
        _name_the_unknown(work, kinds, jobs)
        if not dry_run:
            for job in {each.path.parent.name for each in work.removed if each.kind == PAGES} & set(jobs):
                reports.publish(db, settings, job)
    return Pruned(work.removed, work.left, dry_run)


def _old_asides(settings: Settings, now: datetime) -> Iterator[Item]:
    """What killed processes have left half written, anywhere but in backups: there the job that makes them sees to it.

    The oldest run that may still be at work began hours ago and not a day.
    """
    for top in dict.fromkeys((settings.data, settings.reports)):
        for place, folders, names in os.walk(top):
            if Path(place) == settings.data and BACKUPS in folders:
                folders.remove(BACKUPS)
            for name in [*folders, *names]:
                path = Path(place, name)
                if not ASIDE.fullmatch(name):
                    continue
                if name in folders:
                    folders.remove(name)
                with suppress(FileNotFoundError):
                    if now - _changed(path) > ASIDE_AGE:
                        yield Item(ASIDES, path, size_of(path), "left half written by a process that was killed")


@contextmanager
def _locked(data: Path, job: str, *, dry_run: bool) -> Iterator[bool]:
    """Hold a job's lock, if nobody else does; a dry run only looks."""
    if dry_run:
        yield not _is_held(data / "locks" / f"{job}.lock")
        return
    lock = runs.wait_for_lock(data, job, LOCK_SECONDS)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            os.close(lock)


def _is_held(path: Path) -> bool:
    """Whether somebody has a lock; nothing is made."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not lock_descriptor(descriptor, blocking=False)
    finally:
        os.close(descriptor)


def _prune_pages(work: _Pruning, job: str) -> None:
    """Remove a job's pages of earlier dates; the latest is always kept."""
    sql = "SELECT * FROM runs WHERE job = ? AND committed = 1 AND report IS NOT NULL ORDER BY date DESC, id DESC"
    for row in rows(work.db, sql, job)[1:]:
        ended = row["ended_at"] or row["started_at"]
        if not work.is_over(PAGES, datetime.fromisoformat(ended)):
            continue
        page = work.settings.reports / row["report"]
        if reports.page_name(job, row["date"]) != row["report"]:
            work.leave(PAGES, page, "named otherwise than the desk names pages")
            continue
        work.kept.remove(row["id"])
        work.drop(PAGES, page, ended)
        if work.dry_run:
            continue
        if _is_run_folder(row["folder"]):
            remove(work.settings.data / row["folder"] / "report.html")  # else the next start would write it again
        with writing(work.db):
            table(work.db, "runs").update(row["id"], {"report": None})


def _prune_run_folders(work: _Pruning, job: str) -> None:
    for row in rows(work.db, f"SELECT * FROM runs WHERE job = ? AND {ENDED} ORDER BY id", job):
        ended = row["ended_at"] or row["started_at"]
        if row["id"] in work.kept or not _is_run_folder(row["folder"]):
            continue
        if not work.is_over(RUN_FILES, datetime.fromisoformat(ended)):
            continue
        work.drop(RUN_FILES, work.settings.data / row["folder"], ended)
        if not work.dry_run:
            with writing(work.db):
                table(work.db, "runs").update(row["id"], {"folder": None})


def _prune_kind(work: _Pruning, kind: Kind) -> None:
    top = work.settings.data / kind.folder
    protected = kind.protected(work.db, work.kept)
    known = None if kind.known is None else kind.known(work.db)
    for path in _of_shape(top, kind):
        name = path.relative_to(work.settings.data).as_posix()
        found = kind.shape.fullmatch(path.relative_to(top).as_posix())
        assert found is not None
        day = found.groupdict().get("date")
        try:
            since = datetime.fromisoformat(day).replace(tzinfo=UTC) if day else _changed(path)
        except (ValueError, FileNotFoundError):  # a date that no calendar has; gone meanwhile
            continue
        if not work.is_over(kind.name, since):
            continue
        if name in protected:
            work.leave(kind.name, path, kind.why_kept)
        elif known is not None and name not in known:
            work.leave(kind.name, path, "no run names it")
        else:
            work.drop(kind.name, path, since.isoformat())
            if kind.forget is not None and not work.dry_run:
                kind.forget(work.db, name)


def _of_shape(top: Path, kind: Kind) -> list[Path]:
    """The files and folders below `top` that a kind's shape knows. Links are none: they lead elsewhere."""
    found = []
    for place, folders, names in os.walk(top):
        for name in sorted([*folders, *names]):
            path = Path(place, name)
            if kind.shape.fullmatch(path.relative_to(top).as_posix()) and not path.is_symlink():
                found.append(path)
                if name in folders:
                    folders.remove(name)
    return found


def _name_the_unknown(work: _Pruning, kinds: Sequence[Kind], jobs: Collection[str]) -> None:
    """Note what no kind and no row knows."""
    data = work.settings.data
    protected = {kind.folder: kind.protected(work.db, ()) for kind in kinds}
    named = {row["folder"] for row in rows(work.db, "SELECT folder FROM runs WHERE folder IS NOT NULL")}
    gone = {each.path for each in work.removed}
    for path in sorted(data.iterdir()):
        name = path.name
        if name.startswith(f"{REPLACED}-"):
            work.leave("unknown", path, "what a restore has moved aside; a person says when it goes")
        elif name in jobs and path.is_dir():
            for each in sorted(path.iterdir()):
                if f"{name}/{each.name}" not in named and each not in gone:
                    work.leave("unknown", each, "no run names it")
        elif name in protected and name not in _LEFT_ALONE and path.is_dir():
            kind = next(kind for kind in kinds if kind.folder == name)
            for each in sorted(path.iterdir()):
                known = kind.shape.fullmatch(each.name) or f"{name}/{each.name}" in protected[name]
                if not known and each not in gone and not ASIDE.fullmatch(each.name):
                    work.leave("unknown", each, "not of a shape that the desk makes")
        elif name not in _LEFT_ALONE and not name.startswith(STORE) and path not in gone and path.name != "DEMO.txt":
            work.leave("unknown", path, "not the desk's")


def _is_run_folder(folder: str | None) -> bool:
    found = RUN_FOLDER.fullmatch(folder) if folder else None
    return found is not None and found["job"] != BACKUPS


def _changed(path: Path) -> datetime:
    """When a file, or the last of all in a folder, was changed. Raises FileNotFoundError."""
    times = [path.lstat().st_mtime]
    if path.is_dir() and not path.is_symlink():
        times += [each.lstat().st_mtime for each in path.rglob("*")]
    return datetime.fromtimestamp(max(times), UTC)
