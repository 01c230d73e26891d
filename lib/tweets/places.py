"""Where tweets come from, and the mood there: US states and countries.

A tweet's place is the one it names, else that of its coordinates, else what its author's profile says.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from lib.tweets.gazetteer import STATES, Reading, country_names, fold
from lib.tweets.mood import Mean, t_mean
from lib.tweets.parsing import Tweet
from lib.tweets.profiles import read_profile
from lib.tweets.scoring import ScoredTweet
from lib.tweets.shapes import Place

MINIMUM = 10  # scored tweets; with fewer, a mean is the mood of a few people
FARTHEST = 1.0  # degrees from a town, 111 km to the north; beyond, nobody says where the sea belongs

Source = Literal["place", "coordinates", "profile"]

# (row, column) of each state as a tile, 11 by 8: the layout that newsrooms use since NPR's of 2015
TILES: Mapping[str, tuple[int, int]] = {
    state: (row, column)
    for row, line in enumerate(
        (
            "AK .. .. .. .. .. .. .. .. .. ME",
            ".. .. .. .. .. .. .. .. .. VT NH",
            "WA ID MT ND MN IL WI MI NY RI MA",
            "OR NV WY SD IA IN OH PA NJ CT ..",
            "CA UT CO NE MO KY WV VA MD DE ..",
            ".. AZ NM KS AR TN NC SC DC .. ..",
            ".. .. .. OK LA MS AL GA .. .. ..",
            "HI .. .. TX .. .. .. .. FL .. ..",
        )
    )
    for column, state in enumerate(line.split())
    if state != ".."
}


class Located(NamedTuple):
    """A tweet's country (ISO 3166 alpha-2), US state (postal code), and what says so; None where nothing does."""

    country: str | None = None
    state: str | None = None
    source: Source | None = None


@dataclass(frozen=True)
class PlaceMood:
    """A state's or a country's mean valence over its scored tweets. `code` is postal, or ISO 3166's alpha-2."""

    code: str
    name: str
    scored: int
    mean: Mean


@dataclass(frozen=True)
class Places:
    """States and countries with enough scored tweets, the happiest first. All counts are of scored tweets."""

    minimum: int
    scored: int
    located: int  # in a country
    in_states: int
    sources: list[tuple[Source, int]]
    states: list[PlaceMood]
    countries: list[PlaceMood]
    other_states: int  # how many have tweets, but too few
    other_countries: int
    happiest: PlaceMood | None  # the first of `states`


_NOWHERE = Located()


def locate(tweet: Tweet) -> Located:
    """Where a tweet comes from. Raises BadData where GeoNames' files aren't there."""
    if tweet.place is not None and (named := _of_place(tweet.place)) is not None:
        if named.country == "US" and named.state is None and tweet.coordinates is not None:
            near = _of_coordinates(*tweet.coordinates)
            if near is not None and near.state is not None:
                named = near
        return Located(*named, "place")
    if tweet.coordinates is not None and (near := _of_coordinates(*tweet.coordinates)) is not None:
        return Located(*near, "coordinates")
    if tweet.user_location and (said := read_profile(tweet.user_location)) is not None:
        return Located(*said, "profile")
    return _NOWHERE


def by_place(tweets: Sequence[ScoredTweet], located: Sequence[Located], *, minimum: int = MINIMUM) -> Places:
    """The mood of states and countries with at least `minimum` scored tweets. `located` is where the tweets are."""
    scored = [(each.valence, where) for each, where in zip(tweets, located, strict=True) if each.scored]
    sources = Counter(where.source for _, where in scored)
    by_state = _group((where.state, valence) for valence, where in scored)
    by_country = _group((where.country, valence) for valence, where in scored)
    states = _moods(by_state, STATES, minimum)
    countries = _moods(by_country, country_names(), minimum)
    order: tuple[Source, ...] = ("place", "coordinates", "profile")
    return Places(
        minimum=minimum,
        scored=len(scored),
        located=sum(where.country is not None for _, where in scored),
        in_states=sum(len(valences) for valences in by_state.values()),
        sources=[(source, sources[source]) for source in order],
        states=states,
        countries=countries,
        other_states=len(by_state) - len(states),
        other_countries=len(by_country) - len(countries),
        happiest=states[0] if states else None,
    )


def _group(pairs: Iterable[tuple[str | None, int]]) -> dict[str, list[int]]:
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for code, valence in pairs:
        if code is not None:
            groups[code].append(valence)
    return groups


def _moods(groups: Mapping[str, list[int]], names: Mapping[str, str], minimum: int) -> list[PlaceMood]:
    moods = []
    for code, valences in groups.items():
        mean = t_mean(len(valences), sum(valences), sum(valence * valence for valence in valences))
        if mean is not None and len(valences) >= minimum:
            moods.append(PlaceMood(code, names.get(code, code), len(valences), mean))
    return sorted(moods, key=lambda each: (-each.mean.value, -each.scored, each.code))


def _of_place(place: Place) -> Reading | None:
    """A place that a tweet names: v1.1 and v2 say the country; the state stands in the full name."""
    country = (place.country_code or "").upper()
    full = place.full_name or place.name or ""
    if not country:
        return _readable(full)
    if country not in country_names():
        return None
    if country != "US":
        return Reading(country)
    start, _, end = full.rpartition(", ")
    if end in STATES:
        return Reading(country, end)
    if place.type == "admin" or end == "USA":
        state = next((code for code, name in STATES.items() if fold(name) == fold(start or end)), None)
        return _puerto_rico(start) or Reading(country, state)
    # "Chinatown, San Francisco"; a venue's name says nothing ("Texas Roadhouse")
    said = _readable(full) if place.type == "neighborhood" else None
    return said if said is not None and said.country == "US" else Reading(country)


def _puerto_rico(name: str) -> Reading | None:
    return Reading("PR") if fold(name) == "puerto rico" else None


def _readable(name: str) -> Reading | None:
    return read_profile(name) if name else None


@lru_cache(maxsize=100_000)
def _of_coordinates(latitude: float, longitude: float) -> Reading | None:
    """The country and state of the nearest town, if there is one near; 0, 0 is what broken devices say."""
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180) or latitude == longitude == 0:
        return None
    import reverse_geocode  # here: it reads its towns for a third of a second

    town = reverse_geocode.get((latitude, longitude))
    if abs(town["latitude"] - latitude) > FARTHEST or abs(town["longitude"] - longitude) > FARTHEST:
        return None
    state = next((code for code, name in STATES.items() if name == town.get("state")), None)
    return Reading(town["country_code"], state if town["country_code"] == "US" else None)
