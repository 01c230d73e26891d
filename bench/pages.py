"""Time the first paint of the demo's pages in a Chromium of this machine's, on two cores.

    python bench/pages.py [--reports reports/demo] [--looks 7]

Without pages in --reports it makes them, with less training than `make demo`. Prints each page's size and the median
first contentful paint, by the browser's own clock from the start of the navigation, beside what is asked for.
"""

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

MILLISECONDS, CORES = 200, 2
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


@contextmanager
def demo(reports: Path) -> Iterator[Path]:
    """The folder of pages, or one of pages made for the moment."""
    if (reports / "index.html").is_file():
        yield reports
        return
    from tests.browser.desks import make_demo

    with tempfile.TemporaryDirectory() as folder:
        print("making the demo's pages first", file=sys.stderr)
        yield make_demo(Path(folder))


@click.command(help=__doc__.split("\n")[0])
@click.option("--reports", type=click.Path(path_type=Path), default=ROOT / "reports" / "demo", help="Pages to look at.")
@click.option("--looks", type=click.IntRange(1), default=7, show_default=True, help="At each page.")
def main(reports: Path, looks: int) -> None:
    """Time each page; exit with 1 where the largest is painted too late."""
    from tests.browser.chromium import chromium, find_chromium, window
    from tests.browser.desks import pages

    if find_chromium() is None:
        print("pages: no Chromium here, not measured; on Debian: apt-get install chromium")
        return
    if hasattr(os, "sched_setaffinity"):  # the browser inherits it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with demo(reports) as folder, chromium() as browser:
        found = sorted(pages(folder).items(), key=lambda page: page[1].stat().st_size)
        for name, path in [found[0], *found]:  # the first one twice: a browser's first page waits for the browser
            times = []
            for _ in range(looks):
                with window(browser, 1280) as context:
                    page = context.new_page()
                    page.goto(path.as_uri())
                    while (paint := page.evaluate(PAINT)) is None:
                        page.wait_for_timeout(20)
                    times.append(paint)
            last = name, path.stat().st_size / 1000, statistics.median(times), max(times)
            print(f"{name:34} {last[1]:6.0f} KB  first paint {last[2]:4.0f} ms (the slowest of {looks}: {last[3]:.0f})")
    name, size, median, _ = last
    print(f"the largest, {name} of {size:.0f} KB: {median:.0f} ms; asked for: less than {MILLISECONDS} ms")
    sys.exit(0 if median < MILLISECONDS else 1)


if __name__ == "__main__":
    main()
