"""Captures: raw lines in a compressed file that only grows, so that a crash costs the last few seconds.

    data/captures/2026-11-21-7.jsonl.gz, which `gzip -dc` reads

Each flush is a gzip member of its own (RFC 1952, 2.2), written and flushed to disk at once. What a crash leaves behind
the last whole member is cut off by `mend`.
"""

import gzip
import os
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from lib.files import cannot_write, sync_folder, writing_aside
from lib.supervise import Stop
from lib.tweets.parsing import without
from lib.tweets.replay import replayed_lines
from lib.tweets.window import Source, Window, run_source

FOLDER = "captures"  # in the data folder
FLUSH_EVERY = 2.0  # seconds: what a crash may cost
FLUSH_BYTES = 8 << 20
LEVEL = 6
BLOCK = 1 << 20
GRACE = 0.3  # seconds for the source's thread to hand over what it holds when the window closes
GZIP = 16 + zlib.MAX_WBITS  # zlib's word for "with gzip's header and trailer"


def listen(source: Source, path: Path, window: Window, stop: Stop, advance: Callable[[int], None]) -> None:
    """Capture what the source brings into `path` until the window's time is up, or a stop signal came.

    What became of it is in the window. The source's thread only hands over; compressing and writing are done here.
    `advance` is told of whole seconds.

    Raises what the source failed with, after everything it had brought is on disk; FileExistsError; CannotWrite.
    """
    faults: list[BaseException] = []
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file, cannot_write(path):
        sync_folder(path.parent)
        thread = run_source(source, window, faults.append)
        flushed, told = window.now(), 0
        while not window.over.wait(min(0.1, window.remaining)):
            if window.remaining == 0:
                window.end()
            elif stop.came:
                window.end(f"{stop.came.name} stopped it")
            seconds = int(window.now() - window.started)
            if seconds > told:
                advance(seconds - told)
                told = seconds
            if window.now() - flushed >= FLUSH_EVERY or window.waiting_bytes >= FLUSH_BYTES:
                append(file, window.take())
                flushed = window.now()
        source.close()
        thread.join(GRACE)
        append(file, window.take())
    if faults:
        raise faults[0]


def append(file: BinaryIO, lines: list[bytes]) -> None:
    """Write lines as one gzip member, flushed to disk. Raises OSError."""
    if lines:
        file.write(gzip.compress(b"\n".join(lines) + b"\n", LEVEL, mtime=0))
        file.flush()
        os.fsync(file.fileno())


def mend(path: Path) -> int:
    """Cut what lies behind the last whole member, and put the whole lines found in it back as a member.

    Returns how many bytes of the file were torn: 0 where it was whole. Raises OSError.
    """
    with path.open("r+b") as file:
        whole, torn = _whole_members(file)
        file.seek(0, os.SEEK_END)
        cut = file.tell() - whole
        if cut:
            file.truncate(whole)
            file.seek(whole)
            append(file, torn[: torn.rfind(b"\n") + 1].splitlines())
    return cut


def _whole_members(file: BinaryIO) -> tuple[int, bytes]:
    """Where the last whole member ends, and what can be read of the torn one behind it."""
    whole, position, read = 0, 0, b""
    inflate = zlib.decompressobj(GZIP)
    with suppress(zlib.error):
        while block := file.read(BLOCK):
            position += len(block)
            while block:
                read += inflate.decompress(block)
                block = inflate.unused_data
                if inflate.eof:
                    whole, read = position - len(block), b""
                    inflate = zlib.decompressobj(GZIP)
    return whole, read


def rewrite(path: Path, gone: Callable[[str], bool]) -> int:
    """Write a capture anew without the posts that were deleted; returns how many lines changed or left.

    Where none does, the file is left as it is. Readers see the old file or the new one. Raises OSError, CannotWrite.
    """
    changed = sum(without(line, gone) != line for line in replayed_lines([path], Counter()))
    if not changed:
        return 0
    with writing_aside(path) as file:
        lines: list[bytes] = []
        size = 0
        for line in replayed_lines([path], Counter()):
            kept = without(line, gone)
            if kept is not None:
                lines.append(kept)
                size += len(kept)
            if size >= FLUSH_BYTES:
                append(file, lines)
                lines, size = [], 0
        append(file, lines)
    return changed
