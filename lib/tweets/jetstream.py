"""Bluesky's Jetstream as a source: its public stream of posts over a WebSocket, for which nobody needs an account.

It numbers its events with its clock (`time_us`), and resumes from a cursor: a connection that breaks off is made again
from a little before the last event that came, and what comes twice is dropped where the lines are read.
Protocol: https://github.com/bluesky-social/jetstream
"""

import logging
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.exceptions import ConnectionClosed, InvalidProxy, InvalidStatus, WebSocketException
from websockets.frames import CloseCode
from websockets.sync.client import ClientConnection, connect

from lib.errors import BadSettings, NotPermitted, SourceUnavailable
from lib.tweets.shapes import FAULTS, POSTS, clock
from lib.tweets.window import Window, shown

OVERLAP = 2_000_000  # microseconds that a cursor goes back, since events are only roughly in order
AHEAD = 60.0  # seconds that the server's clock may be ahead of ours
SILENCE = 30.0  # seconds: there are tens of posts a second
PINGS = 10.0  # seconds between two, and to wait for an answer
OPENING = 10.0
CLOSING = 0.2
LARGEST = 16 << 20  # bytes of a frame; a post is a few thousand
LOOK = 0.5  # seconds of waiting for a frame before another look at the clock
SLICE = 0.1  # seconds of waiting before another look whether to go on
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
STEADY = 5.0  # seconds that a good connection lasts

# Timeout, too early, too many requests (RFC 9110, 8470, 6585): like the server's own troubles these pass.
_PASSING = {408, 425, 429}
_REFUSED = {401, 403, 407}
_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")
# What websockets says of a connection is said here, in the gaps.
_MUTE = logging.Logger("jetstream", logging.CRITICAL + 1)


class _LostError(Exception):
    """A connection that ended or didn't come about; `wait` is what the server asked for, in seconds."""

    def __init__(self, why: str, *, since: float | None = None, wait: float = 0.0, ours: bool = False) -> None:
        super().__init__(why)
        self.since = since
        self.wait = wait
        self.ours = ours  # we broke it off over what came


class Jetstream:
    """Jetstream at an address: `base_url` is wss://HOST, ws://HOST:PORT, or with http in their place; /subscribe is
    meant where there is no path. Raises BadSettings where it is none."""

    name = "bluesky"

    def __init__(self, base_url: str = "wss://jetstream2.us-east.bsky.network") -> None:
        self._address = _subscription(base_url)
        self._closed = threading.Event()
        self._connection: ClientConnection | None = None
        self._latest = 0  # time_us of the latest event
        self._opened: float | None = None  # when the present connection was made, by the window's clock
        self._heard = 0.0  # when the last frame came
        self._news = False  # whether the connection has brought what hadn't come before

    def listen(self, window: Window) -> None:
        """Hand over a line a frame until the window is over, reconnecting as needed.

        Raises NotPermitted where Jetstream refuses us before a line has come, and SourceUnavailable where there is none
        at this address. Where none can be reached until the end, the window was never connected.
        """
        failures = 0  # connections in a row that didn't come about, or broke off early
        resumes = True
        while self._goes_on(window):
            self._news, self._opened = False, None
            try:
                with self._connected(window, self._latest if resumes else 0) as connection:
                    self._receive(connection, window, resumed=resumes and self._latest > 0)
            except _LostError as fault:
                if self._closed.is_set() or window.over.is_set():
                    return
                window.lost(str(fault), since=fault.since)
                # what we can't take would come again from the same place
                resumes = self._news or not fault.ours
                lasted = 0.0 if self._opened is None else window.now() - self._opened
                failures = 0 if lasted >= STEADY else failures
                # from the beginning of one connection to the next
                self._wait(window, max(fault.wait, _delay(failures) - lasted))
                failures += 1

    def close(self) -> None:
        """Have `listen` return at once, whatever it waits for."""
        self._closed.set()
        self._cut_off()

    def _goes_on(self, window: Window) -> bool:
        return window.remaining > 0 and not self._closed.is_set()

    def _wait(self, window: Window, seconds: float) -> None:
        while seconds > 0 and not self._closed.is_set() and window.wait(min(seconds, SLICE)):
            seconds -= SLICE

    def _cut_off(self) -> None:
        if (connection := self._connection) is not None:
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)

    def _remembered(self, *args: Any, **kwargs: Any) -> ClientConnection:
        """A connection before its handshake, where `close` can find it."""
        self._connection = ClientConnection(*args, **kwargs)
        if self._closed.is_set():
            self._cut_off()
        return self._connection

    @contextmanager
    def _connected(self, window: Window, latest: int) -> Iterator[ClientConnection]:
        """A connection that goes back to `latest` where that isn't 0. Raises _LostError, or what `listen` does."""
        address = self._address
        if latest:
            address = _with(address, cursor=str(max(1, latest - OVERLAP)))
        remembered: Any = self._remembered  # a function serves as a class does
        try:
            connection = connect(
                address,
                create_connection=remembered,
                # it gives up before the window does, so that the window can be told
                open_timeout=min(OPENING, max(LOOK, window.remaining - LOOK)),
                close_timeout=CLOSING,
                ping_interval=PINGS,
                ping_timeout=PINGS,
                max_size=LARGEST,
                user_agent_header="Nightdesk",
                proxy=None if _is_here(address) else True,
                logger=_MUTE,
            )
        except InvalidStatus as fault:
            raise self._refusal(fault, window) from fault
        except ssl.SSLCertVerificationError as fault:
            raise self._hopeless(
                f"{shown(address)} showed a certificate that can't be trusted; check NIGHTDESK_JETSTREAM_URL and this "
                "machine's clock",
                window,
            ) from fault
        except (InvalidProxy, ImportError) as fault:
            raise SourceUnavailable(
                f"{shown(address)} can't be reached through the proxy ({fault.msg}); set another"
            ) from fault
        except (OSError, EOFError, ValueError, WebSocketException) as fault:
            raise _LostError(_why(fault)) from fault
        with connection:
            yield connection

    def _refusal(self, fault: InvalidStatus, window: Window) -> Exception:
        status = fault.response.status_code
        answer = _answer(status, fault.response.reason_phrase)
        if status in _REFUSED:
            if not window.lines:
                return NotPermitted(
                    f"{shown(self._address)} answered {answer}; it wants to know who asks, and Jetstream shouldn't: "
                    "check NIGHTDESK_JETSTREAM_URL"
                )
            window.lost(f"the server answered {answer}")
            window.end(f"the server refused to go on: it answered {answer}")
        elif status not in _PASSING and status < 500:
            return self._hopeless(
                f"{shown(self._address)} answered {answer}, so it is no Jetstream; check NIGHTDESK_JETSTREAM_URL",
                window,
            )
        return _LostError(f"the server answered {answer}", wait=_seconds(fault.response.headers.get("Retry-After")))

    def _hopeless(self, sentence: str, window: Window) -> Exception:
        """What no later try can mend, where none has worked so far; what has, may again."""
        return _LostError(sentence.partition(";")[0]) if window.ever_connected else SourceUnavailable(sentence)

    def _receive(self, connection: ClientConnection, window: Window, *, resumed: bool) -> None:
        """Hand over frames until the window is over. Raises _LostError."""
        self._opened = self._heard = window.now()
        window.opened()
        before, standing = self._latest, False
        while self._goes_on(window):
            try:
                frame = connection.recv(min(LOOK, window.remaining), decode=False)
            except TimeoutError:
                if window.now() - self._heard >= SILENCE:
                    raise _LostError(f"nothing came for {SILENCE:g} seconds", since=self._heard) from None
                continue
            except ConnectionClosed as fault:
                raise self._closing(fault) from fault
            self._heard = window.now()
            at = _time_us(frame, (self._heard + AHEAD) * 1e6)
            if not standing:
                standing = True
                window.connected(filled=resumed and 0 < at <= before)
            self._news |= at > before
            self._latest = max(self._latest, at)
            window.line(frame.translate(_LINE_ENDS) if b"\n" in frame or b"\r" in frame else frame)

    def _closing(self, fault: ConnectionClosed) -> _LostError:
        sent, received = fault.sent, fault.rcvd
        if sent is not None and not fault.rcvd_then_sent:
            if sent.code == CloseCode.INTERNAL_ERROR:
                return _LostError(f"no answer to a ping in {PINGS:g} seconds", since=self._heard)
            if sent.code == CloseCode.MESSAGE_TOO_BIG:
                return _LostError(f"a frame was longer than {LARGEST >> 20} MiB", ours=True)
            return _LostError(f"what came was no WebSocket ({sent.reason or sent.code})", ours=True)
        if received is not None:
            return _LostError(f"the server closed the connection ({received})")
        return _LostError("the connection broke off")


