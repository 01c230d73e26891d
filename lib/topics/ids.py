"""Articles' ids: 16 hexadecimal digits where people see them, a number each where there are a million."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]


def as_numbers(ids: Iterable[str]) -> Numbers:
    """Ids as numbers, (ids,); their order is the same."""
    return np.fromiter((int(each, 16) for each in ids), np.uint64)


def as_texts(ids: Numbers) -> NDArray[np.str_]:
    """Ids as people see them, (ids,)."""
    digits = ids.astype(">u8").tobytes().hex().encode("ascii")
    return np.frombuffer(digits, "S16").astype(np.str_)
