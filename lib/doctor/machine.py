"""The machine and what is installed on it: Python, SQLite, packages, room and folders."""

import configparser
import os
import re
import sqlite3
import sys
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lib.doctor.check import Check, Need, failed, ok, size, warning
from lib.settings import Settings
from lib.store import STORE, wal_is_safe

Version = tuple[int, ...]

ROOT = Path(__file__).parents[2]
OLDEST, NEWEST = (3, 11), (3, 13)
# Patch versions that mended tarfile's filters: CVE-2024-12718, CVE-2025-4138, CVE-2025-4330, CVE-2025-4517.
FILTERS_MENDED: dict[Version, int] = {(3, 11): 13, (3, 12): 11, (3, 13): 4}
FEW_FILES = 10_000  # a run makes some tens; this many are left for years
LEAST = 64 << 20  # bytes without which not even a row, a log and a page are sure to be written
SPARE = 1 << 30  # bytes that should stay free beside what the runs need
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)


def python(found: Version = sys.version_info[:3]) -> Iterator[Check]:
    """Whether Python is one that the desk is tested with."""
    if OLDEST <= found[:2] <= NEWEST:
        yield ok("Python", _dotted(found))
    else:
        said = f"{_dotted(found)}; the desk is made for {_dotted(OLDEST)} to {_dotted(NEWEST)}"
        yield failed("Python", said, "make .venv anew with one of these: rm -r .venv, then make test")


def tar_filters(
    found: Version = sys.version_info[:3], mended: bool = hasattr(tarfile, "LinkFallbackError")
) -> Iterator[Check]:
    """Whether this Python's tarfile has the fault of its filters.

    `mended`: the exception that the repair brought is there, as where a distribution repaired an older version.
    """
    name = "Python's tarfile"
    first = FILTERS_MENDED.get(found[:2], 0)
    if mended or found[:2] > NEWEST or (first and found[2] >= first):
        yield ok(name, "its filters are free of the fault CVE-2025-4517")
    else:
        since = f"{_dotted(found[:2])}.{first}" if first else _dotted(NEWEST)
        said = (
            f"{_dotted(found)} has the fault of its filters, by which links lead outside (CVE-2025-4517); the desk "
            "isn't open to it, since it unpacks archives by itself and takes no links"
        )
        yield warning(name, said, f"update Python to {since} or later, for what else runs on it")


def sqlite(data: Path, found: Version = sqlite3.sqlite_version_info) -> Iterator[Check]:
    """Whether SQLite and the store's journal go together."""
    name, path = "SQLite", data / STORE
    safe = wal_is_safe(found)
    wal = path.is_file() and _is_wal(path)
    if wal and not safe:
        said = f"{_dotted(found)} has the WAL-reset fault, which can damage {path}, and that is in WAL mode"
        yield failed(name, said, "update SQLite to 3.51.3 or later, or run a job: it takes the file out of WAL mode")
    elif safe:
        yield ok(name, f"{_dotted(found)}, free of the WAL-reset fault{'; the store is in WAL mode' if wal else ''}")
    else:
        yield ok(name, f"{_dotted(found)} has the WAL-reset fault, so the store keeps to the rollback journal")


def packages(root: Path = ROOT) -> Iterator[Check]:
    """The direct dependencies of setup.cfg against the versions of requirements.txt."""
    name = "packages"
    pins: dict[str, set[str]] = defaultdict(set)
    for package, pinned in _PIN.findall((root / "requirements.txt").read_text(encoding="utf-8")):
        pins[_normal(package)].add(pinned)
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg", encoding="utf-8")
    missing, others, count = [], [], 0
    for line in filter(None, config["options"]["install_requires"].splitlines()):
        package, anywhere = re.split(r"[\s;<>=~!]", line)[0], ";" not in line  # of two with a condition one is right
        try:
            installed = version(package)
        except PackageNotFoundError:
            missing += [package] if anywhere else []
            continue
        count += 1
        wanted = pins[_normal(package)]
        if installed not in wanted:
            others.append(f"{package} is {installed} and should be {' or '.join(sorted(wanted)) or 'in the lock'}")
    remedy = "install the locked set: rm -r .venv, then make test"
    if missing:
        yield failed(name, f"not installed: {', '.join(missing)}", remedy)
    if others:
        yield warning(name, "; ".join(others), remedy)
    if not missing and not others:
        yield ok(name, f"{count} direct dependencies are those of requirements.txt")


