"""Every page as a browser has it: light and dark, on a phone and on a desk, by axe-core's rules."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import Look, look

pytestmark = pytest.mark.browser
PHONE, DESK = 360, 1280
VIEWS = [(PHONE, False), (PHONE, True), (DESK, False), (DESK, True)]  # width, dark
AUDITED = {(PHONE, True), (DESK, False)}  # both widths and both schemes; an audit takes seconds

Seen = dict[str, Look]


@pytest.fixture(scope="module", params=VIEWS, ids=["phone", "phone-dark", "desk", "desk-dark"])
def looks(request: pytest.FixtureRequest, desks: dict[str, Path], browser: Browser) -> Seen:
    """A look at every page in one view."""
    width, dark = request.param
    audit = request.param in AUDITED
    return {name: look(browser, path, width=width, dark=dark, audit=audit) for name, path in desks.items()}


def found(looks: Seen, what: Callable[[Look], object]) -> dict[str, object]:
    """What there is of something that should not be, by page."""
    return {name: some for name, each in looks.items() if (some := what(each))}


def test_a_page_asks_nobody_for_anything(looks: Seen) -> None:
    assert found(looks, lambda each: each.requests) == {}


def test_a_page_says_nothing_on_the_console(looks: Seen) -> None:
    assert found(looks, lambda each: each.said + each.dialogs) == {}


def test_a_page_holds_no_script_and_no_handler(looks: Seen) -> None:
    assert found(looks, lambda each: each.seen["scripts"] + each.seen["handlers"]) == {}


def test_a_page_breaks_no_rule_of_axe_core(looks: Seen) -> None:
    assert found(looks, lambda each: each.violations) == {}


def test_a_page_is_no_wider_than_the_window(looks: Seen) -> None:
    assert found(looks, lambda each: each.seen["wide"] if each.seen["width"] > each.width else []) == {}


def test_a_picture_has_a_name_that_says_something(looks: Seen) -> None:
    assert found(looks, lambda each: each.seen["unnamed"]) == {}


def test_a_page_names_its_language_and_is_painted(looks: Seen) -> None:
    assert found(looks, lambda each: each.seen["lang"] != "en" or each.seen["paint"] is None) == {}


def test_what_is_folded_is_shown_on_paper(desks: dict[str, Path], browser: Browser) -> None:
    page = browser.new_page()
    page.emulate_media(media="print")
    page.goto(desks["demo/model_topics/latest.html"].as_uri())
    tables = page.locator("details table")
    assert tables.count() > 0
    assert all(tables.nth(number).is_visible() for number in range(tables.count()))
    assert re.search("Written", page.inner_text("footer"))
    page.close()


def test_on_paper_nothing_reaches_beyond_the_sheet(desks: dict[str, Path], browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1000, "height": 1400})
    page.emulate_media(media="print")
    wide = {}
    for name, path in desks.items():
        page.goto(path.as_uri())
        if (width := page.evaluate("document.documentElement.scrollWidth")) > 1000:
            wide[name] = width
    page.close()
    assert wide == {}
