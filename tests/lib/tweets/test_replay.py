"""Recordings in all their wrappings as lines, and played back at their own pace."""

import bz2
import gzip
import io
import json
import lzma
import os
import random
import tarfile
import threading
import time
import tracemalloc
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.errors import BadData, SourceUnavailable
from lib.tweets import replay
from lib.tweets.replay import LINE_LIMIT, Replay, recordings, replayed_lines
from lib.tweets.window import Window

_random = random.Random(1)
LINES = [json.dumps({"id": number, "text": _random.randbytes(60).hex()}).encode() for number in range(3000)]
TEXT = b"".join(line + b"\r\n" for line in LINES)
PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def lines_of(*paths: Path) -> tuple[list[bytes], Counter[str]]:
    repaired: Counter[str] = Counter()
    return list(replayed_lines(paths, repaired)), repaired


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def tarred(members: dict[str, bytes], mode: str = "w") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as tar:  # type: ignore[call-overload]
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return content.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


def test_folders_are_looked_into_in_name_order_and_hidden_files_left_out(tmp_path: Path) -> None:
    names = ("b.jsonl", "A.JSON", "deep/c.jsonl.gz", "d.tar", "e.zip", ".hidden.jsonl", ".git/x.json", "notes.md")
    for name in names:
        write(tmp_path / name, b"")
    found = [path.relative_to(tmp_path).as_posix() for path in recordings([tmp_path])]
    assert found == ["A.JSON", "b.jsonl", "d.tar", "deep/c.jsonl.gz", "e.zip"]
    assert recordings([tmp_path / "notes.md"]) == [tmp_path / "notes.md"]


def test_a_path_that_is_not_there_or_holds_no_recording_is_told(tmp_path: Path) -> None:
    write(tmp_path / "notes.md", b"")
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SourceUnavailable, match="--replay") as told:
            recordings([path])
        assert str(path) in str(told.value)
        assert told.value.exit_code == 69


def test_a_plain_file_is_its_lines_without_line_ends(tmp_path: Path) -> None:
    assert lines_of(write(tmp_path / "a", TEXT)) == (LINES, Counter())
    assert lines_of(write(tmp_path / "a", b"\xef\xbb\xbf" + b"\n".join(LINES)))[0] == LINES
    assert lines_of(write(tmp_path / "a", b"{}\n\n\r\n{}\n"))[0] == [b"{}", b"", b"", b"{}"]
    assert lines_of(write(tmp_path / "a", b""))[0] == []


@pytest.mark.parametrize("ending", PACKERS)
def test_packed_files_are_told_by_their_bytes_and_read_through_all_their_members(tmp_path: Path, ending: str) -> None:
    packed = PACKERS[ending](TEXT) + PACKERS[ending](TEXT)
    for name in ("a.jsonl" + ending, "a.jsonl"):
        assert lines_of(write(tmp_path / name, packed)) == (LINES * 2, Counter())


