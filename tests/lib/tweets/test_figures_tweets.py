"""The mood's charts are pictures with a name, a finding and their data, whatever strangers wrote."""

import re
import xml.etree.ElementTree as ElementTree
from datetime import timedelta, timezone

import pytest

from lib.charts import Figure
from lib.tweets import figures, place_figures
from lib.tweets.mood import summarise
from lib.tweets.places import Located, by_place
from lib.tweets.words import Tally, contributions, shift, tally
from tests.lib.tweets.made_mood import SATURDAY, scored, tweet

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<script>alert(1)</script>",
    '"\' onmouseover=alert(1) x="',
    "</text></svg><img src=x onerror=alert(1)>",
    "'] || alert(1) || ['",
    "datum.value",
    "&lt;b&gt; {{ 7 * 7 }}",
    "a\x00b\x07c\ud800d\ufffe",
    "\u202egnp.exe",
    "w" * 10_000,
]

SAID = ["love it", "bad day", "superb", "good not good", "the cat", "awful traffic", "I hate this", "fun fun fun"]
TWEETS = scored(
    *(
        tweet(SAID[number % len(SAID)], number, created_ms=SATURDAY + number * 4000, lang="en" if number % 9 else "es")
        for number in range(1, 150)
    ),
    tweet("love " * 40, 200),
)
PLACES = [Located("US", ("OH", "TX", "CA")[number % 3], "profile") for number in range(len(TWEETS))]
BEFORE = Tally(100, {"love": (3, 90), "bad": (-3, 5), "happy": (3, 10)})
EVENINGS = [("2026-01-03", 0.2, 0.1, 0.3, 900), ("2026-01-10", -0.1, None, None, 1), ("2026-01-17", 0.4, 0.3, 0.5, 800)]


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    mood, places = summarise(TWEETS), by_place(TWEETS, PLACES)
    made = {
        "distribution": figures.distribution(mood),
        "course": figures.course(mood),
        "languages": figures.languages(mood),
        "words": figures.contributions(contributions(tally(TWEETS)), mood),
        "shift": figures.word_shift(shift(tally(TWEETS), BEFORE), "10 January"),
        "states": place_figures.states(places),
        "countries": place_figures.countries(places),
        "evenings": figures.evenings(EVENINGS),
    }
    return {name: each for name, each in made.items() if each is not None}


def languages(*tags: str) -> Figure:
    """The languages with tweets of these tags among them."""
    tweets = scored(*(tweet("x", number, lang=tag) for number, tag in enumerate(tags)))
    figure = figures.languages(summarise([*TWEETS, *tweets]))
    assert figure is not None
    return figure


NAMES = ["distribution", "course", "languages", "words", "shift", "states", "countries", "evenings"]


def texts(figure: Figure) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(figure.svg).iter(f"{SVG}text")]


def names(svg: str) -> set[str]:
    """The elements and attributes of a picture."""
    found: set[str] = set()
    for each in ElementTree.fromstring(svg).iter():
        found |= {each.tag.removeprefix(SVG), *(f"@{name}" for name in each.keys())}  # noqa: SIM118
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_one_picture_with_a_title_a_finding_and_a_table(drawn, name):
    figure = drawn[name]
    root = ElementTree.fromstring(figure.svg)
    assert (root.tag, root.get("role")) == (f"{SVG}svg", "img")
    assert (root[0].text, root[1].text) == (figure.title, figure.finding)
    assert re.search(r"\d.*\.$", figure.finding)
    assert "-" not in re.sub(r"\d{4}-\d\d-\d\d", "", figure.finding)  # a minus is one
    assert figure.rows
    assert all(len(row) == len(figure.columns) for row in figure.rows)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_runs_nothing_loads_nothing_and_has_no_colour_of_its_own(drawn, name):
    svg = drawn[name].svg
    assert not names(svg) & {"script", "foreignObject", "style", "image", "a", "use", "@href", "@xlink:href"}
    assert "href" not in svg
    assert "url(" not in svg
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', svg)) - {"none", "transparent"}
    assert colours
    assert all(re.fullmatch(r"var\(--[a-z0-9-]+\)", colour) for colour in colours)
    assert "NaN" not in svg
    assert "undefined" not in svg


def test_the_figures_together_are_small(drawn):
    assert sum(len(figure.svg.encode()) for figure in drawn.values()) < 150_000


