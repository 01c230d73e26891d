"""A topic that goes on keeps its number and its label; what is rising or falling is more than chance explains."""

import dataclasses

import numpy as np
import pytest

from lib.topics.history import History, Past, PastTopic, start_of
from lib.topics.kept import Kept
from lib.topics.model import fit_topics, infer_topics
from lib.topics.summary import Summary, summarise
from lib.topics.tables import Course
from lib.topics.tracking import Weeks, change, drift, label_stays, shares_with_errors, track
from tests.lib.topics.made import PLANTED, advance, article, made_corpus

FOURTH = ("rain", "cloud", "storm", "wind", "snow", "frost", "flood", "drought")


def texts_of(vocabularies: list[tuple[str, ...]], articles: int = 90, seed: int = 0) -> list[list[str]]:
    random = np.random.default_rng(seed)
    return [random.choice(vocabularies[d % len(vocabularies)], 30).tolist() for d in range(articles)]


def week(
    texts: list[list[str]], history: History, topics: int = 3, seed: int = 1, warm: bool = False
) -> tuple[Summary, Weeks, Kept]:
    """One week's summary and its topics' fates, with what the next week needs."""
    corpus = made_corpus(texts, [article(d) for d in range(len(texts))])
    start = start_of(history, "last" if warm else "fresh", corpus, topics)
    model = fit_topics(corpus, topics=topics, passes=20, seed=seed, advance=advance, start=start)
    weights = infer_topics(model, corpus, advance)
    summary, weeks = track(history, summarise(model, corpus, weights), model, corpus, weights)
    words = [corpus.dictionary[word] for word in range(len(corpus.dictionary))]
    none = np.empty(0, np.int32), np.empty((topics, 0), np.float32)
    return summary, weeks, Kept(model.state.sstats, model.alpha, model.eta, *none, words=words)


def history(date: str, past: Past | None = None, next_id: int = 0) -> History:
    return History(date, past, "", next_id, Course([], {}))


def past_of(weeks: Weeks, summary: Summary, kept: Kept, run: int = 1) -> Past:
    """The past that the next week sees."""
    top = {topic.id: [word for word, _ in topic.words] for topic in summary.topics}
    topics = [
        PastTopic(
            *(each.id, each.column, each.label, each.share, each.share_error),
            *(each.since, each.weeks, each.labelled, top[each.id]),
        )
        for each in sorted(weeks.topics.values(), key=lambda each: each.column)
    ]
    return Past(run, weeks.history.date, kept, topics)


def subjects(summary: Summary, *vocabularies: tuple[str, ...]) -> dict[int, int]:
    """Which of the vocabularies each topic is made of, by the topic's number."""
    return {
        topic.id: next(place for place, words in enumerate(vocabularies) if topic.words[0][0] in words)
        for topic in summary.topics
    }


def test_the_first_weeks_topics_have_their_columns_for_numbers() -> None:
    summary, weeks, _ = week(texts_of(list(PLANTED)), history("2024-05-05"))
    assert sorted(weeks.topics) == [0, 1, 2]
    assert all(topic.id == topic.column for topic in summary.topics)
    assert {each.fate for each in weeks.topics.values()} == {"born"}
    assert {(each.since, each.weeks, each.labelled) for each in weeks.topics.values()} == {
        ("2024-05-05", 1, "2024-05-05")
    }
    assert weeks.gone == []


def test_without_a_past_numbers_go_on_where_others_ended() -> None:
    _, weeks, _ = week(texts_of(list(PLANTED)), history("2024-05-05", next_id=40))
    assert sorted(weeks.topics) == [40, 41, 42]


