"""How a capture becomes rows: captures, gaps, tweets, mood_words; and the recordings that the desk has made."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlite_utils
from sqlite_utils.migrations import Migrations

from lib.runs import stamp
from lib.store import rows, writing
from lib.tweets.places import Located
from lib.tweets.reading import Gone
from lib.tweets.scoring import ScoredTweet
from lib.tweets.window import Gap

migrations = Migrations("tweets")
LOOKED_BACK = 26  # earlier runs on the line of the last Saturdays


@migrations()
def tweets(db: sqlite_utils.Database) -> None:
    """A run's capture, its gaps, tweets and words. `recordings` outlives a run that failed, for the next to score."""
    runs = ("run", "runs", "id")
    db.table("captures").create(
        {
            "run": int,
            "source": str,
            "rule": str,
            "started_at": str,
            "ended_at": str,
            "minutes": float,
            "why_early": str,
            "files": str,
            "lines": int,
            "bytes": int,
            "tweets": int,
            "scored": int,
            "mean": float,
            "mean_low": float,
            "mean_high": float,
            "posts_paid": int,
            "cost_dollars": float,
        },
        pk="run",
        foreign_keys=[runs],
    )
    db.table("gaps").create(
        {"run": int, "start": str, "end": str, "seconds": float, "why": str, "filled": int}, foreign_keys=[runs]
    )
    db.table("tweets").create(
        {
            "run": int,
            "id": str,
            "created_at": str,
            "lang": str,
            "valence": int,
            "kind": str,
            "text": str,
            "words": str,
            "country": str,
            "state": str,
            "place": str,
            "url": str,
            "retweet_of": str,
            "deleted": int,
        },
        pk=("run", "id"),
        foreign_keys=[runs],
        not_null={"valence", "kind", "deleted"},
        defaults={"deleted": 0},
    )
    db.table("mood_words").create(
        {"run": int, "entry": str, "valence": int, "count": int}, pk=("run", "entry"), foreign_keys=[runs]
    )
    # not a column `run`: a recording is what results are made from, and stays where they are replaced
    db.table("recordings").create(
        {"file": str, "made_by": int, "date": str, "source": str, "started_at": str, "ended_at": str, "state": str},
        pk="file",
        foreign_keys=[("made_by", "runs", "id")],
    )
    db.execute("CREATE INDEX gaps_run ON gaps (run)")
    db.execute("CREATE INDEX tweets_id ON tweets (id)")
    db.execute("CREATE INDEX tweets_retweet_of ON tweets (retweet_of) WHERE retweet_of IS NOT NULL")
    db.execute("CREATE INDEX tweets_deleted ON tweets (id) WHERE deleted = 1")
    db.execute("CREATE INDEX tweets_lang ON tweets (lang)")


def moment(seconds: float | None) -> str | None:
    """Seconds since 1970 as the store writes moments."""
    if seconds is None:
        return None
    try:
        return stamp(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):  # a stamp that no calendar has
        return None


def open_recording(db: sqlite_utils.Database, file: str, run: int, date: str, source: str, started: float) -> None:
    """Note, before the first line, that a capture is under way, so that the next start finds it if this run dies."""
    row = {"file": file, "made_by": run, "date": date, "source": source, "state": "open"}
    with writing(db):
        db.table("recordings").insert({**row, "started_at": moment(started)})


@dataclass(frozen=True)
class Recording:
    """A capture that a run which came to nothing has left. Moments as the store writes them."""

    file: str
    made_by: int
    date: str
    source: str
    started_at: str


def left_behind(db: sqlite_utils.Database, run: int) -> list[Recording]:
    """The recordings of runs that ended without a result, the oldest first. `run` is the one that asks."""
    found = rows(
        db,
        "SELECT file, made_by, recordings.date, source, recordings.started_at FROM recordings "
        "JOIN runs ON runs.id = made_by "
        "WHERE state = 'open' AND made_by != ? AND status != 'running' ORDER BY recordings.started_at, file",
        run,
    )
    return [Recording(**row) for row in found]


def open_recordings(db: sqlite_utils.Database) -> list[str]:
    """The recordings that no results were made from yet."""
    return [row["file"] for row in rows(db, "SELECT file FROM recordings WHERE state = 'open'")]


def drop_recording(db: sqlite_utils.Database, file: str) -> None:
    """Forget a recording whose file isn't there any more."""
    with writing(db):
        db.table("recordings").delete(file)


