"""A topics run's rows: each article once with the date that first saw it, and results that go with their run."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from lib import runs
from lib.runs import Outcome
from lib.store import migrate, open_store, rows, writing
from lib.topics.articles import Article
from lib.topics.shelf import Shelf
from lib.topics.summary import MIN_WEIGHT
from lib.topics.tables import (
    LOOKED_BACK,
    TITLE_CHARACTERS,
    course,
    last_topics,
    migrations,
    new_articles,
    next_id,
    save,
    topics,
)
from lib.topics.tracking import Weeks
from tests.lib.topics.made import HOSTILE, article, made_summary, made_topic, made_weeks

SUMMARY = made_summary([made_topic(1, ("ship", "sail")), made_topic(0, ("oven", "flour", "salt"), share=0.25)])
OK = Outcome("ok", "Done.", 0)


@pytest.fixture
def db(data: Path) -> Iterator[Database]:
    store = open_store(data, [migrations])
    yield store
    store.close()


def commit(
    db: Database, date: str, articles: Sequence[Article], weights: object = None, weeks: Weeks | None = None
) -> int:
    """A committed run with its rows, as the desk makes it."""
    run = runs.begin(db, "model_topics", date, options={}, demo=False)
    if weights is None:
        weights = np.tile(np.array([[0.75, 0.25]], np.float32), (len(articles), 1))
    with writing(db):
        runs.commit(db, run, OK)
        save(db, run, date, articles, SUMMARY, weights, weeks or made_weeks(SUMMARY, date=date))
    return run


def first_seen(db: Database) -> dict[str, str]:
    return {row["title"]: row["first_seen"] for row in rows(db, "SELECT * FROM articles")}


def test_a_runs_articles_topics_words_and_weights_become_rows(db: Database) -> None:
    run = commit(db, "2024-05-05", [article(1, date="2024-05"), article(2, publication="")])
    assert rows(db, "SELECT * FROM articles ORDER BY id")[0] == {
        "id": f"{1:016x}",
        "title": "Title 1",
        "publication": "Paper",
        "date": "2024-05",
        "url": "https://example.org/1",
        "file": "made.csv",
        "line": 3,
        "first_seen": "2024-05-05",
    }
    columns = "run, topic, label, share, npmi, x, y"
    assert rows(db, f"SELECT {columns} FROM topics ORDER BY topic") == [
        {"run": run, "topic": 0, "label": "oven, flour, salt", "share": 0.25, "npmi": 0.1, "x": 0.0, "y": -0.5},
        {"run": run, "topic": 1, "label": "ship, sail", "share": 0.5, "npmi": 0.1, "x": 1.0, "y": -0.5},
    ]
    assert rows(db, "SELECT * FROM topic_words WHERE topic = 1 ORDER BY rank") == [
        {"run": run, "topic": 1, "rank": 1, "word": "ship", "weight": 0.2},
        {"run": run, "topic": 1, "rank": 2, "word": "sail", "weight": 0.1},
    ]
    assert rows(db, "SELECT topic, weight FROM article_topics WHERE article = ? ORDER BY topic", f"{2:016x}") == [
        {"topic": 0, "weight": 0.75},
        {"topic": 1, "weight": 0.25},
    ]


def test_a_topics_row_has_its_column_and_what_became_of_it(db: Database) -> None:
    weeks = made_weeks(SUMMARY, before=2, date="2024-05-05")
    before = runs.begin(db, "model_topics", "2024-04-28", options={}, demo=False)
    assert weeks.history.past is not None
    weeks = replace(weeks, history=replace(weeks.history, past=replace(weeks.history.past, run=before)))
    run = commit(db, "2024-05-05", [article(1)], weeks=weeks)
    columns = '"column", fate, since, weeks, labelled, share_error, distance'
    assert rows(db, f"SELECT {columns} FROM topics WHERE topic = 1") == [
        {
            "column": 1,
            "fate": "continued",
            "since": "2024-04-21",
            "weeks": 3,
            "labelled": "2024-05-05",
            "share_error": 0.01,
            "distance": 0.3,
        }
    ]
    assert rows(db, "SELECT * FROM topic_events ORDER BY topic") == [
        {"run": run, "topic": 0, "event": "born", "other": None, "distance": 0.3, "before": before},
        {"run": run, "topic": 9999, "event": "died", "other": None, "distance": 0.8, "before": before},
    ]


def test_weights_go_by_the_topics_numbers_and_not_by_the_models_columns(db: Database) -> None:
    summary = made_summary([made_topic(12, column=1), made_topic(40, column=0)])
    run = runs.begin(db, "model_topics", "2024-05-05", options={}, demo=False)
    with writing(db):
        runs.commit(db, run, OK)
        save(db, run, "2024-05-05", [article(1)], summary, np.array([[0.9, 0.1]]), made_weeks(summary))
    assert rows(db, "SELECT topic, weight FROM article_topics ORDER BY topic") == [
        {"topic": 12, "weight": 0.1},
        {"topic": 40, "weight": 0.9},
    ]


def test_a_store_from_before_topics_had_numbers_keeps_its_rows(data: Path) -> None:
    store = open_store(data / "old")
    first = Migrations("topics")
    first()(topics)
    migrate(store, [first])
    run = runs.begin(store, "model_topics", "2024-05-05", options={}, demo=False)
    with writing(store):
        runs.commit(store, run, OK)
        store.table("topics").insert({"run": run, "topic": 4, "label": "ship", "share": 1.0})
    migrate(store, [migrations])
    assert [(row["topic"], row["column"], row["since"]) for row in rows(store, "SELECT * FROM topics")] == [
        (4, None, None)
    ]
    assert next_id(store, "2024-05-12") == 5
    assert course(store, "2024-05-12", demo=False).weeks == []
    store.close()


def test_the_next_number_is_one_that_no_topic_of_another_date_has_had(db: Database) -> None:
    assert next_id(db, "2024-05-05") == 0
    commit(db, "2024-05-05", [article(1)])
    assert next_id(db, "2024-05-05") == 0
    assert next_id(db, "2024-05-12") == 2
    assert next_id(db, "2024-04-28") == 2


def test_the_course_has_the_earlier_weeks_of_the_same_kind_the_earliest_first(db: Database) -> None:
    for day in ("2024-05-12", "2024-05-05", "2024-05-19"):
        commit(db, day, [article(1)])
    found = course(db, "2024-05-19", demo=False)
    assert found.weeks == [(day, {0: 0.25, 1: 0.5}) for day in ("2024-05-05", "2024-05-12")]
    assert found.labels == {0: "oven, flour, salt", 1: "ship, sail"}
    assert course(db, "2024-05-19", demo=True).weeks == []


def test_the_course_looks_half_a_year_back(db: Database) -> None:
    days = [f"2024-{month:02d}-{day:02d}" for month in range(1, 7) for day in (1, 8, 15, 22, 28)]
    for day in days:
        commit(db, day, [article(1)])
    assert [day for day, _ in course(db, "2025-01-01", demo=False).weeks] == days[-LOOKED_BACK:]


def test_weights_up_to_a_hundredth_are_left_out(db: Database) -> None:
    commit(db, "2024-05-05", [article(1)], np.array([[0.0099, 0.9901]]))
    commit(db, "2024-05-06", [article(1)], np.array([[0.01, 0.99]]))
    assert rows(db, "SELECT topic, weight FROM article_topics ORDER BY run") == [
        {"topic": 1, "weight": 0.9901},
        {"topic": 1, "weight": 0.99},
    ]


def test_a_later_run_keeps_the_date_that_first_saw_an_article(db: Database) -> None:
    commit(db, "2024-05-05", [article(1), article(2)])
    commit(db, "2024-05-12", [article(2), article(3)])
    assert first_seen(db) == {"Title 1": "2024-05-05", "Title 2": "2024-05-05", "Title 3": "2024-05-12"}


def test_a_run_made_up_for_an_earlier_date_saw_its_articles_first(db: Database) -> None:
    commit(db, "2024-05-12", [article(1), article(2)])
    commit(db, "2024-05-05", [article(2), article(3)])
    assert first_seen(db) == {"Title 1": "2024-05-12", "Title 2": "2024-05-05", "Title 3": "2024-05-05"}


def test_new_articles_are_those_that_no_run_of_an_earlier_date_has_read(db: Database) -> None:
    commit(db, "2024-05-05", [article(1)])
    commit(db, "2024-05-12", [article(1), article(2**64 - 1, line=1)])
    ids = np.array([2**64 - 1, 7, 1], np.uint64)
    assert new_articles(db, "2024-05-05", ids) == (3, False)
    assert new_articles(db, "2024-05-12", ids) == (2, True)
    assert new_articles(db, "2024-05-13", ids) == (1, True)


def test_the_store_is_asked_for_a_few_articles_at_a_time(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.topics.tables.TOGETHER", 3)
    commit(db, "2024-05-05", [article(number) for number in range(0, 20, 2)])
    assert new_articles(db, "2024-05-12", np.arange(20, dtype=np.uint64)[::-1]) == (10, True)


def test_before_the_first_run_every_article_is_new(data: Path) -> None:
    store = open_store(data / "without topics")
    assert new_articles(store, "2024-05-05", np.array([1], np.uint64)) == (1, False)
    store.close()


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO topics (run, topic) VALUES (99, 0)",
        "INSERT INTO topic_words (run, topic, rank) VALUES (99, 0, 1)",
        "INSERT INTO topic_events (run, topic) VALUES (99, 0)",
        "INSERT INTO topic_events (run, topic, before) SELECT id, 7, 99 FROM runs",
        "INSERT INTO article_topics (run, article, topic) VALUES (1, 'nowhere', 0)",
        "INSERT INTO article_topics (run, article, topic) SELECT 99, id, 0 FROM articles",
        "DELETE FROM articles",
        "DELETE FROM runs",
    ],
)
def test_rows_have_their_run_and_their_article(db: Database, sql: str) -> None:
    commit(db, "2024-05-05", [article(1)])
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"), writing(db):
        db.execute(sql)


def test_replacing_a_date_removes_its_rows_and_the_articles_it_alone_had_read(db: Database) -> None:
    old = commit(db, "2024-05-05", [article(1), article(2)])
    new = commit(db, "2024-05-05", [article(2), article(3)])
    assert set(first_seen(db)) == {"Title 2", "Title 3"}
    for name in ("topics", "topic_words", "article_topics", "topic_events"):
        assert {row["run"] for row in rows(db, f"SELECT run FROM {name}")} == {new} != {old}
    assert rows(db, "PRAGMA foreign_key_check") == []


def test_replacing_a_date_keeps_the_articles_of_other_dates(db: Database) -> None:
    commit(db, "2024-05-05", [article(1), article(2), article(3)])
    commit(db, "2024-05-12", [article(2)])
    commit(db, "2024-05-05", [article(3)])
    assert first_seen(db) == {"Title 2": "2024-05-12", "Title 3": "2024-05-05"}
    assert new_articles(db, "2024-05-12", np.array([1, 2, 3], np.uint64)) == (2, True)


def test_an_article_whose_weights_are_all_small_is_kept_while_its_run_is(db: Database) -> None:
    commit(db, "2024-05-05", [article(1)], np.full((1, 200), 0.005))
    assert set(first_seen(db)) == {"Title 1"}
    assert rows(db, "SELECT * FROM article_topics") == []


def test_a_commit_that_fails_leaves_the_earlier_result(db: Database) -> None:
    old = commit(db, "2024-05-05", [article(1)])
    with pytest.raises(ValueError, match="3 rows of weights for 1 articles"):
        commit(db, "2024-05-05", [article(2)], np.ones((3, 2)))
    assert set(first_seen(db)) == {"Title 1"}
    assert {row["run"] for row in rows(db, "SELECT run FROM topics")} == {old}


def test_rows_lie_in_the_order_of_the_articles_ids_whatever_that_of_the_articles(
    db: Database, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.topics.tables.BLOCK", 7)
    random = np.random.default_rng(0)
    articles = [article(int(number), line=1) for number in random.integers(0, 2**64, 50, np.uint64)]
    weights = random.dirichlet([0.1, 0.1], 50).astype(np.float32)
    shelf = Shelf(data)
    for each in articles:
        shelf.put(each)
    run = commit(db, "2024-05-05", shelf, weights)
    ids = [row["id"] for row in rows(db, "SELECT id FROM articles ORDER BY rowid")]
    assert ids == sorted(each.id for each in articles)
    assert [tuple(row.values()) for row in rows(db, "SELECT * FROM article_topics ORDER BY rowid")] == sorted(
        (run, each.id, topic, round(float(weight), 5))
        for each, row in zip(articles, weights, strict=True)
        for topic, weight in enumerate(row)
        if float(weight) > MIN_WEIGHT
    )


def test_what_a_stranger_wrote_is_stored_as_it_is_up_to_a_thousand_characters_of_title(db: Database) -> None:
    texts = [text for name, text in HOSTILE.items() if name != "half a pair"]  # UTF-8 has no halves to read
    commit(db, "2024-05-05", [article(d, title=text, url=text) for d, text in enumerate(texts)])
    assert [row["title"] for row in rows(db, "SELECT title FROM articles ORDER BY id")] == [
        text[:TITLE_CHARACTERS] for text in texts
    ]


def test_the_last_topics_are_those_of_the_latest_date_that_is_committed(db: Database) -> None:
    assert last_topics(db) is None
    later = commit(db, "2024-05-12", [article(1)])
    commit(db, "2024-05-05", [article(1)])
    runs.begin(db, "model_topics", "2024-06-01", options={}, demo=False)
    last = last_topics(db)
    assert last is not None
    assert (last.run, last.date, last.demo) == (later, "2024-05-12", False)
    assert last.topics == {1: (1, "ship, sail"), 0: (0, "oven, flour, salt")}


def test_where_topics_have_a_column_of_their_own_it_says_which_label_is_whose(db: Database) -> None:
    commit(db, "2024-05-05", [article(1)])
    if "column" not in db.table("topics").columns_dict:
        db.table("topics").add_column("column", int)
    db.execute("UPDATE topics SET topic = topic + 40, [column] = 1 - topic")
    db.conn.commit()
    last = last_topics(db)
    assert last is not None
    assert last.topics == {0: (41, "ship, sail"), 1: (40, "oven, flour, salt")}


def test_a_store_without_topics_has_no_last_ones(data: Path) -> None:
    store = open_store(data)
    assert last_topics(store) is None
    store.close()