def room(settings: Settings, needs: Sequence[tuple[str, Need]]) -> Iterator[Check]:
    """Each disk's room, in bytes and files, against what the next runs of all jobs need on it together."""
    temporary = Path(tempfile.gettempdir())
    disks: dict[int, list[Path]] = defaultdict(list)
    for folder in (settings.data, settings.reports, temporary, *(need.folder for _, need in needs)):
        place = existing(folder)
        known = disks[place.stat().st_dev]
        if folder in (settings.data, settings.reports, temporary) and folder not in known:
            known.append(folder)
        elif not known:
            known.append(place)
    for device, folders in disks.items():
        wanted: dict[str, int] = defaultdict(int)
        for job, need in needs:
            if existing(need.folder).stat().st_dev == device:
                wanted[job] += need.bytes
        yield from _room_on(folders, wanted)
    asked = os.environ.get("TMPDIR")
    if asked and Path(asked).resolve() != temporary.resolve():
        said = f"TMPDIR is {asked}, which can't be written; {temporary} is used in its place"
        yield warning("TMPDIR", said, "make that folder, or name another")


def _room_on(folders: Sequence[Path], wanted: Mapping[str, int]) -> Iterator[Check]:
    name = f"room for {', '.join(map(str, folders))}"
    disk = os.statvfs(existing(folders[0]))
    free, total = disk.f_bavail * disk.f_frsize, sum(wanted.values())
    said = f"{size(free)} free"
    if total:
        said += f"; the next runs need {size(total)} ({', '.join(f'{job} {size(n)}' for job, n in wanted.items())})"
    remedy = "make room, or name other folders (data, reports, TMPDIR); python -m jobs prune removes what is old"
    if free < total + LEAST:
        yield failed(name, said, remedy)
    elif free < total + SPARE:
        yield warning(name, f"{said}, and less than {size(SPARE)} would stay", remedy)
    else:
        yield ok(name, said)
    if disk.f_files and disk.f_favail < FEW_FILES:  # where a file system counts none, there is no limit
        none = disk.f_favail < FEW_FILES // 100
        said = f"only {disk.f_favail:,} more files fit (inodes)"
        yield (failed if none else warning)(name, said, "remove files that nobody needs on that disk")


def folders(settings: Settings) -> Iterator[Check]:
    """Whether the desk's folders, and what others may have made in them, can be written by who asks."""
    for name, folder in (("data folder", settings.data), ("reports folder", settings.reports)):
        place = existing(folder)
        theirs = f"chown them to the desk's user, {_user(os.geteuid())}"
        if not place.is_dir():
            yield failed(name, f"{place} is no folder", "move it away, or name another")
            continue
        try:
            with tempfile.TemporaryFile(dir=place) as file:  # without a name on Linux: it leaves no trace
                file.write(b"?")
                file.flush()
        except OSError as fault:
            owner = _user(place.stat().st_uid)
            said = f"{place} belongs to {owner} and can't be written by {_user(os.geteuid())} ({fault.strerror})"
            yield failed(name, said, "give it to the desk's user, or see to the disk")
            continue
        inside = [folder / STORE, *sorted((folder / "locks").glob("*.lock")), folder / "index.html"]
        locked = [path for path in inside if path.exists() and not os.access(path, os.W_OK)]
        if locked:
            yield failed(name, f"not to be written: {', '.join(map(str, locked))}; a job ran as another user", theirs)
        else:
            yield ok(name, f"{folder} can be written" if folder.exists() else f"{folder} will be made in {place}")


def existing(path: Path) -> Path:
    """The path, or the nearest above it that is there."""
    path = path.absolute()
    return next((each for each in (path, *path.parents) if each.exists()), Path("/"))


def _is_wal(path: Path) -> bool:
    """By the file's header (https://www.sqlite.org/fileformat2.html, 1.3): the write version at 18 is 2."""
    with path.open("rb") as file:
        return file.read(20)[18:19] == b"\x02"


def _user(number: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(number).pw_name
    except (ImportError, KeyError):
        return f"user {number}"


def _dotted(found: Iterable[int]) -> str:
    return ".".join(map(str, found))


def _normal(package: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", package).lower()
