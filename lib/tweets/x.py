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
from lib.tweets.window import STANDS, Window, shown
from lib.tweets.x_session import Bearer, BrokenOffError, RefusedError, Session

FIELDS = {  # as tweepy names the parameters
    "tweet_fields": "created_at,lang,entities,geo,author_id,referenced_tweets,note_tweet",
    "expansions": "author_id,geo.place_id,referenced_tweets.id",
    "user_fields": "location",
    "place_fields": "full_name,country_code,place_type,name",
}
ENDPOINTS = {"filter": "filtered_stream", "sample": "sample_stream"}  # ids at /2/connections
STEADY = 18.0  # seconds that a good connection lasts: X lets an app connect 50 times in 15 minutes
STEP = 0.25  # seconds from a connection that broke off to the next, and twice as many after each that follows
LONGEST = 16.0  # seconds: as long as X wants us to wait after network errors
FIRST = 1.0  # seconds to wait after the first HTTP error, and twice as long after each that follows

_HELD = ("TooManyConnections", "ConnectionException")
_NO_JSON = (JSONDecodeError, RecursionError)
_NO_RULES = {404, 405, 501}  # what a server answers that stands in for X and knows nothing of rules

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
            since, held = None, False
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
                    if not (window.lines and window.ever_connected):  # lines of a web page are nothing to keep
                        raise failure from fault
                    window.lost(why)
                    window.end(f"X refused the connection: {fault}")
                held = _is_held(fault)
            else:
                why, held = stream.reason, stream.held
                pause = backoff.held(session) if held else backoff.broken_off(session)
            if session.goes_on():
                window.lost(why, since=since)
                if held:
                    self._release(stream)
                window.wait(pause)

    def close(self) -> None:
        """End what `listen` is waiting for, from another thread."""
        if self._session is not None:
            self._session.hang_up()

    def _set_rule(self, stream: "_Stream", window: Window) -> None:
        """See to it that our rule, and no other of ours, is on X. Where that can't be known, the stream has to show it.

        Raises BadSettings where X says that it doesn't take our rule.
        """
        notes = []
        try:
            told, unknown = stream.get_rules(), ""
        except _NO_JSON:
            told, unknown = None, "it was no JSON"
        except RefusedError as fault:
            told, unknown = None, _passing(fault, _NO_RULES)
        if unknown:
            notes.append(
                f"X's answer about its rules told nothing ({unknown}): others than the desk's may choose posts."
            )
        change = changes(told, self.rule)
        try:
            if change.delete:
                stream.delete_rules(list(change.delete))
        except _NO_JSON:
            pass  # but done
        except RefusedError as fault:
            why = _passing(fault, {400, *_NO_RULES})
            notes.append(
                f"An older rule of the desk's couldn't be deleted from X ({why}): it is gone, or chooses posts."
            )
        if change.add and (why := self._add_rule(stream)):
            notes.append(f"X didn't take the desk's rule ({why}): the posts are chosen by others, or by none.")
        window.foreign_rules = change.foreign
        if change.foreign:
            notes.append(
                f"The app has {len(change.foreign)} more on X than the desk's rule: posts that match them come along, "
                "and are paid for."
            )
        window.notes.extend(notes)

    def _add_rule(self, stream: "_Stream") -> str:
        """Put our rule there; returns why that can't be done at this server, which may have no rules."""
        try:
            words = refusal(stream.add_rules(StreamRule(self.rule, TAG)))
        except _NO_JSON:
            return ""  # but done
        except RefusedError as fault:
            if fault.status != 400:
                return _passing(fault, _NO_RULES)
            words = refusal(fault.answer, str(fault))
        if words:
            raise BadSettings(f"X doesn't take the rule {self.rule!r} ({words}); mend the rule")
        return ""

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
        self.held = False  # whether it said that the app has its one connection already
        self._stands = self._doubted = False
        self._fault: Exception | None = None

    def run(self, connect: Callable[..., None]) -> None:
        """Make the connection and read it to its end; returns where X told us to go, and `reason` says why."""
        self.reason, self.held, self._stands, self._doubted, self._fault = "", False, False, False, None
        connect(**FIELDS)
        if self._fault is not None:
            raise self._fault

    def on_connect(self) -> None:
        self.window.opened()

    def on_data(self, raw_data: bytes) -> None:
        line = self.session.bearer.cleared(raw_data)
        if line.startswith(b'{"data"'):  # nearly all; whether errors stand beside the data is no matter here
            self.reason, posts = "", 1
            self._show()
        else:
            posts = self._read(line)
        self.window.line(line, posts=posts)

    def on_keep_alive(self) -> None:
        # a web page has empty lines, too, and so may an error object have one behind it
        if not self.session.page and (not self._doubted or self.session.lasted >= STANDS):
            self._show()

    def on_exception(self, exception: Exception) -> None:
        self._fault = exception

    def on_closed(self, response: object) -> None:
        pass

    def on_disconnect(self) -> None:
        pass

    def _read(self, line: bytes) -> int:
        """How many posts an unusual line has; where it says that the connection ends, we end it."""
        try:
            items = parse_line(line)
        except Unreadable:
            if self.session.page and not self._stands:
                self.reason = "X answered with a web page"
            self._show(doubt="what came was no post")
            return 0
        notices = [each for each in items if isinstance(each, Notice)]
        for each in notices:
            self.reason = self.session.bearer.without(f"X said {each.kind}: {each.text}")[:300]
            self.held |= each.kind in _HELD
            if self.held or "disconnect" in each.kind.lower():
                self.running = False
        if len(notices) < len(items):
            self._show()
        elif notices:
            self._show(doubt=self.reason)
        return sum(isinstance(each, Tweet) for each in items)

    def _show(self, doubt: str = "") -> None:
        """Tell the window whether this is a connection to X, as far as what has come so far shows it."""
        if self._stands:
            return
        self._stands, self._doubted = not doubt, bool(doubt)
        if doubt:
            self.window.doubted(self.reason or doubt)
        else:
            self.window.connected()


