"""Pages: one self-contained HTML file a run, the latest of each job, and the index of the desk.

Templates get finished values; nothing is asked of the store while a page is rendered. A run's page is kept in the
run's data folder with its results, so that what lies in `reports/` can always be put right from there.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from sqlite_utils import Database

from lib import machine
from lib.charts import sparkline
from lib.files import atomic_write, is_demo
from lib.runs import STATUSES
from lib.settings import Settings
from lib.store import rows

TEMPLATES = Path(__file__).parent.parent / "templates"
RUNS_SHOWN = 100
SPARKLINE_RUNS = 30
WITHDRAWN = "Taken back by its author."
_QUOTE = re.compile(r'(<blockquote data-id="([^"]*)">).*?(</blockquote>)', re.DOTALL)
SIGNS = {"running": "▷", "ok": "✓", "failed": "✕", "skipped": "→", "missed": "○", "crashed": "!"}
assert set(SIGNS) == set(STATUSES)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number,
        signed=signed,
        percent=percent,
        seconds=seconds,
        moment=moment,
        clock=clock,
        day=day,
        link=link,
        title=title,
    )
    environment.globals["signs"] = SIGNS
    return environment


def render(template: str, *, zone: ZoneInfo, packages: tuple[str, ...] = (), **context: Any) -> str:
    """A page as text. It names when it was written and the machine, with the versions of `packages`."""
    written = datetime.now(zone)
    return (
        _environment()
        .get_template(template)
        .render(written=written, zone=zone, machine=machine.describe(packages), **context)
    )


def page_name(job: str, date: str) -> str:
    """Where a run's page lies in the folder of reports."""
    return f"{job}/{date}.html"


def publish(db: Database, settings: Settings, job: str) -> None:
    """Bring a job's pages and the index up to what the store has committed.

    Pages of earlier runs that are missing are put in their places, for an earlier start may have died before it could
    do so. The latest page is that of the latest date, whenever it was made. Raises CannotWrite.
    """
    sql = "SELECT * FROM runs WHERE job = ? AND committed = 1 AND report IS NOT NULL ORDER BY started_at DESC, id DESC"
    made = rows(db, sql, job)
    latest = max(made, key=lambda row: str(row["date"]), default=None)
    for row in made:
        target = settings.reports / row["report"]
        page = settings.data / (row["folder"] or "") / "report.html"
        if (row is made[0] or row is latest or not target.exists()) and page.exists():
            _write_if_changed(target, page.read_bytes())
            if row is latest:
                _write_if_changed(settings.reports / job / "latest.html", page.read_bytes())
    publish_index(db, settings)


def publish_index(db: Database, settings: Settings) -> None:
    """Write the desk's page anew. Raises CannotWrite."""
    atomic_write(settings.reports / "index.html", index(db, settings))


def withdraw(db: Database, settings: Settings, quotes: Mapping[int, Collection[str]]) -> None:
    """Take quotations out of pages of earlier runs, by run: the elements `<blockquote data-id="ID">`.

    Raises CannotWrite.
    """
    for run, ids in quotes.items():
        row = rows(db, "SELECT * FROM runs WHERE id = ?", run)[0]
        page = settings.data / (row["folder"] or "") / "report.html"
        if not row["report"] or not page.is_file():
            continue
        text = page.read_text(encoding="utf-8")
        left = _without_quotes(text, {str(escape(each)) for each in ids})
        if left != text:
            for path in (page, settings.reports / row["report"], settings.reports / row["job"] / "latest.html"):
                if path == page or (path.is_file() and path.read_text(encoding="utf-8") == text):
                    atomic_write(path, left)


def _without_quotes(text: str, gone: set[str]) -> str:
    return _QUOTE.sub(lambda found: f"{found[1]}{WITHDRAWN}{found[3]}" if found[2] in gone else found[0], text)


