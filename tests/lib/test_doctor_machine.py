"""Doctor on the machine: versions, room, folders, clock, zone, secrets and who is told."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlite_utils import Database

from lib import doctor
from lib.doctor import Check, Need, access, as_json, as_lines, clock, machine
from lib.schedules import Schedule
from lib.settings import Notify, Settings
from lib.store import writing
from tests.lib.looked_at import MARKER, NOW, line, look, new_desk, running_desk, without_this_machines_settings


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    without_this_machines_settings(monkeypatch)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return new_desk(tmp_path)


@pytest.fixture
def db(settings: Settings) -> Iterator[Database]:
    with running_desk(settings) as store:
        yield store


# versions


def test_pythons_that_the_desk_is_not_made_for_fail() -> None:
    assert next(machine.python((3, 12, 4))).status == "ok"
    assert next(machine.python((3, 10, 9))).status == "failed"
    assert next(machine.python((3, 14, 0))).status == "failed"


@pytest.mark.parametrize(
    ("version", "mended", "status"),
    [
        ((3, 11, 12), False, "warning"),
        ((3, 11, 13), False, "ok"),
        ((3, 12, 10), False, "warning"),
        ((3, 12, 11), False, "ok"),
        ((3, 13, 3), False, "warning"),
        ((3, 13, 4), False, "ok"),
        ((3, 11, 2), True, "ok"),  # as a distribution repairs it
    ],
)
def test_the_fault_of_tarfiles_filters_is_told_by_patch_version(
    version: tuple[int, ...], mended: bool, status: str
) -> None:
    found = next(machine.tar_filters(version, mended))
    assert found.status == status
    assert "CVE-2025-4517" in found.said


def test_a_store_in_wal_mode_on_a_sqlite_with_its_fault_fails(settings: Settings, db: Database) -> None:
    assert next(machine.sqlite(settings.data, (3, 40, 1))).status == "ok" or state_of(settings) == "wal"
    db.execute("PRAGMA journal_mode = wal")
    assert next(machine.sqlite(settings.data, (3, 40, 1))).status == "failed"
    assert next(machine.sqlite(settings.data, (3, 51, 3))).status == "ok"


def state_of(settings: Settings) -> str:
    with (settings.data / "nightdesk.db").open("rb") as file:
        return "wal" if file.read(20)[18] == 2 else "delete"


def test_packages_of_other_versions_are_named_and_missing_ones_fail(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").write_text(
        "[options]\ninstall_requires =\n    click\n    jinja2 >=3\n    no_such_thing\n    also-not ; a == 0\n"
    )
    (tmp_path / "requirements.txt").write_text("click==0.0.1 \\\n    --hash=sha256:00\nJinja2==0.1 ; x == 0 \\\n")
    missing, others = machine.packages(tmp_path)
    assert (missing.status, others.status) == ("failed", "warning")
    assert missing.said == "not installed: no_such_thing"
    assert "click is " in others.said and "should be 0.0.1" in others.said and "jinja2 is " in others.said


# room and folders


def disk(free: int, files: int = 1_000_000) -> Callable[[Any], Any]:
    return lambda _: SimpleNamespace(f_bavail=free // 4096, f_frsize=4096, f_files=2_000_000, f_favail=files)


def test_room_is_held_against_what_all_next_runs_need_together(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    need = Need(settings.data, 3 << 30, "a night")
    of_jobs = {"job": lambda: [need], "weekly": lambda: [need]}
    states = {}
    for free in (5 << 30, (6 << 30) + (100 << 20), 20 << 30):
        monkeypatch.setattr(os, "statvfs", disk(free))
        found = [each for each in look(settings, of_jobs=of_jobs) if each.name.startswith("room")]
        states[free >> 30] = found[0].status
        assert "6.0 GiB (job 3.0 GiB, weekly 3.0 GiB)" in found[0].said
    assert states == {5: "failed", 6: "warning", 20: "ok"}


def test_earlier_runs_tell_what_the_next_ones_need(
    settings: Settings, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = settings.data / "job" / "2026-11-23-1"
    folder.mkdir(parents=True)
    with (folder / "model").open("wb") as file:
        file.truncate(5 << 20)
    with writing(db):
        db.execute("UPDATE runs SET folder = 'job/2026-11-23-1' WHERE job = 'job'")
    monkeypatch.setattr(os, "statvfs", disk(68 << 20))
    found = [each for each in look(settings) if each.name.startswith("room")]
    assert found[0].status == "failed"
    assert "job 5.0 MiB" in found[0].said
    said_more = {"job": lambda: [Need(settings.data, 8 << 20, "a night")]}
    found = [each for each in look(settings, of_jobs=said_more) if each.name.startswith("room")]
    assert "job 8.0 MiB" in found[0].said  # the same room, told twice


def test_a_disk_that_can_hold_no_more_files_fails(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", disk(100 << 30, files=3))
    assert "inodes" in next(each for each in look(settings) if each.status == "failed").said


def test_a_data_folder_that_cannot_be_written_fails_and_names_its_owner() -> None:
    with tempfile.TemporaryDirectory() as place:  # where also another user finds the way
        Path(place).chmod(0o755)
        folder = Path(place, "data")
        folder.mkdir(mode=0o555)
        settings = Settings(data=folder, reports=folder / "reports", timezone="UTC")
        list(machine.folders(settings))  # what it imports on its way is there before the user changes
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)  # root may write anywhere
        try:
            checks = list(machine.folders(settings))
        finally:
            if root:
                os.seteuid(0)
        assert [each.status for each in checks] == ["failed", "failed"]
        assert "can't be written by" in checks[0].said


ON_A_DISK_OF_ITS_OWN = """
import sys
from pathlib import Path
from lib.settings import Settings
from lib.doctor import machine

