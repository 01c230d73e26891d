"""Try again what may pass: with waits that grow, so many times, and never past the deadline.

    ended = keep_trying(attempt, retries=3, deadline=7200.0, stopped=lambda: False, before_wait=say)

A fault passes where a later try may not meet it: a source that is down, a store that another program keeps locked.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lib.runs import Outcome

if TYPE_CHECKING:
    from tenacity import RetryCallState

FIRST_WAIT = 30.0  # seconds before the first retry; each wait is twice the one before
LONGEST_WAIT = 600.0
_STEP = 0.05  # seconds between two looks for a stop signal


@dataclass(frozen=True)
class Ended(Outcome):
    """An Outcome with what only the supervisor needs to know: whether another try, some time later, may go better."""

    passes: bool = False


def keep_trying(
    attempt: Callable[[], Ended],
    *,
    retries: int,
    deadline: float,
    stopped: Callable[[], bool],
    before_wait: Callable[[Ended, int, float], None],
) -> Ended:
    """Call `attempt` until it ends well, or in a way that doesn't pass, or `retries` are used up; returns the last end.

    A wait that would reach past `deadline` (seconds from now) isn't begun. One during which `stopped()` turns true
    ends at once, and `attempt` is called to say so. `before_wait` gets how the attempt ended, the number of the retry
    to come and the seconds until then.
    """
    from tenacity import Retrying, retry_if_result, stop_after_attempt, stop_before_delay, wait_exponential

    def result(state: "RetryCallState") -> Ended:
        assert state.outcome is not None
        ended = state.outcome.result()
        assert isinstance(ended, Ended)
        return ended

    def wait(seconds: float) -> None:
        end = time.monotonic() + seconds
        while not stopped() and (left := end - time.monotonic()) > 0:
            time.sleep(min(_STEP, left))

    retrying = Retrying(
        retry=retry_if_result(lambda ended: ended.passes and not stopped()),
        stop=stop_after_attempt(retries + 1) | stop_before_delay(deadline),
        wait=wait_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT),
        sleep=wait,
        before_sleep=lambda state: before_wait(result(state), state.attempt_number, state.upcoming_sleep),
        retry_error_callback=result,
    )
    return retrying(attempt)
