"""What becomes of networks and the logs of trainings with the time."""

import re
from collections.abc import Collection

from sqlite_utils import Database

from lib.images.champion import JOB, ROLES
from lib.images.saving import FOLDER
from lib.images.tables import holder
from lib.keeping import Kind


def models() -> Kind:
    """The networks in data/models. All files there appear by a rename and are never written over."""
    return Kind(
        "models",
        FOLDER,
        JOB,
        re.compile(r"(\d+|unknown-[0-9a-f]{12})\.keras"),
        _protected,
        why_kept="the champion or the one before",
        all_settled=True,
    )


def training_logs() -> Kind:
    """The folders that TensorBoard reads, one a training. They belong to what can be made again: no backup has them."""
    return Kind(
        "training_logs",
        "training",
        JOB,
        re.compile(r"[\w-]+/tensorboard/[\w-]+-[0-9a-f]{8}"),
        lambda db, kept: frozenset(),
        backed_up=False,
    )


def _protected(db: Database, kept: Collection[int]) -> set[str]:
    names = {f"{FOLDER}/{role}.{ending}" for role in ROLES for ending in ("keras", "json")}
    for role in ROLES:
        row = holder(db, role)
        if row is not None:
            names.add(f"{FOLDER}/{row['id']}.keras")
    return names
