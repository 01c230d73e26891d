"""Runs with their pages, as a job leaves them, for the tests of what is made of them."""

from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import html5lib
from sqlite_utils import Database

from lib import runs
from lib.frame import TURN
from lib.logs import LOG, RunLog
from lib.runs import Outcome
from lib.settings import Settings
from lib.store import table, writing

PAGE = f"<!DOCTYPE html>\n<html lang='en'><head><title>t</title></head><body><nav>{TURN}</nav></body></html>"


def good_run(
    db: Database,
    settings: Settings,
    date: str,
    *,
    job: str = "model_topics",
    page: str | None = PAGE,
    metrics: Mapping[str, Any] | None = None,
    tables: Mapping[str, str] | None = None,
    message: str = "Done.",
) -> int:
    """A committed run with its folder; `tables` are CSV texts by name."""
    run = runs.begin(db, job, date, options={}, demo=False)
    folder = f"{job}/{date}-{run}"
    (settings.data / folder).mkdir(parents=True)
    if page is not None:
        (settings.data / folder / "report.html").write_text(page, encoding="utf-8")
    for name, text in (tables or {}).items():
        (settings.data / folder / f"table-{name}.csv").write_text(text, encoding="utf-8", newline="")
    with writing(db):
        table(db, "runs").update(run, {"folder": folder})
        report = f"{job}/{date}.html" if page is not None else None
        runs.commit(db, run, Outcome("ok", message, 0, metrics=metrics or {}, report=report))
    return run


def bad_run(
    db: Database,
    settings: Settings,
    date: str,
    *,
    job: str = "model_topics",
    status: str = "failed",
    code: int | None = 65,
    message: str = "news.csv has no column title.",
    stage: str = "reading",
    options: Mapping[str, Any] | None = None,
    **more: Any,
) -> int:
    """A run that failed or was found dead, with its folder and its log."""
    run = runs.begin(db, job, date, options=options or {}, demo=False)
    folder = f"{job}/{date}-{run}"
    (settings.data / folder).mkdir(parents=True)
    log = RunLog(settings.data / folder / LOG, run, job)
    log.write("Run begins")
    log.write(message, "error", stage=stage)
    with writing(db):
        table(db, "runs").update(run, {"folder": folder, "stage": stage})
        if status == "failed":
            runs.finish(db, run, Outcome(status, message, code or 0, **more))
        else:
            table(db, "runs").update(run, {"status": status, "message": message, "ended_at": runs.now()})
    return run


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.href: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.href = dict(attrs).get("href")

    def handle_data(self, data: str) -> None:
        if self.href is not None:
            self.found[data.strip()] = self.href
            self.href = None


def links(page: Path) -> dict[str, str]:
    """The links of a page: their texts (the first part of each) and addresses."""
    found = _Links()
    found.feed(page.read_text(encoding="utf-8"))
    return found.found


def turns(page: Path) -> dict[str, str]:
    """Where a page's links to the run before (prev) and after (next) lead."""
    tree = html5lib.parse(page.read_text(encoding="utf-8"), namespaceHTMLElements=False)
    return {each.get("rel"): each.get("href") for each in tree.iter("a") if each.get("rel") in ("prev", "next")}
