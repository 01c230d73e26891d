"""Functions compiled by numba: without Python's lock, and kept on disk for the next process where there is a place."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile for numba, kept on disk for the next process where there is a folder for it.

    There is none where a service's user may write neither beside the code nor in a home of its own. What is kept is
    thrown away once any module of the function's folder has changed.
    """
    return _compiled(function)


def compiled_fast(function: Callable[P, R], **how: Any) -> Callable[P, R]:
    """The same for arithmetic on many numbers: sums may be taken in any order, and 1/0 is infinite, as in NumPy.

    Either lets the processor take eight or sixteen numbers at a time. The order is fixed when it is compiled: the same
    machine makes the same bits every time.
    """
    return _compiled(function, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"}, **how)


def compiled_part(function: Callable[P, R]) -> Callable[P, R]:
    """The same for what only compiled functions call: it can't be called from Python, and compiles sooner."""
    return compiled_fast(function, no_cpython_wrapper=True)


def _compiled(function: Callable[P, R], **how: Any) -> Callable[P, R]:
    how |= {"nogil": True, "no_cfunc_wrapper": True}  # nobody calls them from C: less to compile
    try:
        made: Any = numba.njit(cache=True, **how)(function)
    except RuntimeError:
        return numba.njit(**how)(function)  # type: ignore[no-any-return]
    # numba looks at the function's own file alone, and would go on with what other files had in them
    made._cache._cache_file._source_stamp = _age(Path(function.__code__.co_filename).parent)
    return made  # type: ignore[no-any-return]


@cache
def _age(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Each module of a folder, with when it was written and its size."""
    found = ((path, path.stat()) for path in sorted(folder.glob("*.py")))
    return tuple((path.name, each.st_mtime_ns, each.st_size) for path, each in found)


def in_threads(work: Callable[..., None], parts: Sequence[Sequence[Any]], threads: int) -> None:
    """Call `work(*part)` for each part, several at a time; for functions that give up Python's lock."""
    if threads == 1 or len(parts) < 2:
        for part in parts:
            work(*part)
        return
    running = [_pool(threads).submit(work, *part) for part in parts]
    for each in running:
        each.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


# A forked child has the pools, and none of their threads.
os.register_at_fork(after_in_child=_pool.cache_clear)
