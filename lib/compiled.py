"""Functions compiled by numba, which give up Python's lock while they work."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile for numba, kept on disk for the next process where there is a folder for it.

    There is none where a service's user may write neither beside the code nor in a home of its own.
    """
    try:
        made: Callable[P, R] = numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:
        made = numba.njit(nogil=True)(function)
    return made
