"""A run's log: each line whole, whatever is written, by whom, and on what disk."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from lib import logs
from lib.logs import LibraryHandler, Noise, RunLog, lines_for_people, read_log, tail

WRITES = """
from pathlib import Path
from lib.logs import RunLog

log = RunLog(Path(sys.argv[1]), 1, "job")
for number in range(300):
    log.write(f"{sys.argv[2]} {number} " + sys.argv[2] * 2000)
"""
HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x9b2J and \x85",
    "\u202etxt.exe",
    "one\u2028two",
    "\udcff no UTF-8",
    '{"time": "a line within a line"}',
    "nul \x00 bell \x07 delete \x7f",
    "ünïcödé 漢字",
]


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    return RunLog(tmp_path / "log.jsonl", 7, "job")


def messages(log: RunLog, level: str | None = None) -> list[str]:
    return [entry["message"] for entry in read_log(log.path) if level in (None, entry["level"])]


def test_a_line_says_when_which_run_how_bad_and_what(log: RunLog):
    log.write("hello", "warning", stage="reading", count=3)
    (entry,) = read_log(log.path)
    assert list(entry) == ["time", "run", "job", "level", "message", "stage", "count"]
    assert entry["run"] == 7
    assert (entry["job"], entry["level"], entry["message"], entry["stage"], entry["count"]) == (
        *("job", "warning", "hello", "reading"),
        3,
    )
    assert abs(datetime.fromisoformat(entry["time"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_field_cant_take_the_place_of_what_each_line_has(log: RunLog):
    log.write("hello", time="never", run=0)
    assert (read_log(log.path)[0]["run"], read_log(log.path)[0]["time"] != "never") == (7, True)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_line_of_the_file_has_what_a_terminal_obeys(log: RunLog, text: str):
    log.write(text, what=text)
    (line,) = log.path.read_text(encoding="utf-8").splitlines()
    assert line.isprintable()
    if "\udcff" not in text:
        assert messages(log) == [text]


@pytest.mark.parametrize("text", HOSTILE)
def test_people_are_shown_nothing_that_a_terminal_obeys(log: RunLog, text: str):
    log.write(text, stage=text)
    assert all(line.isprintable() for line in lines_for_people(read_log(log.path)))


@pytest.mark.parametrize("value", [float("nan"), Path("data"), {1, 2}, [float("inf")], {(1, 2): 3}])
def test_a_figure_that_json_has_no_word_for_doesnt_cost_the_line(log: RunLog, value: object):
    log.write("hello", figure=value)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    said = json.loads(log.path.read_text(), parse_constant=refuse)
    assert (said["message"], "figure" in said) == ("hello", True)


def test_the_name_and_password_of_an_address_stay_out(log: RunLog):
    log.write("http://me:hunter2@example.org/a didn't come", options={"archive": "https://me:hunter2@example.org/a"})
    assert "hunter2" not in log.path.read_text()
    assert messages(log) == ["http://example.org/a didn't come"]


def test_a_message_of_megabytes_is_cut(log: RunLog):
    log.write("x" * 3_000_000)
    assert log.path.stat().st_size < 200_000


def test_a_log_that_cant_be_written_fails_nobody(tmp_path: Path):
    RunLog(tmp_path / "nowhere" / "log.jsonl", 1, "job").write("hello")


@pytest.mark.skipif("not __import__('os').path.exists('/dev/full')", reason="there is no full disk here")
def test_a_full_disk_fails_nobody():
    RunLog(Path("/dev/full"), 1, "job").write("hello")


def test_lines_of_two_processes_stay_whole(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", f"import sys\n{WRITES}", str(path), name]) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    for name in "ab":
        mine = [entry["message"] for entry in entries if entry["message"].startswith(name)]
        assert mine == [f"{name} {number} " + name * 2000 for number in range(300)]


def test_a_torn_line_is_left_out_and_the_one_behind_it_is_not(log: RunLog):
    log.write("first")
    with log.path.open("ab") as file:
        file.write(log.path.read_bytes()[:40])
    log.write("second")
    with log.path.open("ab") as file:
        file.write(b'{"time": "2026-03-01T05:00:00.000Z", "mess')
    assert messages(log) == ["first", "second"]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[1]\n3\nnull\n", b"\xff\xfe\n", b"[" * 100_000])
def test_what_is_no_log_has_no_entries(log: RunLog, content: bytes):
    log.path.write_bytes(content)
    assert (read_log(log.path), tail(log.path, 100)) == ([], "")


def test_where_there_is_no_log_there_are_no_entries(tmp_path: Path):
    assert read_log(tmp_path / "log.jsonl") == []


def test_the_last_lines_are_the_last_ones(log: RunLog):
    for number in range(5):
        log.write(str(number))
    assert [entry["message"] for entry in read_log(log.path, last=2)] == ["3", "4"]


def test_people_get_the_time_of_day_in_their_zone_the_level_and_the_stage():
    entry = {"time": "2026-03-01T05:00:02.114Z", "level": "warning", "message": "a\nb", "stage": "reading"}
    assert lines_for_people([entry]) == ["05:00:02 warning: reading: a", "         b"]
    assert lines_for_people([entry], timezone(timedelta(hours=2)))[0].startswith("07:00:02 ")
    stage = {"time": "2026-03-01T05:00:02.114Z", "level": "info", "message": "reading: begun", "stage": "reading"}
    assert lines_for_people([stage, {}]) == ["05:00:02 reading: begun", "--:--:-- "]


def test_a_tail_is_whole_lines_that_fit(log: RunLog):
    for number in range(100):
        log.write(f"line {number}")
    found = tail(log.path, 49)
    assert len(found) <= 49
    assert [line.split(" ", 1)[1] for line in found.splitlines()] == ["line 98", "line 99"]
    log.write("x" * 1000)
    assert len(tail(log.path, 50)) == 50


def test_noise_comes_in_lines_however_it_was_written(log: RunLog):
    noise = Noise(log)
    for part in (b"on", b"e\ntwo\r", b"\n\n  \n50%\r100%\r", b"last \xff"):
        noise.feed(part)
    noise.close()
    assert messages(log, "noise") == ["one", "two", "50%", "100%", "last \\xff"]


def test_noise_without_an_end_of_line_is_cut(log: RunLog):
    noise = Noise(log)
    noise.feed(b"x" * 100_000)
    noise.close()
    assert "".join(messages(log)) == "x" * 100_000
    assert max(map(len, messages(log))) == logs.LINE_LIMIT


@pytest.mark.parametrize("line", [b"x\n", b"x" * 500 + b"\n", b"\x01" * 100 + b"\n"])
def test_noise_is_bounded_and_said_to_be_and_its_last_words_are_kept(
    log: RunLog, line: bytes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(logs, "NOISE_LIMIT", 50_000)
    noise = Noise(log)
    noise.feed(line * 2000)
    noise.feed(b"the last words\n")
    noise.close()
    assert log.path.stat().st_size < 50_000 + logs.LAST_WORDS * 700
    assert len(messages(log, "warning")) == 1
    assert "bytes of noise too many" in messages(log, "warning")[0]
    assert messages(log)[-1] == "the last words"


@pytest.fixture
def library(log: RunLog) -> Callable[[], logging.Logger]:
    """A logger of a library whose records go into the log."""

    def make() -> logging.Logger:
        logger = logging.Logger("library")
        logger.addHandler(LibraryHandler(log, lambda: "reading"))
        return logger

    return make


def test_what_a_library_warns_of_is_in_the_log_and_what_it_chats_is_not(log: RunLog, library: Callable):
    logger = library()
    logger.info("chat")
    logger.warning("a %s", "warning")
    logger.critical("an error")
    said = [(entry["level"], entry["message"], entry["stage"], entry["logger"]) for entry in read_log(log.path)]
    assert said == [("warning", "a warning", "reading", "library"), ("error", "an error", "reading", "library")]


def test_a_librarys_traceback_is_in_the_log(log: RunLog, library: Callable):
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        library().exception("failed")
    assert messages(log)[0].startswith("failed\nTraceback")


def test_a_librarys_message_that_doesnt_go_with_its_arguments_is_kept(log: RunLog, library: Callable):
    library().warning("%d", "none")
    assert "none" in messages(log)[0]


def test_a_library_that_wont_stop_is_stopped(log: RunLog, library: Callable, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logs, "NOISE_LIMIT", 5000)
    logger = library()
    for _ in range(1000):
        logger.warning("again")
    assert log.path.stat().st_size < 15_000
    assert "left out from here on" in messages(log)[-1]
