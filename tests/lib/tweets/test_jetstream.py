"""Jetstream's client against a real WebSocket server on loopback that misbehaves."""

import json
import socket
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from itertools import count

import pytest

from lib.errors import BadSettings, NotPermitted, SourceUnavailable
from lib.tweets import jetstream
from lib.tweets.jetstream import LARGEST, Jetstream
from lib.tweets.parsing import Tweet, parse_line
from lib.tweets.window import Window
from tests.lib.tweets.fake_jetstream import (
    CLOSE,
    DEAF,
    END,
    HOLD,
    RESET,
    START,
    FakeJetstream,
    Script,
    event,
    frame,
    post,
    refusal,
    resuming,
    stream,
)


@pytest.fixture(autouse=True)
def _without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def listened(source: Jetstream, seconds: float = 1.0, *, until: Callable[[Window], bool] = lambda _: False) -> Window:
    """A window that closes on time, or when enough has come; it is told when, and nothing runs on behind it."""
    window = Window(seconds)

    def watch() -> None:
        while window.wait(0.01) and not until(window):
            pass
        window.end("enough came" if window.remaining else "")
        source.close()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        source.listen(window)
    finally:
        window.end("it failed")
        watcher.join()
    return window


def got(count: int) -> Callable[[Window], bool]:
    return lambda window: window.lines >= count


def texts(window: Window) -> list[str]:
    return [item.text for line in window.take() for item in parse_line(line) if isinstance(item, Tweet)]


def test_frames_become_lines_and_posts_are_asked_for(fake_jetstream: FakeJetstream) -> None:
    pretty = json.dumps(json.loads(post(2, "two")), indent=2).replace("\n", "\r\n").encode()
    fake_jetstream.plan = [stream(post(1, "one"), pretty, b"", "hold")]
    window = listened(Jetstream(fake_jetstream.url), 5, until=got(3))
    lines = window.take()
    assert lines[0] == post(1, "one")
    assert json.loads(lines[1]) == json.loads(pretty)
    assert not [line for line in lines if b"\n" in line or b"\r" in line]
    (asked,) = fake_jetstream.asked
    assert (asked.path, asked.query) == ("/subscribe", {"wantedCollections": ["app.bsky.feed.post"]})
    assert (window.ever_connected, window.reconnects, window.gaps) == (True, 0, [])


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("wss://a.example", "wss://a.example/subscribe?wantedCollections=app.bsky.feed.post"),
        ("https://a.example/", "wss://a.example/subscribe?wantedCollections=app.bsky.feed.post"),
        ("http://a.example:1234", "ws://a.example:1234/subscribe?wantedCollections=app.bsky.feed.post"),
        ("ws://a.example/x/y?z=1&cursor=5", "ws://a.example/x/y?z=1&wantedCollections=app.bsky.feed.post"),
    ],
)
def test_an_address_is_completed(given: str, wanted: str) -> None:
    assert jetstream._subscription(given) == wanted


@pytest.mark.parametrize("given", ["", "jetstream", "ftp://a.example", "ws://", "ws://a:x", "ws://[::1"])
def test_what_is_no_address_is_told_with_what_was_expected(given: str) -> None:
    with pytest.raises(BadSettings, match="expected one such as wss://"):
        Jetstream(given)


@pytest.mark.parametrize("given", ["ws://u:PASSWORD@a.example:x", "u:PASSWORD@a.example", "ftp://a.example?PASSWORD"])
def test_a_password_in_an_address_isn_t_shown(given: str) -> None:
    with pytest.raises(BadSettings, match=r"a\.example") as told:
        Jetstream(given)
    assert "PASSWORD" not in str(told.value)


@pytest.mark.parametrize("how", [RESET, END, CLOSE])
def test_a_connection_that_breaks_off_is_resumed_from_before_its_last_event(
    fake_jetstream: FakeJetstream, how: str
) -> None:
    events = [post(number, str(number)) for number in range(10)]
    fake_jetstream.plan = [stream(*events[:6], 0.05, how), resuming(*events)]
    window = listened(Jetstream(fake_jetstream.url), 5, until=got(6 + 7))
    assert [each.cursor for each in fake_jetstream.asked] == [None, START + 3_000_000]
    assert texts(window) == [str(number) for number in [*range(6), *range(3, 10)]]
    (gap,) = window.gaps
    assert gap.filled
    assert gap.why
    assert 0 <= gap.end - gap.start < 0.5
    assert window.reconnects == 1


