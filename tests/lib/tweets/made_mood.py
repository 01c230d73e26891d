"""What tests of the mood share: tweets made on the spot, scored by the real list."""

from typing import Any

from lib.tweets.afinn import Rule, scorer
from lib.tweets.parsing import Tweet
from lib.tweets.scoring import ScoredTweet, score_tweets

SATURDAY = 1_700_000_000_000 - 1_700_000_000_000 % 60_000  # the start of a minute in November 2023


def tweet(text: str, number: int = 1, **what: Any) -> Tweet:
    """An English tweet with an id of its own, and whatever else is given."""
    return Tweet(**{"id": str(number), "text": text, "lang": "en", "url": f"https://example.org/{number}", **what})


def scored(*tweets: Tweet | str, rule: Rule = "afinn") -> list[ScoredTweet]:
    """Tweets with their scores; a text alone becomes a tweet."""
    made = [tweet(each, number) if isinstance(each, str) else each for number, each in enumerate(tweets, start=1)]
    return score_tweets(made, scorer(rule))
