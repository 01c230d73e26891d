"""How pages write numbers, times, addresses and settings: each a Jinja filter, and of use in sentences, too."""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

KINDS = ("number", "percent", "signed", "bytes", "seconds")  # ways to write a figure


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
    at = when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup(f'<time datetime="{at}">{when.strftime(shown)}</time>')  # digits and a time zone's short name


def day(value: str) -> Markup:
    """A `<time>` for an ISO date: a day, or a month."""
    try:
        shown = date.fromisoformat(value).strftime("%-d %b %Y")
    except ValueError:
        shown = value
    return Markup(f'<time datetime="{escape(value)}">{escape(shown)}</time>')  # thousands of them on the runs' pages


def link(text: str, url: str | None) -> Markup | str:
    """A link where the address is http or https; else the text alone. Whatever a stranger wrote is escaped."""
    if url and url.lower().startswith(("https://", "http://")):
        address = quote(url, safe="%/:=&?~#+!$,;'@()*[]", errors="replace")  # what an address can't hold
        return Markup('<a href="{}" rel="noopener noreferrer">{}</a>').format(address, text)
    return text


@lru_cache(maxsize=256)
def title(job: str) -> str:
    """model_topics → Model topics, retrain_cnn → Retrain CNN: what can't be said aloud is an abbreviation."""
    text = job.replace("_", " ")
    text = re.sub(r"\b[bcdfghjklmnpqrstvwxz]{2,}\b", lambda found: found[0].upper(), text)
    return text[:1].upper() + text[1:]


def pretty(value: Any) -> str:
    """A setting as a person would write it."""
    if isinstance(value, list | tuple):
        return ", ".join(pretty(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def settings_list(options: Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
    """Names and values of settings for a page."""
    return [(name.replace("_", " "), pretty(value)) for name, value in options]


def size(value: float | None) -> str:
    """Bytes as people say them: 812 B, 4.2 KiB, 31 MiB."""
    if value is None:
        return "–"
    unit = "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if abs(value) < 1024:
            break
        value, unit = value / 1024, larger
    return f"{number(value, 1 if unit != 'B' and abs(value) < 10 else 0)} {unit}"


def figure(value: float | None, kind: str = "number") -> str:
    """A figure as its kind, one of KINDS, is written: 0.712 as a percent is 71.2%."""
    if value is None:
        return "–"
    if kind == "percent":
        return percent(value, 1)
    written = {"signed": signed, "bytes": size, "seconds": seconds}
    return written[kind](value) if kind in written else number(value)


def change(now: float | None, before: float | None, kind: str = "number") -> str:
    """What became of a figure: +1.2 points, −340, +4.2 MiB; “the same” where nothing a reader can see did."""
    if now is None or before is None:
        return "–"
    if figure(now, kind) == figure(before, kind):
        return "the same"
    more = now - before
    if kind == "percent":
        return f"{signed(more * 100, 1)} points"
    text = signed(more) if kind == "signed" else figure(abs(more), kind)
    return text if kind == "signed" else f"{'+' if more > 0 else '−'}{text}"


def cut(text: str, length: int) -> str:
    """A text on one line, of at most `length` characters."""
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def csv_text(table: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV (RFC 4180) with a line of names; "" for none. A name that a row hasn't is an empty cell.

    A text that a spreadsheet would take for a formula gets an apostrophe before it, as OWASP advises ("CSV injection").
    """
    names = list(dict.fromkeys(name for row in table for name in row))
    file = io.StringIO()
    if names:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([_cell(row.get(name)) for name in names] for row in table)
    return file.getvalue()


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else pretty(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
