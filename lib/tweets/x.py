"""X's API v2 as a source: its filtered stream, or the 1% sample, through tweepy's StreamingClient.

tweepy makes a connection and takes the stream apart; how long it may take, when to try again and what is a failure is
decided here, by X's "Handling disconnections". Posts of the filtered stream are paid one by one.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from json import JSONDecodeError
from typing import Literal
from urllib.parse import urlsplit

from tweepy import StreamingClient, StreamRule

from lib.errors import BadSettings, DeskError, NotPermitted, SourceUnavailable
from lib.tweets.parsing import Notice, Tweet, Unreadable, parse_line
from lib.tweets.rules import DEFAULT_RULE, TAG, changes, refusal
from lib.tweets.window import Window
from lib.tweets.x_session import Bearer, BrokenOffError, RefusedError, Session

FIELDS = {  # as tweepy names the parameters
    "tweet_fields": "created_at,lang,entities,geo,author_id,referenced_tweets,note_tweet",
    "expansions": "author_id,geo.place_id,referenced_tweets.id",
    "user_fields": "location",
    "place_fields": "full_name,country_code,place_type,name",
}
ENDPOINTS = {"filter": "filtered_stream", "sample": "sample_stream"}  # ids at /2/connections
STEADY = 5.0  # seconds after which a connection is good though nothing came
STEP = 0.25  # seconds: what the wait grows by after network errors, and the least from one connection to the next
FIRST = 1.0  # seconds to wait after the first HTTP error, and twice as long after each that follows

_HELD = ("TooManyConnections", "ConnectionException")

_WHAT_TO_DO = {
    400: "check the rule and the address",
    401: "check NIGHTDESK_X_BEARER_TOKEN: it must be an app's bearer token, whole and not revoked",
    402: "buy credits in X's developer console",
    403: "check in X's developer console that the app's plan has this stream (the sample is for Enterprise only)",
}


class X:
    """A source of posts. `base_url` is where the API is, for a server that stands in for X.

    Raises BadSettings where the token or the address can't be one.
    """

    name = "x"

    def __init__(
        self,
        token: str,
        base_url: str = "https://api.x.com",
        stream: Literal["filter", "sample"] = "filter",
        rule: str = DEFAULT_RULE,
    ) -> None:
        token = token.strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise BadSettings(
                "X's bearer token is empty or has characters that no token has (it isn't shown here); "
                "put it into NIGHTDESK_X_BEARER_TOKEN alone, without quotes and without the word Bearer"
            )
        if stream not in ENDPOINTS:
            raise BadSettings(f"X has no stream {stream!r}; expected filter or sample")
        self.base_url = _checked(base_url)
        self.stream = stream
        self.rule = rule.strip()
        self._bearer = Bearer(token)
        self._session: Session | None = None

    def listen(self, window: Window) -> None:
        """Hand over posts until the window is over, connecting again whenever the connection ends.

        Raises NotPermitted, BadSettings and SourceUnavailable where no later try can help and nothing has come yet;
        where something has, the window ends instead, so that it is kept.
        """
        self._session = session = Session(self.base_url, self._bearer, window)
        stream, backoff, ruled = _Stream(session, window), Backoff(), self.stream == "sample"
        while session.goes_on():
            since = None
            try:
                if not ruled:
                    self._set_rule(stream, window)
                    ruled = True
                stream.run(stream.filter if self.stream == "filter" else stream.sample)
            except BrokenOffError as fault:
                why, pause = stream.reason or str(fault), backoff.broken_off(session)
                since = (session.heard_at or session.connected_at) if fault.silent else None
            except RefusedError as fault:
                why, pause = f"X answered {fault}", backoff.refused(fault)
                if (failure := self._failure(fault)) is not None:
                    if not window.lines:
                        raise failure from fault
                    window.lost(why)
                    window.end(f"X refused the connection: {fault}")
                elif _is_held(fault):
                    self._release(stream)
            else:
                why, pause = stream.reason, backoff.broken_off(session)
            if session.goes_on():
                window.lost(why, since=since)
                window.wait(pause)

    def close(self) -> None:
        """End what `listen` is waiting for, from another thread."""
        if self._session is not None:
            self._session.hang_up()

    def _set_rule(self, stream: "_Stream", window: Window) -> None:
        """See to it that our rule, and no other of ours, is on X."""
        try:
            change = changes(stream.get_rules(), self.rule)
            if change.delete:
                stream.delete_rules(list(change.delete))
            if change.add and (words := self._add_rule(stream)):
                raise BadSettings(f"X doesn't take the rule {self.rule!r} ({words}); mend the rule")
        except JSONDecodeError as fault:
            raise BrokenOffError("X's answer about its rules was no JSON") from fault
        window.foreign_rules = change.foreign
        if change.foreign:
            window.notes.append(
                f"The app has {len(change.foreign)} more on X than the desk's rule: posts that match them come along, "
                "and are paid for."
            )

    def _add_rule(self, stream: "_Stream") -> str:
        try:
            return refusal(stream.add_rules(StreamRule(self.rule, TAG)))
        except RefusedError as fault:
            if fault.status != 400:
                raise
            return refusal(fault.answer, str(fault))

    def _release(self, stream: "_Stream") -> None:
        """Have X end the app's connections to our stream: a dead process may have left one, and X allows one."""
        with suppress(BrokenOffError, RefusedError):  # then it has to run out by itself
            stream.request("DELETE", f"/2/connections/{ENDPOINTS[self.stream]}")

    def _failure(self, fault: RefusedError) -> DeskError | None:
        """What a refusal comes to that stays so, or None where it may pass."""
        if fault.status in _WHAT_TO_DO:
            kind = BadSettings if fault.status == 400 else NotPermitted
            return kind(f"X refused the connection: {fault}; {_WHAT_TO_DO[fault.status]}")
        if fault.status == 404 or 300 <= fault.status < 400:
            return SourceUnavailable(
                f"{self.base_url} answered {fault}, so X's API isn't there; check the address (NIGHTDESK_X_URL)"
            )
        return None


