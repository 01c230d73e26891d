"""Small pictures for a page: images and filters as PNGs in data URIs, each with words for those who can't see it."""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lib.charts import shortened
from lib.images.evaluation import Evaluation

NAME_CHARACTERS = 40
SHEET_COLUMNS = 16  # filters in a row of the sheet


@dataclass(frozen=True)
class Picture:
    """A picture as a page takes it: `src` is a data URI, `alt` says what is to be seen, `caption` stands below it.

    `width` and `height` are in its own pixels; the page shows them larger, and square.
    """

    src: str
    alt: str
    caption: str
    width: int
    height: int


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """An image, uint8 (height, width, 3 or 4), as `data:image/png;base64,…`."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def gallery(
    images: NDArray[np.uint8],
    fine: NDArray[np.int64],
    its: Evaluation,
    places: Sequence[int],
    names: Sequence[str],
) -> list[Picture]:
    """The images at `places` of uint8 (N, 32, 32, 3), with the class they are labelled with and the one they got."""
    return [_judged(images[place], int(fine[place]), its, place, names) for place in places]


def _judged(image: NDArray[np.uint8], label: int, its: Evaluation, place: int, names: Sequence[str]) -> Picture:
    labelled, taken = spoken(names[label]), spoken(names[int(its.predicted[place])])
    sure = said_percent(float(its.confidence[place]))
    if labelled == taken:
        alt, caption = f"labelled {labelled}, taken for it at {sure}", f"{labelled}, {sure}"
    else:
        alt, caption = f"labelled {labelled}, taken for {taken} at {sure}", f"{labelled} as {taken}, {sure}"
    return Picture(data_uri(image), alt, caption, image.shape[1], image.shape[0])


def filter_sheet(filters: NDArray[np.floating]) -> Picture:
    """Filters, (n, height, width, 3) from 0 to 1, side by side in one picture with clear lines between them."""
    n, height, width, _ = filters.shape
    columns = min(n, SHEET_COLUMNS)
    lines = math.ceil(n / columns)
    sheet = np.zeros((lines * (height + 1) - 1, columns * (width + 1) - 1, 4), np.uint8)
    for place, each in enumerate(filters):
        top, left = place // columns * (height + 1), place % columns * (width + 1)
        sheet[top : top + height, left : left + width, :3] = np.round(np.clip(each, 0, 1) * 255)
        sheet[top : top + height, left : left + width, 3] = 255
    alt = f"The {n} filters of the first convolution, {height} × {width} pixels in colour, each at full contrast"
    return Picture(data_uri(sheet), alt, f"{n} filters of {height} × {width} × 3", sheet.shape[1], sheet.shape[0])


def said_percent(share: float) -> str:
    """A probability as people say it; 100% would claim more than a network can know."""
    return f"over {99.9}%" if share > 0.999 else f"{share:.1%}" if share >= 0.99 else f"{share:.0%}"


def spoken(name: str) -> str:
    """The name of a class or superclass as people write it: pickup_truck → pickup truck; cut where it never ends."""
    return shortened(name.replace("_", " "), NAME_CHARACTERS)
