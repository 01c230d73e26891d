"""The Saturday job, run by its command line on recordings that the tests make and on servers of their own."""

import gzip
import json
import signal
import time

import pytest
from afinn import Afinn

COUNTED = ["lines", "bytes", "tweets", "deletes", "duplicates", "malformed"]
SCORED = ["english", "scored", "positive", "negative", "nonzero", "sum"]
METRICS = {*COUNTED, *SCORED, "source", "mean", "mean_low", "mean_high", "gaps", "reconnects", "started_at", "ended_at"}
DATE = ("--date", "2024-06-01")
STARTED_MS = 1717279200000  # 1 June 2024, 22:00 UTC


def tweet(number, text, lang="en", **more):
    said = {"id": number, "id_str": str(number), "text": text, "lang": lang, "user": {"location": "Austin, TX"}}
    return json.dumps({**said, "timestamp_ms": str(STARTED_MS + number * 1000), **more}).encode()


def deletion(number):
    return json.dumps({"delete": {"status": {"id": number, "id_str": str(number)}}}).encode()


def record(desk, *lines, name="stream.jsonl.gz"):
    path = desk.folder / name
    path.write_bytes(gzip.compress(b"".join(line + b"\r\n" for line in lines)))
    return ("--replay", str(path))


MIXED = (
    tweet(1, "what a great, great day"),
    tweet(2, "this is awful"),
    tweet(3, "a day as others"),
    tweet(4, "un día bueno", "es"),
    tweet(5, "no idea", None),
    tweet(6, ""),
    tweet(1, "what a great, great day"),
    deletion(99),
    b"",
    b'{"id": 7, "text": "cut he',
)


def test_a_recording_becomes_rows_metrics_and_a_page(listener):
    code, said = listener.json(*record(listener, *MIXED), *DATE)
    assert code == 0
    metrics = said["metrics"]
    assert set(metrics) >= METRICS
    counted = {name: metrics[name] for name in COUNTED + SCORED}
    assert counted == {
        "lines": 10,
        "bytes": metrics["bytes"],
        "tweets": 6,
        "deletes": 1,
        "duplicates": 1,
        "malformed": 1,
        "english": 4,
        "scored": 3,
        "positive": 1,
        "negative": 1,
        "nonzero": 2,
        "sum": 3,
    }
    assert metrics["mean"] == pytest.approx(1.0)
    assert metrics["mean_low"] <= metrics["mean"] <= metrics["mean_high"]
    assert (metrics["gaps"], metrics["reconnects"]) == (0, 0)
    assert (metrics["started_at"], metrics["ended_at"]) == ("2024-06-01T22:00:01.000Z", "2024-06-01T22:00:06.000Z")
    assert said["rejected"] == {"truncated": 1}
    assert listener.query("SELECT id, valence, kind FROM tweets ORDER BY id") == [
        ("1", 6, "words"),
        ("2", -3, "words"),
        ("3", 0, "no words"),
        ("4", 0, "not English"),
        ("5", 0, "no language"),
        ("6", 0, "no text"),
    ]
    page = (listener.folder / said["report"]).read_text()
    assert "<script" not in page
    assert "demo data" not in page


def test_scores_are_printed_in_a_row_as_the_original_did(listener):
    done = listener.run(*record(listener, *MIXED), "--print", "scores", "--quiet")
    assert done.stdout == "6,-3,0,0,0,0\n"
    assert done.stderr == ""


def test_a_line_a_tweet_has_its_language_place_text_and_score(listener):
    place = {"full_name": "Queens, NY", "country_code": "US", "place_type": "city"}
    lines = (tweet(1, "two\nlines and \x1b[31mred\tgood", place=place), tweet(2, "nada", "es", user={}))
    done = listener.run(*record(listener, *lines), "--print", "lines", "--quiet")
    assert done.stdout.splitlines() == ["en\tQueens, NY\ttwo lines and  [31mred good\t3", "es\t-\tnada\t0"]


def test_the_rule_words_is_the_original_s(listener):
    lines = [tweet(1, "Good good good."), tweet(2, "can't stand it")]
    assert listener.run(*record(listener, *lines), "--rule", "words", "--print", "scores").stdout == "3,0\n"


