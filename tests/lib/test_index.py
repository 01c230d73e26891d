"""The desk at a glance: what needs attention, a card a job, and all runs on pages that stay as they are."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import pytest
from markupsafe import Markup
from sqlite_utils import Database

from lib import headline, reports, runs
from lib.cards import Card, cards_of
from lib.frame import BLOCK, permalink
from lib.headline import Headline
from lib.runs import STATUSES
from lib.schedules import Schedule
from lib.settings import Settings
from lib.store import rows, table, writing
from lib.tick import tick
from tests.lib.published import bad_run, good_run

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MANY = 5000


@pytest.fixture
def settings(data: Path, tmp_path: Path) -> Settings:
    return Settings(data=data, reports=tmp_path / "reports", timezone="Europe/Madrid")


def many_runs(db: Database, count: int) -> None:
    """Runs of three jobs, all ok."""
    row = {"status": "ok", "seconds": 12.5, "committed": 1, "exit_code": 0, "message": "Ten topics found. " * 10}
    with writing(db):
        table(db, "runs").insert_all(
            {
                "job": ("model_topics", "capture_tweets", "retrain_cnn")[number % 3],
                "date": f"day {number}",
                "started_at": runs.stamp(NOW - timedelta(hours=count - number)),
                "report": f"model_topics/{number}.html",
                **row,
            }
            for number in range(count)
        )


def watch(db: Database, job: str, at: str, since: datetime = NOW) -> None:
    """What a tick leaves in the store."""
    moment = runs.stamp(since)
    with writing(db):
        row = {"job": job, "at": at, "timezone": "Europe/Madrid", "since": moment, "seen": moment}
        table(db, "watched").insert(row, replace=True)


def card(db: Database, settings: Settings, job: str = "model_topics", now: datetime = NOW) -> Card:
    return next(each for each in cards_of(db, settings, None, now) if each.job == job)


def tree(page: str) -> Element:
    found = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    assert isinstance(found, Element)
    return found


def inodes(settings: Settings) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in settings.reports.glob("*.html")}


# --- cards


def test_a_card_has_the_key_figure_its_change_and_its_course(db: Database, settings: Settings) -> None:
    headline.declare(db, "model_topics", Headline("npmi", "Coherence", "number"))
    for day, value in (("2026-11-08", 0.1), ("2026-11-22", 0.25), ("2026-11-15", 0.2)):
        good_run(db, settings, day, metrics={"npmi": value})
    found = card(db, settings)
    assert (found.label, found.value, found.change, found.against) == ("Coherence", "0.250", "+0.050", "2026-11-15")
    assert found.spark is not None
    assert found.spark.text == "Coherence of the last 3 good runs, from 0.100 to 0.250; lowest 0.100, highest 0.250"
    assert found.spark.points.endswith(",".join(found.spark.last))


def test_a_sparkline_has_the_last_thirty_runs(db: Database, settings: Settings) -> None:
    headline.declare(db, "model_topics", Headline("npmi", "Coherence"))
    for number in range(35):
        good_run(db, settings, str(NOW.date() - timedelta(days=number)), metrics={"npmi": number / 7})
    spark = card(db, settings).spark
    assert spark is not None
    assert len(spark.points.split()) == 30


def test_a_job_without_a_key_figure_shows_the_time_taken(db: Database, settings: Settings) -> None:
    good_run(db, settings, "2026-11-22", metrics={"npmi": 0.1})
    assert card(db, settings).label == "Time taken"
    headline.declare(db, "model_topics", Headline("npmi", "Coherence"))
    assert card(db, settings).label == "Coherence"
    headline.declare(db, "model_topics", None)
    assert card(db, settings).label == "Time taken"


def test_a_figure_that_the_last_run_has_not_made_is_told_with_its_date(db: Database, settings: Settings) -> None:
    headline.declare(db, "model_topics", Headline("npmi", "Coherence"))
    for day in ("2026-11-08", "2026-11-15"):
        good_run(db, settings, day, metrics={"npmi": 0.1})
    bad_run(db, settings, "2026-11-22")
    assert card(db, settings).value == "0.100"
    assert 'Coherence, of <time datetime="2026-11-15">' in reports.index(db, settings)


def test_a_job_that_never_ran_has_a_card_with_its_next_fire_time(db: Database, settings: Settings) -> None:
    watch(db, "retrain_cnn", "02:15")
    found = card(db, settings, "retrain_cnn")
    assert (found.state, found.sentence, found.runs) == (None, "It has not run yet.", 0)
    assert found.next == datetime(2026, 11, 24, 1, 15, tzinfo=UTC)
    page = Markup(reports.index(db, settings)).striptags()
    assert "Retrain CNN" in page


def test_a_job_that_nothing_starts_has_no_next_fire_time(db: Database, settings: Settings) -> None:
    good_run(db, settings, "2026-11-22")
    assert card(db, settings).next is None
    assert "Nothing starts it by the clock here" in reports.index(db, settings)


def test_the_callers_schedules_come_before_the_last_ticks(db: Database, settings: Settings) -> None:
    watch(db, "a", "02:15")
    found = cards_of(db, settings, {"b": Schedule("never")}, NOW)
    assert [(each.job, each.next, each.schedule) for each in found] == [("b", None, "never")]


def test_a_start_that_was_refused_does_not_hide_the_last_result(db: Database, settings: Settings) -> None:
    good_run(db, settings, "2026-11-22", message="Ten topics.")
    runs.record(db, "model_topics", "2026-11-22", "skipped", "Already done.", 0)
    found = card(db, settings)
    assert (found.state, found.sentence, found.runs) == ("ok", "Ten topics.", 2)


def test_a_running_job_says_so(db: Database, settings: Settings) -> None:
    runs.begin(db, "model_topics", "2026-11-22", options={}, demo=False)
    found = card(db, settings)
    assert (found.state, found.sentence, found.attention) == ("running", "At work.", None)


def test_a_state_is_told_by_a_shape_and_a_word(db: Database, settings: Settings) -> None:
    for status in STATUSES:
        runs.record(db, f"job_{status}", "2026-11-22", status, "x", 0)
    page = reports.index(db, settings)
    for status in STATUSES:
        assert re.search(rf'class="state {status}"><span aria-hidden="true">\S</span> {status}</span>', page)


# --- what needs attention


@pytest.mark.parametrize("status", ["failed", "crashed"])
def test_what_failed_is_on_top_with_what_to_do_and_a_link_to_its_page(
    db: Database, settings: Settings, status: str
) -> None:
    run = bad_run(db, settings, "2026-11-22", status=status)
    reports.publish_index(db, settings)
    page = (settings.reports / "index.html").read_text(encoding="utf-8")
    top = page.partition('id="attention"')[2].partition('id="jobs"')[0]
    assert f'href="model_topics/run-{run}.html">Look at the run' in top
    assert "python -m jobs.model_topics --date 2026-11-22" in top
    assert (settings.reports / f"model_topics/run-{run}.html").exists()


def test_a_job_that_fails_again_and_again_says_how_often(db: Database, settings: Settings) -> None:
    for day in ("2026-11-20", "2026-11-21", "2026-11-22"):
        bad_run(db, settings, day)
    found = card(db, settings).attention
    assert found is not None
    assert found.why.endswith("It has failed 3 times in a row.")


def test_what_was_missed_needs_attention_until_it_is_made_up_for(db: Database, settings: Settings) -> None:
    run = runs.record(db, "model_topics", "2026-11-22", "missed", "Nothing started it.", None)
    found = card(db, settings).attention
    assert found is not None
    assert (found.state, found.link) == ("missed", permalink(run))
    good_run(db, settings, "2026-11-22")
    assert card(db, settings).attention is None
    assert "Nothing needs attention." in reports.index(db, settings)


def test_a_run_that_should_have_started_is_late_until_it_starts(db: Database, settings: Settings) -> None:
    watch(db, "model_topics", "12:00", NOW - timedelta(days=2))
    good_run(db, settings, "2026-11-22")
    now = datetime(2026, 11, 23, 11, 30, tzinfo=UTC)  # half past twelve at the desk
    with writing(db):
        db.execute("UPDATE runs SET started_at = '2026-11-22T11:00:01.000Z'")
    found = card(db, settings, now=now)
    assert (found.state, found.attention and found.attention.state) == ("late", "late")
    runs.begin(db, "model_topics", "2026-11-23", options={}, demo=False)
    assert card(db, settings, now=now).state == "running"
    good_run(db, settings, "2026-11-23")
    assert card(db, settings, now=now).attention is None


def test_a_tick_shows_on_the_desks_page_that_a_run_is_late(db: Database, settings: Settings) -> None:
    schedules = {"model_topics": Schedule("12:00", grace="1m")}
    tick(schedules, settings, now=NOW - timedelta(days=1, hours=2), start=lambda order: False)
    index = settings.reports / "index.html"
    index.unlink()  # the first look writes it, with the next fire times
    tick(schedules, settings, now=NOW, start=lambda order: False)
    page = index.read_text(encoding="utf-8")
    assert "late" in page.partition('id="attention"')[2].partition('id="jobs"')[0]


# --- the runs


def test_the_index_of_five_thousand_runs_stays_within_200_kilobytes(db: Database, settings: Settings) -> None:
    many_runs(db, MANY)
    reports.publish_index(db, settings)
    page = settings.reports / "index.html"
    assert "The last 200 of 5,000" in Markup(page.read_text()).striptags()
    assert page.stat().st_size <= 200_000
    pages = list(settings.reports.glob("runs-*.html"))
    assert len(pages) == MANY // BLOCK
    assert max(each.stat().st_size for each in pages) <= 200_000


def test_every_run_has_one_address_for_good(db: Database, settings: Settings) -> None:
    many_runs(db, 250)
    reports.publish_index(db, settings)
    seen: set[str] = set()
    for path in settings.reports.glob("runs-*.html"):
        for row in tree(path.read_text(encoding="utf-8")).iter("tr"):
            if row.get("id"):
                seen.add(f"{path.name}#{row.get('id')}")
    assert seen == {permalink(run) for run in range(1, 251)}
    shown = [row.get("id") for row in tree(reports.index(db, settings)).iter("tr") if row.get("id")]
    assert shown == [f"run-{run}" for run in range(250, 100, -1)]


def test_a_rebuild_writes_the_index_and_the_newest_page_of_runs_alone(db: Database, settings: Settings) -> None:
    many_runs(db, 450)
    reports.publish_index(db, settings)
    before = inodes(settings)
    good_run(db, settings, "2026-11-22")
    reports.publish_index(db, settings)
    after = inodes(settings)
    assert {name for name in after if after[name] != before[name]} == {"index.html", "runs-5.html"}


def test_a_full_page_is_written_again_where_one_of_its_runs_has_changed(db: Database, settings: Settings) -> None:
    many_runs(db, 450)
    reports.publish_index(db, settings)
    before = inodes(settings)
    with writing(db):
        table(db, "runs").update(150, {"committed": 0, "message": "Replaced by run 451."})
    reports.publish_index(db, settings)
    after = inodes(settings)
    assert {name for name in after if after[name] != before[name]} == {"index.html", "runs-2.html"}
    assert "Replaced by run 451." in (settings.reports / "runs-2.html").read_text(encoding="utf-8")


def test_pages_of_runs_that_a_restored_store_has_not_are_removed(db: Database, settings: Settings) -> None:
    many_runs(db, 250)
    reports.publish_index(db, settings)
    with writing(db):
        db.execute("DELETE FROM runs WHERE id > 150")
    reports.publish_index(db, settings)
    assert sorted(inodes(settings)) == ["index.html", "runs-1.html", "runs-2.html"]


def test_a_filter_hides_the_rows_of_other_jobs_and_states(db: Database, settings: Settings) -> None:
    for number, status in enumerate(("ok", "failed", "missed", "ok")):
        runs.record(db, ("a", "b")[number % 2], "2026-11-22", status, "x", 0)
    page = reports.index(db, settings)
    found = tree(page)
    radios = {str(each.get("id")) for each in found.iter("input") if each.get("type") == "radio"}
    assert radios == {"job-0", "job-1", "job-2", "state-any", "state-ok", "state-failed", "state-missed"}
    assert {each.get("for") for each in found.iter("label")} == radios
    classes = {str(row.get("id")): str(row.get("class")).split() for row in found.iter("tr") if row.get("id")}
    assert classes == {
        "run-1": ["j0", "ok"],
        "run-2": ["j1", "failed"],
        "run-3": ["j0", "missed"],
        "run-4": ["j1", "ok"],
    }
    assert "main:has(#job-1:checked) .runs tbody tr:not(.j0) { display: none; }" in page
    assert "main:has(#state-failed:checked) .runs tbody tr:not(.failed) { display: none; }" in page
    assert "main:has(#job-1:checked):has(#state-failed:checked) .no-run { display: block; }" in page
    assert "main:has(#job-1:checked):has(#state-ok:checked) .no-run" not in page


def test_a_long_sentence_is_cut_in_the_table(db: Database, settings: Settings) -> None:
    runs.record(db, "a", "2026-11-22", "failed", "word " * 10_000, 1)
    assert len(reports.index(db, settings)) < 40_000


def test_a_store_of_an_earlier_version_has_its_page(db: Database, settings: Settings) -> None:
    good_run(db, settings, "2026-11-22")
    for name in ("headlines", "watched"):
        table(db, name).drop()
    assert "Done." in reports.index(db, settings)
    assert rows(db, "SELECT COUNT(*) AS runs FROM runs")[0]["runs"] == 1
