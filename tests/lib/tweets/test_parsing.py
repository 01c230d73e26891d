"""Lines of Twitter's streams and recordings, as what they say."""

import gzip
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lib.tweets.parsing import Delete, Notice, Tweet, Unreadable, parse_line, read_stream
from lib.tweets.shapes import Place

ID = 1146305069987618817
MILLISECONDS = 1562135400660  # that id's, and Wed Jul 03 06:30:00.660 2019


def v1(**fields):
    said = {
        "created_at": "Wed Jul 03 06:30:00 +0000 2019",
        "id": ID,
        "id_str": str(ID),
        "text": "made up",
        "user": {"id": 1, "screen_name": "somebody", "location": None},
        "geo": None,
        "coordinates": None,
        "place": None,
        "entities": {"hashtags": [], "urls": []},
        "lang": "en",
        "timestamp_ms": str(MILLISECONDS),
    }
    return {**said, **fields}


def tags(*texts):
    return {"hashtags": [{"text": text, "indices": [0, 1]} for text in texts]}


def line(said) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode() + b"\r\n"


def one(said):
    (item,) = parse_line(said if isinstance(said, bytes) else line(said))
    return item


def read(*lines, seen=None):
    counts: Counter[str] = Counter()
    rejected = []
    items = list(read_stream(lines, reject=lambda *what: rejected.append(what), counts=counts, seen=seen))
    return items, dict(counts), rejected


def test_a_v1_tweet_has_its_fields():
    place = {"name": "Manhattan", "full_name": "Manhattan, NY", "country_code": "US", "place_type": "city", "id": "x"}
    said = v1(
        place=place,
        geo={"type": "Point", "coordinates": [40.7, -74.0]},
        coordinates={"type": "Point", "coordinates": [-74.0, 40.7]},
        user={"location": "New York"},
        entities=tags("One", "Zwei"),
    )
    assert one(said) == Tweet(
        id=str(ID),
        text="made up",
        lang="en",
        created_ms=MILLISECONDS,
        user_location="New York",
        place=Place("Manhattan", "US", "Manhattan, NY", "city"),
        coordinates=(40.7, -74.0),
        hashtags=("One", "Zwei"),
        url=f"https://x.com/i/status/{ID}",
    )


def test_what_a_tweet_lacks_is_none():
    assert one({"id": 5, "text": "bare"}) == Tweet("5", "bare", url="https://x.com/i/status/5")
    said = {"id": 5, "text": "bare", "user": None, "created_at": None, "lang": "", "entities": {}, "place": None}
    assert one(said) == Tweet("5", "bare", url="https://x.com/i/status/5")
    assert one({"id_str": "5", "text": "bare"}).id == "5"


def test_ids_written_as_text_are_read_too():
    found = one(v1(id=str(ID), id_str=None, retweeted_status={"id": "7"}, geo={"coordinates": [1, 2]}))
    assert (found.id, found.retweet_of) == (str(ID), "7")


def test_a_tweet_without_text_is_a_tweet():
    assert one(v1(text=None)).text == ""


def test_an_extended_tweet_gives_its_full_text_and_hashtags():
    said = v1(text="cut…", extended_tweet={"full_text": "whole #a #b", "entities": tags("a", "b")}, entities=tags("a"))
    assert (one(said).text, one(said).hashtags) == ("whole #a #b", ("a", "b"))


def test_a_retweet_gives_its_originals_full_text_without_rt():
    original = v1(id=7, id_str="7", extended_tweet={"full_text": "whole", "entities": tags("a")})
    found = one(v1(text="RT @somebody: who…", retweeted_status=original))
    assert (found.id, found.text, found.hashtags, found.retweet_of) == (str(ID), "whole", ("a",), "7")


def test_a_retweet_of_a_short_original_keeps_its_text():
    found = one(v1(text="RT @somebody: short", retweeted_status=v1(id=7, id_str="7", text="short")))
    assert (found.text, found.retweet_of) == ("RT @somebody: short", "7")


