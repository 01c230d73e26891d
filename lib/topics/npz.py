"""Large arrays in numpy's own .npz, written a piece at a time, so that no more than a piece is in memory."""

import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIECE = 1 << 18  # rows
# Of bags' ids the next levels take five times as long, for a twentieth less.
LEVEL = 1


def write_npz(path: Path, arrays: Mapping[str, tuple[int, Iterable[NDArray[Any]]]]) -> None:
    """Write arrays by name, each given as how many rows it has and the pieces with them: one or more, all alike."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as packed:
        for name, (rows, parts) in arrays.items():
            with packed.open(f"{name}.npy", "w", force_zip64=True) as file:
                for number, part in enumerate(parts):
                    if number == 0:
                        whole = {"descr": np.lib.format.dtype_to_descr(part.dtype), "fortran_order": False}
                        np.lib.format.write_array_header_1_0(file, {**whole, "shape": (rows, *part.shape[1:])})
                    file.write(part.tobytes())


def pieces(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """An array by PIECE rows."""
    for start in range(0, max(len(array), 1), PIECE):
        yield array[start : start + PIECE]
