"""Unpack a stranger's archive without trusting it: tar (plain, gzip, bzip2, xz) and zip.

    extract(Path("data/archives/cifar-10-python.tar.gz"), Path("data/cifar-10"), limit_bytes=1 << 30)

Members are read here and written as plain new files with the umask's mode: `tarfile`'s and `zipfile`'s own extraction
is not used, since the tar filters of some Python patch versions can be led outside by links (CVE-2025-4517).
"""

import errno
import io
import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from lib import files
from lib.compressed import is_damage, unpacked
from lib.errors import BadData, CannotWrite, SourceUnavailable

LIMIT_BYTES = 2 << 30  # CIFAR-10's Python batches are 6 files of 31 MB each
LIMIT_MEMBERS = 100_000
PIECE = 1 << 16  # bytes copied at a time
LONGEST_READ = 1 << 17  # bytes; the longest honest header is a path's few thousand, and tarfile's own buffer is this

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # the second: one without members

# What the readers raise on damaged bytes, which none of them documents in full.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a compression or a zip version that Python can't read
    RuntimeError,
    ValueError,
    OverflowError,
    struct.error,
)

# Names that clash with one another, or that no file can have: the archive's fault and not the disk's.
_BAD_NAME = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}

Member = tuple[str, bool, Callable[[], IO[bytes]]]  # name, whether it is a folder, how to open it


