"""The forked child that does a run's work: how every way of ending becomes an Outcome, and how it hears stop signals.

The supervisor (lib.supervise) forks it, reads what it says and ends the row whatever becomes of it.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from types import FrameType
from typing import NoReturn

from lib.errors import PASSING, DeskError, as_desk_error
from lib.files import shown
from lib.logs import RunLog, keep_noise
from lib.retrying import Ended
from lib.runs import Outcome

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
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


def be_the_child(
    work: Callable[[], Outcome],
    supervisor: int,
    mask: Iterable[int],
    words: tuple[int, int],
    noise: tuple[int, int] | None,
    log: RunLog | None,
) -> NoReturn:
    """The child's whole life; it never returns into the supervisor's code. `words` and `noise` are pipes."""
    code = 1
    try:
        os.close(words[0])
        if noise:
            os.close(noise[0])
            keep_noise(noise[1])
        with contextlib.suppress(PermissionError):
            os.setpgid(0, 0)
        _end_with(supervisor)
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _interrupt)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        outcome = attempt(work, log)
        code = outcome.exit_code
        _ignore_signals()  # nothing is left to be interrupted
        os.write(words[1], json.dumps(asdict(outcome), default=str).encode())
    except BrokenPipeError:
        pass  # the supervisor was killed: the next start ends the row
    except BaseException:
        traceback.print_exc()
        _log_traceback(log)
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _log_traceback(log: RunLog | None) -> None:
    if log:
        log.write(traceback.format_exc().rstrip(), "error")


def attempt(work: Callable[[], Outcome], log: RunLog | None = None) -> Outcome:
    """Call `work`; every way of failing becomes an Outcome. A bug's traceback goes to stderr and into the log."""
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
            _log_traceback(log)
            return Outcome("failed", f"A bug: {type(fault).__name__}: {fault}. The traceback is above.", 1)
        return failure(known)


def failure(fault: DeskError) -> Outcome:
    """The Outcome that an expected fault comes to, with whether it may pass."""
    return Ended("failed", sentence(str(fault)), fault.exit_code, passes=isinstance(fault, PASSING))


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