class Backoff:
    """Seconds to wait before the next attempt, each time twice as long until a connection was good, with some chance.

    After X's "Handling disconnections"; the first waits for HTTP errors are shorter than its 5 s and 60 s, since a
    window is short. For network errors its steps of 0.25 s would be 63 connections in ten minutes: they double, too.
    """

    def __init__(self) -> None:
        self._tries: Counter[str] = Counter()

    def broken_off(self, session: Session) -> float:
        """After a connection that ended or never was: 0.25 s, 0.5 s, … up to 16 s, counted from its beginning."""
        self._judge(session)
        return max(0.0, self._doubled("network", STEP, LONGEST) - session.lasted)

    def held(self, session: Session) -> float:
        """After one over which X said that the app has its one connection already: as after an HTTP error."""
        self._judge(session)
        return self._doubled("http", FIRST, 320.0)

    def refused(self, fault: RefusedError) -> float:
        """After an HTTP error: as long as X asks for, else 1 s, 2 s, 4 s, … up to 320 s."""
        wait = self._doubled("http", FIRST, 320.0)
        asked = 0.0 if _is_held(fault) else _asked(fault)
        return asked + random.uniform(0.0, 0.5) if asked > 0 else wait

    def _judge(self, session: Session) -> None:
        if session.lasted >= STEADY:
            self._tries.clear()

    def _doubled(self, kind: str, first: float, longest: float) -> float:
        self._tries[kind] += 1
        return min(longest, first * 2.0 ** min(self._tries[kind] - 1, 9)) * random.uniform(1.0, 1.25)


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


def _passing(fault: RefusedError, statuses: set[int]) -> str:
    """The refusal in words where it has one of these statuses; raises it where it doesn't."""
    if fault.status not in statuses:
        raise fault
    return str(fault)


def _checked(base_url: str) -> str:
    try:
        parts = urlsplit(base_url.strip())
        good = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
        good = good and parts.username is None and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise BadSettings(
            f"X's address {shown(base_url)!r} is none, or comes with a password or query that isn't shown; "
            "expected one such as https://api.x.com (NIGHTDESK_X_URL)"
        )
    return base_url.strip().rstrip("/")
