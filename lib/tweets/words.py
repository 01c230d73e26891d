"""Which words made the mood, which moved it since last time, and which words outside AFINN keep its company."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lib.tweets.afinn import Lexicon, load_lexicon, normalise
from lib.tweets.mood import alike
from lib.tweets.scoring import Kind, ScoredTweet

MOVED = 20
TERMS = 12  # to each side
LEAST_SUPPORT = 10  # valences of tweets deviate by about 4: from ten, a mean is known to ±1.3, the size of an effect
PRIOR = 20  # tweets; see inferred_terms

_OTHERS = re.compile(r"\bhttps?\b\S*|\bt\.co/\S+|@\w+|\w+…")  # links, mentions, and a word cut off
_TERM = re.compile(r"(?<!\w)[^\W\d_](?:[^\W_]|'(?=[^\W_]))+[^\W_](?!\w)")  # a letter first, three characters at least


@dataclass(frozen=True)
class Tally:
    """How often each entry came up in so many scored tweets: {entry: (valence, count)}."""

    scored: int
    entries: Mapping[str, tuple[int, int]]

    @property
    def mean(self) -> float:
        """The mean valence of the scored tweets; 0 without any."""
        return sum(valence * count for valence, count in self.entries.values()) / max(self.scored, 1)


@dataclass(frozen=True)
class WordShare:
    """What an entry adds to the mean: its valence times its count, over the number of scored tweets."""

    entry: str
    valence: int
    count: int
    contribution: float


class Way(StrEnum):
    """How a word moves the mean. The first and the last lift it."""

    POSITIVE_MORE = "positive, more often"
    POSITIVE_LESS = "positive, less often"
    NEGATIVE_MORE = "negative, more often"
    NEGATIVE_LESS = "negative, less often"


@dataclass(frozen=True)
class Moved:
    """An entry's part in the difference of two means; `now` and `before` are how often it comes up a tweet."""

    entry: str
    valence: int
    now: float
    before: float
    change: float
    way: Way


@dataclass(frozen=True)
class Shift:
    """What moved the mean: the words of the largest changes, and the sum of the others'. Together the difference."""

    mean: float
    mean_before: float
    scored: int
    scored_before: int
    words: list[Moved]
    rest: float
    rest_words: int

    @property
    def difference(self) -> float:
        """The mean less the mean before."""
        return self.mean - self.mean_before


@dataclass(frozen=True)
class Term:
    """A word outside the list: the mean valence of the `support` tweets with it, and that mean drawn to everybody's.

    `difference` is the drawn mean less everybody's: what sides and ranks are made of.
    """

    word: str
    support: int
    mean: float
    score: float
    difference: float


def tally(tweets: Iterable[ScoredTweet]) -> Tally:
    """Count the entries of scored tweets, as often as they stand there."""
    valences = load_lexicon().valences
    scored = [each.entries for each in tweets if each.scored]
    counts = Counter(entry for entries in scored for entry in entries)
    return Tally(len(scored), {entry: (valences[entry], count) for entry, count in counts.items()})


def contributions(counted: Tally) -> list[WordShare]:
    """What each entry adds to the mean, the largest to either side first. They add up to the mean."""
    shares = (
        WordShare(entry, valence, count, valence * count / counted.scored)
        for entry, (valence, count) in counted.entries.items()
    )
    return sorted(shares, key=lambda share: (-abs(share.contribution), share.entry))


def shift(now: Tally, before: Tally | None) -> Shift | None:
    """The word shift: each entry's part in the difference of the means; None without scored tweets on both sides.

    An entry of valence v that comes up f times a tweet, and f′ before, moves the mean by v (f − f′): the weighted
    average shift of Gallagher et al. (2021), Generalized word shift graphs, EPJ Data Science 10:4, with frequencies a
    tweet, since the mean is one of tweets; after Dodds et al. (2011), PLoS ONE 6:e26752.
    """
    if before is None or not now.scored or not before.scored:
        return None
    moved = []
    for entry in {*now.entries, *before.entries}:
        valence, count = now.entries.get(entry, (0, 0))
        valence_before, count_before = before.entries.get(entry, (valence, 0))
        often, often_before = count / now.scored, count_before / before.scored
        sign = valence or valence_before
        change = valence * often - valence_before * often_before
        moved.append(Moved(entry, sign, often, often_before, change, _way(sign, often > often_before)))
    moved.sort(key=lambda each: (-abs(each.change), each.entry))
    shown = [each for each in moved[:MOVED] if each.change]
    rest = [each for each in moved[len(shown) :] if each.change]
    return Shift(
        mean=now.mean,
        mean_before=before.mean,
        scored=now.scored,
        scored_before=before.scored,
        words=shown,
        rest=sum(each.change for each in rest),
        rest_words=len(rest),
    )


def _way(valence: int, more: bool) -> Way:
    if valence > 0:
        return Way.POSITIVE_MORE if more else Way.POSITIVE_LESS
    return Way.NEGATIVE_MORE if more else Way.NEGATIVE_LESS


def inferred_terms(
    tweets: Sequence[ScoredTweet], lexicon: Lexicon, *, least: int = LEAST_SUPPORT, prior: float = PRIOR
) -> list[Term]:
    """Words outside the list by the company they keep: up to twelve of positive, then up to twelve of negative.

    Asked are tweets with entries, texts alike only once (a retweet storm is one voice). A word's mean valence m over
    its n tweets is drawn to the mean M of all: (n m + k M) / (n + k), the posterior mean of a normal mean whose prior
    weighs as much as k tweets (Efron & Morris 1977, Stein's paradox in statistics). k should be the variance of tweets
    over that of words' true means: 18 over 0.9 by the method of moments on a recorded sample of 2019.
    """
    distinct = {alike(each.tweet.text): each for each in tweets if each.kind is Kind.WORDS}
    support: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for each in distinct.values():
        for word in terms(each.tweet.text):
            support[word] += 1
            sums[word] += each.valence
    overall = sum(each.valence for each in distinct.values()) / max(len(distinct), 1)
    found = []
    for word, count in support.items():
        if count >= least and word not in lexicon.valences:
            score = (sums[word] + prior * overall) / (count + prior)
            found.append(Term(word, count, sums[word] / count, score, score - overall))
    found.sort(key=lambda term: (-term.difference, -term.support, term.word))
    positive = [term for term in found if term.difference > 0]
    negative = [term for term in reversed(found) if term.difference < 0]
    return positive[:TERMS] + negative[:TERMS]


def terms(text: str) -> set[str]:
    """The words of a text that may stand in a list: no links, mentions or numbers; a hashtag without its #."""
    return set(_TERM.findall(_OTHERS.sub(" ", normalise(text)).lower()))