@pytest.mark.parametrize("ending", PACKERS)
def test_a_truncated_file_gives_what_it_holds_and_is_counted(tmp_path: Path, ending: str) -> None:
    whole = PACKERS[ending](TEXT)
    lines, repaired = lines_of(write(tmp_path / "a", whole + whole[: len(whole) * 3 // 4]))
    # bzip2 gives whole blocks of 900 kB only, and this text is one
    assert (len(lines) > 3000 + 1000) == (ending != ".bz2")
    assert lines[:-1] == (LINES * 2)[: len(lines) - 1]
    assert (LINES * 2)[len(lines) - 1].startswith(lines[-1])
    assert repaired == {"truncated archive": 1}


ARCHIVE_TEAM = {
    "2019/07/03/06/30.json.bz2": bz2.compress(TEXT),
    "2019/07/03/06/31.json.gz": gzip.compress(TEXT),
    "2019/07/03/06/32.json": TEXT,
    "2019/07/03/readme.html": b"not a recording",
    "._2019.json": b"what a Mac adds",
}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_as_the_archive_team_publishes_it_is_read_in_its_order(tmp_path: Path, mode: str) -> None:
    assert lines_of(write(tmp_path / "a.tar", tarred(ARCHIVE_TEAM, mode))) == (LINES * 3, Counter())
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]  # nothing is unpacked to disk


def test_a_zip_and_archives_in_archives_are_read(tmp_path: Path) -> None:
    assert lines_of(write(tmp_path / "a.zip", zipped(ARCHIVE_TEAM))) == (LINES * 3, Counter())
    deep = tarred({"day.tar.gz": tarred(ARCHIVE_TEAM, "w:gz"), "day.json": TEXT})
    assert lines_of(write(tmp_path / "a.tar", deep)) == (LINES * 4, Counter())
    assert lines_of(write(tmp_path / "b.zip", zipped({"a.tar": tarred(ARCHIVE_TEAM)})))[0] == LINES * 3


def test_what_cannot_be_read_through_is_told(tmp_path: Path) -> None:
    for content, told in (
        (tarred({"readme": b""}), "holds no recording, but readme"),
        (zipped({"readme": b""}), "holds no recording, but readme"),
        (zipped({}), "but nothing"),
        (zipped({"a.json": TEXT})[:-30], "broken zip"),
        (tarred({"a.zip": zipped({"a.json": TEXT})}), "zip inside another archive"),
        ("text".encode("utf-16"), "UTF-16"),
    ):
        with pytest.raises(BadData, match=told):
            lines_of(write(tmp_path / "a", content))
    bomb = TEXT
    for _ in range(8):
        bomb = gzip.compress(bomb)
    with pytest.raises(BadData, match="deep"):
        lines_of(write(tmp_path / "a", bomb))


def test_a_locked_zip_is_told(tmp_path: Path) -> None:
    content = bytearray(zipped({"a.json": TEXT}))
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the bit for encryption, APPNOTE.TXT 4.4.4
    with pytest.raises(BadData, match="password"):
        lines_of(write(tmp_path / "a.zip", bytes(content)))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_truncated_tar_gives_what_it_holds_and_is_counted_once(tmp_path: Path, mode: str) -> None:
    whole = tarred(dict.fromkeys(("a.json", "b.json", "c.json"), TEXT), mode)
    lines, repaired = lines_of(write(tmp_path / "a.tar", whole[: len(whole) * 3 // 5]))
    assert len(lines) > 4500
    assert lines[:-1] == (LINES * 2)[: len(lines) - 1]
    assert repaired == {"truncated archive": 1}


def test_a_truncated_tar_of_packed_files_loses_only_what_is_cut_off(tmp_path: Path) -> None:
    whole = tarred({"a.json.gz": gzip.compress(TEXT), "b.json.gz": gzip.compress(TEXT)})
    lines, repaired = lines_of(write(tmp_path / "a.tar", whole[: len(whole) * 4 // 5]))
    assert len(lines) > 4500
    assert repaired == {"truncated archive": 1}


def test_a_broken_member_costs_only_itself(tmp_path: Path) -> None:
    members = {"a.json.gz": gzip.compress(TEXT)[:5000], "b.json": TEXT}
    for archive in (tarred(members), zipped(members)):
        lines, repaired = lines_of(write(tmp_path / "a", archive))
        assert lines[-3000:] == LINES
        assert repaired == {"truncated archive": 1}


def test_a_line_that_is_too_long_is_cut_and_the_next_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "LINE_LIMIT", 1 << 20)
    long = b'{"text":"' + b"x" * (3 << 20)
    lines, _ = lines_of(write(tmp_path / "a", b"{}\n" + long + b'"}\n{}\n' + long))
    assert lines == [b"{}", long[: 1 << 20], b"{}", long[: 1 << 20]]


def test_memory_stays_small_however_long_the_recording(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar.gz", tarred({"a.json": TEXT * 25, "b.json": TEXT * 25}, "w:gz"))
    tracemalloc.start()
    count = sum(1 for _ in replayed_lines([path], Counter()))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 3000 * 50
    assert most < 4 << 20 < LINE_LIMIT


DOCUMENTS = {
    "pages": [{"data": [{"id": "1", "text": "a\nb"}], "meta": {}}, {"data": []}],
    "one": [{"id": 1, "text": "ö [,] {", "user": {"location": None}}],
}


@pytest.mark.parametrize("values", DOCUMENTS.values(), ids=DOCUMENTS)
@pytest.mark.parametrize("indent", [0, 2, "\t"])
def test_a_document_over_many_lines_gives_a_line_a_value_or_element(tmp_path: Path, values, indent) -> None:
    several = "\n".join(json.dumps(value, indent=indent, ensure_ascii=False) for value in values)
    array = json.dumps(values, indent=indent)
    rows = "[\n" + ",\r\n".join(json.dumps(value) for value in values) + "\n]\n"
    for text in (several, array, rows, array + "\n" + array):
        lines, _ = lines_of(write(tmp_path / "a.json", text.encode()))
        wanted = values * (2 if text.count(array) == 2 else 1)
        assert [json.loads(line) for line in lines] == wanted


def test_a_document_that_is_cut_gives_its_whole_values(tmp_path: Path) -> None:
    text = json.dumps([{"id": 1, "text": "a"}, {"id": 2, "text": "b"}, {"id": 3, "text": "c"}], indent=1)
    lines, _ = lines_of(write(tmp_path / "a.json", text[: text.index('"c"')].encode()))
    assert [json.loads(line)["id"] for line in lines[:-1]] == [1, 2]
    assert lines[-1].startswith(b'{ "id": 3')


@pytest.mark.parametrize(
    "first",
    [
        b"{",
        b"[",
        b'{"id":1,"user":',
        b'{"id":1,',
        b'{"id":1,"text":"a',
        b"[{",
        b"made up",
        b'{"a":1}}',
        b"\xff\xfe{"[2:],
    ],
)
def test_a_broken_first_line_is_no_reason_to_take_lines_for_a_document(tmp_path: Path, first: bytes) -> None:
    found = lines_of(write(tmp_path / "a", first + b"\n" + TEXT))[0]
    assert found == ([] if first == b"[" else [first]) + LINES


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line and not line.endswith(b"\r")), max_size=9))
def test_any_lines_behind_a_whole_one_come_as_they_are(tmp_path_factory: pytest.TempPathFactory, lines) -> None:
    path = tmp_path_factory.mktemp("any") / "a"
    path.write_bytes(b"\n".join([b"{}", *lines, b"{}"]))
    assert lines_of(path)[0] == [b"{}", *lines, b"{}"]


def at(seconds: float) -> bytes:
    return json.dumps({"id": 1, "text": "a", "timestamp_ms": str(1_562_135_400_000 + round(1000 * seconds))}).encode()


DELETE = b'{"delete":{"status":{"id":9,"id_str":"9"}}}'


def played(source: Replay, seconds: float) -> tuple[Window, list[tuple[float, bytes]]]:
    """What came, with when it came, in seconds from the start."""
    window = Window(seconds)
    came: list[tuple[float, bytes]] = []
    started = time.monotonic()
    thread = threading.Thread(target=source.listen, args=[window])
    thread.start()
    while thread.is_alive() and window.remaining:
        came += [(time.monotonic() - started, line) for line in window.take()]
        time.sleep(0.005)
    window.end()
    thread.join()
    came += [(time.monotonic() - started, line) for line in window.take()]
    return window, came


def test_a_recording_is_played_at_its_pace_and_lines_without_a_time_go_with_what_precedes(tmp_path: Path) -> None:
    lines = [at(0), DELETE, at(10), DELETE, b"made up", at(9.5), at(20)]
    window, came = played(Replay([write(tmp_path / "a", b"\n".join(lines))], 40), 5)
    assert [line for _, line in came] == lines
    wanted = [0, 0, 0.25, 0.25, 0.25, 0.25, 0.5]
    assert all(-0.01 <= when - due < 0.2 for (when, _), due in zip(came, wanted, strict=True))
    assert window.ever_connected


def test_a_jump_between_recordings_is_not_waited_for_in_either_direction(tmp_path: Path) -> None:
    days = [[at(86400), at(86401)], [at(0), at(1)], [at(7200), at(7201)]]
    paths = [write(tmp_path / f"{number}", b"\n".join(day)) for number, day in enumerate(days)]
    _, came = played(Replay(paths, 10), 5)
    assert [line for _, line in came] == [line for day in days for line in day]
    assert 0.25 < came[-1][0] < 0.8


def test_playing_stops_on_time_and_when_it_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a", at(0) + b"\n" + at(50))
    started = time.monotonic()
    _, came = played(Replay([path], 1), 0.3)
    assert time.monotonic() - started < 0.5
    assert len(came) == 1
    source, window = Replay([path], 1), Window(30)
    thread = threading.Thread(target=source.listen, args=[window])
    thread.start()
    time.sleep(0.1)
    source.close()
    thread.join(1)
    assert not thread.is_alive()


def test_a_damaged_recording_is_noted(tmp_path: Path) -> None:
    window, _ = played(Replay([write(tmp_path / "a.gz", gzip.compress(TEXT)[:9000])], 1), 2)
    assert window.notes == ["The recordings had a fault that was passed over: truncated archive (1)."]


real = pytest.mark.skipif(not os.environ.get("NIGHTDESK_REAL_DATA"), reason="NIGHTDESK_REAL_DATA is not set")


@real
def test_the_real_recordings_are_read_whole_alone_and_in_a_tar(tmp_path: Path) -> None:
    folder = Path(os.environ["NIGHTDESK_REAL_DATA"], "tweets")
    path = folder / "spritzer_2013-08-10_Sat_1100-1102.jsonl.gz"
    with gzip.open(path) as file:
        wanted = [line.rstrip(b"\r\n") for line in file]
    assert lines_of(path) == (wanted, Counter())
    tar = write(tmp_path / "a.tar", tarred({"2013/08/10/11/00.json.gz": path.read_bytes()}))
    assert lines_of(tar) == (wanted, Counter())
    assert len(recordings([folder])) == 9


@pytest.mark.parametrize("content", [b"[[[[[", b"[[\n[[", b"{,\n,["])
def test_a_line_of_brackets_alone_is_a_line(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert b"\n".join(replayed_lines([path], Counter())) == content
