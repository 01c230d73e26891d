"""A job is a small supervisor: it holds the lock and the deadline, and a forked child does the work.

The child opens the store, works, and commits its results together with its row; then it tells the supervisor how it
went. Whatever becomes of the child, the supervisor ends the row. When the supervisor itself is killed, the kernel asks
its child to end (Linux), and the child's share of the lock keeps others out until it has.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from types import FrameType
from typing import NoReturn

from sqlite_utils import Database

from lib import runs
from lib.errors import DeskError, as_desk_error
from lib.files import shown
from lib.runs import Outcome
from lib.store import table, writing

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
KILL_AFTER = 20.0  # seconds between a deadline's TERM and its KILL
_PR_SET_PDEATHSIG = 1  # prctl(2)


class Interrupted(BaseException):
    """A signal asked the run to end. Not an Exception: no handler for ordinary failures may swallow it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@dataclass
class Stop:
    """The stop signal that came; None while none has."""

    came: signal.Signals | None = None


@dataclass(frozen=True)
class Child:
    """What the supervisor knows of the process that works."""

    pid: int
    pipe: int


def supervise(run: int, work: Callable[[], Outcome], open_db: Callable[[], Database], deadline: float) -> int:
    """Fork a child that calls `work`, wait for it, end the run's row; returns the exit code.

    `work` returns after it has committed (its Outcome is `ok`), or raises. `deadline` is in seconds.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    supervisor = os.getpid()
    held_back = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until either side has its handlers
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _be_the_child(work, writer, supervisor, held_back)
    os.close(writer)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.setpgid(pid, pid)  # done on both sides, so that neither has to wait for the other
    child = Child(pid, reader)
    stopping = _Stopping(child)
    with stopping.forwarding(held_back):
        said, status = _wait(child, stopping, deadline)
        return _end(run, open_db, said, status, stopping, deadline)


class _Stopping:
    """Hands a stop signal on to the child: the first as it came, from the second on SIGKILL."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.signal: int | None = None
        self.past_deadline = False
        self.child_is_gone = False

    def __call__(self, number: int, _: FrameType | None) -> None:
        if self.child_is_gone:  # only the row is left to be ended
            return
        self.send(number if self.signal is None else signal.SIGKILL)
        self.signal = number

    def send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, number)

    @contextlib.contextmanager
    def forwarding(self, mask: Iterable[int]) -> Iterator[None]:
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


def _wait(child: Child, stopping: _Stopping, deadline: float) -> tuple[bytes, int]:
    """What the child wrote into its pipe, and its wait status."""
    end = time.monotonic() + deadline
    kill_at: float | None = None
    said = b""
    pipe_open = True
    while True:
        if pipe_open and select.select([child.pipe], [], [], 0.2)[0]:
            part = os.read(child.pipe, 65536)
            said += part
            pipe_open = bool(part)
        elif not pipe_open:
            time.sleep(0.01)
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
    while pipe_open and select.select([child.pipe], [], [], 0)[0] and (part := os.read(child.pipe, 65536)):
        said += part
    os.close(child.pipe)
    stopping.send(signal.SIGKILL)  # what the work itself started and left behind
    stopping.child_is_gone = True
    return said, status


def _end(
    run: int,
    open_db: Callable[[], Database],
    said: bytes,
    status: int,
    stopping: _Stopping,
    deadline: float,
) -> int:
    """End the row if the child hasn't, and return the exit code."""
    db = open_db()
    try:
        row = table(db, "runs").get(run)
        if row["status"] != "running":  # the child committed
            return int(row["exit_code"] or 0)
        outcome = _outcome(said, status, row["stage"], stopping.signal)
        if stopping.past_deadline:
            where = f" in the stage {row['stage']}" if row["stage"] else ""
            text = f"Stopped at its deadline of {deadline:.0f} s{where}; give it less to do or a later deadline."
            outcome = Outcome("failed", text, 1, outcome.metrics, outcome.rejected, outcome.stages)
        with writing(db):
            runs.finish(db, run, outcome)
        return outcome.exit_code
    finally:
        db.close()


def _outcome(said: bytes, status: int, stage: str | None, stopped_by: int | None) -> Outcome:
    if said and os.WIFEXITED(status):  # a child killed in mid-sentence hasn't said it all
        return Outcome(**json.loads(said))
    where = f" in the stage {stage}" if stage else ""
    if os.WIFSIGNALED(status) and stopped_by is not None:
        name = signal.Signals(stopped_by).name
        text = f"Interrupted by {name}{where} and killed, since it didn't end; nothing of it was kept. Run it again."
        return Outcome("failed", text, 128 + stopped_by)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        hint = "; the machine may have run out of memory" if name == "SIGKILL" else ""
        return Outcome("failed", f"The run's process was killed by {name}{where}{hint}.", 1)
    return Outcome("failed", f"The run's process ended with status {os.waitstatus_to_exitcode(status)}{where}.", 1)


def _be_the_child(work: Callable[[], Outcome], pipe: int, supervisor: int, mask: Iterable[int]) -> NoReturn:
    """The child's whole life; it never returns into the supervisor's code."""
    code = 1
    try:
        with contextlib.suppress(PermissionError):
            os.setpgid(0, 0)
        _end_with(supervisor)
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _interrupt)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        outcome = attempt(work)
        code = outcome.exit_code
        _ignore_signals()  # nothing is left to be interrupted
        os.write(pipe, json.dumps(asdict(outcome), default=str).encode())
    except BrokenPipeError:
        pass  # the supervisor was killed: the next start ends the row
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def attempt(work: Callable[[], Outcome]) -> Outcome:
    """Call `work`; every way of failing becomes an Outcome."""
    try:
        return work()
    except Interrupted as stop:
        return Outcome("failed", f"Interrupted by {stop}; nothing of it was kept. Run it again.", 128 + stop.number)
    except DeskError as fault:
        return failure(fault)
    except Exception as fault:
        known = as_desk_error(fault)
        if known is None:
            traceback.print_exc()
            return Outcome("failed", f"A bug: {type(fault).__name__}: {fault}. The traceback is above.", 1)
        return failure(known)


def failure(fault: DeskError) -> Outcome:
    """The Outcome that an expected fault comes to."""
    return Outcome("failed", sentence(str(fault)), fault.exit_code)


def sentence(text: str) -> str:
    """A message as a sentence: a capital letter unless it starts with a path, and a full stop."""
    text = shown(text)
    first = text.split(" ", 1)[0]
    if not any(mark in first for mark in "/._"):
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def stop_gently() -> Stop:
    """For work that ends early but whole: from now on a stop signal is noted in what this returns, and raises nothing.

    A second one still ends it: the supervisor sends SIGKILL.
    """
    stop = Stop()

    def note(number: int, _: FrameType | None) -> None:
        stop.came = stop.came or signal.Signals(number)

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, note)
    return stop


def _interrupt(number: int, _: FrameType | None) -> None:
    _ignore_signals()  # one is enough: the way out is not interrupted again
    raise Interrupted(number)


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _end_with(supervisor: int) -> None:
    """Ask the kernel for a SIGTERM when the supervisor dies. Elsewhere than on Linux the shared lock has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:  # it died before the request
            os.kill(os.getpid(), signal.SIGTERM)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """For a commit, the last thing that a child does: stop signals wait, and if it succeeds they come too late.

    By handlers, since a mask holds for one thread: the kernel would pick another, and Python acts on it in this one.
    """
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for each in SIGNALS:
        signal.signal(each, lambda number, _: came.append(number))
    try:
        yield
    except BaseException:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
        raise
    _ignore_signals()
