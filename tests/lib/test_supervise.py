"""The supervisor: whatever becomes of the work, its row ends and the exit code tells."""

import os
import signal
import sqlite3
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lib import runs, supervise
from lib.errors import BadData
from lib.store import STORE, open_store, rows
from tests.lib.supervised import BEGINS, RUNS, ended, last_row


@pytest.fixture
def supervised(start: Callable) -> Callable[[str], subprocess.Popen[str]]:
    """Start a job whose `work` is given."""
    return lambda work: start(BEGINS + textwrap.dedent(work) + RUNS)


def test_work_that_commits_ends_ok(data: Path, supervised: Callable):
    job = supervised("""
        def work():
            return commit(metrics={"topics": 3}, stages={"reading": 0.5})
    """)
    assert ended(job) == (0, "")
    row = last_row(data)
    assert (row["status"], row["message"], row["committed"], row["exit_code"]) == ("ok", "Done.", 1, 0)
    db = open_store(data)
    assert rows(db, "SELECT name, json FROM metrics") == [{"name": "topics", "json": "3"}]
    db.close()


def test_an_expected_fault_ends_with_its_exit_code_and_sentence(data: Path, supervised: Callable):
    job = supervised("""
        def work():
            raise BadData("the archive is not an archive; fetch it again")
    """)
    assert ended(job) == (65, "")
    row = last_row(data)
    assert (row["status"], row["exit_code"]) == ("failed", 65)
    assert row["message"] == "The archive is not an archive; fetch it again."


def test_a_librarys_exception_that_people_can_mend_ends_as_such(data: Path, supervised: Callable):
    job = supervised("""
        import errno

        def work():
            raise OSError(errno.ENOSPC, "No space left on device", "data/model.keras")
    """)
    assert ended(job) == (73, "")
    assert "an't write data/model.keras: No space left on device" in last_row(data)["message"]


def test_a_bug_leaves_a_traceback_and_a_failed_row(data: Path, supervised: Callable):
    job = supervised("""
        def work():
            return 1 / 0
    """)
    code, err = ended(job)
    assert code == 1
    assert err.startswith("Traceback")
    assert err.endswith("ZeroDivisionError: division by zero\n")
    row = last_row(data)
    assert (row["status"], row["exit_code"]) == ("failed", 1)
    assert row["message"] == "A bug: ZeroDivisionError: division by zero. The traceback is above."


def test_a_sentence_longer_than_a_pipe_holds_arrives_whole(data: Path, supervised: Callable):
    job = supervised("""
        def work():
            raise BadData("x" * 300_000)
    """)
    assert ended(job) == (65, "")
    assert len(last_row(data)["message"]) == 300_001


def test_work_that_ends_its_process_is_marked_failed(data: Path, supervised: Callable):
    job = supervised("""
        def work():
            stage("reading")
            os._exit(7)
    """)
    assert ended(job)[0] == 1
    assert last_row(data)["message"] == "The run's process ended with status 7 in the stage reading."


def test_a_run_killed_while_working_is_marked_failed_by_its_supervisor(data: Path, supervised: Callable):
    job = supervised("""
        def work():
            stage("training")
            ready()
            time.sleep(60)
    """)
    os.kill(int(job.stdout.readline()), signal.SIGKILL)
    assert ended(job) == (1, "")
    row = last_row(data)
    assert row["status"] == "failed"
    assert "killed by SIGKILL in the stage training" in row["message"]
    assert "out of memory" in row["message"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)], ids=["TERM", "INT", "HUP"]
)
def test_a_signal_interrupts_the_work_and_the_row_says_so(
    data: Path, supervised: Callable, number: signal.Signals, code: int
):
    job = supervised("""
        def work():
            try:
                ready()
                time.sleep(60)
            except Exception:
                pass  # no handler of ordinary failures swallows it
            finally:
                (data / "cleaned").touch()
    """)
    job.stdout.readline()
    job.send_signal(number)
    assert ended(job) == (code, "")
    row = last_row(data)
    assert (row["status"], row["exit_code"], row["committed"]) == ("failed", code, 0)
    assert row["message"] == f"Interrupted by {number.name}; nothing of it was kept. Run it again."
    assert (data / "cleaned").exists()


