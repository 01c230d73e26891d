"""Backups and what is put back: whole or not there, cheap, checked, and nothing touched by one that is damaged."""

import json
import os
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from lib import runs
from lib.backup import copy_file, make_backup
from lib.errors import BadData, BadSettings, Busy, CannotWrite, DeskError, SourceUnavailable
from lib.images.keeping import models
from lib.job import Job
from lib.manifest import MANIFEST, backups_in, read_manifest
from lib.restore import check, restore
from lib.rotation import rotate
from lib.schedules import Schedule
from lib.settings import Settings
from lib.store import STORE, open_store, rows, table, writing
from lib.tweets.keeping import captures
from lib.tweets.tables import migrations as of_tweets

KINDS = [models(), captures()]
DAY = "2026-11-23"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", reports=tmp_path / "reports", timezone="UTC")


def work(run: Any, options: Any) -> None:
    """What the trivial job does: a file, some rows, a page."""
    (run.folder / "result.bin").write_bytes(os.urandom(1000))
    run.metrics = {"items": 3}
    run.message = "Three items."
    run.reject("odd", text="x")
    run.page = f"<p>{run.job} {run.date}</p>"


def ran(settings: Settings, name: str, day: str) -> Any:
    date = datetime.fromisoformat(day).date()
    made = Job(name, work, Schedule("05:00")).start(settings, date, {}, force=True, quiet=True)
    assert made.exit_code == 0, made.message
    return made.json


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk with runs of two jobs, networks, a capture with results and one that still grows."""
    folder = tmp_path_factory.mktemp("standing")
    settings = Settings(data=folder / "data", reports=folder / "reports", timezone="UTC")
    for name in ("one", "two"):
        for day in ("2026-11-20", "2026-11-21"):
            ran(settings, name, day)
    data = settings.data
    (data / "models").mkdir()
    for name in ("champion.keras", "previous.keras", "4.keras"):
        (data / "models" / name).write_bytes(os.urandom(5000))
    (data / "models" / "champion.json").write_text("{}")
    (data / "captures").mkdir()
    for name in ("2026-11-21-1.jsonl.gz", "2026-11-22-2.jsonl.gz"):
        (data / "captures" / name).write_bytes(os.urandom(3000))
    for name in ("archives", "training", "locks", "demo", "articles"):
        (data / name).mkdir(exist_ok=True)
        (data / name / "not-this").write_text("x")
    db = open_store(data, [of_tweets])
    with writing(db):
        for number, state in ((1, "kept"), (2, "open")):
            name = f"captures/2026-11-2{number}-{number}.jsonl.gz"
            table(db, "recordings").insert({"file": name, "made_by": number, "date": DAY, "state": state})
    db.close()
    return folder


@pytest.fixture
def desk(standing: Path, settings: Settings) -> Settings:
    """A desk of one's own, like the standing one."""
    shutil.copytree(standing / "data", settings.data)
    shutil.copytree(standing / "reports", settings.reports)
    return settings


def back_up(settings: Settings, to: Path | None = None, day: str = DAY, run: int = 99, **how: Any) -> Any:
    db = open_store(settings.data)
    try:
        return make_backup(db, settings.data, to or settings.data / "backups", day, run, KINDS, **how)
    finally:
        db.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def dumped(store: Path) -> list[str]:
    connection = sqlite3.connect(store)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def modes(made: Any) -> dict[str, str]:
    return {each.path: each.mode for each in made.manifest.files}


# --- what is in it


def test_a_backup_has_the_store_models_captures_and_run_folders_and_nothing_else(desk: Settings) -> None:
    made = back_up(desk)
    tops = {each.path.split("/")[0] for each in made.manifest.files}
    assert tops == {STORE, "models", "captures", "one", "two"}
    assert {path.name for path in made.folder.iterdir()} == tops | {MANIFEST}
    assert made.folder == desk.data / "backups" / f"{DAY}-99"
    for each in made.manifest.files:
        if each.path != STORE:
            assert (made.folder / each.path).read_bytes() == (desk.data / each.path).read_bytes()
    assert dumped(made.folder / STORE) == dumped(desk.data / STORE)
    assert read_manifest(made.folder) == made.manifest
    assert made.same_disk


