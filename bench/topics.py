"""Time the weekly topics job from CSV to finished report, as a whole process.

    python bench/topics.py [--articles PATH]… [--runs 3]

Without --articles it reads the folder `articles` of NIGHTDESK_REAL_DATA, or made-up articles where that isn't set.
Prints seconds and peak memory of each run, their medians beside what is asked for, and the stages of the last run.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

SECONDS, MEBIBYTES, NPMI = 60, 1536, 0.19  # to reach, on two cores, with 24,148 articles


def made_up(folder: Path, articles: int = 5000) -> Path:
    """A CSV file of articles drawn from forty vocabularies."""
    draw = random.Random(0)
    lines = ["id,title,publication,date,content"]
    for number in range(articles):
        theme = draw.randrange(40)
        words = " ".join(f"w{theme}x{int(draw.paretovariate(1)) % 300}" for _ in range(120))
        lines.append(f"{number},story {number},paper {theme % 5},2024-{1 + number % 12:02d}-01,{words}")
    path = folder / "made_up.csv"
    path.write_text("\n".join(lines))
    return path


def measure(articles: list[str], folder: Path) -> tuple[float, float, dict]:
    """Seconds, peak MiB of the largest process, and the job's JSON."""
    options = ["--data", str(folder / "data"), "--reports", str(folder / "reports"), "--force", "--quiet", "--json"]
    command = [sys.executable, "-m", "jobs.model_topics", *options]
    for path in articles:
        command += ["--articles", path]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the job failed with {process.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024, json.loads(said)


@click.command()
@click.option("--articles", multiple=True)
@click.option("--runs", default=3)
def main(articles: tuple[str, ...], runs: int) -> None:
    """Measure and print."""
    from lib.machine import describe

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        real = os.environ.get("NIGHTDESK_REAL_DATA")
        paths = list(articles) or [str(Path(real) / "articles") if real else str(made_up(folder))]
        print(describe(("gensim", "numpy")))
        results = []
        for run in range(runs):
            seconds, memory, said = measure(paths, folder)
            results.append((seconds, memory))
            print(f"run {run + 1}: {seconds:.1f} s, {memory:.0f} MiB")
    metrics = said["metrics"]
    rows = metrics["articles"] + sum(said["rejected"].values())
    print(f"\n{rows:,} rows, {metrics['articles']:,} articles, {metrics['tokens']:,} words; asked for on 24,148 rows:")
    print(f"seconds, CSV to report   {statistics.median(row[0] for row in results):8.1f}   at most {SECONDS}")
    print(f"peak memory, MiB         {statistics.median(row[1] for row in results):8.0f}   at most {MEBIBYTES}")
    print(f"NPMI, K={len(metrics['topics'])}, top 10       {metrics['coherence_npmi']:8.3f}   at least {NPMI}")
    print(f"held-out bound a word    {metrics['bound_per_word']:8.3f}")
    for stage, spent in metrics["stage_seconds"].items():
        print(f"  {stage:<14} {spent:6.1f} s")


if __name__ == "__main__":
    main()
