"""Our rule stands on X, once, and nobody else's is touched."""

import pytest

from lib.errors import BadSettings, SourceUnavailable
from lib.tweets.afinn import load_lexicon
from lib.tweets.rules import DEFAULT_RULE, TAG, WORDS, changes, refusal, said
from lib.tweets.x import X
from tests.lib.tweets.fake_x import FILTER, RULES, SAMPLE, FakeX, Script, answer, post, stream
from tests.lib.tweets.heard import TOKEN, TOO_MANY, bare, hear, hear_from


def test_the_sample_stream_has_no_rules(fake_x: FakeX, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lib.tweets.x.FIRST", 0.1)
    fake_x.plan = [answer(429, TOO_MANY), stream(post(1))]
    heard = hear(X(TOKEN, fake_x.url + "/", stream="sample"), 20, max_posts=1)
    assert heard.lines == bare(post(1))
    assert [each.path for each in fake_x.requests] == [SAMPLE, "/2/connections/sample_stream", SAMPLE]


def test_our_rule_is_put_there_and_stays_there(fake_x: FakeX):
    fake_x.plan = [stream(post(1))]
    for _ in range(2):
        heard = hear_from(fake_x, 20, max_posts=1)
    assert [(each["value"], each["tag"]) for each in fake_x.rules] == [(DEFAULT_RULE, TAG)]
    assert [each.method for each in fake_x.asked(RULES)] == ["GET", "POST", "GET"]
    assert (heard.window.notes, heard.window.foreign_rules) == ([], frozenset())


def test_stale_rules_of_ours_go_and_others_are_left_alone(fake_x: FakeX):
    fake_x.plan = [stream(post(1))]
    other = {"id": 5, "value": "cats", "tag": "somebody else's"}
    untagged = {"id": "6", "value": "dogs"}
    fake_x.rules = [
        {"id": 1, "value": "an older rule", "tag": TAG},
        {"id": "2", "value": DEFAULT_RULE, "tag": TAG},
        {"id": "3", "value": f" {DEFAULT_RULE}", "tag": TAG},
        other,
        untagged,
    ]
    heard = hear_from(fake_x, 20, max_posts=1)
    assert [each["id"] for each in fake_x.rules] == ["2", 5, "6"]
    assert heard.window.foreign_rules == {"5", "6"}
    assert heard.window.notes == [
        "The app has 2 more on X than the desk's rule: posts that match them come along, and are paid for."
    ]


def test_a_rule_that_somebody_else_has_isn_t_foreign(fake_x: FakeX):
    fake_x.plan = [stream(post(1))]
    fake_x.rules = [{"id": "7", "value": DEFAULT_RULE, "tag": "theirs"}]
    heard = hear_from(fake_x, 20, max_posts=1)
    assert [each["id"] for each in fake_x.rules] == ["7"]
    assert heard.window.foreign_rules == frozenset()


@pytest.mark.parametrize("status", [200, 201, 400])
def test_a_race_for_the_rule_is_no_failure(fake_x: FakeX, status: int):
    told = {"errors": [{"value": DEFAULT_RULE, "id": "7", "title": "DuplicateRule"}]}
    fake_x.plan_rules = [answer(200, {"meta": {}}), answer(status, told)]
    fake_x.plan = [stream(post(1))]
    assert hear_from(fake_x, 20, max_posts=1).lines == bare(post(1))


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            201,
            {"errors": [{"title": "UnprocessableEntity", "details": ["no stand-alone"]}]},
            "alone",
        ),
        (400, {"title": "Invalid Request", "detail": "One or more parameters is invalid."}, "parameters is invalid"),
        (400, b"", "400 Bad Request"),
        (201, {"errors": [{"message": f"{'no ' * 95}{TOKEN}"}]}, "no no"),
    ],
)
def test_a_rule_that_x_refuses_fails_with_its_words(fake_x: FakeX, status: int, body: object, words: str):
    fake_x.plan_rules = [answer(200, {}), answer(status, body)]
    heard = hear(X(TOKEN, fake_x.url, rule="lang:en"), 30)
    assert isinstance(heard.fault, BadSettings)
    assert words in str(heard.fault) and "lang:en" in str(heard.fault)
    assert fake_x.asked(FILTER) == []


@pytest.mark.parametrize("told", [{"data": None, "errors": None}, [], "ok", {"data": {"id": "1"}}, [[[]]]])
def test_answers_about_rules_may_be_odd(fake_x: FakeX, told: object):
    fake_x.plan_rules = [answer(200, told), answer(201, told)]
    fake_x.plan = [stream(post(1))]
    heard = hear_from(fake_x, 20, max_posts=1)
    assert (heard.lines, heard.whys, heard.window.notes) == (bare(post(1)), [], [])