def test_full_text_of_the_extended_mode_is_read():
    assert one(v1(text=None, full_text="whole")).text == "whole"
    assert one(v1(full_text="RT @a: who…", retweeted_status=v1(full_text="whole"))).text == "whole"


@pytest.mark.parametrize(
    ("fields", "milliseconds"),
    [
        ({}, MILLISECONDS),
        ({"timestamp_ms": None}, MILLISECONDS - 660),
        ({"timestamp_ms": None, "created_at": "2019-07-03T06:30:00.660Z"}, MILLISECONDS),
        ({"timestamp_ms": None, "created_at": "2019-07-03 08:30:00+02:00"}, MILLISECONDS - 660),
        ({"timestamp_ms": None, "created_at": "2019-07-03 06:30:00"}, MILLISECONDS - 660),
        ({"timestamp_ms": None, "created_at": None}, MILLISECONDS),
        ({"timestamp_ms": "soon", "created_at": "yesterday"}, MILLISECONDS),
        ({"timestamp_ms": None, "created_at": "Wed Jul 03 08:30:00 +0200 2019"}, MILLISECONDS),
        ({"timestamp_ms": None, "created_at": None, "id": 20, "id_str": "20"}, None),
    ],
)
def test_the_time_comes_from_the_timestamp_else_the_date_else_the_id(fields, milliseconds):
    assert one(v1(**fields)).created_ms == milliseconds


def test_text_keeps_entities_and_controls_and_half_characters_become_replacement_signs():
    assert one(v1(text="a\0 &amp; ’ 😀")).text == "a\0 &amp; ’ 😀"
    assert one(line(v1()).replace(b"made up", rb"\ud83d\ude00 cut \ud83d")).text == "😀 cut �"
    assert one(line(v1()).replace(b"made up", rb"\ude00\ud83d cut \\ud83d")).text == "�� cut \\ud83d"


@pytest.mark.parametrize(
    "said",
    [
        {"delete": {"status": {"id": 9, "id_str": "9", "user_id": 1}, "timestamp_ms": "1"}},
        {"delete": {"status": {"id": 9}}},
        {"delete": {"timestamp_ms": "1", "status": {"id": 9, "id_str": None}}},
        {"delete": {"tweet": {"id": "9", "author_id": "1"}}},
        {"data": {"delete": {"tweet": {"id": "9", "author_id": "1"}}}},
    ],
)
def test_delete_notices_name_the_tweet(said):
    assert one(said) == Delete("9")
    items, counts, _ = read(line(said))
    assert items == [Delete("9")]
    assert counts["deletes"] == 1


@pytest.mark.parametrize(
    ("said", "notice"),
    [
        ({"limit": {"track": 5}}, Notice("limit", '{"track": 5}')),
        ({"warning": {"code": "FALLING_BEHIND"}}, Notice("warning", '{"code": "FALLING_BEHIND"}')),
        ({"disconnect": {"code": 4, "reason": ""}}, Notice("disconnect", '{"code": 4, "reason": ""}')),
        ({"delete": {"favorite": {"id": 1}}}, Notice("delete", '{"favorite": {"id": 1}}')),
        ({"error": "gone"}, Notice("error", "gone")),
        ({"errors": [{"code": 32, "message": "who?"}]}, Notice("32", "who?")),
        ({"errors": ["odd"]}, Notice("error", "odd")),
        ({"data": None, "errors": {"title": "Odd"}}, Notice("Odd", "Odd")),
        (
            {
                "errors": [
                    {
                        "title": "operational-disconnect",
                        "disconnect_type": "UpstreamOperationalDisconnect",
                        "detail": "This stream has been disconnected upstream",
                        "type": "https://api.twitter.com/2/problems/operational-disconnect",
                    }
                ]
            },
            Notice("UpstreamOperationalDisconnect", "This stream has been disconnected upstream"),
        ),
        (
            {"title": "ConnectionException", "detail": "at the limit", "connection_issue": "TooManyConnections"},
            Notice("TooManyConnections", "at the limit"),
        ),
        (
            {"title": "operational-disconnect", "disconnect_type": "OperationalDisconnect", "detail": "later"},
            Notice("OperationalDisconnect", "later"),
        ),
    ],
)
def test_what_the_stream_says_about_itself_is_a_notice(said, notice):
    assert one(said) == notice


