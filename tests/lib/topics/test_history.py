"""Last week is the run before by date and kind, whole or not at all; its words go on, and those nobody writes fade."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from lib import runs
from lib.runs import Outcome
from lib.store import open_store, rows, table, writing
from lib.topics.history import (
    Past,
    PastTopic,
    carried,
    carry_over,
    fading,
    fading_words,
    history_of,
    last_week,
    start_of,
)
from lib.topics.kept import TOPICS, VOCABULARY, keep
from lib.topics.tables import migrations, save
from tests.lib.topics.made import made_corpus, made_summary, made_topic, made_weeks

SUMMARY = made_summary([made_topic(7, ("ship", "sail"), column=1), made_topic(3, ("oven", "salt"), column=0)])
WORDS = ["ship", "sail", "oven"]
SSTATS = np.array([[0, 0, 9], [6, 1, 0]], np.float32)


@pytest.fixture
def db(data: Path) -> Iterator[Database]:
    store = open_store(data, [migrations])
    yield store
    store.close()


def commit(db: Database, data: Path, date: str, *, demo: bool = False) -> int:
    """A committed run with its rows and its files."""
    run = runs.begin(db, "model_topics", date, options={}, demo=demo)
    folder = data / "model_topics" / f"{date}-{run}"
    folder.mkdir(parents=True)
    keep(folder, SSTATS, np.ones(2, np.float32), np.full(3, 0.5, np.float32), WORDS)
    with writing(db):
        table(db, "runs").update(run, {"folder": str(folder.relative_to(data))})
        runs.commit(db, run, Outcome("ok", "Done.", 0))
        save(db, run, date, [], SUMMARY, np.empty((0, 2)), made_weeks(SUMMARY, date=date))
    return run


def found(db: Database, data: Path, date: str, *, demo: bool = False) -> Past:
    """Last week's run, which has to be there."""
    past, why = last_week(db, data, date, demo=demo)
    assert past is not None, why
    assert why == ""
    return past


def test_last_week_is_the_committed_run_of_the_latest_earlier_date(db: Database, data: Path) -> None:
    commit(db, data, "2024-05-12")
    run = commit(db, data, "2024-05-19")
    commit(db, data, "2024-05-05")
    commit(db, data, "2024-05-26")
    runs.begin(db, "model_topics", "2024-05-25", options={}, demo=False)
    past = found(db, data, "2024-05-26")
    assert (past.run, past.date) == (run, "2024-05-19")
    assert past.kept.words == WORDS
    assert past.topics == [
        PastTopic(3, 0, "oven, salt", 0.5, 0.01, "2024-05-19", 1, "2024-05-19", ["oven", "salt"]),
        PastTopic(7, 1, "ship, sail", 0.5, 0.01, "2024-05-19", 1, "2024-05-19", ["ship", "sail"]),
    ]


def test_the_first_run_has_no_past_and_nothing_to_explain(db: Database, data: Path) -> None:
    assert last_week(db, data, "2024-05-05", demo=False) == (None, "")


def test_a_run_that_replaces_another_of_its_date_sees_neither(db: Database, data: Path) -> None:
    run = commit(db, data, "2024-05-05")
    commit(db, data, "2024-05-12")
    runs.begin(db, "model_topics", "2024-05-12", options={}, demo=False)
    assert found(db, data, "2024-05-12").run == run
    history = history_of(db, data, "2024-05-12", demo=False)
    assert history.next_id == 8
    assert [day for day, _ in history.course.weeks] == ["2024-05-05"]


def test_demo_runs_and_others_have_nothing_to_do_with_each_other(db: Database, data: Path) -> None:
    demo = commit(db, data, "2024-05-05", demo=True)
    real = commit(db, data, "2024-05-12")
    assert found(db, data, "2024-05-19", demo=True).run == demo
    assert found(db, data, "2024-05-19").run == real
    assert last_week(db, data, "2024-05-12", demo=False) == (None, "")


def test_a_label_is_held_to_the_words_of_the_week_it_was_given_in(db: Database, data: Path) -> None:
    first = commit(db, data, "2024-05-05")
    second = commit(db, data, "2024-05-12")
    with writing(db):
        db.execute("UPDATE topics SET labelled = '2024-05-05' WHERE run = ?", [second])
        db.execute("UPDATE topic_words SET word = 'net' WHERE run = ? AND word = 'ship'", [first])
    assert [topic.words for topic in found(db, data, "2024-05-19").topics] == [["oven", "salt"], ["net", "sail"]]
    with writing(db):  # as where that week was done again, and the topic isn't in it
        db.execute("DELETE FROM topic_words WHERE run = ? AND topic = 7", [first])
    assert [topic.words for topic in found(db, data, "2024-05-19").topics] == [["oven", "salt"], ["ship", "sail"]]


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda folder: (folder / TOPICS).write_bytes(b"PK"), f"{TOPICS} is damaged"),
        (lambda folder: (folder / TOPICS).unlink(), f"{TOPICS} is not there"),
        (lambda folder: (folder / VOCABULARY).unlink(), f"{VOCABULARY} is not there"),
        (
            lambda folder: keep(
                folder, SSTATS[:1], np.ones(1, np.float32), np.full(3, 0.5, np.float32), ["ship", "sail", "oven"]
            ),
            "rows and its files",
        ),
    ],
)
def test_files_that_cannot_be_used_start_the_topics_afresh_with_a_sentence(
    db: Database, data: Path, damage: object, why: str
) -> None:
    run = commit(db, data, "2024-05-05")
    damage(data / rows(db, "SELECT folder FROM runs WHERE id = ?", run)[0]["folder"])  # type: ignore[operator]
    past, said = last_week(db, data, "2024-05-12", demo=False)
    assert past is None
    assert said.startswith("The topics of 2024-05-05 can’t be carried on (")
    assert why in said
    assert history_of(db, data, "2024-05-12", demo=False).next_id == 8


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("UPDATE runs SET folder = NULL", "files were removed"),
        ('UPDATE topics SET "column" = NULL', "numbered them anew each week"),
        ("DELETE FROM topics WHERE topic = 3", "rows and its files"),
    ],
)
def test_rows_that_cannot_be_used_start_the_topics_afresh_with_a_sentence(
    db: Database, data: Path, sql: str, why: str
) -> None:
    commit(db, data, "2024-05-05")
    with writing(db):
        db.execute(sql)
    past, said = last_week(db, data, "2024-05-12", demo=False)
    assert past is None
    assert why in said


