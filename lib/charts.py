"""Charts for pages: Altair to inline SVG that follows the page's colours, with a title, a finding and its data table.

The SVG holds CSS variables, so one picture serves light and dark. It has no text sizes or fonts of its own.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any
from unicodedata import east_asian_width
from urllib.parse import quote, unquote

from markupsafe import Markup, escape

# told apart with every common kind of colour blindness (tested); the page gives each a light and a dark value
SERIES = tuple(f"var(--series-{number})" for number in range(1, 7))
INK, MUTED, RULE, ACCENT = "var(--ink)", "var(--muted)", "var(--rule)", "var(--accent)"

_CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": "inherit",
    "aria": False,  # the figure says what the chart shows; ARIA on each mark makes a small chart 28 KB
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "gridColor": RULE,
        "domainColor": RULE,
        "tickColor": RULE,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "labelLimit": 0,  # Vega cuts a label also within a character beyond U+FFFF, which vl-convert fails on
    },
    "header": {"labelColor": INK, "labelFontSize": 12, "titleColor": MUTED},
    "legend": {"labelColor": INK, "titleColor": MUTED, "labelFontSize": 11, "labelLimit": 0},
    "bar": {"fill": ACCENT},
    "line": {"stroke": ACCENT, "strokeWidth": 2},
    "text": {"fill": INK, "fontSize": 11},
    "range": {"category": list(SERIES)},
}

# what XML 1.0 has no place for (section 2.2, Characters): vl-convert ends the whole process on it
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_LINKED = re.compile(r"<a ([^>]*)>(.*?)</a>")  # a link in the picture is always a tip
_TIP = re.compile(r'#tip:([\w -]*):([^">]*)"')
_EMPTY_ELEMENT = re.compile(r"<(\w+)([^>]*)/>")


@dataclass(frozen=True)
class Figure:
    """A chart as a page takes it. `finding` is the sentence a reader who can't see it gets, and the caption."""

    title: str
    finding: str
    svg: Markup
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def of_rows(rows: Sequence[Mapping[str, Any]]) -> Any:
    """An Altair chart of these rows, without a mark yet."""
    import altair as alt  # loads for most of a second

    return alt.Chart({"values": list(rows)})


def straight(text: str) -> str:
    """A text without the characters that turn the direction of what comes after it, which no <bdi> stops if unclosed.

    Those of Unicode's bidirectional algorithm (UAX #9) that embed, override and isolate; letters keep their direction.
    """
    return _TURNS.sub("", text)


def shortened(text: str, most: int) -> str:
    """A text cut to a label's length, `most` characters; those as wide as two (ideographs, emojis) count as two."""
    text = straight(text)
    ends = list(accumulate(2 if east_asian_width(each) in "WF" else 1 for each in text[: most + 1]))
    if len(text) <= most and (not ends or ends[-1] <= most):
        return text
    return f"{text[: sum(end < most for end in ends)]}…"


def apart(labels: Iterable[str]) -> list[str]:
    """The labels with a number at those that are the same once shortened: a scale has one place for each name."""
    seen: Counter[str] = Counter()
    result = []
    for label in labels:
        seen[label] += 1
        result.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return result


def tip(text: str, kind: str = "") -> str:
    """What a row's field `tip` holds, encoded as `href="tip:N"`: its mark gets this tooltip, and the class `kind`.

    Vega's pictures have no tooltips and no classes of one's own, but links, and those can carry both here.
    """
    kept = quote(_as_xml_can(text), safe="").replace(".", "%2E")  # a number in it isn't a place to be rounded
    return f"#tip:{kind}:{kept}"


def figure(chart: Any, title: str, finding: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Figure:
    """Draw an Altair chart. `columns` and `rows` are its data as a table."""
    return Figure(title, finding, draw(chart, title, finding), columns, rows)


def draw(chart: Any, title: str, finding: str) -> Markup:
    """An Altair chart as one `<svg role="img">` with `<title>` and `<desc>`; what strangers wrote in it is escaped."""
    import vl_convert

    svg = vl_convert.vegalite_to_svg(_as_xml_can(chart.configure(**_CONFIG).to_dict()))
    opening = re.match(r"<svg[^>]*>", svg)
    assert opening is not None  # what vl-convert returns is an svg element
    width, height = re.findall(r'(?:width|height)="([\d.]+)"', opening[0])[:2]
    names = Markup("<title>{}</title><desc>{}</desc>").format(_as_xml_can(title), _as_xml_can(finding))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" '
        f'style="max-width:{width}px;font-size:11px">{names}'
    )
    return Markup(head + _LINKED.sub(_tipped, _slim(svg[opening.end() :])))


def _tipped(found: re.Match[str]) -> str:
    mark, told = found[2], _TIP.search(found[1])
    if told is None:  # of a row without one
        return mark
    kind, text = told[1], unquote(told[2])
    named = Markup(' class="{}"').format(kind) if kind else ""
    title = Markup("<title>{}</title>").format(text) if text else ""
    alone = _EMPTY_ELEMENT.fullmatch(mark)
    if alone and title:
        return f"<{alone[1]}{named}{alone[2]}>{title}</{alone[1]}>"
    if alone or not title:
        return re.sub(r"^<(\w+)", rf"<\1{named}", mark)
    return f"<g{named}>{title}{mark}</g>"


def _as_xml_can(value: Any) -> Any:
    """A specification whose texts, however deep, have � for each character that XML can't hold."""
    if isinstance(value, str):
        return _NOT_XML.sub("�", value)
    if isinstance(value, dict):
        return {key: _as_xml_can(each) for key, each in value.items()}
    return [_as_xml_can(each) for each in value] if isinstance(value, list) else value


def _slim(svg: str) -> str:
    """Without what a page has no use for: Vega's empty paths, its roles and classes, fractions of a hundredth.

    In paths it is fractions of a tenth.
    """
    svg = re.sub(r'<path class="(?:background|foreground)"[^>]*?d="(?:M0,0h0v0h0Z)?"[^>]*/>', "", svg)
    svg = re.sub(r"<[^>]*>", _slim_tag, svg)  # tags alone: a text may look like an attribute or a number
    for _ in range(4):  # groups that lost all they held
        svg = re.sub(r"<g(?: [^>]*)?></g>", "", svg)
    return svg


def _slim_tag(tag: re.Match[str]) -> str:
    text = re.sub(r' (?:class|role|aria-[a-z]+|pointer-events)="[^"]*"', "", tag[0])
    text = re.sub(
        r' (?:font-family="inherit"|opacity="1"|stroke-miterlimit="10"|font-size="11px"|stroke-width="1")', "", text
    )
    text = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\d+\.\d)\d+", r"\1", path[0]), text)
    return re.sub(r"(\d+\.\d{2})\d+", r"\1", text)


def sparkline(values: Sequence[float], *, width: int = 120, height: int = 24) -> Markup:
    """The `points` of a polyline through the values, the first at the left edge; empty for fewer than two."""
    if len(values) < 2:
        return Markup("")
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    points = (
        f"{place * width / (len(values) - 1):.1f},{height - 2 - (value - low) / span * (height - 4):.1f}"
        for place, value in enumerate(values)
    )
    return escape(" ".join(points))
