"""What is left of captured lines when tweets are deleted."""

import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.tweets.parsing import Tweet, Unreadable, parse_line, without


def line(said) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode()


def v1(number, **fields):
    return {"id": number, "id_str": str(number), "text": f"text {number}.", "user": {"id": 900}, **fields}


def v2(number, *references, **fields):
    referenced = [{"type": kind, "id": str(its_id)} for kind, its_id in references]
    return {"id": str(number), "text": f"text {number}.", "referenced_tweets": referenced, **fields}


def left(said, *gone):
    """What is left, as JSON."""
    found = without(line(said), {str(each) for each in gone}.__contains__)
    return None if found is None else json.loads(found)


@pytest.mark.parametrize(
    "said", [v1(1), {"data": v2(1)}, v2(1), {"data": [v2(1)], "meta": {}}, [v1(1)], b"made up", b""]
)
def test_a_line_without_a_deleted_tweet_is_left_byte_for_byte(said):
    given_line = said if isinstance(said, bytes) else json.dumps(said, indent=1).replace("\n", "").encode() + b" "
    assert without(given_line, {"2", "900"}.__contains__) == given_line


@pytest.mark.parametrize("said", [v1(1), {"id": 1, "text": None}, {"data": v2(1)}, v2(1), {"data": [v2(1)]}, [v1(1)]])
def test_a_line_whose_own_tweet_is_deleted_is_left_out(said):
    assert left(said, 1) is None


@pytest.mark.parametrize(
    "said",
    [
        v1(2, text="RT @a: text 1.", retweeted_status=v1(1)),
        v1(2, text="RT @a: text 1.", retweeted_status={"id": 1}),
        {"data": v2(2, ("retweeted", 1), text="RT @a: text 1."), "includes": {"tweets": [v2(1)]}},
        {**v2(2, text="RT @a: text 1."), "referenced_tweets": [{"type": "retweeted", **v2(1)}]},
    ],
)
def test_a_retweet_of_a_deleted_tweet_is_left_out(said):
    assert left(said, 1) is None


def test_a_quoted_tweet_that_is_deleted_is_cut_out():
    assert left(v1(2, quoted_status=v1(1), quoted_status_id=1), 1) == v1(2, quoted_status_id=1)
    retweet = v1(3, retweeted_status=v1(2, quoted_status=v1(1)))
    assert left(retweet, 1) == v1(3, retweeted_status=v1(2))
    assert left(v1(2, quoted_status=v1(3, retweeted_status=v1(1))), 1) == v1(2)
    said = {"data": v2(2, ("quoted", 1)), "includes": {"tweets": [v2(1), v2(3)], "users": [{"id": "1", "name": "a"}]}}
    wanted = {"data": v2(2, ("quoted", 1)), "includes": {"tweets": [v2(3)], "users": [{"id": "1", "name": "a"}]}}
    assert left(said, 1) == wanted
    flat = {**v2(2), "referenced_tweets": [{"type": "quoted", **v2(1)}, {"type": "replied_to", "id": "1"}]}
    assert left(flat, 1) == {**v2(2), "referenced_tweets": [{"type": "replied_to", "id": "1"}]}


def test_a_page_or_an_array_keeps_the_others():
    page = {"data": [v2(1), v2(2), v2(3, ("retweeted", 1))], "meta": {"result_count": 3}}
    assert left(page, 1) == {"data": [v2(2)], "meta": {"result_count": 3}}
    assert left([v1(1), v1(2)], 1) == [v1(2)]


@pytest.mark.parametrize(
    "said",
    [
        {"delete": {"status": {"id": 1, "id_str": "1"}}},
        {"delete": {"timestamp_ms": "1", "status": {"id": 1, "id_str": "1"}}},
        {"data": {"delete": {"tweet": {"id": "1", "author_id": "1"}}}},
        [{"delete": {"tweet": {"id": "1"}}}],
        {"did": "a", "kind": "commit", "commit": {"operation": "delete", "collection": "c", "rkey": "1"}},
        {"did": "a", "kind": "account", "account": {"active": False, "status": "deleted"}},
        {"limit": {"track": 1}},
    ],
)
def test_notices_stay(said):
    assert without(line(said), lambda _: True) == line(said)


