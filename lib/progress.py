"""What a run says while it works: stages with a bar on a terminal, plain lines elsewhere, always on stderr."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from lib.logs import printable

# A stage is worth a line in a log once it has lasted this long, and again at this pace (seconds).
QUIET_SECONDS = 1.0
LINE_EVERY = 10.0

Advance = Callable[[int], None]


def nothing(_: int) -> None:
    """Progress that nobody watches."""


class Stages:
    """The stages of one run: how long each took, and the one it is in.

    `log` is called with the lines for the run's log, and `stage` and `seconds` by name; also where `quiet` is.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        on_start: Callable[[str], None] = lambda _: None,
        log: Callable[..., None] = lambda text, **fields: None,
    ) -> None:
        self.seconds: dict[str, float] = {}
        self.current: str | None = None
        self._on_start, self._log = on_start, log
        self._quiet = quiet
        # rich obeys NO_COLOR; a terminal is asked for on stderr, since stdout may be a pipe with data in it.
        self._console = Console(stderr=True, highlight=False, force_terminal=None if sys.stderr.isatty() else False)
        self._bars = self._console.is_terminal and os.environ.get("TERM") != "dumb"

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        """Time a stage and show how far it is. What it gives is called with the number of things just done."""
        self.current = name
        self._on_start(name)
        self._log(f"{name}: begun", stage=name)
        started, ended = time.perf_counter(), False
        try:
            if self._quiet:
                yield nothing
            elif self._bars:
                with self._bar(name, total, unit) as advance:
                    yield advance
            else:
                yield self._lines(name, total, unit)
            ended = True
        finally:
            seconds = time.perf_counter() - started
            self.seconds[name] = round(self.seconds.get(name, 0.0) + seconds, 3)
            said = f"{name}: {'done in' if ended else 'broken off after'} {seconds:.1f} s"
            self._log(said, stage=name, seconds=round(seconds, 3))
        self.current = None
        if seconds >= QUIET_SECONDS or self._bars:
            self._show(said)

    def say(self, text: str) -> None:
        """A line for people, with the time, and for the log."""
        self._log(text, stage=self.current)
        self._show(text)

    def _show(self, text: str) -> None:
        if not self._quiet:
            clock = datetime.now().astimezone().strftime("%H:%M:%S")
            self._console.print(Text.assemble((clock, "dim"), f" {printable(text)}"), soft_wrap=True)

    @contextmanager
    def _bar(self, name: str, total: int | None, unit: str) -> Iterator[Advance]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(escape(name), total=total)
            yield lambda done: progress.advance(task, done)

    def _lines(self, name: str, total: int | None, unit: str) -> Advance:
        started = time.perf_counter()
        due = started + QUIET_SECONDS
        count = 0

        def advance(done: int) -> None:
            nonlocal count, due
            count += done
            moment = time.perf_counter()
            if moment < due:
                return
            due = moment + LINE_EVERY
            of_all = f" of {total:,} ({count / total:.0%})" if total else ""
            self._show(f"{name}: {count:,}{of_all} {unit}".rstrip())

        return advance
