"""What the charts of tweets have in common: rows with a bar, labels, axes of signed numbers, names of languages."""

import json
from collections.abc import Sequence
from typing import Any

import altair as alt

from lib.charts import INK, MUTED, SERIES, of_rows, shortened
from lib.formats import signed
from lib.tweets.mood import Mean

UP, DOWN, EVEN = SERIES[0], SERIES[1], MUTED
LABEL_CHARACTERS = 24
ROW = 19  # pixels, the height of a row with a bar
WIDTH = 780
MINUS = "−"
PLAIN_AXIS = alt.Axis(domain=False, ticks=False, labelColor=INK)

# Twitter's tags; the q… ones are its own, for tweets without words
_LANGUAGES = {
    "ar": "Arabic", "bn": "Bengali", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish",
    "fr": "French", "gu": "Gujarati", "he": "Hebrew", "hi": "Hindi", "ht": "Haitian Creole", "hu": "Hungarian",
    "id": "Indonesian", "in": "Indonesian", "it": "Italian", "iw": "Hebrew", "ja": "Japanese", "ko": "Korean",
    "lt": "Lithuanian", "lv": "Latvian", "mr": "Marathi", "ms": "Malay", "my": "Burmese", "ne": "Nepali", "nl": "Dutch",
    "no": "Norwegian", "pa": "Punjabi", "pl": "Polish", "pt": "Portuguese", "qam": "mentions only",
    "qct": "cashtags only", "qht": "hashtags only", "qme": "media only", "qst": "very short", "ro": "Romanian",
    "ru": "Russian", "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish", "ta": "Tamil", "te": "Telugu", "th": "Thai",
    "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
    "zxx": "no words",
}  # fmt: skip


def signed_axis(ticks: int, grid: bool = True) -> alt.Axis:
    """An axis whose numbers carry their signs, zero none."""
    expression = "datum.value === 0 ? '0' : format(datum.value, '+.2~f')"
    return alt.Axis(labelExpr=expression, tickCount=ticks, grid=grid)


def lookup(labels: Sequence[str]) -> str:
    """A Vega expression that gives a place's label. Only for the desk's own words: nothing of a stranger's goes in."""
    return f"{json.dumps(labels)}[datum.value]"


def colour(value: float) -> str:
    """What lifts, what lowers, and what does neither."""
    return UP if value > 0 else DOWN if value < 0 else EVEN


def whole(value: int) -> str:
    """A valence with its sign."""
    return signed(value, 0)


def interval(mean: Mean | None) -> tuple[str, str, str]:
    """A mean and the ends of its interval, as a table shows them."""
    return (signed(mean.value), signed(mean.low), signed(mean.high)) if mean else ("–", "–", "–")


def language_name(tag: str) -> str:
    """English (en); a tag that nobody knows, as it is."""
    name = _LANGUAGES.get(tag)
    return f"{name} ({tag})" if name else short(tag)


def short(text: str) -> str:
    """A stranger's text, cut to a label's length."""
    return shortened(text, LABEL_CHARACTERS)


def diverging(rows: list[dict[str, Any]], title: str, room: float = 0.75) -> Any:
    """Bars to both sides of zero, names at the left a text at their ends (for which `room` is kept), a tip each."""
    for row in rows:
        row["sign"] = colour(row["change"])
    reach = max(abs(row["change"]) for row in rows) or 1.0
    low = -(1 + room) * reach if any(row["change"] < 0 for row in rows) else 0.0
    high = (1 + room) * reach if any(row["change"] > 0 for row in rows) else 0.0
    base = of_rows(rows).encode(
        y=alt.Y("name:N", sort=None, title=None, axis=PLAIN_AXIS),
        x=alt.X("change:Q", title=title, scale=alt.Scale(domain=[low, high]), axis=signed_axis(7, grid=False)),
    )
    bars = base.mark_bar(height=12).encode(color=alt.Color("sign:N", scale=None), href="tip:N")
    zero = of_rows([{"change": 0}]).mark_rule(stroke=MUTED).encode(x="change:Q")
    right = base.transform_filter("datum.change >= 0").mark_text(align="left", dx=4, color=MUTED)
    left = base.transform_filter("datum.change < 0").mark_text(align="right", dx=-4, color=MUTED)
    layers = [bars, zero, *(each.encode(text="label:N") for each in (right, left))]
    return alt.layer(*layers).properties(width=WIDTH - 100, height=ROW * len(rows))
