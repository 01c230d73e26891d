"""Compiled functions."""

from types import SimpleNamespace

import numba
import pytest

from lib.compiled import compiled


def test_where_nothing_can_be_cached_it_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def njit(**how: bool) -> object:
        if how.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return numba.njit(**how)

    monkeypatch.setattr("lib.compiled.numba", SimpleNamespace(njit=njit))
    assert compiled(lambda place: abs(place))(-3.0) == 3.0
