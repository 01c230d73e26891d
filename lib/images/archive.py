"""A CIFAR-100 archive: where it comes from, and what it holds as arrays.

    archive = read_archive(fetch(None, Path("data")))

Both official versions are read, packed or unpacked: Python's (`train`, `test` and `meta`, pickles) and the binary one
(`train.bin` and `test.bin`, with two lists of names). https://www.cs.toronto.edu/~kriz/cifar.html
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lib import files
from lib.archives import extract
from lib.download import download
from lib.errors import BadData, BadSettings, SourceUnavailable
from lib.images.pickles import shown
from lib.images.versions import BINARY_FILES, FINE, LIMIT_BYTES, PYTHON_FILES, VERSIONS, Contents

OFFICIAL_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
OFFICIAL_CHECKSUM = "md5:eb9058c3a382ffc7106e4002c42a8d85"  # from the page above

LIMIT_MEMBERS = 100

_HEX_DIGITS = {32: "md5", 64: "sha256"}


@dataclass(frozen=True, slots=True, eq=False)
class Cifar100:
    """An archive's images and labels.

    Images are uint8 of the shape (N, 32, 32, 3), red, green, blue; labels are int64 of the shape (N,), places in the
    lists of names. `superclass_of`, of the shape (100,), gives a class its superclass, and -1 to one without images.
    `checksum` is the archive's SHA-256, as `checksum_of` gives it.
    """

    train_images: NDArray[np.uint8]
    train_fine: NDArray[np.int64]
    train_coarse: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_fine: NDArray[np.int64]
    test_coarse: NDArray[np.int64]
    fine_names: tuple[str, ...]
    coarse_names: tuple[str, ...]
    superclass_of: NDArray[np.int64]
    checksum: str


def fetch(
    where: str | Path | None,
    data: Path,
    *,
    checksum: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Path:
    """The archive as a path on this machine: brought into `data/archives` once, or used where it lies.

    `where` is an http(s) address, a packed archive or a folder of an unpacked one; None is the official address. An
    address of another's needs its `checksum` ("md5:HEX", "sha256:HEX" or the digits alone), since nothing else says
    that what came is what was meant; a path's is checked where it is given. `progress` as in `download`.

    Raises BadSettings, SourceUnavailable (not there, or no answer), BadData (wrong checksum), CannotWrite.
    """
    wanted = _checksum(checksum) if checksum else None
    where = str(where) if where else OFFICIAL_URL
    scheme = re.match(r"(\w[\w+.-]+)://", where)
    if scheme and scheme[1].lower() in ("http", "https"):
        if where == OFFICIAL_URL:
            wanted = wanted or OFFICIAL_CHECKSUM
        if wanted is None:
            raise BadSettings(
                "an archive from another address than the official one needs its checksum beside it, md5:… or "
                "sha256:…; nothing else says that what comes is what is meant"
            )
        # Two addresses may end in the same name, two archives of one checksum are the same.
        of_its_own = f"cifar-100-{wanted.partition(':')[2]}.archive"
        name = "cifar-100-python.tar.gz" if wanted == OFFICIAL_CHECKSUM else of_its_own
        return download(where, data / "archives" / name, checksum=wanted, progress=progress)
    if scheme:
        raise BadSettings(f"the archive is to come by {shown(scheme[1])}; expected a path or an http(s) address")
    path = Path(where)
    if not path.exists():
        raise SourceUnavailable(
            f"the archive {path} is not there; check the path, or leave it out for the official one"
        )
    if wanted:
        algorithm, _, digest = wanted.partition(":")
        if (found := checksum_of(path, algorithm)) != digest:
            raise BadData(
                f"{path} has the {algorithm} {found} and should have {digest}; it is another archive, or damaged"
            )
    return path


def checksum_of(path: Path, algorithm: str = "sha256") -> str:
    """An archive's digest in hexadecimal; a folder's is that of what `sha256sum` (or `md5sum`) prints of its files.

    The files are those that are read, in the order train, test, names. Raises BadData, OSError.
    """
    if not path.is_dir():
        return files.checksum(path, algorithm)
    place, names = _found(path, path)
    lines = [f"{files.checksum(place / name, algorithm)}  {name}\n" for name in names]
    return hashlib.new(algorithm, "".join(lines).encode(), usedforsecurity=False).hexdigest()


def read_archive(path: Path) -> Cifar100:
    """Read a packed archive or an unpacked one's folder. A packed one is unpacked for the moment into TMPDIR.

    It goes by the disk because lib.archives is where strangers' archives are looked at, and costs nothing by that: the
    time is the decompression's. How many images there are is the archive's to say.

    Raises BadData (one sentence: the file, what is in it, what was expected), SourceUnavailable, CannotWrite.
    """
    if path.is_dir():
        return _read_folder(path, path, checksum_of(path))
    if not path.is_file():
        raise SourceUnavailable(f"the archive {path} is not there; bring it first")
    with files.cannot_write(Path(os.environ.get("TMPDIR", "/tmp"))):
        room = tempfile.TemporaryDirectory(prefix="nightdesk-")
    with room as name:
        folder = extract(path, Path(name) / "archive", limit_bytes=2 * LIMIT_BYTES, limit_members=LIMIT_MEMBERS)
        return _read_folder(folder, path, files.sha256_of(path))


def _read_folder(folder: Path, path: Path, checksum: str) -> Cifar100:
    """What a folder holds. `path` is what people know it by."""
    place, names = _found(folder, path)
    shown_as = path / place.relative_to(folder)
    contents = VERSIONS[names](place, shown_as)
    superclass_of = _superclasses(contents, shown_as)
    return Cifar100(*contents.train, *contents.test, *contents[2:], superclass_of, checksum)


def _superclasses(contents: Contents, path: Path) -> NDArray[np.int64]:
    """The superclass of each class, from the labels of all images; -1 where a class has none."""
    _, _, fine_names, coarse_names = contents
    superclass_of = np.full(FINE, -1, np.int64)
    for name, part in (("training", contents.train), ("test", contents.test)):
        for fine, coarse in np.unique(np.stack([part.fine, part.coarse]), axis=1).T.tolist():
            if superclass_of[fine] not in (-1, coarse):
                raise BadData(
                    f"{path} has {name} images of {fine_names[fine]!r} in {coarse_names[coarse]!r} and others in "
                    f"{coarse_names[superclass_of[fine]]!r}; expected one superclass a class"
                )
            superclass_of[fine] = coarse
    return superclass_of


def _found(folder: Path, path: Path) -> tuple[Path, tuple[str, ...]]:
    """Where in `folder`, itself or one below it, an archive's files lie, and which they are."""
    places = [folder, *sorted(each for each in folder.iterdir() if each.is_dir())]
    some = ""
    for place in places:
        for names in (PYTHON_FILES, BINARY_FILES):
            missing = [name for name in names if not (place / name).is_file()]
            if not missing:
                return place, names
            if len(missing) < len(names):
                some = some or f"{path} has no {' and no '.join(missing)}; expected {', '.join(names)}"
    inside = [shown(each.relative_to(folder).as_posix()) for place in places for each in sorted(place.iterdir())]
    has = ", ".join(inside[:8]) + (", …" if len(inside) > 8 else "")
    expected = f"{', '.join(PYTHON_FILES)} (Python version) or {', '.join(BINARY_FILES)} (binary version)"
    raise BadData(some or f"{path} is no CIFAR-100 archive: it holds {has or 'nothing'}; expected {expected}")


def _checksum(text: str) -> str:
    """A checksum as "ALGORITHM:HEX"; digits alone say by their number which it is."""
    algorithm, _, digest = text.strip().lower().rpartition(":")
    told = _HEX_DIGITS.get(len(digest), "")
    if not told or algorithm not in ("", told) or not re.fullmatch(r"[0-9a-f]+", digest):
        raise BadSettings(f"the checksum {text!r} is none; expected md5:… or sha256:… with its hexadecimal digits")
    return f"{told}:{digest}"
