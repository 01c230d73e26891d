"""The window of a capture closes on time, for the first reason given, and keeps account of what was missed."""

import threading
import time

import pytest

from lib.errors import NotPermitted
from lib.tweets.window import NO_MORE, Window, run_source, shown


class Recorded:
    """A source that does what it is told to."""

    name = "recorded"

    def __init__(self, listen):
        self.listen = listen

    def close(self):
        pass


def gaps(window: Window) -> list[tuple[float, float, str, bool]]:
    """The gaps, by the tenth of a second since the window opened."""
    return [
        (round(gap.start - window.started, 1), round(gap.end - window.started, 1), gap.why, gap.filled)
        for gap in window.gaps
    ]


def test_lines_are_taken_once_and_in_order():
    window = Window(10)
    window.line(b"one")
    window.line(b"two", posts=1)
    assert window.waiting_bytes == 8
    assert window.take() == [b"one", b"two"]
    assert window.take() == []
    assert (window.lines, window.posts, window.waiting_bytes) == (2, 1, 0)


def test_the_cap_ends_the_window_with_the_post_that_reaches_it():
    window = Window(10, max_posts=2)
    for number in range(4):
        window.line(b"%d" % number, posts=1)
        window.line(b"", posts=0)
    assert window.take() == [b"0", b"", b"1"]
    assert window.posts == 2
    assert window.over.is_set()
    assert window.why_over == "the cap of 2 posts was reached"


def test_no_line_is_taken_after_the_end():
    window = Window(10)
    window.end()
    window.line(b"late")
    assert window.take() == []
    assert window.lines == 0


def test_only_the_first_reason_for_the_end_counts():
    window = Window(10)
    window.end("a signal")
    window.end("the cap")
    assert window.why_over == "a signal"
    assert window.started <= window.ended < window.started + 5


def test_who_ends_the_window_when_its_time_is_up_ends_nothing_early():
    window = Window(0.05)
    time.sleep(0.1)
    window.end("the source has no more")
    assert window.why_over == ""
    assert window.ended == window.started + 0.05


def test_waiting_ends_with_the_window():
    window = Window(0.3)
    began = time.monotonic()
    assert window.wait(0.1)
    assert not window.wait(60)
    assert time.monotonic() - began < 1
    assert not window.wait(0), "its time is up, though nobody has closed it yet"
    assert window.remaining == 0


def test_waiting_ends_when_somebody_else_ends_the_window():
    window = Window(60)
    threading.Timer(0.1, window.end, ["a signal"]).start()
    began = time.monotonic()
    assert not window.wait(30)
    assert time.monotonic() - began < 2
    assert window.remaining == 0


def test_a_gap_lasts_from_the_loss_to_the_next_connection():
    window = Window(10)
    window.connected()
    time.sleep(0.1)
    window.lost("reset")
    window.lost("refused")
    time.sleep(0.1)
    window.connected(filled=True)
    assert gaps(window) == [(0.1, 0.2, "reset", True)]
    assert window.reconnects == 1


def test_a_window_without_a_connection_is_one_gap_for_the_latest_reason():
    window = Window(10)
    time.sleep(0.1)
    window.lost("refused")
    window.lost("503")
    window.end("a signal")
    assert gaps(window) == [(0.0, 0.1, "503", False)]
    assert (window.ever_connected, window.reconnects) == (False, 0)


def test_a_gap_may_have_begun_before_it_was_noticed_but_not_before_the_window():
    window = Window(10)
    window.connected()
    time.sleep(0.2)
    window.lost("silent", since=window.started + 0.1)
    window.connected()
    window.lost("silent", since=window.started - 60)
    window.connected()
    assert gaps(window) == [(0.1, 0.2, "silent", False), (0.0, 0.2, "silent", False)]


def test_a_gap_open_at_the_end_ends_there():
    window = Window(10)
    window.connected()
    window.lost("reset")
    time.sleep(0.1)
    window.end()
    assert gaps(window) == [(0.0, 0.1, "reset", False)]


def test_what_happens_after_the_end_is_no_gap_and_no_connection():
    window = Window(10)
    window.connected()
    window.end()
    window.lost("we closed it ourselves")
    window.connected()
    assert window.gaps == []
    assert window.reconnects == 0


def test_a_connection_that_has_shown_nothing_stands_if_it_is_open_at_the_end():
    window = Window(10)
    window.lost("refused")
    time.sleep(0.1)
    window.opened()
    time.sleep(0.1)
    assert not window.ever_connected
    window.end()
    assert window.ever_connected
    assert gaps(window) == [(0.0, 0.1, "refused", False)]


def test_a_connection_lost_at_once_was_none(monkeypatch: pytest.MonkeyPatch):
    window = Window(10)
    for _ in range(2):
        window.opened()
        time.sleep(0.05)
        window.lost("closed")
    assert (window.ever_connected, window.reconnects) == (False, 0)
    monkeypatch.setattr("lib.tweets.window.STANDS", 0.05)
    for _ in range(2):
        window.opened()
        time.sleep(0.1)
        window.lost("closed later")
    window.end()
    assert (window.ever_connected, window.reconnects) == (True, 1)
    assert [(gap.why, gap.start == window.started) for gap in window.gaps] == [
        ("closed", True),
        ("closed later", False),
        ("closed later", False),
    ]


def test_a_connection_in_doubt_stands_only_by_what_it_brings(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lib.tweets.window.STANDS", 0.0)
    window = Window(10)
    window.opened()
    window.doubted("a page")
    window.lost("closed")
    assert not window.ever_connected
    window.opened()
    window.doubted("an error")
    time.sleep(0.1)
    window.connected()
    window.doubted("too late")
    window.end()
    assert window.ever_connected
    assert gaps(window) == [(0.0, 0.0, "closed", False)], "it ends when the connection was made"


def test_a_connection_in_doubt_at_the_end_was_none():
    window = Window(10)
    window.opened()
    window.doubted("a page")
    time.sleep(0.1)
    window.end()
    assert not window.ever_connected
    assert gaps(window) == [(0.0, 0.1, "a page", False)]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("http://u:p@h.example:1/2?key=p#p", "http://h.example:1/2"),
        ("wss://u:p/p?p@h.example", "wss://h.example"),
        ("u:p@h.example", "h.example"),
        ("http://[::1", "http://[::1"),
        ("", ""),
    ],
)
def test_addresses_are_shown_without_what_may_be_secret(given: str, wanted: str):
    assert shown(given) == wanted


def test_a_source_with_nothing_more_ends_the_window():
    window, faults = Window(10), []
    run_source(Recorded(lambda window: window.line(b"all")), window, faults.append).join()
    assert (window.take(), window.why_over, faults) == ([b"all"], NO_MORE, [])


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (NotPermitted("X said no"), "X said no"),
        (KeyError("text"), "KeyError: 'text'"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_what_a_source_raises_is_handed_over_and_ends_the_window(fault: BaseException, why: str):
    def listen(window: Window) -> None:
        window.line(b"before")
        raise fault

    window, faults = Window(10), []
    run_source(Recorded(listen), window, faults.append).join()
    assert faults == [fault]
    assert window.why_over == why
    assert window.take() == [b"before"], "what came before is kept"
