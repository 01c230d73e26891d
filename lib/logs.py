"""A run's log: `log.jsonl` in the run's folder, a JSON object a line, with all that was said and all the noise.

    for line in lines_for_people(read_log(Path("data/model_topics/2026-03-01-7/log.jsonl"), last=20)):
        print(line)

    {"time": "2026-03-01T05:00:02.114Z", "run": 7, "job": "model_topics", "level": "info", "message": "…"}

Levels are info, warning, error and noise: what libraries and child processes write to file descriptor 2. In a run that
is a pipe which the supervisor reads, so that the last words of a process that crashes are kept, and the terminal is
left to what is said to people.
"""

import contextlib
import fcntl
import json
import logging
import os
import re
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Literal

from lib.files import shown
from lib.runs import now

LOG = "log.jsonl"
NOISE_LIMIT = 2 << 20  # bytes that noise may take in a run's log, and as many for what libraries warn of
LINE_LIMIT = 1 << 13  # bytes of one line of noise; a longer one is cut into several
MESSAGE_LIMIT = 1 << 17  # characters of one message
LAST_WORDS = 40  # lines of noise that are kept whatever came before them: as many as Python says when it crashes
_AROUND = 110  # bytes of a line in the log beside its message

Level = Literal["info", "warning", "error", "noise"]

