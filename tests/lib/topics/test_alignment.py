"""Topics are found again whatever their order and their words' numbers, and each one's fate is the planted one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from lib.topics.alignment import BLOCK, align, distances, on_one_vocabulary

VOCABULARY = 600
SEEDS = st.integers(0, 2**32 - 1)


def world(random: np.random.Generator, topics: int) -> np.ndarray:
    """Topics as news have them: a few words often, most hardly ever."""
    base = 1 / np.arange(1, VOCABULARY + 1) ** 0.9
    rows = [random.dirichlet(30 * random.permutation(base) + 1e-6) for _ in range(topics)]
    return np.array(rows).reshape(topics, VOCABULARY)


def seen(random: np.random.Generator, topics: np.ndarray, uses: int = 4000) -> np.ndarray:
    """The topics as a week's articles show them: by counts, with a prior."""
    counts = np.array([random.multinomial(uses, row / row.sum()) for row in topics]).reshape(topics.shape) + 0.05
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def parted(random: np.random.Generator, topic: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """One topic's words divided over two, about `share` of its uses in the first."""
    order = random.permutation(np.flatnonzero(topic > 0))
    first = order[np.cumsum(topic[order]) <= share]
    inside = np.zeros(len(topic), bool)
    inside[first] = True
    one, other = np.where(inside, topic, 0.0), np.where(inside, 0.0, topic)
    return one / one.sum(), other / other.sum()


def splittable(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A topic whose parts are both of some size, and its parts."""
    while True:
        topic = world(random, 1)[0]
        one, other = parted(random, topic, random.uniform(0.35, 0.65))
        if 0.3 < topic[one > 0].sum() < 0.7:
            return topic, one, other


@pytest.mark.parametrize("words", [1, 2, BLOCK - 1, BLOCK, 2 * BLOCK + 7])
def test_distances_are_scipys_jensen_shannon_distances_in_base_two(words: int) -> None:
    random = np.random.default_rng(words)
    one, other = random.dirichlet(np.full(words, 0.05), 7), random.dirichlet(np.full(words, 0.05), 4)
    one[0, : words // 2] = 0  # words that this one hasn't
    one[0] = one[0] / one[0].sum() if one[0].sum() else 1 / words
    other[1] = one[3]
    theirs = np.array([jensenshannon(row[None, :], other, axis=1, base=2) for row in one])
    np.testing.assert_allclose(distances(one, other), np.nan_to_num(theirs), atol=1e-6)


def test_topics_without_a_word_in_common_are_one_apart_and_the_same_topic_nothing() -> None:
    one = np.array([[0.5, 0.5, 0.0, 0.0]])
    assert distances(one, np.array([[0.0, 0.0, 0.1, 0.9]]))[0, 0] == pytest.approx(1)
    assert distances(one, one)[0, 0] == pytest.approx(0, abs=1e-6)


def test_a_distance_takes_rows_for_proportions() -> None:
    one, other = np.array([[3.0, 1.0]]), np.array([[1.0, 1.0]])
    np.testing.assert_allclose(distances(one, other), distances(one / 4, other / 2))


def test_words_are_matched_by_name_and_a_word_of_one_week_has_nothing_in_the_other() -> None:
    before, now, words = on_one_vocabulary(
        np.array([[0.6, 0.4]]), ["sail", "ship"], np.array([[0.1, 0.2, 0.7]]), ["tide", "ship", "oven"]
    )
    assert words == ["tide", "ship", "oven", "sail"]
    assert before.tolist() == [[0.0, 0.4, 0.0, 0.6]]
    assert now.tolist() == [[0.1, 0.2, 0.7, 0.0]]


@given(seed=SEEDS, topics=st.integers(1, 20), died=st.integers(0, 5), born=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_planted_permutations_births_and_deaths_are_all_recovered(seed: int, topics: int, died: int, born: int) -> None:
    random = np.random.default_rng(seed)
    died = min(died, topics)
    every = world(random, topics + born)
    then, later = random.permutation(topics), random.permutation(np.arange(died, topics + born))
    found = align(seen(random, every[then]), seen(random, every[later]))
    place = {topic: row for row, topic in enumerate(then.tolist())}
    assert found.continued == {now: place[topic] for now, topic in enumerate(later.tolist()) if topic in place}
    assert found.born == [now for now, topic in enumerate(later.tolist()) if topic not in place]
    assert found.died == sorted(place[topic] for topic in range(died))
    assert found.split == {}
    assert found.merged == {}


@given(seed=SEEDS, others=st.integers(0, 8))
@settings(max_examples=60, deadline=None)
def test_a_topic_whose_words_are_divided_over_two_has_split_and_the_other_way_round_they_have_merged(
    seed: int, others: int
) -> None:
    random = np.random.default_rng(seed)
    whole, one, other = splittable(random)
    rest, new = world(random, others), world(random, 1)
    before, now = np.vstack([whole, rest]), np.vstack([one, rest, other, new])
    found = align(seen(random, before), seen(random, now))
    (part,) = found.split
    assert {part, *(now for now, row in found.continued.items() if row == 0)} == {0, others + 1}
    assert found.split[part] == 0
    assert {now: row for now, row in found.continued.items() if row} == {row: row for row in range(1, others + 1)}
    assert (found.born, found.died, found.merged) == ([others + 2], [], {})
    found = align(seen(random, now), seen(random, before))
    (part,) = found.merged
    assert {part, found.continued[0]} == {0, others + 1}
    assert found.merged[part] == 0
    assert (found.born, found.died, found.split) == ([], [others + 2], {})


def test_a_topic_in_three_parts_goes_on_in_one_of_them() -> None:
    topic = np.r_[np.full(90, 1 / 90), np.zeros(30)]
    parts = np.array([np.r_[np.eye(3)[part].repeat(30) / 30, np.zeros(30)] for part in range(3)])
    found = align(topic[None, :], parts)
    assert len(found.continued) == 1
    assert set(found.split) | set(found.continued) == {0, 1, 2}
    assert (found.born, found.died) == ([], [])
    found = align(parts, topic[None, :])
    assert len(found.continued) == 1
    assert set(found.merged) | set(found.continued.values()) == {0, 1, 2}
    assert (found.born, found.died) == ([], [])


@pytest.mark.parametrize(("before", "now"), [(0, 0), (0, 3), (3, 0)])
def test_no_topics_on_a_side_are_births_or_deaths_alone(before: int, now: int) -> None:
    random = np.random.default_rng(1)
    found = align(world(random, 3)[:before], world(random, 3)[:now])
    assert (found.born, found.died) == (list(range(now)), list(range(before)))
    assert not found.continued
    assert not found.split
    assert not found.merged


@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_time_turned_round_births_are_deaths_and_splits_are_merges(seed: int) -> None:
    random = np.random.default_rng(seed)
    every = world(random, 12)
    one, other = seen(random, every[:9]), seen(random, every[4:])
    there, back = align(one, other), align(other, one)
    assert there.born == back.died
    assert there.died == back.born
    assert there.continued == {now: row for row, now in back.continued.items()}
    assert (there.split, there.merged) == (back.merged, back.split)
