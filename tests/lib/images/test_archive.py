"""An archive is fetched once and checked, and is read whole or refused in one sentence."""

import gzip
import hashlib
import os
import pickle
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.errors import BadData, BadSettings, SourceUnavailable
from lib.files import checksum
from lib.images import archive as module
from lib.images import versions
from lib.images.archive import Cifar100, checksum_of, fetch, read_archive
from lib.images.demo import python2_pickle
from lib.images.split import channel_statistics
from tests.lib.images.made_archives import (
    COARSE_NAMES,
    FINE_NAMES,
    SUPERCLASS_OF,
    made_parts,
    pack,
    write_binary,
    write_python,
)

PARTS = made_parts()


def agrees(found: Cifar100) -> None:
    """What was read is what was made."""
    for name in ("train", "test"):
        made = PARTS[name]
        images, fine, coarse = (getattr(found, f"{name}_{what}") for what in ("images", "fine", "coarse"))
        assert images.dtype == np.uint8
        assert images.flags.c_contiguous
        assert np.array_equal(images, made["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        assert (fine.dtype, coarse.dtype) == (np.int64, np.int64)
        assert fine.tolist() == made["fine_labels"]
        assert coarse.tolist() == made["coarse_labels"]
    assert found.fine_names == tuple(FINE_NAMES)
    assert found.coarse_names == tuple(COARSE_NAMES)
    assert found.superclass_of.tolist() == SUPERCLASS_OF.tolist()


@pytest.mark.parametrize("write", [write_python, write_binary])
@pytest.mark.parametrize("packed", [None, "a.tar", "a.tar.gz"])
def test_both_versions_are_read_packed_and_unpacked(tmp_path, write, packed):
    folder = write(tmp_path / "cifar-100", PARTS)
    path = pack(folder, tmp_path / packed) if packed else folder
    found = read_archive(path)
    agrees(found)
    assert found.checksum == checksum_of(path)
    assert checksum(path) == found.checksum if packed else True


def test_an_archive_is_told_by_its_bytes_and_leaves_nothing_behind(tmp_path, monkeypatch):
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr(module.tempfile, "tempdir", str(room))
    path = pack(write_python(tmp_path / "cifar-100", PARTS), tmp_path / "a.tar.gz").rename(tmp_path / "a")
    agrees(read_archive(path))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadData):
        read_archive(path)
    assert not list(room.iterdir())


def test_a_folder_with_the_archive_s_folder_in_it_will_do(tmp_path):
    write_python(tmp_path / "cifar-100-python", PARTS)
    agrees(read_archive(tmp_path))


def test_a_folder_s_checksum_is_that_of_what_sha256sum_prints(tmp_path):
    folder = write_python(tmp_path / "cifar-100", PARTS)
    for algorithm in ("sha256", "md5"):
        command = f"{algorithm}sum train test meta | {algorithm}sum"
        said = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=True).stdout
        assert checksum_of(folder, algorithm) == said.split()[0]


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_what_python_3_pickled_is_read_with_texts_or_bytes_and_labels_as_arrays(tmp_path, protocol):
    folder = write_python(tmp_path / "cifar-100", PARTS)
    batch = {key.encode(): value for key, value in PARTS["test"].items()} | {
        b"fine_labels": np.array(PARTS["test"]["fine_labels"], np.int16)
    }
    (folder / "test").write_bytes(pickle.dumps(batch, protocol))
    (folder / "meta").write_bytes(pickle.dumps(PARTS["meta"], protocol))
    agrees(read_archive(folder))


def test_a_class_without_images_has_no_superclass(tmp_path):
    parts = made_parts()
    for name in ("train", "test"):
        kept = [row for row, fine in enumerate(parts[name]["fine_labels"]) if fine != 7]
        parts[name]["data"] = parts[name]["data"][kept]
        for key in ("fine_labels", "coarse_labels"):
            parts[name][key] = [parts[name][key][row] for row in kept]
    found = read_archive(write_python(tmp_path / "cifar-100", parts))
    assert found.superclass_of[7] == -1
    assert np.count_nonzero(found.superclass_of == -1) == 1


def changed(name: str, **what: object) -> dict[str, dict[str, object]]:
    """The archive's dictionaries with these entries changed in one; None takes one out."""
    parts = {each: dict(part) for each, part in PARTS.items()}
    parts[name].update(what)
    parts[name] = {key: value for key, value in parts[name].items() if value is not None}
    return parts


