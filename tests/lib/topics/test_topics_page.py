"""The topics' page tells each chart in words, keeps its size, and shows what strangers wrote as text."""

import re
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lib.charts import shortened
from lib.pages import render
from lib.topics.page import ADDRESS_CHARACTERS, LINES, finished
from lib.topics.relevance import STEPS
from lib.topics.summary import HEADLINE_CHARACTERS, SHOWN, Summary
from lib.topics.tables import LOOKED_BACK
from lib.topics.tracking import Weeks
from tests.lib.topics.made import HOSTILE, article, made_corpus, made_summary, made_topic, made_weeks
from tests.lib.walked import marked, told

UTC = ZoneInfo("UTC")
TEN = tuple(f"international_relation_{place}" for place in range(10))


def page(summary: Summary, weeks: Weeks | None = None, **what: Any) -> str:
    """The page of these topics."""
    values: dict[str, Any] = {
        "run": SimpleNamespace(id=7, job="model_topics", date="2026-07-05", message="Done.", folder="x"),
        "demo": False,
        "rejected": {},
        "repaired": {},
        "stages": {},
        "stop_list": "a list",
        "settings": [],
        "files": ["a.csv"],
        **finished(summary, made_corpus([["ship", "sail"]]), weeks or made_weeks(summary), new=1, first_time=True),
        **what,
    }
    return render("model_topics.html", zone=UTC, **values)


def large(topics: int, name: Callable[[int], str], periods: int = 60) -> Summary:
    """As much as there can be: five headlines a topic, twelve publications and the others, sixty steps of time."""
    url = "https://example.org/" + "a" * 140
    made = [
        made_topic(
            id,
            TEN,
            label=", ".join(name(place) for place in range(3)),
            share=1 / (id + 2),
            x=(id * 37 % 100) / 100,
            y=(id * 61 % 100) / 100,
            headlines=[
                (article(number, publication=name(number), url=url, date="2024-05-05"), name(number) * 4, 0.9)
                for number in range(5)
            ],
        )
        for id in range(topics)
    ]
    return made_summary(made, tuple(name(number) for number in range(13)), periods=periods)


@pytest.mark.parametrize("topics", [1, 3, 10, 21])
def test_each_chart_is_told_in_words_with_its_data_below_it(topics: int) -> None:
    assert len(told(page(large(topics, lambda number: f"Name {number}", periods=9)))) == 3
    assert len(told(page(large(topics, lambda number: f"Name {number}", periods=1)))) == 2


@pytest.mark.parametrize("topics", [10, SHOWN, 1000])
def test_a_page_of_as_much_as_there_can_be_has_at_most_three_hundred_kilobytes(topics: int) -> None:
    text = page(large(topics, lambda number: f"Publication {number} of the town"))
    assert len(text.encode()) <= 300_000
    assert text.count('<article class="card topic') == min(topics, SHOWN)
    assert text.count('<th scope="row"><bdi>') == max(0, min(topics - SHOWN, LINES))


def test_titles_names_and_words_of_ten_thousand_characters_keep_the_size() -> None:
    assert len(page(large(1000, lambda number: f"{number}" + "w" * 10_000)).encode()) > 0
    topics = [
        made_topic(id, tuple(f"{'w' * 10_000}{place}" for place in range(10)), label="w, w, w") for id in range(SHOWN)
    ]
    assert len(page(made_summary(topics, ("p" * 10_000,), periods=60)).encode()) <= 300_000


def test_a_topic_chosen_stands_out_in_each_chart_and_has_a_link_there() -> None:
    summary = large(4, lambda number: f"Name {number}", periods=5)
    text = page(summary)
    for topic in summary.topics:
        assert f"main:has(.k{topic.id}:target) svg .t{topic.id}" in text
        for place in ("topic", "map", "publications", "time"):
            assert len(re.findall(rf' id="{place}-{topic.id}"', text)) == 1
            assert f'href="#{place}-{topic.id}"' in text
        for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
            assert f'class="t t{topic.id}"' in svg
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert {each[1:] for each in re.findall(r'href="(#[^"]*)"', text)} <= set(ids)


def test_each_step_of_lambda_shows_its_words_and_one_is_chosen() -> None:
    text = page(large(2, lambda number: f"Name {number}"))
    assert len(re.findall(r'<input type="radio" name="lambda" id="lambda-\d"', text)) == len(STEPS)
    assert len(re.findall(r'name="lambda" id="lambda-3" checked', text)) == 1
    for step in range(1, len(STEPS) + 1):
        assert text.count(f'<ol class="words l{step}"') == 2
        assert f"main:has(#lambda-{step}:checked) .l{step}" in text


