"""Any picture as the network takes images: uint8 (32, 32, 3), cut to its middle square."""

import stat
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lib.errors import BadData
from lib.files import shown

SIDE = 32
# Reading PostScript would run Ghostscript on a stranger's file.
_NOT_READ = {"EPS"}


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture in any format that Pillow knows; of a moving one the first frame.

    It is turned as its EXIF data says and laid on white where it is transparent. What lies outside its middle square is
    cut off, since the classes' things fill the middle of CIFAR's images and squeezing would change their shape. It is
    shrunk by BOX, the mean over each pixel's area, with which Chrabaszcz et al. (2017, ImageNet32) made images of this
    size from photographs; a smaller one grows by BICUBIC.

    Raises BadData: not there, no file, no picture, a damaged one, or one of more than Pillow's 89 million pixels.
    """
    name = plain(path)
    try:
        mode = path.stat().st_mode
    except OSError as fault:
        reason = "it is not there" if isinstance(fault, FileNotFoundError) else fault.strerror
        raise BadData(f"can't read {name}: {reason}") from fault
    if not stat.S_ISREG(mode):  # opening a pipe would wait for whoever writes into it
        raise BadData(f"can't read {name}: it is {'a folder' if stat.S_ISDIR(mode) else 'no file'}, and no picture")
    Image.init()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=[each for each in Image.OPEN if each not in _NOT_READ]) as picture:
                picture.draft("RGB", (8 * SIDE, 8 * SIDE))  # a JPEG can be read at a fraction of its size
                turned = ImageOps.exif_transpose(picture)
                return _small(_as_rgb(turned))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as fault:
        raise BadData(f"can't read {name}: it has too many pixels to be read safely; make it smaller first") from fault
    except UnidentifiedImageError as fault:
        raise BadData(f"can't read {name}: it is no picture that Pillow knows") from fault
    except PermissionError as fault:
        raise BadData(f"can't read {name}: it is not permitted; check its mode and who owns it") from fault
    except Exception as fault:  # on damaged files Pillow's readers raise nearly everything
        raise BadData(
            f"can't read {name}: the picture is damaged ({plain(str(fault)) or type(fault).__name__})"
        ) from fault


def plain(text: Path | str) -> str:
    """A name or a message on one line, without what a terminal would obey."""
    return "".join(each if each.isprintable() else "�" for each in shown(text))


def _as_rgb(picture: Image.Image) -> Image.Image:
    """Red, green and blue, 8 bits each. Grey levels of more bits are stretched from their darkest to their lightest."""
    if picture.mode.startswith(("I", "F")):
        levels = np.nan_to_num(np.asarray(picture, np.float64))
        low, high = levels.min(), levels.max()
        picture = Image.fromarray(np.round((levels - low) / max(high - low, 1e-12) * 255).astype(np.uint8))
    if "A" in picture.getbands() or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return picture.convert("RGB")


def _small(picture: Image.Image) -> NDArray[np.uint8]:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    method = Image.Resampling.BOX if side >= SIDE else Image.Resampling.BICUBIC
    return np.asarray(picture.resize((SIDE, SIDE), method, (left, top, left + side, top + side)), np.uint8)