def extract(
    archive: Path,
    folder: Path,
    *,
    limit_bytes: int = LIMIT_BYTES,
    limit_members: int = LIMIT_MEMBERS,
    progress: Callable[[int], None] = lambda _: None,
) -> Path:
    """Unpack `archive` into the new `folder`, which appears whole or not at all, and return `folder`.

    `limit_bytes` is for all members together, unpacked; `progress` is called with the number of bytes just written.
    Every link and special file is refused, and so is every name that leads out of the folder. Modes, owners and times
    in the archive are not kept.

    Raises BadData (naming archive and member), SourceUnavailable (no archive there), CannotWrite (also where `folder`
    exists and is not empty: it is never replaced).
    """
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        raise SourceUnavailable(f"the archive {archive} is not there; bring it first")
    with files.cannot_write(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise CannotWrite(f"can't unpack into {folder}: something is there already; move it away first")
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = files.aside_of(folder)
        aside.mkdir()
    try:
        with _damage(archive), archive.open("rb") as file:
            members = _zip_members if _head(file).startswith(_ZIP) else _tar_members
            left = limit_bytes
            for count, (name, is_folder, opened) in enumerate(members(archive, file, limit_bytes), start=1):
                if count > limit_members:
                    raise BadData(f"{archive} has more than {limit_members:,} members; it is not what it says it is")
                target = _target(archive, name, aside)
                if is_folder:
                    with _writing(archive, name, folder):
                        target.mkdir(parents=True, exist_ok=True)
                    continue
                with opened() as source:
                    left -= _copy(archive, name, source, target, folder, left, progress)
        with files.cannot_write(folder):
            for place in {aside, *(path for path in aside.rglob("*") if path.is_dir())}:
                files.sync_folder(place)
            aside.rename(folder)  # an empty folder may be there, a full one makes this fail
            files.sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return folder


def _head(file: BinaryIO) -> bytes:
    """An archive's first bytes; the file stands at its beginning. Of a plain tar they are none.

    That begins with a member's name, which may look like any packer's mark; its own mark stands at 257.
    """
    file.seek(0)
    head = file.read(tarfile.BLOCKSIZE)
    file.seek(0)
    return b"" if head[257:262] == b"ustar" else head


def _tar_members(archive: Path, file: BinaryIO, limit_bytes: int) -> Iterator[Member]:
    with unpacked(file, _head(file)) or file as plain:
        guarded: Any = _Guarded(plain, archive)
        with tarfile.open(fileobj=guarded, mode="r:") as tar:
            claimed = 0
            while (member := tar.next()) is not None:
                if not (member.isreg() or member.isdir()) or member.issparse():
                    raise BadData(
                        f"{archive} holds {member.name!r}, a link or a special file; only plain ones are taken"
                    )
                claimed += member.size
                if claimed > limit_bytes:
                    raise _too_large(archive, member.name, limit_bytes)
                yield member.name, member.isdir(), lambda member=member: tar.extractfile(member)  # type: ignore[misc]
            # tarfile takes a damaged or missing header for the end; the real end is a block of zeros.
            guarded.seek(tar.offset)
            if guarded.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise BadData(f"{archive} is damaged or cut off after {claimed:,} bytes; bring it again")
            # The checksum of a compressed stream is at its end, and is looked at only by who reads that far.
            while piece := guarded.read(PIECE):
                claimed += len(piece)
                if claimed > limit_bytes + PIECE:
                    raise _too_large(archive, "what follows the end", limit_bytes)


def _zip_members(archive: Path, file: BinaryIO, limit_bytes: int) -> Iterator[Member]:
    with zipfile.ZipFile(file) as pack:
        claimed = 0
        for info in pack.infolist():
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise BadData(f"{archive} holds {info.filename!r}, a link or a special file; only plain ones are taken")
            if info.flag_bits & 0x1:
                raise BadData(f"{archive} holds {info.filename!r}, which is encrypted; only plain members are taken")
            claimed += info.file_size
            if claimed > limit_bytes:
                raise _too_large(archive, info.filename, limit_bytes)
            # The name before zipfile cut it at a NUL, so that what is checked is what is written in the archive.
            yield info.orig_filename, info.is_dir(), lambda info=info: pack.open(info)  # type: ignore[misc]


class _Guarded(io.RawIOBase):
    """A stream that tarfile reads forwards and in small pieces, as it does with every honest archive.

    A long name or a pax header is read in one piece, however long it says it is, and a negative size sends older
    patch versions back to the same header for ever (CVE-2025-8194).
    """

    def __init__(self, stream: IO[bytes], archive: Path) -> None:
        self._stream, self._archive = stream, archive

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LONGEST_READ:
            raise BadData(f"{self._archive} has a header that says it is {size:,} bytes long; it is not to be trusted")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_SET and offset < self.tell() - tarfile.BLOCKSIZE:
            raise BadData(f"{self._archive} has a header that leads back to what was read; it is not to be trusted")
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _target(archive: Path, name: str, folder: Path) -> Path:
    """Where a member goes. Raises BadData where that isn't inside `folder`."""
    parts = re.split(r"[/\\]", name)  # a backslash parts names for those who pack on Windows
    if not name or "\0" in name or parts[0] == "" or ".." in parts:
        raise BadData(f"{archive} holds {name!r}, which leads out of the folder; it is not to be trusted")
    target = folder / name
    # No link is ever made inside, so this can't happen by what is known; it costs little to be sure.
    if not target.resolve().is_relative_to(folder.resolve()):
        raise BadData(f"{archive} holds {name!r}, which leads out of the folder; it is not to be trusted")
    return target


def _copy(
    archive: Path, name: str, source: IO[bytes], target: Path, folder: Path, left: int, progress: Callable[[int], None]
) -> int:
    """Write one member and flush it; returns its bytes. What is counted is what comes, whatever the header claims."""
    size = 0
    with _writing(archive, name, folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        file = target.open("xb")
    with file:
        while piece := source.read(PIECE):
            size += len(piece)
            if size > left:
                raise _too_large(archive, name, None)
            with _writing(archive, name, folder):
                file.write(piece)
            progress(len(piece))
        with _writing(archive, name, folder):
            file.flush()
            os.fsync(file.fileno())
    return size


def _too_large(archive: Path, name: str, limit_bytes: int | None) -> BadData:
    limit = f"{limit_bytes:,} bytes" if limit_bytes is not None else "the allowed bytes"
    return BadData(f"{archive} unpacks to more than {limit}, reached at {name!r}; it is not what it says it is")


@contextmanager
def _writing(archive: Path, name: str, folder: Path) -> Iterator[None]:
    try:
        with files.cannot_write(folder):
            yield
    except CannotWrite as fault:
        if isinstance(fault.__cause__, OSError) and fault.__cause__.errno in _BAD_NAME:
            reason = fault.__cause__.strerror
            raise BadData(f"{archive} holds {name!r}, which can't be a file here ({reason})") from fault
        raise


@contextmanager
def _damage(archive: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        if not is_damage(fault):
            raise
        raise _damaged(archive, fault) from fault
    except _DAMAGE as fault:
        raise _damaged(archive, fault) from fault


def _damaged(archive: Path, fault: Exception) -> BadData:
    return BadData(f"{archive} is damaged, cut off or no archive ({fault or type(fault).__name__}); bring it again")
