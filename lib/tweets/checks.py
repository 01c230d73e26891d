"""Whether Saturday night's capture can be: the token, the stream's address, and room. For `python -m jobs doctor`."""

from collections.abc import Iterator
from typing import Any

from lib.doctor import Found, Need, Probe, answers, ok, secret
from lib.settings import Settings

# What a post takes at most as a packed line in the capture and as rows in the store.
BYTES_A_POST = 4 << 10
POSTS_A_MINUTE = 6_000  # Bluesky's English and other posts together, on a lively evening


def checks(settings: Settings, options: Any) -> Iterator[Found]:
    """The checks of a capture with these options. The token is looked for, and not what it is."""
    needs_token = "lets the capture listen to X"
    if options.source == "replay":
        yield ok("source of tweets", f"{len(options.replay)} recordings; nothing is listened to")
        return
    yield secret("x_bearer_token", needs_token, needed=options.source == "x")
    posts = round(options.minutes * POSTS_A_MINUTE)
    if options.source == "x":
        posts = min(posts, options.max_posts)
        remedy = 'check the network and x_url in [capture_tweets], or set source = "bluesky", which needs no token'
        yield Probe("X", lambda: answers("X", options.x_url, remedy))
    else:
        remedy = "check the network, or set another jetstream_url in [capture_tweets]"
        yield Probe("Jetstream", lambda: answers("Jetstream", options.jetstream_url, remedy))
    yield Need(settings.data, posts * BYTES_A_POST, f"a capture of {options.minutes:g} minutes")