FINE, COARSE, DATA = (PARTS["train"][key] for key in ("fine_labels", "coarse_labels", "data"))


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        (changed("train", data=None), "train has no data; it has batch_label, fine_labels, coarse_labels, filenames"),
        (changed("test", fine_labels=None), "test has no fine_labels; it has data,"),
        (changed("test", coarse_labels=None), "test has no coarse_labels; it has data,"),
        (changed("meta", fine_label_names=None), "meta has no fine_label_names; it has coarse_label_names"),
        (changed("meta", coarse_label_names=None, fine_label_names=None), "meta has no fine_label_names; it has noth"),
        (changed("train", data=DATA[:-1]), "train has 299 images and 300 fine_labels; expected one an image"),
        (changed("train", fine_labels=FINE[:-1]), "train has 300 images and 299 fine_labels"),
        (changed("train", coarse_labels=[*COARSE, 1]), "train has 300 images and 301 coarse_labels"),
        (changed("train", data=DATA[:, :-1]), r"train holds data of uint8 in the shape \(300, 3071\); expected uint8"),
        (
            changed("train", data=DATA.reshape(300, 3, 1024)),
            r"in the shape \(300, 3, 1024\); expected uint8",
        ),
        (changed("train", data=[1, 2]), "train holds its data as a list; expected an array"),
        (changed("test", data=DATA[:0], fine_labels=[], coarse_labels=[]), "test holds no images; expected one at lea"),
        (changed("train", fine_labels=[100, *FINE[1:]]), "train has 100 among its fine_labels; expected 0 to 99"),
        (changed("train", fine_labels=[-1, *FINE[1:]]), "train has -1 among its fine_labels; expected 0 to 99"),
        (changed("train", coarse_labels=[20, *COARSE[1:]]), "train has 20 among its coarse_labels; expected 0 to 19"),
        (changed("train", fine_labels=["1", *FINE[1:]]), "train has fine_labels that are no list of whole numbers"),
        (changed("train", fine_labels="all"), "train has fine_labels that are no list of whole numbers"),
        (changed("meta", fine_label_names=FINE_NAMES[:-1]), "meta has 99 names; expected 100, one a class"),
        (changed("meta", coarse_label_names=FINE_NAMES), "meta has 100 names; expected 20"),
        (changed("meta", coarse_label_names="trees"), "meta has 0 names; expected 20"),
        (changed("meta", fine_label_names=[b"\xff", *FINE_NAMES[1:]]), r"a name that is not UTF-8 \(b'\\xff'\)"),
        (changed("meta", fine_label_names=["", *FINE_NAMES[1:]]), "the name ''; expected one that can be printed"),
        (changed("meta", fine_label_names=["\x1b[2J", *FINE_NAMES[1:]]), r"the name '\\x1b\[2J'; expected one that"),
        (changed("meta", fine_label_names=["class 01", *FINE_NAMES[1:]]), "'class 01' more than once; expected 100"),
        (
            changed("train", coarse_labels=[(COARSE[0] + 1) % 20, *COARSE[1:]]),
            r"has training images of 'class \d\d' in 'superclass \d\d' and others in 'superclass \d\d'; expected one",
        ),
        (
            changed("test", coarse_labels=[(each + 1) % 20 for each in PARTS["test"]["coarse_labels"]]),
            "has test images of 'class 00' in 'superclass 01' and others in 'superclass 00'",
        ),
    ],
)
def test_what_does_not_fit_is_told_in_one_sentence(tmp_path, parts, match):
    refused(write_python(tmp_path / "cifar-100", parts), match)


def refused(path: Path, match: str) -> None:
    with pytest.raises(BadData, match=match) as told:
        read_archive(path)
    assert str(told.value).startswith(str(path))
    assert "\n" not in str(told.value)


def test_pixels_that_are_no_bytes_and_numbers_past_all_types_are_told(tmp_path):
    folder = write_python(tmp_path / "cifar-100", PARTS)
    (folder / "test").write_bytes(pickle.dumps(changed("test", data=DATA[:100].astype(np.float32))["test"], 4))
    refused(folder, r"test holds data of float32 in the shape \(100, 3072\); expected uint8")
    (folder / "test").write_bytes(pickle.dumps(changed("test", fine_labels=[1 << 70] * 100)["test"], 4))
    refused(folder, f"test has {1 << 70} among its fine_labels")


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("train.bin", lambda content: content[:-1], "train.bin has 922,199 bytes; expected 3,074 an image"),
        ("test.bin", lambda _: b"", "test.bin holds no images"),
        (
            "test.bin",
            lambda content: b"\x14" + content[1:],
            "test.bin has 20 among its coarse labels; expected 0",
        ),
        ("test.bin", lambda content: content[:1] + b"d" + content[2:], "test.bin has 100 among its fine labels"),
        (
            "fine_label_names.txt",
            lambda content: content + b"more\n",
            "fine_label_names.txt has 101 names; expect",
        ),
        ("coarse_label_names.txt", lambda _: b"", "coarse_label_names.txt has 0 names; expected 20"),
    ],
)
def test_what_does_not_fit_in_the_binary_version_is_told(tmp_path, name, change, match):
    file = write_binary(tmp_path / "cifar-100", PARTS) / name
    file.write_bytes(change(file.read_bytes()))
    refused(file.parent, match)


