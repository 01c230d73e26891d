"""Progress: what a person sees on a terminal, what a log gets, and what is kept."""

import contextlib
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lib import progress
from lib.progress import Stages

ROOT = Path(__file__).parents[2]
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]")
WORKS = """
from lib.progress import Stages

stages = Stages()
with stages.stage("training", total=3, unit="epochs") as advance:
    for _ in range(3):
        advance(1)
"""


@pytest.fixture
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every advance is worth a line."""
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)


def on_a_terminal(**environment: str) -> str:
    """What the work says on stderr, where that is a terminal."""
    terminal, end = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-c", WORKS],
        cwd=ROOT,
        env={**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environment},
        stderr=end,
    )
    os.close(end)
    said = b""
    with contextlib.suppress(OSError):  # Linux: EIO when the last writer has gone
        while part := os.read(terminal, 65536):
            said += part
    os.close(terminal)
    assert process.wait(20) == 0
    return said.decode()


def test_a_log_gets_plain_lines(in_no_time: None, capsys: pytest.CaptureFixture[str]):
    with Stages().stage("reading", total=2000, unit="articles") as advance:
        advance(1500)
        advance(500)
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line.split(" ", 1) for line in err.splitlines()]
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d", clock) for clock, _ in lines)
    assert [text for _, text in lines] == [
        "reading: 1,500 of 2,000 (75%) articles",
        "reading: 2,000 of 2,000 (100%) articles",
        "reading: done in 0.0 s",
    ]


def test_a_log_has_no_escape_codes_even_where_colour_is_forced(
    in_no_time: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    with Stages().stage("reading") as advance:
        advance(3)
    err = capsys.readouterr().err
    assert "reading: 3" in err
    assert "\x1b" not in err


def test_a_short_stage_is_not_worth_a_line_in_a_log(capsys: pytest.CaptureFixture[str]):
    with Stages().stage("reading", total=10) as advance:
        advance(10)
    assert capsys.readouterr().err == ""


def test_a_long_line_is_not_broken(capsys: pytest.CaptureFixture[str]):
    Stages().say("word " * 100)
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("text", ["[bold]not markup[/bold]", "a :smile: is no emoji", "[/]", "C:\\"])
def test_what_is_said_comes_out_as_it_is(text: str, capsys: pytest.CaptureFixture[str]):
    Stages().say(text)
    assert capsys.readouterr().err.rstrip("\n").split(" ", 1)[1] == text


def test_quiet_says_nothing_and_still_keeps_the_seconds(in_no_time: None, capsys: pytest.CaptureFixture[str]):
    stages = Stages(quiet=True)
    stages.say("hello")
    with stages.stage("reading", total=2) as advance:
        advance(2)
    assert capsys.readouterr() == ("", "")
    assert stages.seconds["reading"] >= 0


def test_the_seconds_of_a_stage_that_fails_are_kept_and_it_stays_the_current_one():
    stages = Stages(quiet=True)
    with stages.stage("reading"):
        pass
    with pytest.raises(ZeroDivisionError), stages.stage("training"):
        raise ZeroDivisionError
    assert list(stages.seconds) == ["reading", "training"]
    assert stages.current == "training"


def test_the_seconds_of_a_stage_entered_twice_add_up(monkeypatch: pytest.MonkeyPatch):
    clock = iter([0.0, 1.5, 10.0, 12.25])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    stages = Stages(quiet=True)
    for _ in range(2):
        with stages.stage("evaluating"):
            pass
    assert stages.seconds == {"evaluating": 3.75}


def test_whoever_asks_is_told_of_each_stage_as_it_starts():
    told: list[str] = []
    stages = Stages(quiet=True, on_start=told.append)
    with stages.stage("reading"):
        assert told == ["reading"]
        assert stages.current == "reading"
    assert stages.current is None


def test_a_terminal_gets_a_bar_in_colour():
    said = on_a_terminal()
    assert "training" in said
    assert "epochs" in said
    assert COLOUR.search(said)


def test_no_color_is_obeyed_on_a_terminal():
    said = on_a_terminal(NO_COLOR="1")
    assert "training" in said
    assert not COLOUR.search(said)


def test_a_dumb_terminal_gets_no_bar():
    assert "\x1b" not in on_a_terminal(TERM="dumb")


def test_the_log_is_told_of_stages_and_of_what_is_said_also_where_nobody_watches(in_no_time: None):
    told: list[tuple[str, dict]] = []
    stages = Stages(quiet=True, log=lambda text, **fields: told.append((text, fields)))
    with stages.stage("reading", total=2) as advance:
        stages.say("half of it")
        advance(2)
    with pytest.raises(ZeroDivisionError), stages.stage("training"):
        raise ZeroDivisionError
    texts = ["reading: begun", "half of it", "reading: done in 0.0 s", "training: begun"]
    assert [text for text, _ in told] == [*texts, "training: broken off after 0.0 s"]
    assert [fields["stage"] for _, fields in told] == ["reading"] * 3 + ["training"] * 2
    assert [("seconds" in fields) for _, fields in told] == [False, False, True, False, True]
