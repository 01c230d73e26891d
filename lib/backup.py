"""Backups: a folder each, `BACKUPS/DATE-RUN/`, made aside and renamed when it is whole.

    made = make_backup(db, Path("data"), Path("data/backups"), "2026-11-23", 41, kinds)

The store is copied by `VACUUM INTO`, which reads it as of one moment while others write, and the copy is checked. Files
are hard links to the backup before where nothing changed, to the file itself where it can't be written into any more,
and copies else. `manifest.json` has each file's size and SHA-256.
"""

import errno
import hashlib
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
from sqlite_utils import Database

from lib.errors import BadSettings, CannotWrite
from lib.files import DEMO_MARK, cannot_write, sha256_of, shown, sync_folder
from lib.keeping import BACKUPS, REPLACED, RUN_FOLDER, Kind, files_below, opened_to_read, remove, run_folders
from lib.manifest import MANIFEST, VERSION, Entry, Found, Manifest, backups_in, check_store, desk_name
from lib.rotation import Place, aside_in, sweep
from lib.runs import now
from lib.store import STORE

STORE_KIND, RUN_FILES = "store", "run_files"
CHECK_AGAIN = timedelta(days=7)  # how long the bytes of an unchanged file are taken on trust
SETTLED_AFTER = timedelta(hours=1)  # a run that has just ended may still get a last line of its log
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}

Advance = Callable[[int], object]


@dataclass(frozen=True)
class Backup:
    """A backup that was just made. `notes` are sentences for people."""

    folder: Path
    manifest: Manifest
    same_disk: bool
    notes: tuple[str, ...] = ()

    def count(self, *modes: str) -> int:
        """How many files are of these modes."""
        return sum(each.mode in modes for each in self.manifest.files)

    @property
    def size(self) -> str:
        """The size of all its files, for people."""
        return megabytes(self.manifest.bytes)

    @property
    def new_bytes(self) -> int:
        """What it takes on the disk that wasn't taken before."""
        return sum(each.size for each in self.manifest.files if each.mode == "copy")

    def by_kind(self) -> list[tuple[str, int, int]]:
        """Kind, files and bytes, in the order in which they were taken."""
        kinds = dict.fromkeys(each.kind for each in self.manifest.files)
        found = {kind: [each.size for each in self.manifest.files if each.kind == kind] for kind in kinds}
        return [(kind, len(sizes), sum(sizes)) for kind, sizes in found.items()]


def make_backup(
    db: Database,
    data: Path,
    to: Path,
    day: str,
    run: int,
    kinds: Sequence[Kind],
    advance: Advance = lambda _: None,
) -> Backup:
    """Make a backup of the desk in `data`, whose store is `db`, in a new folder of `to`; `day` is its logical date.

    What an earlier one that was killed has left is swept first. `advance` is told of each file.

    Raises BadSettings where `to` lies among what is backed up, BadData where the store is damaged, CannotWrite, and
    OSError where a file can't be read; nothing of it is then left.
    """
    _check_place(data, to)
    with cannot_write(to):
        to.mkdir(parents=True, exist_ok=True)
    sweep(data, to)
    earlier = [each for each in backups_in(to, data) if each.manifest is not None and not each.flaw]
    name = f"{day}-{run}"
    aside = aside_in(to, name, data)
    work = _Work(data, aside, earlier[-1] if earlier else None, kinds, advance)
    try:
        with cannot_write(aside):
            aside.mkdir()
        # Files are looked at before and after the store's one moment: a network that is promoted or a result that is
        # replaced meanwhile is there in the state that the store's copy knows.
        work.take_all(db)
        made_at = now()
        count, jobs = work.take_store(db)
        with closing(opened_to_read(aside / STORE, alone=True)) as copy:
            work.take_all(copy)
            work.drop_unnamed(copy)
        work.miss()
        manifest = Manifest(
            version=VERSION,
            desk=desk_name(data),
            date=day,
            run=run,
            made_at=made_at,
            sqlite=sqlite3.sqlite_version,
            database_rows=count,
            jobs=jobs,
            folders=sorted({*(kind.folder for kind in kinds if kind.backed_up), *_job_folders(work.entries)}),
            files=sorted(work.entries.values(), key=lambda each: (each.kind != STORE_KIND, each.kind, each.path)),
        )
        folder = _finish(aside, to, name, manifest)
    except BaseException:
        _discard(aside)
        raise
    return Backup(folder, manifest, to.stat().st_dev == data.stat().st_dev, tuple(work.notes))