def test_names_with_the_line_ends_of_windows_are_names(tmp_path):
    file = write_binary(tmp_path / "cifar-100", PARTS) / "fine_label_names.txt"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    agrees(read_archive(file.parent))


@pytest.mark.parametrize("packed", [False, True])
def test_missing_files_are_named(tmp_path, packed):
    folder = tmp_path / "cifar-10"
    for names, match in (
        ([], r"is no CIFAR-100 archive: it holds .*; expected train, test, meta \(Python version\) or train.bin,"),
        (["train", "batches.meta"], "has no test and no meta; expected train, test, meta"),
        (["train.bin", "test.bin", "coarse_label_names.txt"], "has no fine_label_names.txt; expected train.bin"),
        (
            ["data_batch_1", "data_batch_2"],
            "is no CIFAR-100 archive: it holds .*data_batch_1, .*data_batch_2; exp",
        ),
    ):
        folder.mkdir()
        for name in names:
            (folder / name).touch()
        refused(pack(folder, tmp_path / "a.tar") if packed else folder, match)
        for name in names:
            (folder / name).unlink()
        folder.rmdir()


def test_a_hostile_pickle_in_an_archive_is_refused_and_not_run(tmp_path):
    marker = tmp_path / "marker"
    folder = write_python(tmp_path / "cifar-100", PARTS)
    (folder / "train").write_bytes(b"cos\nsystem\n(S'touch %s'\ntR." % bytes(marker))
    refused(pack(folder, tmp_path / "a.tar.gz"), r"a.tar.gz/cifar-100/train asks for os\.system")
    assert not marker.exists()