def test_a_gap_is_not_filled_where_the_server_goes_on_later(fake_jetstream: FakeJetstream) -> None:
    fake_jetstream.plan = [stream(post(1), 0.05, END), stream(post(60))]
    (gap,) = listened(Jetstream(fake_jetstream.url), 5, until=got(2)).gaps
    assert not gap.filled


def test_a_gap_is_not_filled_where_a_silent_server_may_have_forgotten(fake_jetstream: FakeJetstream) -> None:
    fake_jetstream.plan = [stream(post(1), 0.05, END), stream()]
    window = listened(Jetstream(fake_jetstream.url), 1.8)
    (gap,) = window.gaps
    assert not gap.filled
    assert gap.end < window.ended - 0.3
    assert window.reconnects == 1


def test_what_a_broken_frame_held_comes_with_the_next_connection(fake_jetstream: FakeJetstream) -> None:
    events = [post(1, "one"), post(2, "two")]
    fake_jetstream.plan = [stream(events[0], frame(events[1], of=40), 0.05, RESET), resuming(*events)]
    assert texts(listened(Jetstream(fake_jetstream.url), 5, until=got(3))) == ["one", "one", "two"]


def test_what_is_no_frame_ends_the_connection_and_not_the_capture(fake_jetstream: FakeJetstream) -> None:
    fake_jetstream.plan = [stream(post(1, "one"), bytearray(b"\xff" * 50)), stream(post(2, "two"))]
    window = listened(Jetstream(fake_jetstream.url), 5, until=got(2))
    assert texts(window) == ["one", "two"]
    assert "no WebSocket" in window.gaps[0].why


def test_a_frame_that_is_too_large_is_passed_over(fake_jetstream: FakeJetstream) -> None:
    too_large = bytearray(frame(b"x" * 70_000, of=4)[:2]) + (LARGEST + 1).to_bytes(8, "big")
    too_large[1] = 127
    poisoned = stream(post(1, "one"), too_large)
    fake_jetstream.plan = [poisoned, poisoned, stream(post(2, "two"))]
    window = listened(Jetstream(fake_jetstream.url), 5, until=got(3))
    assert texts(window) == ["one", "one", "two"]
    assert [each.cursor is None for each in fake_jetstream.asked] == [True, False, True]
    assert "longer than 16 MiB" in window.gaps[0].why


def test_binary_frames_and_events_that_are_no_posts_are_lines_too(fake_jetstream: FakeJetstream) -> None:
    said = event(1, "identity", identity={"handle": "a.example"})
    binary = bytearray(b"\x82" + bytes(frame(said))[1:])
    fake_jetstream.plan = [stream(binary, b"made up", b'{"time_us": "soon"}')]
    assert listened(Jetstream(fake_jetstream.url), 5, until=got(3)).take()[:2] == [said, b"made up"]


def test_a_window_ends_on_time_while_the_stream_is_silent(fake_jetstream: FakeJetstream) -> None:
    started = time.monotonic()
    window = listened(Jetstream(fake_jetstream.url), 1.0)
    assert 0.95 <= time.monotonic() - started < 1.5
    assert (window.ever_connected, window.gaps, window.why_over) == (True, [], "")


def test_a_silent_stream_is_taken_for_stalled(fake_jetstream: FakeJetstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jetstream, "SILENCE", 0.5)
    fake_jetstream.plan = [stream(post(1), HOLD), resuming(post(1), post(2))]
    window = listened(Jetstream(fake_jetstream.url), 5, until=got(3))
    (gap,) = window.gaps
    assert gap.why == "nothing came for 0.5 seconds"
    assert gap.end - gap.start > 0.5  # it begins with the last frame
    assert gap.filled


