"""The Saturday job against a server on loopback that stands in for X, with all that may go wrong."""

import gzip
import json
import os
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.lib.tweets.fake_x import CLOSE, RESET, answer, post, stream

DATE = ("--date", "2024-06-01")
TOKEN = "AAAAsecretAAAA"
GONE = b'{"delete":{"status":{"id":1300000000000000001,"id_str":"1300000000000000001"}}}\r\n'  # of post(1)


@pytest.fixture
def live(listener, fake_x):
    """A desk whose X is the fake one."""
    listener.x = fake_x
    listener.at_x = {"NIGHTDESK_X_URL": fake_x.url, "NIGHTDESK_X_BEARER_TOKEN": TOKEN}
    return listener


def until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def captured(desk):
    return b"".join(gzip.decompress(path.read_bytes()) for path in sorted(desk.data.glob("captures/*.gz")))


def lasted(metrics):
    begun, ended = (datetime.fromisoformat(metrics[name]) for name in ("started_at", "ended_at"))
    return (ended - begun).total_seconds()


def test_a_window_of_x_becomes_a_capture_rows_and_a_page(live):
    live.x.plan = [stream(post(1, "a great day"), post(2, "an awful day"), RESET), stream(post(2), post(3, "a day"))]
    code, said = live.json("--source", "x", "--minutes", "0.05", *DATE, env=live.at_x)
    metrics = said["metrics"]
    assert (code, said["status"], "partial" in said) == (0, "ok", False)
    assert (metrics["source"], metrics["tweets"], metrics["duplicates"]) == ("x", 3, 1)
    assert (metrics["sum"], metrics["scored"]) == (0, 3)
    assert (metrics["gaps"], metrics["reconnects"]) == (1, 1)
    assert lasted(metrics) == pytest.approx(3.0, abs=0.5)
    assert (metrics["posts_paid"], metrics["cost_dollars"]) == (4, 0.02)
    assert captured(live).count(b"\n") == 4
    assert live.query("SELECT why, filled FROM gaps") != []
    page = (live.folder / said["report"]).read_text()
    assert "Gaps" in page
    assert "an estimated $0.02" in page
    assert "sample:5" in page  # the bias of the rule is stated


def test_the_token_is_written_nowhere(live):
    live.x.plan = [stream(post(1), RESET), answer(503, {"detail": "down"})]
    done = live.run("--source", "x", "--minutes", "0.03", env=live.at_x)
    assert live.x.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in done.stdout + done.stderr
    for path in [*live.data.rglob("*"), *live.reports.rglob("*")]:
        assert path.is_dir() or TOKEN.encode() not in path.read_bytes()


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_fails_at_once_with_77(live, status):
    live.x.plan = [answer(status, {"title": "no", "detail": "not for you"})]
    started = time.monotonic()
    code, said = live.json("--source", "x", env=live.at_x)
    assert (code, said["status"]) == (77, "failed")
    assert time.monotonic() - started < 10  # with Python's start on a busy machine; the source's own test says 5
    assert not list(live.data.glob("captures/*"))


def test_a_rate_limit_beyond_the_window_ends_on_time_and_says_so(live):
    live.x.plan = [answer(429, {"title": "Too Many Requests"}, x_rate_limit_reset=str(int(time.time()) + 900))]
    started = time.monotonic()
    done = live.run("--source", "x", "--minutes", "0.05", env=live.at_x)
    assert done.returncode == 69
    assert time.monotonic() - started < 12
    assert "429" in done.stderr.splitlines()[-1]


def test_a_silent_stream_is_a_night_without_tweets(live):
    code, said = live.json("--source", "x", "--minutes", "0.02", env=live.at_x)
    assert (code, said["status"], said["metrics"]["tweets"], said["metrics"]["mean"]) == (0, "ok", 0, None)


def test_the_cap_on_posts_is_hard(live):
    live.x.plan = [stream(*(post(number) for number in range(50)))]
    code, said = live.json("--source", "x", "--minutes", "5", "--max-posts", "20", env=live.at_x)
    assert (code, said["metrics"]["tweets"], said["partial"]) == (0, 20, True)
    assert "cap" in (live.folder / said["report"]).read_text()


