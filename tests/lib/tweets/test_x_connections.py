"""What counts as a connection to X, and how soon the next one is made."""

import json
from itertools import accumulate, pairwise

import pytest

from lib.errors import NotPermitted
from lib.tweets.window import Window
from lib.tweets.x import Backoff, X
from lib.tweets.x_session import Bearer, Session
from tests.lib.tweets.fake_x import CLOSE, FILTER, KEEP_ALIVE, FakeX, Script, answer, error, post, stream
from tests.lib.tweets.heard import TOKEN, TOO_MANY, bare, hear, hear_from

RELEASE = "/2/connections/filtered_stream"
PAGE = answer(200, b"<html>\n\n<body>down for maintenance</body>\n</html>\n", Content_Type="text/html; charset=utf-8")
OVER_CAPACITY = error(title="over-capacity", detail="Try again later.")


def starts(fake: FakeX) -> list[float]:
    """When connections to the stream were asked for, in seconds since the first."""
    asked = fake.asked(FILTER)
    return [each.at - asked[0].at for each in asked]


@pytest.mark.parametrize(
    "script",
    [stream(CLOSE), stream(b" ", CLOSE), stream(KEEP_ALIVE, CLOSE), stream(post(1), CLOSE), PAGE],
    ids=["nothing", "a byte", "a keep-alive", "a post", "a page"],
)
def test_what_closes_again_and_again_is_tried_ever_more_rarely(fake_x: FakeX, script: Script):
    fake_x.plan = [script]
    heard = hear_from(fake_x, 1.5)
    assert 3 <= len(fake_x.asked(FILTER)) <= 4
    first, second = (after - before for before, after in pairwise(starts(fake_x)[:3]))
    assert 0.2 < first < 0.7
    assert 0.45 < second < 1.1
    assert heard.seconds == pytest.approx(1.5, abs=0.5)


def session(window: Window, connected_at: float | None = None) -> Session:
    """A session whose last stream began then."""
    made = Session("http://127.0.0.1", Bearer(TOKEN), window)
    made.connected_at = connected_at
    return made


def test_the_waits_double_up_to_those_that_x_allows_50_of_in_15_minutes():
    backoff, window = Backoff(), Window(60)
    waits = [backoff.broken_off(session(window)) for _ in range(1_000)]
    for wait, least in zip(waits[:9], [0.25, 0.5, 1, 2, 4, 8, 16, 16, 16], strict=True):
        assert least <= wait <= 1.25 * least
    assert sum(1 for total in accumulate(waits) if total < 15 * 60) <= 60


def test_the_wait_counts_from_the_beginning_of_the_connection():
    backoff, window = Backoff(), Window(60)
    lasted_3 = session(window, window.now() - 3)
    waits = [backoff.broken_off(lasted_3) for _ in range(6)]
    assert waits[:4] == [0, 0, 0, 0]
    assert 0.9 <= waits[4] <= 2.1
    assert 4.9 <= waits[5] <= 7.1


def test_a_connection_that_lasted_makes_the_next_one_immediate_again():
    backoff, window = Backoff(), Window(60)
    for _ in range(9):
        backoff.broken_off(session(window))
    assert backoff.broken_off(session(window, window.now() - 18)) == 0
    assert 0.5 <= backoff.broken_off(session(window)) <= 0.63


