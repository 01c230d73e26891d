"""What the page of an evening's mood shows, finished, and the tables that lie beside it."""

import calendar
import datetime
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lib.charts import shortened, straight
from lib.files import shown
from lib.formats import signed
from lib.tweets import figures, place_figures
from lib.tweets.mood import Extreme, Mean
from lib.tweets.places import PlaceMood
from lib.tweets.summary import Found, malformed
from lib.tweets.tables import moment
from lib.tweets.words import Term

LINES = 12  # of a quotation; what is written a letter a line goes on in the last one
WORD_CHARACTERS = 40  # of a stranger's word in a table
ADDRESS_CHARACTERS = 500
_EMPTY_LINES = re.compile(r"\s*\n\s*\n\s*")


def finished(found: Found, date: str, zone: datetime.tzinfo) -> dict[str, Any]:
    """What the page of a date shows, finished."""
    return {
        "found": found,
        "charts": charts(found, date, zone),
        "tables": {name: rows for name, rows in data_tables(found).items() if rows},
        "kinds": [
            ("a word of the list", found.mood.scored - found.mood.no_words),
            ("English without a word of the list", found.mood.no_words),
            *((kind.value, count) for kind, count in found.mood.unscored),
        ],
        "terms": {
            "up": [_term(each) for each in found.terms if each.difference > 0],
            "down": [_term(each) for each in found.terms if each.difference < 0],
        },
        "quoted": {
            "positive": [_quote(each) for each in found.mood.most_positive],
            "negative": [_quote(each) for each in found.mood.most_negative],
        },
        "hashtags": [replace(each, tag=shortened(each.tag, WORD_CHARACTERS)) for each in found.mood.hashtags],
        "notices": [(shortened(name, WORD_CHARACTERS), count) for name, count in found.read.notices.most_common(12)],
        "stream": _stream(found),
        "notes": [*found.material.notes, *_cost(found)],
        "files": found.material.own or [shown(path) for path in found.material.paths],
    }


def _quote(extreme: Extreme) -> Extreme:
    """As a page has room for it: without a column of empty lines, and not a letter a line."""
    pieces, left = [], LINES
    for text, valence in extreme.pieces:
        lines = _EMPTY_LINES.sub("\n\n", straight(text)).split("\n")
        pieces.append(("\n".join([*lines[:left], " ".join(lines[left:])][: left + 1]).rstrip("\n"), valence))
        left = max(0, left - len(lines) + 1)
    url = extreme.url if len(extreme.url) <= ADDRESS_CHARACTERS else ""
    return replace(extreme, pieces=pieces, url=url)


def _term(term: Term) -> tuple[str, str]:
    return f"{shortened(term.word, WORD_CHARACTERS)} ({term.support:,})", signed(term.difference)


def _stream(found: Found) -> list[tuple[str, Any]]:
    counts = found.read.counts
    said = [
        ("lines", counts["lines"]),
        ("bytes", counts["bytes"]),
        ("tweets, each once", counts["tweets"]),
        ("duplicates left out", counts["duplicates"]),
        ("delete notices", counts["deletes"]),
        ("tweets deleted again, and forgotten", counts["deleted"]),
        ("posts brought by other rules of the app, left out", counts["others"]),
        ("lines nothing could be read from", malformed(found)),
        ("notices", counts["notices"]),
        ("keep-alives", counts["keep_alives"]),
        ("reconnections", found.material.reconnects),
        ("gaps", len(found.material.gaps)),
    ]
    return [(name, count) for name, count in said if count or not name.startswith(("posts", "keep", "notices"))]


def _cost(found: Found) -> list[str]:
    if found.source != "x":
        return []
    return [f"X bills the posts it delivers: {found.posts:,}, an estimated ${found.dollars:,.2f} at half a cent each."]


def charts(found: Found, date: str, zone: datetime.tzinfo) -> dict[str, Any]:
    """The page's charts by name; None where there is nothing to draw. `zone` is the desk's."""
    nights = [(each.date, each.mean, each.low, each.high, each.scored) for each in found.evenings]
    if (mean := found.mood.mean) is not None:
        nights.append((date, mean.value, mean.low, mean.high, mean.count))
    return {
        "distribution": figures.distribution(found.mood),
        "course": figures.course(found.mood, zone),
        "words": figures.contributions(found.words, found.mood),
        "shift": figures.word_shift(found.shift, found.before.date if found.before else ""),
        "states": place_figures.states(found.places),
        "countries": place_figures.countries(found.places),
        "languages": figures.languages(found.mood),
        "evenings": figures.evenings(nights, _title([each[0] for each in nights])),
    }


def _title(dates: Sequence[str]) -> str:
    days = {calendar.day_name[datetime.date.fromisoformat(each).weekday()] for each in dates}
    return f"The last {days.pop()}s" if len(days) == 1 else "The last captures"


def data_tables(found: Found) -> dict[str, list[dict[str, Any]]]:
    """The figures of the page as tables to lie beside it. No tweet is in them: their authors may take those back."""
    its = found.mood
    return {
        "valences": [{"valence": valence, "tweets": count} for valence, count in its.distribution],
        "course": [
            {"start": moment(period.start_ms / 1000), "scored": period.scored, **_mean(period.mean)}
            for period in its.course
        ],
        "words": [
            {"word": word.entry, "valence": word.valence, "times": word.count, "part_in_mean": word.contribution}
            for word in found.words
        ],
        "word_shift": [
            {"word": word.entry, "valence": word.valence, "before": word.before, "now": word.now}
            | {"how": word.way.value, "change": word.change}
            for word in (found.shift.words if found.shift else [])
        ],
        "company": [{"word": term.word, "tweets": term.support, "leaning": term.difference} for term in found.terms],
        "hashtags": [
            {"hashtag": each.tag, "tweets": each.tweets, "scored": each.scored, "mean": each.mean}
            for each in its.hashtags
        ],
        "languages": [{"language": tag, "tweets": count} for tag, count in its.languages],
        "states": [_place_row(each) for each in found.places.states],
        "countries": [_place_row(each) for each in found.places.countries],
    }


def _place_row(place: PlaceMood) -> dict[str, Any]:
    return {"code": place.code, "name": place.name, "scored": place.scored, **_mean(place.mean)}


def _mean(mean: Mean | None) -> dict[str, float | None]:
    if mean is None:
        return {"mean": None, "low": None, "high": None}
    return {"mean": mean.value, "low": mean.low, "high": mean.high}
