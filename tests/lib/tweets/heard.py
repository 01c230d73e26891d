"""Listening to the server that plays X, as a capture does."""

import time
from dataclasses import dataclass

from lib.tweets.window import Window, run_source
from lib.tweets.x import X
from tests.lib.tweets.fake_x import FakeX

TOKEN = "AAAAAAAAsecretAAAAAAAA%3Dsecret"
TOO_MANY = {
    "title": "ConnectionException",
    "detail": "This stream is currently at the maximum allowed connection limit.",
    "connection_issue": "TooManyConnections",
}


@dataclass
class Heard:
    """What a capture would have got."""

    window: Window
    lines: list[bytes]
    fault: BaseException | None
    seconds: float

    @property
    def whys(self) -> list[str]:
        return [gap.why for gap in self.window.gaps]


def hear(source: X, seconds: float, *, stop_after: float | None = None, **how: int) -> Heard:
    """Listen as lib.tweets.capture does."""
    window, faults = Window(seconds, **how), []
    began = time.monotonic()
    thread = run_source(source, window, faults.append)
    while not window.over.wait(min(0.05, window.remaining)):
        if window.remaining == 0:
            window.end()
        elif stop_after is not None and time.monotonic() - began > stop_after:
            window.end("stopped")
    source.close()
    thread.join(1.0)
    seconds = time.monotonic() - began
    assert not thread.is_alive(), "listen didn't return"
    said = [window.why_over, *window.notes, *(gap.why for gap in window.gaps), *map(repr, faults)]
    assert not [each for each in said if "secret" in each], "the token got out"
    return Heard(window, window.take(), faults[0] if faults else None, seconds)


def hear_from(fake: FakeX, seconds: float, **how: int) -> Heard:
    """Listen to the filtered stream; a fault is raised."""
    heard = hear(X(TOKEN, fake.url), seconds, **how)
    if heard.fault is not None:
        raise heard.fault
    return heard


def bare(*posts: bytes) -> list[bytes]:
    """Lines without their ends."""
    return [each.removesuffix(b"\r\n") for each in posts]