def test_only_what_can_change_no_more_is_a_link_to_the_desks_own_file(desk: Settings) -> None:
    of = modes(back_up(desk))
    assert of["models/champion.keras"] == "link"
    assert of["captures/2026-11-21-1.jsonl.gz"] == "link"  # results were made from it
    assert of["captures/2026-11-22-2.jsonl.gz"] == "copy"  # still appended to, or mended in place
    assert of[STORE] == "copy"
    assert {mode for path, mode in of.items() if path.startswith("one/")} == {"copy"}  # a log may get its last line


def test_a_capture_that_grows_afterwards_leaves_the_backup_as_it_was(desk: Settings) -> None:
    made = back_up(desk)
    path = desk.data / "captures" / "2026-11-22-2.jsonl.gz"
    before = (made.folder / "captures" / path.name).read_bytes()
    with path.open("ab") as file:
        file.write(b"more")
    assert (made.folder / "captures" / path.name).read_bytes() == before
    assert modes(back_up(desk, run=100))[f"captures/{path.name}"] == "copy"


def test_unchanged_files_are_links_to_the_backup_before(desk: Settings) -> None:
    first, second = back_up(desk), back_up(desk, run=100)
    assert {mode for path, mode in modes(second).items() if path != STORE} == {"before"}
    for each in second.manifest.files:
        same = (first.folder / each.path).samefile(second.folder / each.path)
        assert same == (each.path != STORE)
    assert second.new_bytes == (second.folder / STORE).stat().st_size


def test_a_file_whose_time_or_size_changed_is_taken_anew(desk: Settings) -> None:
    back_up(desk)
    champion = desk.data / "models" / "champion.keras"
    aside = champion.with_name("new")
    aside.write_bytes(os.urandom(5000))
    aside.replace(champion)
    made = back_up(desk, run=100)
    assert modes(made)["models/champion.keras"] == "link"
    assert (made.folder / "models" / "champion.keras").read_bytes() == champion.read_bytes()


