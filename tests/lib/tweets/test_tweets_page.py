"""The mood's page tells each chart in words, keeps its size, and shows what strangers wrote as text."""

import re
from collections import Counter
from functools import cache
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lib.pages import render
from lib.tweets.page import LINES, finished
from lib.tweets.parsing import Tweet
from lib.tweets.places import Located
from lib.tweets.reading import Gone, Read
from lib.tweets.session import Material
from lib.tweets.summary import summarise
from lib.tweets.tables import Evening
from tests.lib.topics.made import HOSTILE
from tests.lib.tweets.made_mood import SATURDAY, scored, tweet
from tests.lib.walked import marked, told

UTC = ZoneInfo("UTC")
SAID = ("love it", "bad day", "superb", "good not good", "the cat", "awful traffic", "I hate this", "fun fun fun")
STATES = ["OH", "TX", "CA", "NY", "FL", "WA", "IL", "GA", "CO", "MA"]
COUNTRIES = ["GB", "CA", "AU", "IE", "IN", "NZ", "ZA", "NG", "KE", "PH"]
ALL_CHARTS = 8


def found(tweets: list[Tweet], evenings: int = 2) -> dict[str, Any]:
    """What the page of these tweets shows."""
    places = [
        Located("US", STATES[number % 10], "profile")
        if number % 3
        else Located(COUNTRIES[number % 10], None, "profile")
        for number in range(len(tweets))
    ]
    earlier = [
        Evening(day, f"2023-{1 + day // 28:02d}-{1 + day % 28:02d}", 0.1, 0.0, 0.2, 900) for day in range(evenings)
    ]
    read = Read(tweets, Gone(), Counter(tweets=len(tweets), lines=len(tweets)), Counter(), False)
    before = {"love": (3, 90), "bad": (-3, 5), "happy": (3, 10)} if evenings else None
    material = Material([], ["captures/a.jsonl"], captured=True, started=1.7e9, ended=1.7e9 + 600)
    whole = summarise("bluesky", "afinn", material, read, scored(*tweets), places, earlier, before)
    return finished(whole, "2023-11-14", UTC)


def page(tweets: list[Tweet], evenings: int = 2, message: str = "Done.") -> str:
    """The page of these tweets."""
    return render(
        "capture_tweets.html",
        zone=UTC,
        run=SimpleNamespace(id=7, job="capture_tweets", date="2023-11-14", message=message, folder="x", partial=False),
        demo=False,
        rejected={},
        repaired={},
        stages={},
        settings=[],
        **found(tweets, evenings),
    )


def evening(count: int, **what: Any) -> list[Tweet]:
    """An evening of ten minutes."""
    return [
        tweet(SAID[n % 8], n, created_ms=SATURDAY + n * 600_000 // count, **{"lang": "en" if n % 9 else "es", **what})
        for n in range(1, count + 1)
    ]


def test_each_chart_is_told_in_words_with_its_data_below_it() -> None:
    findings = told(page(evening(1500)))
    assert len(findings) == ALL_CHARTS
    assert all(re.search(r"\d", finding) for finding in findings)
    assert len(told(page(evening(1), evenings=0))) >= 2
    assert told(page([], evenings=0)) == []


def test_a_page_of_as_much_as_there_can_be_has_at_most_three_hundred_kilobytes() -> None:
    tweets = [
        tweet(
            f"{SAID[n % 8]} {'w' * 40} {n} " + "love \n" * 120,
            n,
            created_ms=SATURDAY + n * 59 * 60_000 // 3000,
            lang=f"x{n % 300}" if n % 2 else "en",
            hashtags=(f"{'h' * 100}{n % 40}", "w" * 10_000 + str(n % 30)),
            url="https://example.org/" + "a" * 10_000,
        )
        for n in range(3000)
    ]
    assert len(page(tweets, evenings=60).encode()) <= 300_000


def test_a_quotation_has_its_scored_words_marked_in_place() -> None:
    text = page([tweet("I can't stand #Awful trains 😍 but LOVE — بحب — this", 1)], evenings=0)
    quote = re.findall(r'<blockquote data-id="1"><bdi>(.*?)</bdi></blockquote>', text)[0]
    assert re.sub("<[^>]*>", "", quote) == "I can&#39;t stand−3 #Awful−3 trains 😍 but LOVE+3 — بحب — this"
    assert re.findall(r'<mark class="(\w+)">([^<]*)<sub>([^<]*)</sub></mark>', quote) == [
        ("down", "can&#39;t stand", "−3"),
        ("down", "Awful", "−3"),
        ("up", "LOVE", "+3"),
    ]


def test_a_quotation_of_a_letter_a_line_has_twelve_lines() -> None:
    text = page([tweet("love\n\n\n\nthis " + "\n".join("abcdefghijklmnopqrstuvwxyz"), 1)], evenings=0)
    quote = re.findall(r"<blockquote.*?</blockquote>", text, re.DOTALL)[0]
    assert quote.count("\n") == LINES
    assert quote.endswith("x y z</bdi></blockquote>")


def test_nothing_in_a_quotation_or_a_hashtag_turns_the_direction_of_what_follows() -> None:
    turned = "love \u202egnp.exe\u2066\u2067"
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", page([tweet(turned, 1, hashtags=(turned,))], evenings=0))


def test_places_are_tabs_of_which_one_is_chosen() -> None:
    text = page(evening(1500))
    assert re.findall(r'<input type="radio" name="places" id="places-\d"( checked)?>', text) == [" checked", ""]


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_strangers_write_stays_text(kind: str) -> None:
    @cache
    def made(text: str) -> str:
        hostile = evening(40, hashtags=(text,), user_location=text)
        hostile += [tweet(f"{text} love bad {n}", 100 + n, url=text, lang=text if n % 2 else "en") for n in range(9)]
        return page([*evening(100), *hostile], message=text)

    assert marked(made(HOSTILE[kind])) <= marked(made("plain")) | {"tspan"}
    told(made(HOSTILE[kind]))


def test_the_tables_beside_the_page_hold_its_figures_and_no_tweet() -> None:
    tables = found(evening(1500))["tables"]
    assert {"valences", "course", "words", "word_shift", "languages", "states", "countries"} <= set(tables)
    assert sum(row["tweets"] for row in tables["languages"]) == 1500
    assert all(len({tuple(row) for row in rows}) == 1 for rows in tables.values())
    assert "fun fun fun" not in str(tables)
