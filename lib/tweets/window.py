"""The window of a capture: the minutes in which a source may hand over lines, and what became of them.

A source is an object with a method `listen(window)`, run by a thread of its own. It hands over lines as they came
until `window.over` is set, and returns early only where there is nothing more to come. What waits, waits with
`window.wait`, so that the window closes on time whatever the stream does; what doesn't return then is left behind.
"""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lib.errors import DeskError

NO_MORE = "the source has no more"  # as the end of a window: not early, but all there is
STANDS = 1.0  # seconds after which a connection that has brought nothing is one all the same


class Source(Protocol):
    """Where lines come from: X, Bluesky, or a recording played back."""

    name: str

    def listen(self, window: "Window") -> None:
        """Hand lines to the window until it is over. Raises DeskError where no later try can help."""

    def close(self) -> None:
        """Let go of the connection, from another thread, so that a blocked `listen` returns."""


@dataclass(frozen=True)
class Gap:
    """A time without a connection, in seconds since 1970, and why. `filled`: what was missed came afterwards."""

    start: float
    end: float
    why: str
    filled: bool = False


class Window:
    """What a source's thread and the main thread share while the window is open."""

    def __init__(self, seconds: float, *, max_posts: int | None = None) -> None:
        self.seconds = seconds
        self.max_posts = max_posts
        self.started = time.time()
        self._opened = time.monotonic()
        self.over = threading.Event()
        self.why_over = ""  # empty: its time was up
        self.ended = 0.0  # seconds since 1970, once it is over
        self.gaps: list[Gap] = []
        self.reconnects = 0
        self.posts = 0  # as X bills them
        self.lines = 0
        self.ever_connected = False
        self.notes: list[str] = []  # what the report should say about the source, a sentence each
        self.foreign_rules: frozenset[str] = frozenset()  # ids of rules on X that aren't ours
        self._lock = threading.Lock()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._lost_at: float | None = None
        self._lost_why = ""
        self._tried_at: float | None = None  # when the connection was made that has yet to show that it stands
        self._doubt = ""

    # for the source

    def line(self, line: bytes, *, posts: int = 0) -> None:
        """Take a line as it came, without its line end. `posts` is how many of X's paid posts it holds."""
        with self._lock:
            if self.over.is_set():
                return
            self._waiting.append(line)
            self._waiting_bytes += len(line) + 1
            self.lines += 1
            self.posts += posts
            full = self.max_posts is not None and self.posts >= self.max_posts
        if full:
            self.end(f"the cap of {self.max_posts:,} posts was reached")

    def opened(self) -> None:
        """A connection was made. Whether it stands is shown by what it brings (`connected`, `doubted`), or else by its
        lasting STANDS seconds, or to the window's end."""
        with self._lock:
            self._tried_at, self._doubt = self.now(), ""

    def doubted(self, why: str) -> None:
        """What the connection opened last has brought isn't what was asked for: from now on only `connected` helps."""
        with self._lock:
            self._doubt = why

    def connected(self, *, filled: bool = False) -> None:
        """The connection stands (again), since it was opened. `filled`: it starts where the last one broke off."""
        with self._lock:
            if not self.over.is_set():
                self._stand(filled)

    def lost(self, why: str, *, since: float | None = None) -> None:
        """There is no connection, or none could be made; `since` is seconds since 1970 where it began before now.

        Until `connected`, further calls change nothing but the reason for a connection that never stood.
        """
        with self._lock:
            if self.over.is_set():
                return
            if self._tried_at is not None and not self._doubt and self.now() - self._tried_at >= STANDS:
                self._stand()
            self._lose(why, since)

    def wait(self, seconds: float) -> bool:
        """Sleep, but not past the window's end; whether the window is still open."""
        return not self.over.wait(max(0.0, min(seconds, self.remaining))) and self.remaining > 0

    @property
    def remaining(self) -> float:
        """Seconds to the window's end; 0 once it is over."""
        if self.over.is_set():
            return 0.0
        return max(0.0, self._opened + self.seconds - time.monotonic())

    def now(self) -> float:
        """Seconds since 1970 by the window's own clock, which nobody sets."""
        return self.started + time.monotonic() - self._opened

    # for the main thread

    def end(self, why: str = "") -> None:
        """Close the window; only the first reason counts."""
        with self._lock:
            if not self.over.is_set():
                self.why_over = why if self.remaining else ""  # whoever comes late ends nothing early
                self.ended = min(self.now(), self.started + self.seconds)
                if self._tried_at is not None and not self._doubt:
                    self._stand()
                elif self._tried_at is not None:
                    self._lose(self._doubt)
                self._close_gap(self.ended)
                self.over.set()

    def take(self) -> list[bytes]:
        """The lines that came since the last call."""
        with self._lock:
            taken, self._waiting, self._waiting_bytes = self._waiting, [], 0
        return taken

    @property
    def waiting_bytes(self) -> int:
        """How much there is to take."""
        return self._waiting_bytes

    def _stand(self, filled: bool = False) -> None:
        self._close_gap(self.now() if self._tried_at is None else self._tried_at, filled)
        self.reconnects += self.ever_connected
        self.ever_connected = True
        self._tried_at = None

    def _lose(self, why: str, since: float | None = None) -> None:
        self._tried_at = None
        if self._lost_at is None:
            start = self.started if not self.ever_connected else self.now()
            self._lost_at = max(self.started, min(start, since)) if since is not None else start
            self._lost_why = why
        elif not self.ever_connected:
            self._lost_why = why

    def _close_gap(self, end: float, filled: bool = False) -> None:
        if self._lost_at is not None:
            self.gaps.append(Gap(self._lost_at, end, self._lost_why, filled))
            self._lost_at = None


def run_source(source: Source, window: Window, failed: Callable[[BaseException], None]) -> threading.Thread:
    """Start the source's thread. What it raises is handed to `failed`, and ends the window."""

    def work() -> None:
        try:
            source.listen(window)
        except BaseException as fault:
            failed(fault)
            window.end(str(fault) if isinstance(fault, DeskError) else f"{type(fault).__name__}: {fault}")
        else:
            window.end(NO_MORE)

    thread = threading.Thread(target=work, name=f"capture from {source.name}", daemon=True)
    thread.start()
    return thread


def shown(address: str) -> str:
    """A source's address for people, whether it is one or not: without name, password and query, where secrets travel.

    A password may hold any character, so that all goes that stands before the last @.
    """
    return re.sub(r"^(\w+://)?.*@", r"\1", address.strip(), flags=re.DOTALL).partition("?")[0].partition("#")[0]
