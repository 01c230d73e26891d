"""What a reader is told of a model holds of the model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from lib.topics.model import fit_topics, infer_topics
from lib.topics.shelf import Shelf
from lib.topics.summary import HEADLINES, MOST_PUBLICATIONS, Summary, _highest_first, period_of, summarise, topic_map
from tests.lib.topics.made import PLANTED, advance, article, made_corpus, planted_texts, random_texts


def summary_of(texts: list[list[str]], topics: int = 3, passes: int = 4, **what: list[object]) -> Summary:
    """The summary of a model of these texts; `what` has a value an article for each of its fields named."""
    articles = [article(d, **{name: values[d] for name, values in what.items()}) for d in range(len(texts))]
    corpus = made_corpus(texts, articles)
    model = fit_topics(corpus, topics=topics, passes=passes, seed=1, advance=advance)
    return summarise(model, corpus, infer_topics(model, corpus, advance))


@pytest.mark.parametrize("seed", range(3))
def test_shares_add_up_to_one_and_the_largest_topic_comes_first(seed: int) -> None:
    summary = summary_of(random_texts(seed), topics=5)
    shares = [topic.share for topic in summary.topics]
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert shares == sorted(shares, reverse=True)
    assert sorted(topic.id for topic in summary.topics) == list(range(5))


def test_shares_count_words_and_not_articles() -> None:
    texts = planted_texts(60)
    texts = [text * 8 if d % 3 == 1 else text for d, text in enumerate(texts)]
    largest = summary_of(texts, passes=10).topics[0]
    assert largest.share == pytest.approx(0.8, abs=0.03)
    assert largest.words[0][0] in PLANTED[1]


def test_labels_are_words_of_their_topic() -> None:
    summary = summary_of(planted_texts(), passes=10)
    for topic in summary.topics:
        words = topic.label.split(", ")
        assert len(words) == 3
        assert set(words) <= {word for word, _ in topic.words}
        assert any(set(words) <= set(vocabulary) for vocabulary in PLANTED)


def test_a_label_shows_a_phrase_as_people_write_it() -> None:
    assert summary_of([["white_house"]], topics=1).topics[0].label == "white house"


def test_words_are_the_ten_likeliest_with_their_probabilities() -> None:
    corpus = made_corpus(random_texts(1))
    model = fit_topics(corpus, topics=2, passes=2, seed=1, advance=advance)
    for topic in summarise(model, corpus, infer_topics(model, corpus, advance)).topics:
        theirs = model.show_topic(topic.id, topn=10)
        assert [word for word, _ in topic.words] == [word for word, _ in theirs]
        assert [weight for _, weight in topic.words] == pytest.approx([weight for _, weight in theirs], abs=1e-6)


def test_topics_with_the_same_words_lie_on_the_same_place() -> None:
    beta = np.random.default_rng(0).dirichlet(np.ones(20), 4)
    beta[3] = beta[1]
    places = topic_map(beta)
    np.testing.assert_allclose(places[3], places[1], atol=1e-6)
    assert np.linalg.norm(places[0] - places[1]) > 0.05


def test_distances_on_the_map_are_ordered_as_jensen_shannon_distances() -> None:
    # from one vocabulary to another in five steps: a course that a plane can show
    steps = np.linspace(0, 1, 5)[:, None]
    start, end = np.r_[np.full(5, 0.199), np.full(5, 0.001)], np.r_[np.full(5, 0.001), np.full(5, 0.199)]
    beta = (1 - steps) * start + steps * end
    places = topic_map(beta)
    for row in range(5):
        shown = np.linalg.norm(places - places[row], axis=1)
        true = jensenshannon(beta[row][None, :], beta, axis=1, base=2)
        others = [other for other in range(5) if other != row]
        for one in others:
            for other in others:
                if true[one] < true[other] - 1e-6:
                    assert shown[one] < shown[other]


def test_three_topics_keep_their_distances_exactly() -> None:
    beta = np.random.default_rng(3).dirichlet(np.ones(9), 3)
    places = topic_map(beta)
    for one in range(3):
        for other in range(3):
            distance = np.linalg.norm(places[one] - places[other])
            assert distance == pytest.approx(
                float(np.nan_to_num(jensenshannon(beta[one], beta[other], base=2))), abs=1e-6
            )


@pytest.mark.parametrize("topics", [0, 1, 2])
def test_the_map_of_few_topics_is_finite(topics: int) -> None:
    beta = np.random.default_rng(1).dirichlet(np.ones(5), topics) if topics else np.zeros((0, 5))
    places = topic_map(beta)
    assert places.shape == (topics, 2)
    assert np.isfinite(places).all()
    assert np.abs(places[:, 1]).max(initial=0) < 1e-6
    if topics == 2:
        assert abs(places[0, 0] - places[1, 0]) == pytest.approx(float(jensenshannon(*beta, base=2)))


def test_topics_that_are_all_the_same_lie_in_the_middle() -> None:
    np.testing.assert_allclose(topic_map(np.full((4, 3), 1 / 3)), 0, atol=1e-6)


def test_the_map_is_the_same_every_time() -> None:
    beta = np.random.default_rng(2).dirichlet(np.ones(30), 8)
    np.testing.assert_array_equal(topic_map(beta), topic_map(beta.copy()))


@pytest.mark.parametrize("seed", range(5))
def test_the_highest_values_come_first_and_of_equal_ones_the_first(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.topics.summary.FEW", 4)
    values = np.random.default_rng(seed).integers(0, 6, 5 * seed).astype(np.float32)
    assert list(_highest_first(values)) == np.argsort(-values, kind="stable").tolist()


def test_a_summary_of_articles_on_a_shelf_is_that_of_the_articles(tmp_path: Path) -> None:
    texts = [*planted_texts(60), [], []]
    articles = [
        article(d, publication=["", "(not named)", "Post"][d % 3], date=[None, "2024-01", "2024-02-05"][d % 3])
        for d in range(len(texts))
    ]
    corpus = made_corpus(texts, articles)
    model = fit_topics(corpus, topics=3, passes=4, seed=1, advance=advance)
    weights = infer_topics(model, corpus, advance)
    summary = summarise(model, corpus, weights)
    shelf = Shelf(tmp_path)
    for each in [article(99, publication="Gone", date="1950-01-01"), *articles]:
        shelf.put(each)
    shelf.keep(np.arange(len(shelf)) > 0)
    assert summarise(model, replace(corpus, articles=shelf), weights) == summary
    assert [(name, count) for name, count, _ in summary.publications] == [("(not named)", 42), ("Post", 20)]
    assert [(name, count) for name, count, _ in summary.periods] == [("2024-01", 21), ("2024-02", 20)]
    assert summary.dated == 41


@pytest.mark.parametrize(
    "days, period",
    [
        ([], "month"),
        ([None, None], "month"),
        (["2024-01-01"], "day"),
        (["2024-01-01", None, "2024-02-01"], "day"),
        (["2024-02-02", "2024-01-01"], "week"),
        (["2024-01-01", "2024-07-19"], "week"),
        (["2024-01-01", "2024-07-20"], "month"),
        (["2000-01-01", "2004-12-31"], "month"),
        (["2000-01-01", "2005-01-04"], "year"),
        (["2024-03"], "month"),
        (["2024-03", "2024-03-02"], "month"),
        (["2016-01", "2017-07-05"], "month"),
        (["2010-01", "2017-07-05"], "year"),
        (["1960-01-01", "2024-01-01"], "decade"),
        (["1960-01", "2024-01"], "decade"),
        (["0900-01-01", "2024-01-01"], "century"),
    ],
)
def test_the_period_suits_the_span_of_dates(days: list[str | None], period: str) -> None:
    assert period_of(days) == period


@pytest.mark.parametrize(
    "days, names",
    [
        (["2024-01-03", "2024-01-03", None, "2024-01-01"], [("2024-01-01", 1), ("2024-01-03", 2)]),
        # weeks begin on Monday: 2024-01-07 was a Sunday
        (
            ["2024-01-07", "2024-01-08", "2024-03-01", None],
            [("2024-01-01", 1), ("2024-01-08", 1), ("2024-02-26", 1)],
        ),
        (["2024-01-31", "2024-09-01", "2024-01", None], [("2024-01", 2), ("2024-09", 1)]),
        (["2001-05-05", "2017-01", "2017-12-31", "2001-01-01"], [("2001", 2), ("2017", 2)]),
        (["1955-05-05", "2017-01-01", "2019-12-31", "1951-01-01"], [("1950s", 2), ("2010s", 2)]),
        (["0955-05-05", "2017-01-01", "2019-12-31", "1951-01-01"], [("0900s", 1), ("1900s", 1), ("2000s", 2)]),
        ([None] * 4, []),
    ],
)
def test_articles_are_grouped_by_period(days: list[object], names: list[tuple[str, int]]) -> None:
    summary = summary_of([["a", "b"], ["b"], ["a"], ["b", "c"]], topics=2, date=days)
    assert [(name, count) for name, count, _ in summary.periods] == names
    assert summary.dated == sum(count for _, count in names)
    for _, _, shares in summary.periods:
        assert sum(shares) == pytest.approx(1, abs=1e-5)


def test_shares_by_publication_stand_in_the_order_of_the_topics() -> None:
    texts = planted_texts(90)
    summary = summary_of(texts, passes=10, publication=[("Sea", "Food", "Sport")[d % 3] for d in range(90)])
    for name, count, shares in summary.publications:
        topic = summary.topics[int(np.argmax(shares))]
        assert count == 30
        assert topic.words[0][0] in PLANTED[("Sea", "Food", "Sport").index(name)]
        assert max(shares) > 0.9


def test_publications_beyond_the_twelfth_are_all_others() -> None:
    names: list[object] = [f"Paper {number:02d}" for number in range(15) for _ in range(20 - number)]
    summary = summary_of([["a", "b"]] * len(names), topics=2, passes=1, publication=names)
    shown = [(name, count) for name, count, _ in summary.publications]
    assert shown[:MOST_PUBLICATIONS] == [(f"Paper {number:02d}", 20 - number) for number in range(12)]
    assert shown[MOST_PUBLICATIONS:] == [("all others", 8 + 7 + 6)]


def test_twelve_publications_leave_no_others_and_a_missing_name_is_said() -> None:
    names: list[object] = ["", *(f"Paper {number}" for number in range(11))]
    summary = summary_of([["a", "b"]] * 12, topics=2, passes=1, publication=names)
    assert len(summary.publications) == 12
    assert "(not named)" in {name for name, _, _ in summary.publications}
    assert "all others" not in {name for name, _, _ in summary.publications}


def test_headlines_have_titles_all_different_and_fall_in_weight() -> None:
    titles: list[object] = [f"Title {d // 9}" if d % 2 else "" for d in range(90)]
    for topic in summary_of(planted_texts(90), passes=10, title=titles).topics:
        shown = [title for _, title, _ in topic.headlines]
        weights = [weight for _, _, weight in topic.headlines]
        assert len(shown) == HEADLINES == len(set(shown))
        assert "" not in shown
        assert weights == sorted(weights, reverse=True)
        assert all(0 < weight <= 1 for weight in weights)


def test_headlines_are_shown_without_their_publications_name_and_count_as_the_same_without_it() -> None:
    ends = [("One - Courier", "One - Gazette", "Two", "Three - Other")[d % 4] for d in range(20)]
    articles = [article(d, title=title) for d, title in enumerate(ends)]
    corpus = made_corpus(planted_texts(20), articles, suffixes={"courier": "Courier", "gazette": "Gazette"})
    model = fit_topics(corpus, topics=1, passes=1, seed=1, advance=advance)
    headlines = summarise(model, corpus, infer_topics(model, corpus, advance)).topics[0].headlines
    assert sorted(title for _, title, _ in headlines) == ["One", "Three - Other", "Two"]
    assert all(each.title.startswith(title) for each, title, _ in headlines)


def test_a_short_article_is_no_headline() -> None:
    texts = [["ship"] if d == 0 else text for d, text in enumerate(planted_texts(30))]
    for topic in summary_of(texts, passes=5).topics:
        assert "Title 0" not in {title for _, title, _ in topic.headlines}


@pytest.mark.parametrize("texts", [[["one"]], [["one"], []], [[], ["one", "two"]]])
@pytest.mark.parametrize("topics", [1, 2, 12])
def test_very_small_corpora_have_a_summary_without_nan(texts: list[list[str]], topics: int) -> None:
    summary = summary_of(texts, topics=topics)
    figures = [summary.coherence, *(f for t in summary.topics for f in (t.share, t.npmi, t.x, t.y))]
    assert np.isfinite(figures).all()
    assert all(topic.label for topic in summary.topics)
