"""The CSV files in folders, gzip, bzip2, xz and zip archives, as lines of text; truncated archives give what they hold.

A line ends at a line feed alone; carriage returns inside it become spaces. Bytes that aren't UTF-8 are read as cp1252,
or as Latin-1 where cp1252 has no character for them; NULs are dropped. Both are counted.
"""

import codecs
import io
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from lib.compressed import DAMAGE, MAGIC, is_damage, unpacked
from lib.errors import BadData, SourceUnavailable
from lib.files import shown

ENDINGS = (".csv", ".gz", ".bz2", ".xz", ".zip")
LINE_LIMIT = 32 << 20  # bytes: a longer line is cut, and then rejected as broken, rather than held in memory
BLOCK = 1 << 18

_BROKEN_ZIP = (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OSError)
_LOCAL_HEADER = b"PK\x03\x04"
_Stream = Any  # what has read1: files, unpackers, members of archives


def csv_files(paths: Sequence[Path]) -> list[Path]:
    """The files to read, folders looked into (in name order, hidden files left out).

    Raises SourceUnavailable where a path isn't there, or none of them holds a CSV file or an archive of them.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.is_file() and not each.name.startswith("."))
            files += [each for each in inside if each.name.lower().endswith(ENDINGS)]
        elif path.is_file():
            files.append(path)
        elif path.exists():
            raise BadData(f"{path} is neither a file nor a folder; expected CSV files, since they are read by parts")
        else:
            raise SourceUnavailable(
                f"{path} is not there; put the articles there as CSV files, or name them with --articles PATH"
            )
    if not files:
        names = ", ".join(str(path) for path in paths)
        raise SourceUnavailable(f"{names} holds no articles; expected files ending in {', '.join(ENDINGS)}")
    return files


def tables_in(path: Path, repaired: Counter[str]) -> Iterator[tuple[str, Iterator[list[str]]]]:
    """The CSV tables in a file, each with its name and its lines, many at a time.

    Archives are told by their first bytes, not their names. A truncated one ends early, with
    `repaired["truncated archive"]` counted up.
    """
    with path.open("rb") as file:
        magic = file.read(MAGIC)
        file.seek(0)
        if magic.startswith(b"PK"):
            yield from _tables_in_zip(path, file, repaired)
            return
        yield shown(path), _blocks(shown(path), unpacked(file, magic) or file, repaired)


def _tables_in_zip(path: Path, file: IO[bytes], repaired: Counter[str]) -> Iterator[tuple[str, Iterator[list[str]]]]:
    try:
        archive = zipfile.ZipFile(file)
    except _BROKEN_ZIP:
        # the directory stands at the end, and the end is what a broken download lacks
        file.seek(0)
        yield from _salvaged(path, file, repaired)
        return
    with archive:
        members = [each for each in archive.infolist() if _is_table(each.filename)]
        if not members:
            raise BadData(f"{path} holds no CSV file; it has {', '.join(archive.namelist()[:5]) or 'nothing'}")
        for member in members:
            if member.flag_bits & 1:
                raise BadData(f"{path} is locked with a password; expected a zip that opens without one")
            name = f"{shown(path)}/{member.filename}"
            try:
                stream = archive.open(member)
            except _BROKEN_ZIP as fault:
                raise BadData(f"{name} can't be unpacked ({fault}); download the archive again") from fault
            with stream:
                yield name, _blocks(name, stream, repaired)


def _is_table(name: str) -> bool:
    return name.lower().endswith(".csv") and not name.startswith("__MACOSX")


def _salvaged(path: Path, file: IO[bytes], repaired: Counter[str]) -> Iterator[tuple[str, Iterator[list[str]]]]:
    """The tables of a zip whose end is missing, by their local headers (APPNOTE.TXT 4.3.7), as far as they go."""
    before = repaired["truncated archive"]
    found = False
    while len(header := file.read(30)) == 30 and header.startswith(_LOCAL_HEADER):
        if int.from_bytes(header[8:10], "little") != zipfile.ZIP_DEFLATED:
            break
        name = file.read(int.from_bytes(header[26:28], "little")).decode("utf-8", "replace")
        file.seek(int.from_bytes(header[28:30], "little"), io.SEEK_CUR)
        inflating = _Inflating(file)
        stream = io.BufferedReader(inflating, BLOCK)
        if _is_table(name):
            found = True
            yield f"{path}/{name}", _blocks(f"{path}/{name}", stream, repaired)
        if not inflating.ends_whole():
            break
        between = file.read(64)  # holds a data descriptor (4.3.9), or nothing, before the next header
        file.seek(max(0, between.find(_LOCAL_HEADER)) - len(between), io.SEEK_CUR)
    if not found:
        raise BadData(f"{path} is a broken zip archive that nothing can be read from; download it again")
    repaired["truncated archive"] = before + 1


class _Inflating(io.RawIOBase):
    """Raw deflate as a stream; EOFError where the file ends before it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._inflate.eof:
            block = self._inflate.unconsumed_tail or self._file.read(BLOCK)
            if not block:
                raise EOFError("the archive is cut")
            self._ready = self._inflate.decompress(block, BLOCK)
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def ends_whole(self) -> bool:
        """Read what is left; whether it has its end, at which the file then stands."""
        try:
            while self.read(BLOCK):
                pass
        except DAMAGE:
            return False
        self._file.seek(-len(self._inflate.unused_data), io.SEEK_CUR)
        return True


