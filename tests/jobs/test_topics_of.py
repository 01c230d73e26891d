"""Texts told by hand what they are about, as a person does it."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from tests.jobs.conftest import ROOT, THEMES, Desk, article_rows, write_csv

SPACE, MUSIC = (THEMES[name] for name in ("Space", "Music"))
HEAD = re.compile(r"(.+): ([\d,]+) words, (\d+)% of them unknown to the model")
LINE = re.compile(r" *(\d+\.\d)%   *(\d+)  (\S.*?)  +(\S.*)")
REST = re.compile(r" *(\d+\.\d)%   +(\d+ others|one other)")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk with a run of three topics, and texts beside its data."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    write_csv(desk.articles / "news.csv", article_rows())
    done = desk.run("--topics", "3", "--passes", "20", "--date", "2024-06-02", "--quiet")
    assert done.returncode == 0, done.stderr
    (desk.folder / "space.txt").write_text(f"The rocket and the moon, {SPACE}. An unheard-of zorg.\n")
    (desk.folder / "music.txt").write_bytes(f"\ufeff{MUSIC}: a violin\r\n".encode())
    return desk


def say(desk: Desk, *args: str, **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobs.topics_of", *args],
        cwd=desk.folder,
        env=desk.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **how,
    )


def test_the_topics_are_printed_largest_first_with_the_words_that_say_so(made: Desk) -> None:
    done = say(made, "space.txt", "music.txt")
    assert (done.returncode, done.stderr) == (0, "")
    space, music = done.stdout.split("\n\n")
    head, first, *others = space.splitlines()
    found = HEAD.fullmatch(head)
    assert found
    assert found.groups() == ("space.txt", "14", "14")  # unheard and zorg
    line = LINE.fullmatch(first)
    assert line
    assert float(line[1]) > 80
    assert {"rocket 2×", "moon 2×"} <= set(line[4].split(", ")) <= {"rocket 2×", "moon 2×", *SPACE.split()}
    assert all(LINE.fullmatch(each) or REST.fullmatch(each) for each in others)
    label = made.query("SELECT label FROM topics WHERE topic = ?", int(line[2]))[0][0]
    assert line[3] == label
    assert music.startswith("music.txt: ")
    assert "\x1b" not in done.stdout


def test_the_answers_are_one_json_object(made: Desk) -> None:
    done = say(made, "--json", "space.txt", "missing.txt")
    assert done.returncode == 65
    assert done.stderr == "Can't read missing.txt: it is not there.\n"
    said = json.loads(done.stdout)
    assert said["run"] == {"id": 1, "date": "2024-06-02", "demo": False, "topics": 3}
    space, missing = said["texts"]
    assert missing == {"file": "missing.txt", "error": "Can't read missing.txt: it is not there."}
    assert list(space) == ["file", "words", "unknown", "topics", "others"]
    shares = [topic["share"] for topic in space["topics"]]
    assert shares == sorted(shares, reverse=True)
    assert list(space["topics"][0]) == ["id", "label", "share", "words"]
    assert {word["word"] for word in space["topics"][0]["words"]} <= set(SPACE.split())


def test_standard_input_is_read_where_the_file_is_a_dash(made: Desk) -> None:
    done = say(made, "-", input=MUSIC)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("-: 10 words, 0% of them unknown")


def test_texts_that_cannot_be_told_are_named_and_the_others_told_all_the_same(made: Desk) -> None:
    (made.folder / "empty.txt").write_text("")
    (made.folder / "binary.txt").write_bytes(bytes(range(256)))
    (made.folder / "foreign.txt").write_text("zorg blorg")
    done = say(made, "empty.txt", "binary.txt", "data", "foreign.txt", "music.txt")
    assert done.returncode == 65
    assert done.stderr.splitlines() == [
        "Can't read empty.txt: it is empty.",
        "Can't read binary.txt: it is no text.",
        "Can't read data: it is a folder, and no text.",
        "Can't say what foreign.txt is about: none of its 2 words is one that the model knows; "
        "expected a text of the kind that the articles were.",
    ]
    assert done.stdout.startswith("music.txt: ")


def test_a_file_name_that_would_steer_a_terminal_is_shown_plain(made: Desk) -> None:
    (made.folder / "a\x1b[31m\u202e.txt").write_text(MUSIC)
    done = say(made, "a\x1b[31m\u202e.txt")
    assert done.returncode == 0
    assert done.stdout.startswith("a\\x1b[31m\\u202e.txt: ")


def test_without_topics_it_says_what_to_do_and_leaves_no_trace(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (tmp_path / "a.txt").write_text("ship")
    for options in ([], ["--json"]):
        done = say(desk, "a.txt", *options)
        assert done.returncode == 69
        assert "python -m jobs.model_topics" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert json.loads(done.stdout) == {"run": None, "texts": [{"file": "a.txt"}]}
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_nothing_is_written_and_damaged_or_missing_topics_are_said(made: Desk) -> None:
    before = sorted(made.data.rglob("*"))
    elsewhere = made.folder / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "jobs.topics_of", str(made.folder / "music.txt"), "--data", str(made.data)],
        cwd=elsewhere,
        env=made.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(made.data.rglob("*")) == before
    topics = made.data / made.query("SELECT folder FROM runs")[0][0] / "topics.npz"
    content = topics.read_bytes()
    try:
        topics.write_bytes(content[:100])
        damaged = say(made, "music.txt")
        topics.unlink()
        missing = say(made, "music.txt")
    finally:
        topics.write_bytes(content)
    assert (damaged.returncode, missing.returncode) == (65, 69)
    assert "damaged" in damaged.stderr
    assert "topics.npz is not there" in missing.stderr
    assert len(damaged.stderr.splitlines()) == len(missing.stderr.splitlines()) == 1


def test_help_is_quick_and_wrong_usage_ends_with_two(made: Desk) -> None:
    started = time.perf_counter()
    assert say(made, "--help").returncode == 0
    assert time.perf_counter() - started < 1
    assert say(made).returncode == 2
    assert say(made, "--nothing", "a.txt").returncode == 2


def test_the_readmes_example_has_the_form_of_what_is_printed() -> None:
    shown = re.search(r"```text\n(letter\.txt: .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown
    head, *lines, rest = shown[1].splitlines()
    assert HEAD.fullmatch(head)
    assert REST.fullmatch(rest)
    assert all(LINE.fullmatch(line) for line in lines)
    starts = {cell_len(line[: found.start(4)]) for line in lines if (found := LINE.fullmatch(line))}
    assert len(starts) == 1
