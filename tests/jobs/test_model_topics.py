"""The weekly topics job, run by its command line on files as they come."""

import gzip
import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from gensim.corpora import Dictionary
from gensim.models import LdaModel

KEYS = ["job", "run_id", "date", "status", "started_at", "seconds", "report", "metrics", "rejected"]
THEME_WORDS = ["rocket", "orbit", "moon", "tomato", "soil", "seed", "violin", "concert", "melody", "choir"]
FAST = ("--topics", "3", "--passes", "5")


def query(desk, sql, *values):
    connection = sqlite3.connect(desk.data / "nightdesk.db")
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def test_a_run_leaves_rows_files_and_a_page(desk):
    code, said = desk.json(*FAST, "--date", "2024-06-02")
    assert code == 0
    assert list(said) == KEYS
    assert (said["job"], said["status"], said["date"]) == ("model_topics", "ok", "2024-06-02")
    metrics = said["metrics"]
    assert set(metrics) == {
        "articles",
        "new_articles",
        "tokens",
        "vocabulary",
        "topics",
        "coherence_npmi",
        "stability",
        "bound_per_word",
        "fit_no_topic",
        "repaired",
        "stage_seconds",
    }
    assert (metrics["articles"], metrics["new_articles"], len(metrics["topics"])) == (60, 60, 3)
    assert set(metrics["topics"][0]) == {
        *("id", "column", "fate", "since", "label", "words", "share", "npmi", "stability")
    }
    assert metrics["coherence_npmi"] > 0.2  # three planted subjects
    assert query(desk, "SELECT COUNT(*) FROM articles") == [(60,)]
    assert query(desk, "SELECT COUNT(*) FROM topics") == [(3,)]
    assert query(desk, "SELECT COUNT(*) FROM topic_words") == [(30,)]
    assert query(desk, "SELECT COUNT(DISTINCT article), MIN(weight) > 0.01 FROM article_topics") == [(60, 1)]
    folder = desk.data / query(desk, "SELECT folder FROM runs")[0][0]
    model = LdaModel.load(str(folder / "lda.model"))
    assert model.num_topics == 3
    assert len(Dictionary.load(str(folder / "dictionary.gensim"))) == metrics["vocabulary"]
    matrix = np.load(folder / "document_topics.npz")
    assert matrix["weights"].shape == (60, 3)
    page = (desk.folder / said["report"]).read_text()
    assert page == (desk.reports / "model_topics" / "latest.html").read_text()
    assert "demo data" not in page
    assert "model_topics/2024-06-02.html" in (desk.reports / "index.html").read_text()


def test_the_publication_at_the_end_of_titles_is_in_no_topic(desk):
    _, said = desk.json(*FAST, "--text", "title")
    words = {word for topic in said["metrics"]["topics"] for word, _ in topic["words"]}
    assert words
    assert not words & {"planet", "daily", "daily_planet", "the"}


def test_the_same_input_gives_the_same_topics_byte_for_byte(desk):
    first = desk.json(*FAST, "--date", "2024-06-02", env={"PYTHONHASHSEED": "1"})[1]
    second = desk.json(*FAST, "--date", "2024-06-02", "--force", env={"PYTHONHASHSEED": "2"})[1]
    assert json.dumps(first["metrics"]["topics"]) == json.dumps(second["metrics"]["topics"])


def story(number, theme, words):
    """A row about one thing."""
    text = " ".join(random.Random(number).choices(words.split(), k=40))
    return [str(number), str(number), f"{theme} story {number}", "Planet", "", "2024-05-05", "", "", "", text]


def week_of(make_csv, desk, first, themes):
    """Twenty articles on each of the themes, for the next run to read."""
    numbers = range(first, first + 20 * len(themes))
    rows = [story(number, theme, THEMES[theme]) for number, theme in zip(numbers, list(themes) * 20, strict=True)]
    make_csv(desk.articles / "news.csv", rows)


def about(said):
    """Each topic's number by the theme that its likeliest word is of."""
    topics = said["metrics"]["topics"]
    return {
        next(theme for theme, words in THEMES.items() if topic["words"][0][0] in words.split()): topic["id"]
        for topic in topics
    }