def _time_us(frame: bytes, latest: float) -> int:
    """When an event happened, in microseconds since 1970; 0 where it has no time, or none that can be."""
    try:
        at = clock(frame).time_us
    except FAULTS:
        return 0
    return at if 0 < at <= latest else 0


def _delay(failures: int) -> float:
    """Seconds from one try to the next: hardly any at first, then twice as many each time, with chance in them."""
    if failures == 0:
        return random.uniform(0, 0.2)
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - 1, 10) * random.uniform(1, 1.5))


def _seconds(retry_after: str | None) -> float:
    """Retry-After (RFC 9110, 10.2.3), seconds or a date, as seconds from now; 0 where there is none."""
    text = (retry_after or "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    with suppress(ValueError, TypeError):
        moment = parsedate_to_datetime(text)
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time())
    return 0.0


def _subscription(base_url: str) -> str:
    """The address to subscribe to posts at."""
    try:
        parts = urlsplit(base_url.strip())
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        if scheme not in ("ws", "wss") or not parts.hostname or (parts.port is not None and parts.port == 0):
            raise ValueError
    except ValueError:
        raise BadSettings(
            f"Jetstream's address {shown(base_url)!r} is none; expected one such as wss://jetstream2.us-east.bsky.network"
        ) from None
    path = parts.path if parts.path not in ("", "/") else "/subscribe"
    asked = [(name, value) for name, value in parse_qsl(parts.query) if name not in ("wantedCollections", "cursor")]
    return urlunsplit((scheme, parts.netloc, path, urlencode([*asked, ("wantedCollections", POSTS)]), ""))


def _with(address: str, **asked: str) -> str:
    return f"{address}&{urlencode(asked)}"


def _is_here(address: str) -> bool:
    """Whether the server is this machine, which no proxy knows."""
    host = urlsplit(address).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def _answer(status: int, reason: str) -> str:
    with suppress(ValueError):
        reason = HTTPStatus(status).phrase
    return f"{status} {reason}".strip()


def _why(fault: BaseException) -> str:
    """The reason in a few words."""
    seen: BaseException | None = fault
    reason = ""
    while seen is not None:
        if isinstance(seen, TimeoutError):
            return "no answer in time"
        if isinstance(seen, OSError) and seen.strerror:
            reason = seen.strerror
        seen = seen.__cause__ or seen.__context__
    if reason:
        return reason
    return "the connection broke off" if "did not receive" in str(fault) else f"{type(fault).__name__}: {fault}"
