"""Lines of a stream or a recording, as what they say: tweets, deletions and notices.

Understood are v1.1 (tweets, delete and limit notices and their like), v2 (lines of the filtered stream, pages whose
`data` is a list, flat objects as twarc writes them), error objects inside either stream, events of Bluesky's Jetstream,
arrays of any of these, and blank keep-alives. What can't be used is handed to a callback with its reason. The shapes
are those of lib/tweets/shapes.py.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from msgspec import Raw, Struct, ValidationError

from lib.tweets import shapes
from lib.tweets.deletion import without as without  # the other half of reading: who reads deletions, obeys them
from lib.tweets.moments import milliseconds
from lib.tweets.shapes import POSTS, Place

Reject = Callable[[str, int, bytes], None]  # reason, line number from 1, the line or the part of it
Bad = Callable[[str, bytes], None]  # reason, the part of a line


class Tweet(Struct, frozen=True):
    """A tweet with the fullest text that its object has.

    `id` and `retweet_of` are the platform's own ids as text, at://DID/app.bsky.feed.post/RKEY for a Bluesky post;
    `created_ms` is milliseconds since 1970, UTC, None where nothing tells; `lang` is Twitter's guess, or what a post's
    author says (without a region), None where there is none; `coordinates` are (latitude, longitude) in degrees;
    `rules` are the ids of the rules on X that brought it. The text is as it came: HTML entities and all.
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
    rules: tuple[str, ...] = ()


class Delete(Struct, frozen=True):
    """Somebody took back the tweet with this id. One that ends in "/", at://DID/, means all that begin with it: the
    account is gone, or is not to be shown."""

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

    def bad(reason: str, part: bytes) -> None:
        counts[reason] += 1
        reject(reason, number, part)

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
                items = parse_line(line, bad)
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


def parse_line(line: bytes, bad: Bad | None = None) -> list[Item]:
    """What a line says: nothing (a blank line, a page without results), one thing, or a page's or an array's many.

    Raises Unreadable. A page or an array is whole or unreadable, unless `bad` is there to take its parts that can't be
    used, each with the reason: then the others are returned.
    """
    line = line.strip()
    if not line:
        return []
    try:
        return _items(shapes.any_line(line), line, bad)
    except Unreadable:
        raise
    except shapes.FAULTS as fault:
        its_fault = fault
    if line.startswith(b"["):
        try:
            parts = shapes.array(line)
        except shapes.FAULTS as fault:
            its_fault = fault
        else:
            return _from_array(parts, bad)
    mended = _with_whole_surrogates(line)
    if mended != line:
        return parse_line(mended, bad)
    raise Unreadable(_reason(line, its_fault))


def _reason(line: bytes, fault: Exception) -> str:
    if isinstance(fault, Unreadable):
        return fault.reason
    if isinstance(fault, ValidationError):
        return "unexpected"
    return "truncated" if line.startswith((b"{", b"[")) and not line.endswith((b"}", b"]")) else "malformed"


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


def _items(said: shapes.Line, line: bytes, bad: Bad | None) -> list[Item]:
    if bytes(said.data) not in (b"", b"null"):
        try:
            return _from_page(shapes.page(line))
        except shapes.FAULTS:
            if bad is None:
                raise
            return _from_parts(shapes.page_in_parts(line), bad)
    if isinstance(said.id, str) and said.id_str is None and said.user is None:
        flat = shapes.flat(line)
        return [_from_v2(flat, flat.author, flat.geo, {})]
    if its_id := said.id_str or (str(said.id) if said.id else ""):
        return [_from_v1(said, its_id)]
    if said.delete is not None and (gone := said.delete.status or said.delete.tweet) is not None:
        return [_deletion(gone)]
    if said.errors:
        errors = said.errors if isinstance(said.errors, list) else [said.errors]
        return [_notice(error) for error in errors]
    if b'"did"' in line and b'"kind"' in line:
        return [_from_event(shapes.event(line))]
    return _from_notice(json.loads(line))


def _deletion(gone: shapes.Gone) -> Delete:
    if not (its_id := gone.id_str or (str(gone.id) if gone.id is not None else "")):
        raise Unreadable("unexpected")
    return Delete(its_id)


def _from_array(parts: list[Raw], bad: Bad | None) -> list[Item]:
    items: list[Item] = []
    for part in map(bytes, parts):
        try:
            items += parse_line(part, bad)
        except Unreadable as fault:
            if bad is None:
                raise
            bad(fault.reason, part)
    return items


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
        milliseconds(said.timestamp_ms, said.created_at, its_id),
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
    rules = tuple([str(rule.id) for rule in page.matching_rules or ()])
    items: list[Item] = []
    for tweet in page.data if isinstance(page.data, list) else [page.data]:
        if tweet.id is None:
            if tweet.delete is None or tweet.delete.tweet is None:
                raise Unreadable("unexpected")
            items.append(_deletion(tweet.delete.tweet))
            continue
        place = places.get(tweet.geo.place_id or "") if tweet.geo is not None else None
        items.append(_from_v2(tweet, users.get(tweet.author_id or ""), place, originals, rules))
    return items


