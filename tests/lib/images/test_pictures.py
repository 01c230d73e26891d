"""Any picture becomes one of 32 × 32 pixels, and what is none is refused in one sentence."""

import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib.errors import BadData
from lib.images.pictures import plain, read_picture


def saved(folder: Path, picture: Image.Image, name: str = "a.png", **how: Any) -> Path:
    path = folder / name
    picture.save(path, **how)
    return path


def halves(width: int = 64, height: int = 64) -> Image.Image:
    """Red on the left, blue on the right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = 255
    pixels[:, width // 2 :, 2] = 255
    return Image.fromarray(pixels)


def test_a_picture_of_the_right_size_is_taken_as_it_is(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    np.testing.assert_array_equal(read_picture(saved(tmp_path, Image.fromarray(pixels))), pixels)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.bmp", "a.tiff", "a.webp", "a.ppm"])
def test_many_formats_are_read(tmp_path: Path, name: str) -> None:
    found = read_picture(saved(tmp_path, halves(), name))
    assert found.shape == (32, 32, 3)
    assert found.dtype == np.uint8
    assert found[16, 4].argmax() == 0
    assert found[16, 28].argmax() == 2


def test_shrinking_takes_the_mean_of_each_pixels_area(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    means = pixels.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    assert np.abs(read_picture(saved(tmp_path, Image.fromarray(pixels))) - means).max() <= 1  # rounded twice


def test_the_middle_square_is_kept(tmp_path: Path) -> None:
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 32:64] = 255
    assert (read_picture(saved(tmp_path, Image.fromarray(wide))) == 255).all()
    assert (read_picture(saved(tmp_path, Image.fromarray(wide.transpose(1, 0, 2)))) == 255).all()


def test_a_smaller_picture_grows(tmp_path: Path) -> None:
    assert (read_picture(saved(tmp_path, Image.new("RGB", (1, 1), (9, 8, 7)))) == (9, 8, 7)).all()


def test_a_photo_is_turned_as_its_exif_data_say(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    found = read_picture(saved(tmp_path, halves(), "a.jpg", exif=exif, quality=95))
    assert found[4, 16].argmax() == 0
    assert found[28, 16].argmax() == 2


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_lies_on_white(tmp_path: Path, mode: str) -> None:
    if mode == "P":
        picture = Image.new("P", (40, 40), 0)
        picture.putpalette([0, 0, 0])
        path = saved(tmp_path, picture, transparency=0)
    else:
        path = saved(tmp_path, Image.new(mode, (40, 40), (0,) * len(mode)))
    assert (read_picture(path) == 255).all()


@pytest.mark.parametrize(
    ("mode", "name"), [("L", "a.png"), ("1", "a.png"), ("CMYK", "a.jpg"), ("I;16", "a.png"), ("F", "a.tiff")]
)
def test_grey_and_printers_colours_are_read(tmp_path: Path, mode: str, name: str) -> None:
    ramp = np.tile(np.linspace(0, 60_000, 64), (64, 1))
    if mode == "I;16":
        picture = Image.fromarray(ramp.astype(np.uint16))
    elif mode == "F":
        picture = Image.fromarray(ramp.astype(np.float32))
    else:
        picture = Image.fromarray((ramp / 60_000 * 255).astype(np.uint8)).convert(mode)
    found = read_picture(saved(tmp_path, picture, name)).astype(int)
    assert found[16, 0].mean() < 30
    assert found[16, 31].mean() > 220


def bomb(path: Path, side: int = 20_000) -> Path:
    """A small PNG that says it has 400 million pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )
    return path


def test_what_cannot_be_read_is_refused_in_one_sentence(tmp_path: Path) -> None:
    whole = saved(tmp_path, halves(640, 640), "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    (tmp_path / "script.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) =\n")
    os.mkfifo(tmp_path / "pipe")
    cases = {
        tmp_path / "cut.jpg": "damaged",
        tmp_path / "text.png": "no picture",
        tmp_path / "empty.png": "no picture",
        tmp_path / "script.eps": "no picture",
        tmp_path / "pipe": "no file",
        tmp_path: "a folder",
        tmp_path / "missing.png": "not there",
        tmp_path / ("n" * 300): "File name too long",
        bomb(tmp_path / "bomb.png"): "too many pixels",
        bomb(tmp_path / "warning.png", 10_000): "too many pixels",
    }
    for path, said in cases.items():
        with pytest.raises(BadData, match=said) as refused:
            read_picture(path)
        assert "\n" not in str(refused.value)


def test_noise_in_place_of_a_picture_is_never_a_traceback(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a.png", "a.jpg", "a.gif", "a.tiff", "a.webp", "a.bmp"):
        whole = bytearray(saved(tmp_path, halves(), name).read_bytes())
        for _ in range(40):
            noisy = bytearray(whole)
            for place in rng.integers(4, len(noisy), 6):
                noisy[place] = rng.integers(0, 256)
            (tmp_path / name).write_bytes(noisy)
            with suppress(BadData):
                assert read_picture(tmp_path / name).shape == (32, 32, 3)


def test_a_name_can_do_nothing_to_a_terminal() -> None:
    assert plain(Path("a\x1b[2J\nb.png")) == "a�[2J�b.png"