def test_a_dead_peer_is_noticed_by_its_pings(fake_jetstream: FakeJetstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jetstream, "PINGS", 0.3)
    fake_jetstream.plan = [stream(post(1), DEAF), resuming(post(1), post(2))]
    window = listened(Jetstream(fake_jetstream.url), 5, until=got(3))
    (gap,) = window.gaps
    assert gap.why == "no answer to a ping in 0.3 seconds"
    assert gap.end - gap.start > 0.5


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_fails_at_once_as_not_permitted(fake_jetstream: FakeJetstream, status: int) -> None:
    fake_jetstream.plan = [refusal(status)]
    with pytest.raises(NotPermitted, match=f"{fake_jetstream.url}/subscribe answered {status}") as told:
        listened(Jetstream(fake_jetstream.url), 5)
    assert told.value.exit_code == 77
    assert len(fake_jetstream.asked) == 1


def test_a_refusal_after_lines_came_ends_the_window_and_keeps_them(fake_jetstream: FakeJetstream) -> None:
    fake_jetstream.plan = [stream(post(1, "one"), 0.05, END), refusal(403)]
    window = listened(Jetstream(fake_jetstream.url), 5)
    assert texts(window) == ["one"]
    assert window.why_over == "the server refused to go on: it answered 403 Forbidden"
    assert len(window.gaps) == 1


@pytest.mark.parametrize("status", [200, 400, 404])
def test_a_server_that_is_no_jetstream_is_named(fake_jetstream: FakeJetstream, status: int) -> None:
    fake_jetstream.plan = [refusal(status)]
    secret = fake_jetstream.url.replace("ws://", "ws://me:secret@")
    with pytest.raises(SourceUnavailable, match=f"{fake_jetstream.url}/subscribe answered {status}") as told:
        listened(Jetstream(secret), 5)
    assert "secret" not in str(told.value)


