"""What a reader may choose on a page without a script, tabs, filters and what a link marks, as a browser has it."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import violations, window

pytestmark = pytest.mark.browser
_GROUPS = """() => {
  const sizes = {};
  for (const each of document.querySelectorAll("input[type=radio]")) sizes[each.name] = (sizes[each.name] ?? 0) + 1;
  return Object.values(sizes);
}"""
_CHOOSE = """number => {
  const names = new Set([...document.querySelectorAll('input[type=radio]')].map(each => each.name));
  for (const name of names) {
    const group = document.querySelectorAll(`input[type=radio][name="${name}"]`);
    group[Math.min(number, group.length - 1)].checked = true;
  }
}"""
_WIDTH = "() => document.documentElement.scrollWidth"


def opened(page: Page, path: Path) -> Page:
    page.goto(path.as_uri())
    return page


@pytest.fixture
def choosy(desks: dict[str, Path]) -> dict[str, Path]:
    """The pages with something to choose."""
    found = {name: path for name, path in desks.items() if 'type="radio"' in path.read_text(encoding="utf-8")}
    assert {"demo/index.html", "demo/model_topics/latest.html"} <= {*found}
    return found


def test_every_choice_can_be_named_and_breaks_no_rule(choosy: dict[str, Path], browser: Browser) -> None:
    with window(browser, 360, dark=True) as context:
        page = context.new_page()
        for name, path in choosy.items():
            opened(page, path)
            sizes = page.evaluate(_GROUPS)
            assert page.locator("input[type=radio]:checked").count() == len(sizes), name
            for number in range(1, max(sizes)):
                page.evaluate(_CHOOSE, number)
                assert violations(page) == [], (name, number)
                assert page.evaluate(_WIDTH) <= 360, (name, number)


def test_a_choice_is_made_with_the_keyboard_and_changes_what_is_seen(choosy: dict[str, Path], browser: Browser) -> None:
    with window(browser, 1280) as context:
        page = context.new_page()
        for name, path in choosy.items():
            opened(page, path)
            page.locator("input[type=radio]").first.focus()
            before = page.locator("main").inner_text()
            page.keyboard.press("ArrowRight")
            assert page.locator("input[type=radio]").nth(1).is_checked(), name
            assert page.locator("main").inner_text() != before, name


def test_a_topic_that_a_link_names_stands_out(desks: dict[str, Path], browser: Browser) -> None:
    path = desks["demo/model_topics/latest.html"]
    with window(browser, 1280) as context:
        page = opened(context.new_page(), path)
        plain = page.screenshot(full_page=True)
        page.goto(f"{path.as_uri()}#topic-3")
        assert page.locator(":target").count() == 1
        assert page.screenshot(full_page=True) != plain
        assert violations(page) == []
