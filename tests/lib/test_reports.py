"""Pages: whole, safe and findable, whatever is in them, and in their places whenever they were made."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree.ElementTree import Element
from zoneinfo import ZoneInfo

import html5lib
import pytest
import time_machine
from markupsafe import Markup, escape
from sqlite_utils import Database

from lib import machine, reports, runs
from lib.charts import Figure
from lib.files import mark_as_demo
from lib.runs import Outcome
from lib.settings import Settings
from lib.store import open_store, table, writing
from lib.topics import figures
from lib.topics.page import ADDRESS_CHARACTERS, finished
from tests.lib.topics.made import HOSTILE, article, made_corpus, made_summary, made_topic, made_weeks

MADRID = ZoneInfo("Europe/Madrid")
MOMENT = datetime(2026, 7, 5, 22, 30, tzinfo=UTC)  # the next day in Madrid
CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


# --- what filters say


@pytest.mark.parametrize("url", ["https://example.org/a?b=1&c=2", "http://example.org", "HTTPS://EXAMPLE.ORG"])
def test_a_web_address_becomes_a_link(url: str) -> None:
    assert reports.link("A & B", url) == f'<a href="{escape(url)}" rel="noopener noreferrer">A &amp; B</a>'


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        "JavaScript:alert(1)//https://",
        "java\nscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "//evil.example",
        "/local",
        " https://example.org",
        "\x01javascript:alert(1)",
        "https:evil.example",
        "ftp://example.org",
    ],
)
def test_any_other_address_leaves_the_text_alone(url: str | None) -> None:
    assert escape(reports.link("<b>", url)) == "&lt;b&gt;"


@pytest.mark.parametrize("text", HOSTILE.values())
def test_a_link_is_one_element_with_two_attributes_whatever_it_holds(text: str) -> None:
    made = html5lib.parseFragment(str(reports.link(text, f"https://{text}")), namespaceHTMLElements=False)
    assert [(each.tag, sorted(each.attrib)) for each in made.iter()][1:] == [("a", ["href", "rel"])]


@pytest.mark.parametrize(
    "value, digits, shown",
    [
        (1234567, None, "1,234,567"),
        (0, None, "0"),
        (-1200, None, "−1,200"),
        (3.0, None, "3"),
        (0.12345, None, "0.123"),
        (-7.456, 2, "−7.46"),
        (1234.5, 1, "1,234.5"),
        (3.0, 3, "3.000"),
        (None, 2, "–"),
    ],
)
def test_numbers_have_commas_and_a_true_minus(value: float | None, digits: int | None, shown: str) -> None:
    assert reports.number(value, digits) == shown


@pytest.mark.parametrize(
    "share, digits, shown", [(0.256, 0, "26%"), (0.256, 1, "25.6%"), (1, 0, "100%"), (0.0, 0, "0%"), (None, 0, "–")]
)
def test_shares_are_per_cent(share: float | None, digits: int, shown: str) -> None:
    assert reports.percent(share, digits) == shown


@pytest.mark.parametrize(
    "value, shown",
    [
        (None, "–"),
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (12.4, "12 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 0 min"),
        (7500, "2 h 5 min"),
        (90_000, "25 h 0 min"),
    ],
)
def test_times_are_as_people_say_them(value: float | None, shown: str) -> None:
    assert reports.seconds(value) == shown


@pytest.mark.parametrize("value", [MOMENT, "2026-07-05T22:30:00.123Z", "2026-07-06T00:30:00+02:00"])
def test_a_moment_is_shown_in_the_desks_time_zone(value: datetime | str) -> None:
    assert reports.moment(value, MADRID) == '<time datetime="2026-07-05T22:30:00Z">6 Jul 2026, 00:30 CEST</time>'
    assert ">5 Jul 2026, 22:30 UTC<" in reports.moment(value, ZoneInfo("UTC"))
    assert reports.moment(None, MADRID) == "–"


@pytest.mark.parametrize(
    "value, shown", [("2026-07-05", "5 Jul 2026"), ("2017-05", "2017-05"), ("0999-01-02", "2 Jan 999")]
)
def test_a_day_is_shown_as_one_and_a_month_as_it_is(value: str, shown: str) -> None:
    made = reports.day(value)
    assert made.startswith(f'<time datetime="{value}">')
    assert made.striptags().lstrip("0").replace(" 0999", " 999") == shown


def test_settings_are_listed_as_people_write_them() -> None:
    listed = reports.settings_list([("chunk_size", 4000), ("articles", (Path("a"), "b")), ("fetch", True), ("x", None)])
    assert [name for name, _ in listed] == ["chunk size", "articles", "fetch", "x"]
    assert [value for _, value in listed] == ["4000", '"a", b', "true", "null"]
    assert reports.title("model_topics") == "Model topics"


# --- whole pages


def topics_page(text: str = "plain", url: str = "", demo: bool = False) -> str:
    """The page of a run whose every text from outside is `text`."""
    articles = [article(d, title=text, publication=text, date="2024-05", url=url, file=text) for d in range(3)]
    corpus = made_corpus([["ship", "sail"], ["oven"], ["oven", "ship"]], articles, suffixes={"plain": text})
    topics = [
        made_topic(id, (text, f"{text}_{id}", "tide"), label=text, headlines=[(articles[id], text, 0.75)])
        for id in range(2)
    ]
    summary = made_summary(topics, (text, "Paper"))
    return reports.render(
        "model_topics.html",
        zone=MADRID,
        packages=("gensim",),
        run=SimpleNamespace(id=7, job="model_topics", date="2026-07-05", message=text, folder=text),
        demo=demo,
        rejected={text: 3},
        repaired={text: 1},
        stages={text: 1.5},
        **{**finished(summary, corpus, made_weeks(summary), new=2, first_time=False), "charts": CHARTS},
        stop_list=text,
        settings=[(text, text)],
        files=[text],
    )


def _charts() -> dict[str, Any]:
    # drawn once: what strangers write inside of a picture is seen to in the tests of the charts
    summary = made_summary([made_topic(0), made_topic(1)], ("Paper", "Other"))
    return {
        "map": figures.distance_map(summary),
        "publications": figures.publication_heat(summary),
        "time": figures.over_time(summary),
    }


CHARTS = _charts()


@pytest.fixture
def settings(data: Path, tmp_path: Path) -> Settings:
    return Settings(data=data, reports=tmp_path / "reports", timezone="Europe/Madrid")


@pytest.fixture
def db(data: Path) -> Iterator[Database]:
    store = open_store(data)
    yield store
    store.close()


def add_run(
    db: Database, settings: Settings, date: str, *, page: str | None = "page", job: str = "model_topics"
) -> int:
    """A committed run with its folder and, where one is given, its page in it."""
    run = runs.begin(db, job, date, options={}, demo=False)
    folder = f"{job}/{date}-{run}"
    (settings.data / folder).mkdir(parents=True)
    if page is not None:
        (settings.data / folder / "report.html").write_text(page, encoding="utf-8")
    with writing(db):
        table(db, "runs").update(run, {"folder": folder})
        report = reports.page_name(job, date) if page is not None else None
        runs.commit(db, run, Outcome("ok", f"Done for {date}.", 0, report=report))
    return run


def index_page(db: Database, settings: Settings, text: str = "plain") -> str:
    """The index after some runs of every status, each of them with this message."""
    for number, status in enumerate(runs.STATUSES):
        runs.record(db, "capture_tweets", f"2026-07-{number + 1:02d}", status, text, 0)
    add_run(db, settings, "2026-07-05")
    add_run(db, settings, "2026-07-12")
    reports.publish(db, settings, "model_topics")
    return (settings.reports / "index.html").read_text(encoding="utf-8")


@pytest.fixture(params=["topics", "index"])
def page(request: pytest.FixtureRequest, db: Database, settings: Settings) -> str:
    return topics_page(url="https://example.org/a") if request.param == "topics" else index_page(db, settings)


def parsed(page: str, *, strict: bool = False) -> Element:
    tree = html5lib.HTMLParser(strict=strict, namespaceHTMLElements=False).parse(page)
    assert isinstance(tree, Element)
    return tree


def elements(page: str) -> list[tuple[str, list[str]]]:
    """Each element of a page with the names of its attributes, in their order."""
    return [(str(each.tag), sorted(map(str, each.attrib))) for each in parsed(page).iter()]


def test_a_page_is_valid_html(page: str) -> None:
    assert page.startswith("<!DOCTYPE html>")
    tree = parsed(page, strict=True)
    assert tree.get("lang") == "en"
    assert (tree.findtext("head/title") or "").endswith(" · Nightdesk")


def test_a_page_forbids_itself_everything_but_its_style(page: str) -> None:
    metas = {meta.get("http-equiv"): meta.get("content") for meta in parsed(page).iter("meta")}
    assert metas["Content-Security-Policy"] == CSP
    assert page.index("Content-Security-Policy") < page.index("<style")


def test_a_page_runs_nothing_and_loads_nothing(page: str) -> None:
    for each in parsed(page).iter():
        assert each.tag not in {"script", "iframe", "object", "embed", "img", "form", "base"}
        assert not [name for name in each.attrib if str(name).startswith("on")]
        assert not each.get("src")
        if address := each.get("href"):
            assert not re.match(r"[a-z]+:|//", address) or address in {"data:,", "https://example.org/a"}, address
    assert "@import" not in page
    assert "url(" not in page


def test_headings_leave_no_level_out_and_ids_are_all_different(page: str) -> None:
    tree = parsed(page)
    levels = [int(str(each.tag)[1]) for each in tree.iter() if re.fullmatch("h[1-6]", str(each.tag))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    ids = [each.get("id") for each in tree.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    for each in tree.iter():
        for name in (
            each.get("aria-labelledby"),
            (each.get("href") or "x")[1:] if each.get("href", "x")[0] == "#" else "",
        ):
            assert not name or name in ids


def test_pictures_have_names_and_tables_have_header_cells(page: str) -> None:
    tree = parsed(page)
    for each in tree.iter():
        if str(each.tag).endswith("svg"):
            assert each.get("role") == "img"
            assert each.get("aria-label") or str(each[0].tag).endswith("title")
    for head in tree.iter("th"):
        assert head.get("scope") in {"col", "row"}


@time_machine.travel(MOMENT, tick=False)
def test_a_page_names_when_it_was_written_and_the_machine() -> None:
    footer = Markup(topics_page().partition("<footer>")[2]).striptags()
    assert "Written 6 Jul 2026, 00:30 CEST by Nightdesk." in footer
    assert machine.describe(("gensim",)) in footer


@time_machine.travel(MOMENT, tick=False)
def test_the_index_names_when_it_was_written_and_the_machine(db: Database, settings: Settings) -> None:
    footer = Markup(reports.index(db, settings).partition("<footer>")[2]).striptags()
    assert "Written 6 Jul 2026, 00:30 CEST by Nightdesk." in footer
    assert machine.describe() in footer


def test_demo_pages_say_so_and_others_do_not(db: Database, settings: Settings) -> None:
    assert "demo data" in topics_page(demo=True)
    assert "demo data" not in topics_page()
    assert "demo data" not in reports.index(db, settings)
    mark_as_demo(settings.data)
    assert "demo data" in reports.index(db, settings)


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_strangers_write_adds_no_element_and_no_attribute_to_a_run_page(kind: str) -> None:
    text = HOSTILE[kind]
    assert elements(topics_page(text, text)) == elements(topics_page())
    address = f"https://{text}"
    linked = "https://example.org" if len(address) <= ADDRESS_CHARACTERS else ""  # a longer one is left out
    assert elements(topics_page(text, address)) == elements(topics_page(url=linked))


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example"])
def test_an_article_without_a_web_address_is_no_link(url: str) -> None:
    assert elements(topics_page(url=url)) == elements(topics_page())


@pytest.mark.parametrize("kind", sorted(set(HOSTILE) - {"half a pair"}))  # which SQLite can't hold
def test_what_strangers_write_adds_no_element_and_no_attribute_to_the_index(
    data: Path, db: Database, settings: Settings, kind: str
) -> None:
    hostile = elements(index_page(db, settings, HOSTILE[kind]))
    other = Settings(data=data / "other", reports=data / "other reports", timezone="Europe/Madrid")
    store = open_store(other.data)
    assert hostile == elements(index_page(store, other))
    store.close()


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_strangers_write_in_a_charts_data_and_name_stays_text(kind: str) -> None:
    text = HOSTILE[kind]
    macros = reports._environment().get_template("_macros.html").module

    def made(text: str) -> list[tuple[str, list[str]]]:
        chart = Figure(text, text, Markup("<svg></svg>"), (text, "b"), [(text, 1)])
        return elements(str(macros.chart(chart, True)))  # type: ignore[attr-defined]

    assert made(text) == made("plain")


# --- where pages lie


def read(settings: Settings, name: str) -> str:
    return (settings.reports / "model_topics" / name).read_text(encoding="utf-8")


def test_publishing_puts_a_runs_page_the_latest_and_the_index_in_their_places(db: Database, settings: Settings) -> None:
    add_run(db, settings, "2026-07-05", page="page of July")
    reports.publish(db, settings, "model_topics")
    assert read(settings, "2026-07-05.html") == read(settings, "latest.html") == "page of July"
    index = (settings.reports / "index.html").read_text(encoding="utf-8")
    assert 'href="model_topics/2026-07-05.html"' in index
    assert 'href="model_topics/latest.html"' in index
    assert "Done for 2026-07-05." in index


def test_the_latest_page_is_of_the_latest_date_and_not_of_the_latest_start(db: Database, settings: Settings) -> None:
    add_run(db, settings, "2026-07-12", page="second week")
    reports.publish(db, settings, "model_topics")
    add_run(db, settings, "2026-07-05", page="first week, made up for later")
    reports.publish(db, settings, "model_topics")
    assert read(settings, "latest.html") == read(settings, "2026-07-12.html") == "second week"
    assert read(settings, "2026-07-05.html") == "first week, made up for later"


def test_pages_that_earlier_starts_did_not_publish_are_published_by_the_next(db: Database, settings: Settings) -> None:
    add_run(db, settings, "2026-07-12", page="second week")
    add_run(db, settings, "2026-07-05", page="first week")
    reports.publish(db, settings, "model_topics")
    assert read(settings, "latest.html") == read(settings, "2026-07-12.html") == "second week"
    assert read(settings, "2026-07-05.html") == "first week"


def test_a_missing_page_is_written_again_and_a_damaged_latest_one_put_right(db: Database, settings: Settings) -> None:
    for date in ("2026-07-05", "2026-07-12", "2026-07-19"):
        add_run(db, settings, date, page=f"page of {date}")
    reports.publish(db, settings, "model_topics")
    (settings.reports / "model_topics" / "2026-07-05.html").unlink()
    (settings.reports / "model_topics" / "latest.html").write_text("half a pa")
    reports.publish(db, settings, "model_topics")
    assert read(settings, "2026-07-05.html") == "page of 2026-07-05"
    assert read(settings, "latest.html") == "page of 2026-07-19"


def test_a_replaced_runs_page_gives_way_to_the_new_one(db: Database, settings: Settings) -> None:
    add_run(db, settings, "2026-07-05", page="old")
    reports.publish(db, settings, "model_topics")
    add_run(db, settings, "2026-07-05", page="new")
    reports.publish(db, settings, "model_topics")
    assert read(settings, "2026-07-05.html") == read(settings, "latest.html") == "new"


def test_a_page_that_is_right_is_not_written_again(db: Database, settings: Settings) -> None:
    add_run(db, settings, "2026-07-05")
    reports.publish(db, settings, "model_topics")
    before = [(settings.reports / "model_topics" / name).stat().st_ino for name in ("2026-07-05.html", "latest.html")]
    reports.publish(db, settings, "model_topics")
    after = [(settings.reports / "model_topics" / name).stat().st_ino for name in ("2026-07-05.html", "latest.html")]
    assert before == after


def test_a_run_whose_page_is_lost_leaves_the_index_standing(db: Database, settings: Settings) -> None:
    run = add_run(db, settings, "2026-07-05")
    (settings.data / f"model_topics/2026-07-05-{run}" / "report.html").unlink()
    add_run(db, settings, "2026-07-12", page=None)
    reports.publish(db, settings, "model_topics")
    assert (settings.reports / "index.html").exists()
    assert not (settings.reports / "model_topics").exists()


def test_one_jobs_pages_are_left_alone_when_another_publishes(db: Database, settings: Settings) -> None:
    add_run(db, settings, "2026-07-05")
    add_run(db, settings, "2026-07-05", job="retrain_cnn")
    reports.publish(db, settings, "retrain_cnn")
    assert not (settings.reports / "model_topics").exists()
    assert (settings.reports / "retrain_cnn" / "latest.html").exists()


def test_the_index_of_a_new_desk_says_that_nothing_has_run(db: Database, settings: Settings) -> None:
    assert "No job has run yet." in reports.index(db, settings)
    parsed(reports.index(db, settings), strict=True)


def test_a_quotation_that_was_taken_back_leaves_every_copy_of_its_page(db: Database, settings: Settings) -> None:
    page = '<p>a <blockquote data-id="1">secret\nwords</blockquote> <blockquote data-id="12">kept</blockquote></p>'
    run = add_run(db, settings, "2024-06-01", page=page, job="capture_tweets")
    reports.publish(db, settings, "capture_tweets")
    copies = [path for folder in (settings.data, settings.reports) for path in folder.rglob("*.html")]
    copies = [path for path in copies if "secret" in path.read_text()]
    assert len(copies) == 3
    reports.withdraw(db, settings, {run: ["1", "7"]})
    for copy in copies:
        text = copy.read_text()
        assert "secret" not in text
        assert '<blockquote data-id="12">kept</blockquote>' in text
