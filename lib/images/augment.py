"""Augmentation: what is done to a training batch so that no image is seen twice alike.

A batch is uint8 (N, 32, 32, 3) and stays so, since the networks take raw pixels. What is drawn follows from the seed,
the epoch and the step alone, so that a training that resumes sees the images it would have seen.

Everything here gives up Python's lock while it works: a thread prepares the next batch while this one trains.
"""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lib.compiled import compiled

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


class Batch(NamedTuple):
    """What a step trains on: images (N, 32, 32, 3), each by its `share` of the class `labels`, else `others`, (N,)."""

    images: Images
    labels: Labels
    others: Labels
    share: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What may happen to an image: first a flip, then a rotation, then a crop; last it may get a part of another."""

    # left to right: every second image by chance; or, alternating, by chance in the first epoch, and from then on each
    # image the other way round than in the epoch before (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds"): two epochs
    # show both sides of every image, where chance shows a half of them one side twice
    flips: Literal["none", "random", "alternating"] = "none"
    rotation: float = 0.0  # degrees at most, either way; every second image by chance, as TFLearn does
    shift: int = 0  # pixels at most, in each direction: a crop from the image with so wide a reflected border
    # the share of images in which a rectangle is another image's, and so is as much of the class, until this share of
    # the training is over (Yun et al. 2019, "CutMix: regularization strategy to train strong classifiers")
    mixed: float = 0.0
    mixed_until: float = 1.0


def augment(
    images: Images, how: Augmentation, *, seed: int, epoch: int, step: int, numbers: NDArray[np.int64] | None = None
) -> Images:
    """A new batch with each image flipped, rotated and shifted by its own draw; `batches` mixes them.

    `numbers`, (N,), are the images' places among all, which alternating flips go by; without them 0 … N - 1.
    """
    draw = np.random.default_rng((seed, epoch, step))
    count = len(images)
    if how.flips == "random":
        images = flip(images, draw.random(count) < 0.5)
    if how.flips == "alternating":
        images = flip(images, turned(np.arange(count) if numbers is None else numbers, seed, epoch))
    if how.rotation:
        degrees = draw.uniform(-how.rotation, how.rotation, count)
        images = rotate(images, np.where(draw.random(count) < 0.5, degrees, 0.0))
    if how.shift:
        images = crop(images, draw.integers(0, 2 * how.shift + 1, (count, 2)), how.shift)
    return images


def turned(numbers: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.bool_]:
    """Which of the images with these numbers, (N,), alternating flips turn in an epoch."""
    # four words: those of the orders and of the batches' draws are two and three
    lots = np.random.default_rng((seed, 0, 0, 1)).bit_generator.random_raw(int(numbers.max(initial=0)) // 64 + 1)
    first = lots[numbers // 64] >> (numbers % 64).astype(np.uint64) & np.uint64(1)
    return np.asarray((first + np.uint64(epoch)) % np.uint64(2) == 1)


def flip(images: Images, which: NDArray[np.bool_]) -> Images:
    """A copy in which the images that `which`, (N,), marks are turned left to right."""
    flipped = images.copy()
    flipped[which] = images[which, :, ::-1]
    return flipped


def crop(images: Images, corners: NDArray[np.int64], border: int) -> Images:
    """Each image cut, in its own size, out of itself with a reflected border, at its corner (row, column), (N, 2)."""
    _, height, width, _ = images.shape
    rows = _reflected(corners[:, :1] + np.arange(height) - border, height)
    columns = _reflected(corners[:, 1:] + np.arange(width) - border, width)
    return _taken(np.ascontiguousarray(images), rows, columns)


@compiled
def _taken(images: Images, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Images:
    """Of each image the pixels at its own rows and columns; in less than half the time that NumPy's indexing takes."""
    out = np.empty_like(images)
    for n in range(len(images)):
        for row in range(rows.shape[1]):
            for column in range(columns.shape[1]):
                for channel in range(images.shape[3]):
                    out[n, row, column, channel] = images[n, rows[n, row], columns[n, column], channel]
    return out


def rectangles(draw: np.random.Generator, count: int, share: float, size: int) -> NDArray[np.int64]:
    """Of so many images of `size` pixels the rectangles to be another's: top, bottom, left and right, (N, 4).

    Their area, before what lies outside is cut off, is any share of the image's alike, their middle any place; of the
    images that keep all their pixels, 1 - `share` of them, they are empty.
    """
    area = np.where(draw.random(count) < share, draw.random(count), 0.0)
    half, middle = np.sqrt(area)[:, None] * size / 2, draw.random((count, 2)) * size
    first, last = (np.clip(np.rint(each), 0, size) for each in (middle - half, middle + half))
    return np.stack([first[:, 0], last[:, 0], first[:, 1], last[:, 1]], axis=1).astype(np.int64)


