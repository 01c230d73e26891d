"""What X refuses passes, or ends the listening at once with a sentence; and never is waited for past the end."""

import time
from email.utils import formatdate

import pytest

from lib.errors import BadSettings, NotPermitted, SourceUnavailable
from lib.tweets.x import Backoff, X
from lib.tweets.x_session import RefusedError
from tests.lib.tweets.fake_x import CLOSE, FILTER, FakeX, answer, post, stream
from tests.lib.tweets.heard import TOKEN, TOO_MANY, bare, hear, hear_from

RELEASE = "/2/connections/filtered_stream"
UNAUTHORIZED = {"title": "Unauthorized", "detail": "Unauthorized", "status": 401}


@pytest.mark.parametrize("where", ["rules", "stream"])
def test_the_server_s_own_trouble_passes(fake_x: FakeX, where: str):
    busy = answer(503, b"<html>busy</html>")
    if where == "rules":
        fake_x.plan_rules = [busy]
    fake_x.plan = [*([busy] if where == "stream" else []), stream(post(1))]
    heard = hear_from(fake_x, 20, max_posts=1)
    assert heard.lines == bare(post(1))
    assert heard.whys == ["X answered 503 Service Unavailable"]
    assert 1.0 <= heard.seconds < 2.5


def test_429_waits_until_its_limit_is_reset(fake_x: FakeX):
    reset = int(time.time()) + 2
    fake_x.plan = [answer(429, x_rate_limit_reset=str(reset)), stream(post(1))]
    heard = hear_from(fake_x, 20, max_posts=1)
    first, second = (each.at for each in fake_x.asked(FILTER))
    assert second - first == pytest.approx(1.8, abs=0.9)
    assert heard.lines == bare(post(1))
    assert heard.whys == ["X answered 429 Too Many Requests"]


@pytest.mark.parametrize("headers", [{"x_rate_limit_reset": "99999999999"}, {"Retry_After": "900"}], ids=str)
def test_429_until_after_the_window_ends_on_time(fake_x: FakeX, headers: dict[str, str]):
    fake_x.plan = [answer(429, **headers)]
    heard = hear_from(fake_x, 0.8)
    assert heard.seconds == pytest.approx(0.8, abs=0.5)
    assert len(fake_x.asked(FILTER)) == 1
    assert not heard.window.ever_connected
    (gap,) = heard.window.gaps
    assert gap.end - gap.start == pytest.approx(0.8, abs=0.4)


def test_a_connection_left_over_is_released(fake_x: FakeX, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lib.tweets.x.FIRST", 0.1)
    fake_x.plan = [answer(429, TOO_MANY, x_rate_limit_reset=str(int(time.time()) + 900)), stream(post(1))]
    heard = hear_from(fake_x, 20, max_posts=1)
    assert [each.method for each in fake_x.asked(RELEASE)] == ["DELETE"]
    assert heard.lines == bare(post(1))
    assert heard.seconds < 3
    assert "maximum allowed connection limit" in heard.whys[0]


def test_a_release_that_fails_is_no_failure(fake_x: FakeX, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lib.tweets.x.FIRST", 0.1)
    fake_x.plan = [answer(429, TOO_MANY)]
    fake_x.plan_delete = [answer(403), answer(404), answer(500)]
    heard = hear_from(fake_x, 0.5)
    assert len(fake_x.asked(RELEASE)) == len(fake_x.asked(FILTER)) > 1
    assert heard.seconds == pytest.approx(0.5, abs=0.5)


def refused(status: int, **headers: str) -> RefusedError:
    """What an answer with these headers becomes."""
    return RefusedError(status, "", None, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("reset", [None, "1", "soon", "nan", "-inf"])
def test_without_a_time_to_wait_for_the_waits_double(reset: str | None):
    backoff, header = Backoff(), {} if reset is None else {"x_rate_limit_reset": reset}
    waits = [backoff.refused(refused(429, **header)) for _ in range(2_000)][:12]
    for wait, least in zip(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 320, 320, 320], strict=True):
        assert least <= wait <= 1.25 * least


def test_the_time_that_x_asks_for_is_waited():
    in_30_seconds = formatdate(time.time() + 30, usegmt=True)
    for after in ("30", in_30_seconds):
        assert 25 < Backoff().refused(refused(503, retry_after=after)) < 31
        assert 25 < Backoff().refused(refused(429, retry_after=after, x_rate_limit_reset="1")) < 31
    for odd in ("", "soon", "nan", "-5", "Mon, 01 Jan 0001 00:00:00 -0000", "Mon, 99 Jan 2026 00:00:00 GMT"):
        assert Backoff().refused(refused(503, retry_after=odd)) < 2
    assert 25 < Backoff().refused(refused(429, x_rate_limit_reset=str(time.time() + 30), retry_after="900")) < 31
    assert Backoff().refused(refused(503, x_rate_limit_reset=str(time.time() + 30))) < 2


@pytest.mark.parametrize("where", ["rules", "stream"])
@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, UNAUTHORIZED, "401 Unauthorized; check NIGHTDESK_X_BEARER_TOKEN"),
        (401, b"<html>" + TOKEN.encode(), "401 Unauthorized; check"),
        (401, {"errors": [{"code": 89, "message": f"Invalid token {TOKEN}."}]}, "(Invalid token ….)"),
        (402, {"title": "CreditsDepleted", "detail": "Your enrolled account has no credits."}, "has no credits"),
        (403, {"title": "Client Forbidden", "reason": "client-not-enrolled"}, "403 Forbidden (Client Forbidden)"),
    ],
)
def test_what_isn_t_permitted_fails_at_once(fake_x: FakeX, where: str, status: int, body: object, words: str):
    refused = answer(status, body)
    if where == "rules":
        fake_x.plan_rules = [refused]
    fake_x.plan = [refused]
    heard = hear(X(TOKEN, fake_x.url), 30)
    assert heard.seconds < 5
    assert isinstance(heard.fault, NotPermitted)
    assert words in str(heard.fault)
    assert len(fake_x.requests) == (1 if where == "rules" else 3)


