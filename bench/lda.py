"""Time and judge our LDA beside gensim's, scikit-learn's and tomotopy's: the same bags of words, in the same run.

    python bench/lda.py [estep|passes|quality]… [--articles PATH]… [--seeds 1,2,3] [--rounds 3] [--fresh]

Without a section it does all three. Without --articles it reads the folder `articles` of NIGHTDESK_REAL_DATA, or
made-up articles where that isn't set. What slow engines gave is kept in bench/out/ by corpus and settings and marked as
kept where it is printed; then there is no ratio of times, which have to be of one run: --fresh measures anew.
"""

import copy
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import click
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

SECTIONS = ("estep", "passes", "quality")
FASTER, SCALING, AGREEMENT = 12, 1.8, 1e-4  # the E-step: against gensim, from one thread to two, relative difference
PART_OF_TIME = 5  # so many times as fast as tomotopy ours has to be as good


def build(paths: list[Path], folder: Path) -> Any:
    """The corpus, as the job builds it with its own settings."""
    from lib.topics.articles import read_articles
    from lib.topics.corpus import build_corpus
    from lib.topics.documents import read_documents
    from lib.topics.phrases import learn_phrases
    from lib.topics.sources import csv_files
    from lib.topics.text import stop_words

    def advance(_: int) -> None:
        pass

    def reject(*_: Any, **__: Any) -> None:
        pass

    found = read_articles(csv_files(paths), text="both", reject=reject, repaired=Counter())
    documents = read_documents(found, folder, "both", reject, advance)
    stop, _ = stop_words(folder, fetch=False)
    return build_corpus(documents, stop, learn_phrases(documents, stop, advance), advance)


def estep(material: Any, topics: int, rounds: int) -> None:
    """The E-step over all training articles, in chunks as the desk trains with, by a model after one pass."""
    from gensim.models import LdaModel

    from bench import engines
    from bench.measure import load, row, timed
    from lib.topics.lda import Lda
    from lib.topics.model import INFERRED
    from lib.topics.rows import Bags

    words, lists = material.corpus.dictionary, material.lists
    plain = Lda(
        lists, num_topics=topics, id2word=words, chunksize=engines.CHUNK, random_state=1, eval_every=None
    ).plain()
    assert type(plain) is LdaModel
    starts = range(0, len(lists), INFERRED)
    chunks = [lists[at : at + INFERRED] for at in starts]
    bags = [Bags.of(material.corpus, material.rows[at : at + INFERRED]) for at in starts]
    print(f"\nE-step, K={topics}, {len(lists):,} articles in chunks of {INFERRED:,}, medians of {rounds}, {load()}")
    models = {1: Lda.of(plain, threads=1), 2: Lda.of(plain, threads=2)}
    tasks = {
        "gensim, 1 thread": lambda: [plain.inference(chunk, collect_sstats=True) for chunk in chunks],
        "ours, 1 thread": lambda: [models[1].inference(chunk, collect_sstats=True) for chunk in bags],
        "ours, 2 threads": lambda: [models[2].inference(chunk, collect_sstats=True) for chunk in bags],
        "ours, 2 threads, given gensim's lists": lambda: [
            models[2].inference(each, collect_sstats=True) for each in chunks
        ],
    }
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, work in tasks.items():
            times[name].append(timed(work))
    seconds = {name: statistics.median(values) for name, values in times.items()}
    for name, spent in seconds.items():
        row(f"articles a second, {name}", len(lists) / spent, ",.0f")
    one, two, lone = seconds["ours, 2 threads"], seconds["ours, 1 thread"], seconds["gensim, 1 thread"]
    row("times as fast as gensim, 1 thread", lone / two, ".1f")
    row("times as fast as gensim, 2 threads", lone / one, ".1f", least=FASTER)
    row("times as fast with 2 threads as with 1", two / one, ".2f", least=SCALING)
    print_agreement(plain, models[2], chunks[0], bags[0])
    compiling()


class SameStart:
    """Stands in for a model's random state: γ starts as given."""

    def __init__(self, start: Any) -> None:
        self.start = start

    def gamma(self, *_: Any) -> Any:
        return self.start.copy()