def mix(images: Images, where: NDArray[np.int64]) -> tuple[Images, NDArray[np.float32]]:
    """A copy in which each image's rectangle, (N, 4), is the image's before it (the first one's: the last's).

    And the share of each that is still its own, (N,).
    """
    top, bottom, left, right = where.T
    own = 1 - (bottom - top) * (right - left) / (images.shape[1] * images.shape[2])
    return _pasted(np.ascontiguousarray(images), where), own.astype(np.float32)


@compiled
def _pasted(images: Images, where: NDArray[np.int64]) -> Images:
    out = images.copy()
    for n in range(len(images)):
        top, bottom, left, right = where[n]
        out[n, top:bottom, left:right] = images[n - 1, top:bottom, left:right]
    return out


def _reflected(places: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Places beyond either end turned back into 0 … size - 1; the end itself is not repeated (NumPy's "reflect")."""
    return np.asarray(size - 1 - np.abs(size - 1 - np.abs(places)))


def rotate(images: Images, degrees: NDArray[np.float64]) -> Images:
    """Each image turned about its middle by its own angle, (N,); bilinear, and reflected beyond its edge.

    TFLearn's add_random_rotation, scipy.ndimage.rotate(image, angle, reshape=False), leaves black corners, which no
    image to be judged has; the slides don't say. By the validation images reflection is better.
    """
    radians = np.deg2rad(degrees)
    return _rotate(np.ascontiguousarray(images), np.cos(radians), np.sin(radians))


@compiled
def _rotate(images: Images, cosines: NDArray[np.float64], sines: NDArray[np.float64]) -> Images:
    count, height, width, channels = images.shape
    out = np.empty_like(images)
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    for n in range(count):
        cosine, sine = cosines[n], sines[n]
        if sine == 0.0 and cosine == 1.0:
            out[n] = images[n]
            continue
        for row in range(height):
            for column in range(width):
                y = cosine * (row - middle_y) + sine * (column - middle_x) + middle_y
                x = cosine * (column - middle_x) - sine * (row - middle_y) + middle_x
                y, x = _mirrored(y, height), _mirrored(x, width)
                top, left = min(int(y), height - 2), min(int(x), width - 2)
                down, right = np.float32(y - top), np.float32(x - left)
                for channel in range(channels):
                    above = images[n, top, left, channel] * (1 - right) + images[n, top, left + 1, channel] * right
                    below = (
                        images[n, top + 1, left, channel] * (1 - right) + images[n, top + 1, left + 1, channel] * right
                    )
                    out[n, row, column, channel] = np.uint8(above * (1 - down) + below * down + np.float32(0.5))
    return out


@compiled
def _mirrored(place: float, size: int) -> float:
    """What `_reflected` does, for a place between pixels that is beyond an end by less than `size`."""
    return size - 1 - abs(size - 1 - abs(place))


def steps_of(images: int, batch: int) -> int:
    """The steps of an epoch: every image at least once."""
    return math.ceil(images / batch)


def batches(
    images: Images, labels: Labels, how: Augmentation, *, batch: int, seed: int, epoch: int, progress: float = 0.0
) -> Iterator[Batch]:
    """An epoch's batches in a new order, augmented by a thread that works one batch ahead.

    All batches have one size, so that a backend compiles one step: what the last one lacks is taken from the epoch's
    first images, and fewer images than `batch` are one batch. `progress` is the share of the training that is done.
    """
    batch = min(batch, len(images))
    steps = steps_of(len(images), batch)
    order = np.resize(np.random.default_rng((seed, epoch)).permutation(len(images)), (steps, batch))
    mixes = how.mixed > 0 and progress < how.mixed_until

    def prepare(step: int) -> Batch:
        which = order[step]
        shown = augment(images[which], how, seed=seed, epoch=epoch, step=step, numbers=which)
        own = labels[which]
        if not mixes:
            return Batch(shown, own, own, np.ones(batch, np.float32))
        where = rectangles(np.random.default_rng((seed, epoch, step, 2)), batch, how.mixed, images.shape[1])
        shown, share = mix(shown, where)
        return Batch(shown, own, np.roll(own, 1), share)

    with ThreadPoolExecutor(1, "augment") as thread:
        ahead = thread.submit(prepare, 0)
        for step in range(1, steps + 1):
            ready = ahead.result()
            if step < steps:
                ahead = thread.submit(prepare, step)
            yield ready
