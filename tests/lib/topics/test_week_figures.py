"""The charts over the weeks are pictures with a name; each topic has its band, and what is rising is said to be."""

import dataclasses
import re
import xml.etree.ElementTree as ElementTree

import pytest

from lib.charts import MUTED, SERIES, Figure
from lib.topics.summary import SHOWN
from lib.topics.tracking import Change, Weeks
from lib.topics.week_figures import changes, streams
from tests.lib.topics.made import GONE, HOSTILE, made_summary, made_topic, made_weeks

SVG = "{http://www.w3.org/2000/svg}"


def weeks_of(topics: int = 4, before: int = 3) -> Weeks:
    """Topics with shares that add up to one, the first the largest."""
    shares = [2 ** -(id + 1) for id in range(topics)]
    made = [made_topic(id, share=share / sum(shares), label=f"word{id}, other") for id, share in enumerate(shares)]
    return made_weeks(made_summary(made), before=before)


def drawn(figure: Figure | None) -> ElementTree.Element:
    """The picture as a tree."""
    assert figure is not None
    return ElementTree.fromstring(figure.svg)


def bands(figure: Figure | None) -> dict[str, str]:
    """The colour of each topic's band, by its class."""
    found = {}
    for each in drawn(figure).iter(f"{SVG}path"):
        if each.get("class") and (colour := each.get("fill", "")).startswith("var("):
            found[each.get("class", "")] = colour
    return found


def texts(figure: Figure | None) -> list[str]:
    return [each.text or "" for each in drawn(figure).iter(f"{SVG}text")]


def changed(weeks: Weeks, by: dict[int, tuple[float, float, float]]) -> Weeks:
    """The topics with these changes of their shares."""
    topics = {
        id: dataclasses.replace(topic, change=Change(*by[id]), before=topic.share - by[id][0]) if id in by else topic
        for id, topic in weeks.topics.items()
    }
    return dataclasses.replace(weeks, topics=topics)


@pytest.mark.parametrize("draw", [streams, changes])
def test_a_figure_is_one_picture_with_a_title_a_finding_and_its_data(draw: object) -> None:
    figure = draw(weeks_of())  # type: ignore[operator]
    root = drawn(figure)
    assert root.get("role") == "img"
    assert (root[0].text, root[1].text) == (figure.title, figure.finding)
    assert figure.finding.endswith(".")
    assert figure.rows
    assert all(len(row) == len(figure.columns) for row in figure.rows)
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', figure.svg)) - {"none", "transparent"}
    assert all(re.fullmatch(r"var\(--[a-z0-9-]+\)", colour) for colour in colours)
    assert "href" not in figure.svg


def test_the_first_week_has_neither_streams_nor_changes() -> None:
    weeks = weeks_of(before=0)
    assert streams(weeks) is None
    assert changes(weeks) is None


def test_each_topic_has_a_band_and_one_that_is_gone_has_its_own() -> None:
    assert set(bands(streams(weeks_of(3)))) == {"t t0", "t t1", "t t2", f"t t{GONE}"}


def test_the_largest_topics_have_colours_and_the_others_are_grey() -> None:
    found = bands(streams(weeks_of(10)))
    assert sorted({found[f"t t{id}"] for id in [GONE, *range(5)]}) == sorted(SERIES)
    assert all(found[f"t t{id}"] == MUTED for id in range(5, 10))


def test_a_topic_that_is_large_now_has_a_band_and_a_colour_however_new_it_is() -> None:
    weeks = weeks_of(SHOWN + 5, before=20)
    new = dataclasses.replace(weeks.topics[SHOWN + 4], share=0.2)
    assert bands(streams(dataclasses.replace(weeks, topics=weeks.topics | {new.id: new})))[f"t t{new.id}"] in SERIES


def test_topics_without_a_band_of_their_own_are_all_others() -> None:
    figure = streams(weeks_of(SHOWN + 5))
    assert figure is not None
    assert len(bands(figure)) == SHOWN + 1
    assert figure.columns[-1] == "all others"
    assert len(figure.columns) == SHOWN + 2


def test_the_data_of_the_streams_are_the_shares_run_by_run() -> None:
    figure = streams(weeks_of(2, before=2))
    assert figure is not None
    assert figure.columns == ("run of", "topic 0", "topic 1", f"topic {GONE}")
    assert figure.rows == [
        ("2026-06-21", "60.0%", "–", "10.0%"),
        ("2026-06-28", "60.0%", "–", "10.0%"),
        ("2026-07-05", "66.7%", "33.3%", "–"),
    ]


@pytest.mark.parametrize("before", [1, 2, 6, 7, 8, 13, 25])
def test_the_dates_along_the_streams_begin_with_the_first_run_end_with_this_one_and_have_room(before: int) -> None:
    dates = [text for text in texts(streams(weeks_of(before=before))) if re.fullmatch(r"\d{4}-\d\d-\d\d", text)]
    assert dates[-1] == "2026-07-05"
    assert dates == sorted(set(dates))
    assert 2 <= len(dates) <= 9


def test_large_streams_have_their_names_at_their_ends_and_small_ones_in_their_tooltips() -> None:
    figure = streams(weeks_of(7))
    assert [text for text in texts(figure) if " · " in text] == [f"{id} · word{id}, other" for id in range(4)]
    told = " ".join(each.text or "" for each in drawn(figure).iter(f"{SVG}title"))
    assert "5 · word5, other: most in the run of" in told


def test_the_changes_say_how_many_topics_are_rising_and_falling_and_which_moved_most() -> None:
    weeks = changed(weeks_of(), {0: (0.02, 0.01, 0.03), 1: (-0.04, -0.05, -0.03), 2: (0.01, -0.01, 0.03)})
    figure = changes(weeks)
    assert figure is not None
    assert figure.finding.startswith(
        "Of 3 topics 1 is rising and 1 is falling; topic 1 (word1, other) moved most: 30.7% to"
    )
    assert [(row[0], row[4], row[-1]) for row in figure.rows] == [
        (0, "+2.00", "rising"),
        (2, "+1.00", "as before"),
        (1, "−4.00", "falling"),
    ]
    colours = dict(re.findall(r'class="(t t\d)"[^>]* fill="(var[^"]*)"', str(figure.svg)))
    assert colours == {"t t0": SERIES[0], "t t1": SERIES[1], "t t2": MUTED}


def test_a_single_topic_that_goes_on_is_told_of_in_words_that_agree() -> None:
    weeks = weeks_of(2)
    figure = changes(changed(weeks, {0: (-0.02, -0.03, -0.01)}))
    assert figure is not None
    assert figure.finding.startswith("Of 1 topic none is rising and 1 is falling; topic 0")


def test_where_every_interval_has_zero_in_it_no_topic_is_said_to_move() -> None:
    weeks = changed(weeks_of(), dict.fromkeys(range(3), (0.01, -0.01, 0.03)))
    figure = changes(weeks)
    assert figure is not None
    assert figure.finding == "Of 3 topics none has changed its share by more than chance explains."


def test_changes_of_nothing_at_all_are_drawn() -> None:
    drawn(changes(changed(weeks_of(), dict.fromkeys(range(3), (0.0, 0.0, 0.0)))))


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_strangers_write_stays_text(kind: str) -> None:
    summary = made_summary([made_topic(id, share=1 / 3, label=f"{HOSTILE[kind]}") for id in range(3)])
    plain = weeks_of(3)
    for draw in (streams, changes):
        names = {each.tag for each in drawn(draw(plain)).iter()} | {f"{SVG}tspan"}
        figure = draw(made_weeks(summary, before=2))
        assert {each.tag for each in drawn(figure).iter()} <= names
