"""Each topic from week to week: its number for good, where it came from, what has changed in it, rising and falling.

What a topic is like is read off the model's distributions over words (lib.topics.alignment says which is which); how
much is written about it, off each article's weights.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from gensim.models import LdaModel
from numpy.typing import NDArray

from lib.topics.alignment import Alignment, align, on_one_vocabulary
from lib.topics.corpus import Corpus, words_of
from lib.topics.history import History, Past, PastTopic
from lib.topics.summary import Summary

LEVEL = 0.95  # of the intervals: of one share, and of all the changes together
DRIFT_WORDS = 5  # to each side
LEAST_DRIFT = 0.0005  # of a topic's words; a smaller change of a word is none that anybody sees
# A label stays while of the words that the topic had when it got it this part is among its LIKELY likeliest,
LABEL_STAYS, LIKELY = 0.5, 20
STILL_LIKELY = 50  # and each word of the label itself among so many; it was of the thirty likeliest when it was chosen
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Drift:
    """A word whose probability in a topic has changed since last week."""

    word: str
    before: float
    now: float


@dataclass(frozen=True)
class Change:
    """A share less last week's, with an interval that holds for all topics' changes together, LEVEL of the time."""

    difference: float
    low: float
    high: float

    @property
    def way(self) -> str:
        """Which way it went, where chance alone doesn't explain it: rising, falling or ""."""
        return "rising" if self.low > 0 else "falling" if self.high < 0 else ""


@dataclass(frozen=True)
class Tracked:
    """A topic of this week. `fate` is continued, born, or split (from `other`, which goes on as well).

    `merged` are last week's topics that went into it; `distance` is the one from itself last week, else from the
    nearest of last week's topics (from `other` where it split). `share_error` is the standard error of `share`.
    """

    id: int
    column: int
    fate: str
    label: str
    since: str
    weeks: int
    labelled: str
    share: float
    share_error: float
    distance: float | None = None
    other: int | None = None
    merged: tuple[int, ...] = ()
    before: float | None = None  # its share last week
    change: Change | None = None
    gained: tuple[Drift, ...] = ()
    lost: tuple[Drift, ...] = ()


@dataclass(frozen=True)
class Gone:
    """A topic of last week that is none this week: `fate` is died, or merged (into `other`)."""

    id: int
    fate: str
    label: str
    since: str
    weeks: int
    share: float
    distance: float | None
    other: int | None = None


@dataclass(frozen=True)
class Weeks:
    """This week's topics, by id, the largest first, against last week's. Without a past every topic is born.

    What a topic of this week is called by events and rows is its number for good.
    """

    topics: dict[int, Tracked]
    gone: list[Gone]
    history: History

    @property
    def shares(self) -> dict[int, float]:
        """Each topic's share of this week's words."""
        return {id: each.share for id, each in self.topics.items()}

    def row(self, id: int) -> dict[str, Any]:
        """A topic's columns in the store."""
        its = self.topics[id]
        return {
            "column": its.column,
            "fate": its.fate,
            "since": its.since,
            "weeks": its.weeks,
            "labelled": its.labelled,
            "share_error": its.share_error,
            "distance": its.distance,
        }

    def events(self) -> list[dict[str, Any]]:
        """What happened to topics since last week, as rows: births, splits, deaths and merges."""
        found: list[Tracked | Gone] = [each for each in self.topics.values() if each.fate != "continued"]
        return [
            {"topic": each.id, "event": each.fate, "other": each.other, "distance": each.distance}
            | {"before": self.history.past.run if self.history.past else None}
            for each in (*found, *self.gone)
        ]


def track(
    history: History, summary: Summary, model: LdaModel, corpus: Corpus, weights: NDArray[np.float32]
) -> tuple[Summary, Weeks]:
    """Who is who, and what has changed. Returns the summary with the topics' numbers and labels for good, too.

    `summary` has the topics by column, with this week's labels; `weights` has shape (articles, topics). A topic that
    goes on keeps its number, and its label by `label_stays`.
    """
    shares, errors = shares_with_errors(weights, corpus.lengths)
    date = history.date
    new = [
        Tracked(k := topic.column, k, "born", topic.label, date, 1, date, _rounded(shares[k]), _rounded(errors[k]))
        for topic in summary.topics
    ]
    beta = model.get_topics().astype(np.float64)
    weeks = _against(history, history.past, new, beta, words_of(corpus)) if history.past else _first(history, new)
    return named(summary, weeks), weeks


def _first(history: History, new: Sequence[Tracked]) -> Weeks:
    topics = [dataclasses.replace(each, id=history.next_id + each.column) for each in new]
    return Weeks({each.id: each for each in topics}, [], history)


def _against(history: History, past: Past, new: Sequence[Tracked], beta: Floats, words: Sequence[str]) -> Weeks:
    then, now, every = on_one_vocabulary(past.kept.beta, past.kept.words, beta, words)
    found = align(then, now)
    ids = _numbers(found, past, len(now), history.next_id)
    level = 1 - (1 - LEVEL) / max(len(found.continued), 1)  # Bonferroni's correction
    topics = []
    for its in new:
        k = its.column
        its = dataclasses.replace(
            its,
            id=ids[k],
            distance=_rounded(found.distances[:, k].min(initial=1.0)),
            merged=tuple(past.topics[row].id for row, column in found.merged.items() if column == k),
        )
        if k in found.continued:
            row = found.continued[k]
            its = _continued(its, past.topics[row], then[row], now[k], every, level)
            its = dataclasses.replace(its, distance=_rounded(found.distances[row, k]))
        elif k in found.split:
            row = found.split[k]
            distance = _rounded(found.distances[row, k])
            its = dataclasses.replace(its, fate="split", other=past.topics[row].id, distance=distance)
        topics.append(its)
    gone = [_gone(past.topics[row], "merged", found, row, ids, column) for row, column in found.merged.items()]
    gone += [_gone(past.topics[row], "died", found, row, ids) for row in found.died]
    gone.sort(key=lambda each: -each.share)
    return Weeks({each.id: each for each in topics}, gone, history)


