"""The mood of a window: counts, the mean with its interval, its course, languages, hashtags, and the ends of the scale.

A mean is over scored tweets (English, with a text) and nothing else; each says over how many.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from lib.tweets.afinn import Lexicon, Rule, load_lexicon, mark, normalise
from lib.tweets.scoring import Kind, ScoredTweet, is_english

RESAMPLES = 10_000
CONFIDENCE = 0.95
MOST_PERIODS = 60
HASHTAGS = 10
EXTREMES = 5
TEXT_CHARACTERS = 600  # of a tweet as shown; a long post may have 25,000
ALIKE_CHARACTERS = 80  # texts that begin alike for so long are one text: retweets are cut at different lengths
NO_LANGUAGE = "no language"

_ALIKE_WITHIN = 1000  # a reply may begin with fifty mentions; a post of megabytes is somebody's joke

_FIRST_MS, _LAST_MS = 1_142_899_200_000, 4_102_444_800_000  # the first tweet's day, 21 March 2006, to 2100
_LEAST_REACH_MS = 600_000  # times in one instant have none of their own
_FEW_TIMES = 20  # so few can't tell which of them is far from the others
_PERIODS = (("minute", "m"), ("ten minutes", "10m"), ("hour", "h"), ("day", "D"), ("month", "M"), ("year", "Y"))

_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"(\s+)")
_NOT_ITS_OWN = re.compile(r"^RT @\w+: ?|https?://\S+|@\w+|\s+")


@dataclass(frozen=True)
class Mean:
    """A mean over `count` values with its 95% interval, which fewer than two values don't have."""

    value: float
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class Period:
    """A step of the window: its start in milliseconds since 1970, UTC, and the mean of the tweets scored in it."""

    start_ms: int
    scored: int
    mean: Mean | None


@dataclass(frozen=True)
class Hashtag:
    """A hashtag in its most common spelling, without #: how many tweets have it, and the mean of those scored."""

    tag: str
    tweets: int
    scored: int
    mean: float | None


@dataclass(frozen=True)
class Extreme:
    """A text at an end of the scale, from the first tweet with it; `times` is how many tweets say the same.

    `pieces` make up the text, each with the valence of the entry that it is, or None.
    """

    id: str
    url: str
    language: str
    valence: int
    times: int
    pieces: list[tuple[str, int | None]]


@dataclass(frozen=True)
class Mood:
    """All that a page says of a window's tweets, but for words and places."""

    tweets: int
    english: int  # by their language, with a text or without
    scored: int  # English with a text
    positive: int
    negative: int
    neutral: int  # scored, with a valence of 0
    no_words: int  # of the neutral: without any entry; the others balance
    nonzero: int
    unscored: list[tuple[Kind, int]]  # not English, no language, no text; each once, also with 0
    sum: int  # of the valences
    mean: Mean | None  # over the scored, with a bootstrap interval; None where there are none
    mean_nonzero: Mean | None
    distribution: list[tuple[int, int]]  # valence, scored tweets: every integer from the lowest to the highest
    period: str  # minute, ten minutes, hour, day, month or year
    course: list[Period]  # by the time they were written, UTC; without gaps, so that a period may have no tweets
    undated: int  # scored tweets that are left out of the course: no time, or one far from the others'
    languages: list[tuple[str, int]]  # tag, tweets; the most frequent first
    covered: float | None  # share of the scored tweets with at least one entry
    covered_words: float | None  # share of the words of scored tweets that are entries
    hashtags: list[Hashtag]  # the ten in most tweets
    most_positive: list[Extreme]
    most_negative: list[Extreme]


