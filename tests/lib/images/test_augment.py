"""Augmentation: each piece does exactly what it says, and all of it follows from seed, epoch and step."""

import numpy as np
import pytest
from scipy.ndimage import affine_transform

from lib.images.augment import (
    Augmentation,
    Batch,
    augment,
    batches,
    crop,
    flip,
    mix,
    rectangles,
    rotate,
    steps_of,
    turned,
)

ALL = Augmentation(flips="random", rotation=15.0, shift=4)


def made(count: int = 12, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def test_only_the_marked_images_are_flipped_and_a_second_flip_brings_them_back() -> None:
    images, which = made(), np.arange(12) % 3 == 0
    flipped = flip(images, which)
    assert (flipped[which] == images[which][:, :, ::-1]).all()
    assert (flipped[~which] == images[~which]).all()
    assert (flip(flipped, which) == images).all()


def test_a_crop_is_a_slice_of_the_image_with_a_reflected_border() -> None:
    images = made(81)
    corners = np.stack(np.meshgrid(np.arange(9), np.arange(9)), axis=-1).reshape(-1, 2)
    cut = crop(images, corners, 4)
    padded = np.pad(images, [(0, 0), (4, 4), (4, 4), (0, 0)], mode="reflect")
    for image, border, (row, column) in zip(cut, padded, corners, strict=True):
        assert (image == border[row : row + 32, column : column + 32]).all()


def test_a_mixed_image_has_a_rectangle_of_the_one_before_it_and_counts_as_much_less_of_its_class() -> None:
    images = made(5)
    where = np.array([[0, 32, 0, 32], [0, 0, 0, 0], [3, 11, 20, 32], [31, 32, 0, 1], [5, 5, 2, 9]])
    mixed, share = mix(images, where)
    for n, (top, bottom, left, right) in enumerate(where):
        inside = np.zeros((32, 32), bool)
        inside[top:bottom, left:right] = True
        assert (mixed[n][inside] == images[n - 1][inside]).all()
        assert (mixed[n][~inside] == images[n][~inside]).all()
        assert share[n] == pytest.approx(1 - inside.mean())
    assert share.dtype == np.float32


def test_half_of_the_images_are_mixed_and_what_is_pasted_has_any_size_and_place() -> None:
    where = rectangles(np.random.default_rng(0), 40_000, 0.5, 32)
    top, bottom, left, right = where.T
    assert (where.min(), where.max()) == (0, 32)
    assert (top <= bottom).all()
    assert (left <= right).all()
    area = (bottom - top) * (right - left) / 32**2
    assert (area > 0).mean() == pytest.approx(0.5, abs=0.02)  # of a hundred rectangles one is less than a pixel
    # The mean area inside of a square of side s with its middle anywhere is (s - s²/4)², and s² is any share alike.
    side = np.sqrt(np.linspace(0, 1, 10_001))
    assert area.mean() == pytest.approx(0.5 * ((side - side**2 / 4) ** 2).mean(), abs=0.005)
    assert (top + bottom).mean() / 2 == pytest.approx(16, abs=0.2)
    assert (left + right).mean() / 2 == pytest.approx(16, abs=0.2)


def test_a_rotation_by_nothing_changes_nothing() -> None:
    images = made()
    assert (rotate(images, np.zeros(12)) == images).all()


@pytest.mark.parametrize("degrees", [15.0, -15.0, 7.3, 90.0, 1e-7])
def test_a_rotation_is_scipys_within_a_grey_level_and_reflected_beyond_the_edge(degrees: float) -> None:
    images = made(6)
    turned = rotate(images, np.full(6, degrees))
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    matrix = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    middle = np.array([15.5, 15.5, 0])
    for image, ours in zip(images, turned, strict=True):
        theirs = affine_transform(image.astype(float), matrix, middle - matrix @ middle, order=1, mode="mirror")
        # At a multiple of 90° a corner is inside or outside by the last bit.
        off = np.abs(ours - theirs) > 1
        assert off.mean() < (0.15 if degrees in (90.0, 1e-7) else 1e-9)


def test_each_image_has_its_own_draw_and_half_of_them_are_not_rotated() -> None:
    images = np.repeat(made(1), 2000, axis=0)
    rotated = augment(images, Augmentation(rotation=15.0), seed=1, epoch=0, step=0)
    assert abs((rotated == images).all(axis=(1, 2, 3)).mean() - 0.5) < 0.05
    flipped = augment(images, Augmentation(flips="random"), seed=1, epoch=0, step=0)
    assert abs((flipped == images).all(axis=(1, 2, 3)).mean() - 0.5) < 0.05
    shifted = augment(images, Augmentation(shift=2), seed=1, epoch=0, step=0)
    assert len(np.unique(shifted.reshape(2000, -1), axis=0)) == 25


def test_alternating_flips_show_each_image_both_ways_in_any_two_epochs() -> None:
    images, numbers = made(300), np.random.default_rng(1).permutation(1000)[:300]
    how = Augmentation(flips="alternating")
    shown = [augment(images, how, seed=5, epoch=epoch, step=9, numbers=numbers) for epoch in range(3)]
    as_is = [(each == images).all(axis=(1, 2, 3)) for each in shown]
    assert (as_is[0] != as_is[1]).all()
    assert (as_is[0] == as_is[2]).all()
    assert abs(as_is[0].mean() - 0.5) < 0.1
    assert (shown[0][~as_is[0]] == images[~as_is[0]][:, :, ::-1]).all()
    # which way an image is first shown hangs on its number and the seed, not on the batch it comes in
    order = np.arange(300)[::-1]
    again = augment(images[order], how, seed=5, epoch=0, step=2, numbers=numbers[order])
    assert (again[order] == shown[0]).all()
    assert (turned(numbers, 6, 0) != turned(numbers, 5, 0)).any()


def test_the_draw_follows_from_seed_epoch_and_step_and_leaves_the_images_alone() -> None:
    images = made(64)
    before = images.copy()
    first = augment(images, ALL, seed=1, epoch=2, step=3)
    assert (augment(images, ALL, seed=1, epoch=2, step=3) == first).all()
    for other in ({"seed": 2}, {"epoch": 3}, {"step": 4}):
        assert (augment(images, ALL, **{"seed": 1, "epoch": 2, "step": 3, **other}) != first).any()
    assert (images == before).all()
    assert first.dtype == np.uint8
    assert first.shape == images.shape


def test_an_epoch_has_every_image_in_batches_of_one_size_in_another_order_each_time() -> None:
    images = np.zeros((50, 32, 32, 3), np.uint8)
    images[:, 0, 0, 0] = np.arange(50)
    labels = np.arange(50)
    orders = []
    for epoch in (0, 1, 0):
        made_of = list(batches(images, labels, Augmentation(), batch=16, seed=3, epoch=epoch))
        assert [len(batch.images) for batch in made_of] == [16] * steps_of(50, 16)
        assert all((batch.images[:, 0, 0, 0] == batch.labels).all() for batch in made_of)
        assert all((batch.share == 1).all() for batch in made_of)
        orders.append(np.concatenate([batch.labels for batch in made_of]))
        assert sorted(orders[-1][:50]) == list(range(50))
    assert (orders[0] == orders[2]).all()
    assert (orders[0] != orders[1]).any()


def test_fewer_images_than_a_batch_are_one_batch() -> None:
    made_of = list(batches(made(5), np.arange(5), ALL, batch=96, seed=0, epoch=0))
    assert [sorted(batch.labels) for batch in made_of] == [[0, 1, 2, 3, 4]]


def test_images_are_mixed_until_their_share_of_the_training_is_over() -> None:
    """Image n is all n: what it has of another class says that one's number, in as many pixels as its share says."""
    images = np.repeat(np.arange(50, dtype=np.uint8), 32 * 32 * 3).reshape(50, 32, 32, 3)
    how = Augmentation(mixed=0.5, mixed_until=0.75)

    def epoch(progress: float) -> list[Batch]:
        return list(batches(images, np.arange(50), how, batch=25, seed=3, epoch=2, progress=progress))

    for batch in epoch(0.7):
        own = (batch.images == batch.labels[:, None, None, None]).all(axis=3)
        others = (batch.images == batch.others[:, None, None, None]).all(axis=3)
        assert (own ^ others).all()
        assert np.allclose(own.mean(axis=(1, 2)), batch.share)
        assert 3 < (batch.share < 1).sum() < 22
    assert all((one.images == again.images).all() for one, again in zip(epoch(0.7), epoch(0.2), strict=True))
    assert all((batch.share == 1).all() for batch in epoch(0.75))


def test_a_fault_of_the_thread_comes_out() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        list(batches(made(5), np.arange(5), ALL, batch=2, seed=-1, epoch=0))
