"""tweepy against a server that plays X at its worst: nothing lost, nothing late, nothing only in a log."""

import json
import socket
from itertools import pairwise

import pytest

from lib.tweets.rules import ESTIMATED_COST_A_POST, cost
from lib.tweets.x import X
from lib.tweets.x_session import LONGEST_LINE
from tests.lib.tweets.fake_x import CLOSE, FILTER, KEEP_ALIVE, RESET, FakeX, answer, error, post, stream
from tests.lib.tweets.heard import TOKEN, TOO_MANY, bare, hear, hear_from

OPERATIONAL = {
    "title": "operational-disconnect",
    "disconnect_type": "UpstreamOperationalDisconnect",
    "detail": "This stream has been disconnected upstream for operational reasons.",
}


def test_a_silent_stream_ends_on_time_without_a_gap(fake_x: FakeX):
    fake_x.plan = [stream(*[KEEP_ALIVE, 0.2] * 9)]
    heard = hear_from(fake_x, 0.7)
    assert heard.seconds == pytest.approx(0.7, abs=0.5)
    assert (heard.lines, heard.window.gaps, heard.window.reconnects) == ([], [], 0)
    assert heard.window.ever_connected
    assert heard.window.why_over == ""


def test_a_stream_that_says_nothing_at_all_ends_on_time(fake_x: FakeX):
    fake_x.plan = [stream()]
    heard = hear_from(fake_x, 0.7)
    assert heard.seconds == pytest.approx(0.7, abs=0.5)
    assert heard.window.ever_connected


def test_a_server_that_never_answers_ends_on_time():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        heard = hear(X(TOKEN, f"http://127.0.0.1:{deaf.getsockname()[1]}"), 0.7)
    assert heard.seconds == pytest.approx(0.7, abs=0.5)
    assert heard.fault is None
    assert not heard.window.ever_connected


def test_silence_for_too_long_is_a_gap_since_the_last_word(fake_x: FakeX, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lib.tweets.x_session.SILENCE", 0.5)
    fake_x.plan = [stream(0.3, KEEP_ALIVE), stream(post(1), 0.2, KEEP_ALIVE, 0.3, KEEP_ALIVE)]
    heard = hear_from(fake_x, 1.6)
    (gap,) = heard.window.gaps
    assert gap.why == "nothing came in time"
    assert gap.start - heard.window.started == pytest.approx(0.35, abs=0.2)
    assert gap.end - gap.start == pytest.approx(0.6, abs=0.25)
    assert heard.lines == bare(post(1))


@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "until closed"])
def test_lines_are_whole_wherever_the_pieces_end(fake_x: FakeX, chunked: bool, gzipped: bool):
    said = post(1, "¡qué niña! 🌞 \u2028 \x85") + b"\n" + post(2)
    sun = said.index("🌞".encode())
    cuts = [0, 5, sun + 1, sun + 3, said.index(b"\r\n") + 1, len(said) - 1, len(said)]
    pieces = [said[start:end] for start, end in pairwise(cuts)]
    steps = [step for piece in pieces for step in (piece, 0.02)]
    fake_x.plan = [stream(*steps, chunked=chunked, gzipped=gzipped)]
    heard = hear_from(fake_x, 20, max_posts=2)
    assert heard.lines == bare(post(1, "¡qué niña! 🌞 \u2028 \x85"), post(2))
    assert heard.window.gaps == []


@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "until closed"])
def test_a_line_is_handed_over_when_it_has_come(fake_x: FakeX, chunked: bool, gzipped: bool):
    fake_x.plan = [stream(post(1), chunked=chunked, gzipped=gzipped)]
    heard = hear_from(fake_x, 20, max_posts=1)
    assert heard.seconds < 2, "it waited for more"
    assert heard.lines == bare(post(1))


def test_an_answer_of_a_given_length_is_a_stream_too(fake_x: FakeX):
    fake_x.plan = [stream(post(1), CLOSE, chunked=False, Content_Length=str(len(post(1)))), stream(post(2))]
    assert hear_from(fake_x, 20, max_posts=2).lines == bare(post(1), post(2))


