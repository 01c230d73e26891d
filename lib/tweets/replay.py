"""Recordings of streams as lines, and a source that plays them back at their own pace.

Read are plain files, gzip, bzip2, xz, tar (packed or with packed members, as the Archive Team publishes its
`2019/07/03/06/30.json.bz2`) and zip, told by their first bytes and not their names. Nothing is unpacked to disk.
"""

import codecs
import io
import json
import re
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from lib.compressed import BLOCK, DAMAGE, HEAD, is_damage, is_tar, readable, tar_members, unpacked
from lib.errors import BadData, SourceUnavailable
from lib.files import shown
from lib.tweets.parsing import Tweet, Unreadable, parse_line
from lib.tweets.shapes import BEGINS_DELETION
from lib.tweets.window import Window

ENDINGS = (
    *(".jsonl", ".json", ".ndjson", ".gz", ".bz2", ".xz", ".zip"),
    *(".tar", ".tgz", ".tbz2", ".tbz", ".txz"),
)
LINE_LIMIT = 32 << 20  # bytes: a longer line is cut, and then rejected as broken, rather than held in memory
DOCUMENT_LIMIT = 64 << 20  # bytes: only a smaller file is looked at as one JSON document over many lines
DEPTH = 4  # archives in archives

LONGEST_PAUSE = 60.0  # seconds of recorded time: a longer one, as between two files, isn't waited for
MOST_WAITING = 32 << 20  # bytes handed over and not yet taken, before playing waits
SLICE = 0.2  # seconds of waiting before another look whether to go on