def test_a_copy_that_went_bad_is_found_within_a_week_and_not_handed_on(desk: Settings) -> None:
    first = back_up(desk)
    bad = first.folder / "captures" / "2026-11-22-2.jsonl.gz"
    stat = bad.stat()
    bad.write_bytes(bytes(stat.st_size))
    os.utime(bad, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    path = first.folder / MANIFEST
    said = json.loads(path.read_text())
    for each in said["files"]:
        each["checked"] = "2020-01-01"
    path.write_text(json.dumps(said))
    second = back_up(desk, run=100)
    assert modes(second)["captures/2026-11-22-2.jsonl.gz"] == "copy"
    assert any(str(bad) in note for note in second.notes)
    restore(second.folder, desk, force=True)


def test_a_backup_on_a_file_system_without_hard_links_has_copies(
    desk: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: Any, **__: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_link)
    assert set(modes(back_up(desk)).values()) == {"copy"}
    assert set(modes(back_up(desk, run=100)).values()) == {"copy"}


def test_a_second_backup_of_a_name_gets_another(desk: Settings) -> None:
    back_up(desk)
    assert back_up(desk).folder.name == f"{DAY}-99-2"
    assert len(backups_in(desk.data / "backups")) == 2


@pytest.mark.parametrize("where", ["", "captures", "models/x", "one"])
def test_backups_cant_lie_among_what_they_are_of(desk: Settings, where: str) -> None:
    with pytest.raises(BadSettings, match="among what they are of"):
        back_up(desk, desk.data / where)


def test_a_name_that_is_no_utf8_is_left_out_and_said(desk: Settings) -> None:
    (desk.data / "models" / os.fsdecode(b"\xff.keras")).write_bytes(b"x")
    made = back_up(desk)
    assert any("\\xff.keras" in note for note in made.notes)


# --- while others work, are killed, or the disk is full


def test_a_backup_while_others_write_has_each_transaction_whole(desk: Settings, until: Callable[..., object]) -> None:
    db = open_store(desk.data)
    db.execute("CREATE TABLE left (n INTEGER)")
    db.execute("CREATE TABLE right (n INTEGER)")
    db.close()
    over, written = threading.Event(), [0]

    def write() -> None:
        mine = open_store(desk.data)
        n = 0
        while not over.is_set():
            with writing(mine):
                mine.execute("INSERT INTO left VALUES (?)", [n])
                mine.execute("INSERT INTO right VALUES (?)", [n])
            n = written[0] = n + 1
            time.sleep(0.02)  # a writer without a pause leaves readers no turn in the rollback journal
        mine.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            copy = sqlite3.connect(back_up(desk, run=100 + number).folder / STORE)
            left, right = (copy.execute(f"SELECT * FROM {name}").fetchall() for name in ("left", "right"))
            copy.close()
            assert left == right
            if number == 0:
                until(lambda: written[0] > 3)
        assert len(left) > 3
    finally:
        over.set()
        writer.join()


def test_a_network_is_there_whether_it_came_or_went_while_the_store_was_copied(desk: Settings) -> None:
    first_look = len(back_up(desk).manifest.files) - 1  # all but the store
    taken = 0

    def promote(_: int) -> None:
        nonlocal taken
        taken += 1
        if taken == first_look:
            (desk.data / "models" / "9.keras").write_bytes(b"nine")
            (desk.data / "models" / "4.keras").unlink()

    of = modes(back_up(desk, run=100, advance=promote))
    assert {"models/4.keras", "models/9.keras"} <= set(of)


def test_a_run_at_work_has_nothing_in_the_backup_but_its_row(desk: Settings) -> None:
    db = open_store(desk.data)
    run = runs.begin(db, "one", "2026-11-22", options={}, demo=False)
    folder = f"one/2026-11-22-{run}"
    (desk.data / folder).mkdir()
    (desk.data / folder / "half").write_text("x")
    with writing(db):
        table(db, "runs").update(run, {"folder": folder})
    db.close()
    made = back_up(desk)
    assert not any(each.path.startswith(folder) for each in made.manifest.files)
    restored = restore(made.folder, desk, force=True)
    assert restored.crashed == 1
    db = open_store(desk.data)
    assert "Was at work" in table(db, "runs").get(run)["message"]
    db.close()


KILLED = """
import sys, time
from pathlib import Path
from lib.backup import make_backup
from lib.images.keeping import models
from lib.store import open_store
from lib.tweets.keeping import captures

data = Path(sys.argv[1])
taken = 0

def advance(_):
    global taken
    taken += 1
    if taken == int(sys.argv[2]):
        print("here", flush=True)
        time.sleep(60)

make_backup(open_store(data), data, data / "backups", "2026-11-24", 100, [models(), captures()], advance)
"""


@pytest.mark.parametrize("files", [1, 8, 20])
def test_a_kill_leaves_the_earlier_ones_whole_and_the_next_start_fine(
    desk: Settings, start: Callable[..., Any], files: int
) -> None:
    earlier = back_up(desk)
    before = contents(earlier.folder)
    process = start(KILLED, str(files))
    assert process.stdout.readline() == "here\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    to = desk.data / "backups"
    assert contents(earlier.folder) == before
    assert [each.folder for each in backups_in(to)] == [earlier.folder]
    assert len(list(to.glob(".*.aside"))) == 1
    made = back_up(desk, run=101)
    assert list(to.glob(".*")) == []
    assert not any(each.flaw for each in backups_in(to))
    restore(made.folder, desk, force=True)


FULL = """
import resource, sys
from pathlib import Path
from lib.backup import make_backup
from lib.errors import as_desk_error
from lib.store import open_store
from lib.tweets.keeping import captures

data = Path(sys.argv[1])
db = open_store(data)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    make_backup(db, data, data / "backups", "2026-11-24", 100, [captures()])
except Exception as fault:
    print(as_desk_error(fault))
    sys.exit(as_desk_error(fault).exit_code)
"""


@pytest.mark.parametrize("most", [2_000, 20_000])  # no room for a capture; none for the store
def test_without_room_it_fails_with_73_and_leaves_nothing(desk: Settings, start: Callable[..., Any], most: int) -> None:
    earlier = back_up(desk)
    before = contents(earlier.folder)
    (desk.data / "captures" / "2026-11-23-3.jsonl.gz").write_bytes(os.urandom(3000))
    process = start(FULL, str(most))
    said, _ = process.communicate()
    assert process.returncode == 73, said
    assert "can't" in said
    assert contents(earlier.folder) == before
    assert [path.name for path in (desk.data / "backups").iterdir()] == [earlier.folder.name]


def test_a_damaged_store_is_never_backed_up(desk: Settings) -> None:
    db = open_store(desk.data)
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("INSERT INTO metrics (run, name) VALUES (12345, 'x')")
    db.conn.commit()
    db.close()
    with pytest.raises(BadData, match=r"nightdesk\.db has 1 rows that refer .* metrics"):
        back_up(desk)
    assert list((desk.data / "backups").iterdir()) == []


# --- the rotation on disk


def dated(settings: Settings, made: Any, moment: datetime) -> None:
    path = made.folder / MANIFEST
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "made_at": moment.isoformat()}))


