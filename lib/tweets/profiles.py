"""Where people say they are, in the free text of a profile: "Brooklyn, NY", "texas", "Lagos, Nigeria", "🇬🇧".

A text is read from its end, where the largest region stands, and every place in it has to lie within that region:
"Paris, Texas" does, "Texas / Ohio" and "NYC | LA" name two places and so none. What is no name of a place is passed
over. A town's name alone stands for its largest bearer, if that has five times the people of all others; two letters
stand for a state where its town stands before them, or where they can't be a country or a word. What is ambiguous
stays unlocated: "Washington" is in the US and no more, "Washington, USA" is how Twitter writes the state.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

from lib.tweets.gazetteer import PART_OF, STATES, Gazetteer, Reading, fold, is_word, load_gazetteer

T = TypeVar("T")

CLEAR = 5  # times as many people as all namesakes
LEAST_PEOPLE = 100_000  # of a town or a province whose name stands alone
MOST_CHARACTERS = 150  # five times what Twitter lets people write

# Codes of states that are words, or look like them, in lower case; DE and IN also in other languages' addresses
_WORD_CODES = {"AL", "CO", "DE", "HI", "ID", "IN", "LA", "MA", "ME", "MO", "MS", "OH", "OK", "OR", "PA"}
_ALONE = {"AK", "CT", "FL", "NH", "NJ", "NM", "NV", "NY", "RI", "TX", "UT", "VT", "WI", "WV", "WY"}  # nothing else
_PROVINCES = {code: Reading("CA") for code in ("ON", "BC", "QC", "AB", "MB", "SK", "NS", "NB", "PEI")} | {
    code: Reading("AU") for code in ("NSW", "VIC", "QLD", "TAS", "WA", "SA")
}
_COMPASS = (
    "north south east west northern southern eastern western central upper lower northeast northwest southeast "
    "southwest upstate downtown midtown uptown greater metro rural"
)
_MODIFIERS = frozenset(f"{_COMPASS} somewhere in from the city state of republic live living based all over".split())

_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_UK_FLAG = re.compile("\U0001f3f4\U000e0067\U000e0062[\U000e0061-\U000e007a]+\U000e007f")  # England, Scotland, Wales
_APART = re.compile(r"[|/\\•·;:+&~<>=\n]|\s(?:and|or|to|y|vs|x)\s", re.IGNORECASE)
_COMMA = re.compile(r"[,()\[\]،、，]|\s[-‐–—]+\s")
_ZIP = re.compile(r"\b\d{5}(?:-\d{4})?$")
_ELSEWHERE = {"south america", "north america", "latin america", "central america"}


class _Contradictory(Exception):  # noqa: N818 (it is the text that is so)
    """Two places are named, or one that can't be told from another."""


def read_profile(text: str) -> Reading | None:
    """Where the text says that somebody is; None where it doesn't, or not clearly. Raises BadData without GeoNames."""
    return _read(text[:MOST_CHARACTERS].strip())


@lru_cache(maxsize=100_000)  # profiles repeat: one in four was seen before
def _read(text: str) -> Reading | None:
    flags = {_country_of(each) for each in _FLAG.findall(text)} | {"GB" for _ in _UK_FLAG.findall(text)}
    gazetteer = load_gazetteer()
    flags &= gazetteer.countries.keys()
    text = _UK_FLAG.sub("|", _FLAG.sub("|", text))
    if len(flags) > 1:
        return None
    flag = Reading(flags.pop()) if flags else None
    try:
        readings = [_segment(each, flag, gazetteer) for each in _APART.split(_plain(text))]
        return _together([each for each in readings if each] or [flag])
    except _Contradictory:
        return None


def _plain(text: str) -> str:
    """The text in plain letters; pictures part it, for "NYC ✈ LA" names two places."""
    kept = []
    for each in unicodedata.normalize("NFKC", text):
        category = unicodedata.category(each)
        if each in '#@*"“”!?…':
            kept.append(" ")
        elif category in ("Sk", "Cf", "Cn", "Co", "Cs") or "\ufe00" <= each <= "\ufe0f":
            continue
        else:
            kept.append("|" if category in ("So", "Sm") else each)
    return "".join(kept)


def _country_of(flag: str) -> str:
    return "".join(chr(ord(each) - 0x1F1E6 + ord("A")) for each in flag)


def _together(readings: list[Reading | None]) -> Reading | None:
    """What the readings agree on, the most exact of them."""
    agreed: Reading | None = None
    for each in readings:
        if each is not None:
            agreed = each if agreed is None else _within(each, agreed)
            if agreed is None:
                raise _Contradictory
    return agreed


def _within(one: Reading, other: Reading) -> Reading | None:
    """The more exact of two readings of which one lies in the other."""
    if PART_OF.get(one.country) == other.country and other.state is None:
        return one
    if PART_OF.get(other.country) == one.country and one.state is None:
        return other
    if one.country != other.country or (one.state and other.state and one.state != other.state):
        return None
    return one if one.state else other


def _segment(text: str, context: Reading | None, gazetteer: Gazetteer) -> Reading | None:
    """The place that parts between commas name, from the last, the largest, to the first."""
    parts = [part for each in _COMMA.split(text) if (part := _ZIP.sub("", each.strip()).strip(" .-_'"))]
    names = [fold(part) for part in parts]
    if len(names) == 2 and names[0] == "washington" and gazetteer.regions.get(names[1]) == frozenset({Reading("US")}):
        return _together([context, Reading("US", "WA")])
    for place in reversed(range(len(parts))):
        before = names[place - 1] if place else ""
        found = _part(parts[place], names[place], before, context, gazetteer)
        context = _together([context, found])
    return context