def test_bluesky_posts_go_by_their_address_or_their_account():
    commit = {"operation": "create", "collection": "app.bsky.feed.post", "rkey": "k", "record": {"text": "a"}}
    said = line({"did": "did:plc:a", "time_us": 1, "kind": "commit", "commit": commit})
    uri = "at://did:plc:a/app.bsky.feed.post/k"
    assert without(said, {uri}.__contains__) is None
    assert without(said, lambda its_id: its_id.startswith("at://did:plc:a/")) is None
    assert without(said, {uri + "x"}.__contains__) == said
    for cut in (said[:-5], said[: said.index(b'"rkey"')]):
        assert without(cut, lambda its_id: its_id.startswith("at://did:plc:a/")) is None
        assert without(cut, lambda its_id: its_id.startswith("at://did:plc:b/")) == cut
    assert without(said[:-5], {uri}.__contains__) is None


@pytest.mark.parametrize(
    "broken", [b'{"id": 12, "id_str":"12","text":"cut', b'{"a":' * 5000 + b'{"id":12}', b'"id_str":"12" \xff']
)
def test_a_line_that_cannot_be_read_goes_with_any_id_in_it(broken):
    assert without(broken, {"12"}.__contains__) is None
    assert without(broken, {"1", "2"}.__contains__) == broken


def test_what_is_written_anew_is_one_line_and_keeps_half_characters():
    said = rb'{"id":1,"text":"\ud83d\u2028\n\u00e9","quoted_status":{"id":2,"text":"b"}}'
    assert without(said, {"2"}.__contains__) == rb'{"id":1,"text":"\ud83d\u2028\n\u00e9"}'


tweets = st.deferred(lambda: v1_tweets | v2_lines)
numbers = st.integers(1, 6)
v1_tweets = st.recursive(
    numbers.map(v1),
    lambda inner: st.builds(
        lambda number, nested: v1(number, **nested),
        numbers,
        st.dictionaries(st.sampled_from(["quoted_status", "retweeted_status"]), inner, max_size=2),
    ),
    max_leaves=4,
)
references = st.lists(
    st.tuples(st.sampled_from(["quoted", "retweeted", "replied_to"]), numbers),
    max_size=2,
    unique_by=lambda pair: pair[0],
)
v2_tweets = st.builds(lambda number, its: v2(number, *its), numbers, references)
v2_lines = st.builds(
    lambda data, others: {"data": data, "includes": {"tweets": others}},
    v2_tweets | st.lists(v2_tweets, max_size=3),
    st.lists(v2_tweets, max_size=3),
)


@given(tweets | st.lists(tweets, max_size=3), st.sets(numbers))
@settings(deadline=None, max_examples=400)
def test_the_text_of_a_deleted_tweet_is_nowhere_and_the_others_own_stay(said, deleted):
    gone = {str(each) for each in deleted}
    found = without(line(said), gone.__contains__)
    kept = [
        item.id
        for item in parse_line(line(said))
        if isinstance(item, Tweet) and item.id not in gone and item.retweet_of not in gone
    ]
    if found is None:
        assert not kept
    else:
        assert not [each for each in gone if f"text {each}.".encode() in found]
        assert [item.id for item in parse_line(found)] == kept
        assert without(found, gone.__contains__) == found


@pytest.mark.skipif(not os.environ.get("NIGHTDESK_REAL_DATA"), reason="NIGHTDESK_REAL_DATA is not set")
@pytest.mark.parametrize("name", ["course_sample.jsonl.gz", "v2/flat.jsonl", "v2/noflat.jsonl"])
def test_real_lines_lose_the_deleted_tweets_and_keep_the_others(name):
    path = Path(os.environ["NIGHTDESK_REAL_DATA"], "tweets", name)
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        lines = file.read().splitlines()
    items = [item for each in lines for item in _parsed(each) if isinstance(item, Tweet)]
    gone = {item.id for item in items[::3]} | {item.retweet_of for item in items[::5] if item.retweet_of}
    rewritten = [found for each in lines if (found := without(each, gone.__contains__)) is not None]
    again = [item for each in rewritten for item in _parsed(each) if isinstance(item, Tweet)]
    assert again == [item for item in items if item.id not in gone and item.retweet_of not in gone]


def _parsed(each):
    try:
        return parse_line(each)
    except Unreadable:
        return []
