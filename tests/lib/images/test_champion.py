"""The champion is whole, whatever happens: its files follow the registry, also after a kill at any line."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from lib import runs
from lib.errors import Busy, CannotWrite, SourceUnavailable
from lib.files import sha256_of
from lib.images import champion, tables
from lib.images.champion import load_champion, rollback, settle
from lib.images.saving import stage_file
from lib.store import open_store
from tests.lib.images.nights import assert_in_line, files, night, states

ROOT = Path(__file__).parents[3]
EVERY = 3  # of the lines to be killed at is tried; all of them take half a minute


@pytest.fixture
def db(data: Path) -> Iterator[Database]:
    store = open_store(data, [tables.migrations])
    yield store
    store.close()


def test_the_first_model_becomes_the_champion(db: Database, data: Path) -> None:
    run = night(db, data, "2024-05-01", b"one")
    assert states(db) == {run: "champion"}
    assert files(data) == {"champion.keras": b"one", f"{run}.keras": b"one"}
    card = json.loads((data / "models" / "champion.json").read_text())
    assert (card["id"], card["state"], card["recipe"]) == (run, "champion", "seed")
    assert card["file"] == {"name": "champion.keras", "sha256": sha256_of(data / "models/champion.keras"), "bytes": 3}
    assert_in_line(db, data)


def test_a_promoted_model_leaves_the_champion_as_the_previous_one_and_the_one_before_goes(
    db: Database, data: Path
) -> None:
    first, second, third = (
        night(db, data, f"2024-05-0{day}", content) for day, content in enumerate((b"1", b"2", b"3"), 1)
    )
    assert states(db) == {first: "retired", second: "previous", third: "champion"}
    assert files(data) == {
        "champion.keras": b"3",
        f"{third}.keras": b"3",
        "previous.keras": b"2",
        f"{second}.keras": b"2",
    }
    assert_in_line(db, data)


def test_a_beaten_model_is_registered_and_its_file_goes(db: Database, data: Path) -> None:
    first = night(db, data, "2024-05-01", b"one")
    second = night(db, data, "2024-05-02", b"two", promote=False)
    assert states(db) == {first: "champion", second: "beaten"}
    assert files(data) == {"champion.keras": b"one", f"{first}.keras": b"one"}


def test_the_champion_outlives_the_result_of_the_run_that_made_it(db: Database, data: Path) -> None:
    first = night(db, data, "2024-05-01", b"one")
    night(db, data, "2024-05-01", b"two", promote=False)  # --force
    assert states(db)[first] == "champion"
    assert_in_line(db, data)


def test_settling_twice_changes_nothing(db: Database, data: Path) -> None:
    night(db, data, "2024-05-01", b"one")
    night(db, data, "2024-05-02", b"two")
    before = {path: path.stat().st_mtime_ns for path in (data / "models").iterdir()}
    assert settle(db, data) == []
    assert {path: path.stat().st_mtime_ns for path in (data / "models").iterdir()} == before


def test_there_is_nothing_to_settle_where_nothing_was_trained(db: Database, data: Path) -> None:
    assert settle(db, data) == []
    assert not (data / "models").exists()


@pytest.mark.parametrize("left", ["champion.keras", "own"])
def test_a_missing_file_is_put_back_from_its_copy(db: Database, data: Path, left: str) -> None:
    run = night(db, data, "2024-05-01", b"one")
    gone = f"{run}.keras" if left == "champion.keras" else "champion.keras"
    (data / "models" / gone).unlink()
    notes = settle(db, data)
    assert_in_line(db, data)
    assert ["missing" in note for note in notes] == ([] if left == "champion.keras" else [True])


def test_a_damaged_champion_is_put_back_and_what_lay_there_is_kept(db: Database, data: Path) -> None:
    night(db, data, "2024-05-01", b"one")
    (data / "models" / "champion.keras").write_bytes(b"on")
    (note,) = settle(db, data)
    assert "damaged" in note
    kept = [path for path in (data / "models").iterdir() if path.name.startswith("unknown-")]
    assert [path.read_bytes() for path in kept] == [b"on"]
    assert kept[0].name in note
    kept[0].unlink()
    assert_in_line(db, data)
    assert settle(db, data) == []


def test_where_all_copies_of_the_champion_are_gone_the_previous_one_takes_its_place(db: Database, data: Path) -> None:
    first = night(db, data, "2024-05-01", b"one")
    second = night(db, data, "2024-05-02", b"two")
    (data / "models" / "champion.keras").write_bytes(b"damaged")
    (data / "models" / f"{second}.keras").unlink()
    notes = settle(db, data)
    assert states(db) == {first: "champion", second: "lost"}
    assert notes[0] == f"No file holds model {second}, the champion, any more."
    assert notes[1] == f"Model {first}, the previous champion, is the champion again."
    assert (data / "models" / "champion.keras").read_bytes() == b"one"
    assert not (data / "models" / "previous.keras").exists()
    next((data / "models").glob("unknown-*")).unlink()
    assert_in_line(db, data)


def test_where_the_whole_folder_is_gone_there_is_no_champion(db: Database, data: Path) -> None:
    first, second = night(db, data, "2024-05-01", b"one"), night(db, data, "2024-05-02", b"two")
    for path in (data / "models").iterdir():
        path.unlink()
    assert len(settle(db, data)) == 2
    assert states(db) == {first: "lost", second: "lost"}
    assert load_champion(db, data) == champion.Standing(None, None)
    third = night(db, data, "2024-05-03", b"three")
    assert states(db)[third] == "champion"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_champion_that_may_not_be_read_is_not_taken_for_lost(db: Database, data: Path) -> None:
    run = night(db, data, "2024-05-01", b"one")
    for path in (data / "models").iterdir():
        path.chmod(0)
    with pytest.raises(PermissionError):
        settle(db, data)
    assert states(db) == {run: "champion"}


def test_what_killed_runs_left_is_removed(db: Database, data: Path) -> None:
    night(db, data, "2024-05-01", b"one")
    stage_file(lambda path: path.write_bytes(b"never committed") and None, data, 99)
    (data / "models" / ".champion.keras.0123456789abcdef.aside").write_bytes(b"half")
    (data / "models" / ".99.keras.0123456789abcdef.aside.keras").write_bytes(b"half")
    assert settle(db, data) == []
    assert_in_line(db, data)


def test_a_folder_in_the_champions_place_is_an_error_and_not_a_loss(db: Database, data: Path) -> None:
    run = night(db, data, "2024-05-01", b"one")
    (data / "models" / "champion.keras").unlink()
    (data / "models" / "champion.keras").mkdir()
    with pytest.raises(CannotWrite, match=r"champion\.keras"):
        settle(db, data)
    assert states(db) == {run: "champion"}


def test_a_rollback_and_another_change_the_two_and_change_them_back(db: Database, data: Path) -> None:
    first, second = night(db, data, "2024-05-01", b"one"), night(db, data, "2024-05-02", b"two")
    said = rollback(data)
    assert states(db) == {first: "champion", second: "previous"}
    assert said == (
        f"Model {first} (seed, 2024-05-01, 50.0% on validation images) is the champion again; "
        f"Model {second} (seed, 2024-05-02, 50.0% on validation images) is kept as the previous one."
    )
    assert_in_line(db, data)
    assert files(data)["champion.keras"] == b"one"
    rollback(data)
    assert states(db) == {first: "previous", second: "champion"}
    assert files(data)["champion.keras"] == b"two"
    assert_in_line(db, data)


def test_without_a_previous_champion_there_is_nothing_to_put_back(tmp_path: Path, db: Database, data: Path) -> None:
    with pytest.raises(SourceUnavailable, match="no previous champion"):
        rollback(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    night(db, data, "2024-05-01", b"one")
    with pytest.raises(SourceUnavailable, match="no previous champion"):
        rollback(data)
    night(db, data, "2024-05-02", b"two")
    for name in ("previous.keras", "1.keras"):
        (data / "models" / name).unlink()
    with pytest.raises(SourceUnavailable, match="No file holds model 1, the previous champion, any more"):
        rollback(data)
    assert states(db) == {1: "lost", 2: "champion"}


def test_while_a_night_is_at_work_a_rollback_waits_and_gives_up(
    db: Database, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = night(db, data, "2024-05-01", b"one"), night(db, data, "2024-05-02", b"two")
    monkeypatch.setattr(champion, "LOCK_SECONDS", 0.2)
    lock = runs.take_lock(data, "retrain_cnn")
    assert lock is not None
    with pytest.raises(Busy, match="at work"):
        rollback(data)
    os.close(lock)
    rollback(data)
    assert states(db) == {first: "champion", second: "previous"}


DRIVER = """
    import os, shutil, signal, sys
    from pathlib import Path
    from lib.files import sha256_of
    from lib.images import champion, tables
    from lib.store import open_store, rows
    from tests.lib.images.nights import assert_in_line, commit, states

    before, place, what, every = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    WATCHED = ("images/champion.py", "images/saving.py", "lib/files.py")
    LOOKING = ("checksum", "sha256_of", "sha_or_none", "aside_of", "cannot_write", "wait_for_lock", "_said", "_held")

    def work():
        if what == "rollback":
            champion.rollback(place)
            return
        db = open_store(place, [tables.migrations])
        if what == "promote":
            commit(db, place, "2024-05-03", b"three" * 1000)
        champion.settle(db, place)
        db.close()

    def child(line):
        left = [line]
        def trace(frame, event, _):
            if not frame.f_code.co_filename.endswith(WATCHED) or frame.f_code.co_name in LOOKING:
                return None
            if event == "line":
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace
        sys.settrace(trace)
        work()
        sys.settrace(None)
        os._exit(0)

    def in_a_fresh_process(check):
        pid = os.fork()
        if pid == 0:
            try:
                check()
                os._exit(0)
            except BaseException:
                import traceback
                traceback.print_exc()
                os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0

    contents = {b"one" * 1000, b"two" * 1000, b"three" * 1000}
    ends = set()

    def check():
        path = place / "models" / "champion.keras"
        if what in ("promote", "rollback"):
            assert path.read_bytes() in contents  # whole before anybody mends anything
        elif path.exists():
            assert path.read_bytes() in contents | {b"damaged"}
        db = open_store(place, [tables.migrations])
        champion.settle(db, place)
        for kept in (place / "models").glob("unknown-*"):
            assert kept.read_bytes() == b"damaged"
            kept.unlink()
        assert_in_line(db, place)
        (place / "end").write_text(str(states(db)))
        assert champion.settle(db, place) == []
        db.close()

    line = 0
    while True:
        line += every
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(before, place)
        pid = os.fork()
        if pid == 0:
            child(line)
        status = os.waitpid(pid, 0)[1]
        killed = os.WIFSIGNALED(status)
        assert killed or status == 0
        in_a_fresh_process(check)
        ends.add((place / "end").read_text())
        if not killed:
            break
    print(line, *sorted(ends), sep="\\n")
"""


@pytest.mark.parametrize(
    ("what", "ends"),
    [
        ("promote", ["{1: 'previous', 2: 'champion'}", "{1: 'retired', 2: 'previous', 3: 'champion'}"]),
        ("rollback", ["{1: 'champion', 2: 'previous'}", "{1: 'previous', 2: 'champion'}"]),
        ("mend", ["{1: 'champion', 2: 'lost'}"]),
    ],
)
def test_a_kill_at_any_line_leaves_a_whole_champion_and_the_next_start_ends_what_was_begun(
    data: Path, db: Database, tmp_path: Path, what: str, ends: list[str]
) -> None:
    night(db, data, "2024-05-01", b"one" * 1000)
    night(db, data, "2024-05-02", b"two" * 1000)
    db.close()
    if what == "mend":
        (data / "models" / "2.keras").unlink()
        (data / "models" / "champion.keras").write_bytes(b"damaged")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DRIVER), str(data), str(tmp_path / "place"), what, str(EVERY)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines, *found = done.stdout.splitlines()
    assert int(lines) > 100
    assert found == ends