def test_a_hangup_that_nohup_put_off_stays_put_off(data: Path, supervised: Callable):
    job = supervised("""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

        def work():
            go()
            return commit()
    """)
    job.stdout.readline()
    job.send_signal(signal.SIGHUP)
    (data / "go").touch()
    assert ended(job) == (0, "")


def test_a_child_that_ignores_the_first_signal_is_killed_by_the_second(
    data: Path, supervised: Callable, until: Callable
):
    job = supervised("""
        def ignore(number, _):
            (data / "ignored").touch()

        def work():
            signal.signal(signal.SIGTERM, ignore)
            ready()
            while True:
                time.sleep(60)
    """)
    job.stdout.readline()
    job.terminate()
    until((data / "ignored").exists)
    assert job.poll() is None
    job.terminate()
    assert ended(job) == (143, "")
    row = last_row(data)
    assert (row["status"], row["exit_code"]) == ("failed", 143)
    assert "SIGTERM" in row["message"]
    assert "memory" not in row["message"]


def test_a_run_past_its_deadline_is_stopped_and_the_row_says_so(data: Path, supervised: Callable):
    job = supervised("""
        deadline = 0.6

        def work():
            stage("training")
            time.sleep(60)
    """)
    assert ended(job) == (1, "")
    row = last_row(data)
    assert (row["status"], row["exit_code"]) == ("failed", 1)
    assert row["message"].startswith("Stopped at its deadline of ")
    assert " in the stage training; " in row["message"]


def test_a_run_that_ignores_its_deadline_is_killed(data: Path, supervised: Callable):
    job = supervised("""
        deadline = 0.6
        supervise.KILL_AFTER = 0.2

        def work():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                time.sleep(60)
    """)
    assert ended(job) == (1, "")
    assert last_row(data)["message"].startswith("Stopped at its deadline of ")


@pytest.mark.skipif("sys.platform != 'linux'", reason="elsewhere the child goes on and keeps the lock")
def test_a_supervisor_killed_outright_takes_its_child_along_and_the_next_start_says_crashed(
    data: Path, supervised: Callable, until: Callable
):
    job = supervised("""
        def work():
            stage("training")
            ready()
            time.sleep(60)
    """)
    job.stdout.readline()
    job.kill()
    assert ended(job) == (-signal.SIGKILL, "")
    lock = until(lambda: runs.take_lock(data, "job"))
    os.close(lock)
    assert last_row(data)["status"] == "running"
    again = supervised("""
        def work():
            return commit()
    """)
    assert ended(again) == (0, "")
    db = open_store(data)
    first, second = rows(db, "SELECT status, message FROM runs ORDER BY id")
    db.close()
    assert first["status"] == "crashed"
    assert "in the stage training" in first["message"]
    assert second["status"] == "ok"


def test_a_signal_during_the_commit_doesnt_lose_it(data: Path, supervised: Callable):
    job = supervised("""
        def work():
            outcome = Outcome("ok", "Done.", 0)
            db = open_db()
            with supervise.uninterrupted(), writing(db):
                runs.commit(db, run, outcome)
                os.kill(os.getppid(), signal.SIGTERM)
                time.sleep(0.3)
            db.close()
            (data / "tidied").touch()
            return outcome
    """)
    assert ended(job) == (0, "")
    row = last_row(data)
    assert (row["status"], row["committed"], row["message"]) == ("ok", 1, "Done.")
    assert (data / "tidied").exists()


