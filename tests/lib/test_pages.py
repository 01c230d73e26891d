"""What a run's page has around its own matter, what lies beside it, and the page of a run that failed."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import html5lib
import pytest
from markupsafe import Markup
from sqlite_utils import Database

from lib import advice, headline, reports, runs
from lib.files import aside_of
from lib.formats import change, csv_text, cut, figure, size, title
from lib.frame import frame_of, log_end
from lib.headline import Headline
from lib.logs import RunLog
from lib.pages import environment, render
from lib.settings import Settings
from lib.store import rows, table, writing
from tests.lib.published import bad_run, good_run, links, turns
from tests.lib.topics.made import HOSTILE

JOB = "model_topics"


@pytest.fixture
def settings(data: Path, tmp_path: Path) -> Settings:
    return Settings(data=data, reports=tmp_path / "reports", timezone="Europe/Madrid")


def page_of(settings: Settings, name: str) -> Path:
    return settings.reports / JOB / name


def words(page: str | Path) -> str:
    text = page.read_text(encoding="utf-8") if isinstance(page, Path) else page
    body = re.sub(r"<[^>]*>", " ", text.partition("<body>")[2])
    return re.sub(r" (?=[.,;])", "", " ".join(Markup(body).unescape().split()))


# --- the runs before and after


def test_a_page_has_links_to_the_runs_of_the_dates_before_and_after(db: Database, settings: Settings) -> None:
    for day in ("2026-07-05", "2026-07-12", "2026-07-19"):
        good_run(db, settings, day)
    reports.publish(db, settings, JOB)
    assert turns(page_of(settings, "2026-07-05.html")) == {"next": "2026-07-12.html"}
    assert turns(page_of(settings, "2026-07-12.html")) == {"prev": "2026-07-05.html", "next": "2026-07-19.html"}
    assert turns(page_of(settings, "2026-07-19.html")) == {"prev": "2026-07-12.html"}
    assert turns(page_of(settings, "latest.html")) == {"prev": "2026-07-12.html"}
    assert "<!--" not in page_of(settings, "2026-07-12.html").read_text()


def test_links_are_put_right_when_a_later_run_arrives_and_when_one_is_made_up_for(
    db: Database, settings: Settings
) -> None:
    for day in ("2026-07-05", "2026-07-19", "2026-07-12"):
        good_run(db, settings, day)
        reports.publish(db, settings, JOB)
    assert turns(page_of(settings, "2026-07-05.html")) == {"next": "2026-07-12.html"}
    assert turns(page_of(settings, "2026-07-12.html")) == {"prev": "2026-07-05.html", "next": "2026-07-19.html"}
    assert turns(page_of(settings, "2026-07-19.html")) == {"prev": "2026-07-12.html"}
    assert turns(page_of(settings, "latest.html")) == {"prev": "2026-07-12.html"}


def test_links_beside_a_page_that_was_never_published_are_put_right_with_it(db: Database, settings: Settings) -> None:
    good_run(db, settings, "2026-07-05")
    reports.publish(db, settings, JOB)
    good_run(db, settings, "2026-07-12")  # killed before it could publish
    good_run(db, settings, "2026-07-19")
    reports.publish(db, settings, JOB)
    assert turns(page_of(settings, "2026-07-05.html")) == {"next": "2026-07-12.html"}


def test_the_oldest_page_has_no_link_to_one_that_was_pruned(db: Database, settings: Settings) -> None:
    first = good_run(db, settings, "2026-07-05", tables={"topics": "id\r\n1\r\n"})
    good_run(db, settings, "2026-07-12")
    reports.publish(db, settings, JOB)
    page_of(settings, "2026-07-05.html").unlink()
    with writing(db):
        table(db, "runs").update(first, {"report": None})
    reports.publish(db, settings, JOB)
    assert turns(page_of(settings, "2026-07-12.html")) == {}
    assert sorted(path.name for path in page_of(settings, "").iterdir()) == [
        "2026-07-12.html",
        "2026-07-12.json",
        "latest.html",
    ]


def test_only_pages_that_change_are_written(db: Database, settings: Settings) -> None:
    days = [f"2026-07-{day:02d}" for day in range(1, 8)]
    for day in days:
        good_run(db, settings, day)
    reports.publish(db, settings, JOB)
    before = {day: page_of(settings, f"{day}.html").stat().st_ino for day in days}
    good_run(db, settings, "2026-07-08")
    reports.publish(db, settings, JOB)
    written = {day for day in days if page_of(settings, f"{day}.html").stat().st_ino != before[day]}
    assert written == {"2026-07-07"}  # which now has a run after it


# --- the files beside a page


def test_a_runs_json_and_tables_lie_beside_its_page(db: Database, settings: Settings) -> None:
    run = good_run(db, settings, "2026-07-05", metrics={"articles": 3}, tables={"topics": "id,share\r\n0,0.5\r\n"})
    reports.publish(db, settings, JOB)
    said = json.loads(page_of(settings, "2026-07-05.json").read_text())
    assert said == runs.as_json(db, run, settings.reports)
    assert page_of(settings, "2026-07-05-topics.csv").read_bytes() == b"id,share\r\n0,0.5\r\n"


def test_a_forced_runs_tables_take_the_place_of_the_earlier_ones(db: Database, settings: Settings) -> None:
    good_run(db, settings, "2026-07-05", tables={"topics": "a\r\n", "old": "b\r\n"})
    reports.publish(db, settings, JOB)
    good_run(db, settings, "2026-07-05", tables={"topics": "c\r\n"})
    reports.publish(db, settings, JOB)
    assert page_of(settings, "2026-07-05-topics.csv").read_text() == "c\n"
    assert not page_of(settings, "2026-07-05-old.csv").exists()


def test_what_was_taken_back_leaves_the_tables_too(db: Database, settings: Settings) -> None:
    text = 'id,text\r\n1,"secret\nwords"\r\n12,kept\r\n'
    run = good_run(db, settings, "2026-07-05", tables={"quotes": text, "words": "word\r\nsecret\r\n"})
    reports.publish(db, settings, JOB)
    reports.withdraw(db, settings, {run: ["1"]})
    copies = [settings.data / f"{JOB}/2026-07-05-{run}/table-quotes.csv", page_of(settings, "2026-07-05-quotes.csv")]
    assert [copy.read_bytes() for copy in copies] == [b"id,text\r\n12,kept\r\n"] * 2


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_that_a_spreadsheet_would_obey_is_no_formula(text: str) -> None:
    assert list(csv.reader(io.StringIO(csv_text([{"a": text}]), newline="")))[1] == [f"'{text}"]


def test_a_table_has_a_line_of_names_and_an_empty_cell_for_what_is_not_there() -> None:
    assert csv_text([{"a": 1, "b": None}, {"c": "x, y", "a": -0.5}]) == 'a,b,c\r\n1,,\r\n-0.5,,"x, y"\r\n'
    assert csv_text([]) == ""


# --- what changed, and the frame


def test_figures_are_compared_with_the_run_of_the_date_before_the_key_figure_first(
    db: Database, settings: Settings
) -> None:
    headline.declare(db, JOB, Headline("share", "Share of the test", "percent"))
    good_run(db, settings, "2026-07-05", metrics={"articles": 1200, "size_bytes": 4096, "share": 0.5, "why": "x"})
    good_run(db, settings, "2026-07-19", metrics={"articles": 1})
    now = {"articles": 1500, "same": 1, "size_bytes": 4096, "share": 0.512, "why": "y", "flag": True, "new": 3}
    found = headline.changes(db, JOB, "2026-07-12", now)
    assert found is not None
    assert (found.date, found.same) == ("2026-07-05", 1)
    assert [tuple(row) for row in found.rows] == [
        ("Share of the test", "50.0%", "51.2%", "+1.2 points"),
        ("Articles", "1,200", "1,500", "+300"),
    ]
    assert headline.changes(db, JOB, "2026-07-05", now) is None


def test_a_number_that_names_something_is_no_figure(db: Database, settings: Settings) -> None:
    good_run(db, settings, "2026-07-05", metrics={"articles": 1, "seed": 20260705, "went_on_from": 3})
    found = headline.changes(db, JOB, "2026-07-12", {"articles": 2, "seed": 20260712, "went_on_from": 4})
    assert found is not None
    assert ([row.label for row in found.rows], found.same) == (["Articles"], 0)


@pytest.mark.parametrize(
    "now, before, kind, shown",
    [
        (0.512, 0.5, "percent", "+1.2 points"),
        (0.5001, 0.5, "percent", "the same"),
        (-0.2, 0.1, "signed", "−0.30"),
        (10, 1500, "number", "−1,490"),
        (5 * 2**20, 2**20, "bytes", "+4.0 MiB"),
        (90.0, 30.0, "seconds", "+1 min 0 s"),
        (None, 1, "number", "–"),
    ],
)
def test_changes_are_as_people_say_them(now: Any, before: Any, kind: str, shown: str) -> None:
    assert change(now, before, kind) == shown


def test_figures_sizes_and_names_are_as_people_write_them() -> None:
    assert [figure(0.71234, "percent"), figure(-0.1, "signed"), figure(None)] == ["71.2%", "−0.10", "–"]
    assert [size(812), size(4300), size(31 * 2**20), size(None)] == ["812 B", "4.2 KiB", "31 MiB", "–"]
    assert [title("retrain_cnn"), title("model_topics"), title("p95_ms")] == ["Retrain CNN", "Model topics", "P95 MS"]
    assert cut("a\n b  c", 10) == "a b c"
    assert cut("x" * 50, 10) == f"{'x' * 9}…"


def framed(db: Database, settings: Settings, **more: Any) -> str:
    frame = frame_of(db, settings, 101, JOB, "2026-07-12", folder=settings.data / "f", stem="2026-07-12", **more)
    return render(
        "base.html",
        zone=settings.zone,
        frame=frame,
        demo=False,
        stages={"reading": 1.25},
        settings=[("topics", "10")],
    )


def test_a_page_has_its_settings_timings_log_files_and_address(db: Database, settings: Settings) -> None:
    good_run(db, settings, "2026-07-05", metrics={"articles": 1})
    (settings.data / "f").mkdir()
    RunLog(settings.data / "f" / "log.jsonl", 101, JOB).write("<b>It</b> begins", stage="reading")
    page = framed(db, settings, metrics={"articles": 2}, tables={"topic_words": []})
    text = words(page)
    for part in (
        "What changed since 5 Jul 2026",
        "Articles 1 2 +1",
        "reading 1.2 s",
        "topics 10",
        "The end of the log",
    ):
        assert part in text, part
    assert "reading: &lt;b&gt;It&lt;/b&gt; begins" in page
    assert 'href="2026-07-12.json"' in page
    assert 'href="2026-07-12-topic_words.csv"' in page
    assert 'href="../runs-2.html#run-101"' in page
    html5lib.HTMLParser(strict=True).parse(page)


def test_the_log_of_a_page_is_its_end_and_long_lines_are_cut(settings: Settings, tmp_path: Path) -> None:
    log = RunLog(tmp_path / "log.jsonl", 1, JOB)
    for number in range(100):
        log.write(f"line {number} {'x' * 5000}")
    log.write("\x1b[31m red")
    lines = log_end(log.path, settings.zone).splitlines()
    assert len(lines) == 60
    assert max(map(len, lines)) < 620
    assert "\\x1b[31m red" in lines[-1]
    assert log_end(tmp_path / "none", settings.zone) == ""


# --- the failed run's page


def test_a_failed_runs_page_says_what_failed_where_and_what_to_do(db: Database, settings: Settings) -> None:
    run = bad_run(db, settings, "2026-07-05", options={"topics": 10}, rejected={"no text": 1200}, stages={"reading": 2})
    reports.publish(db, settings, JOB)
    page = page_of(settings, f"run-{run}.html")
    text = words(page)
    for part in (
        "Model topics has failed",
        "✕ failed · for 5 Jul 2026",
        "news.csv has no column title.",
        "Stage reading",
        "Exit code 65 bad data",
        advice.ADVICE[65],
        "python -m jobs.model_topics --date 2026-07-05",
        "There is no result for 5 Jul 2026.",
        "no text 1,200",
        "topics 10",
        "error: reading: news.csv has no column title.",
        f"python -m jobs show {run}",
    ):
        assert part in text, part
    assert "<details open>\n<summary>The end of the log" in page.read_text()
    html5lib.HTMLParser(strict=True).parse(page.read_text(encoding="utf-8"))
    assert json.loads(page.with_suffix(".json").read_text())["status"] == "failed"
    assert rows(db, "SELECT report FROM runs WHERE id = ?", run)[0]["report"] == f"{JOB}/run-{run}.html"
    assert runs.as_json(db, run, settings.reports)["report"] == str(page)


def test_a_failed_run_leaves_the_page_of_its_date_and_says_that_it_stands(db: Database, settings: Settings) -> None:
    first = good_run(db, settings, "2026-07-05")
    reports.publish(db, settings, JOB)
    before = page_of(settings, "2026-07-05.html").read_bytes()
    run = bad_run(db, settings, "2026-07-05")
    reports.publish(db, settings, JOB)
    assert page_of(settings, "2026-07-05.html").read_bytes() == page_of(settings, "latest.html").read_bytes() == before
    page = page_of(settings, f"run-{run}.html")
    assert "The result of 5 Jul 2026 that was there before stands as it was" in words(page)
    assert links(page)[f"run {first}"] == "2026-07-05.html"


@pytest.mark.parametrize(
    "status, code, heading, to_do",
    [
        ("failed", 1, "has failed", advice.FAILED),
        ("failed", 69, "has failed", advice.ADVICE[69]),
        ("failed", 143, "was interrupted", advice.ADVICE[143]),
        ("crashed", None, "has crashed", advice.CRASHED),
    ],
)
def test_what_to_do_follows_from_how_it_ended(
    db: Database, settings: Settings, status: str, code: int | None, heading: str, to_do: str
) -> None:
    run = bad_run(db, settings, "2026-07-05", status=status, code=code)
    reports.publish_index(db, settings)
    text = words(page_of(settings, f"run-{run}.html"))
    assert heading in text
    assert to_do in text


def test_every_exit_code_of_a_failure_has_a_meaning_and_advice() -> None:
    codes = {65, 69, 73, 75, 77, 78, 130, 143}
    assert codes == set(advice.ADVICE) == set(advice.MEANINGS) - {1, 2}


def test_failed_pages_are_written_once_and_put_back_where_they_are_missing(db: Database, settings: Settings) -> None:
    run = bad_run(db, settings, "2026-07-05")
    reports.publish_index(db, settings)
    page = page_of(settings, f"run-{run}.html")
    before = page.stat().st_ino
    reports.publish_index(db, settings)
    assert page.stat().st_ino == before
    page.unlink()
    reports.publish_index(db, settings)
    assert page.exists()


def test_a_failed_page_goes_with_the_files_of_its_run(db: Database, settings: Settings) -> None:
    run = bad_run(db, settings, "2026-07-05")
    reports.publish_index(db, settings)
    with writing(db):
        table(db, "runs").update(run, {"folder": None})  # as prune leaves it
    reports.publish_index(db, settings)
    assert list(page_of(settings, "").iterdir()) == []
    assert rows(db, "SELECT report FROM runs WHERE id = ?", run)[0]["report"] is None


@pytest.mark.parametrize("kind", sorted(set(HOSTILE) - {"half a pair"}))  # which SQLite can't hold
def test_what_strangers_write_adds_no_element_to_a_failed_page(db: Database, settings: Settings, kind: str) -> None:
    def tags(text: str, day: str) -> list[str]:
        run = bad_run(
            db,
            settings,
            day,
            message=text,
            stage=text,
            options={"articles": text},
            rejected={text: 1},
            metrics={"figure": text},
            stages={text: 1.0},
        )
        with writing(db):
            db.execute("UPDATE runs SET status = 'failed' WHERE id = ?", [run])
        reports.publish_index(db, settings)
        page = page_of(settings, f"run-{run}.html").read_text(encoding="utf-8")
        page = re.sub(r"<div><dt>In a row.*?</div>", "", page)
        page = re.sub(r"<li>The last good run.*?</li>", "", page)
        return [str(each.tag) for each in html5lib.parse(page, namespaceHTMLElements=False).iter()]

    assert tags(HOSTILE[kind], "2026-07-05") == tags("plain", "2026-07-06")


# --- what the domains' pages build on


def test_tabs_are_radio_buttons_with_labels_and_as_many_panels() -> None:
    source = """{% from "_macros.html" import tabs %}{% call tabs("l", "Relevance", ["0", "<b>"], chosen=1) %}
    <div class="panel">first</div><div class="panel">second</div>{% endcall %}"""
    tree = html5lib.parse(environment().from_string(source).render(), namespaceHTMLElements=False)
    inputs = list(tree.iter("input"))
    assert [(each.get("type"), each.get("name"), each.get("checked")) for each in inputs] == [
        ("radio", "l", None),
        ("radio", "l", ""),
    ]
    assert [each.get("for") for each in tree.iter("label")] == [each.get("id") for each in inputs]
    assert [each.text for each in tree.iter("label")] == ["0", "<b>"]


def test_how_to_read_a_figure_is_folded_and_named() -> None:
    source = '{% from "_macros.html" import explain %}{% call explain("a topic") %}Two. Sentences.{% endcall %}'
    tree = html5lib.parse(environment().from_string(source).render(), namespaceHTMLElements=False)
    assert tree.find(".//details/summary").text == "How to read this: a topic"
    assert tree.find(".//details/p").text == "Two. Sentences."


def test_an_aside_and_a_strangers_file_among_the_pages_are_left_alone(db: Database, settings: Settings) -> None:
    folder = page_of(settings, "")
    folder.mkdir(parents=True)
    mine = [aside_of(folder / "2026-07-05.html"), folder / "notes.txt", folder / "2026-07-05.html.bak"]
    for path in mine:
        path.write_text("")
    good_run(db, settings, "2026-07-12")
    reports.publish(db, settings, JOB)
    assert all(path.exists() for path in mine)