def test_the_rotation_drops_old_ones_and_leaves_the_others_whole(desk: Settings) -> None:
    to = desk.data / "backups"
    for back in range(9, -1, -1):
        dated(desk, back_up(desk, run=200 - back), datetime(2026, 11, 23, 5, tzinfo=UTC) - timedelta(days=back))
    places = rotate(to, desk.data, UTC, daily=3, weekly=0, monthly=0)
    assert [place.dropped for place in places] == [False] * 3 + [True] * 7
    left = backups_in(to)
    assert [each.folder.name for each in left] == [f"{DAY}-{run}" for run in (198, 199, 200)]
    assert not any(each.flaw for each in left)
    restore(left[0].folder, desk, force=True)


def test_a_damaged_backup_takes_no_place_and_the_only_good_one_stays(desk: Settings) -> None:
    good, bad = back_up(desk), back_up(desk, run=100)
    dated(desk, good, datetime(2026, 1, 1, tzinfo=UTC))
    (bad.folder / STORE).unlink()
    (to := desk.data / "backups").joinpath("2026-11-25-7").mkdir()  # no manifest
    places = rotate(to, desk.data, UTC, daily=1, weekly=0, monthly=0)
    assert [(place.name, place.dropped) for place in places] == [(good.folder.name, False)]
    assert [each.folder.name for each in backups_in(to) if each.flaw] == ["2026-11-25-7", bad.folder.name]


def test_what_was_just_made_stays_though_a_wrong_clock_dated_another_later(desk: Settings) -> None:
    dated(desk, back_up(desk), datetime(2036, 1, 1, tzinfo=UTC))
    new = back_up(desk, run=100).folder
    rotate(desk.data / "backups", desk.data, UTC, daily=1, weekly=0, monthly=0, just_made=new.name)
    assert new.exists()


