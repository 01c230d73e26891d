"""Time the weekly topics job, as a whole process: real articles, headlines, and a million articles.

    python bench/topics.py [--articles PATH]… [--runs 3] [--million] [--only articles|headlines|million]

Without --articles it reads the folder `articles` of NIGHTDESK_REAL_DATA, or made-up articles where that isn't set.
Prints seconds and peak memory of each run, their medians beside what is asked for, and the stages of the last run.
"""

import os
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

ARTICLES = {"seconds": 15, "mebibytes": 600}  # at most, on two cores, with the 24,148 articles, to the report
HEADLINES = {"seconds": 4}  # 50,000 of them, one pass, K=10, to the topics
MILLION = {"seconds": 240, "mebibytes": 1024}  # articles of 150 words, one pass


def measure(options: Sequence[str], runs: int, folder: Path) -> tuple[list, dict]:
    """Run the job so often, in new folders under `folder`; returns the runs and the last one's metrics."""
    from bench.measure import load, run_job

    results = []
    for number in range(1, runs + 1):
        with tempfile.TemporaryDirectory(dir=folder) as desk:  # a new desk: no week before this one
            results.append(run_job(["--no-fetch", *options], Path(desk)))
        print(f"run {number}: {results[-1].seconds:.1f} s, {results[-1].largest:.0f} MiB, {load()}", flush=True)
    said = results[-1].said
    metrics = said["metrics"]
    rows = metrics["articles"] + sum(said["rejected"].values())
    print(
        f"{rows:,} rows, {metrics['articles']:,} articles, {metrics['tokens']:,} words, "
        f"{metrics['vocabulary']:,} of them different, K={len(metrics['topics'])}"
    )
    return results, metrics


def print_figures(results: list, metrics: dict, *, topics: int | None, report: int | None, memory: int | None) -> None:
    """The medians beside what is asked for, and the stages of the last run."""
    from bench.measure import row

    def median(values: list) -> float | None:
        known = [value for value in values if value is not None]
        return statistics.median(known) if known else None

    row("seconds, CSV to topics", median([run.stages.get("topics") for run in results]), ".1f", most=topics)
    row("seconds, CSV to report", median([run.seconds for run in results]), ".1f", most=report)
    row("peak MiB, the largest process", median([run.largest for run in results]), ".0f", most=memory)
    row("peak MiB, all processes together", median([run.together for run in results]), ".0f", most=memory)
    row("  of it not files' pages", median([run.own for run in results]), ".0f")
    for stage, spent in metrics["stage_seconds"].items():
        ended = results[-1].stages.get(stage)
        print(f"  {stage:<20} {spent:6.1f} s{f', ended at {ended:6.1f} s' if ended is not None else ''}")


def real_titles(paths: Sequence[Path]) -> list[str]:
    """The titles of these articles."""
    from lib.topics.articles import read_articles
    from lib.topics.sources import csv_files

    found = read_articles(csv_files(paths), text="title", reject=lambda *_, **__: None, repaired=Counter())
    return [article.title for article in found]


@click.command(help=__doc__.split("\n")[0])
@click.option("--articles", multiple=True, type=click.Path(path_type=Path, exists=True))
@click.option("--runs", type=click.IntRange(1), default=3, show_default=True, help="Of each; of the million, one.")
@click.option("--million", is_flag=True, help="Also a million articles: minutes, and 1.3 GB of temporary files.")
@click.option("--only", type=click.Choice(["articles", "headlines", "million"]))
def main(articles: tuple[Path, ...], runs: int, million: bool, only: str | None) -> None:
    """Measure and print."""
    from bench.made_articles import write_articles, write_headlines
    from bench.measure import row, timed
    from lib.machine import describe

    print(describe(("gensim", "numba", "numpy")))
    real = os.environ.get("NIGHTDESK_REAL_DATA")
    paths = list(articles) or ([Path(real, "articles")] if real else [])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if only in (None, "articles"):
            made = folder / "made_up.csv"
            if not paths:
                write_articles(made, 24_148, words=90)
            print(f"\n{'articles' if paths else 'made-up articles'}, to convergence")
            results, metrics = measure([f"--articles={path}" for path in paths or [made]], runs, folder)
            print_figures(results, metrics, topics=None, report=ARTICLES["seconds"], memory=ARTICLES["mebibytes"])
            row("NPMI, top 10", metrics["coherence_npmi"], ".3f")
            row("held-out bound a word", metrics["bound_per_word"], ".3f")
        if only in (None, "headlines"):
            titles = real_titles(paths) if paths else []
            write_headlines(folder / "headlines.csv", 50_000, titles)
            print(f"\n50,000 headlines, {'halves of real ones' if len(titles) >= 1000 else 'made up'}, one pass")
            options = ["--text=title", "--topics=10", "--passes=1", f"--articles={folder / 'headlines.csv'}"]
            print_figures(*measure(options, runs, folder), topics=HEADLINES["seconds"], report=None, memory=None)
        if million or only == "million":
            spent = timed(lambda: write_articles(folder / "million.csv", 1_000_000, words=150))
            size = (folder / "million.csv").stat().st_size / 1e9
            print(f"\n1,000,000 made-up articles of 150 words, {size:.1f} GB written in {spent:.0f} s, one pass")
            options = ["--passes=1", f"--articles={folder / 'million.csv'}"]
            print_figures(
                *measure(options, 1, folder),
                topics=MILLION["seconds"],
                report=MILLION["seconds"],
                memory=MILLION["mebibytes"],
            )


if __name__ == "__main__":
    main()