def test_a_signal_during_the_commit_of_work_with_threads_doesnt_lose_it(data: Path, supervised: Callable):
    job = supervised("""
        def work():
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            outcome = Outcome("ok", "Done.", 0)
            db = open_db()
            with supervise.uninterrupted(), writing(db):
                os.kill(os.getpid(), signal.SIGTERM)  # the kernel gives it to any thread that takes it
                time.sleep(0.1)
                runs.commit(db, run, outcome)
            db.close()
            return outcome
    """)
    assert ended(job) == (0, "")
    assert last_row(data)["status"] == "ok"


@pytest.fixture
def came() -> Iterator[list[int]]:
    """The stop signals that this process got."""
    numbers: list[int] = []
    before = {number: signal.signal(number, lambda number, _: numbers.append(number)) for number in supervise.SIGNALS}
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


def test_after_a_commit_that_succeeds_signals_come_too_late(came: list[int]):
    with supervise.uninterrupted():
        os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert came == []


def test_after_a_commit_that_fails_the_signal_that_waited_comes(came: list[int]):
    with pytest.raises(RuntimeError), supervise.uninterrupted():
        os.kill(os.getpid(), signal.SIGTERM)
        assert came == []
        raise RuntimeError
    assert came == [signal.SIGTERM]
    os.kill(os.getpid(), signal.SIGINT)
    assert came == [signal.SIGTERM, signal.SIGINT]


@pytest.fixture
def locked(data: Path) -> Iterator[Callable[[], sqlite3.Connection]]:
    """Lock the store as another program would."""
    held: list[sqlite3.Connection] = []

    def lock() -> sqlite3.Connection:
        connection = sqlite3.connect(data / STORE)
        held.append(connection)
        connection.execute("BEGIN EXCLUSIVE")
        return connection

    yield lock
    for connection in held:
        connection.close()


def test_a_signal_while_the_row_is_being_ended_doesnt_leave_it_running(
    data: Path, supervised: Callable, until: Callable, locked: Callable
):
    job = supervised("""
        def work():
            ready()
            time.sleep(60)
    """)
    child = int(job.stdout.readline())
    other = locked()
    os.kill(child, signal.SIGKILL)
    until(lambda: not exists(child))
    job.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        job.wait(0.3)
    other.rollback()
    assert ended(job) == (1, "")
    assert last_row(data)["status"] == "failed"


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_the_work_left_behind_is_killed(data: Path, supervised: Callable):
    job = supervised("""
        def work():
            subprocess.Popen(["sleep", "60"])  # holds stderr open, which `ended` waits for
            if os.fork() == 0:
                time.sleep(60)
            return commit()
    """)
    assert ended(job) == (0, "")
    lock = runs.take_lock(data, "job")
    assert lock is not None
    os.close(lock)


def test_a_deadline_ends_the_whole_group_also_what_has_escaped_the_child(
    data: Path, supervised: Callable, until: Callable
):
    job = supervised("""
        deadline = 0.6
        supervise.KILL_AFTER = 0.2

        def work():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if os.fork() == 0 and os.fork() == 0:
                print(os.getpid(), flush=True)  # a grandchild, of the child's group
            time.sleep(60)
    """)
    grandchild = int(job.stdout.readline())
    assert ended(job) == (1, "")
    until(lambda: gone(grandchild))


def gone(pid: int) -> bool:
    """Whether a process has ended; on Linux one that nobody has waited for counts."""
    state = Path(f"/proc/{pid}/stat")
    return not exists(pid) or (state.exists() and ") Z " in state.read_text())


def test_what_the_work_printed_is_printed_once(supervised: Callable):
    job = supervised("""
        print("before")

        def work():
            print("within")
            return commit()
    """)
    assert job.communicate(timeout=20) == ("before\nwithin\n", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("the store is damaged", "The store is damaged."),
        ("data/articles has no articles", "data/articles has no articles."),
        ("nightdesk.toml is not valid TOML", "nightdesk.toml is not valid TOML."),
        ("Why?", "Why?"),
    ],
)
def test_a_message_becomes_a_sentence(text: str, said: str):
    assert supervise.sentence(text) == said
    assert supervise.failure(BadData(text)).message == said
