"""The demo's archive is in the official layout, the same each time, and its classes can be told apart."""

import pickle
import tarfile

import numpy as np
import pytest

from lib.images.archive import read_archive
from lib.images.demo import COARSE_NAMES, FINE_NAMES, SUPERCLASS_OF, draw, python2_pickle, write_demo_archive


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_demo_archive(tmp_path_factory.mktemp("demo") / "archives")


@pytest.fixture(scope="module")
def archive(path):
    return read_archive(path)


def test_the_archive_has_fifty_and_ten_images_of_each_of_the_hundred_classes(archive):
    assert set(np.bincount(archive.train_fine, minlength=100)) == {50}
    assert set(np.bincount(archive.test_fine, minlength=100)) == {10}
    assert set(np.bincount(archive.superclass_of, minlength=20)) == {5}
    assert archive.superclass_of.tolist() == SUPERCLASS_OF.tolist()
    assert (archive.fine_names, archive.coarse_names) == (FINE_NAMES, COARSE_NAMES)


def test_a_class_s_name_is_its_superclass_s_with_a_colour(archive):
    for name, superclass in zip(archive.fine_names, archive.superclass_of, strict=True):
        _, pattern, shape = name.split()
        assert archive.coarse_names[superclass].startswith(f"{pattern} {shape}")


def test_it_is_small_and_the_same_bytes_each_time(path, tmp_path):
    assert path.stat().st_size < 20_000_000
    assert write_demo_archive(tmp_path).read_bytes() == path.read_bytes()


def test_python_s_own_pickle_reads_it_as_it_reads_the_official_one(path, archive):
    with tarfile.open(path) as tar:
        assert tar.getnames() == [f"cifar-100-python/{name}" for name in ("meta", "test", "train")]
        batch = pickle.load(tar.extractfile("cifar-100-python/test"), encoding="bytes")
    assert set(batch) == {b"filenames", b"batch_label", b"fine_labels", b"coarse_labels", b"data"}
    assert batch[b"data"].shape == (1000, 3072)
    assert batch[b"data"].dtype == np.uint8
    assert batch[b"fine_labels"] == archive.test_fine.tolist()
    assert batch[b"filenames"][0] == b"test_00000.png"


def test_no_two_images_are_alike(archive):
    images = np.concatenate([archive.train_images, archive.test_images]).reshape(6000, -1)
    assert len(np.unique(images, axis=0)) == 6000


def test_colours_are_where_the_names_say():
    fine = np.array([FINE_NAMES.index(f"{colour} plain disc") for colour in ("red", "green", "blue")] * 20)
    images = draw(fine, np.random.default_rng(0)).astype(float)
    middle = images[:, 12:20, 12:20].mean(axis=(1, 2))
    assert np.mean(middle.argmax(axis=1) == np.arange(60) % 3) == 1


def test_what_the_writer_does_not_know_it_does_not_write():
    with pytest.raises(TypeError, match="no pickle is made of a float"):
        python2_pickle([1.5])
