"""What tests of the images share: small CIFAR-100 archives of noise, in both versions, packed and unpacked."""

import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from lib.images.demo import python2_pickle

FINE_NAMES = [f"class {number:02d}" for number in range(100)]
COARSE_NAMES = [f"superclass {number:02d}" for number in range(20)]
SUPERCLASS_OF = np.arange(100) * 7 % 20


def made_parts(train_per_class: int = 3, test_per_class: int = 1) -> dict[str, dict[str, Any]]:
    """The dictionaries of the Python version: `train`, `test` and `meta`."""
    random = np.random.default_rng(4)
    parts: dict[str, dict[str, Any]] = {
        "meta": {"fine_label_names": list(FINE_NAMES), "coarse_label_names": list(COARSE_NAMES)}
    }
    for name, per_class in (("train", train_per_class), ("test", test_per_class)):
        fine = random.permutation(np.repeat(np.arange(100), per_class))
        parts[name] = {
            "data": random.integers(0, 256, (len(fine), 3072), np.uint8),
            "batch_label": f"made {name}",
            "fine_labels": fine.tolist(),
            "coarse_labels": SUPERCLASS_OF[fine].tolist(),
            "filenames": [f"{number}.png" for number in range(len(fine))],
        }
    return parts


def write_python(folder: Path, parts: dict[str, dict[str, Any]]) -> Path:
    """The Python version as Python 2 wrote it, in a new folder."""
    folder.mkdir()
    for name, part in parts.items():
        (folder / name).write_bytes(python2_pickle(part))
    return folder


def write_binary(folder: Path, parts: dict[str, dict[str, Any]]) -> Path:
    """The binary version of the same, in a new folder."""
    folder.mkdir()
    for name in ("train", "test"):
        columns = [np.array(parts[name][key], np.uint8)[:, None] for key in ("coarse_labels", "fine_labels")]
        (folder / f"{name}.bin").write_bytes(np.hstack([*columns, parts[name]["data"]]).tobytes())
    for kind in ("fine", "coarse"):
        lines = "".join(f"{name}\n" for name in parts["meta"][f"{kind}_label_names"])
        (folder / f"{kind}_label_names.txt").write_text(lines + "\n")
    return folder


def pack(folder: Path, path: Path) -> Path:
    """The folder as a tar archive, gzipped where the name says so."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        tar.add(folder, folder.name)
    return path
