"""What a reader is told of a model: labels, shares, headlines, distances, topics by publication and over time."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from gensim.models import LdaModel
from numpy.typing import NDArray

from lib.topics.alignment import distances
from lib.topics.articles import Article
from lib.topics.corpus import Corpus
from lib.topics.labels import label_topics, telling_articles
from lib.topics.model import training_articles
from lib.topics.quality import held_out_bound, npmi, top_words
from lib.topics.relevance import RelevantWord, relevant_words
from lib.topics.shelf import column_of
from lib.topics.text import without_suffix

HEADLINES = 5
HEADLINE_CHARACTERS = 200  # as shown; a cell of megabytes may be somebody's title
SHOWN = 12  # topics with a card and a place in the charts, for which a page has room; the others have a line each
MIN_WEIGHT = 0.01  # weights up to this stay out of the tables
MOST_PUBLICATIONS = 12
MOST_YEARS = 60  # between the first and the last date, for a step a year
FEW = 200  # articles of a topic that are put in order first: nearly always enough for its headlines
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Topic:
    """One topic. `id` is its number for good (lib.topics.tracking), `column` its place in this gensim model.

    `words` are the ten likeliest with their probabilities; `stability`, where it was looked at, is the part of them
    that other draws of the articles have again.
    `share` is the part of all words that the model gives it; `x`, `y` its place on the map of topics.
    """

    id: int
    column: int
    label: str
    words: list[tuple[str, float]]
    share: float
    npmi: float
    stability: float | None
    headlines: list[tuple[Article, str, float]]  # with the title less its publication's name, and the weight
    x: float
    y: float
    relevant: list[list[RelevantWord]]  # ten words a step of λ, for the topics that are shown


@dataclass(frozen=True)
class Summary:
    """The topics, the largest first, and what is said of them together."""

    topics: list[Topic]
    coherence: float
    bound: float | None
    training: int
    held_out: int
    publications: list[tuple[str, int, list[float]]]  # name, articles, share of each topic in `topics`' order
    periods: list[tuple[str, int, list[float]]]  # the same by time
    period: str  # day, week, month, year, decade or century
    dated: int


def summarise(
    model: LdaModel, corpus: Corpus, weights: NDArray[np.float32], stability: Sequence[float] | None = None
) -> Summary:
    """All that the report shows, from the model, each article's weights, shape (articles, topics), and the stability.

    The topics have their columns for numbers.
    """
    beta = model.get_topics().astype(np.float64)
    lengths = corpus.lengths.astype(np.float64)
    shares = _shares(weights, lengths)
    top = top_words(beta)
    training = training_articles(corpus)
    coherence = npmi(corpus, training, top)
    places = topic_map(beta)
    counts = corpus.uses().astype(np.float64)
    labels = label_topics(corpus, weights, lengths, beta, counts)
    by_share = np.argsort(-shares, kind="stable").tolist()
    relevant = relevant_words(beta, counts, shares, corpus.dictionary, by_share[:SHOWN])
    telling = telling_articles(lengths)
    topics = [
        Topic(
            id=k,
            column=k,
            label=labels[k],
            words=[(corpus.dictionary[word], round(float(beta[k, word]), 6)) for word in top[k]],
            share=round(float(shares[k]), 6),
            npmi=round(float(coherence[k]), 6),
            stability=None if stability is None else stability[k],
            headlines=_headlines(corpus, telling, weights[telling, k]),
            x=float(places[k, 0]),
            y=float(places[k, 1]),
            relevant=relevant.get(k, []),
        )
        for k in by_share
    ]
    order = [topic.column for topic in topics]
    dates, days = column_of(corpus.articles, "date")
    each_day = np.bincount(dates, minlength=len(days))
    period = period_of({day for day, articles in zip(days, each_day.tolist(), strict=True) if articles})
    return Summary(
        topics=topics,
        coherence=round(float(coherence.mean()), 6),
        bound=held_out_bound(model, corpus, len(training)),
        training=len(training),
        held_out=int(corpus.held_out.sum()),
        publications=_by_publication(*column_of(corpus.articles, "publication"), order, weights, lengths),
        periods=_by_time(dates, days, period, order, weights, lengths),
        period=period,
        dated=sum(each_day[number] for number, day in enumerate(days) if day is not None),
    )


def topic_map(beta: Floats) -> Floats:
    """Topics on a plane, shape (topics, 2), so that distances are near their Jensen–Shannon distances (base 2).

    Classical scaling (Torgerson 1952). Signs are fixed, so that the same topics lie the same way every time.
    """
    size = len(beta)
    if size < 2:
        return np.zeros((size, 2))
    square = distances(beta, beta) ** 2
    centring = np.eye(size) - 1 / size
    values, vectors = np.linalg.eigh(-0.5 * centring @ square @ centring)
    places = np.zeros((size, 2))
    for axis in range(min(2, size)):
        vector = vectors[:, -1 - axis] * np.sqrt(max(values[-1 - axis], 0.0))
        places[:, axis] = vector * (np.sign(vector[np.abs(vector).argmax()]) or 1.0)
    return places


def _shares(weights: NDArray[np.float32], lengths: Floats) -> Floats:
    total = lengths.sum()
    # einsum, for `@` would make doubles of all weights first
    shares = np.einsum("d,dk->k", lengths, weights) / total if total else weights.mean(axis=0)
    return np.asarray(shares, np.float64)


def _headlines(
    corpus: Corpus, telling: NDArray[np.int64], weights: NDArray[np.float32]
) -> list[tuple[Article, str, float]]:
    """Articles that are about the topic and little else: of those that are `telling`, those of the highest weight."""
    found: list[tuple[Article, str, float]] = []
    titles: set[str] = set()
    for place in _highest_first(weights):
        if weights[place] <= 0 or len(found) == HEADLINES:
            break
        article = corpus.articles[int(telling[place])]
        title = without_suffix(article.title, corpus.suffixes)
        title = title if len(title) <= HEADLINE_CHARACTERS else f"{title[: HEADLINE_CHARACTERS - 1]}…"
        if title and title not in titles:
            titles.add(title)
            found.append((article, title, round(float(weights[place]), 4)))
    return found


def _highest_first(values: NDArray[np.float32]) -> Iterator[int]:
    """The places of the highest values, of equal ones the first; only as many are sorted as are asked for."""
    first = np.ones(len(values), np.bool_)
    if len(values) > FEW:
        first = values >= np.partition(values, -FEW)[-FEW]
    for part in (first, ~first):
        places = np.flatnonzero(part)
        yield from places[np.argsort(-values[places], kind="stable")].tolist()


def _by_publication(
    codes: NDArray[np.int32],
    names: Sequence[str | None],
    order: Sequence[int],
    weights: NDArray[np.float32],
    lengths: Floats,
) -> list[tuple[str, int, list[float]]]:
    known = [name or "(not named)" for name in names]
    counts: Counter[str] = Counter()
    for name, articles in zip(known, np.bincount(codes, minlength=len(names)).tolist(), strict=True):
        if articles:
            counts[name] += articles
    shown = [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_PUBLICATIONS]]
    groups = [*shown, *(["all others"] if len(counts) > len(shown) else [])]
    place = {name: number for number, name in enumerate(shown)}
    numbers = np.array([place.get(name, len(shown)) for name in known], np.int64)
    return _by_group(numbers[codes], groups, order, weights, lengths)


def period_of(days: Collection[str | None]) -> str:
    """The period that parts the time between the first and the last date into a readable number of steps."""
    known = sorted(day for day in days if day)
    if not known:
        return "month"
    span = (_day(known[-1]) - _day(known[0])).days
    if any(len(day) == 7 for day in known):
        return "month" if span < 3 * 366 else _long_period(span)
    return "day" if span <= 31 else "week" if span <= 200 else "month" if span < 5 * 366 else _long_period(span)


def _long_period(span: int) -> str:
    return "year" if span < MOST_YEARS * 366 else "decade" if span < 10 * MOST_YEARS * 366 else "century"


def _by_time(
    codes: NDArray[np.int32],
    days: Sequence[str | None],
    period: str,
    order: Sequence[int],
    weights: NDArray[np.float32],
    lengths: Floats,
) -> list[tuple[str, int, list[float]]]:
    used = np.bincount(codes, minlength=len(days)) > 0
    named = [_period(day, period) if day and here else "" for day, here in zip(days, used.tolist(), strict=True)]
    groups = sorted(set(named) - {""})
    place = {name: number for number, name in enumerate(groups)}
    numbers = np.array([place.get(name, len(groups)) for name in named], np.int64)
    return _by_group(numbers[codes], groups, order, weights, lengths)


def _period(day: str, period: str) -> str:
    if period == "week":
        moment = _day(day)
        return (moment - timedelta(days=moment.weekday())).isoformat()
    length = {"day": 10, "month": 7, "year": 4, "decade": 3, "century": 2}[period]
    return f"{day[:length]:0<4}s" if length < 4 else day[:length]


def _day(text: str) -> date:
    return date.fromisoformat(text if len(text) == 10 else f"{text}-01")


def _by_group(
    numbers: NDArray[np.int64],
    groups: Sequence[str],
    order: Sequence[int],
    weights: NDArray[np.float32],
    lengths: Floats,
) -> list[tuple[str, int, list[float]]]:
    """Each group's articles and its topics' shares, in this order of columns; `numbers` beyond the groups are left out.

    Summed a topic at a time, so that no copy of the weights is made.
    """
    size = len(groups) + 1
    counts, words = np.bincount(numbers, minlength=size), np.bincount(numbers, weights=lengths, minlength=size)
    shares = np.empty((size, len(order)))
    for place, column in enumerate(order):
        its = weights[:, column]
        shares[:, place] = np.bincount(numbers, weights=its * lengths, minlength=size) / np.maximum(words, 1)
        if not words[:-1].all():  # of articles without words the plain mean
            mean = np.bincount(numbers, weights=its, minlength=size) / np.maximum(counts, 1)
            shares[:, place] = np.where(words > 0, shares[:, place], mean)
    return [
        (name, int(counts[number]), [round(float(each), 6) for each in shares[number]])
        for number, name in enumerate(groups)
    ]
