"""The machine a page was made on, as the page names it."""

import os
import platform
import sqlite3
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def cores() -> int:
    """The processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_gib() -> float:
    """The machine's memory in GiB, rounded to a tenth."""
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


@cache
def processor() -> str:
    """The processor's name."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def describe(packages: tuple[str, ...] = ()) -> str:
    """One line: processor, cores, memory, system, and versions of Python, SQLite and the packages named."""
    versions = [f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}"]
    for name in packages:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"{name} not installed")
    count = cores()
    machine = f"{processor()}, {count} core{'s' if count != 1 else ''}, {memory_gib():g} GiB, {platform.system()}"
    return f"{machine}; {', '.join(versions)}"
