"""The shapes of the lines, as far as the desk reads them, for msgspec: fields that aren't named here are skipped.

Shapes are those of X's documentation of v1.1 ("Tweet object", "Streaming message types") and v2 ("Tweet object model",
"Handling disconnections"), and of Bluesky's Jetstream and lexicons; a field that may be missing or null is so here.
"""

from typing import Any

import msgspec
from msgspec import Struct, field


class Place(Struct, frozen=True):
    """Where a tweet says it was written: `name` Manhattan, `full_name` "Manhattan, NY", `type` city, admin, country…"""

    name: str | None = None
    country_code: str | None = None
    full_name: str | None = None
    type: str | None = field(default=None, name="place_type")


class Hashtag(Struct):
    """`text` in v1.1, `tag` in v2."""

    text: str | None = None
    tag: str | None = None


class Entities(Struct):
    hashtags: list[Hashtag] | None = None


class ExtendedTweet(Struct):
    full_text: str | None = None
    entities: Entities | None = None


class User(Struct):
    location: str | None = None


class Point(Struct):
    """GeoJSON: longitude, latitude."""

    coordinates: tuple[float, float] | None = None


class Original(Struct):
    """v1.1's `retweeted_status`."""

    id: int | str
    id_str: str | None = None
    full_text: str | None = None
    entities: Entities | None = None
    extended_tweet: ExtendedTweet | None = None


class Gone(Struct):
    id: int | str | None = None
    id_str: str | None = None


class Deletion(Struct):
    """`status` in v1.1, `tweet` in v2's compliance stream."""

    status: Gone | None = None
    tweet: Gone | None = None


class Line(Struct):
    """A line of any kind, with the fields of a v1.1 tweet. v2's `id` is text, v1.1's a number with its text beside."""

    id: int | str | None = None
    id_str: str | None = None
    created_at: str | None = None
    timestamp_ms: str | int | None = None
    text: str | None = None
    full_text: str | None = None
    extended_tweet: ExtendedTweet | None = None
    retweeted_status: Original | None = None
    lang: str | None = None
    user: User | None = None
    place: Place | None = None
    coordinates: Point | None = None
    entities: Entities | None = None
    data: msgspec.Raw = msgspec.Raw()
    delete: Deletion | None = None
    errors: Any = None


class V2Place(Struct):
    id: str | None = None
    name: str | None = None
    country_code: str | None = None
    full_name: str | None = None
    place_type: str | None = None
    place_id: str | None = None
    coordinates: Point | None = None


class V2User(Struct):
    id: str | None = None
    location: str | None = None


class Note(Struct):
    text: str | None = None
    entities: Entities | None = None


class V2Tweet(Struct):
    """`geo` names a place and may have a point; in a flat object it holds the place itself, as `author` the user."""

    id: str | None = None
    text: str | None = None
    type: str | None = None
    lang: str | None = None
    created_at: str | None = None
    author_id: str | None = None
    geo: V2Place | None = None
    entities: Entities | None = None
    note_tweet: Note | None = None
    referenced_tweets: "list[V2Tweet] | None" = None
    author: V2User | None = None
    delete: Deletion | None = None


class Includes(Struct):
    users: list[V2User] = []
    places: list[V2Place] = []
    tweets: list[V2Tweet] = []


class Rule(Struct):
    """A rule of X's filtered stream that a post has met."""

    id: int | str


class Page(Struct):
    data: list[V2Tweet] | V2Tweet
    includes: Includes = field(default_factory=Includes)
    matching_rules: list[Rule] | None = None


class PageInParts(Struct):
    """A page of which some part isn't as it should be: `data` and the lists of `includes` are yet to be read."""

    data: msgspec.Raw
    includes: dict[str, msgspec.Raw] | None = None
    matching_rules: list[Rule] | None = None


class Feature(Struct):
    """What a piece of a Bluesky post's text is: a tag, a link, a mention (lexicon app.bsky.richtext.facet)."""

    kind: str | None = field(default=None, name="$type")
    tag: str | None = None


class Facet(Struct):
    features: list[Feature] | None = None


class Post(Struct):
    """A Bluesky post (lexicon app.bsky.feed.post). Its author's software wrote it, and `createdAt` with it."""

    text: str
    langs: list[str] | None = None
    created_at: str | None = field(default=None, name="createdAt")
    facets: list[Facet] | None = None
    tags: list[str] | None = None


class Commit(Struct):
    """A change of an account's records. `record` is there where one was made or changed."""

    operation: str
    collection: str
    rkey: str
    record: msgspec.Raw = msgspec.Raw()


class Account(Struct):
    active: bool | None = None
    status: str | None = None


class Event(Struct):
    """A line of Bluesky's Jetstream. `time_us` is microseconds since 1970 by the server's clock."""

    did: str
    kind: str
    time_us: int | None = None
    commit: Commit | None = None
    account: Account | None = None


class Clock(Struct):
    """A line of Jetstream, as far as one who resumes needs it."""

    time_us: int


class _Status(Struct):
    id_str: str


class _StatusDeletion(Struct):
    status: _Status


class _DeletionLine(Struct):
    delete: _StatusDeletion


POSTS = "app.bsky.feed.post"  # Bluesky's name for its collections of posts
BEGINS_DELETION = b'{"delete":{"status"'

deletion = msgspec.json.Decoder(_DeletionLine).decode
any_line = msgspec.json.Decoder(Line).decode
page = msgspec.json.Decoder(Page).decode
page_in_parts = msgspec.json.Decoder(PageInParts).decode
array = msgspec.json.Decoder(list[msgspec.Raw]).decode
flat = msgspec.json.Decoder(V2Tweet).decode
v2_user = msgspec.json.Decoder(V2User).decode
v2_place = msgspec.json.Decoder(V2Place).decode
event = msgspec.json.Decoder(Event).decode
post = msgspec.json.Decoder(Post).decode
clock = msgspec.json.Decoder(Clock).decode

# A ValidationError is a DecodeError too: JSON, but not of these shapes.
FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)