desk = Settings(data=Path(sys.argv[1]), reports=Path(sys.argv[1]), timezone="UTC")
for check in [*machine.room(desk, []), *machine.folders(desk)]:
    print(check.status, check.name, check.said)
"""


@pytest.mark.parametrize(
    ("mount", "said"),
    [
        ("mount -t tmpfs -o size=64k none $0 && cat /dev/zero > $0/full; true", "No space left on device"),
        ("mount -t tmpfs -o ro none $0", "Read-only file system"),
    ],
)
def test_a_full_disk_and_a_read_only_one_fail(tmp_path: Path, mount: str, said: str) -> None:
    unshare = shutil.which("unshare")
    own_disk = [unshare or "", "--map-root-user", "--mount", "sh", "-c"]
    tried = subprocess.run([*own_disk, f"mount -t tmpfs none {tmp_path}"], capture_output=True) if unshare else None
    if tried is None or tried.returncode:
        pytest.skip("this system lets nobody mount a disk of their own")
    done = subprocess.run(
        [*own_disk, f"{mount} && exec {sys.executable} -c '{ON_A_DISK_OF_ITS_OWN}' $0", str(tmp_path)],
        cwd=Path(machine.__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert any(line.startswith("failed data folder") and said in line for line in lines), done
    if "full" in mount:
        assert any(line.startswith("failed room for") and "0 bytes free" in line for line in lines), lines


def test_a_file_in_place_of_the_data_folder_fails(settings: Settings) -> None:
    settings.data.write_text("")
    assert line(look(settings), "data folder").status == "failed"


# the clock and the zone


def test_a_clock_behind_the_ledger_fails(settings: Settings, db: Database) -> None:
    found = line(look(settings, NOW - timedelta(days=3)), "clock")
    assert found.status == "failed"
    assert "before the latest that the ledger knows of" in found.said
    assert line(look(settings, datetime(1970, 1, 1, tzinfo=UTC)), "clock").status == "failed"


@pytest.mark.parametrize(
    ("at", "falls"), [("02:15", True), ("02:00", True), ("03:00", False), ("01:59", False), ("sat 02:15", False)]
)
def test_jobs_that_fall_into_the_next_clock_change_are_named(settings: Settings, at: str, falls: bool) -> None:
    here = settings.model_copy(update={"timezone": "Europe/Madrid"})
    for moment in (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)):  # a gap, an hour twice
        said = next(clock.zone(here, {"job": Schedule(at)}, moment)).said
        assert ("falls job" in said) == falls, said


def test_cron_on_a_machine_of_another_zone_is_warned_of(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "get_localzone_name", lambda: "Asia/Tokyo")
    assert line(look(settings), "cron's time zone").status == "warning"


# secrets and messages


def test_a_secret_that_everybody_can_read_fails_and_is_shown_nowhere(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        path = Path(place, "x_bearer_token")
        path.write_text(MARKER)
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", place)
        of_jobs = {"job": lambda: [access.secret("x_bearer_token", "is for X", needed=True)]}
        path.chmod(0o644)
        checks = look(settings, of_jobs=of_jobs)
        assert line(checks, "secret x_bearer_token").status == "failed"
        path.chmod(0o400)
        safe = look(settings, of_jobs=of_jobs)
        assert line(safe, "secret x_bearer_token").status == "ok"
        assert MARKER not in f"{as_lines(checks)}{as_json(checks)}{as_lines(safe)}{as_json(safe)}"


def test_a_missing_secret_fails_where_it_is_needed_and_one_in_the_environment_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert access.secret("smtp_password", "logs in", needed=True).status == "failed"
    assert access.secret("smtp_password", "logs in", needed=False).status == "ok"
    monkeypatch.setenv("NIGHTDESK_SMTP_PASSWORD", MARKER)
    found = access.secret("smtp_password", "logs in", needed=True)
    assert found == Check("secret smtp_password", "ok", "present, in the environment (NIGHTDESK_SMTP_PASSWORD)")


def test_a_secret_in_a_faults_own_words_is_taken_out(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTDESK_X_BEARER_TOKEN", MARKER)

    def tells() -> Iterator[doctor.Found]:
        raise RuntimeError(f"401 for Bearer {MARKER}")
        yield

    found = line(look(settings, of_jobs={"job": tells}), "job")
    assert MARKER not in str(found)
    assert "(secret)" in found.said


def test_a_desk_that_tells_nobody_is_warned(settings: Settings) -> None:
    found = line(look(settings.model_copy(update={"notify": Notify()})), "messages")
    assert found.status == "warning"
    assert "nobody would be told" in found.said


def test_channels_lack_nothing_and_are_asked_without_their_paths(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, fake_x: Any
) -> None:
    monkeypatch.setenv("NIGHTDESK_PING_URL", f"{fake_x.url}/{MARKER}")
    with socket.create_server(("127.0.0.1", 0)) as server:
        notify = Notify(
            email_to=("a@example.org",),
            smtp_host="127.0.0.1",
            smtp_port=server.getsockname()[1],
            smtp_user="desk",
            webhook_url="http://127.0.0.1:1/hook",
            command=("no-such-program",),
        )
        checks = look(settings.model_copy(update={"notify": notify}))
    assert line(checks, "secret smtp_password").status == "failed"
    assert line(checks, "mail server").status == "ok"
    assert line(checks, "webhook").status == "warning"  # nothing listens there; messages wait
    assert line(checks, "ping").said == "its server answers"
    assert line(checks, "command of [notify]").status == "failed"
    assert MARKER not in f"{as_lines(checks)}"