def print_agreement(plain: Any, own: Any, chunk: list, bags: Any) -> None:
    """The largest relative differences between gensim's numbers and ours, both from the same start.

    Both are also held against gensim's arithmetic in double precision, to tell rounding from mathematics. Measured over
    the same number of steps: on their own, an article whose γ moves by just about the threshold may stop a step earlier
    in one engine than in the other, and how many do is said too.
    """
    from bench.measure import row

    start = np.random.default_rng(2).gamma(100.0, 0.01, (len(chunk), plain.num_topics)).astype(np.float32)
    single, double = copy.copy(plain), copy.copy(plain)
    single.random_state = double.random_state = SameStart(start)
    double.dtype = np.float64
    double.expElogbeta, double.alpha = plain.expElogbeta.astype(np.float64), plain.alpha.astype(np.float64)

    def infer(threshold: float) -> list[tuple]:
        single.gamma_threshold = double.gamma_threshold = own.gamma_threshold = threshold
        # gensim takes its smallest normaliser from its precision, and here that has to be the same one
        with mock.patch.object(np, "finfo", lambda _, real=np.finfo: real(np.float32)):
            exact = double.inference(chunk, collect_sstats=True)
        return [
            own.inference(bags, collect_sstats=True, start=start),
            single.inference(chunk, collect_sstats=True),
            exact,
        ]

    same_steps = infer(0.0)
    for what, part, prior in (("γ", 0, 0.0), ("λ", 1, float(np.mean(plain.eta)))):
        ours, theirs, exact = (prior + values[part].astype(np.float64) for values in same_steps)
        row(
            f"{what}, ours from gensim's, relative",
            float((np.abs(ours - theirs) / theirs).max()),
            ".1e",
            most=AGREEMENT,
        )
        row("  ours from double precision", float((np.abs(ours - exact) / exact).max()), ".1e", most=AGREEMENT)
        row("  gensim's from double precision", float((np.abs(theirs - exact) / exact).max()), ".1e")
    (ours, _), (theirs, _), _ = infer(plain.gamma_threshold)
    apart = (np.abs(ours - theirs) / theirs).max(axis=1)
    row("articles that stop at another step, of 1,000", 1000 * float((apart > 10 * AGREEMENT).mean()), ".1f")


COLD = """
import gensim.models, numba, sys, time
from lib.topics.lda import Lda
started = time.perf_counter()
Lda([[(0, 1), (1, 2)], [(1, 1), (2, 3)]] * 50, num_topics=2, id2word={0: "a", 1: "b", 2: "c"}, passes=2)
print(time.perf_counter() - started)
"""


def compiling() -> None:
    """Seconds of a first training: in a process that has to compile, and in the next one."""
    from bench.measure import row

    with tempfile.TemporaryDirectory() as folder:
        for name, most in (("compiling", 2), ("compiled before", None)):
            told = subprocess.run(
                [sys.executable, "-c", COLD],
                cwd=ROOT,
                env={**os.environ, "NUMBA_CACHE_DIR": folder},
                capture_output=True,
                text=True,
                check=True,
            )
            row(f"seconds, first training, {name}", float(told.stdout), ".2f", most=most)


def passes(material: Any, topics: int, counts: tuple[int, ...], rounds: int) -> None:
    """So many passes of every engine that makes passes."""
    from bench import engines
    from bench.measure import load

    them = {
        "gensim LdaModel": engines.gensim,
        f"gensim LdaMulticore, {engines.WORKERS} workers": engines.multicore,
        f"scikit-learn, {engines.WORKERS} jobs": engines.sklearn,
        "ours, as gensim's LdaModel is called": engines.ours_as_gensim,
        "ours, as the job trains": engines.ours,
    }
    articles = len(material.rows)
    for count in counts:
        often = rounds if count == 1 else 1
        print(f"\n{count} pass{'es' * (count > 1)}, K={topics}, {articles:,} articles, median of {often}, {load()}")
        print(f"{'':<42}{'seconds':>8}{'articles/s':>12}{'× gensim':>10}{'bound/word':>12}{'NPMI':>8}")
        results: dict[str, list] = {name: [] for name in them}
        for _ in range(often):
            for name, engine in them.items():
                results[name].append(engine(material, topics, count, 1))
        base = statistics.median(each.seconds for each in results["gensim LdaModel"])
        for name, those in results.items():
            spent, bound = statistics.median(each.seconds for each in those), engines.bound(those[0], material)
            print(
                f"{name:<42}{spent:>8.2f}{count * articles / spent:>12,.0f}{base / spent:>10.1f}"
                f"{bound if bound is not None else float('nan'):>12.3f}"
                f"{engines.coherence(those[0], material):>8.3f}",
                flush=True,
            )


def quality(material: Any, sizes: tuple[int, ...], seeds: list[int], iterations: int, fresh: bool) -> None:
    """NPMI and seconds of ours, trained until it has converged, beside tomotopy's and gensim's five passes."""
    from bench import engines
    from bench.measure import load, row

    for topics in sizes:
        print(f"\nNPMI, K={topics}, {len(seeds)} seeds ({', '.join(map(str, seeds))}), {load()}")
        print(f"{'':<34}{'NPMI':>7}{'lowest':>8}{'highest':>9}{'seconds':>9}{'bound/word':>12}")
        found: dict[str, list] = {}
        for seed in seeds:  # engines in turn, so that a busy minute is nobody's alone
            for name, engine, package, times in (
                (f"tomotopy, {iterations:,} iterations", engines.tomotopy, "tomotopy", iterations),
                ("gensim LdaModel, 5 passes", engines.gensim, "gensim", 5),
            ):
                trained = engines.kept(engine, package, material, topics, times, seed, fresh)
                found.setdefault(name, []).append(trained)
            found.setdefault("ours, to convergence", []).append(engines.ours(material, topics, None, seed))
        means, spent = [], []
        for name, those in found.items():
            values = [engines.coherence(each, material) for each in those]
            bounds = [value for each in those if (value := engines.bound(each, material)) is not None]
            means.append(statistics.mean(values))
            spent.append(statistics.mean(each.seconds for each in those))
            old = sorted({each.measured for each in those if each.measured})
            print(
                f"{name:<34}{means[-1]:>7.3f}{min(values):>8.3f}{max(values):>9.3f}{spent[-1]:>9.1f}"
                f"{statistics.mean(bounds) if bounds else float('nan'):>12.3f}"
                f"{f'   kept from {old[0]}' if old else ''}",
                flush=True,
            )
        row("NPMI, ours less tomotopy's", means[2] - means[0], ".3f", least=0)
        same_run = not any(each.measured for each in found[next(iter(found))])
        row("tomotopy's time by ours", spent[0] / spent[2] if same_run else None, ".1f", least=PART_OF_TIME)


