"""Pages to look at, made once, and a browser to look with, opened once a module."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import chromium, find_chromium
from tests.browser.desks import make_demo, make_empty, make_many, pages


@pytest.fixture(scope="session")
def desks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every page of three desks, by the desk's name and its own."""
    made = {"demo": make_demo, "many": make_many, "empty": make_empty}
    folder = tmp_path_factory.mktemp("desks")
    return {f"{desk}/{name}": path for desk, make in made.items() for name, path in pages(make(folder / desk)).items()}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium. Without one the test is skipped, or fails where BROWSER_TESTS=required, as .ci/run says."""
    if find_chromium() is None:
        reason = "no Chromium here to look at pages with; on Debian: apt-get install chromium"
        if os.environ.get("BROWSER_TESTS") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    with chromium() as opened:
        yield opened
