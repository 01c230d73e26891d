"""A job is a small supervisor: it holds the lock and the deadline, and a forked child does the work.

The child opens the store, works, and commits its results together with its row; then it tells the supervisor how it
went. Whatever becomes of the child, the supervisor ends the row, or forks another one where the fault may pass. When
the supervisor itself is killed, the kernel asks its child to end (Linux), and the child's share of the lock keeps
others out until it has.
"""

import contextlib
import json
import os
import select
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from types import FrameType

from sqlite_utils import Database

from lib import runs
from lib.errors import DeskError
from lib.logs import Noise, RunLog, printable
from lib.progress import Stages
from lib.retrying import Ended, keep_trying
from lib.runs import Outcome
from lib.store import table, writing
from lib.worker import (
    SIGNALS,
    Interrupted,
    Stop,
    attempt,
    be_the_child,
    failure,
    sentence,
    stop_gently,
    uninterrupted,
)

__all__ = [
    "SIGNALS",
    "Interrupted",
    "Stop",
    "attempt",
    "failure",
    "sentence",
    "stop_gently",
    "supervise",
    "uninterrupted",
]

KILL_AFTER = 20.0  # seconds between a deadline's TERM and its KILL
WAITING = "waiting to try again"  # the stage of a run between two attempts


@dataclass(frozen=True)
class Child:
    """What the supervisor knows of the process that works; `noise` is its file descriptor 2, where that is kept."""

    pid: int
    pipe: int
    noise: int | None


def supervise(
    run: int,
    work: Callable[[], Outcome],
    open_db: Callable[[], Database],
    deadline: float,
    *,
    retries: int = 0,
    log: RunLog | None = None,
    quiet: bool = False,
    before: Callable[[], None] = lambda: None,
) -> int:
    """Fork a child that calls `work`, wait for it, end the run's row; returns the exit code.

    `work` returns after it has committed (its Outcome is `ok`), or raises. A fault that may pass is tried again with a
    new child, up to `retries` times. `deadline`, in seconds, bounds all of that. What children write to file descriptor
    2 goes into `log`. `before` is called first; a stop signal that comes meanwhile is noted and obeyed after it.
    """
    end = time.monotonic() + deadline
    usual = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until there are handlers
    stopping = _Stopping()
    noise = Noise(log) if log else None
    attempts = 0

    def try_once() -> Ended:
        nonlocal attempts
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until either side has its handlers
        try:
            if stopping.signal is not None:
                return _stopped_before_work(stopping.signal, attempts)
            attempts += 1
            stopping.child = child = _fork(work, usual, log)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, usual)
        said, status, stopped_by = _wait(child, stopping, end, noise)
        whole = said and os.WIFEXITED(status)  # a child killed in mid-sentence hasn't said it all
        if stopping.past_deadline:
            advice = "give it less to do or a later deadline"
            text = f"Stopped at its deadline of {deadline:.0f} s{_where(run, open_db)}; {advice}."
            figures = Ended(**json.loads(said)) if whole else Ended("failed", text, 1)
            return replace(figures, status="failed", message=text, exit_code=1, passes=False)
        if whole:
            return Ended(**json.loads(said))
        return _ended_without_a_word(status, stopped_by, _where(run, open_db), noise)

    def before_wait(ended: Ended, retry: int, seconds: float) -> None:
        text = f"{ended.message.rstrip('.')}; trying again in {seconds:.0f} s ({retry} of {retries})"
        if log:
            log.write(text, "warning", stage=WAITING)
        with contextlib.suppress(OSError):  # nobody is left to read it
            Stages(quiet=quiet).say(text)
        _note_stage(run, open_db, WAITING)

    with stopping.forwarding(usual):
        before()
        ended = keep_trying(
            try_once,
            retries=retries,
            deadline=end - time.monotonic(),
            stopped=lambda: stopping.signal is not None,
            before_wait=before_wait,
        )
        if ended.passes and attempts > 1:
            ended = replace(ended, message=f"{ended.message} It was tried {attempts} times.")
        if ended.passes and attempts <= retries and stopping.signal is None:
            text = f"Its deadline of {deadline:.0f} s left no time to try again."
            ended = replace(ended, message=f"{ended.message} {text}")
        try:
            return _end(run, open_db, ended, attempts)
        except (DeskError, sqlite3.OperationalError):  # another program keeps the store locked
            if log:
                log.write(ended.message, "info" if ended.status == "ok" else "error")
            if ended.status != "ok":
                raise
            return ended.exit_code  # the child has committed, and its row tells


def _fork(work: Callable[[], Outcome], mask: Iterable[int], log: RunLog | None) -> Child:
    """A child in a process group of its own that works; returns in the supervisor alone."""
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    noise = os.pipe() if log else None
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        be_the_child(work, supervisor, mask, (reader, writer), noise, log)
    os.close(writer)
    if noise:
        os.close(noise[1])
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.setpgid(pid, pid)  # done on both sides, so that neither has to wait for the other
    return Child(pid, reader, noise[0] if noise else None)


