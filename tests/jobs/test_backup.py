"""The nightly backup, run by its command line, and the drill: back up, destroy, restore, compare."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import html5lib
import pytest

from tests.jobs.conftest import ROOT, Desk

FAST = ("--topics", "3", "--passes", "2")
RESTORE = """
import sys
from pathlib import Path
from lib.errors import DeskError
from lib.restore import restore
from lib.settings import Settings

try:
    done = restore(sys.argv[1], Settings(data=Path("data"), reports=Path("reports")), force="--force" in sys.argv)
except DeskError as fault:
    print(fault, file=sys.stderr)
    sys.exit(fault.exit_code)
print("\\n".join(done.lines))
"""


class Keeper(Desk):
    """A desk that is backed up."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "jobs.backup")
        self.backups = self.data / "backups"

    def topics(self, *args: str) -> None:
        """A run of another job."""
        done = subprocess.run(
            self.command(*FAST, *args, job="jobs.model_topics"),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def restore(self, source: str, *args: str) -> subprocess.CompletedProcess[str]:
        """Put a backup back, in a process of its own."""
        return subprocess.run(
            [sys.executable, "-c", RESTORE, source, *args],
            cwd=self.folder,
            env={**self.environment, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    made = Keeper(tmp_path)
    captures = made.data / "captures"
    captures.mkdir(parents=True)
    (captures / "2026-11-21-900.jsonl.gz").write_bytes(os.urandom(100_000))
    models = made.data / "models"
    models.mkdir()
    for name in ("champion.keras", "previous.keras"):
        (models / name).write_bytes(os.urandom(50_000))
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def table_rows(store: Path) -> dict[str, list[Any]]:
    connection = sqlite3.connect(store)
    try:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(connection.execute(f"SELECT * FROM [{name}]").fetchall(), key=repr) for name in names}
    finally:
        connection.close()


def without_run(tables: dict[str, list[Any]], run: int) -> dict[str, list[Any]]:
    """The tables less what the backup's own run has written: its row ends after the store was copied."""
    columns = {"runs": 0, "metrics": 0, "stages": 0, "rejected": 0}
    return {
        name: [row for row in rows if name not in columns or row[columns[name]] != run] for name, rows in tables.items()
    }


def test_the_drill_with_real_jobs(keeper: Keeper, make_csv: Callable[..., Path], rows: list[list[str]]) -> None:
    make_csv(keeper.articles / "news.csv", rows)
    keeper.topics("--date", "2026-11-15")
    keeper.topics("--date", "2026-11-22")
    code, said = keeper.json("--date", "2026-11-23", "--to", "elsewhere")
    assert code == 0
    assert said["metrics"]["files"] == len(contents(keeper.folder / "elsewhere")) - 1  # the manifest is none of them
    assert said["metrics"]["linked"] + said["metrics"]["copied"] == said["metrics"]["files"]
    assert said["metrics"]["kept"] == 1
    tables, files = table_rows(keeper.data / "nightdesk.db"), contents(keeper.data)
    latest = (keeper.reports / "model_topics" / "latest.html").read_bytes()
    shutil.rmtree(keeper.data)
    shutil.rmtree(keeper.reports)

    done = keeper.restore("elsewhere")
    assert done.returncode == 0, done.stderr
    again = table_rows(keeper.data / "nightdesk.db")
    assert set(again) == set(tables)
    assert without_run(again, said["run_id"]) == without_run(tables, said["run_id"])
    assert sum(len(rows) for rows in again.values()) > 100
    kept = {
        name: content
        for name, content in files.items()
        if name.startswith(("captures/", "models/", "model_topics/")) and content
    }
    assert len(kept) > 10
    assert {name: (keeper.data / name).read_bytes() for name in kept} == kept
    assert (keeper.reports / "model_topics" / "latest.html").read_bytes() == latest
    assert (keeper.reports / "index.html").exists()

    make_csv(keeper.articles / "news.csv", rows)
    keeper.topics("--date", "2026-11-29")
    assert keeper.run("--date", "2026-11-29").returncode == 0
    assert keeper.query("SELECT status FROM runs WHERE id = ?", said["run_id"]) == [("ok",)]


def test_the_page_tells_what_is_in_it_and_where_it_lies(keeper: Keeper) -> None:
    code, said = keeper.json("--date", "2026-11-23")
    assert code == 0
    page = (keeper.folder / said["report"]).read_text()
    html5lib.HTMLParser(strict=True).parse(page)
    for text in (
        "on the same disk as the data",
        "python -m jobs restore data/backups/2026-11-23-1",
        "What is deleted later stays in earlier backups",
        "about 12 months",
        "Captures",
        "Models",
    ):
        assert text in page
    assert "<script" not in page
    assert "same disk" in keeper.query("SELECT message FROM runs")[0][0]


def test_a_dry_run_writes_nothing(keeper: Keeper) -> None:
    before = contents(keeper.folder)
    done = keeper.run("--dry-run", "--prune")
    assert done.returncode == 0
    assert "keeps the newest backup of each of the last 7 days, 5 weeks and 12 months" in done.stdout
    assert contents(keeper.folder) == before


def test_nightly_backups_are_cheap_and_the_rotation_is_kept(keeper: Keeper) -> None:
    metrics = [keeper.json("--date", f"2026-11-2{day}", "--keep-daily", "1")[1]["metrics"] for day in range(3)]
    assert [each["kept"] for each in metrics] == [1, 1, 1]  # all were made today
    assert [each["dropped"] for each in metrics] == [0, 1, 1]
    assert metrics[0]["new_bytes"] > 100_000  # a capture that no results were made from is a copy
    assert metrics[2]["new_bytes"] < metrics[2]["bytes"] - 200_000
    assert [path.name for path in keeper.backups.iterdir()] == ["2026-11-22-3"]


def test_prune_follows_a_good_backup_where_it_is_asked_for(keeper: Keeper) -> None:
    old = keeper.data / "models" / "unknown-0123456789ab.keras"
    old.write_bytes(b"x")
    os.utime(old, (0, 0))
    assert "pruned" not in keeper.json("--date", "2026-11-22")[1]["metrics"]
    assert old.exists()
    code, said = keeper.json("--date", "2026-11-23", "--prune")
    assert (code, said["metrics"]["pruned"], said["metrics"]["pruned_bytes"]) == (0, 1, 1)
    assert not old.exists()
    assert (keeper.backups / "2026-11-23-2" / "models" / old.name).exists()
    assert "unknown-0123456789ab.keras" in (keeper.folder / said["report"]).read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="finds the working child in /proc")
def test_a_kill_in_the_middle_leaves_the_earlier_one_whole_and_the_next_start_fine(keeper: Keeper) -> None:
    assert keeper.run("--date", "2026-11-21").returncode == 0
    earlier = contents(keeper.backups)
    with (keeper.data / "captures" / "2026-11-22-901.jsonl.gz").open("wb") as file:
        file.truncate(600 << 20)  # takes its time to be copied
    process = keeper.start("--date", "2026-11-22")
    pid = process.pid
    end = time.monotonic() + 30
    while not list(keeper.backups.glob(".*.aside/captures/2026-11-22-901.jsonl.gz")):
        assert time.monotonic() < end
        time.sleep(0.005)
    os.kill(int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]), signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == 1
    (keeper.data / "captures" / "2026-11-22-901.jsonl.gz").unlink()
    left = [path.name for path in keeper.backups.iterdir() if not path.name.startswith(".")]
    assert left == ["2026-11-21-1"]
    assert {name: content for name, content in contents(keeper.backups).items() if name[0] != "."} == earlier
    code, said = keeper.json("--date", "2026-11-22")
    assert (code, said["metrics"]["kept"]) == (0, 1)  # both were made today; the rotation dropped the earlier one
    assert not list(keeper.backups.glob(".*"))


