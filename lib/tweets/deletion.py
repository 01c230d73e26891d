"""What is left of a captured line when tweets are deleted: captures are written anew without them."""

import json
import re
from collections.abc import Callable
from typing import Any

from lib.tweets.shapes import BEGINS_DELETION, POSTS

Gone = Callable[[str], bool]

_IDS = re.compile(rb'"id(?:_str)?"\s*:\s*"?([^",}\s]+)')
_ESCAPED = re.compile(rb"\\u00(?:3\d|5[fF]|6[49]|7[2-4])")  # digits, or letters of id_str, that _IDS would miss
_REPOSITORY = re.compile(rb'"did"\s*:\s*"([^"]+)"')
_RECORD = re.compile(rb'"rkey"\s*:\s*"([^"]+)"')

_NOTHING = object()
# What a tweet has and no user, place, rule or picture, all of which have ids too.
_OF_TWEETS = {"text", "full_text", "extended_tweet", "note_tweet", "user", "author", "author_id"}


def without(line: bytes, gone: Gone) -> bytes | None:
    """The line without the tweets that are gone: as it is where none of them is in it, else as compact JSON.

    None where the line's own tweet is gone, or is a retweet of one that is, or where all of a page's or an array's are;
    and for a line that can't be read and that has the id of one. Delete notices stay: they hold no text. `gone` is
    asked with ids as `Tweet` has them.
    """
    if line.startswith(BEGINS_DELETION):
        return line
    ids = {each.decode("utf-8", "replace") for each in _IDS.findall(line)}
    if b'"did"' not in line and not any(map(gone, ids)) and not _ESCAPED.search(line):
        return line  # as most do, and there is no need to read them
    try:
        said = json.loads(line)
        left = _left(said, gone)
    except (ValueError, RecursionError):
        return None if any(map(gone, ids)) or _is_post_of(line, gone) else line
    if left is _NOTHING or (said and not left):
        return None
    return line if left == said else json.dumps(left, separators=(",", ":")).encode()


def _left(value: Any, gone: Gone) -> Any:
    """The value without the tweets in it that are gone; _NOTHING where it is one, or a page that has no more."""
    if isinstance(value, dict):
        if _is_gone(value, gone):
            return _NOTHING
        pairs = ((key, each if key == "delete" else _left(each, gone)) for key, each in value.items())
        left = {key: each for key, each in pairs if each is not _NOTHING}
        return _NOTHING if value.get("data") and not left.get("data") else left
    if isinstance(value, list):
        return [each for each in (_left(each, gone) for each in value) if each is not _NOTHING]
    return value


def _is_gone(value: dict[str, Any], gone: Gone) -> bool:
    if not _OF_TWEETS.isdisjoint(value) and _has_gone_id(value, gone):
        return True
    original = value.get("retweeted_status")
    if isinstance(original, dict) and _has_gone_id(original, gone):
        return True
    references = value.get("referenced_tweets")
    for each in references if isinstance(references, list) else ():
        if isinstance(each, dict) and each.get("type") == "retweeted" and _has_gone_id(each, gone):
            return True
    commit = value.get("commit")
    if isinstance(commit, dict) and "record" in commit:
        return gone(f"at://{value.get('did')}/{commit.get('collection')}/{commit.get('rkey')}")
    return False


def _has_gone_id(value: dict[str, Any], gone: Gone) -> bool:
    return any(gone(str(value[key])) for key in ("id_str", "id") if isinstance(value.get(key), str | int))


def _is_post_of(line: bytes, gone: Gone) -> bool:
    """Whether a line that is no JSON has what is left of a Bluesky post that is gone, or of an account."""
    did, rkey = _REPOSITORY.search(line), _RECORD.search(line)
    if did is None:
        return False
    account = f"at://{did[1].decode('utf-8', 'replace')}/"
    return gone(f"{account}{POSTS}/{rkey[1].decode('utf-8', 'replace')}" if rkey is not None else account)