def _numbers(found: Alignment, past: Past, topics: int, next_id: int) -> list[int]:
    """Each column's number for good: last week's where the topic goes on, else the next that nobody has had."""
    ids = []
    for column in range(topics):
        if column in found.continued:
            ids.append(past.topics[found.continued[column]].id)
        else:
            ids.append(next_id)
            next_id += 1
    return ids


def _continued(
    its: Tracked, before: PastTopic, then: Floats, now: Floats, words: Sequence[str], level: float
) -> Tracked:
    error = before.share_error or 0.0
    gained, lost = drift(then, now, words)
    stays = label_stays(before.label, before.words, now, words)
    return dataclasses.replace(
        its,
        fate="continued",
        label=before.label if stays else its.label,
        labelled=before.labelled if stays else its.labelled,
        since=before.since,
        weeks=before.weeks + 1,
        before=before.share,
        change=change(its.share, its.share_error, before.share, error, level),
        gained=gained,
        lost=lost,
    )


def _gone(
    topic: PastTopic, fate: str, found: Alignment, row: int, ids: Sequence[int], column: int | None = None
) -> Gone:
    apart = found.distances[row]
    distance = apart.min(initial=1.0) if column is None else apart[column]
    other = None if column is None else ids[column]
    return Gone(topic.id, fate, topic.label, topic.since, topic.weeks, topic.share, _rounded(distance), other)


def _rounded(number: float) -> float:
    return round(float(number), 6)


def label_stays(label: str, words_then: Sequence[str], now: Floats, words: Sequence[str]) -> bool:
    """Whether a topic that goes on keeps its label: where it still has the words that it had when it got the label.

    At least LABEL_STAYS of them are among its LIKELY likeliest, and all those in the label itself among its
    STILL_LIKELY. It is these words that count and not last week's, so that small changes, week after week, don't add up
    to a topic with another's label. `now` has a probability for each of `words`, those of this week and of last.
    """
    order = [words[place] for place in np.argsort(-now, kind="stable")[:STILL_LIKELY].tolist()]
    likely, known = set(order[:LIKELY]), set(words)
    named = [word for part in label.split(", ") if (word := part.replace(" ", "_")) in known]
    had = sum(word in likely for word in words_then)
    return bool(words_then) and had >= LABEL_STAYS * len(words_then) and set(named) <= set(order)


def drift(then: Floats, now: Floats, words: Sequence[str]) -> tuple[tuple[Drift, ...], tuple[Drift, ...]]:
    """The words whose probability in a topic has gained most, and those that have lost most, the most first."""
    more = now - then
    order = np.argsort(-more, kind="stable")
    gained = [place for place in order[:DRIFT_WORDS].tolist() if more[place] >= LEAST_DRIFT]
    lost = [place for place in order[::-1][:DRIFT_WORDS].tolist() if more[place] <= -LEAST_DRIFT]
    one, other = (
        tuple(Drift(words[place], round(float(then[place]), 6), round(float(now[place]), 6)) for place in places)
        for places in (gained, lost)
    )
    return one, other


def shares_with_errors(weights: NDArray[np.float32], lengths: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Each topic's share of all words, and its standard error; both of shape (topics,).

    The share is a ratio of two sums over articles, Σ n_d θ_dk / Σ n_d, and its variance by the delta method about
    Σ n_d² (θ_dk − share)² / (Σ n_d)² (Cochran 1977, Sampling Techniques, section 2.11): what other articles of the same
    kind would have changed, the model's topics being taken as they are.
    """
    n = lengths.astype(np.float64) if lengths.any() else np.ones(len(lengths))
    n /= max(n.sum(), 1.0)
    # einsum, for a matrix of doubles as large as `weights` would be the largest thing in memory
    shares = np.einsum("d,dk->k", n, weights)
    linear, square = np.einsum("d,dk->k", n**2, weights), np.einsum("d,dk,dk->k", n**2, weights, weights)
    variances = square - 2 * shares * linear + shares**2 * (n**2).sum()
    return shares, np.sqrt(np.maximum(variances, 0.0))


def change(now: float, error_now: float, before: float, error_before: float, level: float) -> Change:
    """The difference of two shares with its interval at a level, the weeks' articles taken for independent.

    Articles that both weeks have make the true interval narrower than this one: it errs on the side of no change.
    """
    reach = NormalDist().inv_cdf(0.5 + level / 2) * float(np.hypot(error_now, error_before))
    difference = now - before
    return Change(difference, difference - reach, difference + reach)


def named(summary: Summary, weeks: Weeks) -> Summary:
    """The summary with the numbers and labels that its topics have for good."""
    by_column = {each.column: each for each in weeks.topics.values()}
    topics = [
        dataclasses.replace(topic, id=by_column[topic.column].id, label=by_column[topic.column].label)
        for topic in summary.topics
    ]
    return dataclasses.replace(summary, topics=topics)