def test_a_damaged_backup_is_refused_in_a_sentence(keeper: Keeper) -> None:
    assert keeper.run("--date", "2026-11-21").returncode == 0
    store = keeper.backups / "2026-11-21-1" / "nightdesk.db"
    store.write_bytes(store.read_bytes()[:-4096])
    before = contents(keeper.data)
    done = keeper.restore("latest", "--force")
    assert done.returncode == 65
    assert "data/backups/2026-11-21-1/nightdesk.db has " in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(keeper.data) == before
    code, said = keeper.json("--date", "2026-11-22")
    assert (code, said["metrics"]["flawed"], said["metrics"]["kept"]) == (0, 1, 1)
    assert "Damaged:" in (keeper.folder / said["report"]).read_text()


def test_backups_cant_lie_among_the_captures(keeper: Keeper) -> None:
    done = keeper.run("--to", "data/captures/backups")
    assert done.returncode == 78
    assert "can't lie in data/captures/backups" in done.stderr


def test_the_object_of_json_is_one_and_whole(keeper: Keeper) -> None:
    done = keeper.run("--json", "--quiet")
    said = json.loads(done.stdout)
    assert (said["job"], said["status"]) == ("backup", "ok")
    assert {"files", "bytes", "linked", "copied", "seconds", "database_rows", "kept", "dropped"} <= set(said["metrics"])
