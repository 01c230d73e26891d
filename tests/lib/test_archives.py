"""An archive is unpacked whole and inside its folder, or not at all."""

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from lib.archives import LONGEST_READ, extract
from lib.errors import BadData, CannotWrite, SourceUnavailable

FILES = {"batches/data_1.bin": os.urandom(300_000), "batches/empty": b"", "readme.html": "año".encode()}


def make_tar(path: Path, files: dict[str, bytes], mode: str = "w", **options) -> Path:
    with tarfile.open(path, mode, **options) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def make_zip(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as pack:
        for name, content in files.items():
            pack.writestr(zipfile.ZipInfo(name), content, compression)
    return path


def make_odd_tar(path: Path, **fields) -> Path:
    """One good member and then one with these fields."""
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("good"))
        member = tarfile.TarInfo("odd")
        for name, value in fields.items():
            setattr(member, name, value)
        tar.addfile(member)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(archive: Path, folder: Path, match: str, **options) -> None:
    """The archive is refused in one sentence that names it, and nothing is left of it."""
    before = sorted(folder.parent.iterdir())
    with pytest.raises(BadData, match=match) as caught:
        extract(archive, folder, **options)
    assert archive.name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(folder.parent.iterdir()) == before


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_comes_out_as_it_went_in(tmp_path, mode, form):
    archive = make_tar(tmp_path / "a.bin", FILES, mode, format=form)
    assert extract(archive, tmp_path / "out") == tmp_path / "out"
    assert tree(tmp_path / "out") == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "out"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_comes_out_as_it_went_in(tmp_path, compression):
    archive = make_zip(tmp_path / "a.bin", FILES, compression)
    extract(archive, tmp_path / "out")
    assert tree(tmp_path / "out") == FILES


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_packed_folder_comes_out_with_its_empty_folders(tmp_path, kind):
    source = tmp_path / "source"
    (source / "empty").mkdir(parents=True)
    (source / "full").mkdir()
    (source / "full" / "file").write_bytes(b"x")
    if kind == "tar":
        with tarfile.open(tmp_path / "a", "w:gz") as tar:
            tar.add(source, ".")
    else:
        with zipfile.ZipFile(tmp_path / "a", "w") as pack:
            for path in sorted(source.rglob("*")):
                pack.write(path, path.relative_to(source))
    extract(tmp_path / "a", tmp_path / "deep" / "out")
    assert (tmp_path / "deep" / "out" / "empty").is_dir()
    assert tree(tmp_path / "deep" / "out") == {"full/file": b"x"}


@pytest.mark.parametrize("name", ["PK\3\4.txt", "BZh91AY.txt", "\x1f\x8b", "x" * 90 + "/" + "y" * 200, "a:b", "..."])
def test_a_tar_is_known_by_its_mark_and_not_by_its_first_name(tmp_path, name):
    extract(make_tar(tmp_path / "a.tar", {name: b"x"}), tmp_path / "out")
    assert tree(tmp_path / "out") == {name: b"x"}


def test_progress_counts_the_bytes_written(tmp_path):
    seen = []
    extract(make_tar(tmp_path / "a.tar", FILES), tmp_path / "out", progress=seen.append)
    assert sum(seen) == sum(map(len, FILES.values()))


def test_modes_in_the_archive_are_not_kept(tmp_path):
    archive = make_odd_tar(tmp_path / "a.tar", mode=0o6777)
    extract(archive, tmp_path / "out")
    (tmp_path / "plain").touch()
    assert (tmp_path / "out" / "odd").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("make", [make_tar, make_zip])
@pytest.mark.parametrize(
    "name", ["/etc/evil", "../evil", "in/../../evil", "in/..", "..\\evil", "\\evil", "in\\..\\..\\evil", "//evil"]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, make, name):
    archive = make(tmp_path / "a", {"good": b"x", name: b"evil"})
    refused(archive, tmp_path / "out", "leads out")


def test_a_zip_name_with_a_nul_is_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"goodXevil": b"x"})
    archive.write_bytes(archive.read_bytes().replace(b"goodXevil", b"good\0evil"))
    refused(archive, tmp_path / "out", "leads out|damaged")


@pytest.mark.parametrize(
    "fields",
    [
        {"type": tarfile.SYMTYPE, "linkname": "/etc"},
        {"type": tarfile.SYMTYPE, "linkname": "good"},
        {"type": tarfile.LNKTYPE, "linkname": "good"},
        {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3},
        {"type": tarfile.BLKTYPE},
        {"type": tarfile.FIFOTYPE},
    ],
    ids=["link out", "link inside", "hard link", "character device", "block device", "pipe"],
)
def test_links_and_special_files_are_refused(tmp_path, fields):
    refused(make_odd_tar(tmp_path / "a.tar", **fields), tmp_path / "out", "'odd'.*link or a special file")


def test_a_link_in_a_zip_is_refused(tmp_path):
    link = zipfile.ZipInfo("odd")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        pack.writestr(link, "/etc/passwd")
    refused(tmp_path / "a.zip", tmp_path / "out", "'odd'.*link or a special file")


