"""A desk in a temporary folder, and jobs run there as a person runs them."""

import csv
import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HEADER = ["", "id", "title", "publication", "author", "date", "year", "month", "url", "content"]
THEMES = {
    "Space": "rocket orbit moon astronaut launch satellite planet telescope comet engine",
    "Garden": "tomato soil seed compost rose hedge lawn pruning greenhouse harvest",
    "Music": "violin orchestra concert melody rhythm choir piano festival singer album",
}


def article_rows(count: int = 60) -> list[list[str]]:
    """Rows in the "All the news" schema about three things."""
    rows = []
    for number in range(count):
        theme = list(THEMES)[number % 3]
        words = THEMES[theme].split()
        picked = random.Random(number).choices(words, k=40)
        text = ". ".join(" ".join(picked[start : start + 8]).capitalize() for start in range(0, 40, 8))
        day = f"2024-0{1 + number % 6}-{1 + number % 28:02d}"
        title = f"{theme} story number {number} - The Daily Planet"
        rows.append([str(number), str(500 + number), title, "Daily Planet", "", day, "2024.0", "", "", f"{text}."])
    return rows


def write_csv(path: Path, rows: list[list[str]], header: list[str] = HEADER) -> Path:
    """Write rows as a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


class Desk:
    """A desk in a folder of its own; `run` starts a job there."""

    def __init__(self, folder: Path, job: str = "jobs.model_topics") -> None:
        self.folder, self.job = folder, job
        self.data, self.reports = folder / "data", folder / "reports"
        self.articles = folder / "data" / "articles"

    def command(self, *args: str, job: str | None = None) -> list[str]:
        """The command line of a job."""
        return [sys.executable, "-m", job or self.job, *args]

    @property
    def environment(self) -> dict[str, str]:
        """An environment without this machine's own settings of the desk."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTDESK_")}
        return {**kept, "PYTHONPATH": str(ROOT), "NIGHTDESK_MODEL_TOPICS_FETCH": "false"}

    def run(self, *args: str, env: dict[str, str] | None = None, **how: Any) -> subprocess.CompletedProcess[str]:
        """Run the job to its end."""
        return subprocess.run(
            self.command(*args),
            cwd=self.folder,
            env={**self.environment, **(env or {})},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **how,
        )

    def start(self, *args: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start the job and let it run; whoever starts it waits for it."""
        return subprocess.Popen(
            self.command(*args),
            cwd=self.folder,
            env={**self.environment, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def query(self, sql: str, *values: Any) -> list[Any]:
        """What the store answers."""
        connection = sqlite3.connect(self.data / "nightdesk.db")
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def json(self, *args: str, **how: Any) -> tuple[int, dict[str, Any]]:
        """Run with --json: the exit code and the one object on stdout."""
        done = self.run("--json", *args, **how)
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk with sixty articles."""
    made = Desk(tmp_path)
    write_csv(made.articles / "news.csv", article_rows())
    return made


@pytest.fixture
def listener(tmp_path: Path) -> Desk:
    """A desk that captures tweets."""
    return Desk(tmp_path, "jobs.capture_tweets")


@pytest.fixture
def trainer(tmp_path: Path) -> Desk:
    """A desk that retrains the network."""
    return Desk(tmp_path, "jobs.retrain_cnn")


@pytest.fixture
def make_csv() -> Callable[..., Path]:
    """`write_csv`, for tests that need other files."""
    return write_csv


@pytest.fixture
def rows() -> list[list[str]]:
    """Sixty article rows."""
    return article_rows()
