"""The palette: one, in the page's style, from which charts and templates take their colours by name."""

import itertools
import math
import re
from pathlib import Path

import pytest

from lib.charts import ACCENT, INK, MUTED, RULE, SERIES
from lib.pages import TEMPLATES

ROOT = Path(__file__).parents[2]
LIGHT, DARK = ("light", "dark")
# Machado, Oliveira & Fernandes (2009), "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# at severity 1.0: matrices over linear RGB
SIGHTS = {
    "usual": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}


def palette(scheme: str) -> dict[str, str]:
    """The colours of the page's style, by the names of its variables."""
    style = (TEMPLATES / "_style.css").read_text(encoding="utf-8")
    dark = re.search(r"@media \(prefers-color-scheme: dark\) \{\s*:root \{(.*?)\}", style, re.DOTALL)
    light = re.search(r":root \{(.*?)\}", style, re.DOTALL)
    assert dark is not None
    assert light is not None
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", (light if scheme == LIGHT else dark)[1]))


def linear(colour: str) -> list[float]:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast ratio."""
    red, green, blue = 0.2126, 0.7152, 0.0722
    dark, light = sorted(
        sum(w * part for w, part in zip((red, green, blue), linear(c), strict=True)) for c in (one, other)
    )
    return (light + 0.05) / (dark + 0.05)


def seen(colour: str, sight: str) -> list[float]:
    """A colour in CIELAB (D65) as somebody with this sight sees it."""
    rgb = [
        min(1.0, max(0.0, sum(w * part for w, part in zip(row, linear(colour), strict=True)))) for row in SIGHTS[sight]
    ]
    to_xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    xyz = [sum(w * part for w, part in zip(row, rgb, strict=True)) for row in to_xyz]
    x, y, z = (
        (each / white) ** (1 / 3) if each / white > 0.008856 else 7.787 * each / white + 16 / 116
        for each, white in zip(xyz, (0.95047, 1.0, 1.08883), strict=True)
    )
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_charts_take_their_colours_from_the_pages_style(scheme: str) -> None:
    colours = palette(scheme)
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "lib").rglob("*.py")]
    named = {name for source in sources for name in re.findall(r"var\(--([\w-]+)\)", source)}
    named |= {each[6:-1] for each in (*SERIES, ACCENT, INK, MUTED, RULE)}
    assert named <= set(colours)
    assert {name for name in colours if name.startswith("series-")} == {each[6:-1] for each in SERIES}


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*")), ids=lambda path: path.name)
def test_templates_name_no_colour_that_the_style_has_not(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert set(
        re.findall(r"var\(--((?:series|ok|bad|wait|ink|muted|rule|accent|paper|card|soft)[\w-]*)\)", text)
    ) <= set(palette(LIGHT))
    assert path.name == "_style.css" or not re.search(r"#[0-9a-f]{3}\b|#[0-9a-f]{6}\b|rgb\(", text)


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
@pytest.mark.parametrize("sight", SIGHTS)
def test_series_are_told_apart_with_every_kind_of_sight(scheme: str, sight: str) -> None:
    colours = palette(scheme)
    series = [seen(colours[each[6:-1]], sight) for each in SERIES]
    assert min(math.dist(one, other) for one, other in itertools.combinations(series, 2)) >= 15


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_colours_stand_out_from_what_they_are_on(scheme: str) -> None:
    colours = palette(scheme)
    for ground in ("paper", "card", "soft"):
        for name in ("ink", "muted", "accent", "ok", "bad", "wait"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)  # WCAG 2.2, 1.4.3
        for each in SERIES:
            assert contrast(colours[each[6:-1]], colours[ground]) >= 3, (each, ground)  # 1.4.11
