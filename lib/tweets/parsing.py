"""Lines of a stream or a recording, as what they say: tweets, deletions and notices.

Understood are v1.1 (tweets, delete and limit notices and their like), v2 (lines of the filtered stream, pages whose
`data` is a list, flat objects as twarc writes them), error objects inside either stream, and blank keep-alives.
What can't be used is handed to a callback with its reason. The shapes are those of lib/tweets/shapes.py.
"""

import json
from calendar import timegm
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, ValidationError

from lib.tweets import shapes
from lib.tweets.shapes import Place

Reject = Callable[[str, int, bytes], None]  # reason, line number from 1, the line


class Tweet(Struct, frozen=True):
    """A tweet with the fullest text that its object has.

    `id` and `retweet_of` are the platform's own ids as text; `created_ms` is milliseconds since 1970, UTC, None where
    nothing tells; `lang` is Twitter's guess, None where there is none; `coordinates` are (latitude, longitude) in
    degrees. The text is as it came: HTML entities and all.
    """

    id: str
    text: str
    lang: str | None = None
    created_ms: int | None = None
    user_location: str | None = None
    place: Place | None = None
    coordinates: tuple[float, float] | None = None
    hashtags: tuple[str, ...] = ()
    url: str = ""
    retweet_of: str | None = None


class Delete(Struct, frozen=True):
    """Somebody took back the tweet with this id."""

    id: str


class Notice(Struct, frozen=True):
    """What the stream says about itself: `kind` is its own word for it, `text` the particulars."""

    kind: str
    text: str


Item = Tweet | Delete | Notice


