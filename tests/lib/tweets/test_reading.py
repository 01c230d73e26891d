"""What captures say, taken together."""

import json

import pytest

from lib.tweets.demo import SATURDAYS, stream
from lib.tweets.reading import read_tweets


def tweet(number, text="good", **more):
    return json.dumps({"id": number, "id_str": str(number), "text": text, "user": {"id": 1}, **more}).encode()


def deletion(number):
    return json.dumps({"delete": {"status": {"id": number, "id_str": str(number)}}}).encode()


def read(*lines, **how):
    rejected = []
    return read_tweets(lines, reject=lambda reason, number, line: rejected.append(reason), **how), rejected


def ids(found):
    return [each.id for each in found.tweets]


@pytest.mark.parametrize("lines", [(tweet(1), deletion(1), tweet(2)), (deletion(1), tweet(1), tweet(2))])
def test_a_deleted_tweet_is_left_out_whenever_its_notice_came(lines):
    found, _ = read(*lines)
    assert ids(found) == ["2"]
    assert (found.counts["deletes"], found.counts["deleted"]) == (1, 1)
    assert found.gone("1")


def test_a_retweet_goes_with_its_original():
    found, _ = read(tweet(1), tweet(2, retweeted_status=json.loads(tweet(1))), deletion(1), tweet(3))
    assert ids(found) == ["3"]


def test_an_account_that_is_gone_takes_its_posts_along():
    def post(did, key):
        record = {"text": "good", "langs": ["en"]}
        commit = {"operation": "create", "collection": "app.bsky.feed.post", "rkey": key, "record": record}
        return json.dumps({"did": did, "time_us": 1, "kind": "commit", "commit": commit}).encode()

    gone = json.dumps(
        {
            "did": "did:plc:a",
            "time_us": 2,
            "kind": "account",
            "account": {"active": False, "did": "did:plc:a", "status": "deleted"},
        }
    )
    found, _ = read(post("did:plc:a", "1"), post("did:plc:ab", "2"), gone.encode())
    assert ids(found) == ["at://did:plc:ab/app.bsky.feed.post/2"]


def test_posts_that_another_rule_of_the_app_brought_are_counted_apart():
    def line(number, *rules):
        matching = [{"id": rule, "tag": ""} for rule in rules]
        return json.dumps({"data": {"id": str(number), "text": "good"}, "matching_rules": matching}).encode()

    found, _ = read(line(1, "ours"), line(2, "theirs"), line(3, "theirs", "ours"), line(4), foreign_rules={"theirs"})
    assert ids(found) == ["1", "3", "4"]
    assert found.counts["others"] == 1


def test_reading_stops_when_it_is_told_to():
    asked = []
    found, _ = read(*(tweet(number) for number in range(1, 9001)), go_on=lambda: asked.append(1) or len(asked) < 2)
    assert len(found.tweets) == 4000


def test_progress_adds_up_to_the_lines():
    told = []
    read(*(tweet(number) for number in range(1, 4501)), advance=told.append)
    assert sum(told) == 4500


@pytest.mark.parametrize("night", range(len(SATURDAYS)))
def test_the_demo_s_stream_has_what_real_streams_have(night):
    found, rejected = read(*stream(night))
    counts = found.counts
    assert list(stream(night)) == list(stream(night))
    assert len(found.tweets) > 1500
    for what in ("deletes", "deleted", "duplicates", "keep_alives", "notices"):
        assert counts[what], what
    assert set(rejected) == {"truncated", "malformed"}
    assert len({each.lang for each in found.tweets}) > 5
    assert any(each.retweet_of for each in found.tweets)
    assert any(each.place for each in found.tweets)
