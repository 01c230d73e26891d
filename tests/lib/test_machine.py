"""The machine's line names what a reader needs to judge a time."""

import platform
import sqlite3
from importlib.metadata import version

from lib import machine


def test_the_line_names_processor_cores_memory_system_and_versions() -> None:
    line = machine.describe(("numpy", "gensim"))
    cores = machine.cores()
    assert line.startswith(f"{machine.processor()}, {cores} core{'' if cores == 1 else 's'}, ")
    assert f"{machine.memory_gib():g} GiB, {platform.system()}; " in line
    assert line.endswith(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"numpy {version('numpy')}, gensim {version('gensim')}"
    )


def test_processor_cores_and_memory_are_known() -> None:
    assert machine.processor().strip()
    assert machine.cores() >= 1
    assert machine.memory_gib() > 0


def test_a_package_that_is_not_there_is_said_to_be_missing() -> None:
    assert machine.describe(("nightdesk-has-no-such-package",)).endswith("nightdesk-has-no-such-package not installed")


def test_without_packages_python_and_sqlite_are_named_all_the_same() -> None:
    assert machine.describe().endswith(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    assert "\n" not in machine.describe()