def summarise(tweets: Sequence[ScoredTweet], *, rule: Rule = "afinn", seed: int = 0) -> Mood:
    """All that the page says of the tweets' mood. `rule` is the one they were scored with; `seed`, the bootstrap's."""
    scored = [each for each in tweets if each.scored]
    histogram = Counter([each.valence for each in scored])
    count = len(scored)
    positive = sum(times for valence, times in histogram.items() if valence > 0)
    negative = sum(times for valence, times in histogram.items() if valence < 0)
    kinds = Counter([each.kind for each in tweets])
    period, course, undated = _course(scored)
    words, entry_words = _count_words(scored, rule)
    reach = range(min(histogram), max(histogram) + 1) if histogram else ()
    return Mood(
        tweets=len(tweets),
        english=sum(each.tweet.lang is not None and is_english(each.tweet.lang) for each in tweets),
        scored=count,
        positive=positive,
        negative=negative,
        neutral=histogram[0],
        no_words=kinds[Kind.NO_WORDS],
        nonzero=positive + negative,
        unscored=[(kind, kinds[kind]) for kind in (Kind.NOT_ENGLISH, Kind.NO_LANGUAGE, Kind.NO_TEXT)],
        sum=sum(valence * times for valence, times in histogram.items()),
        mean=bootstrap_mean(histogram, seed),
        mean_nonzero=bootstrap_mean({valence: times for valence, times in histogram.items() if valence}, seed),
        distribution=[(valence, histogram[valence]) for valence in reach],
        period=period,
        course=course,
        undated=undated,
        languages=_languages(tweets),
        covered=kinds[Kind.WORDS] / count if count else None,
        covered_words=entry_words / words if words else None,
        hashtags=_hashtags(tweets),
        most_positive=_extremes(scored, rule, sign=1),
        most_negative=_extremes(scored, rule, sign=-1),
    )


def bootstrap_mean(histogram: dict[int, int], seed: int) -> Mean | None:
    """The mean of the values counted in `histogram`, with the percentile bootstrap's interval of 10,000 resamples.

    Efron & Tibshirani (1993), An Introduction to the Bootstrap, section 13.3. How often each value comes up in a
    resample is a multinomial draw, so that resampling counts is the same as resampling tweets, in milliseconds.
    """
    count = sum(histogram.values())
    if not count:
        return None
    values = np.array(sorted(histogram), np.float64)
    times = np.array([histogram[int(value)] for value in values], np.float64)
    mean = float(values @ times / count)
    if count < 2:
        return Mean(mean, None, None, count)
    resamples = np.random.default_rng(seed).multinomial(count, times / count, RESAMPLES) @ values / count
    low, high = np.quantile(resamples, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]).tolist()
    return Mean(mean, low, high, count)


def t_mean(count: int, total: float, squares: float) -> Mean | None:
    """The mean of `count` values of this sum and sum of squares, with Student's t interval: for many small groups."""
    if not count:
        return None
    mean = total / count
    if count < 2:
        return Mean(mean, None, None, count)
    from scipy.special import stdtrit

    error = math.sqrt(max(squares - total * mean, 0.0) / (count - 1) / count)
    reach = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * error
    return Mean(mean, mean - reach, mean + reach, count)


def _course(scored: Sequence[ScoredTweet]) -> tuple[str, list[Period], int]:
    """The period's name, the means by period with Student's t intervals, and how many tweets have no place in it."""
    timed = [(ms, each.valence) for each in scored if (ms := each.tweet.created_ms) and _FIRST_MS <= ms <= _LAST_MS]
    if not timed:
        return "minute", [], len(scored)
    times, valences = np.array([ms for ms, _ in timed]), np.array([valence for _, valence in timed], np.float64)
    near = _near(times)
    moments, valences = times[near].astype("datetime64[ms]"), valences[near]
    for name, unit in _PERIODS:  # noqa: B007 (the last one serves where all are too short)
        steps = moments.astype(f"datetime64[{unit}]")
        places = steps.astype(np.int64) - steps.min().astype(np.int64)
        if places.max() < MOST_PERIODS:
            break
    counts = np.bincount(places)
    sums, squares = np.bincount(places, valences), np.bincount(places, valences**2)
    starts = (steps.min() + np.arange(len(counts))).astype("datetime64[ms]").astype(np.int64)
    groups = zip(starts.tolist(), counts.tolist(), sums.tolist(), squares.tolist(), strict=True)
    course = [Period(start, count, t_mean(count, total, square)) for start, count, total, square in groups]
    return name, course, len(scored) - int(near.sum())