def test_a_refusal_whose_body_never_ends_fails_in_time(fake_x: FakeX, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lib.tweets.x_session.BODY", 0.5)
    fake_x.plan = [answer(401, UNAUTHORIZED, *[0.1, b" "] * 80)]
    heard = hear(X(TOKEN, fake_x.url), 30)
    assert heard.seconds < 2
    assert isinstance(heard.fault, NotPermitted)


def test_a_refusal_later_on_keeps_what_came(fake_x: FakeX):
    fake_x.plan = [stream(post(1), 0.3, CLOSE), answer(401, UNAUTHORIZED)]
    heard = hear_from(fake_x, 30)
    assert heard.seconds < 5
    assert heard.lines == bare(post(1))
    assert heard.window.why_over == "X refused the connection: 401 Unauthorized"
    assert len(heard.window.gaps) == 1


def test_an_address_where_x_is_not_is_named(fake_x: FakeX):
    fake_x.plan = [answer(404)]
    heard = hear(X(TOKEN, fake_x.url), 30)
    assert isinstance(heard.fault, SourceUnavailable)
    assert fake_x.url in str(heard.fault) and "404 Not Found" in str(heard.fault)


def test_a_redirection_is_not_followed(fake_x: FakeX):
    fake_x.plan = [answer(302, Location=f"{fake_x.url}/elsewhere")]
    heard = hear(X(TOKEN, fake_x.url), 30)
    assert isinstance(heard.fault, SourceUnavailable)
    assert fake_x.asked("/elsewhere") == []


@pytest.mark.parametrize("token", ["", "  ", "sec\x00ret", "sec\nret", "sécret", "Bearer secret", "sec\u200bret"])
def test_a_token_that_can_t_be_one_isn_t_shown(token: str):
    with pytest.raises(BadSettings) as caught:
        X(token)
    assert "NIGHTDESK_X_BEARER_TOKEN" in str(caught.value)
    assert "secret" not in str(caught.value) and "ret" not in str(caught.value).replace("secret", "")


@pytest.mark.parametrize("url", ["", "api.x.com", "ftp://x", "http://", "http://x:port", "http://u:p@x", "http://x?y"])
def test_an_address_that_can_t_be_one_is_named(url: str):
    with pytest.raises(BadSettings, match="NIGHTDESK_X_URL"):
        X(TOKEN, url)


@pytest.mark.parametrize(
    "url",
    [
        "http://u:PASSWORD@x.example",
        "http://PASSWORD@x.example:1/2",
        "http://u:PASS/PASSWORD@x.example",
        "http://u:PASS?PASSWORD#@x.example",
        "http://u:PASSWORD@[x.example",
        "u:PASSWORD@x.example",
        "http://x.example?key=PASSWORD",
    ],
)
def test_a_password_in_an_address_isn_t_shown(url: str):
    with pytest.raises(BadSettings, match=r"x\.example") as caught:
        X(TOKEN, url)
    assert "PASS" not in str(caught.value)
