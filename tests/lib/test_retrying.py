"""Trying again: faults that pass, within the deadline, in one row, and with waits that a stop signal ends."""

import signal
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from lib import retrying
from lib.retrying import Ended
from lib.store import STORE
from tests.lib.supervised import BEGINS, RUNS, ended, last_row, metrics


@pytest.fixture
def supervised(start: Callable) -> Callable[[str], subprocess.Popen[str]]:
    """Start a job whose `work` is given."""
    return lambda work: start(BEGINS + textwrap.dedent(work) + RUNS)


@pytest.mark.parametrize("fault", ["SourceDown", "Busy"])
def test_a_fault_that_passes_is_tried_again_in_the_same_row(data: Path, supervised: Callable, fault: str):
    job = supervised(f"""
        options = {{"retries": 3}}

        def work():
            if nth() < 3:
                raise {fault}("the source is away")
            return commit(metrics={{"topics": 3}})
    """)
    code, err = ended(job)
    assert code == 0
    assert [line.split(" ", 1)[1] for line in err.splitlines()] == [
        "The source is away; trying again in 0 s (1 of 3)",
        "The source is away; trying again in 0 s (2 of 3)",
    ]
    row = last_row(data)
    assert (row["id"], row["status"], row["message"]) == (1, "ok", "Done.")
    assert metrics(data) == {"topics": 3, "attempts": 3}


def test_a_fault_that_doesnt_pass_after_all_is_told_with_its_exit_code(data: Path, supervised: Callable):
    job = supervised("""
        options = {"retries": 2, "quiet": True}

        def work():
            nth()
            raise SourceDown("the source is away")
    """)
    assert ended(job) == (69, "")
    row = last_row(data)
    assert (row["status"], row["exit_code"]) == ("failed", 69)
    assert row["message"] == "The source is away. It was tried 3 times."
    assert metrics(data) == {"attempts": 3}
    assert (data / "attempts").read_text() == "xxx"


@pytest.mark.parametrize(
    "end",
    [
        'raise SourceUnavailable("not there")',
        'raise BadData("bad")',
        'raise BadSettings("bad")',
        'raise NotPermitted("no")',
        "raise ValueError",
        "os._exit(3)",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)",
    ],
)
def test_what_doesnt_pass_is_not_tried_again(data: Path, supervised: Callable, end: str):
    job = supervised(f"""
        options = {{"retries": 3}}

        def work():
            nth()
            {end}
    """)
    assert ended(job)[0] != 0
    assert (data / "attempts").read_text() == "x"
    assert last_row(data)["status"] == "failed"
    assert metrics(data) == {}


def test_no_retries_is_none(data: Path, supervised: Callable):
    job = supervised("""
        def work():
            nth()
            raise SourceDown("the source is away")
    """)
    assert ended(job) == (69, "")
    assert last_row(data)["message"] == "The source is away."


WAITS = """
options = {"retries": 3}
retrying.FIRST_WAIT = 45.0
retrying.LONGEST_WAIT = 600.0

def work():
    nth()
    subprocess.Popen(["sleep", "60"])
    raise SourceDown("the source is away")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=["TERM", "INT", "HUP"])
def test_a_stop_signal_ends_the_wait_at_once(data: Path, supervised: Callable, until: Callable, number: signal.Signals):
    job = supervised(WAITS)
    until(lambda: (data / STORE).exists() and (data / "attempts").exists())
    until(lambda: last_row(data)["stage"] == "waiting to try again")
    assert last_row(data)["status"] == "running"
    job.send_signal(number)
    code, err = ended(job)
    assert code == 128 + number
    assert err.endswith("The source is away; trying again in 45 s (1 of 3)\n")
    row = last_row(data)
    assert (row["status"], row["exit_code"]) == ("failed", 128 + number)
    assert row["message"].startswith(f"Interrupted by {number.name} while it waited to try again; ")
    assert (data / "attempts").read_text() == "x"


def test_a_wait_that_would_reach_past_the_deadline_isnt_begun(data: Path, supervised: Callable):
    job = supervised(f"{WAITS}\ndeadline = 30.0")
    assert ended(job) == (69, "")
    assert last_row(data)["message"] == "The source is away. Its deadline of 30 s left no time to try again."


def test_the_deadline_bounds_all_attempts_together(data: Path, supervised: Callable):
    job = supervised("""
        deadline = 1.0
        options = {"retries": 99, "quiet": True}

        def work():
            nth()
            time.sleep(0.3)
            raise SourceDown("the source is away")
    """)
    assert ended(job)[0] in (1, 69)  # in the midst of an attempt, or of a wait
    assert len((data / "attempts").read_text()) < 6


def test_a_stop_signal_before_the_work_begins_is_obeyed(data: Path, supervised: Callable):
    job = supervised("""
        options = {"before": lambda: os.kill(os.getpid(), signal.SIGTERM)}

        def work():
            nth()
            return commit()
    """)
    assert ended(job) == (143, "")
    assert last_row(data)["message"].startswith("Interrupted by SIGTERM before it began; ")
    assert not (data / "attempts").exists()


def test_the_waits_double_up_to_ten_minutes(monkeypatch: pytest.MonkeyPatch):
    moment = 0.0

    def sleep(seconds: float) -> None:
        nonlocal moment
        moment += seconds

    monkeypatch.setattr(retrying, "_STEP", 1000.0)
    monkeypatch.setattr(retrying.time, "monotonic", lambda: moment)
    monkeypatch.setattr(retrying.time, "sleep", sleep)
    waits: list[float] = []
    ended = retrying.keep_trying(
        lambda: Ended("failed", "Away.", 69, passes=True),
        retries=7,
        deadline=1e9,
        stopped=lambda: False,
        before_wait=lambda ended, retry, seconds: waits.append(seconds),
    )
    assert waits == [30, 60, 120, 240, 480, 600, 600]
    assert moment == sum(waits)
    assert ended.exit_code == 69
