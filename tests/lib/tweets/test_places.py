"""Where tweets come from: what is clear is read, what is ambiguous stays unlocated."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.tweets.gazetteer import STATES, country_names
from lib.tweets.places import MINIMUM, TILES, Located, by_place, locate
from lib.tweets.profiles import read_profile
from lib.tweets.shapes import Place
from tests.lib.tweets.made_mood import scored, tweet

CLEAR = {
    # states by name and by code
    "texas": "US TX", "Los Angeles, California ✨": "US CA", "Brooklyn, NY": "US NY", "brooklyn, ny": "US NY",
    "NYC": "US NY", "New York": "US NY", "New York City": "US NY", "new york, new york": "US NY", "N.Y.": "US NY",
    "West Virginia": "US WV", "Charleston, West Virginia": "US WV", "Virginia": "US VA", "Virginia Beach": "US VA",
    "Arkansas": "US AR", "Kansas": "US KS", "New Mexico": "US NM", "Indiana": "US IN", "Maine": "US ME",
    "Kansas City, MO": "US MO", "Kansas City, KS": "US KS", "Texas, USA": "US TX", "USA, Texas": "US TX",
    "Houston TX": "US TX", "Houston Texas": "US TX", "Somewhere in Texas": "US TX", "Northern California": "US CA",
    "Dallas, Texas USA": "US TX", "Los Angeles, CA 90012": "US CA", "she/her | Brooklyn, NY": "US NY", "TX": "US TX",
    "Columbus, OH": "US OH", "Bloomington, IN": "US IN", "Salem, OR": "US OR", "Portland, ME": "US ME",
    "Tulsa, OK": "US OK", "Honolulu, HI": "US HI", "New Orleans, LA": "US LA", "LA": "US CA", "L.A.": "US CA",
    "Paris, Texas": "US TX", "Mexico, Missouri": "US MO", "California, Maryland": "US MD", "Dover, DE": "US DE",
    "Texas 🇺🇸": "US TX", "Ontario, CA": "US CA", "Vancouver, WA": "US WA", "Da Bronx, NY": "US NY",
    # the capital and the state
    "Washington, DC": "US DC", "Washington DC": "US DC", "Washington, D.C.": "US DC", "D.C.": "US DC",
    "Washington State": "US WA", "Washington, USA": "US WA", "Seattle, Washington": "US WA", "Washington": "US",
    # the state and the country
    "Georgia": "US GA", "Atlanta, Georgia": "US GA", "Georgia, USA": "US GA", "Tbilisi, Georgia": "GE",
    "Batumi, Georgia": "GE", "Georgia 🇬🇪": "GE", "Republic of Georgia": "GE",
    # elsewhere, and codes that are a country's
    "London": "GB", "Lagos, Nigeria": "NG", "Nigeria, Lagos": "NG", "Perth, WA": "AU", "Berlin, DE": "DE",
    "Toronto, CA": "CA", "Toronto, Ontario": "CA", "Ontario": "CA", "Delhi, IN": "IN", "Bogotá, CO": "CO",
    "Tel Aviv, IL": "IL", "London, Ontario": "CA", "Melbourne, VIC": "AU", "Mexico": "MX", "Paris": "FR",
    "Vancouver, BC": "CA", "Cali, Colombia": "CO", "San José, Costa Rica": "CR", "Paris - France": "FR",
    "San Juan, PR": "PR", "Puerto Rico": "PR", "Puerto Rico, USA": "PR", "Hong Kong, China": "HK",
    "Port of Spain, Trinidad & Tobago": "TT", "Bosnia and Herzegovina": "BA", "South Korea": "KR",
    # countries as people call them
    "🇬🇧": "GB", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f": "GB", "London 🇬🇧": "GB",
    "England": "GB", "Scotland": "GB", "Cardiff, Wales": "GB", "Northern Ireland": "GB", "UK": "GB", "uk": "GB",
    "USA": "US", "U.S.": "US", "U.S.A.": "US", "United States": "US", "United States of America": "US",
    "Deutschland": "DE", "España": "ES", "Brasil": "BR", "México": "MX", "Italia": "IT", "Türkiye": "TR", "日本": "JP",
    "Côte d’Ivoire": "CI", "The Netherlands": "NL", "Republic of the Philippines": "PH", "Việt Nam": "VN",
}  # fmt: skip

NOWHERE = [
    "", " ", "Earth", "your heart", "she/her", "he/him", "in my bed", "hell", "worldwide", "IN", "in", "OR", "ME", "me",
    "OK", "ok", "HI", "hi", "la", "CA", "us", "DE", "everywhere & nowhere", "South America", "Jersey", "404",
    "40.7, -74", "NYC | LA", "NYC and LA", "NYC ✈ LA", "NYC - LA", "Texas / Ohio", "Texas, Ohio", "London, Paris",
    "London 🇳🇬", "🇺🇸🇲🇽", "Bronx, CA", "Salem, IN", "olathe, co", "Birmingham", "Manchester", "Vancouver",
    "Springfield Road", "Somewhere, IL", "Georgia Tech", "I love Texas", "Ok, ok", "nice", "Paradise", "batman",
    "Wakanda",
]  # fmt: skip


@pytest.mark.parametrize(("text", "where"), CLEAR.items())
def test_clear_profiles_are_read(text, where):
    reading = read_profile(text)
    assert reading is not None
    assert " ".join(part for part in reading if part) == where


@pytest.mark.parametrize("text", NOWHERE)
def test_what_is_no_place_or_ambiguous_stays_unlocated(text):
    assert read_profile(text) is None


def test_codes_that_are_words_count_in_capitals_only():
    assert [read_profile(f"Columbus, {code}") for code in ("oh", "Oh")] == [("US", None)] * 2
    assert read_profile("portland, me") is None


@pytest.mark.parametrize(("code", "name"), STATES.items())
def test_every_state_is_read_by_its_name_and_within_the_country(code, name):
    state = read_profile(name)
    assert state == (("US", None) if code == "WA" else ("US", code))
    assert read_profile(f"{name.upper()}, USA") == ("US", code)


def test_every_country_is_read_by_its_name():
    missed = {code for code, name in country_names().items() if (read_profile(name) or ("",))[0] != code}
    # Georgia is a state too, Jersey half a state's name; the others' names hold a comma or a second country's
    assert {"GE", "JE"} <= missed
    assert len(missed) <= 8


@given(st.text(max_size=60))
@settings(deadline=None)
def test_any_text_is_read_or_not_but_never_fails(text):
    assert_sound(locate(tweet("x", user_location=text)))


@given(
    st.lists(
        st.sampled_from(
            ["New York", "LA", "CA", "Georgia", "Washington", "USA", "🇬🇪", "in", "Paris", "DE", "West", "é"]
        )
        | st.sampled_from([", ", " ", "/", " - ", "|", " and ", ".", "(", "️", "-"]),
        max_size=9,
    ).map("".join)
)
@settings(deadline=None)
def test_any_mixture_of_places_is_read_or_not_but_never_fails(text):
    assert_sound(locate(tweet("x", user_location=text)))


@given(
    *[st.none() | st.text(max_size=20) | st.sampled_from(["US", "us", "Texas, USA", "Austin, TX", "city", "admin"])] * 4
)
@settings(deadline=None)
def test_any_place_is_read_or_not_but_never_fails(name, country, full, kind):
    assert_sound(locate(tweet("x", place=Place(name, country, full, kind))))


@given(st.floats(allow_nan=True), st.floats(allow_nan=True))
@settings(deadline=None)
def test_any_coordinates_are_read_or_not_but_never_fail(latitude, longitude):
    assert_sound(locate(tweet("x", coordinates=(latitude, longitude))))


def assert_sound(where: Located) -> None:
    assert (where.country is None) == (where.source is None)
    assert where.country is None or where.country in country_names()
    assert where.state is None or (where.country == "US" and where.state in STATES)


@pytest.mark.parametrize(
    ("place", "where"),
    [
        (Place("Manhattan", "US", "Manhattan, NY", "city"), ("US", "NY")),
        (Place("Texas", "US", "Texas, USA", "admin"), ("US", "TX")),
        (Place("Washington", "US", "Washington, USA", "admin"), ("US", "WA")),
        (Place("Washington", "US", "Washington, DC", "city"), ("US", "DC")),
        (Place("Georgia", "US", "Georgia, USA", "admin"), ("US", "GA")),
        (Place("Kansas City", "US", "Kansas City, MO", "city"), ("US", "MO")),
        (Place("Hollywood", "US", "Hollywood, Los Angeles", "neighborhood"), ("US", "CA")),
        (Place("Foggy Bottom", "US", "Foggy Bottom, Washington", "neighborhood"), ("US", None)),
        (Place("Texas Roadhouse", "US", "Texas Roadhouse", "poi"), ("US", None)),
        (Place("United States", "US", "United States", "country"), ("US", None)),
        (Place("Ontario", "CA", "Ontario, Canada", "admin"), ("CA", None)),
        (Place("Perth", "AU", "Perth, Western Australia", "city"), ("AU", None)),
        (Place("San Juan", "PR", "San Juan, Puerto Rico", "city"), ("PR", None)),
        (Place("Puerto Rico", "US", "Puerto Rico, USA", "admin"), ("PR", None)),
        (Place("Lagos", None, "Lagos, Nigeria", None), ("NG", None)),
    ],
)
def test_a_place_is_where_a_tweet_says_it_was_written(place, where):
    assert locate(tweet("x", place=place, user_location="Paris, France")) == (*where, "place")


def test_coordinates_are_the_nearest_towns():
    assert locate(tweet("x", coordinates=(40.7, -74.0))) == ("US", "NY", "coordinates")
    assert locate(tweet("x", coordinates=(38.9, -77.03))) == ("US", "DC", "coordinates")
    assert locate(tweet("x", coordinates=(51.5, -0.1), user_location="Texas")) == ("GB", None, "coordinates")


@pytest.mark.parametrize("point", [(0.0, 0.0), (0.0, -150.0), (91.0, 0.0), (float("nan"), 1.0)])
def test_coordinates_in_the_sea_or_nowhere_say_nothing(point):
    assert locate(tweet("x", coordinates=point)) == (None, None, None)
    assert locate(tweet("x", coordinates=point, user_location="Texas")) == ("US", "TX", "profile")


def test_coordinates_tell_the_state_of_a_place_that_is_a_country():
    place = Place("United States", "US", "United States", "country")
    assert locate(tweet("x", place=place, coordinates=(40.7, -74.0))) == ("US", "NY", "place")


def test_the_tiles_are_the_fifty_states_and_the_capital_each_in_a_place_of_its_own():
    assert set(TILES) == set(STATES)
    assert len(set(TILES.values())) == 51
    assert {(row < 8, column < 11) for row, column in TILES.values()} == {(True, True)}
    assert TILES["WA"][1] < TILES["NY"][1]
    assert TILES["FL"][0] > TILES["GA"][0] > TILES["OH"][0]


def test_places_below_the_minimum_are_counted_and_not_shown():
    happy = [tweet("good", user_location="Ohio")] * MINIMUM
    sad = [tweet("bad", user_location="Texas")] * (MINIMUM + 1)
    few = [tweet("superb", user_location="Utah")] * (MINIMUM - 1)
    others = [tweet("love", user_location="Earth"), tweet("bueno", lang="es", user_location="España")]
    tweets = scored(*happy, *sad, *few, *others)
    places = by_place(tweets, [locate(each.tweet) for each in tweets])
    assert [(each.code, each.name, each.scored, each.mean.value) for each in places.states] == [
        ("OH", "Ohio", 10, 3.0),
        ("TX", "Texas", 11, -3.0),
    ]
    assert places.happiest is places.states[0]
    assert (places.other_states, places.other_countries) == (1, 0)
    assert [(each.code, each.scored) for each in places.countries] == [("US", 30)]
    assert (places.scored, places.located, places.in_states) == (31, 30, 30)
    assert places.sources == [("place", 0), ("coordinates", 0), ("profile", 30)]


def test_without_enough_tweets_no_state_is_the_happiest():
    tweets = scored("good")
    places = by_place(tweets, [Located("US", "OH", "profile")])
    assert places.happiest is None
    assert places.states == places.countries == []
    assert by_place([], []).located == 0
