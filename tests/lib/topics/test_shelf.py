"""Articles on a shelf are the articles that were put there, without their contents."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.topics.articles import Article
from lib.topics.ids import as_numbers, as_texts
from lib.topics.shelf import TOGETHER, Shelf, column_of, ids_of
from tests.lib.topics.made import HOSTILE, article

texts = st.text(max_size=20)
articles = st.lists(
    st.builds(
        article,
        st.integers(0, 2**64 - 1),
        title=texts,
        content=texts,
        publication=texts,
        date=st.none() | st.just("2017-01"),
        url=texts,
        file=texts,
        short_body=texts,
        line=st.integers(1, 2**40),
    ),
    max_size=8,
)


def shelf_of(folder: Path, articles: list[Article]) -> Shelf:
    shelf = Shelf(folder)
    for each in articles:
        shelf.put(each)
    return shelf


@given(articles=articles, data=st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_articles_come_back_by_place_and_in_order(
    tmp_path: Path, articles: list[Article], data: st.DataObject
) -> None:
    shelf = shelf_of(tmp_path, articles)
    expected = [replace(each, content="") for each in articles]
    assert list(shelf) == expected
    assert [shelf[d] for d in range(len(articles))] == expected
    assert list(shelf.titles()) == [each.title for each in articles]
    assert [f"{number:016x}" for number in shelf.ids.tolist()] == [each.id for each in articles]
    kept = data.draw(st.lists(st.booleans(), min_size=len(articles), max_size=len(articles)))
    shelf.keep(np.array(kept, bool))
    expected = [each for each, stays in zip(expected, kept, strict=True) if stays]
    assert list(shelf) == expected
    assert [shelf[d] for d in range(-len(expected), 0)] == expected
    assert shelf[1:3] == expected[1:3]
    assert len(shelf) == len(shelf.ids) == len(expected)


def test_what_strangers_write_comes_back_as_it_was(tmp_path: Path) -> None:
    given = [article(n, title=text, url=text, publication=text) for n, text in enumerate(HOSTILE.values())]
    assert list(shelf_of(tmp_path, given)) == given


def test_there_may_be_more_articles_than_are_read_at_a_time(tmp_path: Path) -> None:
    given = [article(number) for number in range(2 * TOGETHER + 1)]
    shelf = shelf_of(tmp_path, given)
    assert list(shelf) == given
    with pytest.raises(IndexError):
        shelf[len(given)]


def test_articles_are_taken_off_the_shelf_in_any_order(tmp_path: Path) -> None:
    given = [article(number) for number in range(5)]
    shelf = shelf_of(tmp_path, given)
    shelf.keep(np.array([True, False, True, True, True]))
    assert list(shelf.at([3, 0, 3, -1])) == [given[4], given[0], given[4], given[4]]


@given(articles=articles)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_column_of_a_shelf_says_what_its_articles_say(tmp_path: Path, articles: list[Article]) -> None:
    shelf = shelf_of(tmp_path, articles)
    for some in (shelf, articles):
        for which in ("publication", "date"):
            codes, names = column_of(some, which)  # type: ignore[arg-type]
            assert [names[code] for code in codes] == [getattr(each, which) for each in articles]
        assert as_texts(ids_of(some)).tolist() == [each.id for each in articles]


@given(numbers=st.lists(st.integers(0, 2**64 - 1), max_size=5))
def test_ids_are_16_digits_in_the_order_of_their_numbers(numbers: list[int]) -> None:
    texts = as_texts(np.array(sorted(numbers), np.uint64)).tolist()
    assert texts == sorted(f"{number:016x}" for number in numbers)
    assert as_numbers(texts).tolist() == sorted(numbers)


def test_short_bodies_are_counted_by_what_they_say(tmp_path: Path) -> None:
    bodies = ["same words", "", "other words", "same words", ""]
    shelf = shelf_of(tmp_path, [article(d, short_body=body) for d, body in enumerate(bodies)])
    assert shelf.same_bodies().tolist() == [2, 0, 1, 2, 0]


def test_no_file_is_left_to_be_seen(tmp_path: Path) -> None:
    shelf = shelf_of(tmp_path, [article(number) for number in range(3000)])
    assert len(list(shelf)) == 3000
    assert not list(tmp_path.iterdir())
