"""Tables of hashes: what was put in is found, and nothing else."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.topics.hashed import Seen, fill, place_of, slots_for


@given(st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, max_size=200), st.integers(-(2**63), 2**63 - 1))
@settings(deadline=None)
def test_each_key_is_found_at_its_place_and_another_at_an_empty_one(keys: list[int], other: int) -> None:
    table, slots = np.array(keys, np.int64), slots_for(len(keys))
    fill(table, len(keys), slots)
    assert [slots[place_of(key, table, slots)] for key in keys] == list(range(len(keys)))
    if other not in keys:
        assert slots[place_of(other, table, slots)] == -1


rows = st.lists(st.tuples(st.sampled_from([b"", b"a", b"b"]), st.sampled_from([b"", b"x", b"y z"]), st.booleans()))


@given(st.lists(rows, max_size=4))
@settings(deadline=None)
def test_an_article_is_new_once_and_so_is_a_body_that_counts_alone(
    batches: list[list[tuple[bytes, bytes, bool]]],
) -> None:
    seen, known = Seen(), set()
    for batch in batches:
        expected = []
        for title, body, alone in batch:
            keys = {(title, body), *([(None, body)] if alone else [])}
            expected.append(not keys & known)
            known |= keys if expected[-1] else set()
        titles, bodies, alones = ([row[n] for row in batch] for n in range(3))
        assert seen.new(titles, bodies, alones) == expected


def test_more_articles_than_there_was_room_for_are_all_known() -> None:
    seen = Seen()
    titles, nothing = [str(number).encode() for number in range(20_000)], [b""] * 20_000
    assert all(seen.new(titles, nothing, [False] * 20_000))
    assert not any(seen.new(titles, nothing, [False] * 20_000))


def test_white_space_is_one_blank_however_much_there_is() -> None:
    seen = Seen()
    assert seen.new([b"", b"", b""], [b"a b c", b"a \n b\tc", b"a bc"], [False] * 3) == [True, False, True]