class _Stopping:
    """Hands a stop signal on to the child: the first as it came, from the second on SIGKILL. With none it is noted."""

    def __init__(self) -> None:
        self.child: Child | None = None
        self.signal: int | None = None
        self.past_deadline = False

    def __call__(self, number: int, _: FrameType | None) -> None:
        self.send(number if self.signal is None else signal.SIGKILL)
        self.signal = number

    def send(self, number: int) -> None:
        """Send a signal to the child's whole process group."""
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, number)

    @contextlib.contextmanager
    def forwarding(self, mask: Iterable[int]) -> Iterator[None]:
        """Obey stop signals for the block; `mask` is set once there are handlers."""
        before = {number: signal.getsignal(number) for number in SIGNALS}
        for number in SIGNALS:
            if before[number] is not signal.SIG_IGN:  # nohup's choice is kept
                signal.signal(number, self)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _wait(child: Child, stopping: _Stopping, end: float, noise: Noise | None) -> tuple[bytes, int, int | None]:
    """What the child said, its wait status, and the stop signal that it was sent; its noise is taken on the way.

    `end` is the deadline's moment (monotonic).
    """
    kill_at: float | None = None
    said = b""
    pipes = [child.pipe] if child.noise is None else [child.pipe, child.noise]

    def read(patience: float) -> bool:
        nonlocal said
        ready = select.select(pipes, [], [], patience)[0]
        for pipe in ready:
            part = os.read(pipe, 65536)
            if not part:
                pipes.remove(pipe)
                os.close(pipe)
            elif pipe == child.pipe:
                said += part
            elif noise:
                noise.feed(part)
        return bool(ready)

    if noise:
        noise.last.clear()
    while True:
        read(0.2 if child.pipe in pipes else 0.01)
        pid, status = os.waitpid(child.pid, os.WNOHANG)
        if pid:
            break
        moment = time.monotonic()
        if kill_at is None and moment > end:
            stopping.past_deadline = True
            stopping.send(signal.SIGTERM)
            kill_at = moment + KILL_AFTER
        elif kill_at is not None and moment > kill_at:
            stopping.send(signal.SIGKILL)
    stopped_by = stopping.signal
    stopping.send(signal.SIGKILL)  # what the work itself started and left behind
    stopping.child = None
    for _ in range(64):  # all that the child has left; not for ever, since what escaped its group may go on writing
        if not read(0):
            break
    for pipe in pipes:
        os.close(pipe)
    if noise:
        noise.close()
    return said, status, stopped_by


def _end(run: int, open_db: Callable[[], Database], ended: Ended, attempts: int) -> int:
    """End the row if the child hasn't, and return the exit code."""
    db = open_db()
    try:
        row = table(db, "runs").get(run)
        if row["status"] == "running" or attempts > 1:
            with writing(db):
                if row["status"] == "running":
                    runs.finish(db, run, ended)
                if attempts > 1:
                    figure = {"run": run, "name": "attempts", "value": float(attempts), "json": str(attempts)}
                    table(db, "metrics").insert(figure, replace=True)
        # where the child committed, its row tells
        return ended.exit_code if row["status"] == "running" else int(row["exit_code"] or 0)
    finally:
        db.close()


def _where(run: int, open_db: Callable[[], Database]) -> str:
    """The stage that the run is in, as a part of a sentence; "" where the store is locked just now."""
    stage = None
    with contextlib.suppress(DeskError, sqlite3.Error):
        db = open_db()
        try:
            stage = table(db, "runs").get(run)["stage"]
        finally:
            db.close()
    return f" in the stage {stage}" if stage and stage != WAITING else ""


def _note_stage(run: int, open_db: Callable[[], Database], stage: str | None) -> None:
    """Say in the row where the run is; that the store is locked just now is no reason to give up."""
    with contextlib.suppress(DeskError, sqlite3.Error):
        db = open_db()
        try:
            with writing(db):
                table(db, "runs").update(run, {"stage": stage})
        finally:
            db.close()


def _stopped_before_work(number: int, attempts: int) -> Ended:
    when = "while it waited to try again" if attempts else "before it began"
    text = f"Interrupted by {signal.Signals(number).name} {when}; nothing of it was kept. Run it again."
    return Ended("failed", text, 128 + number)


def _ended_without_a_word(status: int, stopped_by: int | None, where: str, noise: Noise | None) -> Ended:
    """The end of a child that died; what it last wrote comes out on stderr, unless that has nothing to do with it."""
    if os.WIFSIGNALED(status) and stopped_by is not None:
        name = signal.Signals(stopped_by).name
        text = f"Interrupted by {name}{where} and killed, since it didn't end; nothing of it was kept. Run it again."
        return Ended("failed", text, 128 + stopped_by)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        text = f"The run's process was killed by {name}{where}"
    else:
        name, text = "", f"The run's process ended with status {os.waitstatus_to_exitcode(status)}{where}"
    if name == "SIGKILL":
        return Ended("failed", f"{text}; the machine may have run out of memory.", 1)
    if noise is None or not noise.last:
        return Ended("failed", f"{text}.", 1)
    with contextlib.suppress(OSError):  # nobody is left to read it
        print(*(printable(line) for line in noise.last), sep="\n", file=sys.stderr, flush=True)
    return Ended("failed", f"{text}; what it last wrote is above.", 1)