def test_connections_that_last_are_made_again_at_once_each_time(fake_x: FakeX, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lib.tweets.x.STEADY", 0.3)
    fake_x.plan = [stream(post(1), 0.35, CLOSE)]
    heard = hear_from(fake_x, 2.5)
    assert len(heard.lines) >= 4
    assert all(gap.end - gap.start < 0.25 for gap in heard.window.gaps[:-1])


@pytest.mark.parametrize(
    "line",
    [error(**TOO_MANY), json.dumps(TOO_MANY).encode() + b"\r\n", error(title="ConnectionException")],
    ids=["in errors", "bare", "by its title"],
)
def test_a_connection_left_over_is_released_where_the_stream_itself_tells_of_it(
    fake_x: FakeX, line: bytes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("lib.tweets.x.FIRST", 0.6)
    fake_x.plan = [stream(line), stream(post(1))]
    heard = hear_from(fake_x, 20, max_posts=1)
    assert [each.method for each in fake_x.asked(RELEASE)] == ["DELETE"]
    assert heard.lines == bare(line, post(1))
    assert 0.6 <= starts(fake_x)[1] < 1.5


def test_a_slot_that_stays_taken_is_tried_as_rarely_as_after_a_429(fake_x: FakeX, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lib.tweets.x.FIRST", 0.3)
    fake_x.plan = [stream(error(**TOO_MANY))]
    heard = hear_from(fake_x, 1.6)
    assert len(fake_x.asked(FILTER)) == len(fake_x.asked(RELEASE)) == 3
    assert not heard.window.ever_connected
    assert "TooManyConnections" in heard.whys[0]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (PAGE, "X answered with a web page"),
        (stream(b"\r\n<html>\r\n", Content_Type="text/html"), "X answered with a web page"),
        (stream(OVER_CAPACITY, b"\r\n", CLOSE), "X said over-capacity: Try again later."),
        (stream(OVER_CAPACITY, 0.6), "X said over-capacity: Try again later."),
        (answer(200, {"title": "over-capacity"}), "X said over-capacity"),
        (answer(200, b"oops\n"), "X closed the connection"),
        (stream(b"oops\n"), "what came was no post"),
        (stream(CLOSE), "X closed the connection"),
    ],
    ids=["page", "open page", "error", "open error", "JSON", "text", "open text", "nothing"],
)
def test_what_brings_anything_but_a_stream_is_no_connection(fake_x: FakeX, script: Script, why: str):
    fake_x.plan = [script]
    heard = hear_from(fake_x, 1.3)
    assert (heard.window.ever_connected, heard.window.reconnects) == (False, 0)
    (gap,) = heard.window.gaps
    assert why in gap.why
    assert (gap.start, gap.end) == pytest.approx((heard.window.started, heard.window.started + 1.3), abs=0.3)


@pytest.mark.parametrize(
    "script",
    [
        stream(post(1), Content_Type="text/html"),
        stream(*[KEEP_ALIVE, 0.2] * 9, Content_Type="text/html"),
        stream(Content_Type="text/html"),
        stream(OVER_CAPACITY, 0.2, post(1)),
        stream(OVER_CAPACITY, 1.1, KEEP_ALIVE),
        stream(b'{"delete":{"status":{"id":1,"id_str":"1"}}}\r\n', CLOSE),
    ],
    ids=["post as a page", "keep-alives as a page", "silent page", "error, post", "error, keep-alive", "deletion"],
)
def test_what_behaves_as_a_stream_is_a_connection_whatever_it_calls_itself(fake_x: FakeX, script: Script):
    fake_x.plan = [script, stream()]
    heard = hear_from(fake_x, 1.5)
    assert heard.window.ever_connected
    assert heard.window.gaps == [] or heard.window.gaps[0].start > heard.window.started


def test_a_silent_connection_that_lasted_is_one_and_the_gap_begins_at_its_end(fake_x: FakeX):
    fake_x.plan = [stream(1.1, CLOSE), stream(post(1))]
    heard = hear_from(fake_x, 20, max_posts=1)
    (gap,) = heard.window.gaps
    assert gap.start - heard.window.started == pytest.approx(1.15, abs=0.3)
    assert heard.window.reconnects == 1


def test_a_gap_lasts_through_answers_that_are_no_connection(fake_x: FakeX):
    fake_x.plan = [stream(post(1), CLOSE), PAGE, stream(OVER_CAPACITY, CLOSE), stream(0.4, post(2))]
    heard = hear_from(fake_x, 20, max_posts=2)
    (gap,) = heard.window.gaps
    assert gap.why == "X closed the connection"
    fourth = starts(fake_x)[3]
    assert gap.end - gap.start == pytest.approx(fourth, abs=0.3), "it ends when the connection is made"
    assert heard.window.reconnects == 1


def test_a_refusal_after_mere_pages_fails_as_one_at_once_does(fake_x: FakeX):
    fake_x.plan = [PAGE, answer(401, {"title": "Unauthorized"})]
    heard = hear(X(TOKEN, fake_x.url), 30)
    assert heard.seconds < 5
    assert isinstance(heard.fault, NotPermitted)


@pytest.mark.parametrize("line", [post(1, f"you sent Bearer {TOKEN}"), b"<p>Bearer %b</p>\n" % TOKEN.encode()])
def test_a_token_sent_back_is_not_captured(fake_x: FakeX, line: bytes):
    fake_x.plan = [stream(line, post(2))]
    heard = hear_from(fake_x, 1.0)
    assert TOKEN.encode() not in b"".join(heard.lines)
    assert heard.lines == [line.strip().replace(TOKEN.encode(), "…".encode()), *bare(post(2))]
