"""A model's file: written whole and checked before anybody relies on it, loaded only if it is the one meant.

staged = stage(model, data, run)  # data/models/17.keras
model = load(staged.path, staged.sha256)
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.errors import BadData, SourceUnavailable
from lib.files import aside_of, cannot_write, publish, sha256_of

FOLDER = "models"  # in the data folder


@dataclass(frozen=True)
class Staged:
    """A model's file that waits for the commit."""

    path: Path
    sha256: str
    size: int


def stage(model: Any, data: Path, run: int) -> Staged:
    """Write a Keras model to `data/models/RUN.keras`, uncompiled, flushed to disk, and checked against the contract.

    Raises CannotWrite; AssertionError where the model could not be used without our code.
    """
    from lib.images.backend import keras  # loads for seconds

    # the same layers without the optimizer's state; of lists, Keras would warn whoever gives it one array
    bare = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    assert bare.input_shape == (None, 32, 32, 3), bare.input_shape
    assert len(bare.output_shape) == 2, bare.output_shape
    assert bare.outputs[0].dtype == "float32", bare.outputs[0].dtype
    foreign = foreign_classes(json.loads(bare.to_json()))
    assert not foreign, f"plain Keras can't load {', '.join(foreign)}"
    return stage_file(lambda path: bare.save(path), data, run)


def stage_file(write: Callable[[Path], None], data: Path, run: int) -> Staged:
    """Have `write` fill a file that becomes `data/models/RUN.keras`, whole and flushed. Raises CannotWrite."""
    path = data / FOLDER / f"{run}.keras"
    aside = aside_of(path)
    aside = aside.with_name(f"{aside.name}.keras")  # Keras goes by the name's end
    try:
        with cannot_write(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write(aside)
            descriptor = os.open(aside, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
        publish(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return Staged(path, sha256_of(path), path.stat().st_size)


def foreign_classes(config: Any) -> list[str]:
    """What in a saved model's config isn't Keras' own, or is code of any kind: safe mode wouldn't load it alone."""
    found: set[str] = set()
    if isinstance(config, dict):
        name, module = config.get("class_name"), config.get("module")
        if name in ("Lambda", "__lambda__") or (name and module and module.partition(".")[0] != "keras"):
            found.add(f"{module}.{name}")
        config = list(config.values())
    if isinstance(config, list):
        found.update(each for part in config for each in foreign_classes(part))
    return sorted(found)


def load(path: Path, sha256: str) -> Any:
    """A Keras model from a file that has this checksum, in safe mode.

    Raises BadData where the file is another or can't be loaded, SourceUnavailable where it is missing.
    """
    found = sha_or_none(path)
    if found is None:
        raise SourceUnavailable(f"the model {path} is not there any more; run retrain_cnn again")
    if found != sha256:
        raise BadData(f"the model {path} is not the one in the registry: its sha256 is {found}; it was not loaded")
    from lib.images.backend import keras  # loads for seconds

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as fault:  # what Keras raises for a file of another version is of many kinds
        raise BadData(
            f"Keras {keras.__version__} can't load the model {path} ({str(fault).splitlines()[0]})"
        ) from fault


def sha_or_none(path: Path) -> str | None:
    """The file's SHA-256, or None where there is no such file. A file that may not be read is not taken for lost."""
    try:
        return sha256_of(path) if path.is_file() else None
    except FileNotFoundError:
        return None