class _Stream(StreamingClient):
    """tweepy's client: a call of `run` is one connection, and what ends it is raised there."""

    def __init__(self, session: Session, window: Window) -> None:
        super().__init__("which the session has", return_type=dict)
        self.session = session
        self.window = window
        self.reason = ""  # what the stream last said about itself, unless a post came since
        self._fault: Exception | None = None

    def run(self, connect: Callable[..., None]) -> None:
        """Make the connection and read it to its end; returns where X told us to go, and `reason` says why."""
        self.reason, self._fault = "", None
        connect(**FIELDS)
        if self._fault is not None:
            raise self._fault

    def on_connect(self) -> None:
        self.window.connected()

    def on_data(self, raw_data: bytes) -> None:
        if raw_data.startswith(b'{"data"'):  # nearly all; whether errors stand beside the data is no matter here
            self.reason, posts = "", 1
        else:
            posts = self._read(raw_data)
        self.window.line(raw_data, posts=posts)

    def on_exception(self, exception: Exception) -> None:
        self._fault = exception

    def on_keep_alive(self) -> None:
        pass

    def on_closed(self, response: object) -> None:
        pass

    def on_disconnect(self) -> None:
        pass

    def _read(self, line: bytes) -> int:
        """How many posts an unusual line has; where it says that the connection ends, we end it."""
        try:
            items = parse_line(line)
        except Unreadable:
            return 0
        for each in items:
            if isinstance(each, Notice):
                self.reason = self.session.bearer.without(f"X said {each.kind}: {each.text}")[:300]
                if "disconnect" in each.kind.lower() or each.kind in _HELD:
                    self.running = False
        return sum(isinstance(each, Tweet) for each in items)


class Backoff:
    """Seconds to wait before the next attempt, each time longer until a connection was good, with some chance in it.

    After X's "Handling disconnections"; the first waits for HTTP errors are shorter than its 5 s and 60 s, since a
    window is short.
    """

    def __init__(self) -> None:
        self._tries: Counter[str] = Counter()

    def broken_off(self, session: Session) -> float:
        """After a connection that ended or never was: at once if it was good, else up to 16 s."""
        if session.connected_at is not None:
            lasted = session.window.now() - session.connected_at
            if session.heard_at is not None or lasted >= STEADY:
                self._tries.clear()
                return max(0.0, STEP - lasted) + random.uniform(0.0, 0.1)
        self._tries["network"] += 1
        return min(16.0, STEP * self._tries["network"]) + random.uniform(0.0, 0.1)

    def refused(self, fault: RefusedError) -> float:
        """After an HTTP error: as long as X asks for, else 1 s, 2 s, 4 s, … up to 320 s."""
        self._tries["http"] += 1
        asked = 0.0 if _is_held(fault) else _asked(fault)
        if asked > 0:
            return asked + random.uniform(0.0, 0.5)
        return min(320.0, FIRST * 2.0 ** min(self._tries["http"] - 1, 9)) * random.uniform(1.0, 1.25)


def _asked(fault: RefusedError) -> float:
    """How long X asks us to wait, in seconds; 0 or less where it doesn't."""
    now, after = time.time(), fault.headers.get("retry-after", "")
    asked = 0.0
    with suppress(ValueError):
        asked = float(after)
    with suppress(ValueError, OverflowError):
        asked = asked or parsedate_to_datetime(after).timestamp() - now
    with suppress(KeyError, ValueError):
        if fault.status == 429 and (reset := float(fault.headers["x-rate-limit-reset"])) > now:  # seconds since 1970
            asked = reset - now
    return asked


def _is_held(fault: RefusedError) -> bool:
    """Whether the app has its one connection already."""
    return fault.status == 429 and any(word in str(fault.answer) for word in _HELD)


def _checked(base_url: str) -> str:
    try:
        parts = urlsplit(base_url.strip())
        good = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
        good = good and parts.username is None and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise BadSettings(f"X's address is {base_url!r}; expected one such as https://api.x.com (NIGHTDESK_X_URL)")
    return base_url.strip().rstrip("/")
