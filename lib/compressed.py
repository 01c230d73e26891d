"""Packed files, told by their first bytes and not their names, and read forwards without unpacking them to disk.

gzip, bzip2 and xz as what they hold, tar as its members. What is damaged or cut gives what stands before that.
"""

import bz2
import errno
import gzip
import io
import lzma
import os
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, Any

MAGIC = 6  # bytes: the longest of the packers' marks
HEAD = tarfile.BLOCKSIZE  # bytes: what `is_tar` wants to see
BLOCK = 1 << 17
HEADER_LIMIT = 1 << 16  # bytes: the longest honest long name or pax header is a path's few thousand

# What the readers of packed files raise on damaged or missing bytes, which none of them documents in full.
DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, struct.error)


def unpacked(stream: Any, magic: bytes) -> IO[bytes] | None:
    """What the stream unpacks to, or None where its first bytes, `magic`, are no packer's. Many members are as one."""
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=stream)  # type: ignore[return-value]
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(stream)
    if magic.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(stream)
    return None


def is_damage(fault: BaseException) -> bool:
    """Whether a fault is the archive's: an OSError with a number is the disk's, save for a seek to before the start."""
    if isinstance(fault, OSError):
        return fault.errno in (None, errno.EINVAL)
    return isinstance(fault, DAMAGE)


class _Raw(io.RawIOBase):
    """An unpacking stream of which nothing is lost where it breaks off: it is asked for what it has at hand."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def readable(stream: Any) -> io.BufferedReader:
    """A stream that `unpacked` made, or a zip's member, so that what comes before a damaged place is given."""
    return io.BufferedReader(_Raw(stream), BLOCK)


def is_tar(head: bytes) -> bool:
    """Whether a file begins with a member's header, whose checksum no text meets."""
    with suppress(tarfile.HeaderError):
        tarfile.TarInfo.frombuf(head[:HEAD], "utf-8", "surrogateescape")
        return True
    return False


def tar_members(stream: io.BufferedReader) -> Iterator[tuple[str, io.BufferedReader]]:
    """The plain files in a tar, in order, with their paths; each is to be read before the next is asked for.

    tarfile's own reader takes a missing rest for the end, and holds a header in memory however long it says it is.
    Raises EOFError where the tar ends or breaks before its end; nothing more comes where a member's reader has met it.
    """
    said = _Said()
    while (header := _whole(stream, HEAD)) != bytes(HEAD):
        try:
            member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.HeaderError as fault:
            raise EOFError("the tar is damaged") from fault
        if member.type in _WITHOUT_DATA:
            said = _Said()
            continue
        size = member.size if said.size is None else said.size
        if size < 0:
            raise EOFError("the tar is damaged")
        part = _Part(stream, size)
        if member.type in _SAYS_MORE:
            said = said.with_header(member.type, _whole(part, min(size, HEADER_LIMIT)))
        else:
            if member.type in _PLAIN:
                yield said.path or _shown(os.fsencode(member.name)), io.BufferedReader(part, BLOCK)
            said = _Said()
        if part.cut and not part.told:
            raise EOFError("the tar is cut")
        if part.cut:
            return
        part.skip(-size % HEAD)


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class _Said:
    """What headers of GNU's or pax's have said of the member behind them, which its own has no room for."""

    path: str | None = None
    size: int | None = None

    def with_header(self, kind: bytes, content: bytes) -> "_Said":
        if kind == tarfile.GNUTYPE_LONGNAME:
            return replace(self, path=_shown(content.rstrip(b"\0")))
        if kind == tarfile.XHDTYPE:
            path = re.search(rb"\d+ path=([^\n]*)\n", content)
            size = re.search(rb"\d+ size=(\d{1,18})\n", content)
            return _Said(_shown(path[1]) if path else self.path, int(size[1]) if size else self.size)
        return self


_PLAIN = {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE}
_SAYS_MORE = {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE}
_WITHOUT_DATA = {
    *(tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE),
}


class _Part(io.RawIOBase):
    """The next `size` bytes of a stream; `cut` where it ended or broke before them, and `told` where that was raised.

    It is raised only by the second read: what an unpacker had gathered when the first met the end is not lost so.
    """

    def __init__(self, stream: io.BufferedReader, size: int) -> None:
        self._stream = stream
        self._left = size
        self.cut = self.told = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self._left)
        if not size:
            return 0
        if self.cut:
            self.told = True
            raise EOFError("the archive is cut")
        try:
            data = self._stream.read1(size)
        except DAMAGE as fault:
            if not is_damage(fault):
                raise
            data = b""
        self.cut = not data
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)

    def skip(self, padding: int) -> None:
        """Read what is left, and the padding behind it."""
        self._left += padding
        while self.read(BLOCK):
            pass


def _whole(stream: io.RawIOBase | io.BufferedReader, size: int) -> bytes:
    """The next `size` bytes. Raises EOFError where there are fewer."""
    found = b""
    while len(found) < size:
        data = stream.read(size - len(found))
        if not data:
            raise EOFError("the archive is cut")
        found += data
    return found
