"""Files are old or new and never half, whatever happens while they are written."""

import hashlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lib.errors import CannotWrite
from lib.files import atomic_write, checksum, publish, sha256_of, stage_aside, writing_aside

ROOT = Path(__file__).resolve().parents[2]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_written_file_holds_what_was_given_and_nothing_lies_beside_it(tmp_path):
    atomic_write(tmp_path / "bytes.bin", b"\x00\xff")
    atomic_write(tmp_path / "page.html", "año\r\n")
    assert (tmp_path / "bytes.bin").read_bytes() == b"\x00\xff"
    assert (tmp_path / "page.html").read_bytes() == "año\r\n".encode()
    assert names(tmp_path) == ["bytes.bin", "page.html"]


def test_missing_folders_are_made(tmp_path):
    atomic_write(tmp_path / "reports" / "job" / "latest.html", "page")
    assert (tmp_path / "reports" / "job" / "latest.html").read_text() == "page"


@pytest.mark.parametrize("mask", [0o022, 0o027])
def test_a_written_file_has_the_mode_that_the_umask_leaves(tmp_path, mask):
    before = os.umask(mask)
    try:
        atomic_write(tmp_path / "page.html", "page")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "page.html").stat().st_mode) == 0o666 & ~mask


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with writing_aside(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_a_reader_that_has_the_old_file_open_reads_it_to_its_end(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with path.open() as reader:
        atomic_write(path, "new")
        assert reader.read() == "old"


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt, OSError])
def test_what_fails_halfway_leaves_the_old_file_and_no_trace(tmp_path, fault):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(fault), writing_aside(path) as file:
        file.write(b"half")
        raise fault
    assert path.read_text() == "old"
    assert names(tmp_path) == ["page.html"]


@pytest.mark.parametrize("old", [b"old", None], ids=["with an old file", "with none"])
def test_a_process_killed_while_it_writes_leaves_the_old_file_whole(tmp_path, old):
    path = tmp_path / "champion.keras"
    if old is not None:
        path.write_bytes(old)
    script = (
        "import pathlib, sys\n"
        "from lib.files import writing_aside\n"
        "with writing_aside(pathlib.Path(sys.argv[1])) as file:\n"
        "    file.write(b'half of the new one'); file.flush()\n"
        "    print('half', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"half\n"
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert (path.read_bytes() if path.exists() else None) == old
    assert all(name.startswith(".") and name.endswith(".aside") for name in names(tmp_path) if name != path.name)
    atomic_write(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_staged_file_is_seen_only_when_it_is_published(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    aside = stage_aside(path, "new")
    assert path.read_text() == "old"
    assert aside.parent == path.parent
    assert aside.read_text() == "new"
    publish(aside, path)
    assert path.read_text() == "new"
    assert names(tmp_path) == ["report.html"]


def test_two_writers_of_one_file_do_not_share_an_aside(tmp_path):
    path = tmp_path / "report.html"
    first, second = stage_aside(path, "first"), stage_aside(path, "second")
    publish(second, path)
    publish(first, path)
    assert path.read_text() == "first"


def test_data_reach_the_disk_before_the_name_and_the_name_before_it_returns(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    seen = []
    monkeypatch.setattr(
        os, "fsync", lambda fd: seen.append(("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file", path.exists()))
    )
    atomic_write(path, "page")
    assert seen == [("file", False), ("folder", True)]


def test_what_cannot_be_written_says_so_and_names_the_file(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for write in (lambda path: atomic_write(path, b"x"), lambda path: stage_aside(path, b"x")):
        with pytest.raises(CannotWrite, match=r"file/page\.html"):
            write(tmp_path / "file" / "page.html")
    with pytest.raises(CannotWrite, match="file/model"), writing_aside(tmp_path / "file" / "model"):
        pytest.fail("the block must not begin")


def test_a_folder_in_the_way_is_not_replaced(tmp_path):
    (tmp_path / "page.html").mkdir()
    with pytest.raises(CannotWrite):
        atomic_write(tmp_path / "page.html", "page")
    assert names(tmp_path) == ["page.html"]


@pytest.mark.parametrize("name", ["x" * 255, "雪" * 85], ids=["plain", "three bytes a character"])
def test_the_longest_name_that_a_file_can_have_is_written(tmp_path, name):
    atomic_write(tmp_path / name, b"x")
    assert (tmp_path / name).read_bytes() == b"x"


def test_checksums_are_those_of_the_whole_file(tmp_path):
    content = os.urandom(3_000_001)
    (tmp_path / "file").write_bytes(content)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()
    assert checksum(tmp_path / "file", "md5") == hashlib.md5(content).hexdigest()
    with pytest.raises(ValueError, match="crc9"):
        checksum(tmp_path / "file", "crc9")