def test_a_reset_within_a_line_is_a_gap_and_the_rest_of_the_line_is_kept(fake_x: FakeX):
    half = post(2)[:40]
    fake_x.plan = [stream(post(1), half, 0.3, RESET), stream(post(3))]
    heard = hear_from(fake_x, 20, max_posts=3)
    assert heard.lines == [*bare(post(1)), half, *bare(post(3))]
    assert heard.whys == ["the connection failed: Connection reset by peer"]
    assert heard.window.gaps[0].end - heard.window.gaps[0].start < 0.5
    assert heard.window.reconnects == 1


def test_a_chunk_that_isn_t_one_ends_the_connection(fake_x: FakeX):
    fake_x.plan = [stream(b"5\r\nab", 0.1, RESET, chunked=False, Transfer_Encoding="chunked"), stream(post(3))]
    heard = hear_from(fake_x, 20, max_posts=1)
    assert heard.lines == [b"ab", *bare(post(3))]
    assert len(heard.whys) == 1


def test_what_isn_t_gzip_ends_the_connection(fake_x: FakeX):
    fake_x.plan = [stream(b"no gzip", chunked=False, Content_Encoding="gzip"), stream(post(3))]
    heard = hear_from(fake_x, 20, max_posts=1)
    assert heard.lines == bare(post(3))
    assert heard.whys == ["the connection broke off"]


def test_a_line_cut_by_our_own_end_is_dropped(fake_x: FakeX):
    fake_x.plan = [stream(post(1), post(2)[:40])]
    heard = hear_from(fake_x, 0.4)
    assert heard.lines == bare(post(1))
    assert heard.window.gaps == []


