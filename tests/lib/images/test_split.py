"""Validation images follow from the archive alone; what is measured is exact."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.errors import BadData
from lib.images.split import channel_statistics, validation_split

ROOT = Path(__file__).parents[3]
FINE = np.random.default_rng(1).permutation(np.repeat(np.arange(100), 500))


def test_a_tenth_of_the_official_size_judges_fifty_a_class_and_none_does_both():
    teaching, judging = validation_split(FINE, "abc")
    assert (len(teaching), len(judging)) == (45_000, 5_000)
    assert set(np.bincount(FINE[judging])) == {50}
    assert np.array_equal(np.sort(np.concatenate([teaching, judging])), np.arange(50_000))
    for places in (teaching, judging):
        assert places.dtype == np.int64
        assert np.all(np.diff(places) > 0)


def test_the_same_archive_gives_the_same_split_in_any_process_and_another_archive_another():
    first = validation_split(FINE, "abc")
    np.random.default_rng(3).random(10)
    assert all(map(np.array_equal, validation_split(FINE, "abc"), first))
    script = (
        "import numpy as np; from lib.images.split import validation_split;"
        "fine = np.random.default_rng(1).permutation(np.repeat(np.arange(100), 500));"
        "print(validation_split(fine, 'abc')[1].tolist())"
    )
    said = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(first[1].tolist())
    other = validation_split(FINE, "abd")[1]
    assert len(np.intersect1d(other, first[1])) < 1000  # 500 by chance


def test_the_split_is_the_one_that_champions_were_judged_by():
    """These numbers may never change: a champion of last year has not trained on its judges."""
    teaching, judging = validation_split(np.arange(40) % 4, "0" * 64)
    assert judging.tolist() == [14, 16, 29, 39]
    assert len(teaching) == 36


@given(sizes=st.lists(st.integers(2, 60), min_size=1, max_size=8), per_class=st.integers(1, 8), seed=st.integers(0, 99))
@settings(deadline=None)
def test_small_archives_give_a_tenth_at_most_and_one_at_least(sizes, per_class, seed):
    fine = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    teaching, judging = validation_split(fine, str(seed), per_class)
    assert np.bincount(fine[judging]).tolist() == [max(1, min(per_class, size // 10)) for size in sizes]
    assert len(teaching) + len(judging) == len(fine)


def test_a_class_with_one_image_is_told():
    with pytest.raises(BadData, match="class 3 has one training image; expected two"):
        validation_split(np.array([1, 1, 3, 2, 2]), "abc")


@given(count=st.integers(1, 600), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=30)
def test_mean_and_deviation_are_those_of_all_pixels(count, seed):
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, 32, 32, 3), np.uint8)
    rows = np.flatnonzero(random.random(count) < 0.8)
    mean, deviation = channel_statistics(images)
    assert np.allclose(mean, images.mean(axis=(0, 1, 2)), rtol=1e-13)
    assert np.allclose(deviation, images.std(axis=(0, 1, 2)), rtol=1e-11)
    if len(rows):
        for some, chosen in zip(channel_statistics(images, rows), channel_statistics(images[rows]), strict=True):
            assert np.array_equal(some, chosen)


def test_white_images_overflow_nothing_and_have_no_deviation():
    mean, deviation = channel_statistics(np.full((1000, 32, 32, 3), 255, np.uint8))
    assert mean.tolist() == [255.0] * 3
    assert deviation.tolist() == [0.0] * 3


def test_no_images_are_told():
    with pytest.raises(BadData, match="no images"):
        channel_statistics(np.zeros((0, 32, 32, 3), np.uint8))
