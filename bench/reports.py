"""Time the desk's own pages: the index of a desk of 5,000 runs, rebuilt after a run and made from nothing.

    python bench/reports.py [--runs 5000] [--times 7]

Prints the medians beside what is asked for, with the sizes of the index and of its largest page of runs.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

SECONDS, KILOBYTES = 1.0, 200  # to stay below, with 5,000 runs
JOBS = {"backup": "bytes", "capture_tweets": "mean", "model_topics": "coherence_npmi", "retrain_cnn": "accuracy"}


def write_runs(db, count: int) -> None:
    """A ledger of so many runs: one in twenty failed, the others with a key figure and a page."""
    from lib import headline, runs
    from lib.headline import Headline
    from lib.store import table, writing

    end = datetime.now(UTC)
    ledger, metrics = [], []
    for number in range(1, count + 1):
        job, failed = sorted(JOBS)[number % len(JOBS)], number % 20 == 0
        begun = end - timedelta(hours=6 * (count - number))
        date = str(begun.date())
        row = {"id": number, "job": job, "date": date, "seconds": 700.0 + number % 60, "committed": int(not failed)}
        row |= {"status": "failed" if failed else "ok", "exit_code": 65 if failed else 0}
        row |= {"started_at": runs.stamp(begun), "ended_at": runs.stamp(begun + timedelta(seconds=700))}
        row |= {"report": None if failed else f"{job}/{date}.html", "message": "Ten topics in 24,148 articles. " * 5}
        ledger.append(row)
        if not failed:
            metrics.append({"run": number, "name": JOBS[job], "value": number / count, "json": str(number / count)})
    with writing(db):
        table(db, "runs").insert_all(ledger)
        table(db, "metrics").insert_all(metrics)
    for job, metric in JOBS.items():
        headline.declare(db, job, Headline(metric, metric))


def timed(work: Callable[[], None]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@click.command()
@click.option("--runs", "count", default=5000)
@click.option("--times", default=7)
def main(count: int, times: int) -> None:
    """Make the ledger and time its pages."""
    from lib import reports, runs
    from lib.settings import Settings
    from lib.store import open_store

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder, "data"), reports=Path(folder, "reports"), timezone="Europe/Madrid")
        db = open_store(settings.data)
        write_runs(db, count)
        index = settings.reports / "index.html"

        def from_nothing() -> float:
            for path in settings.reports.glob("*.html"):
                path.unlink()
            return timed(lambda: reports.publish_index(db, settings))

        def after_a_run() -> float:
            runs.record(db, "model_topics", "2026-01-01", "skipped", "Already done.", 0)
            return timed(lambda: reports.publish_index(db, settings))

        whole = statistics.median(from_nothing() for _ in range(times))
        again = statistics.median(after_a_run() for _ in range(times))
        largest = max(path.stat().st_size for path in settings.reports.glob("runs-*.html"))
        print(f"the desk's page with {count:,} runs, median of {times}")
        print(f"  rebuilt after a run  {again:6.3f} s   (below {SECONDS:.0f} s is asked for)")
        print(
            f"  made from nothing    {whole:6.3f} s   with {len(list(settings.reports.glob('runs-*.html')))} more pages"
        )
        print(f"  index.html           {index.stat().st_size / 1000:6.0f} kB  (at most {KILOBYTES} kB is asked for)")
        print(f"  largest page of runs {largest / 1000:6.0f} kB")
        db.close()


if __name__ == "__main__":
    main()