def test_a_server_that_has_worked_is_tried_again_whatever_it_answers(fake_jetstream: FakeJetstream) -> None:
    fake_jetstream.plan = [stream(post(1, "one"), 0.05, END), refusal(404), stream(post(2, "two"))]
    assert texts(listened(Jetstream(fake_jetstream.url), 5, until=got(2))) == ["one", "two"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_tried_again_and_the_gap_is_told(fake_jetstream: FakeJetstream, status: int) -> None:
    fake_jetstream.plan = [refusal(status), stream(post(1, "one"))]
    window = listened(Jetstream(fake_jetstream.url), 5, until=got(1))
    (gap,) = window.gaps
    assert gap.why.startswith(f"the server answered {status}")
    assert gap.start == window.started
    assert window.reconnects == 0


@pytest.mark.parametrize("after", ["1", lambda: formatdate(time.time() + 1.5, usegmt=True)])
def test_retry_after_is_obeyed(fake_jetstream: FakeJetstream, after: str | Callable[[], str]) -> None:
    fake_jetstream.plan = [refusal(429, Retry_After=after if isinstance(after, str) else after()), stream(post(1))]
    listened(Jetstream(fake_jetstream.url), 5, until=got(1))
    first, second = fake_jetstream.asked
    assert 0.4 < second.at - first.at < 2.6


def test_no_wait_leads_past_the_window(fake_jetstream: FakeJetstream) -> None:
    fake_jetstream.plan = [refusal(429, Retry_After="3600")]
    started = time.monotonic()
    window = listened(Jetstream(fake_jetstream.url), 1.2)
    assert time.monotonic() - started < 1.5
    assert [(gap.start, gap.why) for gap in window.gaps] == [
        (window.started, "the server answered 429 Too Many Requests")
    ]
    assert len(fake_jetstream.asked) == 1


def test_a_server_that_is_not_there_or_does_not_answer_leaves_the_window_unconnected(
    fake_jetstream: FakeJetstream,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        silent = listened(Jetstream(f"ws://127.0.0.1:{port}"), 1.5)
    gone = listened(Jetstream(f"ws://127.0.0.1:{port}"), 0.3)
    for window, why in ((silent, "no answer in time"), (gone, "Connection refused")):
        assert not window.ever_connected
        assert [(gap.start, gap.why) for gap in window.gaps] == [(window.started, why)]


def test_tries_come_ever_more_rarely_until_something_came(fake_jetstream: FakeJetstream) -> None:
    fake_jetstream.plan = [stream(END)]
    listened(Jetstream(fake_jetstream.url), 1.2)
    assert 2 <= len(fake_jetstream.asked) <= 4
    waits = [jetstream._delay(failures) for failures in range(12)]
    assert waits[0] <= 0.2
    assert 0.5 <= waits[1] <= 0.75
    assert waits[-1] == 30


def starts(fake: FakeJetstream) -> list[float]:
    """When connections were asked for, in seconds since the first."""
    return [each.at - fake.asked[0].at for each in fake.asked]


@pytest.mark.parametrize("end", [END, CLOSE])
def test_bringing_news_does_not_make_a_short_connection_a_good_one(fake_jetstream: FakeJetstream, end: str) -> None:
    numbers = count(1)
    fake_jetstream.plan = [Script(lambda _: (post(next(numbers)), end))]
    window = listened(Jetstream(fake_jetstream.url), 1.8)
    assert 3 <= len(fake_jetstream.asked) <= 5
    assert starts(fake_jetstream)[1] < 0.8, "the first time at once"
    assert window.lines >= len(fake_jetstream.asked) - 1


def test_a_connection_that_lasted_is_made_again_at_once_each_time(
    fake_jetstream: FakeJetstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jetstream, "STEADY", 0.2)
    numbers = count(1)
    fake_jetstream.plan = [Script(lambda _: (post(next(numbers)), 0.25, END))]
    window = listened(Jetstream(fake_jetstream.url), 2.5)
    assert window.lines >= 5
    assert all(gap.end - gap.start < 0.4 for gap in window.gaps[:-1])


def test_the_wait_counts_from_the_beginning_of_the_connection(fake_jetstream: FakeJetstream) -> None:
    numbers = count(1)
    fake_jetstream.plan = [Script(lambda _: (post(next(numbers)), 0.8, END))]
    window = listened(Jetstream(fake_jetstream.url), 2.6)
    assert all(gap.end - gap.start < 0.4 for gap in window.gaps[:2])


def test_a_server_that_only_ever_closes_was_never_connected(fake_jetstream: FakeJetstream) -> None:
    fake_jetstream.plan = [stream(CLOSE)]
    window = listened(Jetstream(fake_jetstream.url), 1.0)
    assert not window.ever_connected
    (gap,) = window.gaps
    assert gap.start == window.started
    assert "going away" in gap.why


@pytest.mark.parametrize("time_us", [10**30, 9 * 10**18, int((time.time() + 3600) * 1e6), 0, -5, 1.5, None, "soon"])
def test_a_time_that_can_t_be_is_neither_a_cursor_nor_news(fake_jetstream: FakeJetstream, time_us: object) -> None:
    odd = event(3, time_us=time_us)
    fake_jetstream.plan = [stream(odd, post(5), odd, 0.05, END), stream(odd, post(60))]
    window = listened(Jetstream(fake_jetstream.url), 5, until=got(5))
    assert [each.cursor for each in fake_jetstream.asked] == [None, START + 3_000_000]
    assert window.take() == [odd, post(5), odd, odd, post(60)]
    (gap,) = window.gaps
    assert not gap.filled


def test_the_server_s_clock_may_be_a_little_ahead(fake_jetstream: FakeJetstream) -> None:
    ahead = int((time.time() + 20) * 1e6)
    fake_jetstream.plan = [stream(event(3, time_us=ahead), 0.05, END), stream(post(60))]
    listened(Jetstream(fake_jetstream.url), 5, until=got(2))
    assert fake_jetstream.asked[1].cursor == ahead - jetstream.OVERLAP


def test_what_a_proxy_is_asked_with_isn_t_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "ftp://me:PASSWORD@proxy.example")
    with pytest.raises(SourceUnavailable, match="through the proxy") as told:
        listened(Jetstream("wss://me:PASSWORD@a.example"), 2)
    assert "PASSWORD" not in str(told.value)


@pytest.mark.parametrize("script", [stream(), Script((), handshake_after=3), refusal(429, Retry_After="60")])
def test_close_from_another_thread_ends_it_at_once(fake_jetstream: FakeJetstream, script: Script) -> None:
    fake_jetstream.plan = [script]
    source, window = Jetstream(fake_jetstream.url), Window(30)
    thread = threading.Thread(target=source.listen, args=[window])
    thread.start()
    time.sleep(0.4)
    started = time.monotonic()
    source.close()
    thread.join(5)
    assert time.monotonic() - started < 0.7
    assert not window.gaps
    fake_jetstream.stopped.set()