def test_scores_are_those_of_the_afinn_package(listener):
    texts = ["I can’t stand this &amp; that", "some kind of nice", "not good!", "GREAT", "cool stuff, no fun", "abc"]
    afinn = Afinn()
    afinn.setup_from_file(afinn.full_filename("AFINN-111.txt"))
    straight = [text.replace("&amp;", "&").replace("’", "'") for text in texts]
    recording = record(listener, *(tweet(number, text) for number, text in enumerate(texts, 1)))
    done = listener.run(*recording, "--print", "scores")
    assert done.stdout == ",".join(str(int(afinn.score(text))) for text in straight) + "\n"


def test_a_deleted_tweet_is_in_no_store_and_on_no_page(listener):
    lines = (tweet(1, "a great secret"), deletion(1), tweet(2, "a good day"))
    _, said = listener.json(*record(listener, *lines), *DATE)
    assert (said["metrics"]["tweets"], said["metrics"]["deletes"], said["metrics"]["deleted"]) == (1, 1, 1)
    assert listener.query("SELECT id FROM tweets") == [("2",)]
    assert "secret" not in (listener.folder / said["report"]).read_text()
    assert b"secret" not in (listener.data / "nightdesk.db").read_bytes()


def test_a_tweet_deleted_a_week_later_leaves_the_store_and_the_old_page(listener):
    first = listener.json(*record(listener, tweet(1, "a great secret"), tweet(2, "good"), name="a.gz"), *DATE)[1]
    page = listener.folder / first["report"]
    assert "secret" in page.read_text()
    listener.json(*record(listener, deletion(1), tweet(3, "bad"), name="b.gz"), "--date", "2024-06-08")
    assert "secret" not in page.read_text()
    assert not [path for path in listener.data.rglob("report.html") if "secret" in path.read_text()]
    assert listener.query("SELECT id, text, valence, deleted FROM tweets ORDER BY id") == [
        ("1", None, 3, 1),
        ("2", "good", 3, 0),
        ("3", "bad", -3, 0),
    ]


def test_the_second_saturday_is_compared_with_the_first(listener):
    listener.json(*record(listener, tweet(1, "good"), tweet(2, "good"), name="a.gz"), *DATE)
    _, said = listener.json(*record(listener, tweet(3, "bad"), tweet(4, "good"), name="b.gz"), "--date", "2024-06-08")
    page = (listener.folder / said["report"]).read_text()
    assert "What moved it since" in page
    assert "The last Saturdays" in page


def test_a_recording_without_english_tells_no_mood(listener):
    code, said = listener.json(*record(listener, tweet(1, "hola", "es")))
    assert (code, said["metrics"]["mean"], said["metrics"]["scored"]) == (0, None, 0)


@pytest.mark.parametrize("content", [b"", b"\r\n\r\n", b"no json\n"])
def test_a_recording_with_nothing_in_it_is_a_night_without_tweets(listener, content):
    (listener.folder / "a.jsonl").write_bytes(content)
    code, said = listener.json("--replay", "a.jsonl")
    assert (code, said["metrics"]["tweets"]) == (0, 0)


def test_without_a_token_x_says_what_to_do(listener):
    done = listener.run("--source", "x")
    assert done.returncode == 78
    assert "NIGHTDESK_X_BEARER_TOKEN" in done.stderr.splitlines()[-1]


def test_a_recording_and_another_source_are_wrong_usage(listener):
    assert listener.run("--source", "bluesky", *record(listener)).returncode == 2


def test_a_replay_without_a_recording_says_so(listener):
    done = listener.run("--source", "replay")
    assert done.returncode == 78
    assert "--replay" in done.stderr


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_stop_signal_leaves_a_partial_result_that_is_whole(listener, name):
    lines = [tweet(number, "good") for number in range(1, 400)]
    process = listener.start("--json", *record(listener, *lines), "--speed", "10", *DATE)
    end = time.monotonic() + 30
    while not list(listener.data.glob("captures/*.gz")) and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(2.5)
    process.send_signal(getattr(signal, name))
    out, _ = process.communicate(timeout=30)
    said = json.loads(out)
    assert process.returncode == 0
    assert (said["status"], said["partial"]) == ("ok", True)
    assert 5 < said["metrics"]["tweets"] < 200
    assert listener.query("SELECT status, partial FROM runs") == [("ok", 1)]
    assert listener.query("SELECT COUNT(*) FROM tweets") == [(said["metrics"]["tweets"],)]


