"""Every page of a desk as a file: valid HTML, whole, of a size that any line carries; needs no browser."""

import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import Element

import html5lib

KILOBYTE = 1000
MOST = {"index": 200 * KILOBYTE, "retrain_cnn": 600 * KILOBYTE, "": 300 * KILOBYTE}


@cache
def parsed(path: Path) -> Element:
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(path.read_bytes())
    assert isinstance(tree, Element)
    return tree


def test_there_is_a_page_of_every_kind(desks: dict[str, Path]) -> None:
    jobs = ("backup", "capture_tweets", "model_topics", "retrain_cnn")
    assert {*(f"demo/{job}/latest.html" for job in jobs), "demo/index.html", "many/index.html", "empty/index.html"} <= {
        *desks
    }
    assert [name for name in desks if name.startswith("demo/model_topics/run-")]  # a failed run's
    assert [name for name in desks if name.startswith("many/runs-")]  # of the runs before those on the index


def test_pages_are_valid_html(desks: dict[str, Path]) -> None:
    for name, path in desks.items():
        assert path.read_bytes().startswith(b"<!DOCTYPE html>"), name
        assert parsed(path).get("lang") == "en", name


def test_a_caption_is_the_first_or_the_last_of_its_figure_and_a_summary_the_first_of_its_details(
    desks: dict[str, Path],
) -> None:  # which a parser lets pass, and a validator doesn't
    for name, path in desks.items():
        for each in parsed(path).iter():
            inside = [str(child.tag) for child in each]
            if each.tag == "figure" and "figcaption" in inside:
                assert "figcaption" in (inside[0], inside[-1]), name
            if each.tag == "details":
                assert inside[0] == "summary" and inside.count("summary") == 1, name
            if each.tag == "th":
                assert "".join(each.itertext()).strip(), name


def test_headings_leave_no_level_out(desks: dict[str, Path]) -> None:
    for name, path in desks.items():
        levels = [int(str(each.tag)[1]) for each in parsed(path).iter() if re.fullmatch("h[1-6]", str(each.tag))]
        assert (levels[:1], levels.count(1)) == ([1], 1), name
        assert all(later <= earlier + 1 for earlier, later in pairwise(levels)), (name, levels)


def test_links_lead_somewhere(desks: dict[str, Path]) -> None:
    for name, path in desks.items():
        tree = parsed(path)
        ids = [each.get("id") for each in tree.iter() if each.get("id")]
        assert len(ids) == len(set(ids)), name
        for each in tree.iter():
            for label in (each.get("aria-labelledby", "") + " " + each.get("for", "")).split():
                assert label in ids, (name, label)
            address = each.get("href", "#")
            if re.match("https?:|data:,$", address) or address == "#":
                continue
            file, _, place = unquote(address).partition("#")
            target = path.parent / file if file else path
            assert target.is_file(), (name, address)
            if place and target.suffix == ".html":
                assert place in {found.get("id") for found in parsed(target).iter()}, (name, address)


def test_pages_are_small(desks: dict[str, Path]) -> None:
    for name, path in desks.items():
        most = next(size for word, size in MOST.items() if word in name)
        assert path.stat().st_size <= most, name
