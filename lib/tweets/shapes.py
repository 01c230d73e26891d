"""The shapes of the lines, as far as the desk reads them, for msgspec: fields that aren't named here are skipped.

Shapes are those of X's documentation of v1.1 ("Tweet object", "Streaming message types") and v2 ("Tweet object model",
"Handling disconnections"); a field that may be missing or null is so here.
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
    id: int | str
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


class Page(Struct):
    data: list[V2Tweet] | V2Tweet
    includes: Includes = field(default_factory=Includes)


class _Status(Struct):
    id_str: str


class _StatusDeletion(Struct):
    status: _Status


class _DeletionLine(Struct):
    delete: _StatusDeletion


BEGINS_DELETION = b'{"delete":{"status"'

deletion = msgspec.json.Decoder(_DeletionLine).decode
any_line = msgspec.json.Decoder(Line).decode
page = msgspec.json.Decoder(Page).decode
flat = msgspec.json.Decoder(V2Tweet).decode

# A ValidationError is a DecodeError too: JSON, but not of these shapes.
FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)