def cut_power(process):
    """Kill the supervisor and its child at once."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in [process.pid, *map(int, children)]:
        os.kill(pid, signal.SIGKILL)
    process.communicate()


def test_a_killed_capture_is_scored_by_the_next_start_of_its_date(live):
    live.x.plan = [stream(post(1, "a great day"), post(2), 60.0), stream(post(2), post(4, "awful"))]
    process = live.start("--source", "x", "--minutes", "2", *DATE, env=live.at_x)
    until(lambda: b"great" in captured(live))
    cut_power(process)
    (path,) = live.data.glob("captures/*.gz")
    with path.open("ab") as file:
        file.write(b"\x1f\x8b\x08\x00torn")
    code, said = live.json("--source", "x", "--minutes", "0.03", *DATE, env=live.at_x)
    assert code == 0
    assert [text for (text,) in live.query("SELECT text FROM tweets ORDER BY id")] == [
        "a great day",
        "good morning",
        "awful",
    ]
    assert (said["metrics"]["gaps"], said["metrics"]["duplicates"]) == (1, 1)
    assert gzip.decompress(path.read_bytes()).startswith(b'{"data"')
    assert live.query("SELECT status FROM runs ORDER BY id") == [("crashed",), ("ok",)]


def test_a_capture_left_on_another_date_is_named_to_a_person(live):
    live.x.plan = [stream(post(1, "a great day"), 60.0), stream(post(4, "awful"))]
    process = live.start("--source", "x", "--minutes", "2", *DATE, env=live.at_x)
    until(lambda: b"great" in captured(live))
    cut_power(process)
    done = live.run("--source", "x", "--minutes", "0.03", "--date", "2024-06-08", env=live.at_x)
    assert "--date 2024-06-01" in done.stderr
    (left,) = live.data.glob("captures/2024-06-01-*.gz")
    code, said = live.json("--replay", str(left), *DATE)
    assert (code, said["metrics"]["tweets"]) == (0, 1)
    done = live.run("--source", "x", "--minutes", "0.03", "--date", "2024-06-15", env=live.at_x)
    assert "--date 2024-06-01" not in done.stderr


def test_a_child_whose_supervisor_is_killed_ends_early_and_commits(live):
    live.x.plan = [stream(post(1, "a great day"), 60.0)]
    process = live.start("--source", "x", "--minutes", "2", *DATE, env=live.at_x)
    until(lambda: b"great" in captured(live))
    process.kill()
    process.communicate()
    until(lambda: live.query("SELECT status, partial FROM runs") == [("ok", 1)])


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_stop_signal_keeps_what_came_in(live, name):
    live.x.plan = [stream(post(1, "a great day"), 60.0)]
    process = live.start("--source", "x", "--minutes", "5", "--json", *DATE, env=live.at_x)
    until(lambda: live.x.asked("/2/tweets/search/stream"))
    time.sleep(0.5)
    started = time.monotonic()
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=30)
    said = json.loads(out)
    assert (process.returncode, said["status"], said["partial"]) == (0, "ok", True)
    assert said["metrics"]["tweets"] == 1
    assert time.monotonic() - started < 10
    assert name in err


def test_a_deleted_post_leaves_the_capture(live):
    live.x.plan = [stream(post(1, "a great secret"), GONE, post(2, "a good day"))]
    _, said = live.json("--source", "x", "--minutes", "0.03", *DATE, env=live.at_x)
    assert (said["metrics"]["tweets"], said["metrics"]["deleted"]) == (1, 1)
    assert b"secret" not in captured(live)
    assert b"good day" in captured(live)


def test_a_post_deleted_a_week_later_leaves_last_week_s_capture(live):
    live.x.plan = [stream(post(1, "a great secret"), post(2, "a good day"))]
    live.json("--source", "x", "--minutes", "0.03", *DATE, env=live.at_x)
    assert b"secret" in captured(live)
    live.x.plan = [stream(GONE)]
    live.json("--source", "x", "--minutes", "0.03", "--date", "2024-06-08", env=live.at_x)
    assert b"secret" not in captured(live)
    assert b"secret" not in (live.data / "nightdesk.db").read_bytes()


def test_a_window_that_came_to_nothing_says_what_was_tried(live):
    live.x.plan = [answer(503, {"detail": "down"})]
    code, said = live.json("--source", "x", "--minutes", "0.03", env=live.at_x)
    assert (code, said["metrics"]["source"], said["metrics"]["gaps"]) == (69, "x", 1)
    assert lasted(said["metrics"]) == pytest.approx(1.8, abs=0.3)


def test_a_deleted_post_that_is_only_quoted_leaves_the_capture(live):
    quoted = {"id": "1300000000000000001", "text": "a great secret"}
    line = json.loads(post(2, "look at that", referenced_tweets=[{"type": "quoted", "id": quoted["id"]}]))
    line["includes"] = {"tweets": [quoted]}
    live.x.plan = [stream(json.dumps(line).encode() + b"\r\n", GONE)]
    _, said = live.json("--source", "x", "--minutes", "0.03", env=live.at_x)
    assert said["metrics"]["tweets"] == 1
    assert b"secret" not in captured(live)
    assert b"look at that" in captured(live)


def test_a_result_that_is_replaced_takes_its_capture_along(live):
    live.x.plan = [stream(post(1, "a great day")), stream(post(2, "an awful day"))]
    live.json("--source", "x", "--minutes", "0.03", *DATE, env=live.at_x)
    live.json("--source", "x", "--minutes", "0.03", *DATE, "--force", env=live.at_x)
    assert b"great" not in captured(live)
    assert b"awful" in captured(live)


def test_scoring_a_capture_again_keeps_it(live):
    live.x.plan = [stream(post(1, "a great day"))]
    live.json("--source", "x", "--minutes", "0.03", *DATE, env=live.at_x)
    (path,) = live.data.glob("captures/*.gz")
    code, said = live.json("--replay", str(path), "--rule", "words", *DATE, "--force")
    assert (code, said["metrics"]["tweets"]) == (0, 1)
    assert path.exists()


def test_a_capture_left_behind_forgets_what_is_deleted_later(live):
    live.x.plan = [stream(post(1, "a great secret"), post(3, "kept"), 60.0), stream(GONE, post(4, "awful"))]
    process = live.start("--source", "x", "--minutes", "2", *DATE, env=live.at_x)
    until(lambda: b"kept" in captured(live))
    cut_power(process)
    live.json("--source", "x", "--minutes", "0.03", "--date", "2024-06-08", env=live.at_x)
    assert b"secret" not in captured(live)
    assert b"kept" in captured(live)


def test_a_server_that_only_talks_nonsense_is_69_and_leaves_no_capture(live):
    live.x.plan = [stream(b"<html>Down for maintenance</html>\r\n", CLOSE, content_type="text/html")]
    code, said = live.json("--source", "x", "--minutes", "0.04", env=live.at_x)
    assert (code, said["status"]) == (69, "failed")
    assert not list(live.data.glob("captures/*"))