THEMES = {
    "Space": "rocket orbit moon astronaut launch satellite planet telescope comet engine",
    "Garden": "tomato soil seed compost rose hedge lawn pruning greenhouse harvest",
    "Music": "violin orchestra concert melody rhythm choir piano festival singer album",
    "Weather": "rain cloud storm wind snow frost flood drought thunder hail",
}


def test_over_three_weeks_topics_keep_their_numbers_one_dies_and_another_is_born(desk, make_csv):
    args = (*FAST, "--passes", "20", "--no-phrases")
    pages = desk.reports / "model_topics"
    week_of(make_csv, desk, 0, ("Space", "Garden", "Music"))
    first = desk.json(*args, "--date", "2024-06-02")[1]
    assert sorted(about(first).values()) == [0, 1, 2]
    assert {topic["fate"] for topic in first["metrics"]["topics"]} == {"born"}
    assert 'id="weeks"' not in (pages / "2024-06-02.html").read_text()

    week_of(make_csv, desk, 60, ("Music", "Space", "Garden"))
    second = desk.json(*args, "--date", "2024-06-09")[1]
    assert about(second) == about(first)
    assert {(topic["fate"], topic["since"]) for topic in second["metrics"]["topics"]} == {("continued", "2024-06-02")}
    assert "None was born, and none is gone." in (pages / "2024-06-09.html").read_text()

    week_of(make_csv, desk, 120, ("Weather", "Music", "Space"))
    third = desk.json(*args, "--date", "2024-06-16")[1]
    assert about(third) == {theme: about(first)[theme] for theme in ("Music", "Space")} | {"Weather": 3}
    events = query(desk, "SELECT event, topic, before FROM topic_events WHERE run = 3 ORDER BY event")
    assert events == [("born", 3, 2), ("died", about(first)["Garden"], 2)]
    page = (pages / "2024-06-16.html").read_text()
    assert page.count("<strong>Gone:</strong>") == page.count("<strong>New:</strong>") == 1
    assert "3rd week" in page
    assert "Topics over the weeks" in page

    again = desk.json(*args, "--date", "2024-06-16", "--force")[1]
    assert json.dumps(again["metrics"]["topics"]) == json.dumps(third["metrics"]["topics"])
    assert query(desk, "SELECT DISTINCT run FROM topic_events ORDER BY run") == [(1,), (4,)]

    fresh = desk.json(*args, "--date", "2024-06-16", "--force", "--start", "fresh", "--seed", "9")[1]
    assert about(fresh) == about(third)  # at random the topics lie in other columns, and are known again


def test_damaged_files_of_last_week_start_the_topics_afresh_and_the_page_says_so(desk):
    desk.run(*FAST, "--date", "2024-06-02")
    folder = desk.data / query(desk, "SELECT folder FROM runs")[0][0]
    (folder / "topics.npz").write_bytes((folder / "topics.npz").read_bytes()[:100])
    code, said = desk.json(*FAST, "--date", "2024-06-09")
    assert code == 0
    assert sorted(topic["id"] for topic in said["metrics"]["topics"]) == [3, 4, 5]
    page = (desk.folder / said["report"]).read_text()
    assert "The topics of 2024-06-02 can’t be carried on (topics.npz is damaged)" in page
    code, said = desk.json(*FAST, "--date", "2024-06-16")
    assert sorted(topic["id"] for topic in said["metrics"]["topics"]) == [3, 4, 5]


def test_a_store_from_before_topics_had_numbers_is_carried_on_afresh(desk):
    desk.run(*FAST, "--date", "2024-06-02")
    with sqlite3.connect(desk.data / "nightdesk.db") as db:
        db.execute('UPDATE topics SET "column" = NULL, fate = NULL, since = NULL, weeks = NULL, labelled = NULL')
    db.close()
    code, said = desk.json(*FAST, "--date", "2024-06-09")
    assert (code, sorted(topic["id"] for topic in said["metrics"]["topics"])) == (0, [3, 4, 5])


def test_more_or_fewer_topics_than_last_week_are_no_failure(desk):
    desk.run(*FAST, "--date", "2024-06-02")
    code, said = desk.json(*FAST, "--topics", "5", "--date", "2024-06-09")
    assert (code, len(said["metrics"]["topics"])) == (0, 5)
    code, said = desk.json(*FAST, "--topics", "2", "--date", "2024-06-16")
    assert (code, len(said["metrics"]["topics"])) == (0, 2)


