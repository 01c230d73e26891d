"""Take the pictures of the demo's pages that the README shows: `make screenshots`.

    python bin/screenshots.py [--reports reports/demo] [--to docs]

Each is the top of a page, or of a part of it. They are PNG with a palette, to stay small in git.
"""

import io
import sys
from pathlib import Path
from typing import NamedTuple

import click
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

WIDTH, HEIGHT, SCALE = 1100, 1150, 1.5  # CSS pixels, and pixels of the picture to each
COLOURS = 160
LARGEST, ALL = 200_000, 1_000_000  # bytes


class Shot(NamedTuple):
    """What a picture shows: a page, from the place of that id on."""

    name: str
    page: str
    place: str = ""
    dark: bool = False


SHOTS = (
    Shot("desk", "index.html"),
    Shot("topics", "model_topics/latest.html", place="weeks"),
    Shot("mood", "capture_tweets/latest.html"),
    Shot("network", "retrain_cnn/latest.html", dark=True),
)


@click.command(help=__doc__.split("\n")[0])
@click.option("--reports", type=click.Path(path_type=Path), default=ROOT / "reports" / "demo", help="The demo's pages.")
@click.option("--to", type=click.Path(path_type=Path), default=ROOT / "docs", help="Where the pictures go.")
def main(reports: Path, to: Path) -> None:
    """Take each picture; one that is too large, or missing, ends this with a sentence."""
    from tests.browser.chromium import chromium, find_chromium, window

    if find_chromium() is None:
        sys.exit("there is no Chromium here to take pictures with; on Debian: apt-get install chromium")
    to.mkdir(parents=True, exist_ok=True)
    total = 0
    with chromium() as browser:
        for shot in SHOTS:
            path = reports / shot.page
            if not path.is_file():
                sys.exit(f"{path} is not there; make demo writes it")
            with window(browser, WIDTH, height=HEIGHT, dark=shot.dark, device_scale_factor=SCALE) as context:
                page = context.new_page()
                page.goto(path.as_uri() + (f"#{shot.place}" if shot.place else ""))
                picture = small(page.screenshot())
            (to / f"{shot.name}.png").write_bytes(picture)
            total += len(picture)
            print(f"{to / shot.name}.png: {len(picture) / 1000:.0f} KB")
            if len(picture) > LARGEST:
                sys.exit(f"that is more than {LARGEST // 1000} KB")
    if total > ALL:
        sys.exit(f"together they are {total / 1000:.0f} KB; expected at most {ALL // 1000}")


def small(png: bytes) -> bytes:
    """The picture with a palette of its own."""
    made = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
        made, "PNG", optimize=True
    )
    return made.getvalue()


if __name__ == "__main__":
    main()