@pytest.mark.parametrize("seed", range(3))
def test_over_three_weeks_one_topic_dies_another_is_born_and_the_others_keep_their_numbers(seed: int) -> None:
    first, weeks, kept = week(texts_of(list(PLANTED), seed=seed), history("2024-05-05"), seed=seed)
    about = subjects(first, *PLANTED, FOURTH)
    past = past_of(weeks, first, kept)
    # another model of other articles on the same subjects: in columns of its own order
    second, weeks, kept = week(texts_of(list(PLANTED), seed=seed + 10), history("2024-05-12", past, 3), seed=seed + 5)
    assert subjects(second, *PLANTED, FOURTH) == about
    assert {(each.fate, each.weeks, each.since) for each in weeks.topics.values()} == {("continued", 2, "2024-05-05")}
    past = past_of(weeks, second, kept, run=2)
    third, weeks, _ = week(texts_of([PLANTED[0], FOURTH, PLANTED[2]]), history("2024-05-19", past, 3), seed=seed)
    now = subjects(third, *PLANTED, FOURTH)
    (lost,) = (id for id, subject in about.items() if subject == 1)
    assert now == {id: subject for id, subject in about.items() if subject != 1} | {3: 3}
    assert (weeks.topics[3].fate, weeks.topics[3].weeks, weeks.topics[3].since) == ("born", 1, "2024-05-19")
    assert [(each.id, each.fate, each.weeks) for each in weeks.gone] == [(lost, "died", 2)]
    assert {each["event"]: (each["topic"], each["before"]) for each in weeks.events()} == {
        "born": (3, 2),
        "died": (lost, 2),
    }


def test_a_topic_in_two_has_split_and_two_in_one_have_merged() -> None:
    one = PLANTED[0] + FOURTH  # a subject that the articles of one week mix, and those of another keep apart
    whole = texts_of([one, PLANTED[1], PLANTED[2], PLANTED[1]])
    parts = texts_of([PLANTED[0], PLANTED[1], PLANTED[2], FOURTH])
    first, weeks, kept = week(whole, history("2024-05-05"))
    (id,) = (id for id, subject in subjects(first, one, *PLANTED[1:]).items() if subject == 0)
    second, weeks, kept = week(parts, history("2024-05-12", past_of(weeks, first, kept), 3), topics=4)
    assert [(each.id, each.other) for each in weeks.topics.values() if each.fate == "split"] == [(3, id)]
    assert weeks.topics[id].fate == "continued"
    _, weeks, _ = week(whole, history("2024-05-19", past_of(weeks, second, kept), 4))
    (gone,) = weeks.gone
    assert gone.fate == "merged"
    assert {gone.id, gone.other} == {3, id}
    assert gone.other is not None
    assert weeks.topics[gone.other].merged == (gone.id,)


def test_training_that_starts_from_last_week_keeps_each_topic_in_its_column() -> None:
    first, weeks, kept = week(texts_of(list(PLANTED)), history("2024-05-05"))
    past = past_of(weeks, first, kept)
    _, weeks, _ = week(texts_of(list(PLANTED), seed=9), history("2024-05-12", past, 3), seed=99, warm=True)
    assert all(each.id == each.column for each in weeks.topics.values())
    assert {each.fate for each in weeks.topics.values()} == {"continued"}


def test_a_label_stays_while_half_of_the_words_it_was_given_for_do() -> None:
    words = [f"w{place}" for place in range(100)]
    likely = np.linspace(1, 0, 100)  # w0 to w19 are the twenty likeliest
    stays = lambda label, *places: label_stays(label, [f"w{place}" for place in places], likely, words)  # noqa: E731
    assert stays("a phrase", 0, 5, 10, 15, 19, 20, 30, 40, 50, 60)
    assert not stays("a phrase", 0, 5, 10, 15, 20, 25, 30, 40, 50, 60)
    assert not stays("a phrase")


def test_a_label_goes_with_any_of_its_own_words() -> None:
    words = ["white_house", *(f"w{place}" for place in range(60)), "brazil"]
    likely = np.linspace(1, 0, len(words))
    assert label_stays("white house, w3, w40", ["w1", "w2"], likely, words)
    assert not label_stays("white house, brazil, w3", ["w1", "w2"], likely, words)


