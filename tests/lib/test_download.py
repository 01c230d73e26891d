"""A download goes on where it stopped, and what it leaves is whole and checked, or isn't there."""

import hashlib
import json
import random
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lib.download import LONGEST_WAIT, PIECE, download
from lib.errors import BadData, BadSettings, CannotWrite, SourceDown, SourceUnavailable

CONTENT = random.Random(10).randbytes(5 * PIECE + 123)
OTHER = random.Random(11).randbytes(5 * PIECE + 99)
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


class Site:
    """A server that behaves itself, save for what `plan` says about the coming requests, one after another."""

    def __init__(self):
        self.content, self.etag, self.modified = CONTENT, '"one"', None
        self.ranges = True
        self.plan: list[dict] = []
        self.asked: list[dict[str, str]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                site.asked.append({name.lower(): value for name, value in self.headers.items()})
                site.answer(self, **(site.plan.pop(0) if site.plan else {}))

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/archive.tar.gz"

    def answer(self, handler, *, status=None, headers=(), stop_at=None, reset=False, missing_length=0, lie=None):
        if status:
            handler.send_response(status)
            handler.send_header("Content-Length", "0")
            for name, value in headers:
                handler.send_header(name, value)
            handler.end_headers()
            return
        start = 0
        wanted = handler.headers.get("Range")
        condition = handler.headers.get("If-Range")
        if wanted and self.ranges and condition in (None, self.etag, self.modified):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(self.content):
                handler.send_response(416)
                handler.send_header("Content-Range", f"bytes */{len(self.content)}")
                handler.send_header("Content-Length", "0")
                handler.end_headers()
                return
            start = start if lie is None else lie
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        else:
            handler.send_response(200)
        body = self.content[start:]
        handler.send_header("Content-Length", str(len(body) - missing_length))
        if self.etag:
            handler.send_header("ETag", self.etag)
        if self.modified:
            handler.send_header("Last-Modified", self.modified)
        handler.end_headers()
        handler.wfile.write(body[: len(body) - missing_length] if stop_at is None else body[:stop_at])
        if reset:
            # Closing with this set sends a reset instead of a proper end.
            handler.wfile.flush()
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            handler.connection.close()

    @property
    def ranges_asked(self):
        return [asked.get("range") for asked in self.asked]


@pytest.fixture
def site(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archives" / "archive.tar.gz"


@pytest.fixture
def waits():
    return []


@pytest.fixture
def fetch(site, path, waits):
    """`download`, from the site, without the waiting."""

    def fetch(**options):
        return download(site.url, path, **{"sleep": waits.append, "timeout": (5.0, 5.0), **options})

    return fetch


def names(path: Path) -> list[str]:
    return sorted(found.name for found in path.parent.iterdir())


def leave_part(site, path, fetch, pieces):
    """A run that was stopped after so many pieces, as the next one finds it."""
    site.plan = [{"stop_at": pieces * PIECE}]
    with pytest.raises(SourceUnavailable):
        fetch(attempts=1)
    site.asked.clear()


@pytest.mark.parametrize("checksum", [None, MD5, SHA256, SHA256.upper()])
def test_a_download_is_whole_and_leaves_nothing_beside_it(fetch, path, checksum):
    assert fetch(checksum=checksum) == path
    assert path.read_bytes() == CONTENT
    assert names(path) == ["archive.tar.gz"]


def test_progress_counts_every_byte_once_however_often_it_came(site, fetch):
    site.plan = [{"stop_at": 3 * PIECE}, {"stop_at": PIECE}]
    seen = []
    fetch(progress=seen.append)
    assert sum(seen) == len(CONTENT)
    site.etag, site.content = None, CONTENT  # without a validator the second attempt begins anew
    site.plan = [{"stop_at": 3 * PIECE}]
    seen.clear()
    fetch(progress=seen.append)
    assert sum(seen) == len(CONTENT)
    assert all(step > 0 for step in seen)


def test_a_file_that_has_the_right_checksum_is_not_brought_again(site, fetch, path):
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    seen = []
    fetch(checksum=MD5, progress=seen.append)
    assert site.asked == []
    assert sum(seen) == len(CONTENT)


def test_a_file_that_has_the_wrong_checksum_is_replaced(fetch, path):
    path.parent.mkdir()
    path.write_bytes(OTHER)
    fetch(checksum=MD5)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_download_that_breaks_off_goes_on_where_it_stopped(site, fetch, path, reset):
    site.plan = [{"stop_at": 2 * PIECE, "reset": reset}, {"stop_at": PIECE, "reset": reset}]
    fetch(checksum=SHA256)
    assert path.read_bytes() == CONTENT
    assert len(site.asked) == 3
    if not reset:  # a reset may swallow bytes that were on their way
        assert site.ranges_asked == [None, f"bytes={2 * PIECE}-", f"bytes={3 * PIECE}-"]
    assert site.asked[-1].get("if-range", '"one"') == '"one"'


def test_the_next_run_goes_on_where_the_last_one_stopped(site, fetch, path):
    leave_part(site, path, fetch, 2)
    assert names(path) == ["archive.tar.gz.part", "archive.tar.gz.part.json"]
    seen = []
    fetch(progress=seen.append)
    assert site.ranges_asked == [f"bytes={2 * PIECE}-"]
    assert path.read_bytes() == CONTENT
    assert seen[0] == 2 * PIECE
    assert names(path) == ["archive.tar.gz"]


def test_a_run_killed_in_the_middle_is_gone_on_with(site, fetch, path):
    script = (
        "import os, pathlib, signal, sys\n"
        "from lib.download import PIECE, download\n"
        "got = 0\n"
        "def progress(new):\n"
        "    global got\n"
        "    got += new\n"
        "    if got > 2 * PIECE: os.kill(os.getpid(), signal.SIGKILL)\n"
        "download(sys.argv[1], pathlib.Path(sys.argv[2]), progress=progress)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, site.url, path], cwd=Path(__file__).resolve().parents[2])
    assert killed.returncode == -9
    assert not path.exists()
    fetch(checksum=SHA256)
    assert site.ranges_asked[1] != "bytes=0-"
    assert site.ranges_asked[1].startswith("bytes=")
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("checksum", [None, SHA256])
def test_a_server_that_ignores_ranges_is_read_from_the_beginning(site, fetch, path, checksum):
    leave_part(site, path, fetch, 2)
    site.ranges = False
    fetch(checksum=checksum)
    assert site.ranges_asked == [f"bytes={2 * PIECE}-"]
    assert path.read_bytes() == CONTENT


def test_a_file_that_changed_on_the_server_is_not_mixed_with_the_old_one(site, fetch, path):
    leave_part(site, path, fetch, 2)
    site.content, site.etag = OTHER, '"two"'
    fetch()
    assert path.read_bytes() == OTHER


def test_a_weak_etag_gives_way_to_the_date(site, fetch, path):
    site.etag, site.modified = 'W/"one"', "Sat, 01 Mar 2025 10:00:00 GMT"
    site.plan = [{"stop_at": 2 * PIECE}]
    fetch()
    assert site.asked[1]["if-range"] == site.modified
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(("checksum", "second"), [(None, None), (SHA256, f"bytes={2 * PIECE}-")])
def test_without_a_validator_only_a_checksum_lets_a_part_be_gone_on_with(site, fetch, path, checksum, second):
    site.etag = None
    site.plan = [{"stop_at": 2 * PIECE}]
    fetch(checksum=checksum)
    assert site.ranges_asked == [None, second]
    assert path.read_bytes() == CONTENT


def test_a_part_of_another_address_is_not_gone_on_with(site, fetch, path):
    leave_part(site, path, fetch, 2)
    download(site.url + "?v=2", path)
    assert site.ranges_asked == [None]
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("label", [b"", b"[]", b"{", b"\xff", None])
def test_a_part_whose_label_is_damaged_or_gone_is_not_gone_on_with(site, fetch, path, label):
    leave_part(site, path, fetch, 2)
    beside = path.with_name("archive.tar.gz.part.json")
    beside.write_bytes(label) if label is not None else beside.unlink()
    fetch()
    assert site.ranges_asked == [None]
    assert path.read_bytes() == CONTENT


def test_a_part_that_was_whole_already_is_taken(site, fetch, path):
    leave_part(site, path, fetch, 2)
    path.with_name("archive.tar.gz.part").write_bytes(CONTENT)
    fetch(checksum=SHA256)
    assert site.ranges_asked == [f"bytes={len(CONTENT)}-"]
    assert path.read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(site, fetch, path):
    leave_part(site, path, fetch, 2)
    path.with_name("archive.tar.gz.part").write_bytes(CONTENT + b"more")
    fetch()
    assert path.read_bytes() == CONTENT


def test_a_server_that_sends_another_range_than_asked_for_is_not_believed(site, fetch, path):
    leave_part(site, path, fetch, 2)
    site.plan = [{"lie": PIECE}]
    fetch()
    assert site.ranges_asked == [f"bytes={2 * PIECE}-", None]
    assert path.read_bytes() == CONTENT


def test_a_file_shorter_than_its_announced_length_is_no_download(site, fetch, path):
    site.plan = [{"stop_at": PIECE}] * 9
    with pytest.raises(SourceDown, match="3 attempts"):
        fetch(attempts=3)
    assert not path.exists()
    assert len(site.asked) == 3


def test_a_range_cut_short_by_the_server_is_completed(site, fetch, path):
    leave_part(site, path, fetch, 2)
    site.plan = [{"missing_length": 10}]
    fetch()
    assert site.ranges_asked == [f"bytes={2 * PIECE}-", f"bytes={len(CONTENT) - 10}-"]
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_fault_that_passes_is_tried_again(site, fetch, path, status):
    site.plan = [{"status": status}] * 2
    fetch()
    assert path.read_bytes() == CONTENT
    assert len(site.asked) == 3


@pytest.mark.parametrize("status", [401, 403, 404, 410, 416, 501])
def test_a_fault_that_does_not_pass_is_not_tried_again(site, fetch, path, status):
    site.plan = [{"status": status}] * 9
    with pytest.raises(SourceUnavailable, match=str(status)) as told:
        fetch()
    assert not isinstance(told.value, SourceDown)
    assert len(site.asked) == 1
    assert not path.exists()


def test_the_waits_grow_and_are_capped(site, fetch, waits):
    site.plan = [{"status": 503}] * 12
    with pytest.raises(SourceDown, match="503"):
        fetch(attempts=12)
    assert len(waits) == 11
    assert all(before <= after for before, after in zip(waits, waits[2:], strict=False))
    assert max(waits) == LONGEST_WAIT


def test_the_server_may_ask_for_a_longer_wait_within_reason(site, fetch, waits):
    site.plan = [{"status": 429, "headers": [("Retry-After", after)]} for after in ("17", "86400", "soon")]
    fetch()
    assert waits[:2] == [17.0, LONGEST_WAIT]
    assert waits[2] < 17


def test_a_server_that_is_not_there_is_named_and_the_reason_given(path, waits):
    with socket.socket() as taken:  # bound and not listening: nobody else can answer on this port
        taken.bind(("127.0.0.1", 0))
        url = f"http://name:secret@127.0.0.1:{taken.getsockname()[1]}/a.gz?key=secret"
        with pytest.raises(SourceDown, match=r"(?i)refused") as caught:
            download(url, path, attempts=2, sleep=waits.append)
    assert "127.0.0.1" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(waits) == 1


def test_a_server_that_does_not_answer_in_time_is_given_up(path, waits):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.gz"
        with pytest.raises(SourceDown, match="no answer in time"):
            download(url, path, attempts=2, sleep=waits.append, timeout=(0.2, 0.05))


@pytest.mark.parametrize("url", ["archive.tar.gz", "file:///etc/hosts", "http://", "http://[1"])
def test_an_address_that_is_none_is_not_tried_twice(path, waits, url):
    with pytest.raises(SourceUnavailable, match="address"):
        download(url, path, sleep=waits.append)
    assert waits == []


def test_a_wrong_checksum_names_both_sums_and_leaves_nothing(site, fetch, path):
    site.content = OTHER
    with pytest.raises(BadData) as caught:
        fetch(checksum=MD5)
    assert MD5.removeprefix("md5:") in str(caught.value)
    assert hashlib.md5(OTHER).hexdigest() in str(caught.value)
    assert names(path) == []


def test_a_wrong_checksum_leaves_the_old_file(site, fetch, path):
    path.parent.mkdir()
    path.write_text("old")
    site.content = OTHER
    with pytest.raises(BadData):
        fetch(checksum=MD5)
    assert path.read_text() == "old"


@pytest.mark.parametrize("checksum", ["c58f30108f718f92721af3b95e74349a", "md5:", "md5:xyz", "crc32:00000000", ":"])
def test_a_checksum_that_is_none_is_named(site, fetch, checksum):
    with pytest.raises(BadSettings, match=checksum):
        fetch(checksum=checksum)
    assert site.asked == []


def test_a_folder_that_cannot_be_written_is_named(site, tmp_path, waits):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotWrite, match="file/a"):
        download(site.url, tmp_path / "file" / "a", sleep=waits.append)
    assert waits == []


def test_the_label_beside_a_part_does_not_tell_the_address(site, path, waits):
    site.plan = [{"stop_at": PIECE}]
    with pytest.raises(SourceUnavailable):
        download(site.url + "?key=secret", path, attempts=1, sleep=waits.append)
    label = path.with_name("archive.tar.gz.part.json").read_text()
    assert "secret" not in label
    assert json.loads(label)["validator"] == '"one"'