def test_an_archive_that_is_cut_off_or_none_is_refused(tmp_path):
    whole = pack(write_python(tmp_path / "cifar-100", PARTS), tmp_path / "a.tar.gz").read_bytes()
    plain = gzip.decompress(whole)
    path = tmp_path / "cut"
    for content in (whole[:-1], whole[: len(whole) // 2], whole[:30], plain[: len(plain) // 2], b"", b"no archive"):
        path.write_bytes(content)
        refused(path, "damaged|cut off")


def test_a_file_of_more_than_the_limit_is_not_read(tmp_path, monkeypatch):
    folder = write_python(tmp_path / "cifar-100", PARTS)
    monkeypatch.setattr(versions, "LIMIT_BYTES", 100_000)
    refused(folder, r"test has 3\d\d,\d{3} bytes; expected 100,000 at most|train has 9\d\d,\d{3} bytes")
    monkeypatch.setattr(module, "LIMIT_BYTES", 100_000)
    refused(pack(folder, tmp_path / "a.tar"), "unpacks to more than")


@given(places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_meta_is_read_or_refused(tmp_path_factory, places):
    content = bytearray(python2_pickle(PARTS["meta"]))
    for place, value in places:
        content[int(place * len(content))] = value
    folder = write_python(tmp_path_factory.mktemp("damaged") / "cifar-100", PARTS)
    (folder / "meta").write_bytes(content)
    try:
        found = read_archive(folder)
    except BadData as told:
        assert "meta" in str(told)
    else:
        assert (len(set(found.fine_names)), len(set(found.coarse_names))) == (100, 20)


def test_an_archive_that_is_not_there_is_told(tmp_path):
    for act in (read_archive, lambda path: fetch(path, tmp_path / "data")):
        with pytest.raises(SourceUnavailable, match="nowhere"):
            act(tmp_path / "nowhere")


@pytest.mark.parametrize("write", [write_python, None])
def test_a_path_is_used_where_it_lies_and_its_checksum_checked_where_one_is_given(tmp_path, write):
    folder = write_python(tmp_path / "cifar-100", PARTS)
    path = folder if write else pack(folder, tmp_path / "a.tar")
    assert fetch(str(path), tmp_path / "data") == path
    for algorithm in ("md5", "sha256"):
        digest = checksum_of(path, algorithm)
        for written in (digest, f"{algorithm}:{digest}", f" {algorithm.upper()}:{digest.upper()} "):
            assert fetch(path, tmp_path / "data", checksum=written) == path
        other = hashlib.new(algorithm, b"other").hexdigest()
        with pytest.raises(BadData, match=f"has the {algorithm} {digest} and should have {other}"):
            fetch(path, tmp_path / "data", checksum=other)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "bad", ["md5", "md5:", "md5:12", "sha256:" + "0" * 32, "sha1:" + "0" * 40, "g" * 32, "x:" + "0" * 32]
)
def test_a_checksum_that_is_none_is_told(tmp_path, bad):
    with pytest.raises(BadSettings, match="is none; expected md5:… or sha256:…"):
        fetch(tmp_path, tmp_path, checksum=bad)


@pytest.fixture
def site(tmp_path):
    """A folder that is served on this machine, its address and what was asked of it."""
    folder = tmp_path / "site"
    folder.mkdir()
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_is_brought_once_and_checked(tmp_path, site):
    folder, address, asked = site
    packed = pack(write_python(tmp_path / "cifar-100", PARTS), folder / "a.tar.gz")
    came: list[int] = []
    for _ in range(2):
        path = fetch(f"{address}/a.tar.gz", tmp_path / "data", checksum=checksum(packed), progress=came.append)
        assert path.parent == tmp_path / "data" / "archives"
        assert path.read_bytes() == packed.read_bytes()
    assert asked == ["/a.tar.gz"]
    assert sum(came) == 2 * packed.stat().st_size
    agrees(read_archive(path))


def test_an_address_with_another_checksum_is_refused_and_not_kept(tmp_path, site):
    folder, address, _ = site
    (folder / "a.tar.gz").write_bytes(b"something else")
    with pytest.raises(BadData, match="should have"):
        fetch(f"{address}/a.tar.gz", tmp_path / "data", checksum="0" * 64)
    assert not any(path.is_file() for path in (tmp_path / "data").rglob("*"))


def test_the_official_archive_needs_no_checksum_and_is_the_default(tmp_path, site, monkeypatch):
    folder, address, asked = site
    packed = pack(write_python(tmp_path / "cifar-100", PARTS), folder / "official.tar.gz")
    monkeypatch.setattr(module, "OFFICIAL_URL", f"{address}/official.tar.gz")
    monkeypatch.setattr(module, "OFFICIAL_CHECKSUM", f"md5:{checksum(packed, 'md5')}")
    for where in (None, f"{address}/official.tar.gz"):
        assert fetch(where, tmp_path / "data") == tmp_path / "data" / "archives" / "cifar-100-python.tar.gz"
    assert asked == ["/official.tar.gz"]


def test_another_address_needs_a_checksum_and_another_protocol_is_refused(tmp_path, site):
    _, address, asked = site
    with pytest.raises(BadSettings, match="needs its checksum beside it") as told:
        fetch(f"{address}/a.tar.gz?key=secret", tmp_path)
    assert "secret" not in str(told.value)
    for where in ("ftp://example.org/a.tar.gz", "file:///etc/passwd", "s3://bucket/a"):
        with pytest.raises(BadSettings, match="expected a path or an http"):
            fetch(where, tmp_path, checksum="0" * 32)
    assert not asked


@pytest.mark.skipif(not os.environ.get("NIGHTDESK_REAL_DATA"), reason="NIGHTDESK_REAL_DATA is not set")
def test_the_real_images_are_read_and_their_figures_are_the_known_ones(tmp_path):
    path = Path(os.environ["NIGHTDESK_REAL_DATA"]) / "cifar-100-python.tar.gz"
    found = read_archive(fetch(path, tmp_path, checksum="md5:8d9686c0a745d992003423e541f06491"))
    assert (len(found.train_images), len(found.test_images)) == (50_000, 5_000)
    assert set(np.bincount(found.train_fine, minlength=100)) == {500}
    assert set(np.bincount(found.test_fine, minlength=100)) == {50}
    assert set(np.bincount(found.superclass_of, minlength=20)) == {5}
    assert found.fine_names[0] == "apple"
    assert found.coarse_names[found.superclass_of[0]] == "fruit_and_vegetables"
    mean, deviation = channel_statistics(found.train_images)
    assert mean.round(3).tolist() == [129.304, 124.070, 112.434]
    assert deviation.round(3).tolist() == [68.170, 65.392, 70.418]
