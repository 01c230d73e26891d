"""Files that a reader sees old or new and never half: written aside, flushed to disk, then renamed.

    with writing_aside(Path("data/models/champion.keras")) as file:
        file.write(...)

What a killed process leaves is a hidden `.NAME.….aside` beside the file it meant to write; nothing reads it.
"""

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from lib.errors import CannotWrite

_LONE_BYTES = re.compile("[\udc80-\udcff]")
# A file system that can't flush a folder says so with one of these; its files were flushed all the same.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}


def aside_of(path: Path) -> Path:
    """A new hidden name in `path`'s own folder, where a rename to `path` stays within one file system."""
    # A name may have 255 bytes, and a character up to 4 of them.
    return path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}.aside")


def sync_folder(folder: Path) -> None:
    """Flush a folder's names to disk: a rename outlives a power cut only after this. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as fault:
        if fault.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def cannot_write(path: Path) -> Iterator[None]:
    """Turn an OSError from the block into a `CannotWrite` that names `path`. Only writing belongs in the block."""
    try:
        yield
    except OSError as fault:
        reason = fault.strerror or str(fault)
        raise CannotWrite(f"can't write {path}: {reason}; check the folder, who owns it and the room left") from fault


@contextmanager
def writing_aside(path: Path) -> Iterator[BinaryIO]:
    """A binary file to write; `path` becomes it, whole and flushed, when the block ends.

    Where the block raises, what was written is removed and the old file stays. Missing folders are made; the mode is
    the umask's. A symbolic link at `path` is replaced, not followed. Raises CannotWrite; what the block raises, an
    OSError included, comes out as it is.
    """
    path = Path(path)
    aside = aside_of(path)
    file = _create(aside, path)
    try:
        with file:
            yield file
            with cannot_write(path):
                file.flush()
                os.fsync(file.fileno())
        publish(aside, path)
    except BaseException:
        _discard(aside)
        raise


def atomic_write(path: Path, data: bytes | str) -> None:
    """Put `data` (text as UTF-8, line ends untouched) into `path` as `writing_aside` does. Raises CannotWrite."""
    publish(stage_aside(path, data), path)


def stage_aside(path: Path, data: bytes | str) -> Path:
    """Write and flush `data` (text as UTF-8) beside `path` without touching it; returns the name for `publish`.

    For what may be seen only after something else is sure, such as a report after the store's commit.
    Raises CannotWrite and then leaves nothing behind.
    """
    path = Path(path)
    aside = aside_of(path)
    content = data.encode() if isinstance(data, str) else data
    try:
        with cannot_write(path), _create(aside, path) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        _discard(aside)
        raise
    return aside


def publish(aside: Path, path: Path) -> None:
    """Rename a flushed `aside` to `path`, in whose folder it lies, and flush the folder.

    Raises CannotWrite; where the rename itself failed, `aside` is removed and the old file stays.
    """
    path = Path(path)
    try:
        with cannot_write(path):
            aside.replace(path)
            sync_folder(path.parent)
    except CannotWrite:
        _discard(aside)
        raise


def checksum(path: Path, algorithm: str = "sha256") -> str:
    """The file's digest in lower-case hexadecimal, read piece by piece. Raises OSError, ValueError (algorithm)."""
    with Path(path).open("rb") as file:
        # The digest finds damage and is no defence; a machine in FIPS mode has md5 for nothing else.
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def shown(path: Path | str) -> str:
    """A path, or what has one in it, as text that can be stored and printed also where its name is no UTF-8.

    A byte that is none is shown as \\xff; Python holds it as a lone surrogate (PEP 383).
    """
    text = _LONE_BYTES.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", str(path))
    return text.encode("utf-8", "backslashreplace").decode()


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in lower-case hexadecimal. Raises OSError."""
    return checksum(path, "sha256")


def _discard(aside: Path) -> None:
    """Remove what nobody will publish; that it can't be removed matters less than the fault that led here."""
    with suppress(OSError):
        aside.unlink()


def _create(aside: Path, path: Path) -> BinaryIO:
    """The new file `aside`, with the mode that the umask leaves: a web server can't read mkstemp's 0600."""
    with cannot_write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return aside.open("xb")


DEMO_MARK = "DEMO.txt"


def mark_as_demo(folder: Path) -> None:
    """Say of a folder, to people and to `is_demo`, that what lies in it is demo data."""
    atomic_write(folder / DEMO_MARK, "What lies in this folder is demo data. It is made anew by `make demo`.\n")


def is_demo(paths: Sequence[Path]) -> bool:
    """Whether any of the paths is demo data, or lies in a folder of it."""
    return any((parent / DEMO_MARK).exists() for path in paths for parent in (path, *path.resolve().parents))
