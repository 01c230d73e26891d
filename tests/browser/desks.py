"""Desks whose pages are looked at: the demo's, with runs that came to nothing; one of many runs; an empty one."""

import os
import subprocess
import sys
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path

from lib import reports, runs
from lib.files import mark_as_demo
from lib.settings import Settings
from lib.store import open_store, writing

ROOT = Path(__file__).parents[2]
CHEAP = {"model_topics": ["--passes", "6"], "retrain_cnn": ["--recipe", "seed", "--minutes", "0.15"]}
NIGHTS = {"capture_tweets": 2, "model_topics": 2}  # of the demo's; it has three of each
MANY, FIRST_DAY = 250, date(2024, 1, 1)  # runs


def run_job(folder: Path, job: str, *options: str, runner: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Start a job on the desk in `folder`; whoever starts it waits for it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTDESK_")}
    return subprocess.Popen(
        [sys.executable, *(runner or ("-m", f"jobs.{job}")), *options],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "NIGHTDESK_MODEL_TOPICS_FETCH": "false", "TZ": "UTC"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], code: int = 0) -> None:
    """Wait for a job, which ends so."""
    _, err = process.communicate(timeout=300)
    assert process.returncode == code, err[-2000:]


def settings_of(folder: Path) -> Settings:
    """The settings of the desk in `folder`."""
    return Settings(data=folder / "data", reports=folder / "reports", timezone="Europe/Madrid")


def make_demo(folder: Path) -> Path:
    """The demo's pages, made with less work, a failed run and runs of every other status; returns the reports."""
    data = folder / "data"
    data.mkdir(parents=True)
    mark_as_demo(data)
    options = {
        name: import_module(f"jobs.{name}").demo(data) for name in ("retrain_cnn", "capture_tweets", "model_topics")
    }
    broken = folder / "broken.csv"
    broken.write_text("no,article,anywhere\n1,2,3\n")
    with run_job(folder, "retrain_cnn", *options["retrain_cnn"][0], *CHEAP["retrain_cnn"]) as training:
        for job in ("capture_tweets", "model_topics"):
            for each in options[job][-NIGHTS.get(job, 1) :]:
                ended(run_job(folder, job, *each, *CHEAP.get(job, [])))
        ended(run_job(folder, "model_topics", "--articles", str(broken), "--date", "2024-06-02"), code=65)
        ended(training)
    ended(run_job(folder, "backup"))
    db = open_store(data)
    for number, status in enumerate(runs.STATUSES):
        runs.record(db, "backup", f"2024-06-{10 + number}", status, f"It is {status}.", 1, demo=True)
    reports.publish_index(db, settings_of(folder))
    db.close()
    return folder / "reports"


def make_many(folder: Path) -> Path:
    """A desk of many runs, of which no page is left; returns the reports."""
    settings = settings_of(folder)
    db = open_store(settings.data)
    jobs = ("backup", "capture_tweets", "model_topics", "retrain_cnn")
    with writing(db):
        for number in range(MANY):
            status = "ok" if number % 5 else runs.STATUSES[1 + number % 4]
            day = str(FIRST_DAY + timedelta(days=number))
            runs.note(db, jobs[number % len(jobs)], day, status, f"What came of run {number:,}, in one sentence.", 0)
    reports.publish_index(db, settings)
    db.close()
    return settings.reports


def make_empty(folder: Path) -> Path:
    """A desk on which nothing has run; returns the reports."""
    settings = settings_of(folder)
    db = open_store(settings.data)
    reports.publish_index(db, settings)
    db.close()
    return settings.reports


def pages(folder: Path) -> dict[str, Path]:
    """The pages in a folder of reports by name; of pages that are alike byte for byte the last (latest.html)."""
    found = {path.read_bytes(): path for path in sorted(folder.rglob("*.html"))}
    return {str(path.relative_to(folder)): path for path in sorted(found.values())}