def test_a_line_without_an_end_is_cut(fake_x: FakeX):
    fake_x.plan = [stream(*[b"x" * (LONGEST_LINE // 8)] * 9, b"\n", post(1))]
    heard = hear_from(fake_x, 20, max_posts=1)
    cut, rest, after = heard.lines
    assert LONGEST_LINE <= len(cut) < LONGEST_LINE + 70_000
    assert len(cut) + len(rest) == LONGEST_LINE // 8 * 9
    assert [after] == bare(post(1))


def test_the_cap_ends_the_window_at_once(fake_x: FakeX):
    fake_x.plan = [stream(*(post(number) for number in range(9)))]
    heard = hear_from(fake_x, 20, max_posts=3)
    assert heard.lines == bare(post(0), post(1), post(2))
    assert heard.window.why_over == "the cap of 3 posts was reached"
    assert heard.seconds < 2


def test_a_stop_ends_a_stream_that_says_nothing(fake_x: FakeX):
    heard = hear_from(fake_x, 20, stop_after=0.4)
    assert heard.seconds < 1.2
    assert heard.window.why_over == "stopped"
    assert heard.window.gaps == []


def test_a_good_connection_that_closes_is_made_again_at_once(fake_x: FakeX):
    fake_x.plan = [stream(post(1), 0.4, CLOSE), stream(post(2))]
    heard = hear_from(fake_x, 20, max_posts=2)
    (gap,) = heard.window.gaps
    assert gap.end - gap.start < 0.25
    assert heard.lines == bare(post(1), post(2))


def test_a_disconnect_that_x_announces_is_named_and_obeyed(fake_x: FakeX):
    fake_x.plan = [stream(post(1), error(**OPERATIONAL)), stream(post(2))]
    heard = hear_from(fake_x, 20, max_posts=2)
    assert heard.lines == bare(post(1), error(**OPERATIONAL), post(2))
    assert heard.whys == [f"X said UpstreamOperationalDisconnect: {OPERATIONAL['detail']}"]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (error(title="operational-disconnect", disconnect_type="OperationalDisconnect"), "OperationalDisconnect"),
        (error(**TOO_MANY), "TooManyConnections"),
        (json.dumps(TOO_MANY).encode() + b"\r\n", "TooManyConnections"),
        (error(title="ConnectionException"), "ConnectionException"),
        (b'{"disconnect":{"code":4,"stream_name":"s","reason":"stalled"}}\r\n', "disconnect"),
        (error(type="https://api.x.com/2/problems/operational-disconnect"), "operational-disconnect"),
    ],
)
def test_every_kind_of_disconnect_is_understood(fake_x: FakeX, line: bytes, kind: str):
    fake_x.plan = [stream(line), stream(post(2))]
    heard = hear_from(fake_x, 20, max_posts=1)
    assert heard.seconds < 3
    assert heard.lines == bare(line, post(2))
    assert kind in heard.whys[0]


def test_an_error_that_is_no_disconnect_is_named_when_the_connection_ends(fake_x: FakeX):
    told = b'{"error":{"message":"over capacity"}}\r\n'
    fake_x.plan = [stream(post(1), told, 0.5, RESET), stream(post(2))]
    heard = hear_from(fake_x, 20, max_posts=2)
    assert heard.lines == bare(post(1), told, post(2))
    assert "over capacity" in heard.whys[0]
    assert heard.window.gaps[0].start - heard.window.started > 0.4, "the connection was left open"


def test_errors_beside_a_post_are_no_disconnect(fake_x: FakeX):
    failed = [{"title": "Not Found Error", "resource_type": "user", "value": "1", "type": "about:blank"}]
    last = json.dumps({"errors": failed, "data": {"id": "3", "text": "c"}}).encode() + b"\r\n"
    first = json.dumps({"data": {"id": "1", "text": "a"}, "errors": failed}).encode() + b"\r\n"
    fake_x.plan = [stream(first, last, error(**failed[0]), post(2))]
    heard = hear_from(fake_x, 20, max_posts=3)
    assert heard.lines == bare(first, last, error(**failed[0]), post(2))
    assert heard.window.gaps == []


def test_a_line_that_is_nothing_is_handed_over(fake_x: FakeX):
    fake_x.plan = [stream(b"\xff\xfe{}\n", b"[1, 2\n", b"null\n", b" \n", post(1))]
    heard = hear_from(fake_x, 20, max_posts=1)
    assert heard.lines == [b"\xff\xfe{}", b"[1, 2", b"null", b" ", *bare(post(1))]
    assert heard.window.posts == 1


def test_the_whole_window_without_a_server():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and doesn't listen
        heard = hear(X(TOKEN, f"http://127.0.0.1:{taken.getsockname()[1]}"), 0.9)
    assert heard.seconds == pytest.approx(0.9, abs=0.5)
    assert (heard.fault, heard.window.ever_connected) == (None, False)
    assert heard.whys == ["the connection failed: Connection refused"]


def test_a_bug_surfaces(fake_x: FakeX, monkeypatch: pytest.MonkeyPatch):
    def broken(_: bytes) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("lib.tweets.x.parse_line", broken)
    fake_x.plan = [stream(b"{}\n")]
    heard = hear(X(TOKEN, fake_x.url), 30)
    assert isinstance(heard.fault, KeyError)
    assert heard.seconds < 5


def test_nothing_is_only_in_a_log(fake_x: FakeX, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lib.tweets.x.FIRST", 0.1)
    caplog.set_level("DEBUG")
    fake_x.plan = [stream(post(1), 0.1, CLOSE), answer(503), stream(post(2))]
    hear_from(fake_x, 20, max_posts=2)
    assert "secret" not in caplog.text
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


def test_the_token_goes_to_x_and_nowhere_else(fake_x: FakeX, monkeypatch: pytest.MonkeyPatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    fake_x.plan = [stream(post(1))]
    source = X(f"  {TOKEN}\n", fake_x.url)
    hear(source, 20, max_posts=1)
    assert {each.headers["authorization"] for each in fake_x.requests} == {f"Bearer {TOKEN}"}
    assert "secret" not in repr(vars(source))


def test_the_stream_is_asked_for_what_the_report_needs(fake_x: FakeX):
    fake_x.plan = [stream(post(1))]
    hear_from(fake_x, 20, max_posts=1)
    (asked,) = fake_x.asked(FILTER)
    assert asked.query == {
        "tweet.fields": ["created_at,lang,entities,geo,author_id,referenced_tweets,note_tweet"],
        "expansions": ["author_id,geo.place_id,referenced_tweets.id"],
        "user.fields": ["location"],
        "place.fields": ["full_name,country_code,place_type,name"],
    }


def test_posts_have_a_price():
    assert cost(1_000) == pytest.approx(1_000 * ESTIMATED_COST_A_POST) == pytest.approx(5.0)