def _write_if_changed(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        atomic_write(path, content)


def index(db: Database, settings: Settings) -> str:
    """The desk's page: a card a job, and the last runs."""
    recent = rows(db, "SELECT * FROM runs ORDER BY started_at DESC, id DESC LIMIT ?", RUNS_SHOWN)
    jobs = rows(db, "SELECT job, COUNT(*) AS runs FROM runs GROUP BY job ORDER BY job")
    return render(
        "index.html",
        zone=settings.zone,
        demo=is_demo([settings.data]),
        cards=[_card(db, each["job"], each["runs"], settings.reports) for each in jobs],
        runs=recent,
        total=sum(each["runs"] for each in jobs),
    )


def _card(db: Database, job: str, count: int, reports: Path) -> dict[str, Any]:
    last = rows(db, "SELECT * FROM runs WHERE job = ? ORDER BY started_at DESC, id DESC LIMIT 1", job)[0]
    sql = "SELECT seconds FROM runs WHERE job = ? AND status = 'ok' ORDER BY started_at DESC LIMIT ?"
    times = [row["seconds"] for row in rows(db, sql, job, SPARKLINE_RUNS)][::-1]
    page = f"{job}/latest.html"
    return {
        "job": job,
        "last": last,
        "runs": count,
        "times": times,
        "sparkline": sparkline(times),
        "page": page if (reports / page).exists() else None,
    }


def number(value: float | None, digits: int | None = None) -> str:
    """1234567 → 1,234,567; floats with three digits unless told; None → –."""
    if value is None:
        return "–"
    if isinstance(value, int) or (digits is None and float(value).is_integer()):
        return f"{int(value):,}".replace("-", "−")
    return f"{value:,.{3 if digits is None else digits}f}".replace("-", "−")


def signed(value: float | None, digits: int = 2) -> str:
    """+0.42, −0.10; 0.00 has no sign; None → –."""
    if value is None:
        return "–"
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def percent(share: float | None, digits: int = 0) -> str:
    """0.256 → 26%."""
    return "–" if share is None else f"{share:.{digits}%}"


def seconds(value: float | None) -> str:
    """A length of time as people say it: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if value is None:
        return "–"
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(value: datetime | str | float | None, zone: ZoneInfo) -> Markup:
    """A `<time>` in the desk's time zone, to the minute. Numbers are seconds since 1970."""
    return _time(value, zone, "%-d %b %Y, %H:%M %Z")


def clock(value: datetime | str | float | None, zone: ZoneInfo) -> Markup:
    """A `<time>` that shows the time of day in the desk's time zone, to the second."""
    return _time(value, zone, "%H:%M:%S")


def _time(value: datetime | str | float | None, zone: ZoneInfo, shown: str) -> Markup:
    if value is None:
        return Markup("–")
    try:
        if isinstance(value, int | float):
            value = datetime.fromtimestamp(value, UTC)
        when = (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(zone)
    except (ValueError, OverflowError, OSError):  # what no calendar has
        return Markup("–")
    return Markup('<time datetime="{}">{}</time>').format(
        when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), when.strftime(shown)
    )


def day(value: str) -> Markup:
    """A `<time>` for an ISO date: a day, or a month."""
    try:
        shown = date.fromisoformat(value).strftime("%-d %b %Y")
    except ValueError:
        shown = value
    return Markup('<time datetime="{}">{}</time>').format(value, shown)


def link(text: str, url: str | None) -> Markup | str:
    """A link where the address is http or https; else the text alone. Whatever a stranger wrote is escaped."""
    if url and url.lower().startswith(("https://", "http://")):
        return Markup('<a href="{}" rel="noopener noreferrer">{}</a>').format(url, text)
    return text


def title(job: str) -> str:
    """model_topics → Model topics."""
    return job.replace("_", " ").capitalize()


def pretty(value: Any) -> str:
    """A setting as a person would write it."""
    if isinstance(value, list | tuple):
        return ", ".join(pretty(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def settings_list(options: Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
    """Names and values of settings for a page."""
    return [(name.replace("_", " "), pretty(value)) for name, value in options]