def test_a_headline_links_to_web_addresses_of_a_sensible_length_alone() -> None:
    def linked(url: str) -> bool:
        topic = made_topic(0, headlines=[(article(1, url=url), "A headline", 0.9)])
        return ">A headline</a>" in page(made_summary([topic]))

    assert linked("https://example.org/a")
    assert not linked("https://example.org/" + "a" * ADDRESS_CHARACTERS)
    assert not linked("javascript:alert(1)")


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_strangers_write_stays_text(kind: str) -> None:
    @cache
    def made(text: str) -> str:
        headlines = [(article(1, publication=text, url=text), text[:HEADLINE_CHARACTERS], 0.9)]
        topics = [
            made_topic(id, (text, "b", f"{text}c"), label=shortened(text, 90), headlines=headlines) for id in range(2)
        ]
        run = SimpleNamespace(id=7, job="model_topics", date="2026-07-05", message=text, folder=text)
        return page(made_summary(topics, (text, "Other")), run=run, rejected={text: 1}, files=[text])

    assert marked(made(HOSTILE[kind])) <= marked(made("plain")) | {"tspan"}
    assert len(told(made(HOSTILE[kind]))) == 3
    shown = made(HOSTILE[kind]).partition('<h2 id="figures">')[0].partition('<h2 id="topics">')[2]
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", re.sub(r'href="[^"]*"', "", shown))


def test_the_tables_beside_the_page_have_all_topics_and_their_words() -> None:
    summary = large(30, str, periods=3)
    weeks = made_weeks(summary, before=2)
    tables = finished(summary, made_corpus([["a"]]), weeks, new=0, first_time=False)["tables"]
    assert {name: len(rows) for name, rows in tables.items()} == {
        "topics": 30,
        "topic_words": 300,
        "relevant_words": 30 * 5 * 10,
        "topic_weeks": 3 * 30,
        "topic_events": 2,
        "drift": 300,
        "publications": 13 * 30,
        "periods": 3 * 30,
    }
    assert all(len({tuple(row) for row in rows}) == 1 for rows in tables.values())


@pytest.mark.parametrize("topics", [2, SHOWN, 30])
def test_from_the_second_week_on_the_page_has_streams_changes_births_and_deaths(topics: int) -> None:
    summary = large(topics, lambda number: f"Name {number}", periods=9)
    text = page(summary, made_weeks(summary, before=3))
    assert len(told(text)) == 5
    assert text.count('<li class="born">') == 1
    assert text.count('<li class="died">') == 1
    assert "topic 9999 (<bdi>net, boat</bdi>)" in text
    assert f"{topics - 1} of last week’s {topics} topics go on" in text
    assert "4th week" in text
    assert text.count("<strong>new this week</strong>") == (1 if topics <= SHOWN else 0)


def test_the_first_weeks_page_tells_nothing_of_other_weeks() -> None:
    text = page(large(4, str, periods=1))
    assert 'id="weeks"' not in text
    assert "new this week" not in text
    assert "week</p>" not in text


def test_a_page_whose_topics_start_afresh_says_why() -> None:
    summary = large(3, str)
    text = page(summary, made_weeks(summary, afresh="The topics can’t be carried on <b>."))
    assert "<p>The topics can’t be carried on &lt;b&gt;.</p>" in text
    assert "new this week" not in text


@pytest.mark.parametrize("topics", [10, SHOWN, 1000])
def test_after_half_a_year_the_page_still_has_at_most_three_hundred_kilobytes(topics: int) -> None:
    summary = large(topics, lambda number: f"Publication {number} of the town")
    assert len(page(summary, made_weeks(summary, before=LOOKED_BACK)).encode()) <= 300_000


def test_a_topic_chosen_stands_out_in_the_streams_and_the_changes_too() -> None:
    summary = large(4, lambda number: f"Name {number}", periods=5)
    text = page(summary, made_weeks(summary, before=2))
    for topic in summary.topics[:-1]:
        assert len(re.findall(rf' id="weeks-{topic.id}"', text)) == 1
        assert all(f'class="t t{topic.id}"' in svg for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)[:2])
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert {each[1:] for each in re.findall(r'href="(#[^"]*)"', text)} <= set(ids)


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_strangers_write_stays_text_from_week_to_week(kind: str) -> None:
    @cache
    def made(text: str) -> str:
        topics = [made_topic(id, (text, "b", f"{text}c", *TEN), label=shortened(text, 90)) for id in range(3)]
        summary = made_summary(topics)
        return page(summary, made_weeks(summary, before=2))

    assert marked(made(HOSTILE[kind])) <= marked(made("plain")) | {"tspan"}
    assert len(told(made(HOSTILE[kind]))) == 5