V2 = {
    "id": str(ID),
    "text": "made up",
    "lang": "en",
    "author_id": "1",
    "created_at": "2019-07-03T06:30:00.660Z",
    "geo": {"place_id": "p", "coordinates": {"type": "Point", "coordinates": [-74.0, 40.7]}},
    "entities": {"hashtags": [{"start": 0, "end": 1, "tag": "One"}]},
}
PLACE = {"id": "p", "name": "Manhattan", "full_name": "Manhattan, NY", "country_code": "US", "place_type": "city"}
INCLUDES = {"users": [{"id": "2"}, {"id": "1", "location": "New York"}], "places": [PLACE]}
WANTED = Tweet(
    str(ID),
    "made up",
    "en",
    MILLISECONDS,
    "New York",
    Place("Manhattan", "US", "Manhattan, NY", "city"),
    (40.7, -74.0),
    ("One",),
    f"https://x.com/i/status/{ID}",
)


@pytest.mark.parametrize(
    "said",
    [
        {"data": V2, "includes": INCLUDES},
        {"data": [V2], "includes": INCLUDES, "meta": {"result_count": 1}, "errors": [{"title": "Not Found Error"}]},
        {**V2, "author": {"id": "1", "location": "New York"}, "geo": {**V2["geo"], **PLACE}},
    ],
    ids=["stream", "page", "flat"],
)
def test_v2_tweets_are_read_from_lines_of_the_stream_from_pages_and_flat(said):
    assert parse_line(line(said)) == [WANTED]


def test_a_line_of_the_filtered_stream_names_the_rules_that_brought_it():
    rules = [{"id": "18014", "tag": "ours"}, {"id": 5, "tag": None}]
    assert one({"data": V2, "includes": INCLUDES, "matching_rules": rules}) == replace(WANTED, rules=("18014", "5"))


def test_a_page_gives_its_tweets_in_order_and_an_empty_page_none():
    page = {"data": [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}]}
    assert [item.id for item in parse_line(line(page))] == ["1", "2"]
    assert parse_line(line({"data": []})) == []
    assert parse_line(line({"meta": {"result_count": 0}})) == []


def test_a_v2_retweet_that_was_cut_gives_its_originals_text():
    retweet = {"id": "2", "text": "RT @a: who…", "referenced_tweets": [{"type": "retweeted", "id": "1"}]}
    original = {"id": "1", "text": "whole", "entities": {"hashtags": [{"tag": "a"}]}}
    found = one({"data": retweet, "includes": {"tweets": [original]}})
    assert (found.text, found.hashtags, found.retweet_of) == ("whole", ("a",), "1")
    flat = {**retweet, "referenced_tweets": [{"type": "retweeted", **original}]}
    assert one(flat).text == "whole"
    assert one({"data": retweet}).text == "RT @a: who…"
    assert one({"data": {**retweet, "text": "RT @a: all"}, "includes": {"tweets": [original]}}).text == "RT @a: all"


def test_a_quoted_tweet_is_no_retweet():
    quote = {"id": "2", "text": "see…", "referenced_tweets": [{"type": "quoted", "id": "1", "text": "other"}]}
    assert (one(quote).text, one(quote).retweet_of) == ("see…", None)