def test_dry_run_names_what_would_be_read_or_heard(listener):
    assert "stream.jsonl.gz" in listener.run(*record(listener), "--dry-run").stdout
    heard = listener.run("--source", "bluesky", "--dry-run", env={"NIGHTDESK_JETSTREAM_URL": "ws://127.0.0.1:9"})
    assert "ws://127.0.0.1:9" in heard.stdout
    assert not listener.data.exists()


@pytest.mark.parametrize(
    "odd",
    [
        {"timestamp_ms": "9" * 20},
        {"timestamp_ms": "9" * 400},
        {"timestamp_ms": None, "created_at": "0001-01-01T00:00:00+14:00"},
        {"timestamp_ms": None, "created_at": "9999-12-31T23:59:59Z"},
        {"timestamp_ms": None, "id": 10**30, "id_str": "1" + "0" * 30},
        {"timestamp_ms": None, "id": 7, "id_str": "9" * 420},
    ],
)
def test_a_tweet_with_a_date_that_cannot_be_has_none(listener, odd):
    env = {"NIGHTDESK_TIMEZONE": "Pacific/Auckland"}
    code, said = listener.json(*record(listener, tweet(1, "good"), tweet(2, "bad", **odd)), env=env)
    assert (code, said["metrics"]["scored"]) == (0, 2)
    assert said["metrics"]["started_at"] == said["metrics"]["ended_at"] == "2024-06-01T22:00:01.000Z"
    assert listener.query("SELECT COUNT(*) FROM tweets WHERE created_at IS NULL") == [(1,)]


def test_a_recording_given_by_hand_comes_before_a_configured_source(listener):
    (listener.folder / "nightdesk.toml").write_text('[capture_tweets]\nsource = "bluesky"\n')
    code, said = listener.json(*record(listener, tweet(1, "good")))
    assert (code, said["metrics"]["source"]) == (0, "replay")


@pytest.mark.parametrize(("name", "value"), [("--minutes", "nan"), ("--speed", "nan"), ("--speed", "inf")])
def test_a_number_that_is_none_is_wrong_usage(listener, name, value):
    done = listener.run(*record(listener), name, value)
    assert done.returncode == 2
    assert name in done.stderr.splitlines()[-1]


def test_a_password_in_an_address_is_neither_shown_nor_stored(listener):
    done = listener.run("--source", "x", env={"NIGHTDESK_X_URL": "http://u:hunter2@127.0.0.1:9/"})
    assert done.returncode == 78
    assert "hunter2" not in done.stdout + done.stderr
    assert not listener.data.exists()


def test_a_deleted_tweet_leaves_the_rejected_lines_too(listener):
    cut = tweet(1, "a great secret")[:-2]
    _, said = listener.json(*record(listener, cut, b"no json", deletion(1), tweet(2, "good")))
    assert said["metrics"]["malformed"] == 2
    (path,) = listener.data.rglob("rejects.jsonl")
    assert "secret" not in path.read_text()
    assert [json.loads(line)["text"] for line in path.read_text().splitlines()] == ["", "no json"]


def test_a_tweet_known_to_be_deleted_stays_away_when_an_old_recording_is_scored_again(listener):
    old = record(listener, tweet(1, "a great secret"), tweet(2, "good"), name="a.gz")
    listener.json(*old, *DATE)
    listener.json(*record(listener, deletion(1), tweet(3, "bad"), name="b.gz"), "--date", "2024-06-08")
    _, said = listener.json(*old, "--date", "2024-06-15")
    assert said["metrics"]["tweets"] == 1
    assert "secret" not in (listener.folder / said["report"]).read_text()


def test_a_saturday_is_compared_with_a_saturday(listener):
    listener.json(*record(listener, tweet(1, "good"), tweet(2, "good"), name="a.gz"), *DATE)
    listener.json(*record(listener, tweet(3, "awful"), tweet(4, "awful"), name="b.gz"), "--date", "2024-06-07")
    _, said = listener.json(*record(listener, tweet(5, "bad"), tweet(6, "good"), name="c.gz"), "--date", "2024-06-08")
    page = (listener.folder / said["report"]).read_text()
    assert "against 2024-06-01" in page
    assert "The last Saturdays" in page