@pytest.mark.parametrize("tag", HOSTILE)
def test_what_strangers_write_stays_text(drawn, tag):
    figure = languages(*[tag] * 300)
    assert names(figure.svg) <= names(drawn["languages"].svg) | {"tspan", "@direction"}
    assert all(len(str(cell)) < 60 for row in figure.rows for cell in row)


def test_tags_that_begin_alike_have_a_bar_each():
    figure = languages(*(f"{'w' * 30}{end}" for end in "abc"))
    assert len({text for text in texts(figure) if text.startswith("www")}) == 3


def test_the_distribution_has_all_scored_tweets_and_gathers_the_far_ones(drawn):
    figure = drawn["distribution"]
    assert sum(row[1] for row in figure.rows) == sum(each.scored for each in TWEETS)
    assert figure.rows[-1][:2] == ("≥12", sum(each.valence >= 12 for each in TWEETS))
    assert "tweets (square-root scale)" in texts(figure)


def test_the_shift_says_in_words_which_way_each_word_went(drawn):
    figure = drawn["shift"]
    assert {"positive ↓ less often", "negative ↑ more often"} <= set(texts(figure))
    assert figure.finding.startswith("Against 10 January the mean fell from +2.85")
    moved = [float(row[-1].replace("−", "-")) for row in figure.rows]
    assert sum(moved) == pytest.approx(tally(TWEETS).mean - BEFORE.mean, abs=0.002)


def test_the_map_has_every_state_and_numbers_where_there_are_enough_tweets(drawn):
    said = texts(drawn["states"])
    assert len([text for text in said if re.fullmatch("[A-Z]{2}", text)]) == 51
    assert len([text for text in said if re.search(r"\d", text)]) == 3
    assert [row[1] for row in drawn["states"].rows] == [each.code for each in by_place(TWEETS, PLACES).states]


def test_the_course_tells_the_time_in_the_zone_asked_for():
    times = [
        {row[0] for row in figure.rows}
        for zone in (timezone.utc, timezone(timedelta(hours=-5)))  # noqa: UP017 (one of two zones)
        if (figure := figures.course(summarise(TWEETS), zone))
    ]
    assert times[0].isdisjoint(times[1])
    assert len(times[0]) == len(times[1]) == 10


@pytest.mark.parametrize("minutes", [0, 90, 3000, 60 * 24 * 30, 60 * 24 * 900, 60 * 24 * 365 * 12])
def test_a_course_of_any_length_is_drawn(minutes):
    times = [SATURDAY - 60_000 * minutes * part // 30 for part in range(30)] + [SATURDAY + 61_000]
    mood = summarise(scored(*(tweet("good", created_ms=time) for time in times)))
    figure = figures.course(mood)
    assert figure is not None
    assert len(figure.rows) == len({row[0] for row in figure.rows}) == len(mood.course)


def test_there_is_no_figure_where_there_is_nothing_to_show():
    nothing = summarise([])
    assert figures.distribution(nothing) is figures.course(nothing) is figures.languages(nothing) is None
    assert figures.contributions([], nothing) is figures.word_shift(None) is None
    empty = by_place([], [])
    assert place_figures.states(empty) is place_figures.countries(empty) is None
    assert figures.evenings(EVENINGS[:1]) is figures.evenings([]) is None


def test_one_tweet_of_zero_is_drawn():
    tweets = scored(tweet("the cat", created_ms=SATURDAY))
    mood = summarise(tweets)
    for figure in (figures.distribution(mood), figures.languages(mood)):
        assert figure is not None
        ElementTree.fromstring(figure.svg)
    assert figures.course(mood) is figures.contributions(contributions(tally(tweets)), mood) is None


def test_all_tweets_of_one_kind_are_drawn():
    tweets = scored(*(tweet("bad", number, created_ms=SATURDAY + number * 60_000) for number in range(12)))
    mood = summarise(tweets)
    places = by_place(tweets, [Located("US", "OH", "profile")] * 12)
    for figure in (
        figures.distribution(mood),
        figures.course(mood),
        figures.contributions(contributions(tally(tweets)), mood),
        place_figures.states(places),
        place_figures.countries(places),
    ):
        assert figure is not None
        assert "NaN" not in figure.svg
        ElementTree.fromstring(figure.svg)
