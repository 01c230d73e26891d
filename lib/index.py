"""The desk at a glance: index.html has what needs attention, a card a job and the last runs; runs-N.html has all runs.

Runs have pages of BLOCK by their numbers, so that a run has one address for good. A page of runs is written again only
where one of its runs is not what the page shows; a full one is therefore left alone.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from lib.cards import cards_of
from lib.failures import publish_failed
from lib.files import atomic_write, is_demo
from lib.formats import cut
from lib.frame import BLOCK, permalink
from lib.pages import TEMPLATES, render
from lib.runs import STATUSES
from lib.schedules import Schedule
from lib.settings import Settings
from lib.store import rows

SENTENCE = 160  # characters of a run's sentence in the table
_COLUMNS = "id, job, date, status, started_at, seconds, message, report, committed"
_MARK = "<!--{}-->\n"  # what a page of runs ends with: the sum of what it shows

Row = dict[str, Any]
Schedules = Mapping[str, Schedule]


def write_index(db: Database, settings: Settings, schedules: Schedules | None = None) -> None:
    """Write the desk's page anew, and the pages of runs and of failed runs that aren't as they should be.

    `schedules` are the jobs' where the caller knows them; else the last tick's. Raises CannotWrite.
    """
    publish_failed(db, settings)
    atomic_write(settings.reports / "index.html", index(db, settings, schedules))
    last = _last(db)
    for block in range(1, last + 1):
        _write_block(db, settings, block, last)
    for path in settings.reports.glob("runs-*.html"):
        if path.stem[5:].isdigit() and int(path.stem[5:]) > last:
            path.unlink(missing_ok=True)


def index(db: Database, settings: Settings, schedules: Schedules | None = None, now: datetime | None = None) -> str:
    """The desk's page: what needs attention, a card a job, and the last runs, from BLOCK to twice as many."""
    last = _last(db)
    recent = _runs_of(db, max(1, last - 1), last)
    cards = cards_of(db, settings, schedules, now or datetime.now(UTC))
    jobs = sorted({run["job"] for run in recent})
    states = [status for status in STATUSES if any(run["status"] == status for run in recent)]
    return render(
        "index.html",
        zone=settings.zone,
        demo=is_demo([settings.data]),
        cards=cards,
        attention=[card for card in cards if card.attention],
        runs=recent,
        jobs=jobs,
        states=states,
        absent=[
            (job, state)
            for job, name in enumerate(jobs)
            for state in states
            if not any(run["job"] == name and run["status"] == state for run in recent)
        ],
        total=rows(db, "SELECT COUNT(*) AS runs FROM runs")[0]["runs"],
        older=f"runs-{last - 2}.html" if last > 2 else None,
    )


def _last(db: Database) -> int:
    """The number of the newest page of runs; 0 where there is none."""
    return -(-int(rows(db, "SELECT MAX(id) AS id FROM runs")[0]["id"] or 0) // BLOCK)


def _runs_of(db: Database, first: int, last: int) -> list[Row]:
    """The runs of pages of runs, the newest first, as the table takes them."""
    sql = f"SELECT {_COLUMNS} FROM runs WHERE id > ? AND id <= ? ORDER BY id DESC"
    found = rows(db, sql, (first - 1) * BLOCK, last * BLOCK)
    for row in found:
        row["message"] = cut(row["message"] or "", SENTENCE)
        row["permalink"] = permalink(row["id"])
        if not (row["committed"] or row["status"] in ("failed", "crashed")):
            row["report"] = None
    return found


def _write_block(db: Database, settings: Settings, block: int, last: int) -> None:
    found = _runs_of(db, block, block)
    path = settings.reports / f"runs-{block}.html"
    mark = _MARK.format(_sum([*found, {"newest": block == last, "zone": str(settings.zone)}]))
    if _end(path, len(mark)) == mark:
        return
    page = render(
        "runs.html",
        zone=settings.zone,
        demo=is_demo([settings.data]),
        runs=found,
        block=block,
        jobs=sorted({run["job"] for run in found}),
        newer=f"runs-{block + 1}.html" if block < last else None,
        older=f"runs-{block - 1}.html" if block > 1 else None,
    )
    atomic_write(path, page + mark)


def _sum(shown_rows: Sequence[Row]) -> str:
    """A sum of what a page shows and of the templates that show it."""
    text = json.dumps([shown_rows, _design()], ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _design() -> str:
    files = (TEMPLATES / name for name in ("_style.css", "_macros.html", "base.html", "runs.html"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _end(path: Path, length: int) -> str:
    """The last characters of a file; "" where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(-length, os.SEEK_END)
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
