"""How the weekly topics become rows: articles, topics, topic_words, article_topics."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlite_utils
from sqlite_utils.db import ForeignKey
from sqlite_utils.migrations import Migrations

migrations = Migrations("topics")
TITLE_CHARACTERS = 1000  # in the table; the whole title is in the file that the row names


@migrations()
def topics(db: sqlite_utils.Database) -> None:
    """The articles (each once, with the date that first saw it) and a run's topics, words and weights."""
    _create(
        db,
        "articles",
        {
            "id": str,
            "title": str,
            "publication": str,
            "date": str,
            "url": str,
            "file": str,
            "line": int,
            "first_seen": str,
        },
        "id",
        [],
    )
    _create(
        db,
        "topics",
        {"run": int, "topic": int, "label": str, "share": float, "npmi": float, "x": float, "y": float},
        ("run", "topic"),
        [("run", "runs", "id")],
    )
    _create(
        db,
        "topic_words",
        {"run": int, "topic": int, "rank": int, "word": str, "weight": float},
        ("run", "topic", "rank"),
        [("run", "runs", "id")],
    )
    _create(
        db,
        "article_topics",
        {"run": int, "article": str, "topic": int, "weight": float},
        ("run", "article", "topic"),
        [("run", "runs", "id"), ("article", "articles", "id")],
    )
    db.execute("CREATE INDEX articles_first_seen ON articles (first_seen)")
    db.execute("CREATE INDEX articles_publication ON articles (publication)")
    db.execute("CREATE INDEX article_topics_article ON article_topics (article)")
    db.execute("CREATE INDEX topic_words_word ON topic_words (word)")


def _create(db: sqlite_utils.Database, name: str, columns: dict[str, Any], pk: Any, keys: list[Any]) -> None:
    made = db.table(name).create(columns, pk=pk, foreign_keys=keys)
    assert all(isinstance(key, ForeignKey) for key in made.foreign_keys)


@dataclass(frozen=True)
class LastTopics:
    """The topics of a committed run: its folder within the data folder, and by the model's column each id and label."""

    run: int
    date: str
    folder: str | None
    demo: bool
    topics: Mapping[int, tuple[int, str]]


def last_topics(db: sqlite_utils.Database) -> LastTopics | None:
    """The topics of the committed run of the latest logical date; None where there is none."""
    if not {"runs", "topics"} <= set(db.table_names()):
        return None
    sql = "SELECT * FROM runs WHERE job = 'model_topics' AND committed = 1 ORDER BY date DESC LIMIT 1"
    for run in db.query(sql):
        rows = list(db.query("SELECT * FROM topics WHERE run = ?", [run["id"]]))
        # before topics had ids of their own, the column was the id
        column = {row["topic"]: row["topic"] if row.get("column") is None else row["column"] for row in rows}
        topics = {column[row["topic"]]: (row["topic"], row["label"]) for row in rows}
        return LastTopics(run["id"], run["date"], run["folder"], bool(run["demo"]), topics)
    return None


def seen_before(db: sqlite_utils.Database, date: str) -> set[str]:
    """The ids of the articles that a committed run of an earlier logical date has read."""
    if "articles" not in db.table_names():
        return set()
    return {row[0] for row in db.execute("SELECT id FROM articles WHERE first_seen < ?", [date])}


def save(db: sqlite_utils.Database, run: int, date: str, articles: Any, summary: Any, weights: Any) -> None:
    """Write a run's results; to stand in its commit. Articles known from an earlier date keep that date.

    `weights` has shape (articles, topics) with columns by topic id; those up to summary.MIN_WEIGHT are left out.
    """
    db.table("articles").insert_all(
        (
            {
                "id": each.id,
                "title": each.title[:TITLE_CHARACTERS],
                "publication": each.publication,
                "date": each.date,
                "url": each.url,
                "file": each.file,
                "line": each.line,
                "first_seen": date,
            }
            for each in articles
        ),
        ignore=True,
    )
    # a run made up for later (a backfill) may be the first by date although it isn't by clock
    db.execute(
        "UPDATE articles SET first_seen = ? WHERE first_seen > ? AND id IN (SELECT value FROM json_each(?))",
        [date, date, _json_list(each.id for each in articles)],
    )
    db.table("topics").insert_all(
        {
            "run": run,
            "topic": topic.id,
            "label": topic.label,
            "share": topic.share,
            "npmi": topic.npmi,
            "x": topic.x,
            "y": topic.y,
        }
        for topic in summary.topics
    )
    db.table("topic_words").insert_all(
        {"run": run, "topic": topic.id, "rank": rank, "word": word, "weight": weight}
        for topic in summary.topics
        for rank, (word, weight) in enumerate(topic.words, start=1)
    )
    db.table("article_topics").insert_all(_weight_rows(run, articles, weights))
    # what only a replaced run of this date had read is in no run any more, or was first seen by a later one
    gone = [date, _json_list(each.id for each in articles)]
    db.execute(
        "DELETE FROM articles WHERE first_seen = ? AND id NOT IN (SELECT value FROM json_each(?))"
        " AND id NOT IN (SELECT article FROM article_topics)",
        gone,
    )
    db.execute(
        "UPDATE articles SET first_seen = (SELECT MIN(runs.date) FROM article_topics JOIN runs"
        " ON runs.id = article_topics.run WHERE article_topics.article = articles.id)"
        " WHERE first_seen = ? AND id NOT IN (SELECT value FROM json_each(?))",
        gone,
    )


def _weight_rows(run: int, articles: Any, weights: Any) -> Iterator[dict[str, Any]]:
    from lib.topics.summary import MIN_WEIGHT

    for article, row in zip(articles, weights, strict=True):
        for topic, weight in enumerate(row.tolist()):
            if weight > MIN_WEIGHT:
                yield {"run": run, "article": article.id, "topic": topic, "weight": round(weight, 5)}


def _json_list(texts: Iterable[str]) -> str:
    return "[" + ",".join(f'"{text}"' for text in texts) + "]"