@pytest.mark.parametrize(
    "taken",
    [answer(201), answer(200), answer(204), answer(200, b"<html>"), answer(201, b"[" * 99_999)],
    ids=["201", "200", "204", "page", "deep"],
)
def test_a_rule_is_taken_where_nothing_is_said_against_it(fake_x: FakeX, taken: Script):
    fake_x.plan_rules = [answer(200, {}), taken]
    fake_x.plan = [stream(post(1))]
    heard = hear_from(fake_x, 20, max_posts=1)
    assert (heard.lines, heard.whys, heard.window.notes) == (bare(post(1)), [], [])


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (answer(404, {"title": "Not Found"}), "404 Not Found"),
        (answer(405), "405 Method Not Allowed"),
        (answer(501, b"<html>"), "501 Not Implemented"),
        (answer(200, b"<html>"), "it was no JSON"),
        (answer(200), "it was no JSON"),
        (answer(204), "it was no JSON"),
    ],
    ids=["404", "405", "501", "page", "empty", "204"],
)
def test_a_server_that_tells_nothing_of_its_rules_is_listened_to_with_a_note(fake_x: FakeX, told: Script, why: str):
    fake_x.plan_rules = [told]
    fake_x.plan = [stream(post(1))]
    heard = hear_from(fake_x, 20, max_posts=1)
    assert heard.lines == bare(post(1))
    (note,) = heard.window.notes
    assert why in note
    assert [each["tag"] for each in fake_x.rules] == [TAG], "ours is put there all the same"


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_rules_is_listened_to_with_notes(fake_x: FakeX, status: int):
    fake_x.plan_rules = [answer(status)] * 2
    fake_x.plan = [stream(post(1))]
    heard = hear_from(fake_x, 20, max_posts=1)
    assert heard.lines == bare(post(1))
    assert len(heard.window.notes) == 2
    assert "didn't take the desk's rule" in heard.window.notes[1]


def test_an_address_with_neither_rules_nor_stream_is_no_x(fake_x: FakeX):
    fake_x.plan_rules, fake_x.plan = [answer(404)] * 2, [answer(404)]
    heard = hear(X(TOKEN, fake_x.url), 30)
    assert isinstance(heard.fault, SourceUnavailable)


@pytest.mark.parametrize(
    "told", [answer(400, {"errors": [{"message": "Rule does not exist"}]}), answer(404)], ids=["400", "404"]
)
def test_a_stale_rule_that_somebody_else_has_deleted_is_no_failure(fake_x: FakeX, told: Script):
    old = {"id": "1", "value": "an older rule", "tag": TAG}
    fake_x.rules = [old]
    fake_x.plan_rules = [answer(200, {"data": [old]}), told]
    fake_x.plan = [stream(post(1))]
    heard = hear_from(fake_x, 20, max_posts=1)
    assert heard.lines == bare(post(1))
    (note,) = heard.window.notes
    assert "older rule" in note and str(told.status) in note


def test_notes_about_rules_are_made_once_though_rules_are_set_again(fake_x: FakeX, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lib.tweets.x.FIRST", 0.1)
    fake_x.plan_rules = [answer(404), answer(503), answer(404)]
    fake_x.plan = [stream(post(1))]
    heard = hear_from(fake_x, 20, max_posts=1)
    assert heard.whys == ["X answered 503 Service Unavailable"]
    assert len(heard.window.notes) == 1


def test_the_default_rule_is_one_that_x_takes_and_that_leans_to_no_mood():
    assert len(DEFAULT_RULE) <= 512
    words = WORDS.split()
    assert 20 <= len(words) == len(set(words)) <= 30
    assert DEFAULT_RULE.endswith(") lang:en sample:5")
    in_entries = {part for entry in load_lexicon().valences for part in entry.replace("-", " ").split()}
    assert not set(words) & in_entries
    stop_words = (
        "a an and are as at be but by com for from http https if in into is it its me my no not of on or rt such that "
        "the their then there these they this to too via was we will with www you"
    )
    assert not set(words) & set(stop_words.split())


@pytest.mark.parametrize("answered", [None, [], "no", {}, {"data": None}, {"data": [None, 3, {"value": "x"}]}])
def test_an_odd_list_of_rules_is_an_empty_one(answered: object):
    found = changes(answered, "cats")
    assert (found.delete, found.add, found.foreign) == ((), True, frozenset())


def test_what_x_says_is_found_wherever_it_stands():
    assert said({"errors": [{"message": "a\n b"}]}) == "a b"
    assert said({"error": "gone"}) == "gone"
    assert said({"title": "T", "detail": "D"}) == "D"
    assert said({"details": ["first", "second"]}) == "first"
    assert said(None) == said({}) == said([]) == said(7) == said({"errors": []}) == ""
    assert len(said("x" * 9_999)) == 300
    assert refusal({"errors": []}) == refusal(None) == ""
