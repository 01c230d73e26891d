"""Tweets with their scores, and why a score is zero."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from lib.tweets.afinn import Scored
from lib.tweets.parsing import Tweet


class Kind(StrEnum):
    """What a score rests on. Only the first two are a mood; the others are zero because nothing was measured."""

    WORDS = "words"  # entries of the list were found
    NO_WORDS = "no words"  # English, and no entry in it: neutral
    NOT_ENGLISH = "not English"
    NO_LANGUAGE = "no language"
    NO_TEXT = "no text"


class ScoredTweet(NamedTuple):
    """A tweet, its valence (the sum of its entries' valences) and the entries that gave it."""

    tweet: Tweet
    valence: int
    entries: tuple[str, ...]
    kind: Kind

    @property
    def scored(self) -> bool:
        """Whether the valence says something of a mood: an English tweet with a text."""
        return self.kind is Kind.WORDS or self.kind is Kind.NO_WORDS


def score_tweets(tweets: Iterable[Tweet], score: Callable[[str], Scored]) -> list[ScoredTweet]:
    """Score English tweets with `score` (see afinn.scorer); the others get zero and the reason."""
    return [_score(tweet, score) for tweet in tweets]


def _score(tweet: Tweet, score: Callable[[str], Scored]) -> ScoredTweet:
    language = tweet.lang
    if not tweet.text.strip():
        return ScoredTweet(tweet, 0, (), Kind.NO_TEXT)
    if language is None or language == "und":  # Twitter's word for "undetermined"
        return ScoredTweet(tweet, 0, (), Kind.NO_LANGUAGE)
    if not is_english(language):
        return ScoredTweet(tweet, 0, (), Kind.NOT_ENGLISH)
    valence, entries = score(tweet.text)
    return ScoredTweet(tweet, valence, entries, Kind.WORDS if entries else Kind.NO_WORDS)


def is_english(language: str) -> bool:
    """Whether a language tag is English of any country: en, en-GB."""
    return language == "en" or language[:3].lower() in ("en-", "en_") or language == "EN"


def printed_scores(tweets: Sequence[ScoredTweet]) -> str:
    """The original's row of scores: `0,-4,0`."""
    return ",".join([str(each.valence) for each in tweets])