# What JSON leaves as it is and a terminal may obey or show in another order: C1 controls, line ends, bidi marks.
_INVISIBLE = re.compile("[\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LINE_END = re.compile(rb"[\r\n]+")
_LOGIN = re.compile(r'(://)[^/@\s"]+@')  # an address's name and password
_in_a_run = False


@dataclass(frozen=True)
class RunLog:
    """Where a run's lines go. Nothing is held open: the supervisor and its child write each line whole, in one go."""

    path: Path
    run: int
    job: str

    def write(self, message: str, level: Level = "info", **fields: Any) -> None:
        """Add a line. That it can't be written, as on a full disk, is no reason for a run to fail."""
        entry = {"time": now(), "run": self.run, "job": self.job, "level": level, "message": _fit(message)}
        entry |= {name: value for name, value in fields.items() if name not in entry and value is not None}
        line = _as_line(entry)
        with contextlib.suppress(OSError):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                if os.write(descriptor, line) < len(line):
                    os.write(descriptor, b"\n")  # the next line shall not be a part of what is torn here
            finally:
                os.close(descriptor)


def _fit(message: str) -> str:
    text = shown(message)
    return text if len(text) <= MESSAGE_LIMIT else f"{text[:MESSAGE_LIMIT]}… ({len(text):,} characters)"


def _as_line(entry: dict[str, Any]) -> bytes:
    try:
        text = json.dumps(entry, ensure_ascii=False, default=str, allow_nan=False)
    except (ValueError, TypeError):  # a figure that is none, what holds itself, keys that are no text
        plain = {name: value if isinstance(value, str | int) else str(value) for name, value in entry.items()}
        text = json.dumps(plain, ensure_ascii=False)
    text = _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return shown(_LOGIN.sub(r"\1", text)).encode() + b"\n"


def _size(text: str) -> int:
    """The bytes that a message takes in the log: a control character has six there."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "backslashreplace")) - 2 + _AROUND


class Noise:
    """What comes out of the pipe that is a child's file descriptor 2, as lines of the log: so much and no more."""

    def __init__(self, log: RunLog) -> None:
        self.log = log
        self.last: deque[str] = deque(maxlen=LAST_WORDS)
        self.dropped = 0
        self._left = NOISE_LIMIT
        self._rest = b""
        self._unwritten: deque[str] = deque(maxlen=LAST_WORDS)

    def feed(self, part: bytes) -> None:
        """Take what was read; whole lines are written."""
        *whole, self._rest = _LINE_END.split(self._rest + part)
        if len(self._rest) >= LINE_LIMIT:
            whole, self._rest = [*whole, self._rest], b""
        for line in whole:
            for start in range(0, len(line), LINE_LIMIT):
                self._add(line[start : start + LINE_LIMIT])

    def close(self) -> None:
        """The child has gone: write what isn't written, and how much was dropped."""
        self._add(self._rest)
        self._rest = b""
        if self.dropped:
            kept = f"the log takes {NOISE_LIMIT:,}, and of the rest the last {len(self._unwritten)} lines"
            self.log.write(f"{self.dropped:,} bytes of noise too many came: {kept}", "warning")
        for line in self._unwritten:
            self.log.write(line, "noise")
        self._unwritten.clear()
        self.dropped = 0

    def _add(self, line: bytes) -> None:
        if not line.strip():
            return
        text = line.decode("utf-8", "backslashreplace")
        self.last.append(text)
        if self._left >= 0:
            self._left -= _size(text)
        if self._left >= 0:
            self.log.write(text, "noise")
        else:
            self.dropped += len(line)
            self._unwritten.append(text)


class LibraryHandler(logging.Handler):
    """Puts what libraries log, warnings and worse, into the run's log: so much and no more."""

    def __init__(self, log: RunLog, stage: Callable[[], str | None]) -> None:
        super().__init__(logging.WARNING)
        self._log, self._stage, self._left = log, stage, NOISE_LIMIT

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, with its traceback if it has one."""
        if self._left < 0:
            return
        try:
            text = self.format(record).rstrip()
        except Exception:  # a library's message and its arguments don't go together
            text = f"{record.msg} {record.args!r}"
        self._left -= _size(text)
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        self._log.write(text, level, stage=self._stage(), logger=record.name)
        if self._left < 0:
            self._log.write(f"What libraries log is left out from here on, after {NOISE_LIMIT:,} characters", "warning")


def keep_noise(pipe: int) -> None:
    """In a run's child: file descriptor 2 becomes the pipe, and `sys.stderr` what it was, for people.

    Python's last words on a segmentation fault go into the pipe, too.
    """
    import faulthandler

    global _in_a_run
    terminal = fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, 10)
    sys.stderr = os.fdopen(terminal, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
    os.dup2(pipe, 2)
    os.close(pipe)
    faulthandler.enable(file=2)
    _in_a_run = True


def noise_is_kept() -> bool:
    """Whether file descriptor 2 leads into a run's log."""
    return _in_a_run


def listen(log: RunLog, stage: Callable[[], str | None]) -> None:
    """In a run's child: from now on what libraries log, warnings, and faults of threads are in the run's log."""
    logging.captureWarnings(True)
    logging.getLogger().addHandler(LibraryHandler(log, stage))
    of_threads = threading.excepthook

    def also_log(fault: threading.ExceptHookArgs) -> None:
        if fault.exc_type is not SystemExit:
            said = traceback.format_exception(fault.exc_type, fault.exc_value, fault.exc_traceback)
            log.write("".join(said).rstrip(), "error", stage=stage())
        of_threads(fault)

    def keep_off(fault: "sys.UnraisableHookArgs") -> None:
        with contextlib.redirect_stderr(sys.__stderr__):
            sys.__unraisablehook__(fault)

    threading.excepthook = also_log
    sys.unraisablehook = keep_off  # "Exception ignored in …" is noise


def read_log(path: Path, last: int | None = None) -> list[dict[str, Any]]:
    """The entries of a log, or the last so many; none where there is no log. Lines that are torn are left out."""
    found: deque[dict[str, Any]] = deque(maxlen=last)
    try:
        with path.open(encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            found.extend(_entries(file))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return list(found)


def _entries(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        whole = line[max(0, line.rfind('{"time": ')) :]  # a line may have been written behind a torn one
        for text in dict.fromkeys((line, whole)):
            with contextlib.suppress(ValueError, RecursionError):
                entry = json.loads(text)
                if isinstance(entry, dict):
                    yield entry
                    break


def lines_for_people(entries: Sequence[dict[str, Any]], zone: tzinfo = UTC) -> list[str]:
    """Entries as a terminal may show them: time of day, level unless info, stage, message. A message may be many lines.

    Nothing in them is obeyed by a terminal: controls are shown as \\x1b.
    """
    lines: list[str] = []
    for entry in entries:
        level, stage = str(entry.get("level", "info")), entry.get("stage")
        message = str(entry.get("message", ""))
        # a stage's own lines begin with its name
        where = f"{stage}: " if stage and not message.startswith(f"{stage}: ") else ""
        head = f"{_clock(entry.get('time'), zone)} {'' if level == 'info' else f'{level}: '}{where}"
        first, *more = f"{head}{message}".split("\n")
        lines += [printable(each) for each in (first, *(f"         {each}" for each in more))]
    return lines


def _clock(time: Any, zone: tzinfo) -> str:
    try:
        return datetime.fromisoformat(str(time)).astimezone(zone).strftime("%H:%M:%S")
    except (ValueError, OverflowError):
        return "--:--:--"


def printable(text: str) -> str:
    """Text with its controls escaped, line ends among them."""
    escaped = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return shown(escaped.replace("\n", "\\n"))


def tail(path: Path, characters: int) -> str:
    """The last lines of a log as people read them, in at most so many characters; "" where there is no log."""
    text = ""
    for line in reversed(lines_for_people(read_log(path, last=max(1, characters // 10)))):
        longer = f"{line}\n{text}" if text else line
        if len(longer) > characters:
            return text or line[:characters]
        text = longer
    return text
