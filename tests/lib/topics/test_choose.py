"""How many topics: the planted number, last week's where another is no better, and what fits few articles."""

import numpy as np
import pytest

from lib.topics import choose
from lib.topics.choose import HALVES, Trial, choose_topics, effort, numbers_for
from tests.lib.topics.made import made_corpus, planted_texts


def test_the_planted_number_is_found() -> None:
    corpus = made_corpus(planted_texts(240, 40))
    choice = choose_topics(corpus, numbers=[2, 3, 5, 8], last=None, seed=1, threads=1)
    assert choice.topics == 3
    assert [each.topics for each in choice.trials] == [2, 3, 5, 8]
    assert len(choice.scores) == 4
    assert all(0 <= score <= 1 for score, _ in choice.scores)


def trial(topics: int, coherence: float, stability: float, spread: float = 0.0) -> Trial:
    off = np.array([-spread, 0, spread])
    return Trial(topics, (coherence + off).tolist(), (stability + off).tolist())


@pytest.mark.parametrize("last, taken", [(None, 10), (7, 7), (20, 10)])
def test_last_weeks_number_stays_unless_another_is_better_beyond_a_standard_error(
    monkeypatch: pytest.MonkeyPatch, last: int | None, taken: int
) -> None:
    made = {7: trial(7, 0.24, 0.60, 0.02), 10: trial(10, 0.25, 0.60, 0.02), 20: trial(20, 0.15, 0.30, 0.02)}
    monkeypatch.setattr(choose, "_tried", lambda corpus, training, topics, *rest: made[topics])
    corpus = made_corpus(planted_texts(30))
    assert choose_topics(corpus, numbers=[7, 10, 20], last=last, seed=1, threads=1).topics == taken


def test_numbers_that_are_all_alike_leave_the_smallest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "_tried", lambda corpus, training, topics, *rest: trial(topics, 0.2, 0.5))
    choice = choose_topics(made_corpus(planted_texts(30)), numbers=[5, 7], last=None, seed=1, threads=1)
    assert choice.topics == 5
    assert choice.scores == [(1.0, 0.0), (1.0, 0.0)]


def test_few_articles_are_not_asked_for_many_topics() -> None:
    assert numbers_for(20_000, None) == [5, 7, 10, 14, 20, 28, 40]
    assert numbers_for(200, None) == [5, 7, 10]
    assert numbers_for(200, 12) == [5, 7, 10, 12]
    assert numbers_for(10, None) == [5]
    assert numbers_for(1, None) == [1]


def test_progress_adds_up_to_the_effort() -> None:
    corpus = made_corpus(planted_texts(60))
    counted: list[int] = []
    choose_topics(corpus, numbers=[2, 3], last=None, seed=1, threads=1, advance=counted.append)
    assert sum(counted) == effort(60, [2, 3])


@pytest.mark.parametrize("texts", [[["one"]], [["one"], ["two", "one"]], [["one"], []]])
def test_hardly_any_articles_are_no_fault(texts: list[list[str]]) -> None:
    choice = choose_topics(made_corpus(texts), numbers=[1, 2], last=None, seed=1, threads=1)
    assert choice.topics in (1, 2)
    assert all(len(each.coherences) == HALVES for each in choice.trials)
