"""Pages in their places: one self-contained HTML file a run, the latest of each job, and the index of the desk.

A run's page and its tables are kept in the run's data folder with its results, so that what lies in `reports/` can
always be put right from there; JSON, failed runs' pages and the index are made from the store.
"""

import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from markupsafe import escape
from sqlite_utils import Database

from lib.files import atomic_write
from lib.formats import clock, day, link, moment, number, percent, pretty, seconds, settings_list, signed, title
from lib.frame import turned
from lib.index import index
from lib.index import write_index as publish_index
from lib.pages import TEMPLATES, page_name, render
from lib.pages import environment as _environment
from lib.run_files import json_text, tables_in, without_rows
from lib.settings import Settings
from lib.store import rows

__all__ = [
    "TEMPLATES",
    "_environment",
    "clock",
    "day",
    "index",
    "link",
    "moment",
    "number",
    "page_name",
    "percent",
    "pretty",
    "publish",
    "publish_index",
    "render",
    "seconds",
    "settings_list",
    "signed",
    "title",
    "withdraw",
]

WITHDRAWN = "Taken back by its author."
PAGE = "report.html"  # in a run's folder
Row = dict[str, Any]
_BESIDE = re.compile(r"(?P<date>\d{4}-\d\d-\d\d)(\.json|-.+\.csv)")
_QUOTE = re.compile(r'(<blockquote data-id="([^"]*)">).*?(</blockquote>)', re.DOTALL)


def publish(db: Database, settings: Settings, job: str) -> None:
    """Bring a job's pages and the index up to what the store has committed.

    Pages of earlier runs that are missing are put in their places, for an earlier start may have died before it could
    do so. Those beside a new one, or beside one that was pruned, get their links. The latest page is that of the latest
    date, whenever it was made. Raises CannotWrite.
    """
    sql = "SELECT * FROM runs WHERE job = ? AND committed = 1 AND report IS NOT NULL ORDER BY date, id"
    made = rows(db, sql, job)
    new = max(made, key=lambda row: (row["started_at"], row["id"]), default=None)
    there = [(settings.reports / row["report"]).exists() for row in made]
    changed = {place for place, row in enumerate(made) if row is new or not there[place]}
    beside = {place + step for place in changed for step in (-1, 1)}
    names = {row["date"]: Path(row["report"]).name for row in made}
    for place in sorted({*changed, *beside, 0, len(made) - 1} & set(range(len(made)))):
        before = made[place - 1]["date"] if place else None
        after = made[place + 1]["date"] if place + 1 < len(made) else None
        _put(db, settings, made[place], partial(turned, before=before, after=after, names=names), made[-1])
    _remove_strays(settings.reports / job, {row["date"] for row in made})
    publish_index(db, settings)


def _put(db: Database, settings: Settings, row: Row, turn: Callable[[str], str], latest: Row) -> None:
    """Put a run's page and the files beside it in their places, as far as the run still has them."""
    target = settings.reports / row["report"]
    kept = settings.data / (row["folder"] or "") / PAGE
    if not kept.is_file():
        return
    text = turn(_text(kept))
    _write_if_changed(target, text)
    if row is latest:
        _write_if_changed(target.with_name("latest.html"), text)
    _write_if_changed(target.with_suffix(".json"), json_text(db, settings, row["id"]))
    tables = {target.with_name(f"{target.stem}-{name}.csv"): path for name, path in tables_in(kept.parent).items()}
    for name, path in tables.items():
        _write_if_changed(name, _text(path))
    for path in set(target.parent.glob(f"{target.stem}-*.csv")) - set(tables):
        path.unlink(missing_ok=True)  # of a run that this one has replaced


def _remove_strays(folder: Path, dates: Collection[str]) -> None:
    """Remove the files beside pages that aren't there any more."""
    for path in folder.iterdir() if folder.is_dir() else ():
        found = _BESIDE.fullmatch(path.name)
        if found and found["date"] not in dates:
            path.unlink(missing_ok=True)


def withdraw(db: Database, settings: Settings, quotes: Mapping[int, Collection[str]]) -> None:
    """Take quotations out of pages of earlier runs, by run: the elements `<blockquote data-id="ID">`.

    The same goes for the rows of the runs' tables with one of these in their column `id`. Raises CannotWrite.
    """
    for run, ids in quotes.items():
        row = rows(db, "SELECT * FROM runs WHERE id = ?", run)[0]
        if not row["report"]:
            continue
        kept, shown = settings.data / (row["folder"] or "") / PAGE, settings.reports / row["report"]
        escaped = {str(escape(each)) for each in ids}
        for path in (kept, shown, shown.with_name("latest.html")):
            _rewrite(path, lambda text, gone=escaped: _without_quotes(text, gone))  # type: ignore[misc]
        for path in (*tables_in(kept.parent).values(), *shown.parent.glob(f"{shown.stem}-*.csv")):
            _rewrite(path, lambda text, gone=set(ids): without_rows(text, gone))  # type: ignore[misc]


def _rewrite(path: Path, change: Callable[[str], str]) -> None:
    if path.is_file():
        _write_if_changed(path, change(_text(path)))


def _without_quotes(text: str, gone: Collection[str]) -> str:
    return _QUOTE.sub(lambda found: f"{found[1]}{WITHDRAWN}{found[3]}" if found[2] in gone else found[0], text)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")  # line ends as they are


def _write_if_changed(path: Path, text: str) -> None:
    content = text.encode("utf-8")
    if not path.is_file() or path.read_bytes() != content:
        atomic_write(path, text)
