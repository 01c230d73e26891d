"""A topic model's numbers as plain files beside its run: what the next week starts from, without a pickle in it.

`topics.npz` has `sstats` (float32, topics × words: λ less its prior), `alpha` (float32, topics) and `eta` (float32,
words); `vocabulary.json` is the list of the words, by id. Where words are fading, `topics.npz` also has `fading_ids`
(int32) and `fading` (float32, topics × those ids), what is left of them from the weeks before.
"""

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.errors import BadData

TOPICS, VOCABULARY = "topics.npz", "vocabulary.json"
# what comes of a file of another kind, or of one in which a bit fell over
_DAMAGE = (
    *(OSError, ValueError, TypeError, KeyError, EOFError, MemoryError, RecursionError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error),
)
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Kept:
    """A model's numbers: `sstats` of shape (topics, words), `alpha` (topics,), `eta` (words,), and the words by id.

    `fading` has shape (topics, fading ids).
    """

    sstats: Floats
    alpha: Floats
    eta: Floats
    fading_ids: NDArray[np.int32]
    fading: Floats
    words: list[str]

    @property
    def beta(self) -> NDArray[np.float64]:
        """Each topic's distribution over the words, shape (topics, words), rows of sum 1."""
        lam = self.sstats.astype(np.float64) + self.eta
        return np.asarray(lam / lam.sum(axis=1, keepdims=True), np.float64)

    @property
    def start(self) -> Floats:
        """The statistics that the next week starts from: the model's, and what is left of the words that fade."""
        start = self.sstats.copy()
        start[:, self.fading_ids] += self.fading
        return start


def keep(
    folder: Path,
    sstats: Floats,
    alpha: Floats,
    eta: Floats,
    words: Sequence[str],
    fading: tuple[NDArray[np.int32], Floats] | None = None,
) -> None:
    """Write the two files into a run's folder. `fading` has ids of words, and statistics of shape (topics, ids)."""
    ids, left = fading or (np.empty(0, np.int32), np.empty((len(sstats), 0), np.float32))
    with (folder / TOPICS).open("wb") as file:
        np.savez(
            file,
            sstats=sstats.astype(np.float32),
            alpha=alpha.astype(np.float32),
            eta=eta.astype(np.float32),
            fading_ids=ids.astype(np.int32),
            fading=left.astype(np.float32),
        )
    (folder / VOCABULARY).write_text(json.dumps(list(words), ensure_ascii=False), encoding="utf-8")


def read_kept(folder: Path) -> Kept:
    """What `keep` wrote. Raises BadData, naming the file, where one is missing or isn't whole."""
    name = TOPICS
    try:
        # opened here, for np.load leaves a file open that it can't read
        with (folder / TOPICS).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {each: np.asarray(file[each]) for each in file.files}
        name = VOCABULARY
        words = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
    except FileNotFoundError as fault:
        raise BadData(f"{name} is not there") from fault
    except _DAMAGE as fault:
        raise BadData(f"{name} is damaged") from fault
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise BadData(f"{VOCABULARY} is no list of words")
    if len(set(words)) != len(words):
        raise BadData(f"{VOCABULARY} names a word twice")
    return Kept(**_checked(arrays, len(words)), words=words)


def _checked(arrays: Mapping[str, NDArray[Any]], words: int) -> dict[str, NDArray[Any]]:
    """The arrays as a model of so many words has them."""
    missing = {"sstats", "alpha", "eta"} - set(arrays)
    if missing:
        raise BadData(f"{TOPICS} lacks {', '.join(sorted(missing))}")
    topics = len(np.atleast_1d(arrays["alpha"]))
    ids = arrays.get("fading_ids", np.empty(0, np.int32))
    found = {
        "sstats": arrays["sstats"],
        "alpha": arrays["alpha"],
        "eta": arrays["eta"],
        "fading": arrays.get("fading", np.empty((topics, 0), np.float32)),
    }
    shapes = [(topics, words), (topics,), (words,), (topics, *ids.shape)]
    if topics == 0 or ids.ndim != 1 or [each.shape for each in found.values()] != shapes:
        raise BadData(f"{TOPICS} and {VOCABULARY} don't belong together")
    numbers = all(each.dtype.kind == "f" and np.isfinite(each).all() and (each >= 0).all() for each in found.values())
    places = ids.dtype.kind == "i" and len(np.unique(ids)) == len(ids) and ((ids >= 0) & (ids < words)).all()
    if not numbers or not places or not (found["eta"] > 0).all():
        raise BadData(f"{TOPICS} has values that no model has")
    return {name: each.astype(np.float32) for name, each in found.items()} | {"fading_ids": ids.astype(np.int32)}
