"""Everything that a capture's page, its metrics and its sentence say, put together once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from lib.formats import signed
from lib.tweets import mood, places, tables, words
from lib.tweets.afinn import Rule, load_lexicon
from lib.tweets.places import Located, Places
from lib.tweets.reading import Read
from lib.tweets.rules import cost
from lib.tweets.scoring import ScoredTweet, printed_scores
from lib.tweets.session import Material
from lib.tweets.tables import Evening, moment
from lib.tweets.words import Shift, Tally, Term, WordShare

CAPTURE_COLUMNS = (
    *("source", "rule", "started_at", "ended_at", "lines", "bytes", "tweets", "scored"),
    *("mean", "mean_low", "mean_high", "posts_paid", "cost_dollars"),
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True)
class Found:
    """What a run found. `posts` are what X bills; `started` and `ended` are seconds since 1970."""

    source: str
    rule: Rule
    material: Material
    read: Read
    mood: mood.Mood
    words: list[WordShare]
    tally: Tally
    shift: Shift | None
    before: Evening | None
    terms: list[Term]
    places: Places
    evenings: list[Evening]
    posts: int
    dollars: float
    started: float | None
    ended: float | None


def summarise(
    source: str,
    rule: Rule,
    material: Material,
    read: Read,
    scored: Sequence[ScoredTweet],
    located: Sequence[Located],
    evenings: list[Evening],
    before: Mapping[str, tuple[int, int]] | None,
) -> Found:
    """Put together what the tweets say. `before` are the words of the last of the earlier `evenings`."""
    tally = words.tally(scored)
    last = evenings[-1] if evenings else None
    times = [each.created_ms / 1000 for each in read.tweets if each.created_ms is not None]
    posts = read.counts["tweets"] + read.counts["duplicates"] if source == "x" else 0
    return Found(
        source,
        rule,
        material,
        read,
        mood.summarise(scored, rule=rule),
        words.contributions(tally),
        tally,
        words.shift(tally, Tally(last.scored, before) if last is not None and before is not None else None),
        last,
        words.inferred_terms(scored, load_lexicon()),
        places.by_place(scored, located),
        evenings,
        posts,
        round(cost(posts), 2),
        material.started if material.captured else min(times, default=None),
        material.ended if material.captured else max(times, default=None),
    )


def metrics(found: Found) -> dict[str, Any]:
    """The figures of `--json`. Moments in UTC; counts of tweets are of those left after deletions."""
    counts, its = found.read.counts, found.mood
    return {
        "source": found.source,
        "rule": found.rule,
        "lines": counts["lines"],
        "bytes": counts["bytes"],
        "tweets": its.tweets,
        "deletes": counts["deletes"],
        "deleted": counts["deleted"],
        "duplicates": counts["duplicates"],
        "malformed": malformed(found),
        "notices": counts["notices"],
        "english": its.english,
        "scored": its.scored,
        "positive": its.positive,
        "negative": its.negative,
        "neutral": its.neutral,
        "nonzero": its.nonzero,
        "no_words": its.no_words,
        **{kind.value.replace(" ", "_").lower(): count for kind, count in its.unscored},
        "sum": its.sum,
        "mean": its.mean and its.mean.value,
        "mean_low": its.mean and its.mean.low,
        "mean_high": its.mean and its.mean.high,
        "mean_nonzero": its.mean_nonzero and its.mean_nonzero.value,
        "coverage": its.covered,
        "gaps": len(found.material.gaps),
        "gap_seconds": round(sum(gap.end - gap.start for gap in found.material.gaps), 3),
        "reconnects": found.material.reconnects,
        "posts_paid": found.posts,
        "cost_dollars": found.dollars,
        "started_at": moment(found.started),
        "ended_at": moment(found.ended),
    }


def malformed(found: Found) -> int:
    """Lines that nothing could be read from: truncated, no JSON, or of no known shape."""
    return sum(found.read.counts[reason] for reason in ("truncated", "malformed", "unexpected"))


def one_sentence(found: Found) -> str:
    """What the run came to, for the last line on stderr and the desk's index."""
    its = found.mood
    early = f" The capture ended early: {found.material.why_early}." if found.material.why_early else ""
    if its.mean is None:
        return f"{its.tweets:,} tweets, none of them English with a text: there is no mood to tell.{early}"
    interval = f" ({signed(its.mean.low)} to {signed(its.mean.high)})" if its.mean.low is not None else ""
    change = f", {signed(found.shift.difference)} against {found.before.date}" if found.shift and found.before else ""
    return (
        f"Mean valence {signed(its.mean.value)}{interval} over {its.scored:,} English of {its.tweets:,} tweets{change}"
        f": {its.positive / its.scored:.0%} positive, {its.negative / its.scored:.0%} negative.{early}"
    )


def printed(scored: Sequence[ScoredTweet], what: str) -> list[str]:
    """What --print asks for: the original's row of scores, or a line a tweet: language, place, text, score."""
    if what == "scores":
        return [printed_scores(scored)]
    return [
        "\t".join((each.tweet.lang or "-", _plain(_place(each)), _plain(each.tweet.text), str(each.valence)))
        for each in scored
    ]


def _place(scored: ScoredTweet) -> str:
    place = scored.tweet.place
    return (place and (place.full_name or place.name)) or scored.tweet.user_location or "-"


def _plain(text: str) -> str:
    """On one line, and without what a terminal would obey."""
    return _CONTROL.sub(" ", text).encode("utf-8", "replace").decode()


def capture_row(found: Found) -> dict[str, Any]:
    """The run's row in `captures`."""
    said = metrics(found)
    return {
        **{name: said[name] for name in CAPTURE_COLUMNS},
        "minutes": round((found.ended - found.started) / 60, 3) if found.started and found.ended else None,
        "why_early": found.material.why_early or None,
        "files": ", ".join(found.material.own) or ", ".join(path.name for path in found.material.paths),
    }


def save(db: Database, run: int, found: Found, scored: Sequence[ScoredTweet], located: Sequence[Located]) -> None:
    """Write the run's rows; to stand in its commit."""
    tables.save(
        db,
        run,
        capture=capture_row(found),
        gaps=found.material.gaps,
        scored=scored,
        located=located,
        words=found.tally.entries,
        recordings=found.material.own,
    )