def test_a_long_v2_post_gives_its_whole_text():
    note = {"text": "long and whole", "entities": {"hashtags": [{"tag": "a"}]}}
    found = one({"data": {"id": "2", "text": "long…", "note_tweet": note}})
    assert (found.text, found.hashtags) == ("long and whole", ("a",))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (line(v1())[:200], "truncated"),
        (b'{"delete":{"status":{"id":1', "truncated"),
        (b'{"delete":{"status":{"id":1}}} x}', "malformed"),
        (b"made up", "malformed"),
        (b'{"id":1,"text":"a"}{"id":2,"text":"b"}', "malformed"),
        (b'{"id":1,"text":"\xff"}', "malformed"),
        (b'{"id":1,"text":"a\nb"}', "malformed"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "malformed"),
        (b"null", "unexpected"),
        (b'[{"id":1,"text":"a"},{"id":2,', "truncated"),
        (b'[{"id":1,"text":"a"} {"id":2}]', "malformed"),
        (b'{"data":[{"id":"1","text":"a"}],"includes":[]}', "unexpected"),
        (b"{}", "unexpected"),
        (b'{"id":1}', "unexpected"),
        (b'{"data":{"text":"no id"}}', "unexpected"),
        (b'{"data":5}', "unexpected"),
        (b'{"id":"","text":"a"}', "unexpected"),
        (b'{"id":1,"text":5}', "unexpected"),
        (b'{"friends":[1,2]}', "unexpected"),
    ],
)
def test_a_broken_line_is_kept_aside_with_its_reason_and_costs_only_itself(broken, reason):
    with pytest.raises(Unreadable) as fault:
        parse_line(broken)
    assert fault.value.reason == reason
    items, counts, rejected = read(b'{"id":1,"text":"a"}', broken, b'{"id":2,"text":"b"}')
    assert [item.id for item in items] == ["1", "2"]
    assert rejected == [(reason, 2, broken)]
    assert counts[reason] == 1


BAD = {"id": {}, "text": "odd"}


@pytest.mark.parametrize(
    "said",
    [
        [v1(id=1, id_str="1"), BAD, {"delete": {"status": {"id": 9}}}, {"data": {"id": "2", "text": "b"}}],
        {"data": [{"id": "1", "text": "a"}, BAD, {"delete": {"tweet": {"id": "9"}}}, {"id": "2", "text": "b"}]},
    ],
    ids=["array", "page"],
)
def test_a_bad_part_of_a_page_or_an_array_costs_only_itself(said):
    items, counts, rejected = read(b"", line(said))
    assert [item.id for item in items] == ["1", "9", "2"]
    ((reason, number, part),) = rejected
    assert (reason, number, json.loads(part)) == ("unexpected", 2, BAD)
    assert (counts["unexpected"], counts["tweets"], counts["deletes"]) == (1, 2, 1)
    with pytest.raises(Unreadable):
        parse_line(line(said))  # where nobody takes the bad part, the whole is so


def test_bad_includes_cost_only_themselves_and_the_page_s_only_tweet_the_line():
    users = [{"id": 5}, *INCLUDES["users"]]
    said = {"data": V2, "includes": {**INCLUDES, "users": users, "tweets": 7}, "matching_rules": [{"id": "3"}]}
    items, _, rejected = read(line(said))
    assert items == [replace(WANTED, rules=("3",))]
    assert [part for _, _, part in rejected] == [b'{"id":5}', b"7"]
    broken = line({"data": {"id": 5}, "includes": {"users": [{"id": 5}]}})
    assert read(broken)[2][-1] == ("unexpected", 1, broken)


def test_half_characters_in_a_page_or_an_array_cost_nothing():
    text = b'{"id":"1","text":"a \\ud83d"},{"id":"2","text":"b"}'
    for said in (b"[" + text + b"]", b'{"data":[' + text + b"]}", b'{"data":[' + text + b',{"id":5}]}'):
        assert [item.text for item in read(said)[0]] == ["a �", "b"]


def test_an_array_may_be_empty_or_hold_arrays():
    assert parse_line(b" [ ] ") == []
    assert [item.id for item in parse_line(b'[[{"id":1,"text":"a"}],[]]')] == ["1"]


