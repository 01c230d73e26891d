"""What every run's page has around its own matter: what changed, the end of the log, data files, the runs beside it.

A page is rendered once, when its run ends. Which runs come before and after it is known later, and changes: there the
page has a mark, TURN, that is replaced by links whenever the page is put in its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup
from sqlite_utils import Database

from lib.files import shown
from lib.formats import cut, day
from lib.headline import Changes, changes
from lib.logs import LOG, lines_for_people, read_log
from lib.settings import Settings

TURN = "<!--the runs before and after-->"
BLOCK = 100  # runs a page of runs (lib.index)
LOG_LINES = 60
LINE_CHARACTERS = 600


@dataclass(frozen=True)
class Frame:
    """The frame of one run's page. `files` are names and addresses beside the page."""

    run: int
    permalink: str
    log: str
    changes: Changes | None = None
    files: Sequence[tuple[str, str]] = ()


def frame_of(
    db: Database,
    settings: Settings,
    run: int,
    job: str,
    date: str,
    *,
    folder: Path | None,
    stem: str,
    metrics: Mapping[str, Any] | None = None,
    tables: Mapping[str, Any] | None = None,
) -> Frame:
    """The frame of a run's page, which is named `stem`.html; `metrics` are compared with the run's before."""
    files = [("The run as JSON", f"{stem}.json")]
    files += [(f"{name.replace('_', ' ').capitalize()} as CSV", f"{stem}-{name}.csv") for name in tables or ()]
    found = changes(db, job, date, metrics, run=run) if metrics else None
    log = log_end(folder / LOG, settings.zone) if folder else ""
    return Frame(run, f"../{permalink(run)}", log, found, files)


def permalink(run: int) -> str:
    """Where a run stands in the folder of reports, for good."""
    return f"runs-{(run - 1) // BLOCK + 1}.html#run-{run}"


def log_end(path: Path, zone: ZoneInfo) -> str:
    """The last lines of a run's log as people read them, controls escaped; "" where there is none."""
    lines = lines_for_people(read_log(path, last=LOG_LINES), zone)[-LOG_LINES:]
    return "\n".join(line if len(line) <= LINE_CHARACTERS else f"{line[:LINE_CHARACTERS]}…" for line in lines)


def turned(page: str, before: str | None, after: str | None, names: Mapping[str, str]) -> str:
    """A page with links to the runs of the dates before and after; `names` are their pages'."""
    links = Markup(" ").join(
        Markup('<a rel="{}" href="{}">{}{}{}</a>').format(which, names[date], arrow, day(date), back)
        for which, date, arrow, back in (("prev", before, "← ", ""), ("next", after, "", " →"))
        if date is not None
    )
    return page.replace(TURN, links)


def sentence_of(message: str | None, length: int) -> str:
    """A run's sentence, cut where it is longer than a table has room for."""
    return cut(shown(message or ""), length)