def test_desks_that_share_a_folder_leave_each_others_backups_alone(desk: Settings, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    mine = back_up(desk, shared)
    other = Settings(data=tmp_path / "other", reports=tmp_path / "other-reports", timezone="UTC")
    ran(other, "one", "2026-11-20")
    theirs = back_up(other, shared, run=100)
    assert [each.name for each in rotate(shared, other.data, UTC, daily=1, weekly=0, monthly=0)] == [theirs.folder.name]
    assert mine.folder.exists()


def test_a_name_that_another_desk_takes_meanwhile_is_left_to_it(desk: Settings, tmp_path: Path) -> None:
    theirs = tmp_path / "shared" / f"{DAY}-99" / "theirs"

    def meanwhile(_: int) -> None:
        theirs.parent.mkdir(exist_ok=True)
        theirs.touch()

    made = back_up(desk, tmp_path / "shared", advance=meanwhile)
    assert (made.folder.name, theirs.exists()) == (f"{DAY}-99-2", True)


@pytest.mark.parametrize("target", ["nowhere", "models"])
def test_a_folder_that_cant_be_read_fails_a_backup(desk: Settings, target: str) -> None:
    shutil.rmtree(desk.data / "models")
    (desk.data / "models").symlink_to(target)  # a disk that isn't there; a link to itself
    with pytest.raises(OSError, match="models"):
        back_up(desk)
    assert backups_in(desk.data / "backups") == []


def test_files_that_all_went_since_the_backup_before_are_said(desk: Settings) -> None:
    assert back_up(desk).notes == ()
    shutil.rmtree(desk.data / "models")
    assert back_up(desk, run=100).notes == (
        "None of the 4 files of the kind models in the backup before is there any more.",
    )


def test_what_a_link_leads_to_is_copied(desk: Settings, tmp_path: Path) -> None:
    elsewhere = tmp_path / "7.keras"
    elsewhere.write_bytes(b"a network")
    (desk.data / "models" / "7.keras").symlink_to(elsewhere)
    made = back_up(desk)
    elsewhere.write_bytes(b"another 1")
    assert (made.folder / "models" / "7.keras").read_bytes() == b"a network"


def test_a_file_that_goes_while_it_is_taken_again_is_in_no_manifest(
    desk: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = desk.data / "captures" / "2026-11-22-2.jsonl.gz"
    copied = copy_file
    passes = []

    def gone(source: Path, *rest: Any) -> Any:
        if source == capture:
            passes.append(source)
            if len(passes) == 2:
                capture.unlink()
        found = copied(source, *rest)
        if source == capture:
            capture.write_bytes(b"longer" * 1000)
        return found

    monkeypatch.setattr("lib.backup.copy_file", gone)
    made = back_up(desk)
    assert len(passes) == 2
    check(made.folder, made.manifest)


# --- what is put back


def test_the_drill_back_up_destroy_restore_compare(desk: Settings, tmp_path: Path) -> None:
    made = back_up(desk, tmp_path / "elsewhere")
    tables, files = dumped(desk.data / STORE), contents(desk.data)
    pages = contents(desk.reports)
    shutil.rmtree(desk.data)
    shutil.rmtree(desk.reports)
    restored = restore(tmp_path / "elsewhere", desk)
    assert restored.source == made.folder
    assert restored.replaced is None
    assert dumped(desk.data / STORE) == tables
    now = contents(desk.data)
    for name, content in files.items():
        if name.split("/")[0] in ("models", "captures", "one", "two"):
            assert now.pop(name) == content
    assert {name.split("/")[0] for name in now} == {STORE, "locks"}
    again = contents(desk.reports)
    assert set(again) == set(pages)
    assert all(again[name] == pages[name] for name in pages if "/" in name and name.endswith(".html"))
    assert ran(desk, "one", "2026-11-25")["run_id"] == 5


def test_what_is_put_back_shares_no_bytes_with_the_backup(desk: Settings) -> None:
    made = back_up(desk)
    restore(made.folder, desk, force=True)
    for each in made.manifest.files:
        assert not (desk.data / each.path).samefile(made.folder / each.path)


def test_a_desk_that_stands_is_left_alone_without_force(desk: Settings) -> None:
    made = back_up(desk)
    before = contents(desk.data)
    with pytest.raises(CannotWrite, match=r"captures, models, nightdesk\.db.*--force"):
        restore(made.folder, desk)
    assert contents(desk.data) == before


def test_force_moves_what_is_there_aside(desk: Settings) -> None:
    made = back_up(desk)
    newer = ran(desk, "one", "2026-11-24")
    ran(desk, "three", "2026-11-24")
    (desk.data / "models" / "champion.keras").unlink()
    before = contents(desk.data)
    restored = restore("latest", desk, force=True)
    assert restored.source == made.folder
    assert restored.replaced is not None
    aside = contents(restored.replaced)
    for name, content in before.items():
        if name.split("/")[0] in (STORE, "models", "captures", "one", "two", "three"):
            assert aside[name] == content
    assert not (desk.data / "three").exists()
    assert Path(newer["report"]).exists() is False
    assert (restored.replaced / "reports" / "one" / "2026-11-24.html").exists()
    assert made.folder.exists()
    assert (desk.data / "articles" / "not-this").exists()


def test_a_run_at_work_keeps_a_restore_out(desk: Settings, start: Callable[..., Any]) -> None:
    made = back_up(desk)
    before = contents(desk.data)
    holder = start(
        "import sys, time\nfrom pathlib import Path\nfrom lib import runs\n"
        "lock = runs.take_lock(Path(sys.argv[1]), 'two')\nprint('held', flush=True)\ntime.sleep(60)"
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Busy, match="two is at work"):
        restore(made.folder, desk, force=True)
    assert contents(desk.data) == before


def test_all_locks_are_held_while_it_works_and_free_afterwards(desk: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made = back_up(desk)
    seen = []

    def look(*args: Any) -> tuple[int, str]:
        seen.extend(runs.take_lock(desk.data, name) for name in ("one", "two", "never_ran"))
        return 0, ""

    monkeypatch.setattr("lib.restore._settle", look)
    restore(made.folder, desk, force=True, jobs=["never_ran"])
    assert seen == [None, None, None]
    lock = runs.take_lock(desk.data, "one")
    assert lock is not None
    os.close(lock)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    stat = path.stat()
    path.unlink()  # else the desk's own, which it may be a link to, would change
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_mtime_ns, stat.st_mtime_ns))


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
@pytest.mark.parametrize("name", [STORE, "models/champion.keras", "captures/2026-11-21-1.jsonl.gz", MANIFEST])
def test_a_damaged_backup_is_refused_and_names_the_file(
    desk: Settings, damage: Callable[[Path], None], name: str
) -> None:
    made = back_up(desk)
    damage(made.folder / name)
    before = contents(desk.data)
    try:
        restore(made.folder, desk, force=True)
    except DeskError as fault:
        assert Path(name).name in str(fault)
        assert fault.exit_code == 65
        assert contents(desk.data) == before
    else:
        assert (name, damage) == (MANIFEST, flip)  # a flipped digit of a moment says nothing false of a file


def test_a_store_that_was_damaged_before_its_checksum_is_refused(desk: Settings) -> None:
    made = back_up(desk)
    store = made.folder / STORE
    content = bytearray(store.read_bytes())
    content[4096:8192] = bytes(4096)
    store.write_bytes(content)
    path = made.folder / MANIFEST
    from lib.files import sha256_of

    said = json.loads(path.read_text())
    said["files"][0]["sha256"] = sha256_of(store)
    path.write_text(json.dumps(said))
    with pytest.raises(BadData, match=r"nightdesk\.db is damaged"):
        restore(made.folder, desk, force=True)


@pytest.mark.parametrize(
    "path",
    ["../evil", "ELSEWHERE/file", "locks/x", "models/../../x", "models", "models/", "./models/x", "a\x00b/c", ""],
)
def test_a_manifest_that_names_what_no_backup_holds_is_refused(desk: Settings, tmp_path: Path, path: str) -> None:
    made = back_up(desk)
    path = path.replace("ELSEWHERE", str(tmp_path / "elsewhere"))  # never a real folder: a fault here would move it
    manifest = made.folder / MANIFEST
    said = json.loads(manifest.read_text())
    said["files"][1]["path"] = path
    manifest.write_text(json.dumps(said))
    with pytest.raises(BadData, match=r"manifest\.json is damaged"):
        restore(made.folder, desk, force=True)


def test_a_manifest_of_a_later_version_is_refused(desk: Settings) -> None:
    made = back_up(desk)
    manifest = made.folder / MANIFEST
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "version": 2, "new": 1}))
    with pytest.raises(BadData, match="version 2"):
        restore(made.folder, desk, force=True)