@dataclass
class _Work:
    """A backup in the making: what was taken so far, by its name in the data folder."""

    data: Path
    aside: Path
    before: Found | None
    kinds: Sequence[Kind]
    advance: Advance
    entries: dict[str, Entry] = field(default_factory=dict)
    seen: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        manifest = self.before.manifest if self.before else None
        self.known = {each.path: each for each in manifest.files} if manifest else {}
        self.today = datetime.now(UTC).date()

    def take_store(self, db: Database) -> tuple[int, list[str]]:
        """Copy the store as of one moment and check the copy; returns its rows and the jobs of its ledger."""
        target = self.aside / STORE
        try:
            db.execute("VACUUM INTO ?", [str(target)])
        except sqlite3.OperationalError as fault:
            if any(word in str(fault) for word in ("full", "unable to open", "disk I/O", "readonly")):
                raise CannotWrite(f"can't copy the store to {target} ({fault}); make room and run it again") from fault
            raise
        count, jobs = check_store(target)
        _sync(target)
        stat = target.stat()
        self.entries[STORE] = Entry(
            STORE, STORE_KIND, stat.st_size, stat.st_mtime_ns, sha256_of(target), "copy", self.today.isoformat()
        )
        self.advance(1)
        return count, jobs

    def take_all(self, db: Database) -> None:
        """Take what the store names and what the kinds bring, less what was taken already and is still the same."""
        for path, kind, settled in _sources(db, self.data, self.kinds):
            name = path.relative_to(self.data).as_posix()
            try:
                name.encode()
            except UnicodeEncodeError:
                self.note(f"{shown(path)} is left out: its name is no UTF-8.")
                continue
            try:
                self.take(path, name, kind, settled)
            except FileNotFoundError:
                if path.exists():  # it was another file that is missing
                    raise

    def take(self, path: Path, name: str, kind: str, settled: bool) -> None:
        """Take one file. Raises FileNotFoundError where it has gone meanwhile."""
        stat = path.stat()
        mark = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if self.seen.get(name) == mark:
            return
        target = self.aside / name
        with cannot_write(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
        self.entries.pop(name, None)  # it may go before it is taken again
        entry = self._from_before(name, target, stat)
        if entry is None and settled and not path.is_symlink():  # what a link leads to, others may write into
            entry = self._linked(path, name, kind, target)
        if entry is None:
            entry = self._copied(path, name, kind, target, stat)
        self.seen[name] = mark
        self.entries[name] = entry
        self.advance(1)

    def drop_unnamed(self, copy: Database) -> None:
        """Take out again the folders of runs that the store's copy doesn't name: they were replaced meanwhile."""
        named = {row["folder"] for row in run_folders(copy)}
        for name, entry in list(self.entries.items()):
            if entry.kind == RUN_FILES and "/".join(name.split("/")[:2]) not in named:
                (self.aside / name).unlink()
                del self.entries[name]

    def miss(self) -> None:
        """Note the kinds that the backup before had files of and this one has none of."""
        there = {each.kind for each in self.entries.values()}
        for kind in dict.fromkeys(each.kind for each in self.known.values()):
            if kind not in there:
                count = sum(each.kind == kind for each in self.known.values())
                self.note(f"None of the {count:,} files of the kind {kind} in the backup before is there any more.")

    def note(self, text: str) -> None:
        """Keep a sentence for people, once."""
        if text not in self.notes:
            self.notes.append(text)

    def _from_before(self, name: str, target: Path, stat: os.stat_result) -> Entry | None:
        """The backup's before, where size and time of change are the same; its bytes are read again from time to time.

        Without that a copy that goes bad on the disk would be handed on to every later backup.
        """
        known = self.known.get(name)
        if known is None or self.before is None or (known.size, known.mtime_ns) != (stat.st_size, stat.st_mtime_ns):
            return None
        try:
            linked = _link(self.before.folder / name, target)
        except FileNotFoundError:
            linked = False
        if not linked:
            return None
        checked = known.checked
        if self.today - date.fromisoformat(checked) >= CHECK_AGAIN:
            if sha256_of(target) != known.sha256:
                target.unlink()
                self.note(f"{self.before.folder / name} is damaged; the file was taken anew from the desk.")
                return None
            checked = self.today.isoformat()
        return replace(known, mode="before", checked=checked)

    def _linked(self, path: Path, name: str, kind: str, target: Path) -> Entry | None:
        if not _link(path.resolve(), target):
            return None
        stat = target.stat()
        found = sha256_of(target)
        after = target.stat()
        if (stat.st_size, stat.st_mtime_ns) != (after.st_size, after.st_mtime_ns):  # somebody writes into it
            target.unlink()
            return None
        return Entry(name, kind, stat.st_size, stat.st_mtime_ns, found, "link", self.today.isoformat())

    def _copied(self, path: Path, name: str, kind: str, target: Path, stat: os.stat_result) -> Entry:
        """A copy of what is there now. A capture that grows meanwhile is taken again the next time."""
        size, found = copy_file(path, target, stat.st_mtime_ns)
        return Entry(name, kind, size, stat.st_mtime_ns, found, "copy", self.today.isoformat())


def _sources(db: Database, data: Path, kinds: Sequence[Kind]) -> Iterator[tuple[Path, str, bool]]:
    """The files to take, each with its kind and whether a hard link would do."""
    settled_before = datetime.now(UTC) - SETTLED_AFTER
    for row in run_folders(db):
        settled = datetime.fromisoformat(row["ended_at"]) < settled_before
        for path in files_below(data / row["folder"]):
            yield path, RUN_FILES, settled
    for kind in kinds:
        if kind.backed_up:
            names = kind.settled(db)
            for path in files_below(data / kind.folder):
                yield path, kind.name, kind.all_settled or path.relative_to(data).as_posix() in names


def copy_file(source: Path, target: Path, mtime_ns: int) -> tuple[int, str]:
    """Copy a file to a new one, flushed to disk; returns the copy's size and SHA-256. Raises OSError, CannotWrite."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as file:
        with cannot_write(target):
            copy = target.open("xb")
        with copy:
            while block := file.read(1 << 20):
                digest.update(block)
                size += len(block)
                with cannot_write(target):
                    copy.write(block)
            with cannot_write(target):
                copy.flush()
                os.fsync(copy.fileno())
    os.utime(target, ns=(mtime_ns, mtime_ns))
    return size, digest.hexdigest()


def left_out(data: Path, manifest: Manifest, known: Mapping[str, str]) -> list[tuple[str, str]]:
    """What lies in the data folder and in no backup: names and the reasons in `known`."""
    taken = {STORE, *manifest.folders, *manifest.jobs}
    moved = "what a restore has moved aside; a person says when it goes"
    other = "not of a kind that is backed up"
    return [
        (shown(path.name), moved if path.name.startswith(f"{REPLACED}-") else known.get(path.name, other))
        for path in sorted(data.iterdir())
        if path.name not in taken and not path.name.startswith((".", f"{STORE}-", DEMO_MARK))
    ]


def one_sentence(made: Backup, places: Sequence[Place], flawed: int) -> str:
    """The run in one sentence, for the ledger, the index and the terminal."""
    kept = [each for each in places if not each.dropped]
    oldest, count = kept[-1].manifest.made_at[:10], len(made.manifest.files)
    text = (
        f"{count:,} file{'s' if count != 1 else ''} of {megabytes(made.manifest.bytes)} and "
        f"{made.manifest.database_rows:,} rows are checked and in {shown(made.folder)}; "
        + (f"{len(kept)} backups are kept, the oldest of {oldest}" if len(kept) > 1 else "it is the only backup")
    )
    if flawed:
        text += f"; {flawed} earlier {'one is' if flawed == 1 else 'ones are'} damaged, see the report"
    return f"{text}; the data lies on the same disk." if made.same_disk else f"{text}."


def megabytes(size: int) -> str:
    """A number of bytes as people say it: 3.2 MiB, 1.5 GiB."""
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.1f} MiB"


def _check_place(data: Path, to: Path) -> None:
    inside, here = to.resolve(), data.resolve()
    if inside == here or (inside.is_relative_to(here) and inside.relative_to(here).parts[0] != BACKUPS):
        raise BadSettings(f"backups can't lie in {to}, among what they are of; expected {data / BACKUPS} or elsewhere")


def _job_folders(entries: Collection[str]) -> set[str]:
    return {name.split("/")[0] for name in entries if RUN_FOLDER.fullmatch("/".join(name.split("/")[:2]))}


def _free_name(to: Path, name: str) -> str:
    """`name`, or where that is taken (a store put back counts its runs anew) name-2, name-3…"""
    taken = {path.name for path in to.iterdir()}
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _link(source: Path, target: Path) -> bool:
    """Make a hard link; False where the file systems or the owners don't allow it. Raises OSError."""
    try:
        os.link(source, target)
    except OSError as fault:
        if fault.errno not in _NO_LINK:
            raise
        return False
    return True


def _finish(aside: Path, to: Path, name: str, manifest: Manifest) -> Path:
    """Write the manifest, flush all and give the backup its name; returns its folder. Raises CannotWrite."""
    path = aside / MANIFEST
    with cannot_write(path):
        path.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        _sync(path)
        for place, _, _ in os.walk(aside, topdown=False):
            sync_folder(Path(place))
        while True:
            folder = to / _free_name(to, name)
            try:
                aside.rename(folder)
                break
            except OSError as fault:
                if fault.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # another desk has just taken that name
                    raise
        sync_folder(to)
    return folder


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(aside: Path) -> None:
    """Remove what will be no backup; that it can't be removed matters less than the fault that led here."""
    with suppress(OSError):
        remove(aside)
