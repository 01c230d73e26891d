"""How the weekly topics become rows: articles, topics, topic_words, article_topics, topic_events."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlite_utils
from sqlite_utils.db import ForeignKey
from sqlite_utils.migrations import Migrations

from lib.store import rows

migrations = Migrations("topics")
LOOKED_BACK = 25  # earlier runs in the streams: half a year with this one
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


@migrations()
def weeks(db: sqlite_utils.Database) -> None:
    """What a topic is from week to week: `topic` is a number for good, `column` its place in that run's gensim model.

    `share_error` is the standard error of `share`; `distance` the one from the topic as the run before had it;
    `labelled` the date it got its label. Rows from before have NULL there: their `topic` is the model's column.
    """
    columns: dict[str, Any] = {
        "column": int,
        "fate": str,
        "since": str,
        "weeks": int,
        "labelled": str,
        "share_error": float,
        "distance": float,
    }
    for name, kind in columns.items():
        db.table("topics").add_column(name, kind)
    # a topic that died or merged has no row of its run in `topics`, so that `topic` and `other` can't be keys to it
    _create(
        db,
        "topic_events",
        {"run": int, "topic": int, "event": str, "other": int, "distance": float, "before": int},
        ("run", "topic"),
        [("run", "runs", "id"), ("before", "runs", "id")],
    )
    db.execute("CREATE INDEX topics_topic ON topics (topic)")
    db.execute("CREATE INDEX topic_events_topic ON topic_events (topic)")
    db.execute("CREATE INDEX topic_events_other ON topic_events (other)")
    db.execute("CREATE INDEX topic_events_before ON topic_events (before)")


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


def next_id(db: sqlite_utils.Database, date: str) -> int:
    """The first number that no topic has had, but for those of the result of `date`, which a new one replaces."""
    sql = "SELECT MAX(topic) AS highest FROM topics JOIN runs ON runs.id = topics.run WHERE runs.date <> ?"
    highest = rows(db, sql, date)[0]["highest"]
    return 0 if highest is None else int(highest) + 1


@dataclass(frozen=True)
class Course:
    """The topics' shares over the weeks, the earliest first, by topic; and the label that each had last."""

    weeks: list[tuple[str, dict[int, float]]]
    labels: dict[int, str]


def course(db: sqlite_utils.Database, date: str, *, demo: bool) -> Course:
    """The last LOOKED_BACK runs of earlier dates and of the same kind, less those from before topics had numbers."""
    sql = """
        WITH past AS (SELECT id, date FROM runs WHERE committed = 1 AND date < ? AND demo = ? AND id IN
            (SELECT run FROM topics WHERE "column" IS NOT NULL) ORDER BY date DESC LIMIT ?)
        SELECT date, topic, label, share FROM topics JOIN past ON id = run ORDER BY date, topic
    """
    shares: dict[str, dict[int, float]] = {}
    labels: dict[int, str] = {}
    for row in rows(db, sql, date, int(demo), LOOKED_BACK):
        shares.setdefault(row["date"], {})[row["topic"]] = row["share"]
        labels[row["topic"]] = row["label"]
    return Course(list(shares.items()), labels)


def save(db: sqlite_utils.Database, run: int, date: str, articles: Any, summary: Any, weights: Any, weeks: Any) -> None:
    """Write a run's results; to stand in its commit. Articles known from an earlier date keep that date.

    `weights` has shape (articles, topics) with columns by the model's; those up to summary.MIN_WEIGHT are left out.
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
            **weeks.row(topic.id),
        }
        for topic in summary.topics
    )
    db.table("topic_events").insert_all({"run": run, **event} for event in weeks.events())
    db.table("topic_words").insert_all(
        {"run": run, "topic": topic.id, "rank": rank, "word": word, "weight": weight}
        for topic in summary.topics
        for rank, (word, weight) in enumerate(topic.words, start=1)
    )
    db.table("article_topics").insert_all(_weight_rows(run, articles, weights, summary.topics))
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


def _weight_rows(run: int, articles: Any, weights: Any, topics: Any) -> Iterator[dict[str, Any]]:
    from lib.topics.summary import MIN_WEIGHT

    ids = {topic.column: topic.id for topic in topics}
    for article, row in zip(articles, weights, strict=True):
        for column, weight in enumerate(row.tolist()):
            if weight > MIN_WEIGHT:
                yield {"run": run, "article": article.id, "topic": ids[column], "weight": round(weight, 5)}


def _json_list(texts: Iterable[str]) -> str:
    return "[" + ",".join(f'"{text}"' for text in texts) + "]"
