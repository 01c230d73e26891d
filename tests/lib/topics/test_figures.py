"""The topics' charts are pictures with a name, whatever the words and names in them are."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from lib.charts import Figure
from lib.topics.figures import LABEL_CHARACTERS, distance_map, over_time, publication_heat, word_bars
from lib.topics.summary import SHOWN, Summary
from tests.lib.topics.made import HOSTILE, made_summary, made_topic

SVG = "{http://www.w3.org/2000/svg}"
WORDS = tuple(f"word_{place}" for place in range(10))
MADE = made_summary(
    [made_topic(1, WORDS, x=0.4), made_topic(0, ("oven", "flour", "salt"), x=-0.4), made_topic(2, ("goal",), x=0.3)],
    ("Demo Courier", "Demo Gazette"),
    periods=4,
)


def figures(summary: Summary) -> dict[str, Figure]:
    made = {
        "map": distance_map(summary),
        "publications": publication_heat(summary),
        "time": over_time(summary),
    }
    return {name: each for name, each in made.items() if each is not None}


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    return figures(MADE)


def texts(figure: Figure) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(figure.svg).iter(f"{SVG}text")]


def names(svg: str) -> set[str]:
    """The elements and attributes of a picture."""
    found: set[str] = set()
    for each in ElementTree.fromstring(svg).iter():
        found |= {each.tag.removeprefix(SVG), *(f"@{name}" for name in each.keys())}  # noqa: SIM118
    return found


@pytest.mark.parametrize("name", ["map", "publications", "time"])
def test_a_figure_is_one_picture_with_a_title_and_a_description(drawn: dict[str, Figure], name: str) -> None:
    figure = drawn[name]
    assert figure.svg.count("<svg") == 1
    root = ElementTree.fromstring(figure.svg)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert (root[0].text, root[1].text) == (figure.title, figure.finding)
    assert figure.title
    assert figure.finding.endswith(".")


@pytest.mark.parametrize("name", ["map", "publications", "time"])
def test_a_figure_runs_nothing_loads_nothing_and_has_no_colour_of_its_own(drawn: dict[str, Figure], name: str) -> None:
    svg = drawn[name].svg
    assert not names(svg) & {"script", "foreignObject", "style", "image", "a", "use", "@href", "@xlink:href"}
    assert not any(each.startswith("@on") for each in names(svg))
    assert "href" not in svg
    assert "url(" not in svg
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', svg)) - {"none", "transparent"}
    assert colours
    assert all(re.fullmatch(r"var\(--[a-z0-9-]+\)", colour) for colour in colours)


@pytest.mark.parametrize("name", ["map", "publications", "time"])
def test_a_figure_has_its_data_as_a_table(drawn: dict[str, Figure], name: str) -> None:
    figure = drawn[name]
    assert figure.rows
    assert all(len(row) == len(figure.columns) for row in figure.rows)


def test_word_bars_are_the_topics_part_of_each_words_uses_for_each_step_of_lambda() -> None:
    steps = word_bars(MADE.topics[0])
    assert [step for step, _ in steps] == ["0", "0.25", "0.5", "0.75", "1"]
    for _, bars in steps:
        assert [bar.word for bar in bars] == [word.replace("_", " ") for word in WORDS]
        assert [(bar.inside, bar.uses) for bar in bars] == [(90 - rank, 100 + rank) for rank in range(10)]
        assert all(0 < bar.inside_width <= bar.uses_width <= 100 for bar in bars)
        assert max(bar.uses_width for bar in bars) == 100


def test_a_word_of_ten_thousand_letters_is_cut_in_its_bar() -> None:
    _, bars = word_bars(made_topic(0, ("w" * 10_000, "b")))[0]
    assert len(bars[0].word) == LABEL_CHARACTERS


def test_each_topics_marks_have_its_class_and_a_tooltip_in_every_chart(drawn: dict[str, Figure]) -> None:
    for name, figure in drawn.items():
        root = ElementTree.fromstring(figure.svg)
        for topic in MADE.topics:
            marks = [each for each in root.iter() if each.get("class") == f"t t{topic.id}"]
            told = {title.text for each in marks for title in each.iter(f"{SVG}title")}
            assert told, name
            assert all((text or "").startswith((f"{topic.label}: ", f"Topic {topic.id}: ")) for text in told)


def test_charts_show_the_largest_topics_and_no_more() -> None:
    many = made_summary([made_topic(id, share=1 / (id + 2), x=id / 50) for id in range(60)], periods=3)
    for figure in figures(many).values():
        root = ElementTree.fromstring(figure.svg)
        assert {each.get("class") for each in root.iter()} - {None} == {f"t t{id}" for id in range(SHOWN)}


def test_publications_alike_in_their_first_letters_have_a_row_each() -> None:
    figure = publication_heat(
        made_summary(MADE.topics, ("The Very Long Name of a Paper, I", "The Very Long Name of a Paper, II"))
    )
    assert len({text for text in texts(figure) if text.startswith("The Very")}) == 2


def test_the_map_names_the_two_nearest_topics(drawn: dict[str, Figure]) -> None:
    assert drawn["map"].finding.startswith("The two nearest topics are 1 (")
    assert " and 2 (goal)" in drawn["map"].finding


def test_one_topic_has_nothing_to_be_compared_with() -> None:
    one = distance_map(made_summary([made_topic(0, x=0.0, y=0.0)]))
    assert one.finding == "There is one topic, and nothing to compare it with."
    ElementTree.fromstring(one.svg)


def test_the_course_over_time_runs_from_the_first_period_to_the_last(drawn: dict[str, Figure]) -> None:
    assert drawn["time"].finding.startswith("From 2024-01 to 2024-04, topic ")
    assert {"2024-01", "2024-04"} <= set(texts(drawn["time"]))
    assert "2024-02" not in texts(drawn["time"])


@pytest.mark.parametrize("periods", [0, 1])
def test_fewer_than_two_periods_have_no_course(periods: int) -> None:
    assert over_time(made_summary(MADE.topics, periods=periods)) is None


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_strangers_write_stays_text(drawn: dict[str, Figure], kind: str) -> None:
    text = HOSTILE[kind]
    topics = [made_topic(1, (text, "b", text + "c"), label=text, x=0.3), *MADE.topics[1:]]
    for name, figure in figures(made_summary(topics, (text, "Demo Gazette"), periods=4)).items():
        assert names(figure.svg) <= names(drawn[name].svg) | {"tspan", "@direction"}, name
        assert figure.svg.count("<svg") == 1


@pytest.mark.parametrize("kind", ["number", "attribute", "script"])
def test_what_strangers_write_is_shown_as_it_is(kind: str) -> None:
    text = HOSTILE[kind][:20]
    assert f"{text} (10)".strip() in texts(publication_heat(made_summary(MADE.topics, (text,))))


def test_a_name_of_ten_thousand_letters_is_cut_wherever_it_stands() -> None:
    for figure in figures(made_summary(MADE.topics, ("w" * 10_000, "Demo"))).values():
        assert "w" * 100 not in f"{figure.svg} {figure.finding} {figure.rows}"