class Unreadable(ValueError):  # noqa: N818 (it is the line that is so)
    """A line that can't be used; `reason` is one of truncated, malformed and unexpected."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_stream(
    lines: Iterable[bytes], *, reject: Reject, counts: Counter[str], seen: set[str] | None = None
) -> Iterator[Item]:
    """What the lines say, in order, each tweet once: the first time.

    `counts` gets keep_alives, tweets, duplicates, notices and the reasons to reject as they come; lines, bytes and
    deletes when reading ends, early or not.
    `seen` holds the ids of the tweets so far; give it where several recordings of one window are read.
    """
    seen = set() if seen is None else seen
    deletion, begins_deletion = shapes.deletion, shapes.BEGINS_DELETION
    number = size = deletes = 0
    try:
        for number, line in enumerate(lines, start=1):
            size += len(line)
            if line.startswith(begins_deletion):  # three lines of four in a sample: nothing else is asked about them
                try:
                    gone = deletion(line).delete.status.id_str
                except shapes.FAULTS:
                    pass  # another kind of it, or a broken one: parse_line tells
                else:
                    deletes += 1
                    yield Delete(gone)
                    continue
            elif not line.strip():
                counts["keep_alives"] += 1
                continue
            try:
                items = parse_line(line)
            except Unreadable as fault:
                counts[fault.reason] += 1
                reject(fault.reason, number, line)
                continue
            for item in items:
                if isinstance(item, Tweet):
                    if item.id in seen:
                        counts["duplicates"] += 1
                        continue
                    seen.add(item.id)
                    counts["tweets"] += 1
                elif isinstance(item, Delete):
                    deletes += 1
                else:
                    counts["notices"] += 1
                yield item
    finally:
        counts["lines"] += number
        counts["bytes"] += size
        counts["deletes"] += deletes


def parse_line(line: bytes) -> list[Item]:
    """What one line says: nothing (a blank line, a page without results), one thing, or a page's many.

    Raises Unreadable; a page is whole or unreadable.
    """
    line = line.strip()
    if not line:
        return []
    try:
        return _items(shapes.any_line(line), line)
    except Unreadable:
        raise
    except shapes.FAULTS as fault:
        mended = _with_whole_surrogates(line)
        if mended != line:
            return parse_line(mended)
        raise Unreadable(_reason(line, fault)) from None


def _reason(line: bytes, fault: Exception) -> str:
    if isinstance(fault, ValidationError):
        return "unexpected"
    return "truncated" if line.startswith(b"{") and not line.endswith(b"}") else "malformed"


def _with_whole_surrogates(line: bytes) -> bytes:
    """The line with a � for each half of a surrogate pair, as old recordings have where a text was cut in a character.

    They are JSON by its grammar, and to Python's own reader; msgspec refuses them.
    """
    if b"\\ud" not in line and b"\\uD" not in line:
        return line
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return line
    return json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _items(said: shapes.Line, line: bytes) -> list[Item]:
    if bytes(said.data) not in (b"", b"null"):
        return _from_page(shapes.page(line))
    if isinstance(said.id, str) and said.id_str is None and said.user is None:
        flat = shapes.flat(line)
        return [_from_v2(flat, flat.author, flat.geo, {})]
    if its_id := said.id_str or (str(said.id) if said.id else ""):
        return [_from_v1(said, its_id)]
    if said.delete is not None and (gone := said.delete.status or said.delete.tweet) is not None:
        return [Delete(gone.id_str or str(gone.id))]
    if said.errors:
        errors = said.errors if isinstance(said.errors, list) else [said.errors]
        return [_notice(error) for error in errors]
    return _from_notice(json.loads(line))


def _from_v1(said: shapes.Line, its_id: str) -> Tweet:
    if said.text is None and said.full_text is None and said.user is None:
        raise Unreadable("unexpected")
    text, entities, original = said.full_text or said.text or "", said.entities, said.retweeted_status
    if said.extended_tweet is not None and said.extended_tweet.full_text is not None:
        text, entities = said.extended_tweet.full_text, said.extended_tweet.entities
    elif original is not None:
        if original.extended_tweet is not None and original.extended_tweet.full_text is not None:
            text, entities = original.extended_tweet.full_text, original.extended_tweet.entities
        elif original.full_text is not None:
            text, entities = original.full_text, original.entities
    point = said.coordinates.coordinates if said.coordinates is not None else None
    return Tweet(
        its_id,
        text,
        said.lang or None,
        _milliseconds(said.timestamp_ms, said.created_at, its_id),
        (said.user.location or None) if said.user is not None else None,
        said.place,
        (point[1], point[0]) if point is not None else None,
        _hashtags(entities),
        f"https://x.com/i/status/{its_id}",
        (original.id_str or str(original.id)) if original is not None else None,
    )


def _from_page(page: shapes.Page) -> list[Item]:
    """The tweets of a page or of a stream's line. Errors beside data tell of expansions that couldn't be had."""
    users = {user.id: user for user in page.includes.users}
    places = {place.id: place for place in page.includes.places}
    originals = {tweet.id: tweet for tweet in page.includes.tweets}
    items: list[Item] = []
    for tweet in page.data if isinstance(page.data, list) else [page.data]:
        if tweet.id is None:
            if tweet.delete is None or tweet.delete.tweet is None:
                raise Unreadable("unexpected")
            items.append(Delete(tweet.delete.tweet.id_str or str(tweet.delete.tweet.id)))
            continue
        place = places.get(tweet.geo.place_id or "") if tweet.geo is not None else None
        items.append(_from_v2(tweet, users.get(tweet.author_id or ""), place, originals))
    return items


def _from_v2(
    tweet: shapes.V2Tweet,
    author: shapes.V2User | None,
    place: shapes.V2Place | None,
    originals: dict[str | None, shapes.V2Tweet],
) -> Tweet:
    if not tweet.id:
        raise Unreadable("unexpected")
    text, entities = _full_text(tweet)
    source = next((each for each in tweet.referenced_tweets or () if each.type == "retweeted"), None)
    if source is not None and text.endswith("…"):  # cut at 140 characters; the original is whole
        original = originals.get(source.id, source)
        whole, its_entities = _full_text(original)
        if whole:
            text, entities = whole, its_entities
    point = tweet.geo.coordinates if tweet.geo is not None else None
    its_place = None
    if place is not None and (place.full_name or place.name):
        its_place = Place(place.name, place.country_code, place.full_name, place.place_type)
    return Tweet(
        tweet.id,
        text,
        tweet.lang or None,
        _milliseconds(None, tweet.created_at, tweet.id),
        (author.location or None) if author is not None else None,
        its_place,
        (point.coordinates[1], point.coordinates[0]) if point is not None and point.coordinates is not None else None,
        _hashtags(entities),
        f"https://x.com/i/status/{tweet.id}",
        source.id if source is not None else None,
    )


def _full_text(tweet: shapes.V2Tweet) -> tuple[str, shapes.Entities | None]:
    """The text, whole also where the tweet is a long one (a note), with its entities."""
    if tweet.note_tweet is not None and tweet.note_tweet.text:
        return tweet.note_tweet.text, tweet.note_tweet.entities or tweet.entities
    return tweet.text or "", tweet.entities


def _hashtags(entities: shapes.Entities | None) -> tuple[str, ...]:
    if entities is None or not entities.hashtags:
        return ()
    return tuple([tag for each in entities.hashtags if (tag := each.text or each.tag)])


_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: 1 + place for place, name in enumerate(_NAMES)}
# Ids since 4 November 2010 are snowflakes: milliseconds since this moment in the bits above the lowest 22.
_SNOWFLAKE_EPOCH = 1288834974657
_FIRST_SNOWFLAKE = 29_700_859_247


def _milliseconds(stamp: str | int | None, written: str | None, its_id: str) -> int | None:
    """When a tweet was written: from its timestamp, else from v1.1's or v2's way to write it, else from its id."""
    if stamp and str(stamp).isdecimal():
        return int(stamp)
    if written:
        # an unknown way to write a date is no reason to lose a tweet: its id tells too
        with suppress(ValueError, KeyError, OverflowError):
            if written[0].isdigit():
                moment = datetime.fromisoformat(written)
                return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
            _, month, day, clock, zone, year = written.split()  # Wed Jul 03 06:30:00 +0000 2019
            if zone == "+0000":
                hours, minutes, seconds = clock.split(":")
                return 1000 * timegm((int(year), _MONTHS[month], int(day), int(hours), int(minutes), int(seconds)))
    if its_id.isascii() and its_id.isdecimal() and int(its_id) > _FIRST_SNOWFLAKE:
        return (int(its_id) >> 22) + _SNOWFLAKE_EPOCH
    return None


_NOTICES = ("limit", "warning", "disconnect", "delete", "scrub_geo", "status_withheld", "user_withheld", "error")
_ERROR_KEYS = ("title", "disconnect_type", "connection_issue", "detail")


def _from_notice(said: dict[str, Any]) -> list[Item]:
    """A notice of v1.1 (`{"limit": {"track": 5}}`), an error object, or a page without results."""
    for kind in _NOTICES:
        if kind in said:
            return [Notice(kind, _particulars(said[kind]))]
    if any(key in said for key in _ERROR_KEYS):
        return [_notice(said)]
    if "meta" in said:
        return []
    raise Unreadable("unexpected")


def _notice(error: object) -> Notice:
    if not isinstance(error, dict):
        return Notice("error", _particulars(error))
    kinds = (error.get(key) for key in ("disconnect_type", "connection_issue", "title", "code", "type"))
    kind = next((str(each) for each in kinds if each), "error")
    return Notice(kind, str(error.get("detail") or error.get("message") or error.get("title") or _particulars(error)))


def _particulars(content: object) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
