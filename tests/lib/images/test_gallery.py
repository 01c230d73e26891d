"""Pictures on a page are whole PNGs with words to them."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from lib.images.evaluation import evaluate
from lib.images.gallery import data_uri, filter_sheet, gallery, said_percent, spoken

NAMES = [f"sea_thing_{number}" for number in range(100)]


def pixels(uri: str) -> np.ndarray:
    head, _, content = uri.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def test_a_data_uri_holds_the_image_pixel_by_pixel() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    uri = data_uri(image)
    np.testing.assert_array_equal(pixels(uri), image)
    assert len(uri) < 4_500


def test_a_gallery_says_what_an_image_is_and_what_it_was_taken_for() -> None:
    p = np.full((2, 100), 0.03 / 99)
    p[0, 7] = p[1, 3] = 0.97
    images = np.zeros((2, 32, 32, 3), np.uint8)
    images[1] = 200
    fine = np.array([4, 3])
    its = evaluate(p, fine, np.arange(100) // 5)
    (wrong,) = gallery(images, fine, its, its.mistakes, NAMES)
    (right,) = gallery(images, fine, its, its.successes, NAMES)
    assert wrong.alt == "labelled sea thing 4, taken for sea thing 7 at 97%"
    assert wrong.caption == "sea thing 4 as sea thing 7, 97%"
    assert right.alt == "labelled sea thing 3, taken for it at 97%"
    assert pixels(right.src).max() == pixels(right.src).min() == 200
    assert gallery(images, fine, its, (), NAMES) == []


@pytest.mark.parametrize(
    ("share", "said"), [(0.5, "50%"), (0.994, "99.4%"), (0.9999, "over 99.9%"), (1.0, "over 99.9%")]
)
def test_no_probability_is_said_to_be_one(share: float, said: str) -> None:
    assert said_percent(share) == said


@pytest.mark.parametrize("shape", [(32, 3, 3, 3), (1, 3, 3, 3), (17, 5, 5, 3)])
def test_filters_lie_side_by_side_with_clear_lines_between_them(shape: tuple[int, ...]) -> None:
    filters = np.random.default_rng(0).random(shape).astype(np.float32)
    sheet = filter_sheet(filters)
    found = pixels(sheet.src)
    assert found.shape == (sheet.height, sheet.width, 4)
    height, width = shape[1:3]
    np.testing.assert_array_equal(found[:height, :width, :3], np.round(filters[0] * 255))
    assert (found[..., 3] == 255).sum() == shape[0] * height * width
    assert f"{shape[0]} filters" in sheet.alt


def test_names_are_shown_with_spaces() -> None:
    assert spoken("pickup_truck") == "pickup truck"