def check_coherence(material: Any, topics: int) -> None:
    """Our NPMI against gensim's CoherenceModel with a window as long as the longest article."""
    from gensim.models import CoherenceModel

    from bench import engines
    from bench.measure import row
    from lib.topics.quality import npmi

    trained = engines.ours(material, topics, 1, 1)
    words, top = material.corpus.dictionary, engines.top_words(trained)
    texts = [[words[word] for word, count in bag for _ in range(count)] for bag in material.lists]
    started = time.perf_counter()
    model = CoherenceModel(
        topics=[[words[word] for word in row] for row in top],
        texts=texts,
        dictionary=words,
        coherence="c_npmi",
        topn=10,
        window_size=max(map(len, texts)),
        processes=1,
    )
    theirs = np.array(model.get_coherence_per_topic())
    seconds = time.perf_counter() - started
    own = npmi(material.corpus, material.training, top)
    print(f"\nNPMI as gensim's CoherenceModel has it, window of {max(map(len, texts)):,} words, {seconds:.0f} s")
    row("largest difference from ours, K=" + str(topics), float(np.abs(theirs - own).max()), ".1e", most=1e-9)


@click.command(help=__doc__.split("\n")[0])
@click.argument("sections", nargs=-1, type=click.Choice(SECTIONS))
@click.option("--articles", multiple=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--topics", "sizes", multiple=True, type=int, help="K; may be repeated.  [default: 10, quality 10, 20, 50]"
)
@click.option("--passes", "counts", multiple=True, type=int, default=(1, 5), show_default=True)
@click.option("--seeds", default="1,2,3", show_default=True, help="Of the NPMI's trainings.")
@click.option("--iterations", default=1_000, show_default=True, help="Of tomotopy.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Medians are of so many.")
@click.option("--fresh", is_flag=True, help="Measure again what is kept in bench/out/.")
@click.option("--check", is_flag=True, help="Compare our NPMI with gensim's CoherenceModel's; a minute.")
def main(
    sections: tuple[str, ...],
    articles: tuple[Path, ...],
    sizes: tuple[int, ...],
    counts: tuple[int, ...],
    seeds: str,
    iterations: int,
    rounds: int,
    fresh: bool,
    check: bool,
) -> None:
    """Measure and print."""
    import gensim  # noqa: F401 (with SciPy: what has threads of its own is there before they are limited)
    import sklearn.decomposition  # noqa: F401
    from threadpoolctl import threadpool_limits

    from bench.engines import Material
    from bench.made_articles import write_articles
    from lib.machine import describe

    print(describe(("gensim", "numba", "numpy", "scikit-learn", "tomotopy")))
    # BLAS on one thread: "gensim on one" means it, and LdaMulticore's workers have no use for more
    with threadpool_limits(1), tempfile.TemporaryDirectory() as name:
        folder, real = Path(name), os.environ.get("NIGHTDESK_REAL_DATA")
        paths = list(articles) or ([Path(real, "articles")] if real else [])
        if not paths:
            paths = [folder / "made_up.csv"]
            write_articles(paths[0], 24_148, words=90)
        started = time.perf_counter()
        material = Material(build(paths, folder))
        corpus = material.corpus
        print(
            f"{len(corpus):,} {'articles' if articles or real else 'made-up articles'} of {corpus.tokens:,} words, "
            f"{len(corpus.dictionary):,} of them different; {len(material.rows):,} train; "
            f"bags in {time.perf_counter() - started:.1f} s"
        )
        for section in sections or SECTIONS:
            if section == "quality":
                quality(material, sizes or (10, 20, 50), [int(seed) for seed in seeds.split(",")], iterations, fresh)
                continue
            for topics in sizes or (10,):
                if section == "estep":
                    estep(material, topics, rounds)
                else:
                    passes(material, topics, counts, rounds)
        if check:
            check_coherence(material, (sizes or (10,))[0])


if __name__ == "__main__":
    main()