def _near(times: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which times lie within the middle 90% or no further from it than it is long.

    A clock that is years off, or a post brought over from elsewhere with its old date, would make a window of minutes
    one of years.
    """
    if len(times) < _FEW_TIMES:
        return np.ones(len(times), bool)
    low = int(np.percentile(times, 5, method="higher"))
    high = int(np.percentile(times, 95, method="lower"))
    reach = max(high - low, _LEAST_REACH_MS)
    return (times >= low - reach) & (times <= high + reach)


def _languages(tweets: Iterable[ScoredTweet]) -> list[tuple[str, int]]:
    counts = Counter([each.tweet.lang for each in tweets])
    unknown = counts.pop(None, 0) + counts.pop("und", 0)  # Twitter's word for "undetermined"
    named = [(language, count) for language, count in counts.items() if language is not None]
    if unknown:
        named.append((NO_LANGUAGE, unknown))
    return sorted(named, key=lambda each: (-each[1], each[0]))


def _count_words(scored: Iterable[ScoredTweet], rule: Rule) -> tuple[int, int]:
    """How many words the rule finds in the tweets, and how many of them are (of) entries."""
    if rule == "words":
        return sum(len(each.tweet.text.split()) for each in scored), sum(len(each.entries) for each in scored)
    words = sum(len(_WORD.findall(normalise(each.tweet.text))) for each in scored)
    entries = Counter(entry for each in scored for entry in each.entries)
    return words, sum(len(_WORD.findall(entry)) * times for entry, times in entries.items())


def _hashtags(tweets: Iterable[ScoredTweet]) -> list[Hashtag]:
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    having: defaultdict[str, list[ScoredTweet]] = defaultdict(list)
    for each in tweets:
        if each.tweet.hashtags:
            for folded, tag in {tag.casefold(): tag for tag in reversed(each.tweet.hashtags)}.items():
                spellings[folded][tag] += 1
                having[folded].append(each)
    result = []
    for folded in sorted(having, key=lambda folded: (-len(having[folded]), folded))[:HASHTAGS]:
        valences = [each.valence for each in having[folded] if each.scored]
        tag = min(spellings[folded].items(), key=lambda item: (-item[1], item[0]))[0]
        mean = sum(valences) / len(valences) if valences else None
        result.append(Hashtag(tag, len(having[folded]), len(valences), mean))
    return result


def alike(text: str) -> str:
    """What texts have in common that say the same: no case, spaces, links, mentions or "RT @name:", and the beginning.

    A retweet storm is one text with many names.
    """
    return _NOT_ITS_OWN.sub("", normalise(text[:_ALIKE_WITHIN])).casefold()[:ALIKE_CHARACTERS]


def _extremes(scored: Iterable[ScoredTweet], rule: Rule, sign: int) -> list[Extreme]:
    """The five texts furthest to one side; of equal ones those of more entries, then the older ids."""
    outer = [each for each in scored if each.valence * sign > 0]
    keys = [alike(each.tweet.text) for each in outer]
    times = Counter(keys)
    ranked = sorted(
        ((-each.valence * sign, -len(each.entries), len(each.tweet.id), each.tweet.id, place))
        for place, each in enumerate(outer)
    )
    lexicon = load_lexicon()
    shown: dict[str, Extreme] = {}
    for place in map(itemgetter(-1), ranked):
        key, (tweet, valence, _, _) = keys[place], outer[place]
        if key not in shown:
            pieces = _shortened(marked(tweet.text, rule, lexicon))
            shown[key] = Extreme(tweet.id, tweet.url, tweet.lang or "", valence, times[key], pieces)
        if len(shown) == EXTREMES:
            break
    return list(shown.values())


def marked(text: str, rule: Rule, lexicon: Lexicon) -> list[tuple[str, int | None]]:
    """A tweet's text in pieces to be shown, each with the valence of the entry that it is by the rule, or None."""
    if rule == "afinn":
        return mark(normalise(text), lexicon)
    pieces: list[tuple[str, int | None]] = []
    for token in _SPACE.split(text):
        valence = lexicon.valences.get(token)
        if valence is None and pieces and pieces[-1][1] is None:
            pieces[-1] = (pieces[-1][0] + token, None)
        elif token:
            pieces.append((token, valence))
    return [(piece if valence is not None else normalise(piece), valence) for piece, valence in pieces]


def _shortened(pieces: list[tuple[str, int | None]]) -> list[tuple[str, int | None]]:
    left = TEXT_CHARACTERS
    for place, (piece, _) in enumerate(pieces):
        if len(piece) > left:
            return [*pieces[:place], (f"{piece[:left]}…", None)]
        left -= len(piece)
    return pieces