def test_a_page_without_new_articles_says_so(desk):
    desk.run(*FAST, "--date", "2024-06-02")
    _, said = desk.json(*FAST, "--date", "2024-06-09")
    assert said["metrics"]["new_articles"] == 0
    assert "No article is new since the last run" in (desk.folder / said["report"]).read_text()


def test_a_second_run_on_the_same_date_is_skipped(desk):
    desk.run(*FAST, "--date", "2024-06-02")
    done = desk.run(*FAST, "--date", "2024-06-02", "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["status"]) == (0, "skipped")
    assert "--force" in done.stderr.splitlines()[-1]
    assert query(desk, "SELECT status FROM runs ORDER BY id") == [("ok",), ("skipped",)]


def test_force_replaces_a_result_whole(desk, make_csv, rows):
    desk.run(*FAST, "--date", "2024-06-02")
    first = desk.data / query(desk, "SELECT folder FROM runs")[0][0]
    make_csv(desk.articles / "news.csv", rows[:45])
    code, said = desk.json(*FAST, "--date", "2024-06-02", "--force")
    assert (code, said["metrics"]["articles"], said["metrics"]["new_articles"]) == (0, 45, 45)
    assert query(desk, "SELECT id, committed FROM runs ORDER BY id") == [(1, 0), (2, 1)]
    assert query(desk, "SELECT DISTINCT run FROM topics UNION SELECT run FROM article_topics") == [(2,)]
    assert query(desk, "SELECT COUNT(*) FROM articles") == [(45,)]
    assert not first.exists()


def test_a_forced_run_that_fails_leaves_the_earlier_result(desk):
    _, said = desk.json(*FAST, "--date", "2024-06-02")
    page = (desk.folder / said["report"]).read_bytes()
    (desk.articles / "news.csv").write_text("id,title\n1,x\n")
    code, failed = desk.json(*FAST, "--date", "2024-06-02", "--force")
    assert (code, failed["status"], failed["report"]) == (65, "failed", "reports/model_topics/run-2.html")
    assert "has failed" in (desk.folder / failed["report"]).read_text()
    assert query(desk, "SELECT COUNT(*) FROM topics WHERE run = 1") == [(3,)]
    assert (desk.folder / said["report"]).read_bytes() == page


def test_dry_run_prints_the_plan_and_writes_nothing(desk):
    before = sorted(desk.folder.rglob("*"))
    done = desk.run(*FAST, "--dry-run")
    assert done.returncode == 0
    assert "news.csv" in done.stdout
    assert sorted(desk.folder.rglob("*")) == before


def test_topics_are_printed_in_gensims_notation_on_request(desk):
    done = desk.run(*FAST, "--print-topics")
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all('*"' in line and " + " in line for line in lines)


def test_a_missing_column_is_named_with_what_is_there_instead(desk, make_csv):
    path = make_csv(desk.articles / "news.csv", [["1", "Title", "Body"]], ["id", "title", "body"])
    done = desk.run(*FAST, "--json")
    assert done.returncode == 65
    assert json.loads(done.stdout)["status"] == "failed"
    last = done.stderr.splitlines()[-1]
    assert "news.csv" in last
    assert "content" in last
    assert "body" in last
    assert "Traceback" not in done.stderr
    assert path.exists()


def test_rows_that_are_left_out_are_counted_and_kept_also_when_the_run_fails(desk, make_csv):
    make_csv(desk.articles / "news.csv", [["1", "1", "", "P", "", "", "", "", "", ""], ["2", "2", "too short"]])
    code, said = desk.json(*FAST)
    assert (code, said["rejected"]) == (65, {"empty": 1, "wrong number of cells": 1})
    folder = desk.data / query(desk, "SELECT folder FROM runs")[0][0]
    kept = [json.loads(line) for line in (folder / "rejects.jsonl").read_text().splitlines()]
    assert [each["reason"] for each in kept] == ["empty", "wrong number of cells"]
    assert "too short" in kept[1]["text"]


def test_no_articles_at_all_is_a_source_that_is_not_there(tmp_path, desk):
    (desk.articles / "news.csv").unlink()
    desk.articles.rmdir()
    done = desk.run()
    assert done.returncode == 69
    assert "articles" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "args", [("--topics", "ten"), ("--date", "yesterday"), ("--nonsense",), ("--articles", "nowhere.csv")]
)
def test_wrong_usage_exits_with_2(desk, args):
    assert desk.run(*args).returncode == 2


