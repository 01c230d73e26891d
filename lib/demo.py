"""The demo: every job once, on data the desk ships or makes, in folders of its own, made anew each time."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from lib.files import mark_as_demo


def run_demo(jobs: Mapping[str, Callable[[Path], list[list[str]]]], data: Path, reports: Path) -> int:
    """Run each job by its own command line and print the path of the index; returns the first exit code that isn't 0.

    Each value of `jobs` writes the job's demo data below `data` and returns the options of each run that reads it.
    """
    for folder in (data, reports):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    mark_as_demo(data)
    failed = 0
    for name, make_data in jobs.items():
        for options in make_data(data):
            where = ["--data", str(data), "--reports", str(reports), "--force"]
            code = subprocess.run([sys.executable, "-m", f"jobs.{name}", *where, *options], check=False).returncode
            failed = failed or code
    print(reports / "index.html")
    return failed