def recordings(paths: Sequence[Path]) -> list[Path]:
    """The files to read, folders looked into (in name order, hidden files left out).

    A file named outright is read whatever its ending. Raises SourceUnavailable where a path isn't there, or none of
    them holds a recording.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.is_file() and not _hidden(each.relative_to(path)))
            files += [each for each in inside if each.name.lower().endswith(ENDINGS)]
        elif path.is_file():
            files.append(path)
        elif path.exists():
            raise BadData(f"{path} is neither a file nor a folder; expected recordings, since they may be read twice")
        else:
            raise SourceUnavailable(f"{path} is not there; name a recording that is with --replay PATH")
    if not files:
        names = ", ".join(str(path) for path in paths)
        raise SourceUnavailable(
            f"{names} holds no recording; expected files ending in {', '.join(ENDINGS)}, "
            "so name the file itself with --replay PATH if it ends otherwise"
        )
    return files


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def replayed_lines(paths: Sequence[Path], repaired: Counter[str]) -> Iterator[bytes]:
    """The lines of all these files in order, without their line ends; in memory is a block, or the line at hand.

    A truncated or damaged archive gives what it holds, with `repaired["truncated archive"]` counted up. A JSON
    document over many lines (pretty-printed) gives a line for each of its values, or for each element of its array.
    Raises BadData for UTF-16, a locked zip and an archive without a recording, and the disk's own faults.
    """
    for path in paths:
        with path.open("rb", buffering=BLOCK) as file:
            assert isinstance(file, io.BufferedReader)
            yield from _recording(shown(path), file, repaired, 0)


def _recording(name: str, stream: io.BufferedReader, repaired: Counter[str], depth: int) -> Iterator[bytes]:
    """A file's or a member's lines as far as they go."""
    try:
        head = stream.peek(HEAD)
        packed = unpacked(stream, head)
        if depth > DEPTH:
            raise BadData(f"{name} is an archive in an archive, {depth} deep; unpack it first")
        if packed is not None:
            yield from _recording(name, readable(packed), repaired, depth + 1)
        elif head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            yield from _zip_members(name, stream, repaired, depth)
        elif is_tar(head):
            yield from _tar_members(name, stream, repaired, depth)
        else:
            yield from _lines(name, stream, repaired)
    except DAMAGE as fault:
        _count(fault, repaired)


def _tar_members(name: str, stream: io.BufferedReader, repaired: Counter[str], depth: int) -> Iterator[bytes]:
    others: list[str] = []
    found = False
    for path, member in tar_members(stream):
        if _is_recording(path):
            found = True
            yield from _recording(f"{name}/{path}", member, repaired, depth + 1)
        else:
            others.append(path)
    if not found:
        raise _no_recording(name, others)


def _zip_members(name: str, file: io.BufferedReader, repaired: Counter[str], depth: int) -> Iterator[bytes]:
    if not isinstance(file.raw, io.FileIO):
        raise BadData(f"{name} is a zip inside another archive, where it can't be read; unpack it first")
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as fault:
        raise BadData(f"{name} is a broken zip archive ({fault}); download it again") from fault
    with archive:
        found = False
        for member in archive.infolist():
            if member.is_dir() or not _is_recording(member.filename):
                continue
            found = True
            its_name = f"{name}/{member.filename}"
            if member.flag_bits & 1:
                raise BadData(f"{its_name} is locked with a password; expected a zip that opens without one")
            try:
                stream = archive.open(member)
            except NotImplementedError as fault:
                raise BadData(f"{its_name} can't be unpacked ({fault}); pack it anew") from fault
            except zipfile.BadZipFile:
                repaired["truncated archive"] += 1
                continue
            with stream:
                yield from _recording(its_name, readable(stream), repaired, depth + 1)
        if not found:
            raise _no_recording(name, archive.namelist())


def _is_recording(member: str) -> bool:
    path = Path(member)
    return path.name.lower().endswith(ENDINGS) and not path.name.startswith(".") and "__MACOSX" not in path.parts


def _no_recording(name: str, others: Sequence[str]) -> BadData:
    return BadData(
        f"{name} holds no recording, but {', '.join(others[:5]) or 'nothing'}; expected names ending in "
        f"{', '.join(ENDINGS[:6])}"
    )


def _lines(name: str, stream: io.BufferedReader, repaired: Counter[str]) -> Iterator[bytes]:
    lines = _split(_blocks(name, stream, repaired))
    first, second = next(lines, None), next(lines, None)
    known = [each for each in (first, second) if each is not None]
    begins = (first or b"").strip()
    if begins.startswith((b"{", b"[")) and not _is_value(begins) and (begins == b"[" or not _is_value(second or b"")):
        # The next line is no value either, as it would be where a line is broken: this is one document over many.
        yield from _document(known, lines)
        return
    yield from known
    yield from lines


def _blocks(name: str, stream: io.BufferedReader, repaired: Counter[str]) -> Iterator[bytes]:
    try:
        head = stream.peek(3)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise BadData(f"{name} is in UTF-16; expected UTF-8 (iconv -f UTF-16 -t UTF-8 makes it)")
        if head.startswith(codecs.BOM_UTF8):
            stream.read(len(codecs.BOM_UTF8))
        while block := stream.read1(BLOCK):
            yield block
    except DAMAGE as fault:
        _count(fault, repaired)


def _count(fault: BaseException, repaired: Counter[str]) -> None:
    """Count an archive that is damaged or cut; raise where the fault is the disk's."""
    if not is_damage(fault):
        raise fault
    repaired["truncated archive"] += 1


def _split(blocks: Iterator[bytes]) -> Iterator[bytes]:
    pieces: list[bytes] = []  # of a line that hasn't ended
    size = 0
    for block in blocks:
        if b"\n" not in block:
            if size < LINE_LIMIT:
                pieces.append(block)
            size += len(block)
            continue
        if size >= LINE_LIMIT:
            pieces = [b"".join(pieces)[:LINE_LIMIT]]
            block = block[block.index(b"\n") :]
        lines = b"".join([*pieces, block]).split(b"\n")
        tail = lines.pop()
        yield from [line.removesuffix(b"\r") for line in lines]
        pieces, size = [tail], len(tail)
    if last := b"".join(pieces):
        yield last[:LINE_LIMIT].removesuffix(b"\r")


