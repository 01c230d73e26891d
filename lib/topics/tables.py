"""How the weekly topics become rows: articles, topics, topic_words, article_topics, topic_events."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlite_utils
from numpy.typing import NDArray
from sqlite_utils.db import ForeignKey
from sqlite_utils.migrations import Migrations

from lib.store import rows
from lib.topics.ids import Numbers, as_numbers, as_texts

if TYPE_CHECKING:  # else whoever opens the store would load what reads articles
    from lib.topics.articles import Article

migrations = Migrations("topics")
LOOKED_BACK = 25  # earlier runs in the streams: half a year with this one
TOGETHER = 10_000  # articles that are asked for at a time
BLOCK = 1 << 17  # weights that become rows at a time
CACHE = 1 << 16  # KiB of the store that a commit may hold: SQLite's own 2 MiB are written out over and over
ARTICLE = ("id", "title", "publication", "date", "url", "file", "line", "first_seen")
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
    `labelled` the date it got its label; `stability` which part of its ten words other draws of the articles have.
    Rows from before have NULL there: their `topic` is the model's column.
    """
    columns: dict[str, Any] = {
        "column": int,
        "fate": str,
        "since": str,
        "weeks": int,
        "labelled": str,
        "share_error": float,
        "distance": float,
        "stability": float,
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


def new_articles(db: sqlite_utils.Database, date: str, ids: Numbers) -> tuple[int, bool]:
    """How many of the articles no committed run of an earlier logical date has read, and whether there is such a run.

    The store is asked for these articles, some at a time: it may have read a hundred times as many over the years.
    """
    earlier = "SELECT 1 FROM articles WHERE first_seen < ? LIMIT 1"
    if "articles" not in db.table_names() or db.execute(earlier, [date]).fetchone() is None:
        return len(ids), False
    sql = (
        "SELECT COUNT(*) FROM json_each(?) AS each CROSS JOIN articles ON articles.id = each.value WHERE first_seen < ?"
    )
    ascending, known = np.sort(ids), 0
    for start in range(0, len(ids), TOGETHER):
        asked = json.dumps(as_texts(ascending[start : start + TOGETHER]).tolist())
        known += db.execute(sql, [asked, date]).fetchone()[0]
    return len(ids) - known, True


def _seen(db: sqlite_utils.Database, where: str, date: str) -> Numbers:
    """The ids of the articles whose `first_seen` is so."""
    return as_numbers(row[0] for row in db.execute(f"SELECT id FROM articles WHERE {where}", [date]))


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


def save(
    db: sqlite_utils.Database,
    run: int,
    date: str,
    articles: "Sequence[Article]",
    summary: Any,
    weights: NDArray[np.floating],
    weeks: Any,
) -> None:
    """Write a run's results; to stand in its commit. Articles known from an earlier date keep that date.

    `weights` has shape (articles, topics) with columns by the model's; those up to summary.MIN_WEIGHT are left out.
    Raises ValueError where there aren't as many of them as articles.
    """
    if len(weights) != len(articles):
        raise ValueError(f"{len(weights)} rows of weights for {len(articles)} articles")
    from lib.topics.shelf import ids_of

    db.execute(f"PRAGMA cache_size = -{CACHE}")
    ids = ids_of(articles)
    of_this_date, of_later = _seen(db, "first_seen = ?", date), _seen(db, "first_seen > ?", date)
    # By their ids, which are random: so each page of an index is filled once, and not come back to all the time.
    order = np.argsort(ids)
    # Here and for the weights there is no sqlite-utils: of a million articles, its work on each value is most of it.
    sql = f"INSERT OR IGNORE INTO articles ({', '.join(ARTICLE)}) VALUES ({', '.join('?' for _ in ARTICLE)})"
    db.conn.executemany(sql, _article_rows(articles, order, date))
    # a run made up for later (a backfill) may be the first by date although it isn't by clock
    sooner = as_texts(np.intersect1d(of_later, ids)).tolist()
    db.conn.executemany("UPDATE articles SET first_seen = ? WHERE id = ?", zip(repeat(date), sooner, strict=False))
    db.table("topics").insert_all(
        {
            "run": run,
            "topic": topic.id,
            "label": topic.label,
            "share": topic.share,
            "npmi": topic.npmi,
            "stability": topic.stability,
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
    db.conn.executemany(
        "INSERT INTO article_topics (run, article, topic, weight) VALUES (?, ?, ?, ?)",
        _weight_rows(run, ids, order, weights, summary.topics),
    )
    # what only a replaced run of this date had read is in no run any more, or was first seen by a later one
    gone = [(id,) for id in as_texts(np.setdiff1d(of_this_date, ids)).tolist()]
    db.conn.executemany(
        "DELETE FROM articles WHERE id = ? AND NOT EXISTS (SELECT 1 FROM article_topics WHERE article = articles.id)",
        gone,
    )
    db.conn.executemany(
        "UPDATE articles SET first_seen = (SELECT MIN(runs.date) FROM article_topics JOIN runs"
        " ON runs.id = article_topics.run WHERE article_topics.article = articles.id) WHERE id = ?",
        gone,
    )


def _article_rows(articles: "Sequence[Article]", order: NDArray[np.int64], date: str) -> Iterator[tuple[Any, ...]]:
    for place in order.tolist():
        each = articles[place]
        title = each.title[:TITLE_CHARACTERS]
        yield each.id, title, each.publication, each.date, each.url, each.file, each.line, date


def _weight_rows(
    run: int, ids: Numbers, order: NDArray[np.int64], weights: NDArray[np.floating], topics: Any
) -> Iterator[tuple[int, str, int, float]]:
    """The rows by article and topic, made a block of articles at a time."""
    from lib.topics.summary import MIN_WEIGHT

    by_id = sorted(topics, key=lambda topic: topic.id)
    columns, numbers = [topic.column for topic in by_id], np.array([topic.id for topic in by_id])
    step = max(1, BLOCK // len(columns))
    for start in range(0, len(order), step):
        places = order[start : start + step]
        block = weights[places][:, columns].astype(np.float64)
        rows, topic = np.nonzero(block > MIN_WEIGHT)
        names = np.array(as_texts(ids[places]).tolist(), object)  # a string an article, not a row
        rounded = np.round(block[rows, topic], 5)
        yield from zip(repeat(run), names[rows].tolist(), numbers[topic].tolist(), rounded.tolist(), strict=False)
