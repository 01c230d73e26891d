"""Three Saturday nights of a stream that the desk writes itself, for the demo: nobody wrote these tweets.

The lines have what real streams have: v1.1 and v2 objects, cut retweets, entities, duplicates, deletions, notices, and
a few that are broken.
"""

import gzip
import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from lib.files import atomic_write

SATURDAYS = (date(2024, 6, 1), date(2024, 6, 8), date(2024, 6, 15))
TWEETS = 1800  # a night
MINUTES = 10
_SNOWFLAKE_EPOCH = 1288834974657  # milliseconds; see parsing.py

# what people say, as (weight on each Saturday, texts); words in braces are drawn below
_SAID: tuple[tuple[tuple[int, int, int], tuple[str, ...]], ...] = (
    (
        (4, 4, 9),
        ("The {place} festival was {good}!", "{good} night at the {place} festival, {good} music", "love this band"),
    ),
    (
        (5, 5, 4),
        ("{good} coffee, {good} morning", "coffee with friends &amp; {good} cake", "so happy with my new garden"),
    ),
    (
        (7, 8, 3),
        ("stuck in traffic again, {bad}", "traffic on the bridge is {bad} tonight", "missed the last train, {bad}"),
    ),
    ((3, 8, 2), ("This storm is {bad}", "no power since the storm, {bad} night", "storm warning: stay safe everyone")),
    ((5, 5, 5), ("I can’t stand this {thing}", "my {thing} is broken and I’m {bad}", "{bad} {thing}, never again")),
    (
        (6, 6, 7),
        ("Reading by the window", "On the way to the {place}", "What time does the {place} open?", "New {thing} today"),
    ),
    (
        (3, 3, 4),
        ("we won!! {good} game", "{good} game, {good} team", "that was not good, we lost"),
    ),
)
_GOOD = ("great", "lovely", "wonderful", "amazing", "beautiful", "fun", "awesome", "perfect", "cool", "superb")
_BAD = ("awful", "terrible", "so tired", "angry", "sad", "worst", "hate it", "annoying", "disappointed")
_PLACES = ("river", "harbour", "park", "museum", "market")
_THINGS = ("phone", "laptop", "bike", "oven", "umbrella")
_ELSEWHERE = (
    ("es", "Qué noche tan bonita en la plaza"), ("es", "Mañana vamos al mercado"), ("pt", "Bom dia para todos"),
    ("fr", "Il pleut encore ce soir"), ("de", "Der Zug kommt wieder zu spät"), ("und", "😀😀"), ("ja", "おはよう"),
)  # fmt: skip
_LOCATIONS = (
    "New York, NY", "Brooklyn, NY", "Los Angeles, California", "Texas, USA", "Houston, TX", "Chicago, IL", "Ohio",
    "Seattle, WA", "Miami, FL", "Boston, MA", "Denver, CO", "Atlanta, GA", "London", "Toronto, Ontario",
    "Lagos, Nigeria", "Madrid, España", "somewhere nice", "the moon", None, None, None,
)  # fmt: skip
_HASHTAGS = ("SaturdayNight", "CityFestival", "Storm", "GameDay", "Coffee", "Traffic", "Garden")


def write_demo_streams(folder: Path) -> list[Path]:
    """Write a recording a Saturday into the folder; returns their paths, the earliest first."""
    paths = []
    for night, day in enumerate(SATURDAYS):
        path = folder / f"stream-{day}.jsonl.gz"
        atomic_write(path, gzip.compress(b"".join(line + b"\r\n" for line in stream(night)), mtime=0))
        paths.append(path)
    return paths