def _blocks(name: str, stream: _Stream, repaired: Counter[str]) -> Iterator[list[str]]:
    """The lines of a stream, about BLOCK bytes of them at a time."""
    first = True
    for raw in _whole_lines(stream, repaired):
        if first:
            if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise BadData(f"{name} is in UTF-16; expected UTF-8 (iconv -f UTF-16 -t UTF-8 makes it)")
            raw = raw.removeprefix(codecs.BOM_UTF8)
            first = False
        try:
            text = "" if b"\0" in raw else raw.decode("utf-8")
        except UnicodeDecodeError:
            text = ""
        # Where something is to be repaired, it is counted by lines.
        yield _as_lines(text) if text else [_repaired(line, repaired) for line in io.BytesIO(raw)]


def _whole_lines(stream: _Stream, repaired: Counter[str]) -> Iterator[bytes]:
    """Bytes up to line ends; what stands behind the last one is a line too, unless an archive is cut there."""
    begun: list[bytes] = []  # a line whose end is still to come
    size = 0
    while True:
        try:
            data = stream.read1(BLOCK)
        except DAMAGE as fault:
            if not is_damage(fault):
                raise
            repaired["truncated archive"] += 1
            return
        end = data.rfind(b"\n") + 1
        if data and not end:
            begun.append(data)
            size += len(data)
            if size < LINE_LIMIT:
                continue
        raw = b"".join([*begun, data[:end]] if end else begun)
        while raw.find(b"\n", 0, LINE_LIMIT) < 0 and len(raw) > LINE_LIMIT:
            yield raw[:LINE_LIMIT]
            raw = raw[LINE_LIMIT:]
        if end or not data:
            if raw:
                yield raw
            begun = [data[end:]] if data[end:] else []
        else:
            begun = [raw]
        size = sum(map(len, begun))
        if not data:
            return


def _as_lines(text: str) -> list[str]:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", " ")
    return io.StringIO(text, newline="\n").readlines()


def _repaired(raw: bytes, repaired: Counter[str]) -> str:
    if b"\0" in raw:
        repaired["NUL bytes"] += 1
        raw = raw.replace(b"\0", b"")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        repaired["bytes not in UTF-8"] += 1
        text = _decode_western(raw)
    return text.replace("\r\n", "\n").replace("\r", " ")


def _decode_western(raw: bytes) -> str:
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