DID, RKEY = "did:plc:made", "3l6oveex3ii2l"
URI = f"at://{DID}/app.bsky.feed.post/{RKEY}"


def event(kind="commit", **what):
    return {"did": DID, "time_us": 1000 * MILLISECONDS + 123, "kind": kind, **what}


def commit(operation="create", collection="app.bsky.feed.post", **record):
    said = {"rev": "r", "operation": operation, "collection": collection, "rkey": RKEY}
    if operation != "delete":
        said |= {"record": {"$type": collection, "text": "made up", "createdAt": "1999-01-01T00:00:00Z", **record}}
    return event(commit=said)


def facet(*features):
    return {"index": {"byteStart": 0, "byteEnd": 1}, "features": list(features)}


def test_a_bluesky_post_has_its_fields():
    tag = {"$type": "app.bsky.richtext.facet#tag", "tag": "One"}
    link = {"$type": "app.bsky.richtext.facet#link", "uri": "https://a.example", "tag": "no"}
    said = commit(langs=["en-US", "de"], facets=[facet(link, tag), facet(tag), {}], tags=["Zwei", "One"])
    assert one(said) == Tweet(
        URI,
        "made up",
        "en",
        MILLISECONDS,
        hashtags=("One", "Zwei"),
        url=f"https://bsky.app/profile/{DID}/post/{RKEY}",
    )


@pytest.mark.parametrize(
    ("langs", "lang"), [(["pt-BR"], "pt"), (["EN"], "en"), (["ja", "en"], "ja"), ([], None), (None, None), ([""], None)]
)
def test_a_post_s_language_is_its_first_without_the_region(langs, lang):
    assert one(commit(langs=langs)).lang == lang


def test_a_post_without_the_server_s_time_has_its_author_s():
    assert one({**commit(createdAt="2019-07-03T06:30:00.660Z"), "time_us": None}).created_ms == MILLISECONDS
    assert one({**commit(createdAt="soon"), "time_us": None}).created_ms is None


def test_a_changed_post_is_the_post_again_and_the_first_version_counts():
    items, counts, _ = read(line(commit(text="first")), line(commit("update", text="second")))
    assert [item.text for item in items] == ["first"]
    assert counts["duplicates"] == 1


@pytest.mark.parametrize(
    ("said", "gone"),
    [
        (commit("delete"), URI),
        (event("account", account={"active": False, "status": "deleted"}), f"at://{DID}/"),
        (event("account", account={"active": False, "status": "takendown"}), f"at://{DID}/"),
        (event("account", account={"active": False, "status": "suspended"}), f"at://{DID}/"),
        (event("account", account={"active": False, "status": "deactivated"}), f"at://{DID}/"),
    ],
)
def test_deleted_posts_and_accounts_are_named(said, gone):
    assert one(said) == Delete(gone)


@pytest.mark.parametrize(
    ("said", "notice"),
    [
        (event("account", account={"active": True}), Notice("account", "active")),
        (event("account", account={"active": False, "status": "throttled"}), Notice("account", "throttled")),
        (event("identity", identity={"handle": "a.example"}), Notice("identity", DID)),
        (commit(collection="app.bsky.feed.like"), Notice("commit", "create app.bsky.feed.like")),
        (commit("delete", "app.bsky.feed.like"), Notice("commit", "delete app.bsky.feed.like")),
        (event("sync"), Notice("sync", DID)),
    ],
)
def test_other_events_are_notices(said, notice):
    assert one(said) == notice


@pytest.mark.parametrize(
    "said",
    [
        commit(text=None),
        commit(langs="en"),
        event(commit={"operation": "create", "collection": "app.bsky.feed.post", "rkey": RKEY}),
        event(commit={"operation": "delete", "collection": "app.bsky.feed.post", "rkey": ""}),
        event(commit={"operation": "delete"}),
        {**commit(), "did": None},
    ],
)
def test_an_event_of_another_shape_is_kept_aside(said):
    with pytest.raises(Unreadable, match="unexpected"):
        parse_line(line(said))