def test_settings_come_from_defaults_then_file_then_environment_then_options(desk):
    (desk.folder / "nightdesk.toml").write_text("[model_topics]\ntopics = 4\npasses = 2\n")
    count = lambda *args, **how: len(desk.json("--force", *args, **how)[1]["metrics"]["topics"])  # noqa: E731
    assert count() == 4
    assert count(env={"NIGHTDESK_MODEL_TOPICS_TOPICS": "5"}) == 5
    assert count("--topics", "2", env={"NIGHTDESK_MODEL_TOPICS_TOPICS": "5"}) == 2


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[model_topics]\ntopics = 'ten'\n", ["nightdesk.toml", "topics", "ten"]),
        ("[model_topics]\ntopcis = 3\n", ["nightdesk.toml", "topcis", "topics"]),
        ("timezone = 'Mars/Base'\n", ["timezone", "Mars/Base", "Europe/Madrid"]),
        ("colour = 1\n", ["colour", "timezone"]),
        ("not toml", ["nightdesk.toml"]),
    ],
)
def test_a_wrong_setting_exits_with_78_and_names_itself(desk, text, named):
    (desk.folder / "nightdesk.toml").write_text(text)
    done = desk.run("--json")
    assert done.returncode == 78
    assert list(json.loads(done.stdout)) == KEYS
    assert all(each in done.stderr.splitlines()[-1] for each in named), done.stderr


def test_a_data_folder_that_cannot_be_made_exits_with_73(desk):
    (desk.folder / "file").write_text("")
    code, said = desk.json("--data", "file", "--articles", str(desk.articles))
    assert (code, said["status"], said["run_id"]) == (73, "failed", None)


def test_quiet_says_nothing_unless_it_fails(desk):
    assert desk.run(*FAST, "--quiet").stderr == ""
    (desk.articles / "news.csv").write_text("")
    assert len(desk.run(*FAST, "--quiet", "--force").stderr.splitlines()) == 1


