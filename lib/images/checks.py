"""Whether the night's training can be: Keras, the processor, the archive, the champion and room. For `python -m jobs
doctor`, without loading Keras, which takes seconds.
"""

import os
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lib.doctor import Check, Found, Need, Probe, answers, failed, ok, warning
from lib.doctor.check import size
from lib.files import checksum
from lib.images import tables
from lib.images.archive import OFFICIAL_CHECKSUM, OFFICIAL_URL, checksum_of
from lib.images.champion import ROLES
from lib.images.recipes import RECIPES
from lib.images.saving import FOLDER, sha_or_none
from lib.machine import multiplies_bfloat16
from lib.settings import Settings
from lib.store import open_to_read

OLDEST_KERAS = (3, 12)  # before it, get_file's archives lead outside (CVE-2025-12060), safe mode lets files be read
# The first without the known ways by which a stranger's model gets past safe mode or reads other files:
# CVE-2026-1462 (TFSMLayer), CVE-2026-1669 and CVE-2026-12480 (HDF5's external and virtual datasets).
MENDED_KERAS = (3, 14, 1)
BACKENDS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
ARCHIVE_BYTES = 169_001_437  # the official archive's
UNPACKED_BYTES = 190 << 20  # in TMPDIR, while it is read
NIGHT_BYTES = 512 << 20  # the night's network, its copies, the training's state and its logs


def checks(settings: Settings, options: Any) -> Iterator[Found]:
    """The checks of a night with these options."""
    yield _keras()
    yield _backend()
    yield _precision(options.recipe)
    yield from _archive(settings.data, options.archive, options.checksum)
    yield Need(Path(tempfile.gettempdir()), UNPACKED_BYTES, "the unpacked archive")
    yield Need(settings.data, NIGHT_BYTES, "a night's network")
    yield from _champion(settings.data)


def _keras() -> Check:
    name, remedy = "Keras", "install the locked set: rm -r .venv, then make test"
    try:
        found = version("keras")
    except PackageNotFoundError:
        return failed(name, "not installed", remedy)
    number = tuple(int(part) for part in found.split(".")[:3] if part.isdigit())
    if number < OLDEST_KERAS:
        return failed(name, f"{found}; 3.12 or later is needed (CVE-2025-12060)", remedy)
    if number < MENDED_KERAS:
        said = (
            f"{found} can be led past safe mode by a stranger's model (CVE-2026-1462, CVE-2026-12480); the desk loads "
            "only its own, by their checksums"
        )
        return warning(name, said, remedy)
    return ok(name, found)


def _backend() -> Check:
    """What carries Keras, found and not loaded."""
    name = os.environ.get("KERAS_BACKEND", "tensorflow")
    line, remedy = "Keras' backend", "install it, or set KERAS_BACKEND to another"
    if name not in BACKENDS:
        return failed(line, f"KERAS_BACKEND is {name!r}; expected {', '.join(BACKENDS)}", remedy)
    if find_spec(BACKENDS[name]) is None:
        return failed(line, f"{name} is not installed", remedy)
    for package in (f"{name}-cpu", name):
        try:
            return ok(line, f"{name} {version(package)}")
        except PackageNotFoundError:
            continue
    return ok(line, name)


def _precision(recipe: str) -> Check:
    name, wanted = "precision", RECIPES[recipe].precision
    if wanted != "mixed_bfloat16":
        return ok(name, f"the recipe {recipe} trains in {wanted}")
    if multiplies_bfloat16():
        return ok(name, f"the recipe {recipe} trains in bfloat16, which this processor multiplies by itself")
    return ok(name, f"the recipe {recipe} trains in float32, since this processor would only imitate bfloat16")


def _archive(data: Path, where: str | None, wanted: str | None) -> Iterator[Found]:
    """The archive, on this machine and whole, or else its address and room for it."""
    name, address = "archive of images", where or OFFICIAL_URL
    remedy = "check the network, bring it by hand, or name another in [retrain_cnn] archive"
    if not address.lower().startswith(("http://", "https://")):
        yield _archive_here(name, Path(address), wanted)
        return
    if address == OFFICIAL_URL:
        wanted, path = wanted or OFFICIAL_CHECKSUM, data / "archives" / "cifar-100-python.tar.gz"
    elif not wanted:
        said = "an archive from another address than the official one needs its checksum"
        yield failed(name, said, "set checksum in [retrain_cnn]")
        return
    else:
        path = data / "archives" / f"cifar-100-{_digest(wanted)}.archive"
    if path.is_file():
        if checksum(path, _algorithm(wanted)) == _digest(wanted):
            yield ok(name, f"{path}, whole ({size(path.stat().st_size)})")
            return
        yield warning(name, f"{path} is damaged or another; the next run fetches it anew", f"remove {path}")
    yield Probe("address of the archive", lambda: answers("address of the archive", address, remedy, there=True))
    yield Need(path.parent, ARCHIVE_BYTES, "the archive")


def _archive_here(name: str, path: Path, wanted: str | None) -> Check:
    remedy = "bring it there, or leave archive out of [retrain_cnn] for the official one"
    if not path.exists():
        return failed(name, f"{path} is not there", remedy)
    if not os.access(path, os.R_OK):
        return failed(name, f"{path} may not be read", "see who owns it")
    if wanted and checksum_of(path, _algorithm(wanted)) != _digest(wanted):
        return failed(name, f"{path} has another checksum than the one set; it is another, or damaged", remedy)
    return ok(name, f"{path}{', whole' if wanted else ''}")


def _algorithm(wanted: str) -> str:
    return "md5" if len(_digest(wanted)) == 32 else "sha256"


def _digest(wanted: str) -> str:
    return wanted.strip().lower().rpartition(":")[2]


def _champion(data: Path) -> Iterator[Check]:
    """Whether the files of the champion and the previous one are those of the registry, byte for byte."""
    db = open_to_read(data)
    if db is None:
        yield ok("champion", "there is none yet")
        return
    try:
        held = {role: row for role in ROLES if (row := tables.holder(db, role))}
    finally:
        db.close()
    if "champion" not in held:
        yield ok("champion", "there is none yet")
    for role, row in reversed(held.items()):
        name = "champion" if role == "champion" else "previous champion"
        path, copy = data / FOLDER / f"{role}.keras", data / FOLDER / f"{row['id']}.keras"
        found = sha_or_none(path)
        if found == row["sha256"]:
            yield ok(name, f"{path} is model {row['id']}, whole")
            continue
        state = "missing" if found is None else "damaged or another's"
        if sha_or_none(copy) == row["sha256"]:
            remedy = "the next run of retrain_cnn puts it right"
            yield warning(name, f"{path} is {state}; its second copy {copy.name} is whole", remedy)
        else:
            judge = failed if role == "champion" else warning
            remedy = "put a backup back: python -m jobs restore --force; else the next run goes on without it"
            yield judge(name, f"{path} is {state}, and there is no other copy", remedy)
