"""Functions compiled by numba, which give up Python's lock while they work."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")
_HOW: Any = {"nogil": True, "no_cfunc_wrapper": True}  # nobody calls them from C: less to compile


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile for numba, kept on disk for the next process where there is a folder for it.

    What is kept is as old as the function's own file: a change to a function in another file that it calls has to touch
    this one too. There is no folder where a service's user may write neither beside the code nor in a home of its own.
    """
    try:
        made: Callable[P, R] = numba.njit(**_HOW, cache=True)(function)
    except RuntimeError:
        made = numba.njit(**_HOW)(function)
    return made