def test_a_truncated_archive_gives_what_it_holds(desk, make_csv, rows):
    plain = make_csv(desk.folder / "news.csv", rows).read_bytes()
    (desk.articles / "news.csv").unlink()
    packed = gzip.compress(plain)
    (desk.articles / "news.csv.gz").write_bytes(packed[: len(packed) * 3 // 4])
    code, said = desk.json(*FAST)
    assert code == 0
    assert 10 < said["metrics"]["articles"] < 60


def test_json_stays_one_object_when_topics_are_printed(desk):
    done = desk.run(*FAST, "--print-topics", "--json")
    assert json.loads(done.stdout)["status"] == "ok"
    assert '*"' in done.stderr


def test_pages_that_cannot_be_written_fail_before_the_work_with_73(desk):
    (desk.folder / "file").write_text("")
    done = desk.run(*FAST, "--reports", "file", "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["status"], said["report"]) == (73, "failed", None)
    assert "file" in done.stderr.splitlines()[-1]
    assert query(desk, "SELECT status, exit_code FROM runs") == [("failed", 73)]


def test_a_file_name_that_is_no_utf8_is_read_like_any_other(desk):
    name = os.fsdecode(b"bad\xffname.csv")
    (desk.articles / "news.csv").rename(desk.articles / name)
    code, said = desk.json(*FAST)
    assert (code, said["metrics"]["articles"]) == (0, 60)


def test_many_articles_on_few_words_are_no_failure(desk, make_csv):
    words = THEME_WORDS
    rows = [
        [str(n), str(n), f"story {n}", "P", "", "", "", "", "", " ".join(random.Random(n).choices(words, k=50))]
        for n in range(200)
    ]
    make_csv(desk.articles / "news.csv", rows)
    code, said = desk.json(*FAST)
    assert (code, said["metrics"]["articles"]) == (0, 200)


def test_what_was_mended_is_counted_in_the_metrics(desk):
    path = desk.articles / "news.csv"
    path.write_bytes(path.read_bytes() + b'61,561,"Caf\xe9 story",P,,31/31/2017,,,,"rocket moon \x00orbit comet"\n')
    _, said = desk.json(*FAST)
    assert said["metrics"]["repaired"] == {"NUL bytes": 1, "bytes not in UTF-8": 1, "dates not understood": 1}


@pytest.mark.parametrize("value", ["[1, 2]", "10.7", "true"])
def test_a_setting_of_another_type_exits_with_78(desk, value):
    (desk.folder / "nightdesk.toml").write_text(f"[model_topics]\ntopics = {value}\n")
    done = desk.run("--json")
    assert done.returncode == 78
    assert "topics" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_table_for_no_job_exits_with_78(desk):
    (desk.folder / "nightdesk.toml").write_text("[model_topic]\ntopics = 3\n")
    done = desk.run()
    assert done.returncode == 78
    assert "model_topics" in done.stderr


def running(desk, *args):
    process = subprocess.Popen(
        desk.command("--engine", "gensim", "--passes", "1000", "--json", *args),
        cwd=desk.folder,
        env=desk.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if (
            (desk.data / "nightdesk.db").exists()
            and query(desk, "SELECT 1 FROM sqlite_master WHERE name = 'runs'")
            and query(desk, "SELECT 1 FROM runs WHERE stage = 'topics'")
        ):
            return process
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interrupted_run_says_so_and_leaves_no_results(desk, number, code):
    process = running(desk)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert json.loads(out)["status"] == "failed"
    assert "Interrupted" in err.splitlines()[-1]
    assert query(desk, "SELECT COUNT(*) FROM topics") == [(0,)]


def test_a_second_start_while_one_is_at_work_is_skipped_with_75(desk):
    process = running(desk)
    try:
        done = desk.run("--json")
        assert (done.returncode, json.loads(done.stdout)["status"]) == (75, "skipped")
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_a_run_that_was_killed_is_found_dead_by_the_next_start(desk):
    process = running(desk)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    end = time.monotonic() + 60
    code, said = 75, {}
    while code == 75 and time.monotonic() < end:  # the child ends a moment after its supervisor
        code, said = desk.json(*FAST)
    assert (code, said["status"]) == (0, "ok")
    assert query(desk, "SELECT status FROM runs WHERE id = 1") == [("crashed",)]
    folder = desk.data / query(desk, "SELECT folder FROM runs WHERE id = 1")[0][0]
    assert [path.name for path in folder.iterdir()] == ["log.jsonl"]
    assert "has crashed" in (desk.reports / "model_topics" / "run-1.html").read_text()


def test_help_answers_without_the_heavy_libraries(desk):
    program = (
        "import sys; sys.argv[1:] = ['--help']\n"
        "import jobs.model_topics as m\n"
        "try: m.model_topics()\n"
        "except SystemExit: pass\n"
        "heavy = {'gensim', 'nltk', 'altair', 'scipy', 'numpy', 'tensorflow', 'keras', 'sqlite_utils', 'jinja2'}\n"
        "sys.exit(sorted(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [desk.command()[0], "-c", program], env=desk.environment, cwd=desk.folder, capture_output=True, text=True
    )
    assert (done.returncode, "--articles" in done.stdout) == (0, True), done.stderr


@pytest.mark.skipif(not os.environ.get("NIGHTDESK_REAL_DATA"), reason="NIGHTDESK_REAL_DATA is not set")
def test_the_real_articles_have_no_topic_of_placeholders_or_papers(desk):
    folder = Path(os.environ["NIGHTDESK_REAL_DATA"]) / "articles"
    code, said = desk.json("--articles", str(folder))
    assert code == 0
    assert said["metrics"]["articles"] + sum(said["rejected"].values()) == 24_148
    assert said["metrics"]["coherence_npmi"] >= 0.19
    words = {word for topic in said["metrics"]["topics"] for word, _ in topic["words"]}
    assert not words & {"blah", "york_times", "new_york_times", "-", "breitbart"}
