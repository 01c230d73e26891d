"""The capture file and the window that fills it, with sources that do what streams do."""

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.errors import NotPermitted
from lib.supervise import Stop
from lib.tweets.capture import append, listen, mend, rewrite
from lib.tweets.replay import replayed_lines
from lib.tweets.window import Window

ROOT = Path(__file__).parents[3]


class Scripted:
    """A source that hands over lines, then does what it is told."""

    name = "scripted"

    def __init__(self, lines=(), then=lambda window: window.over.wait()):
        self.lines, self.then = lines, then
        self.closed = threading.Event()

    def listen(self, window):
        window.connected()
        for line in self.lines:
            window.line(line)
        self.then(window)

    def close(self):
        self.closed.set()


def lines_of(path):
    return list(replayed_lines([path], Counter()))


def write(path, *members):
    with path.open("wb") as file:
        for lines in members:
            append(file, list(lines))
    return path


def test_a_window_lasts_its_time_with_a_source_that_says_nothing(tmp_path):
    source = Scripted()
    started = time.monotonic()
    window = Window(1.0)
    listen(source, tmp_path / "a.jsonl.gz", window, Stop(), lambda _: None)
    assert 1.0 <= time.monotonic() - started < 2.0
    assert window.ended - window.started == pytest.approx(1.0, abs=0.05)
    assert window.why_over == ""
    assert source.closed.is_set()
    assert lines_of(tmp_path / "a.jsonl.gz") == []


def test_a_source_that_never_returns_doesnt_keep_the_window_open(tmp_path):
    started = time.monotonic()
    stuck = threading.Event()
    listen(Scripted([b"1"], lambda _: stuck.wait()), tmp_path / "a.gz", Window(0.5), Stop(), lambda _: None)
    assert time.monotonic() - started < 2.0
    assert lines_of(tmp_path / "a.gz") == [b"1"]
    stuck.set()


def test_what_came_in_is_on_disk_within_seconds(tmp_path):
    path = tmp_path / "a.gz"
    stop = Stop()
    thread = threading.Thread(target=listen, args=(Scripted([b"one", b"two"]), path, Window(30), stop, lambda _: None))
    thread.start()
    end = time.monotonic() + 10
    while not (path.exists() and path.stat().st_size) and time.monotonic() < end:
        time.sleep(0.05)
    assert gzip.decompress(path.read_bytes()) == b"one\ntwo\n"
    stop.came = signal.SIGTERM
    thread.join(5)
    assert not thread.is_alive()


def test_a_stop_signal_ends_the_window_and_keeps_what_came(tmp_path):
    stop = Stop()
    threading.Timer(0.3, lambda: setattr(stop, "came", signal.SIGINT)).start()
    started = time.monotonic()
    window = Window(30)
    listen(Scripted([b"1", b"2"]), tmp_path / "a.gz", window, stop, lambda _: None)
    assert time.monotonic() - started < 3
    assert "SIGINT" in window.why_over
    assert lines_of(tmp_path / "a.gz") == [b"1", b"2"]


@pytest.mark.parametrize("fault", [NotPermitted("no"), KeyError("a bug")])
def test_what_a_source_fails_with_comes_out_and_what_came_is_kept(tmp_path, fault):
    def fail(_):
        raise fault

    with pytest.raises(type(fault)):
        listen(Scripted([b"1"], fail), tmp_path / "a.gz", Window(30), Stop(), lambda _: None)
    assert lines_of(tmp_path / "a.gz") == [b"1"]


def test_a_killed_capture_costs_its_last_seconds_and_no_more(tmp_path):
    path = tmp_path / "a.gz"
    script = """
import sys, time
from pathlib import Path
from lib.supervise import Stop
from lib.tweets.capture import listen
from lib.tweets.window import Window
class Counting:
    name = "counting"
    def listen(self, window):
        number = 0
        while window.wait(0.005):
            window.line(b"%d" % number)
            number += 1
    def close(self): pass
listen(Counting(), Path(sys.argv[1]), Window(60), Stop(), lambda _: None)
"""
    process = subprocess.Popen([sys.executable, "-c", script, str(path)], cwd=ROOT)
    end = time.monotonic() + 20
    while not (path.exists() and path.stat().st_size) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    mend(path)
    found = [int(line) for line in lines_of(path)]
    assert len(found) > 10
    assert found == list(range(len(found)))


def test_a_whole_capture_needs_no_mending(tmp_path):
    path = write(tmp_path / "a.gz", [b"1", b"2"], [b"3"])
    before = path.read_bytes()
    assert mend(path) == 0
    assert path.read_bytes() == before


@settings(max_examples=60, deadline=None)
@given(
    members=st.lists(
        st.lists(st.binary(max_size=40).filter(lambda b: b"\n" not in b and b"\r" not in b), max_size=6), max_size=4
    ),
    cut=st.floats(0, 1),
)
def test_a_cut_capture_gives_its_first_lines_and_grows_on(tmp_path_factory, members, cut):
    path = write(tmp_path_factory.mktemp("cut") / "a.gz", *members)
    every = [line for lines in members for line in lines]
    os.truncate(path, int(path.stat().st_size * cut))
    mend(path)
    assert mend(path) == 0
    left = lines_of(path)
    assert left == every[: len(left)]
    with path.open("ab") as file:
        append(file, [b"more"])
    assert lines_of(path) == [*left, b"more"]


def test_garbage_behind_the_last_member_is_cut_off(tmp_path):
    path = write(tmp_path / "a.gz", [b"1", b"2"])
    with path.open("ab") as file:
        file.write(b"\0" * 5000)
    assert mend(path) == 5000
    assert gzip.decompress(path.read_bytes()) == b"1\n2\n"


def test_an_empty_capture_is_whole(tmp_path):
    assert mend(write(tmp_path / "a.gz")) == 0


def tweet(number, text, **more):
    return json.dumps({"id": number, "id_str": str(number), "text": text, "user": {"id": 1}, **more}).encode()


def test_a_deleted_tweet_leaves_the_capture_and_the_others_stay_as_they_were(tmp_path):
    kept = [tweet(1, "one"), tweet(3, "three"), b'{"delete":{"status":{"id":2,"id_str":"2"}}}', b"no json"]
    path = write(tmp_path / "a.gz", [kept[0], tweet(2, "a secret")], kept[1:])
    assert rewrite(path, {"2"}.__contains__) == 1
    assert lines_of(path) == kept
    assert b"secret" not in gzip.decompress(path.read_bytes())


def test_a_retweet_of_a_deleted_tweet_leaves_with_it(tmp_path):
    original = json.loads(tweet(2, "a secret"))
    path = write(tmp_path / "a.gz", [tweet(1, "one"), tweet(4, "RT @a: a secret", retweeted_status=original)])
    rewrite(path, {"2"}.__contains__)
    assert lines_of(path) == [tweet(1, "one")]