def test_lines_are_counted_by_kind():
    tweet, delete = line(v1()), line({"delete": {"status": {"id": 9, "id_str": "9"}}})
    lines = [b"\r\n", b"", tweet, delete, tweet, line({"limit": {"track": 1}}), b"{"]
    items, counts, _ = read(*lines)
    assert [type(item) for item in items] == [Tweet, Delete, Notice]
    assert counts == {
        "lines": 7,
        "bytes": sum(map(len, lines)),
        "keep_alives": 2,
        "tweets": 1,
        "duplicates": 1,
        "deletes": 1,
        "notices": 1,
        "truncated": 1,
    }


def test_a_tweet_seen_twice_counts_once_the_first_time_also_over_several_recordings():
    seen: set[str] = set()
    items, counts, _ = read(line(v1(text="first")), line(v1(text="second")), seen=seen)
    assert [item.text for item in items] == ["first"]
    assert read(line(v1()), line({"data": V2}), seen=seen)[1]["duplicates"] == 2
    assert counts["duplicates"] == 1


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        *("id", "id_str", "data", "delete", "status", "errors", "text", "user", "limit", "created_at"),
                        *("did", "kind", "commit", "includes", "users", "matching_rules"),
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(line)
)
@settings(deadline=None, max_examples=300)
def test_any_line_is_understood_or_kept_aside(given_line):
    try:
        items = parse_line(given_line)
    except Unreadable as fault:
        assert fault.reason in {"truncated", "malformed", "unexpected"}
    else:
        assert all(isinstance(item, Tweet | Delete | Notice) for item in items)
    read(given_line)


@given(st.integers(0, 700))
@settings(deadline=None)
def test_a_tweet_cut_anywhere_is_kept_aside(place):
    whole = line(v1(text="}" * 100)).strip()
    if 0 < place < len(whole):
        with pytest.raises(Unreadable):
            parse_line(whole[:place])


real = pytest.mark.skipif(not os.environ.get("NIGHTDESK_REAL_DATA"), reason="NIGHTDESK_REAL_DATA is not set")


@real
def test_the_real_recording_of_2019_is_read_whole():
    path = Path(os.environ["NIGHTDESK_REAL_DATA"], "tweets", "spritzer_2019-07-03_0630-0639.jsonl.gz")
    with gzip.open(path) as file:
        items, counts, rejected = read(*file)
    assert not rejected
    assert (counts["lines"], counts["deletes"], counts["duplicates"]) == (74764, 56598, 32)
    tweets = [item for item in items if isinstance(item, Tweet)]
    assert len(tweets) == 18166 - 32
    assert not [each for each in tweets if each.created_ms is None]


@real
def test_every_real_line_of_v2_but_the_cut_one_is_read():
    folder = Path(os.environ["NIGHTDESK_REAL_DATA"], "tweets", "v2")
    lines = [each for path in sorted(folder.glob("*.jsonl")) for each in path.read_bytes().split(b"\n")]
    items, counts, rejected = read(*lines)
    assert [reason for reason, _, _ in rejected] == ["truncated"]
    assert counts["tweets"] == 111
    assert sum(item.place is not None for item in items if isinstance(item, Tweet)) > 3


def test_a_deletion_by_its_text_id_alone_is_one():
    line = b'{"delete": {"status": {"id_str": "12"}}}'
    assert parse_line(line) == [Delete("12")]


def test_a_retweet_cut_before_its_link_has_the_original_s_text():
    data = {"id": "5", "text": "RT @a: cut he… https://t.co/x", "referenced_tweets": [{"type": "retweeted", "id": "4"}]}
    page = {"data": data, "includes": {"tweets": [{"id": "4", "text": "cut here and whole"}], "users": None}}
    (tweet,) = parse_line(json.dumps(page).encode(), lambda *_: pytest.fail("nothing is bad here"))
    assert tweet.text == "cut here and whole"
