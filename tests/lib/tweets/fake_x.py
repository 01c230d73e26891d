"""A server on loopback that stands in for X: its rules, its streams, and whatever may go wrong with either.

fake_x.plan = [stream(post(1), RESET), answer(503), stream(post(2))]    # a connection each, the last one for good
X("token", fake_x.url).listen(window)
fake_x.asked("/2/tweets/search/stream")    # the requests, with their headers and when they came
"""

import json
import os
import select
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

FILTER, SAMPLE = "/2/tweets/search/stream", "/2/tweets/sample/stream"
RULES, CONNECTIONS = "/2/tweets/search/stream/rules", "/2/connections/"
KEEP_ALIVE = b"\r\n"
HOLD, RESET, CLOSE = "hold", "reset", "close"  # as the last step: say nothing more; RST; end of the stream


def post(number: int, text: str = "good morning", **what: Any) -> bytes:
    """A line of the filtered stream with one post, its line end included."""
    data = {"id": str(1_300_000_000_000_000_000 + number), "text": text, "lang": "en", **what}
    line = {"data": data, "matching_rules": [{"id": "1", "tag": "x"}]}
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\r\n"


def error(**what: Any) -> bytes:
    """A line with an error object and no post."""
    return json.dumps({"errors": [what]}).encode() + b"\r\n"


@dataclass(frozen=True)
class Script:
    """An answer: `steps` are bytes to send at once, seconds to wait, and HOLD, RESET or CLOSE at the end."""

    status: int
    headers: dict[str, str]
    steps: tuple[bytes | float | str, ...]
    chunked: bool = False
    gzipped: bool = False


def stream(*steps: bytes | float | str, chunked: bool = True, gzipped: bool = False, **headers: str) -> Script:
    """A stream; where no step ends it, it is held open. Each step of bytes is a chunk."""
    ends = steps and steps[-1] in (HOLD, RESET, CLOSE)
    return Script(200, headers, (*steps, *(() if ends else (HOLD,))), chunked, gzipped)


def answer(status: int, body: object = None, *steps: bytes | float | str, **headers: str) -> Script:
    """An answer other than a stream; `body` becomes JSON, save bytes. Names of headers have _ for -."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Script(status, headers, (content, *(steps or (CLOSE,))))


@dataclass
class Asked:
    """A request as it came; `at` is by time.monotonic."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any
    at: float


@dataclass
class FakeX:
    """X's side. `plan` is for connections to a stream, its last script for all later ones too.

    `plan_rules` and `plan_delete` are answers to give before those that X itself would.
    """

    plan: list[Script] = field(default_factory=lambda: [stream(KEEP_ALIVE)])
    plan_rules: list[Script] = field(default_factory=list)
    plan_delete: list[Script] = field(default_factory=list)
    rules: list[dict[str, Any]] = field(default_factory=list)
    requests: list[Asked] = field(default_factory=list)
    url: str = ""
    stopping: threading.Event = field(default_factory=threading.Event)

    def asked(self, path: str, method: str = "") -> list[Asked]:
        """The requests to a path so far."""
        return [each for each in self.requests if each.path == path and method in ("", each.method)]

    def script(self, asked: Asked) -> Script:
        """What to answer."""
        if asked.path in (FILTER, SAMPLE):
            return self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]
        if asked.path == RULES:
            return self.plan_rules.pop(0) if self.plan_rules else self._about_rules(asked)
        if asked.path.startswith(CONNECTIONS) and asked.method == "DELETE":
            ended = {"data": {"successful_kills": 1, "failed_kills": 0, "results": [{"success": True, "uuid": "u"}]}}
            return self.plan_delete.pop(0) if self.plan_delete else answer(200, ended)
        return answer(404, {"title": "Not Found", "status": 404})

    def _about_rules(self, asked: Asked) -> Script:
        if asked.method == "GET":
            return answer(200, {"meta": {"sent": "now"}} | ({"data": self.rules} if self.rules else {}))
        if "delete" in asked.body:
            ids = asked.body["delete"]["ids"]
            self.rules = [each for each in self.rules if str(each["id"]) not in ids]
            return answer(200, {"meta": {"summary": {"deleted": len(ids), "not_deleted": 0}}})
        (new,) = asked.body["add"]
        for each in self.rules:
            if each["value"] == new["value"]:
                told = {"value": new["value"], "id": each["id"], "title": "DuplicateRule"}
                return answer(200, {"errors": [told], "meta": {"summary": {"created": 0, "not_created": 1}}})
        made = {"id": str(9_000 + len(self.requests)), **new}
        self.rules.append(made)
        return answer(201, {"data": [made], "meta": {"summary": {"created": 1, "not_created": 0}}})


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # joined at the end, so that nothing is left behind

    def __init__(self, fake: FakeX) -> None:
        self.fake = fake
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that leaves in the middle is what these tests are about


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5.0
    server: _Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        fake, parts = self.server.fake, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = parse_qs(parts.query)
        asked = Asked(self.command, parts.path, query, headers, json.loads(body) if body else None, time.monotonic())
        fake.requests.append(asked)
        self.play(fake.script(asked))

    do_POST = do_DELETE = do_GET  # noqa: N815

    def play(self, script: Script) -> None:
        self.close_connection = True
        self.send_response(script.status)
        for name, value in script.headers.items():
            self.send_header(name.replace("_", "-"), value)
        if script.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if script.gzipped:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Connection", "close")
        self.end_headers()
        squeeze = zlib.compressobj(wbits=31) if script.gzipped else None
        for step in script.steps:
            if isinstance(step, float | int):
                self.server.fake.stopping.wait(step)
            elif isinstance(step, bytes):
                data = squeeze.compress(step) + squeeze.flush(zlib.Z_SYNC_FLUSH) if squeeze else step
                self.send(data, script.chunked)
            elif step == HOLD:
                self.hold()
            elif step == RESET:
                self.reset()
            elif script.chunked:
                self.wfile.write(b"0\r\n\r\n")

    def send(self, data: bytes, chunked: bool) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked and data else data)

    def hold(self) -> None:
        """Until the client leaves."""
        while not self.server.fake.stopping.is_set():
            if select.select([self.connection], [], [], 0.05)[0] and not self.connection.recv(1024):
                return

    def reset(self) -> None:
        """End with RST: without lingering, and without the FIN that the server would send first."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())


@contextmanager
def running_fake_x() -> Iterator[FakeX]:
    """A server that runs meanwhile."""
    fake = FakeX()
    server = _Server(fake)
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield fake
    finally:
        fake.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