def _from_parts(page: shapes.PageInParts, bad: Bad) -> list[Item]:
    """A page's tweets without the parts that can't be used. Raises what these raise where its only tweet is one."""
    included: dict[str, list[Any]] = {}
    for name, read in (("users", shapes.v2_user), ("places", shapes.v2_place), ("tweets", shapes.flat)):
        included[name] = []
        for part in _parts((page.includes or {}).get(name, Raw(b"[]"))):
            try:
                included[name].append(read(_with_whole_surrogates(part)))
            except shapes.FAULTS as fault:
                bad(_reason(part, fault), part)
    includes = shapes.Includes(**included)
    parts = _parts(page.data)
    items: list[Item] = []
    for part in parts:
        try:
            tweet = shapes.flat(_with_whole_surrogates(part))
            items += _from_page(shapes.Page(tweet, includes, page.matching_rules))
        except shapes.FAULTS as fault:
            if bytes(page.data) == part:
                raise
            bad(_reason(part, fault), part)
    return items


def _parts(content: Raw) -> list[bytes]:
    """The elements of an array; what is none is its only one, and null has none."""
    part = bytes(content)
    if part == b"null":
        return []
    return [bytes(each) for each in shapes.array(part)] if part.startswith(b"[") else [part]


def _from_v2(
    tweet: shapes.V2Tweet,
    author: shapes.V2User | None,
    place: shapes.V2Place | None,
    originals: dict[str | None, shapes.V2Tweet],
    rules: tuple[str, ...] = (),
) -> Tweet:
    if not tweet.id:
        raise Unreadable("unexpected")
    text, entities = _full_text(tweet)
    source = next((each for each in tweet.referenced_tweets or () if each.type == "retweeted"), None)
    if source is not None and _CUT.search(text):  # at 140 characters; the original is whole
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
        milliseconds(None, tweet.created_at, tweet.id),
        (author.location or None) if author is not None else None,
        its_place,
        (point.coordinates[1], point.coordinates[0]) if point is not None and point.coordinates is not None else None,
        _hashtags(entities),
        f"https://x.com/i/status/{tweet.id}",
        source.id if source is not None else None,
        rules,
    )


_CUT = re.compile(r"…(?:\s+https?://\S+)?$")


def _full_text(tweet: shapes.V2Tweet) -> tuple[str, shapes.Entities | None]:
    """The text, whole also where the tweet is a long one (a note), with its entities."""
    if tweet.note_tweet is not None and tweet.note_tweet.text:
        return tweet.note_tweet.text, tweet.note_tweet.entities or tweet.entities
    return tweet.text or "", tweet.entities


def _hashtags(entities: shapes.Entities | None) -> tuple[str, ...]:
    if entities is None or not entities.hashtags:
        return ()
    return tuple([tag for each in entities.hashtags if (tag := each.text or each.tag)])


_TAG = "app.bsky.richtext.facet#tag"
_NOT_TO_BE_SHOWN = ("deleted", "takendown", "suspended", "deactivated")  # lexicon com.atproto.sync.subscribeRepos


def _from_event(event: shapes.Event) -> Item:
    """An event of Jetstream. A post that was changed is the post again: who has the first version keeps that."""
    account, commit = event.account, event.commit
    if event.kind == "account" and account is not None:
        if account.active is False and account.status in _NOT_TO_BE_SHOWN and event.did:
            return Delete(f"at://{event.did}/")
        return Notice("account", account.status or ("active" if account.active else "not active"))
    if event.kind != "commit" or commit is None:
        return Notice(event.kind, event.did)
    if commit.collection != POSTS or commit.operation not in ("create", "update", "delete"):
        return Notice("commit", f"{commit.operation} {commit.collection}")
    if not event.did or not commit.rkey:
        raise Unreadable("unexpected")
    its_id = f"at://{event.did}/{POSTS}/{commit.rkey}"
    if commit.operation == "delete":
        return Delete(its_id)
    if not bytes(commit.record):
        raise Unreadable("unexpected")
    post = shapes.post(commit.record)
    said = [each.tag for facet in post.facets or () for each in facet.features or () if each.kind == _TAG]
    return Tweet(
        its_id,
        post.text,
        (post.langs[0].partition("-")[0].lower() or None) if post.langs else None,
        # the server's clock, since the author's may say anything
        milliseconds(event.time_us // 1000 if event.time_us is not None else None, post.created_at, its_id),
        hashtags=tuple(dict.fromkeys(tag for tag in (*said, *(post.tags or ())) if tag)),
        url=f"https://bsky.app/profile/{quote(event.did, safe=':%')}/post/{quote(commit.rkey)}",
    )


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