def _part(part: str, name: str, before: str, context: Reading | None, gazetteer: Gazetteer) -> Reading | None:
    if name in _ELSEWHERE:
        raise _Contradictory
    code = part.replace(".", "")
    if before and (code.upper() in STATES or code in gazetteer.countries or code in _PROVINCES):
        return _code(code, before, gazetteer)
    if context is None and code in _ALONE:
        return Reading("US", code)
    regions = gazetteer.regions.get(name, frozenset())
    if regions and (len(name) > 2 or not name.isascii() or name == "uk" or code.isupper()):
        return _region(name, regions, before, context, gazetteer)
    return _town(name, context, gazetteer) or _words(part, name, context, gazetteer)


def _region(
    name: str, regions: frozenset[Reading], before: str, context: Reading | None, gazetteer: Gazetteer
) -> Reading | None:
    """A country or a state. "Mexico" is also a town in Missouri, "California" one in Maryland."""
    bearers = gazetteer.towns.get(name, {})
    if len(regions) > 1:  # Georgia and Washington: by the town before, or the country around
        nearby = gazetteer.towns.get(before, ())
        if fitting := [each for each in regions if any(_within(town, each) for town in nearby)]:
            regions = frozenset(fitting)
        elif context is not None:
            regions = frozenset(each for each in regions if _within(each, context)) or regions
    if context is not None:
        inside = [each for each in regions if _within(each, context)]
        if not inside and any(_within(each, context) for each in bearers):
            return context
    if len(regions) == 1:
        return next(iter(regions))
    return Reading("US", "GA") if name == "georgia" else Reading("US")


def _code(code: str, before: str, gazetteer: Gazetteer) -> Reading | None:
    """Two letters after a comma, by the town before it: "Berlin, DE" isn't in Delaware, "Dover, DE" is.

    A town of both readings is the state's, since Americans write so, unless the country's is five times as large:
    "Ontario, CA" is in California, "Salem, IN" can't be told.
    """
    state = code.upper() if code.upper() in STATES and (code.isupper() or code.upper() not in _WORD_CODES) else None
    country = code if code in gazetteer.countries else None
    named = gazetteer.regions.get(before, frozenset())
    towns: dict[Reading, int] = dict(gazetteer.towns.get(before, {}))
    towns |= {each: max(towns.get(each, 0), LEAST_PEOPLE) for each in named}
    here = towns.get(Reading("US", state), 0) if state else 0
    there = max([people for where, people in towns.items() if where.country == country and not where.state], default=0)
    if here and there < CLEAR * here:
        return Reading("US", state)
    if here:
        raise _Contradictory
    if country and there:
        return Reading(country)
    if code in _PROVINCES and any(where.country == _PROVINCES[code].country for where in towns):
        return _PROVINCES[code]
    if towns:
        alone = _clear(towns, least=0)
        if code.upper() in STATES and alone and alone.state not in (None, code.upper()):
            raise _Contradictory  # "NYC, LA", "Bronx, CA"
        return None  # the town alone may tell: "Perth, WA"
    return Reading("US", state) if state and state not in gazetteer.countries else None


def _town(name: str, context: Reading | None, gazetteer: Gazetteer) -> Reading | None:
    """A town or a province by its name, within the region named so far."""
    towns, provinces = gazetteer.towns.get(name, {}), gazetteer.provinces.get(name, {})
    bearers = {each: max(towns.get(each, 0), provinces.get(each, 0)) for each in {*towns, *provinces}}
    if context is not None:
        inside = {each: people for each, people in bearers.items() if _within(each, context)}
        if inside:
            return _clear(inside, least=0) or context
    return None if is_word(name) else _clear(bearers, least=LEAST_PEOPLE)


def _clear(bearers: Mapping[Reading, int], least: int) -> Reading | None:
    """The country with the people of one bearer, or of all there, then the state in the same way."""
    countries: dict[str, int] = {}
    for where, people in bearers.items():
        countries[where.country] = countries.get(where.country, 0) + people
    country = _largest(countries, least)
    if country is None:
        return None
    states = {where.state: people for where, people in bearers.items() if where.country == country}
    return Reading(country, _largest(states, 0))


def _largest(people: Mapping[T, int], least: int) -> T | None:
    first = max(people, key=lambda each: people[each], default=None)
    if first is None or people[first] < least:
        return None
    others = sum(people.values()) - people[first]
    return first if people[first] >= CLEAR * others else None


def _words(part: str, name: str, context: Reading | None, gazetteer: Gazetteer) -> Reading | None:
    """A region at the end without a comma, after its town or words of direction: Houston Texas, somewhere in Ohio."""
    words, original = name.split(), part.split()
    if is_word(name):
        return None
    for length in range(min(3, len(words) - 1), 0, -1):
        start, end = " ".join(words[:-length]), " ".join(words[-length:])
        capitals = len(original) == len(words) and original[-1].isupper()
        tables = (gazetteer.towns, gazetteer.provinces, gazetteer.regions)
        inner = {each for table in tables for each in table.get(start, ())}
        regions = gazetteer.regions.get(end, frozenset())
        if len(end) == 2 and capitals and end.upper() in STATES:
            where: Reading | None = Reading("US", end.upper())
        elif regions and (len(end) > 2 or capitals or end == "uk"):
            where = _region(end, regions, start, context, gazetteer)
        else:
            where = None
        if where is not None and (inside := {each for one in inner if (each := _within(one, where))}):
            return inside.pop() if len(inside) == 1 else where
        if _MODIFIERS.issuperset(words[:-length]) and len(end) > 2:
            where = where or _town(end, context, gazetteer)
            if where is not None:
                return where
    return None