def test_statistics_are_carried_over_by_word_and_a_new_word_has_none() -> None:
    start = carry_over(SSTATS, WORDS, ["tide", "oven", "ship"], topics=2)
    assert start.tolist() == [[0, 9, 0], [0, 0, 6]]
    assert start.dtype == np.float32


def test_of_more_topics_than_there_will_be_the_largest_stay_in_their_order() -> None:
    before = np.array([[1], [5], [2], [9]], np.float32)
    assert carry_over(before, ["ship"], ["ship"], topics=2).tolist() == [[5], [9]]


def test_topics_more_than_last_week_have_rows_of_zeros() -> None:
    assert carry_over(SSTATS, WORDS, WORDS, topics=4).tolist() == [*SSTATS.tolist(), [0, 0, 0], [0, 0, 0]]


def test_without_a_word_in_common_everything_starts_from_nothing() -> None:
    assert not carry_over(SSTATS, WORDS, ["other", "words"], topics=2).any()


@given(seed=st.integers(0, 2**32 - 1), topics=st.integers(1, 6), then=st.integers(1, 8), now=st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_each_word_of_both_weeks_keeps_its_statistics(seed: int, topics: int, then: int, now: int) -> None:
    random = np.random.default_rng(seed)
    before = random.random((topics, then)).astype(np.float32)
    words_then = [f"w{word}" for word in random.permutation(10)[:then]]
    words_now = [f"w{word}" for word in random.permutation(10)[:now]]
    start = carry_over(before, words_then, words_now, topics=topics)
    for place, word in enumerate(words_now):
        expected = before[:, words_then.index(word)] if word in words_then else np.zeros(topics)
        np.testing.assert_array_equal(start[:, place], expected)


def test_words_go_on_while_a_use_of_them_is_left_after_the_next_halving() -> None:
    before = np.array([[1.0, 0.9, 5.0], [1.0, 1.0, 0.0]], np.float32)
    assert fading_words(before, ["ship", "sail", "oven"]) == ["ship", "oven"]


def test_a_word_that_nobody_writes_any_more_halves_every_week_and_is_let_go_below_one_use() -> None:
    start, weeks = np.array([[12.0], [4.0]], np.float32), []
    silence = np.zeros((2, 1), np.float32)
    while True:
        ids, left = fading(silence, start)
        if not len(ids):
            break
        weeks.append(left[:, 0].tolist())
        start = left
    assert weeks == [[6, 2], [3, 1], [1.5, 0.5], [0.75, 0.25]]


def test_a_word_that_is_written_less_keeps_half_of_what_it_had_where_it_had_it() -> None:
    start = np.array([[6, 8, 8], [2, 0, 0]], np.float32)
    trained = np.array([[1, 5, 0], [0, 0, 1]], np.float32)
    ids, left = fading(trained, start)
    assert ids.tolist() == [0, 2]
    np.testing.assert_allclose(left, [[2.25, 3.0], [0.75, 0.0]])


def test_a_week_starts_with_its_own_uses_of_each_word_in_last_weeks_topics(db: Database, data: Path) -> None:
    commit(db, data, "2024-05-05")
    corpus = made_corpus([["sail", "ship", "ship", "new"], ["ship", "sail"]])
    start = start_of(history_of(db, data, "2024-05-12", demo=False), "last", corpus, 3)
    assert start is not None
    by_word = {corpus.dictionary[word]: start[:, word].tolist() for word in range(3)}
    assert by_word == {"new": [0, 0, 0], "ship": [0, 3, 0], "sail": [0, 2, 0]}


def test_training_at_random_knows_no_words_and_leaves_none(db: Database, data: Path) -> None:
    commit(db, data, "2024-05-05")
    history = history_of(db, data, "2024-05-12", demo=False)
    corpus = made_corpus([["oven", "ship", "new"]])
    assert carried(history, "last") == ["ship", "oven"]
    start = start_of(history, "last", corpus, 2)
    assert start is not None
    assert start.sum() == 2  # a use each of the words of last week
    assert carried(history, "fresh") == []
    assert start_of(history, "fresh", corpus, 2) is None
    ids, left = fading(np.ones((2, 3), np.float32), None)
    assert (ids.shape, left.shape) == ((0,), (2, 0))
    first = history_of(db, data, "2024-05-05", demo=False)
    assert (carried(first, "last"), start_of(first, "last", corpus, 2)) == ([], None)
