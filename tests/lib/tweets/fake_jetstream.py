"""A WebSocket server on loopback that stands in for Jetstream, and whatever may go wrong with it.

fake_jetstream.plan = [stream(post(1), RESET), refusal(503), stream(post(2))]    # a connection each, the last for good
Jetstream(fake_jetstream.url).listen(window)
fake_jetstream.asked    # the requests, with their cursors and when they came
"""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

# As the last step: say nothing more; RST; end of TCP without a word; a proper close; not even answers to pings.
HOLD, RESET, END, CLOSE, DEAF = "hold", "reset", "end", "close", "deaf"
START = 1_700_000_000_000_000  # microseconds since 1970
DID = "did:plc:made"


def post(number: int, text: str = "good morning", *, did: str = DID, **record: Any) -> bytes:
    """The event of a new post, a second after the one with the number before."""
    record = {
        "$type": "app.bsky.feed.post",
        "createdAt": "2023-11-14T22:13:20Z",
        "text": text,
        "langs": ["en"],
        **record,
    }
    commit = {"rev": "r", "operation": "create", "collection": "app.bsky.feed.post", "rkey": f"k{number}"}
    return event(number, commit={**commit, "record": record, "cid": "c"}, did=did)


def event(number: int, kind: str = "commit", *, did: str = DID, **what: Any) -> bytes:
    """Any event."""
    said = {"did": did, "time_us": START + number * 1_000_000, "kind": kind, **what}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


Step = bytes | bytearray | float | str


@dataclass(frozen=True)
class Script:
    """What a connection gets: `steps` are frames to send at once (bytes), bytes that needn't be a frame (bytearray),
    seconds to wait, and what happens at the end. Or a function of the cursor that makes them."""

    steps: tuple[Step, ...] | Callable[[int | None], tuple[Step, ...]]
    status: int = 101
    headers: dict[str, str] = field(default_factory=dict)
    handshake_after: float = 0.0


def stream(*steps: Step) -> Script:
    """A connection that brings these, and is held open where no step ends it."""
    return Script(steps)


def resuming(*events: bytes, before: float = 0.0) -> Script:
    """A connection that brings the events from its cursor on, as Jetstream does, `before` seconds late."""

    def steps(cursor: int | None) -> tuple[Step, ...]:
        return (before, *(each for each in events if json.loads(each)["time_us"] >= (cursor or 0)), HOLD)

    return Script(steps)


def refusal(status: int, **headers: str) -> Script:
    """An answer that is no WebSocket. Names of headers have _ for -."""
    return Script((), status, {name.replace("_", "-"): value for name, value in headers.items()})


@dataclass
class Asked:
    """A request as it came; `at` is by time.monotonic."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    at: float

    @property
    def cursor(self) -> int | None:
        return int(self.query["cursor"][0]) if "cursor" in self.query else None


class FakeJetstream:
    """Jetstream's side; each connection has a thread."""

    def __init__(self) -> None:
        self.plan: list[Script] = [stream()]
        self.asked: list[Asked] = []
        self.stopped = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(0.05)
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}"
        self.threads: list[threading.Thread] = []

    def accept(self) -> None:
        while not self.stopped.is_set():
            with suppress(TimeoutError):
                connection, _ = self.listener.accept()
                self.threads.append(threading.Thread(target=self.talk, args=[connection]))
                self.threads[-1].start()

    def talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(0.02)
            protocol = ServerProtocol(max_size=None)
            while not (events := protocol.events_received()):
                if not self.hear(connection, protocol):
                    return
            request: Any = events[0]
            address = urlsplit(request.path)
            self.asked.append(
                Asked(address.path, parse_qs(address.query), dict(request.headers.raw_items()), time.monotonic())
            )
            script = self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]
            self.stopped.wait(script.handshake_after)
            if script.status != 101:
                response = protocol.reject(script.status, "no")
                response.headers.update(script.headers)
            else:
                response = protocol.accept(request)
            protocol.send_response(response)
            flush(connection, protocol)
            if script.status == 101:
                steps = script.steps(self.asked[-1].cursor) if callable(script.steps) else script.steps
                self.play(connection, protocol, steps)

    def play(self, connection: socket.socket, protocol: ServerProtocol, steps: tuple[Step, ...]) -> None:
        for step in (*steps, HOLD):
            if isinstance(step, bytearray):
                connection.sendall(step)
            elif isinstance(step, bytes):
                protocol.send_text(step)
                flush(connection, protocol)
            elif isinstance(step, float | int):
                self.hold(connection, protocol, time.monotonic() + step)
            elif step == RESET:
                # Closing with this set sends a reset instead of a proper end.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            elif step == END:
                return
            elif step == CLOSE:
                protocol.send_close(1001, "going away")
                flush(connection, protocol)
                self.hold(connection, protocol, time.monotonic() + 5)
                return
            elif step == DEAF:
                self.stopped.wait(60)
                return
            else:
                self.hold(connection, protocol, float("inf"))
                return

    def hold(self, connection: socket.socket, protocol: ServerProtocol, until: float) -> None:
        """Answer pings and closes until a moment, or until the other side is gone."""
        while time.monotonic() < until and not self.stopped.is_set():
            if not self.hear(connection, protocol) or protocol.state is State.CLOSED:
                return

    def hear(self, connection: socket.socket, protocol: ServerProtocol) -> bool:
        try:
            data = connection.recv(1 << 16)
        except TimeoutError:
            return not self.stopped.is_set()
        if not data:
            return False
        protocol.receive_data(data)
        flush(connection, protocol)
        return True


def flush(connection: socket.socket, protocol: ServerProtocol) -> None:
    for data in protocol.data_to_send():
        if data:
            connection.sendall(data)
        else:
            connection.shutdown(socket.SHUT_WR)


def frame(content: bytes, *, of: int | None = None) -> bytearray:
    """The bytes of a frame as a server sends it; only the first `of` of them where that is given."""
    return bytearray(Frame(Opcode.TEXT, content).serialize(mask=False)[:of])


@contextmanager
def running_fake_jetstream() -> Iterator[FakeJetstream]:
    """A server that listens until the end of the block."""
    fake = FakeJetstream()
    thread = threading.Thread(target=fake.accept)
    thread.start()
    try:
        yield fake
    finally:
        fake.stopped.set()
        thread.join()
        for each in fake.threads:
            each.join()
        fake.listener.close()
