"""What the benchmarks of the topics share: the job as a whole process with its memory, and rows of figures."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
LOOK = 0.1  # seconds between two looks at the processes' memory


class Run(NamedTuple):
    """One run of the job: seconds from start to end, peaks in MiB, and what it said.

    `largest` is the most that one process held. `together` is the most that all of them held at a moment, pages that
    several share counted once; of these `own` are no file's, so that the system can't drop them at need. The two are
    None where the system doesn't tell. `stages` are the stages' ends, seconds from the start.
    """

    seconds: float
    largest: float
    together: float | None
    own: float | None
    said: dict[str, Any]
    stages: dict[str, float]


def run_job(options: Sequence[str], folder: Path) -> Run:
    """Run the weekly topics job, whatever it writes going into `folder`."""
    places = ["--data", str(folder / "data"), "--reports", str(folder / "reports")]
    command = [sys.executable, "-m", "jobs.model_topics", *places, "--force", "--quiet", "--json", *options]
    clock, started = time.time(), time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    done = threading.Event()
    peaks: list[tuple[float, float]] = []
    watch = threading.Thread(target=_watch, args=(process.pid, done, peaks))
    watch.start()
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    done.set()
    watch.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the job failed with {process.returncode}")
    together, own = (max(each) for each in zip(*peaks, strict=True)) if peaks else (None, None)
    answer = json.loads(said)
    largest = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
    return Run(seconds, largest, together, own, answer, _stages(folder / "data", answer["run_id"], clock))


def _stages(data: Path, run: int, began: float) -> dict[str, float]:
    """When each stage ended, by the run's own log."""
    ends = {}
    for path in (data / "model_topics").glob(f"*-{run}/log.jsonl"):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if "seconds" in entry and "stage" in entry:
                ends[entry["stage"]] = datetime.fromisoformat(entry["time"]).timestamp() - began
    return ends


def _watch(pid: int, done: threading.Event, peaks: list[tuple[float, float]]) -> None:
    """Look at a process and its descendants until it's done."""
    while not done.wait(LOOK):
        looks = [look for each in _family(pid) if (look := _memory(each)) is not None]
        if looks:
            peaks.append((sum(look[0] for look in looks), sum(look[1] for look in looks)))


def _family(pid: int) -> list[int]:
    """A process and its descendants; only itself where /proc has no lists of children."""
    family = [pid]
    for each in family:
        for path in Path(f"/proc/{each}/task").glob("*/children"):
            try:
                family += map(int, path.read_text().split())
            except OSError:  # it ended meanwhile
                continue
    return family


def _memory(pid: int) -> tuple[float, float] | None:
    """MiB of a process, each shared page divided among those that share it: all, and without files' pages."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return None
    sizes = {name: int(value.split()[0]) / 1024 for name, value in (line.split(":") for line in lines)}
    return (sizes["Pss"], sizes["Pss"] - sizes.get("Pss_File", 0.0)) if "Pss" in sizes else None


def row(what: str, measured: float | None, form: str, *, least: float | None = None, most: float | None = None) -> None:
    """Print a figure beside what is asked for."""
    value = "—" if measured is None else format(measured, form)
    asked = f"at least {least:,}" if least is not None else f"at most {most:,}" if most is not None else ""
    missed = measured is not None and (
        (least is not None and measured < least) or (most is not None and measured > most)
    )
    print(f"{what:<46}{value:>10}   {asked}{'   missed' if missed else ''}".rstrip(), flush=True)


def timed(work: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def load() -> str:
    """How busy the machine is; times are worth little beside others' work."""
    return f"load {os.getloadavg()[0]:.1f}"
