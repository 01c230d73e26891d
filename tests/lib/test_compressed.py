"""Packed files by their first bytes, tars read forwards, and which faults are an archive's own."""

import bz2
import errno
import gzip
import io
import lzma
import os
import tarfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.compressed import DAMAGE, HEADER_LIMIT, MAGIC, is_damage, is_tar, readable, tar_members, unpacked

CONTENT = os.urandom(200_000) + bytes(200_000)
PACKERS = (gzip.compress, bz2.compress, lzma.compress)


def tarred(
    members: dict[str, bytes], *, kind: int = tarfile.PAX_FORMAT, others: tuple[tarfile.TarInfo, ...] = ()
) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=kind) as tar:
        for other in others:
            tar.addfile(other)
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return content.getvalue()


def members_of(tar: bytes) -> list[tuple[str, bytes]]:
    return [(name, member.read()) for name, member in tar_members(io.BufferedReader(io.BytesIO(tar)))]


@pytest.mark.parametrize("pack", PACKERS)
def test_packed_bytes_are_unpacked_also_from_several_members(pack) -> None:
    packed = pack(CONTENT) + pack(CONTENT)
    stream = unpacked(io.BytesIO(packed), packed[:MAGIC])
    assert stream is not None
    assert stream.read() == CONTENT * 2


@pytest.mark.parametrize("magic", [b"", b"{", b"PK\x03\x04", b"BZ", b"\x1f"])
def test_what_is_not_packed_is_left_alone(magic: bytes) -> None:
    assert unpacked(io.BytesIO(magic), magic) is None


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_what_stands_before_a_cut_is_given(pack) -> None:
    packed = pack(CONTENT)[:150_000]
    stream = readable(unpacked(io.BytesIO(packed), packed[:MAGIC]))
    found = b""
    with pytest.raises(EOFError):
        while block := stream.read1(1 << 20):
            found += block
    assert CONTENT.startswith(found)
    assert len(found) > 140_000


@pytest.mark.parametrize(
    ("fault", "damage"),
    [
        (EOFError(), True),
        (zlib.error(), True),
        (gzip.BadGzipFile("not gzip"), True),
        (OSError(errno.EINVAL, "a seek to before the start"), True),
        (OSError(errno.EIO, "the disk"), False),
        (KeyError(), False),
    ],
)
def test_a_fault_with_a_number_is_the_disk_s(fault: Exception, damage: bool) -> None:
    assert is_damage(fault) is damage


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_tar_gives_its_plain_files_in_order_with_their_whole_names(kind: int) -> None:
    files = {"b": b"one", "folder/" * 12 + "a": b"x" * 512, "empty": b"", "last": b"y" * 1000}
    if kind != tarfile.USTAR_FORMAT:
        files |= {"long/" * 60 + "ö.json": b"long name"}
    tar = tarred(files, kind=kind)
    assert is_tar(tar)
    assert members_of(tar) == list(files.items())


def test_links_folders_and_devices_are_passed_over() -> None:
    others = []
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        member = tarfile.TarInfo("../../etc/passwd")
        member.type, member.linkname = kind, "/etc/shadow"
        others.append(member)
    assert members_of(tarred({"a": b"1"}, others=tuple(others))) == [("a", b"1")]


def test_a_member_that_is_not_read_is_passed_over() -> None:
    tar = tarred({"a": CONTENT, "b": CONTENT})
    assert [name for name, _ in tar_members(io.BufferedReader(io.BytesIO(tar)))] == ["a", "b"]


def test_a_header_that_says_it_is_huge_is_not_held_in_memory() -> None:
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 40 * HEADER_LIMIT
    content = member.tobuf() + b"n" * member.size + tarred({"a": b"1"})
    assert members_of(content) == [("n" * HEADER_LIMIT, b"1")]


@pytest.mark.parametrize("size", [-512, -1])
def test_a_negative_size_is_damage(size: int) -> None:
    member = tarfile.TarInfo("x")
    member.size = size
    with pytest.raises(EOFError):
        members_of(member.tobuf(format=tarfile.GNU_FORMAT))


def test_a_tar_that_is_cut_gives_what_it_holds_and_says_so() -> None:
    tar = tarred({"a": b"1", "b": CONTENT})
    found = []
    with pytest.raises(EOFError):
        for name, member in tar_members(io.BufferedReader(io.BytesIO(tar[:100_000]))):
            found.append((name, member.read(50)))
    assert found == [("a", b"1"), ("b", CONTENT[:50])]


@given(
    places=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6),
    size=st.integers(0, 10240),
)
@settings(deadline=None)
def test_a_damaged_tar_ends_and_fails_only_as_damage(places: list[tuple[int, int]], size: int) -> None:
    tar = bytearray(tarred({"a": b"1" * 700, "x" * 150: b"2" * 700}))
    for place, value in places:
        tar[place] = value
    try:
        members_of(bytes(tar[:size]))
    except DAMAGE as fault:
        assert is_damage(fault)
