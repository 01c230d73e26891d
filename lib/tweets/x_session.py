"""HTTP as tweepy's client needs it here: any base address, a timeout on everything, and no fault left to a log.

tweepy retries what it knows by itself (401 for ever, 429 after a minute) and tells of it in its log. Faults of kinds
that it doesn't know end its loop at once and reach `on_exception`: so they are all made such here.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from http.client import HTTPException
from typing import Any

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from lib.tweets.rules import said
from lib.tweets.window import Window

HOST = "https://api.twitter.com"  # as tweepy writes it into every request
CONNECT = 5.0  # seconds
ANSWER = 10.0  # seconds without a byte of an answer, for requests other than the stream
SILENCE = 21.0  # seconds: X sends a keep-alive every 20 ("Handling disconnections")
BODY = 2.0  # seconds for the body of an answer that isn't the stream, once its head is there
LONGEST_BODY = 8 << 20  # bytes
PIECE = 1 << 16  # bytes: the most that one read returns, and it returns what is there
LONGEST_LINE = 16 << 20  # bytes

_BROKEN = (HTTPError, HTTPException, OSError, requests.RequestException)


class BrokenOffError(Exception):
    """There was no answer, or the connection ended. `silent`: it only brought nothing for too long."""

    def __init__(self, why: str, *, silent: bool = False) -> None:
        super().__init__(why)
        self.silent = silent


class RefusedError(Exception):
    """X answered, but not with what it was asked for; the text is the status with X's own words."""

    def __init__(self, status: int, text: str, answer: Any, headers: dict[str, str]) -> None:
        super().__init__(text)
        self.status = status
        self.answer = answer  # its JSON; None where it had none
        self.headers = headers  # names in lower case


class Bearer(AuthBase):
    """The token goes into requests here and nowhere else: what tweepy knows, it logs."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def without(self, text: str) -> str:
        """The text without the token, should a server have sent it back."""
        return text.replace(self._token, "…")

    def cleared(self, line: bytes) -> bytes:
        """The line without the token, likewise."""
        return line.replace(self._token.encode(), "…".encode())


class Session(requests.Session):
    """A session at `base_url` for the time of one window."""

    def __init__(self, base_url: str, bearer: Bearer, window: Window) -> None:
        super().__init__()
        self.base_url = base_url
        self.bearer = bearer
        self.window = window
        self.closed = threading.Event()
        self.connected_at: float | None = None  # when the present stream began, by the window's clock
        self.heard_at: float | None = None  # when it last brought something
        self.page = False  # whether it says that it is a web page
        self._response: requests.Response | None = None

    def request(self, method: str, url: str | bytes, *args: Any, **how: Any) -> requests.Response:
        """Ask. Raises BrokenOffError and RefusedError. Redirections aren't followed: the token would go along."""
        stream = bool(how.get("stream"))
        self.connected_at = self.heard_at = None
        left = max(0.01, self.window.remaining)
        how |= {
            "auth": self.bearer,  # also keeps requests from a password in ~/.netrc
            "stream": True,
            "allow_redirects": False,
            "timeout": (min(CONNECT, left), min(SILENCE if stream else ANSWER, left)),
        }
        try:
            response = super().request(method, self.base_url + str(url).removeprefix(HOST), *args, **how)
        except _BROKEN as fault:
            raise _broken_off(fault) from fault
        self._response = response
        if self.closed.is_set():  # while we were asking
            hang_up(response)
        status = response.status_code
        if stream and status == 200:
            self.connected_at = self.window.now()
            self.page = "html" in response.headers.get("Content-Type", "").lower()
            read = partial(lines, response, self.goes_on, self._heard)
            response.iter_lines = lambda **_: read()  # type: ignore[assignment, method-assign]
            return response
        with response:
            response._content = self.bearer.without(_body(response).decode("utf-8", "replace")).encode()
        if stream or not 200 <= status < 300:
            raise self._refused(response)
        return response

    def hang_up(self) -> None:
        """End what is being read, and all that would be asked for, from another thread."""
        self.closed.set()
        if self._response is not None:
            hang_up(self._response)

    def goes_on(self) -> bool:
        """Whether there is still something to ask for."""
        return not self.closed.is_set() and self.window.remaining > 0

    @property
    def lasted(self) -> float:
        """Seconds since the present stream began; 0 where there is none."""
        return 0.0 if self.connected_at is None else self.window.now() - self.connected_at

    def _heard(self) -> None:
        self.heard_at = self.window.now()

    def _refused(self, response: requests.Response) -> RefusedError:
        try:
            answer = response.json()
        except (ValueError, RecursionError):
            answer = None
        status = f"{response.status_code} {response.reason or ''}".strip()
        words = said(answer)
        text = f"{status} ({words})" if words and words != response.reason else status
        headers = {name.lower(): value for name, value in response.headers.items()}
        return RefusedError(response.status_code, self.bearer.without(text), answer, headers)


def lines(response: requests.Response, goes_on: Callable[[], bool], heard: Callable[[], None]) -> Iterator[bytes]:
    """The lines of a stream as they come, without their ends; an empty one is a keep-alive.

    Ends with BrokenOffError in any case, since tweepy connects again by itself after an end without a fault. The line
    that a break cut off is handed over before, one cut by our own end (`goes_on`) is not. What is longer than 16 MiB is
    cut there, and its rest is a line of its own.

    requests' `iter_lines` waits until its 512 bytes are full where the answer isn't chunked, and splits at more than
    line feeds. `read1` returns what one read of the socket brought, undone of chunks and compression.
    """
    parts: list[bytes] = []
    size = 0
    end: BrokenOffError | None = None
    while end is None:
        piece = b""
        try:
            piece = response.raw.read1(PIECE, decode_content=True)
        except _BROKEN as fault:
            end = _broken_off(fault)
        if not goes_on():
            raise BrokenOffError("the window is over")
        if not piece:
            break
        heard()
        first, *others = piece.split(b"\n")
        parts.append(first)
        size += len(first)
        for other in others:
            yield b"".join(parts).removesuffix(b"\r")
            parts, size = [other], len(other)
        if size >= LONGEST_LINE:
            yield b"".join(parts)
            parts, size = [], 0
    if rest := b"".join(parts).removesuffix(b"\r"):
        yield rest
    raise end or BrokenOffError("X closed the connection")


def hang_up(response: requests.Response) -> None:
    """Let a read that waits in another thread return. Only its side of the socket is shut: the reader closes it."""
    with suppress(Exception):  # it may be closed by now, or be about to
        response.raw.shutdown()


def _body(response: requests.Response) -> bytes:
    """The body, or what came of it in its time; a server may leave it open for ever, or let it drip."""
    end = time.monotonic() + BODY
    timer = threading.Timer(BODY, hang_up, [response])
    timer.daemon = True
    timer.start()
    body = b""
    try:
        while len(body) < LONGEST_BODY and time.monotonic() < end:
            piece = response.raw.read1(PIECE, decode_content=True)
            if not piece:
                break
            body += piece
    except _BROKEN:
        pass  # what came has to do
    finally:
        timer.cancel()
    return body


def _broken_off(fault: BaseException) -> BrokenOffError:
    """The fault in a few words; the libraries wrap it several times, and their texts carry the address with them."""
    causes = [fault]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    if any("Timeout" in type(each).__name__ or isinstance(each, TimeoutError) for each in causes):
        return BrokenOffError("nothing came in time", silent=True)
    reasons = [each.strerror for each in causes if isinstance(each, OSError) and each.strerror]
    return BrokenOffError(f"the connection failed: {reasons[-1]}" if reasons else "the connection broke off")
