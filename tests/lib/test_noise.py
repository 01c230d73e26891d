"""Noise: what goes past people to file descriptor 2 of a run is in its log, and the last words of a crash are shown."""

import os
import signal
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from lib import logs, runs
from lib.logs import read_log
from tests.lib.supervised import BEGINS, RUNS, ended, last_row


@pytest.fixture
def supervised(start: Callable) -> Callable[[str], subprocess.Popen[str]]:
    """Start a job whose `work` is given."""
    return lambda work: start(BEGINS + textwrap.dedent(work) + RUNS)


def noise(data: Path) -> list[str]:
    return [entry["message"] for entry in read_log(data / "log.jsonl") if entry["level"] == "noise"]


def test_noise_goes_into_the_log_and_what_is_said_to_people_to_them(data: Path, supervised: Callable):
    job = supervised("""
        options = kept()

        def work():
            os.write(2, b"a banner\\n")
            subprocess.run(["sh", "-c", "echo a child >&2"])
            print("for people", file=sys.stderr)
            os.write(2, b"no end of line")
            return commit()
    """)
    assert ended(job) == (0, "for people\n")
    assert noise(data) == ["a banner", "a child", "no end of line"]


def test_megabytes_of_noise_hold_nobody_up(data: Path, supervised: Callable):
    job = supervised("""
        options = kept()

        def work():
            os.write(2, b"x" * 99 + b"\\n" * 2)
            for _ in range(100):
                os.write(2, (b"x" * 99 + b"\\n") * 1000)
            return commit()
    """)
    assert ended(job) == (0, "")
    assert (data / "log.jsonl").stat().st_size < 3_000_000
    said = [entry["message"] for entry in read_log(data / "log.jsonl") if entry["level"] == "warning"]
    assert len(said) == 1
    assert "bytes of noise too many" in said[0]


def test_noise_without_end_doesnt_put_off_the_deadline(data: Path, supervised: Callable):
    job = supervised("""
        deadline = 0.6
        options = kept()

        def work():
            subprocess.run("trap '' TERM; while :; do echo noise >&2; done", shell=True)
    """)
    assert ended(job) == (1, "")
    assert last_row(data)["message"].startswith("Stopped at its deadline")


@pytest.mark.parametrize(
    ("crash", "name"), [("ctypes.string_at(0)", "SIGSEGV"), ("os.abort()", "SIGABRT")], ids=["segfault", "abort"]
)
def test_the_last_words_of_a_crash_are_in_the_log_and_shown(data: Path, supervised: Callable, crash: str, name: str):
    job = supervised(f"""
        import ctypes

        options = kept()

        def work():
            stage("training")
            os.write(2, b"the library says \\x1b[31mwhy")
            {crash}
    """)
    code, err = ended(job)
    assert code == 1
    assert "the library says \\x1b[31mwhy" in err
    assert "Fatal Python error" in err
    assert err.splitlines() == [logs.printable(line) for line in noise(data)]
    row = last_row(data)
    assert (
        row["message"] == f"The run's process was killed by {name} in the stage training; what it last wrote is above."
    )


def test_a_bugs_traceback_is_on_stderr_and_in_the_log(data: Path, supervised: Callable):
    job = supervised("""
        options = kept()

        def work():
            os.write(2, b"noise\\n")
            return 1 / 0
    """)
    _, err = ended(job)
    (said,) = [entry["message"] for entry in read_log(data / "log.jsonl") if entry["level"] == "error"]
    assert err.startswith("Traceback")
    assert "noise" not in err
    assert said == err.rstrip()


@pytest.mark.skipif("sys.platform != 'linux'", reason="elsewhere the child goes on")
def test_a_supervisor_killed_outright_leaves_the_noise_that_it_has_read(
    data: Path, supervised: Callable, until: Callable
):
    job = supervised("""
        options = kept()

        def work():
            os.write(2, b"noise\\n")
            time.sleep(60)
    """)
    until(lambda: noise(data))
    job.kill()
    assert ended(job)[0] == -signal.SIGKILL
    os.close(until(lambda: runs.take_lock(data, "job")))
    assert noise(data) == ["noise"]


def test_faults_of_threads_are_on_stderr_and_in_the_log_and_ignored_ones_in_the_log_alone(
    data: Path, supervised: Callable
):
    job = supervised("""
        from lib import logs

        options = kept()

        class Leaves:
            def __del__(self):
                raise KeyError("ignored")

        def work():
            logs.listen(options["log"], lambda: "training")
            thread = threading.Thread(target=lambda: 1 / 0)
            thread.start()
            thread.join()
            Leaves()
            return commit()
    """)
    code, err = ended(job)
    assert code == 0
    assert "ZeroDivisionError" in err
    assert "ignored" not in err
    (entry,) = [entry for entry in read_log(data / "log.jsonl") if entry["level"] == "error"]
    assert ("ZeroDivisionError" in entry["message"], entry["stage"]) == (True, "training")
    assert any("ignored" in line for line in noise(data))