def save(
    db: sqlite_utils.Database,
    run: int,
    *,
    capture: Mapping[str, Any],
    gaps: Iterable[Gap],
    scored: Sequence[ScoredTweet],
    located: Sequence[Located],
    words: Mapping[str, tuple[int, int]],
    recordings: Iterable[str],
) -> None:
    """Write a run's results; to stand in its commit. `words` has each entry's valence and count."""
    db.table("captures").insert({"run": run, **capture})
    db.table("gaps").insert_all(
        {
            "run": run,
            "start": moment(gap.start),
            "end": moment(gap.end),
            "seconds": round(gap.end - gap.start, 3),
            "why": gap.why,
            "filled": int(gap.filled),
        }
        for gap in gaps
    )
    db.conn.executemany(
        "INSERT INTO tweets (run, id, created_at, lang, valence, kind, text, words, country, state, place, url, "
        "retweet_of) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (_row(run, each, where) for each, where in zip(scored, located, strict=True)),
    )
    db.table("mood_words").insert_all(
        {"run": run, "entry": entry, "valence": valence, "count": count} for entry, (valence, count) in words.items()
    )
    for file in recordings:
        db.execute("UPDATE recordings SET state = 'kept', made_by = ? WHERE file = ?", [run, file])


def _row(run: int, scored: ScoredTweet, where: Located) -> tuple[Any, ...]:
    tweet = scored.tweet
    place = tweet.place.full_name or tweet.place.name if tweet.place is not None else tweet.user_location
    return (
        run,
        tweet.id,
        moment(tweet.created_ms / 1000) if tweet.created_ms is not None else None,
        tweet.lang,
        scored.valence,
        scored.kind.value,
        tweet.text,
        ", ".join(scored.entries) or None,
        where.country,
        where.state,
        place,
        tweet.url or None,
        tweet.retweet_of,
    )


@dataclass(frozen=True)
class Evening:
    """An earlier capture's mood: mean valence of its scored tweets with its interval."""

    run: int
    date: str
    mean: float
    low: float | None
    high: float | None
    scored: int


def earlier(db: sqlite_utils.Database, date: str, source: str, rule: str) -> list[Evening]:
    """The captures of earlier dates from the same source, scored by the same rule; the oldest first.

    Of the same day of the week where there are any, since a Saturday night is not a Monday morning.
    """
    sql = (
        "SELECT run, date, mean, mean_low AS low, mean_high AS high, scored FROM captures JOIN runs ON runs.id = run "
        "WHERE committed = 1 AND date < ? AND source = ? AND rule = ? AND mean IS NOT NULL {} "
        "ORDER BY date DESC LIMIT ?"
    )
    alike = rows(db, sql.format("AND strftime('%w', date) = strftime('%w', ?)"), date, source, rule, date, LOOKED_BACK)
    found = alike or rows(db, sql.format(""), date, source, rule, LOOKED_BACK)
    return [Evening(**row) for row in reversed(found)]


def words_of(db: sqlite_utils.Database, run: int) -> dict[str, tuple[int, int]]:
    """The entries that an earlier run's tweets held, each with its valence and how often."""
    found = rows(db, "SELECT entry, valence, count FROM mood_words WHERE run = ?", run)
    return {row["entry"]: (row["valence"], row["count"]) for row in found}


def mentioned(db: sqlite_utils.Database, gone: Gone) -> dict[int, list[str]]:
    """The ids of stored tweets that are gone and still have their texts, by the run that had captured them."""
    found: dict[int, list[str]] = {}
    where, values = _which(gone)
    for row in rows(db, f"SELECT run, id FROM tweets WHERE {where}", *values) if gone else ():
        found.setdefault(row["run"], []).append(row["id"])
    return found


def forget(db: sqlite_utils.Database, gone: Gone) -> None:
    """Take the texts of deleted tweets out of the store.

    Their scores stay: they are part of figures that say nothing of who wrote them.
    """
    where, values = _which(gone)
    with writing(db):
        db.execute(
            f"UPDATE tweets SET text = NULL, words = NULL, place = NULL, url = NULL, deleted = 1 WHERE {where}", values
        )


def _which(gone: Gone) -> tuple[str, list[Any]]:
    ids = json.dumps(sorted(gone.ids))
    where = "(id IN (SELECT value FROM json_each(?)) OR retweet_of IN (SELECT value FROM json_each(?))"
    values: list[Any] = [ids, ids]
    for account in gone.accounts:
        where += " OR (id >= ? AND id < ?)"
        values += [account, f"{account[:-1]}0"]  # "0" follows "/"
    return f"{where}) AND deleted = 0", values


def deleted_before(db: sqlite_utils.Database) -> set[str]:
    """The ids of tweets that earlier runs have learnt to be deleted."""
    return {row["id"] for row in rows(db, "SELECT DISTINCT id FROM tweets WHERE deleted = 1")}


def replaced(db: sqlite_utils.Database) -> list[str]:
    """The recordings whose results were replaced by those of others: nothing tells any more what is deleted in them."""
    sql = "SELECT file FROM recordings JOIN runs ON runs.id = made_by WHERE state = 'kept' AND committed = 0"
    return [row["file"] for row in rows(db, sql)]


def files_of(db: sqlite_utils.Database, run: int) -> list[str]:
    """The desk's own recordings that a run's results were made from, by their names in the data folder."""
    return [row["file"] for row in rows(db, "SELECT file FROM recordings WHERE made_by = ?", run)]
