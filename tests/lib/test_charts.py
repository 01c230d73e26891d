"""Charts as pages take them: one picture with a name, in the page's colours, safe whatever is in it."""

import re
import xml.etree.ElementTree as ElementTree

import altair as alt
import pytest
from markupsafe import Markup

from lib.charts import draw, figure, of_rows, shortened, sparkline, tip
from tests.lib.topics.made import HOSTILE

SVG = "{http://www.w3.org/2000/svg}"


def bars(*names: str) -> alt.Chart:
    values = [{"name": name, "value": place + 1 / 3} for place, name in enumerate(names)]
    return alt.Chart({"values": values}).mark_bar().encode(x="value:Q", y=alt.Y("name:N", sort=None))


def test_a_chart_is_one_picture_with_its_title_and_finding() -> None:
    made = figure(bars("a", "b"), "Bars & more", "b is <longer>.", ("name", "value"), [("a", 0)])
    root = ElementTree.fromstring(made.svg)
    assert isinstance(made.svg, Markup)
    assert (root.tag, root.get("role")) == (f"{SVG}svg", "img")
    assert [(child.tag, child.text) for child in root][:2] == [
        (f"{SVG}title", "Bars & more"),
        (f"{SVG}desc", "b is <longer>."),
    ]
    assert len(list(root.iter(f"{SVG}svg"))) == 1


def test_a_chart_has_its_size_as_a_view_box_and_shrinks_with_the_page() -> None:
    root = ElementTree.fromstring(draw(bars("a"), "t", "f"))
    left, top, width, height = (float(each) for each in root.attrib["viewBox"].split())
    assert (left, top) == (0, 0)
    assert width > 100
    assert height > 20
    assert root.get("style") == f"max-width:{root.attrib['viewBox'].split()[2]}px;font-size:11px"
    assert "width" not in root.attrib


def test_a_chart_has_no_background_and_the_pages_colours() -> None:
    svg = draw(bars("a", "b"), "t", "f")
    assert not re.search(r"white|#fff|rgb\(255", svg)
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', svg)) - {"none", "transparent"}
    assert {"var(--accent)", "var(--muted)"} <= colours
    assert all(colour.startswith("var(--") for colour in colours)
    assert "font-family" not in svg


def test_places_have_two_decimals_and_texts_all_of_theirs() -> None:
    svg = draw(bars("3.14159265", "b", "c"), "2.718281828", "f")
    assert ">3.14159265<" in svg
    assert "<title>2.718281828</title>" in svg
    inside_tags = "".join(re.findall(r"<[^>]*>", svg))
    assert not re.search(r"\d\.\d{3}", inside_tags)


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_strangers_write_stays_text(kind: str) -> None:
    plain = ElementTree.fromstring(draw(bars("a", "b"), "t", "f"))
    root = ElementTree.fromstring(draw(bars(HOSTILE[kind], "b"), HOSTILE[kind], HOSTILE[kind]))
    known = {each.tag for each in plain.iter()}
    attributes = {name for each in plain.iter() for name in each.attrib}
    assert {each.tag for each in root.iter()} <= known | {f"{SVG}tspan"}
    assert {name for each in root.iter() for name in each.attrib} <= attributes | {"direction"}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_mark_has_the_tooltip_and_the_class_that_its_row_gives_it(kind: str) -> None:
    rows = [{"name": "a", "tip": tip(HOSTILE[kind], "t t1")}, {"name": "b", "tip": tip("", "t2")}, {"name": "c"}]
    base = alt.Chart({"values": rows}).encode(y=alt.Y("name:N", sort=None), href="tip:N")
    svg = draw(alt.layer(base.mark_point(), base.mark_text().encode(text="name:N")), "t", "f")
    root = ElementTree.fromstring(svg)
    marks = [each for each in root.iter() if each.get("class") == "t t1"]
    assert [each.tag for each in marks] == [f"{SVG}path", f"{SVG}g"]
    can = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "�", HOSTILE[kind])
    assert [(mark[0].tag, mark[0].text) for mark in marks] == [(f"{SVG}title", can)] * 2
    assert [each.tag for each in root.iter() if each.get("class") == "t2"] == [f"{SVG}path", f"{SVG}text"]
    assert len(list(root.iter(f"{SVG}title"))) == 3
    assert not {each.tag for each in root.iter()} & {f"{SVG}a", f"{SVG}script", f"{SVG}img"}
    assert "href" not in "".join(re.findall(r"<[^>]*>", svg))


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x0b", "\ufffe", "\uffff", "\ud800", "\udfff"])
def test_a_character_that_xml_cannot_hold_is_replaced(character: str) -> None:
    svg = draw(bars(f"a{character}b"), f"c{character}d", f"e{character}f")
    assert {"a�b", "c�d", "e�f"} <= set(ElementTree.fromstring(svg).itertext())


@pytest.mark.parametrize("text", ["😀" * 60, "漢字" * 30, "W" * 60])
def test_a_label_of_wide_characters_is_drawn_and_never_cut_within_one(text: str) -> None:
    chart = of_rows([{"name": text, "count": 1}]).mark_bar().encode(y="name:N", x="count:Q", color="name:N")
    assert text in draw(chart, "Chart", "One bar.")


@pytest.mark.parametrize(
    "text, most, left",
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("", 3, ""),
        ("漢字", 4, "漢字"),
        ("漢字漢", 5, "漢字…"),
        ("a😀😀", 4, "a😀…"),
    ],
)
def test_a_label_is_cut_where_it_would_be_too_wide(text: str, most: int, left: str) -> None:
    assert shortened(text, most) == left


def test_a_sparkline_of_none_or_one_value_is_empty() -> None:
    assert sparkline([]) == sparkline([1.0]) == ""


@pytest.mark.parametrize(
    "values, points",
    [
        ([1, 3], "0.0,22.0 120.0,2.0"),
        ([3.0, 1.0, 2.0], "0.0,2.0 60.0,22.0 120.0,12.0"),
        ([5, 5, 5], "0.0,22.0 60.0,22.0 120.0,22.0"),
    ],
)
def test_a_sparkline_goes_from_edge_to_edge(values: list[float], points: str) -> None:
    assert sparkline(values) == points


def test_a_sparkline_of_many_values_stays_inside_its_box() -> None:
    points = [tuple(map(float, each.split(","))) for each in sparkline([(n * 37) % 101 for n in range(500)]).split()]
    assert len(points) == 500
    assert all(0 <= x <= 120 and 2 <= y <= 22 for x, y in points)
    assert [x for x, _ in points] == sorted(x for x, _ in points)