def test_a_topic_that_goes_on_keeps_its_label_and_one_that_has_changed_gets_a_new_one() -> None:
    first, weeks, kept = week(texts_of(list(PLANTED)), history("2024-05-05"))
    past = past_of(weeks, first, kept)
    past = dataclasses.replace(past, topics=[dataclasses.replace(each, label=f"L{each.id}") for each in past.topics])
    again = texts_of(list(PLANTED), seed=3)
    second, weeks, _ = week(again, history("2024-05-12", past, 3))
    assert {topic.label for topic in second.topics} == {"L0", "L1", "L2"}
    assert {each.labelled for each in weeks.topics.values()} == {"2024-05-05"}
    other = [dataclasses.replace(each, words=list(FOURTH)) for each in past.topics]
    third, weeks, _ = week(again, history("2024-05-12", dataclasses.replace(past, topics=other), 3))
    assert not {topic.label for topic in third.topics} & {"L0", "L1", "L2"}
    assert {each.labelled for each in weeks.topics.values()} == {"2024-05-12"}


def test_drift_words_are_those_that_gained_and_lost_most_with_both_probabilities() -> None:
    words = ["ship", "sail", "tide", "oven", "salt"]
    gained, lost = drift(np.array([0.4, 0.3, 0.2, 0.1, 0.0]), np.array([0.1, 0.3002, 0.3, 0.0998, 0.2]), words)
    assert [(each.word, each.before, each.now) for each in gained] == [("salt", 0.0, 0.2), ("tide", 0.2, 0.3)]
    assert [(each.word, each.before, each.now) for each in lost] == [("ship", 0.4, 0.1)]


def test_a_share_is_one_of_words_and_its_error_falls_with_the_articles() -> None:
    random = np.random.default_rng(3)
    weights, lengths = random.dirichlet([0.3, 0.3, 0.3], 400).astype(np.float32), random.integers(1, 300, 400)
    shares, errors = shares_with_errors(weights, lengths)
    np.testing.assert_allclose(shares, (lengths @ weights) / lengths.sum(), rtol=1e-6)
    np.testing.assert_allclose(
        errors, np.sqrt((lengths**2) @ (weights.astype(float) - shares) ** 2) / lengths.sum(), rtol=1e-5
    )
    _, fewer = shares_with_errors(weights[:100], lengths[:100])
    assert (fewer > errors).all()


def test_the_error_is_that_of_other_articles_of_the_same_kind() -> None:
    random = np.random.default_rng(4)
    weights, lengths = random.dirichlet([0.3, 0.6], 300).astype(np.float32), random.integers(20, 200, 300)
    _, errors = shares_with_errors(weights, lengths)
    drawn = [shares_with_errors(weights[pick], lengths[pick])[0] for pick in random.integers(0, 300, (500, 300))]
    np.testing.assert_allclose(errors, np.std(drawn, axis=0), rtol=0.15)


@pytest.mark.parametrize("lengths", [[0, 0], [0, 5]])
def test_articles_without_words_have_shares_all_the_same(lengths: list[int]) -> None:
    shares, errors = shares_with_errors(np.array([[0.25, 0.75], [0.25, 0.75]], np.float32), np.array(lengths))
    np.testing.assert_allclose(shares, [0.25, 0.75])
    np.testing.assert_allclose(errors, 0, atol=1e-8)


@pytest.mark.parametrize(
    ("now", "error", "way"),
    [(0.20, 0.01, "rising"), (0.02, 0.01, "falling"), (0.12, 0.01, ""), (0.20, 0.06, ""), (0.1, 0.0, "")],
)
def test_a_topic_rises_or_falls_where_the_interval_of_its_change_leaves_zero_out(
    now: float, error: float, way: str
) -> None:
    found = change(now, error, 0.1, 0.01, 0.95)
    assert found.way == way
    assert found.low <= found.difference <= found.high
    assert found.high - found.low == pytest.approx(2 * 1.959964 * np.hypot(error, 0.01))


def test_among_many_topics_that_stay_the_same_hardly_ever_one_is_called_rising_or_falling() -> None:
    random = np.random.default_rng(5)
    called = 0
    for _ in range(200):
        weeks = [shares_with_errors(random.dirichlet(np.full(20, 0.1), 300), np.full(300, 50)) for _ in range(2)]
        (then, error_then), (now, error_now) = weeks
        level = 1 - 0.05 / 20
        called += any(change(*each, level).way for each in zip(now, error_now, then, error_then, strict=True))
    assert called <= 0.09 * 200  # one in twenty, with room for chance