@pytest.mark.parametrize("key", ["folders", "jobs"])
@pytest.mark.parametrize("name", ["../reports", "ELSEWHERE", "..", "", "backups", "a/b"])
def test_a_manifest_that_stands_for_a_folder_elsewhere_is_refused(
    desk: Settings, tmp_path: Path, key: str, name: str
) -> None:
    made = back_up(desk)
    name = name.replace("ELSEWHERE", str(tmp_path / "elsewhere"))
    manifest = made.folder / MANIFEST
    said = json.loads(manifest.read_text())
    said[key].append(name)
    manifest.write_text(json.dumps(said))
    with pytest.raises(BadData, match=r"manifest\.json is damaged"):
        restore(made.folder, desk, force=True)


def test_the_latest_is_never_another_desks_nor_an_earlier_one_in_silence(desk: Settings, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    mine, other = back_up(desk, shared), Settings(data=tmp_path / "other", reports=tmp_path / "pages", timezone="UTC")
    ran(other, "one", "2026-11-20")
    theirs = back_up(other, shared, run=100)
    new = Settings(data=tmp_path / "new", reports=tmp_path / "new-pages", timezone="UTC")
    with pytest.raises(SourceUnavailable, match=r"has backups of .*other, none of .*new; name the folder of one"):
        restore("latest", new, backups=shared)
    assert restore("latest", desk, backups=shared, force=True).source == mine.folder
    assert restore(shared, other, force=True).source == theirs.folder
    shutil.rmtree(mine.folder)
    assert restore("latest", new, backups=shared).source == theirs.folder  # a new machine, and one desk's backups


@pytest.mark.parametrize("name", [MANIFEST, "models/4.keras"])
def test_a_damaged_latest_is_refused_and_the_one_before_is_named(desk: Settings, name: str) -> None:
    first = back_up(desk)
    damaged = back_up(desk, day="2026-11-24", run=100).folder / name
    damaged.unlink()  # else the same bytes would be damaged in the first one, too
    damaged.write_bytes(b"{")
    with pytest.raises(BadData, match=rf"2026-11-24-100/{name}.* one before back: .*restore .*{first.folder.name}$"):
        restore("latest", desk, force=True)


def test_a_restore_that_cant_end_the_rows_has_touched_nothing(desk: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made = back_up(desk)
    before = contents(desk.data)

    def no_room(*_: Any) -> Any:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("lib.restore.rows", no_room)
    with pytest.raises(sqlite3.OperationalError):
        restore(made.folder, desk, force=True)
    assert {name for name in contents(desk.data) if "locks/" not in name} == {
        name for name in before if "locks/" not in name
    }


def test_what_a_killed_restore_left_goes_with_the_next(desk: Settings) -> None:
    made = back_up(desk)
    left = desk.data / ".restore.0123456789abcdef.aside"
    left.mkdir()
    (left / STORE).write_bytes(b"half")
    restore(made.folder, desk, force=True)
    assert not left.exists()


@pytest.mark.parametrize("earlier", [False, True])
def test_the_run_that_made_the_backup_is_ok_in_what_is_put_back(desk: Settings, earlier: bool) -> None:
    db = open_store(desk.data)
    if earlier:  # of the same date, as with --force
        with writing(db):
            row = {"job": "backup", "date": DAY, "status": "ok", "started_at": runs.now(), "ended_at": runs.now()}
            table(db, "runs").insert({**row, "seconds": 1.0, "committed": 1})
    run = runs.begin(db, "backup", DAY, options={}, demo=False)
    dead = runs.begin(db, "one", DAY, options={}, demo=False)
    db.close()
    made = back_up(desk, run=run)
    assert restore(made.folder, desk, force=True).crashed == 1
    db = open_store(desk.data)
    ended = {row["id"]: row for row in rows(db, "SELECT * FROM runs WHERE id IN (?, ?)", run, dead)}
    judged = {row["run"] for row in rows(db, "SELECT run FROM judged")}
    db.close()
    assert (ended[run]["status"], ended[run]["committed"], ended[dead]["status"]) == ("ok", int(not earlier), "crashed")
    assert ended[run]["ended_at"] == made.manifest.made_at
    assert made.folder.name in ended[run]["message"]
    assert {run, dead} <= judged  # nobody is told of a failure that a restore has made


@pytest.mark.parametrize("source", ["latest", "2026-01-01-1", "/nowhere/at/all"])
def test_without_such_a_backup_it_says_so(settings: Settings, source: str) -> None:
    with pytest.raises(SourceUnavailable, match="there is no backup"):
        restore(source, settings)


def test_a_restore_that_fails_in_the_middle_puts_everything_back(
    desk: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = back_up(desk)
    before = contents(desk.data)
    moves = []
    move = shutil.move

    def fail_late(source: Any, target: Any) -> Any:
        moves.append(source)
        if len(moves) == 8:
            raise OSError(28, "No space left on device")
        return move(source, target)

    monkeypatch.setattr(shutil, "move", fail_late)
    with pytest.raises(CannotWrite):
        restore(made.folder, desk, force=True)
    assert contents(desk.data) == before


def test_restored_runs_are_known_to_the_ledger_and_a_date_is_not_done_twice(desk: Settings) -> None:
    made = back_up(desk)
    restore(made.folder, desk, force=True)
    date = datetime(2026, 11, 21).date()
    again = Job("one", work, Schedule("05:00")).start(desk, date, {}, force=False, quiet=True)
    assert (again.json["status"], again.exit_code) == ("skipped", 0)
    db: Database = open_store(desk.data)
    assert rows(db, "SELECT COUNT(*) AS n FROM metrics WHERE name = 'items'")[0]["n"] == 4
    db.close()
