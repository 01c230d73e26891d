"""Compiled functions: also where nothing can be kept, and every part done in any number of threads."""

from types import SimpleNamespace

import numba
import pytest

from lib.compiled import compiled, in_threads


def test_where_nothing_can_be_cached_it_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def njit(**how: bool) -> object:
        if how.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return numba.njit(**how)

    monkeypatch.setattr("lib.compiled.numba", SimpleNamespace(njit=njit))
    assert compiled(lambda place: abs(place))(-3.0) == 3.0


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_part_is_done_once(threads: int) -> None:
    done = [0] * 10

    def work(place: int, count: int) -> None:
        done[place] += count

    in_threads(work, [(place, place) for place in range(10)], threads)
    assert done == list(range(10))


@pytest.mark.parametrize("threads", [1, 3])
def test_a_fault_in_a_part_is_the_callers(threads: int) -> None:
    def work(place: int) -> None:
        raise ValueError(f"part {place}")

    with pytest.raises(ValueError, match="part 0"):
        in_threads(work, [(0,), (1,)], threads)
