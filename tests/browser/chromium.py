"""A headless Chromium, and what it sees of a page."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Error, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
PATIENCE = 20.0  # seconds, for the first paint on a busy machine

# What a page holds, told by the page itself; with `details` open and after whatever it does on its own.
_SEEN = """() => {
  const all = [...document.querySelectorAll("*")], text = each => (each?.textContent ?? "").trim();
  const name = each => each.getAttribute("aria-label")?.trim() || text(each.querySelector(":scope > title"))
    || (each.getAttribute("aria-labelledby") ?? "").split(" ").map(id => text(document.getElementById(id))).join("");
  const here = each => each.outerHTML.slice(0, 160);
  const hidden = each => each.closest("[aria-hidden=true]") !== null;
  return {
    lang: document.documentElement.lang,
    headings: [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map(each => Number(each.tagName[1])),
    scripts: all.filter(each => each.localName === "script").map(here),
    handlers: all.filter(each => each.getAttributeNames().some(name => name.startsWith("on"))).map(here),
    elements: [...new Set(all.map(each => each.localName))].sort(),
    unnamed: all.filter(each => each.localName === "svg" && !hidden(each) && each.parentElement.closest("svg") === null)
      .filter(each => each.getAttribute("role") !== "img" || !name(each)).map(here),
    width: document.documentElement.scrollWidth,
    wide: all.filter(each => each.getBoundingClientRect().right > innerWidth + 1)
      .filter(each => !each.parentElement?.closest(".scroll, .wide, svg")).map(here).slice(0, 5),
    marks: Object.keys(window).filter(key => key.startsWith("hostile")),
    paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null,
  };
}"""
_OPEN = "() => document.querySelectorAll('details').forEach(each => { each.open = true; })"


@dataclass(frozen=True)
class Look:
    """What one look at a page has shown: what it asked for, said and did, and how it is made."""

    seen: dict[str, Any]
    width: int  # of the window, in CSS pixels
    requests: list[str]  # but for the page itself
    said: list[str]  # on the console, and errors nobody caught
    dialogs: list[str]
    violations: list[str] = field(default_factory=list)  # by axe-core's rules, all of them


def find_chromium() -> str | None:
    """Where this machine has a Chromium; None where it has none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium of this machine's; Playwright's own is not needed."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def window(
    browser: Browser, width: int, *, height: int = 900, dark: bool = False, **how: Any
) -> Iterator[BrowserContext]:
    """A window without a history, so many CSS pixels wide."""
    scheme = "dark" if dark else "light"
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **how)
    try:
        yield context
    finally:
        context.close()


def look(browser: Browser, path: Path, *, width: int, dark: bool = False, audit: bool = True, csp: bool = True) -> Look:
    """Open a page and all its details; `audit` has axe-core judge it, without `csp` it may do what it likes."""
    requests: list[str] = []
    said: list[str] = []
    dialogs: list[str] = []

    def on_request(request: Request) -> None:
        if request.url != path.as_uri() and not request.url.startswith("data:"):
            requests.append(request.url[:200])

    def on_message(message: ConsoleMessage) -> None:
        said.append(f"{message.type}: {message.text[:300]}")

    def on_error(error: Error) -> None:
        said.append(f"uncaught: {error.message[:300]}")

    def on_dialog(dialog: Dialog) -> None:
        dialogs.append(dialog.message[:200])
        dialog.dismiss()

    with window(browser, width, dark=dark, bypass_csp=not csp) as context:
        page = context.new_page()
        page.on("request", on_request)
        page.on("console", on_message)
        page.on("pageerror", on_error)
        page.on("dialog", on_dialog)
        page.goto(path.as_uri(), wait_until="load")
        end = time.monotonic() + PATIENCE
        page.evaluate(_OPEN)
        page.wait_for_timeout(100)  # what would do something by itself has done it by now
        seen = page.evaluate(_SEEN)
        while seen["paint"] is None and time.monotonic() < end:
            page.wait_for_timeout(50)
            seen = page.evaluate(_SEEN)
        said = list(said)  # what axe-core does is not the page's
        return Look(seen, width, requests, said, dialogs, violations(page) if audit else [])


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong, as sentences: all its rules but those that are experiments of its makers'."""
    response = Axe().run(page).response
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}: {node['html'][:200]}"
        for rule in response["violations"]
        for node in rule["nodes"][:3]
    ]
