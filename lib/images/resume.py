"""What a training that died left behind, so that the next start goes on from its last epoch.

One file holds the whole state: the network's variables with those of its dropout and normalisation, the optimiser's,
and what the loop knows. It is written aside and renamed, so a reader sees the last epoch's or the one's before it.
"""

import json
import zipfile
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.files import cannot_write, writing_aside

STATE = "training.npz"
_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch as the learning curves show it. The losses are the recipe's, over all its images."""

    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float  # with validation, and in the first one with compilation
    learning_rate: float  # of its last step
    images_per_second: float  # of its steps alone, without the one that compiles


@dataclass(frozen=True, slots=True)
class State:
    """Where a training stands at the end of an epoch."""

    variables: list[NDArray[Any]]
    history: list[Epoch]
    progress: float  # share of the schedule that is done
    seconds: float  # spent so far, by all its starts


def save_state(folder: Path, key: str, state: State) -> None:
    """Put the state into the folder in place of the one before. Raises CannotWrite."""
    history = [asdict(epoch) for epoch in state.history]
    about = {"key": key, "history": history, "progress": state.progress, "seconds": state.seconds}
    arrays = {f"variable_{number}": value for number, value in enumerate(state.variables)}
    path = folder / STATE
    with writing_aside(path) as file, cannot_write(path):
        np.savez(file, allow_pickle=False, about=np.array(json.dumps(about)), **arrays)


def load_state(folder: Path, key: str, like: list[NDArray[Any]]) -> State | None:
    """The state that a training of this key left, its arrays shaped and typed as `like`.

    One of another key, or a damaged one, is removed and None returned: the training then starts afresh.
    """
    # np.load leaves a damaged file open where it opened it itself.
    with suppress(*_DAMAGE), (folder / STATE).open("rb") as file, np.load(file, allow_pickle=False) as kept:
        about = json.loads(str(kept["about"]))
        if about["key"] == key:
            variables = [kept[f"variable_{number}"] for number in range(len(kept.files) - 1)]
            if [(each.shape, each.dtype) for each in variables] == [(each.shape, each.dtype) for each in like]:
                history = [Epoch(**epoch) for epoch in about["history"]]
                return State(variables, history, float(about["progress"]), float(about["seconds"]))
    forget_state(folder)
    return None


def forget_state(folder: Path) -> None:
    """Remove what a training left in the folder, and what its writing left if it was killed. Nothing there is well."""
    for path in [folder / STATE, *folder.glob(f".{STATE}.*.aside")]:
        with cannot_write(path):
            path.unlink(missing_ok=True)
