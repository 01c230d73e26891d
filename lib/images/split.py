"""Which training images judge, which ones teach, and what is measured on those that teach.

teaching, judging = validation_split(archive.train_fine, archive.checksum)
mean, deviation = channel_statistics(archive.train_images, teaching)
"""

from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from lib.errors import BadData

SPLIT = "a tenth of each class's training images, by the archive's checksum"  # in model cards: whoever has it compares
PER_CLASS = 50  # validation images: a tenth of the official archive's 500 a class
_BLOCK = 256  # images summed at a time: 256 squares of a byte fit into 32 bits, and the block into the cache


def validation_split(
    fine: NDArray[np.int64], checksum: str, per_class: int = PER_CLASS
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of the training and of the validation images, both ascending, by the labels of all (N,).

    Of each class `per_class` images are taken, at most a tenth and at least one. They follow from the archive's
    checksum alone: the SHA-256 of "Nightdesk validation CHECKSUM", read as a big-endian number, seeds a PCG64; its
    first N raw numbers of 64 bits are the images' lots, and the lowest of each class judge. NumPy promises that raw
    stream for all versions and platforms, which it doesn't of what a Generator makes of it.

    Raises BadData where a class has one image only.
    """
    seed = int.from_bytes(sha256(f"Nightdesk validation {checksum}".encode()).digest(), "big")
    lots = np.random.PCG64(seed).random_raw(len(fine))
    judging = np.zeros(len(fine), bool)
    for label in np.unique(fine):
        places = np.flatnonzero(fine == label)
        if len(places) < 2:
            raise BadData(f"class {label} has one training image; expected two at least, one of them for validation")
        share = max(1, min(per_class, len(places) // 10))
        judging[places[np.argsort(lots[places], kind="stable")[:share]]] = True
    return np.flatnonzero(~judging), np.flatnonzero(judging)


def channel_statistics(
    images: NDArray[np.uint8], rows: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each channel, (3,) and 0 to 255, over the images (N, 32, 32, 3) at `rows`, or all.

    The sums are whole numbers and so exact. A channel of one value has the deviation 0. Raises BadData without images.
    """
    count = len(images) if rows is None else len(rows)
    if not count:
        raise BadData("there are no images to measure; expected one at least")
    sums = np.zeros((2, *images.shape[1:]), np.int64)
    for start in range(0, count, _BLOCK):
        block = images[start : start + _BLOCK] if rows is None else images[rows[start : start + _BLOCK]]
        wide = block.astype(np.uint32)
        sums += wide.sum(axis=0, dtype=np.uint32), np.square(wide, out=wide).sum(axis=0, dtype=np.uint32)
    total, squares = sums.sum(axis=(1, 2)).tolist()
    pixels = count * images.shape[1] * images.shape[2]
    mean = np.array([each / pixels for each in total])
    # In Python's whole numbers: the difference is exact before it is divided.
    variance = [(pixels * square - each * each) / pixels**2 for each, square in zip(total, squares, strict=True)]
    return mean, np.sqrt(variance)
