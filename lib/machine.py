"""The machine a page was made on, as the page names it."""

import os
import platform
import sqlite3
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# What multiplies bfloat16 numbers by itself: Intel from Cooper Lake and AMD from Zen 4, Intel's AMX, Arm.
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"}


def cores() -> int:
    """The processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_gib() -> float:
    """The machine's memory in GiB, rounded to a tenth."""
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


@cache
def processor() -> str:
    """The processor's name."""
    for line in _cpuinfo().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def multiplies_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 numbers by itself, as far as the system tells: Linux does."""
    return not _BFLOAT16.isdisjoint(_cpuinfo().split())


def multiplies_tiles() -> bool:
    """Whether the processor multiplies tiles of bfloat16 numbers (Intel's AMX), as far as the system tells."""
    return "amx_bf16" in _cpuinfo().split()


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


def _cpuinfo() -> str:
    return CPUINFO.read_text(encoding="utf-8", errors="replace") if CPUINFO.exists() else ""