def test_an_encrypted_zip_is_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"odd": b"x"})
    content = bytearray(archive.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    refused(archive, tmp_path / "out", "'odd'.*encrypted")


@pytest.mark.parametrize("make", [make_tar, make_zip])
@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("x" * 300, "b")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_cannot_all_be_files_are_the_archives_fault(tmp_path, make, names):
    class Pairs(dict):  # a dict that gives the same name twice
        def items(self):
            return [(name, b"x") for name in names]

    refused(make(tmp_path / "archive", Pairs()), tmp_path / "out", "can't be a file here")


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_a_bomb_is_refused(tmp_path, make):
    options = {"mode": "w:gz"} if make is make_tar else {}
    archive = make(tmp_path / "bomb", {"small": b"x" * 10, "large": bytes(5_000_000)}, **options)
    assert archive.stat().st_size < 50_000
    refused(archive, tmp_path / "out", "more than.*'large'", limit_bytes=4_000_000)
    extract(archive, tmp_path / "out", limit_bytes=5_000_010)


def test_a_bomb_behind_the_end_of_a_tar_is_refused(tmp_path):
    archive = make_tar(tmp_path / "a.tar", {"a": b"x"})
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.fileobj.write(archive.read_bytes() + bytes(3_000_000))
    refused(tmp_path / "a.tar.gz", tmp_path / "out", "more than", limit_bytes=1_000_000)


def test_more_members_than_allowed_are_refused(tmp_path):
    archive = make_tar(tmp_path / "a.tar", {str(number): b"" for number in range(11)})
    refused(archive, tmp_path / "out", "more than 10 members", limit_members=10)


def header(name: str, kind: bytes, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_too_long_to_be_true_is_refused_unread(tmp_path, kind):
    archive = tmp_path / "a.tar"
    archive.write_bytes(header("a", tarfile.REGTYPE, 0) + header("x", kind, LONGEST_READ * 8) + bytes(2048))
    refused(archive, tmp_path / "out", "not to be trusted|damaged")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.REGTYPE, tarfile.CONTTYPE, b"Z"])
@pytest.mark.parametrize("size", [-512, -1024, -1536])
def test_a_negative_size_does_not_go_round_for_ever(tmp_path, kind, size):
    archive = tmp_path / "a.tar"
    archive.write_bytes(header("a", tarfile.REGTYPE, 0) + header("x", kind, size) + bytes(2048))
    refused(archive, tmp_path / "out", "not to be trusted|damaged|can't be|special")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_cut_off_anywhere_is_refused(tmp_path, mode):
    whole = make_tar(tmp_path / "whole", {"a": os.urandom(3000), "b": os.urandom(3000)}, mode).read_bytes()
    # Every block of a plain one up to its end mark (one of its two blocks of zeros is enough), any byte of the others.
    ends = range(0, 7168 + 1, 512) if mode == "w" else range(0, len(whole), 97)
    for end in [*ends, 700] + ([len(whole) - 1] if mode != "w" else []):
        cut = tmp_path / "cut"
        cut.write_bytes(whole[:end])
        refused(cut, tmp_path / "out", "damaged|no archive")


def test_a_zip_cut_off_anywhere_is_refused(tmp_path):
    whole = make_zip(tmp_path / "whole", {"a": os.urandom(3000), "b": os.urandom(3000)}).read_bytes()
    for end in [*range(0, len(whole), 97), len(whole) - 1]:
        cut = tmp_path / "cut"
        cut.write_bytes(whole[:end])
        refused(cut, tmp_path / "out", "damaged|no archive")


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "zip"])
def test_a_changed_byte_in_a_compressed_archive_is_found(tmp_path, mode):
    content = {"a": bytes(range(256)) * 400}
    archive = tmp_path / "a"
    make_zip(archive, content) if mode == "zip" else make_tar(archive, content, mode)
    damaged = bytearray(archive.read_bytes())
    damaged[len(damaged) // 2] ^= 0x55
    archive.write_bytes(damaged)
    refused(archive, tmp_path / "out", "damaged")


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path):
    archive = make_tar(tmp_path / "a.tar", {"a": b"x", "b": b"y", "c": b"z"})
    damaged = bytearray(archive.read_bytes())
    damaged[1024] ^= 1  # the name of b
    archive.write_bytes(damaged)
    refused(archive, tmp_path / "out", "damaged")


@pytest.mark.parametrize("content", [b"", b"PK", b"<html>not found</html>", b"PK\3\4 and no more", bytes(100)])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "a.tar.gz").write_bytes(content)
    refused(tmp_path / "a.tar.gz", tmp_path / "out", "no archive")


def test_an_archive_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceUnavailable, match=r"missing\.zip"):
        extract(tmp_path / "missing.zip", tmp_path / "out")


def test_a_folder_with_something_in_it_is_never_replaced(tmp_path):
    archive = make_tar(tmp_path / "a.tar", FILES)
    extract(archive, tmp_path / "out")
    (tmp_path / "out" / "mine").write_text("kept")
    with pytest.raises(CannotWrite, match="out"):
        extract(archive, tmp_path / "out")
    assert (tmp_path / "out" / "mine").read_text() == "kept"


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    extract(make_zip(tmp_path / "a.zip", FILES), tmp_path / "out")
    assert tree(tmp_path / "out") == FILES


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotWrite, match="file/out"):
        extract(make_tar(tmp_path / "a.tar", FILES), tmp_path / "file" / "out")