def stream(night: int) -> Iterator[bytes]:
    """The lines of a night of `SATURDAYS`, the same each time."""
    draw = random.Random(night)
    start = datetime.combine(SATURDAYS[night], datetime.min.time(), UTC) + timedelta(hours=22)
    texts = [text for weights, some in _SAID for text in some for _ in range(weights[night])]
    earlier: list[dict[str, Any]] = []
    for number in range(TWEETS):
        moment = start + timedelta(seconds=number * MINUTES * 60 / TWEETS)
        tweet = _tweet(draw, moment, number, texts)
        draws = draw.random()
        if draws < 0.08 and earlier:
            tweet = _retweet(tweet, draw.choice(earlier))
        earlier.append(tweet)
        yield _line(tweet if draw.random() < 0.7 else _as_v2(tweet))
        if draws > 0.99:
            yield _line(tweet)  # twice, as streams do after a break
        for _ in range(draw.choice((0, 2, 4))):
            yield _line(_deletion(str(10**17 + draw.randrange(10**12))))
        if draws > 0.995:
            yield _line(_deletion(draw.choice(earlier)["id_str"]))
        if number % 300 == 299:
            yield b""
            yield _line({"limit": {"track": number, "timestamp_ms": str(int(moment.timestamp() * 1000))}})
        if number % 600 == 599:
            yield _line(tweet)[:200]
    yield b"no JSON at all"


def _line(said: dict[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def _tweet(draw: random.Random, moment: datetime, number: int, texts: list[str]) -> dict[str, Any]:
    milliseconds = int(moment.timestamp() * 1000)
    its_id = (milliseconds - _SNOWFLAKE_EPOCH) << 22 | number
    lang, text = "en", draw.choice(texts)
    if draw.random() < 0.35:
        lang, text = draw.choice(_ELSEWHERE)
    else:
        while "{" in text:
            for name, words in (("good", _GOOD), ("bad", _BAD), ("place", _PLACES), ("thing", _THINGS)):
                text = text.replace(f"{{{name}}}", draw.choice(words), 1)
    tags = [draw.choice(_HASHTAGS)] if draw.random() < 0.2 else []
    text = " ".join([text, *(f"#{tag}" for tag in tags)])
    said: dict[str, Any] = {
        "created_at": moment.strftime("%a %b %d %H:%M:%S +0000 %Y"),
        "id": its_id,
        "id_str": str(its_id),
        "text": text,
        "lang": lang,
        "user": {"id": number, "id_str": str(number), "location": draw.choice(_LOCATIONS)},
        "entities": {"hashtags": [{"text": tag} for tag in tags]},
        "timestamp_ms": str(milliseconds),
    }
    if draw.random() < 0.03:
        said["place"] = {"name": "Queens", "full_name": "Queens, NY", "country_code": "US", "place_type": "city"}
    return said


def _retweet(tweet: dict[str, Any], original: dict[str, Any]) -> dict[str, Any]:
    while "retweeted_status" in original:
        original = original["retweeted_status"]
    whole = {**original, "extended_tweet": {"full_text": original["text"], "entities": original["entities"]}}
    cut = f"RT @somebody: {original['text']}"[:40] + "…"
    return {**tweet, "text": cut, "lang": original["lang"], "retweeted_status": whole, "entities": {"hashtags": []}}


def _as_v2(tweet: dict[str, Any]) -> dict[str, Any]:
    """The same tweet as a line of X's filtered stream."""
    author = str(tweet["user"]["id"])
    data: dict[str, Any] = {
        "id": tweet["id_str"],
        "text": tweet.get("retweeted_status", tweet)["text"],
        "lang": tweet["lang"],
        "author_id": author,
        "created_at": datetime.fromtimestamp(int(tweet["timestamp_ms"]) / 1000, UTC).isoformat().replace("+00:00", "Z"),
        "entities": {"hashtags": [{"tag": each["text"]} for each in tweet["entities"]["hashtags"]]},
    }
    if "retweeted_status" in tweet:
        data["referenced_tweets"] = [{"type": "retweeted", "id": tweet["retweeted_status"]["id_str"]}]
    return {"data": data, "includes": {"users": [{"id": author, "location": tweet["user"]["location"] or ""}]}}


def _deletion(its_id: str) -> dict[str, Any]:
    status = {"id": int(its_id), "id_str": its_id, "user_id": 1, "user_id_str": "1"}
    return {"delete": {"status": status, "timestamp_ms": "1717279200000"}}