def _is_value(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


_BETWEEN = re.compile(r"[\s,\[\]]*")  # what stands between objects, also those of an array


def _document(known: list[bytes], lines: Iterator[bytes]) -> Iterator[bytes]:
    """The objects of a JSON document that begins with the known lines, a line each; its lines where it is none."""
    size = 0
    for line in lines:
        known.append(line)
        size += len(line) + 1
        if size > DOCUMENT_LIMIT:
            yield from known
            yield from lines
            return
    text = b"\n".join(known).decode("utf-8", "surrogateescape")  # bytes that aren't UTF-8 come back as they were
    decoder = json.JSONDecoder()
    broken, some = None, False  # where what can't be read begins; whether anything could
    place = _after(text, 0)
    while place < len(text):
        end = _end_of_object(decoder, text, place)
        if end is None and not some:
            yield from known
            return
        if end is None:
            broken = place if broken is None else broken
            end = (text.find("\n", place) + 1) or len(text)
        else:
            if broken is not None:
                yield _one_line(text[broken:place])
            yield _one_line(text[place:end])
            broken, some = None, True
        place = _after(text, end)
    if broken is not None:
        yield _one_line(text[broken:])
    elif not some and not _is_value(text.encode("utf-8", "surrogateescape")):
        yield from known  # brackets and commas alone


def _after(text: str, place: int) -> int:
    return _BETWEEN.match(text, place).end()  # type: ignore[union-attr] # it matches the empty text too


def _end_of_object(decoder: json.JSONDecoder, text: str, place: int) -> int | None:
    if text[place] != "{":
        return None
    try:
        return decoder.raw_decode(text, place)[1]
    except (ValueError, RecursionError):
        return None


def _one_line(text: str) -> bytes:
    return re.sub(r"\s*\n\s*", " ", text.strip()).encode("utf-8", "surrogateescape")[:LINE_LIMIT]


class Replay:
    """Recordings as a source: each line when it was due, `speed` times as fast.

    The tweets' own times are the clock, and lines without one go with what precedes. Nothing waits where these times go
    back, or jump by more than LONGEST_PAUSE, as from one file to the next.
    """

    name = "replay"

    def __init__(self, paths: Sequence[Path], speed: float) -> None:
        self._paths = list(paths)
        self._speed = speed
        self._closed = threading.Event()

    def listen(self, window: Window) -> None:
        """Play until the window is over or the recordings are. Raises what `replayed_lines` raises."""
        window.connected()
        repaired: Counter[str] = Counter()
        started, due = time.monotonic(), 0.0  # seconds
        latest: int | None = None  # milliseconds of recorded time
        for line in replayed_lines(self._paths, repaired):
            moment = _moment(line)
            if moment is not None:
                step = (moment - latest) / 1000 if latest is not None else 0.0
                if 0 < step <= LONGEST_PAUSE:
                    due += step / self._speed
                if latest is None or step > 0 or step < -LONGEST_PAUSE:
                    latest = moment
            while (early := started + due - time.monotonic()) > 0 or window.waiting_bytes > MOST_WAITING:
                if self._closed.is_set() or not window.wait(min(max(early, 0.01), SLICE)):
                    return
            if self._closed.is_set() or window.over.is_set():
                return
            window.line(line)
        for what, count in repaired.items():
            window.notes.append(f"The recordings had a fault that was passed over: {what} ({count}).")

    def close(self) -> None:
        """Have `listen` return."""
        self._closed.set()


def _moment(line: bytes) -> int | None:
    """Milliseconds since 1970 when the first tweet in a line was written, None where there is none."""
    if line.startswith(BEGINS_DELETION):
        return None
    try:
        items = parse_line(line)
    except Unreadable:
        return None
    return next((item.created_ms for item in items if isinstance(item, Tweet) and item.created_ms), None)
