"""Time the alignment of two weeks' topics, and see whether it finds what was planted.

    python bench/alignment.py [--rounds 5] [--topics 50] [--words 100000]

This week's topics are last week's in another order, each word's weight changed by a fifth or so; five of last week's
are gone and five are new, and a twentieth of the words is either week's alone.
"""

import statistics
import sys
import time
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

SECONDS, PLANTED = 1.0, 5  # at most, for 50 topics against 50 over 100,000 words; births, and deaths


@click.command(help=__doc__.split("\n")[0])
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--topics", default=50, show_default=True)
@click.option("--words", default=100_000, show_default=True)
def main(rounds: int, topics: int, words: int) -> None:
    """Measure and print."""
    try:
        from lib.topics.alignment import align, on_one_vocabulary
    except ImportError:
        print("alignment: not measured, lib.topics.alignment isn't here yet")
        return
    from bench.measure import load, row
    from lib.machine import describe

    print(describe(("numpy", "scipy")))
    print(f"alignment of {topics} topics with {topics} over {words:,} words, medians of {rounds}, {load()}")
    seconds, right, all_of_them = [], 0, 0
    for seed in range(rounds):
        draw = np.random.default_rng(seed)
        beta = draw.gamma(0.05, size=(topics + PLANTED, words)) + 1e-9
        order = draw.permutation(np.arange(PLANTED, topics + PLANTED))  # topics 0 to 4 die, the last five are born
        before, now = beta[:topics], beta[order] * draw.gamma(20.0, 1 / 20, (topics, words))
        # each week has words of its own, and this week's are in another order
        shuffled = draw.permutation(np.arange(words // 20, words))
        names = [f"w{number}" for number in range(words)]
        words_before, words_now = names[: words - words // 20], [names[number] for number in shuffled]
        before, now = before[:, : len(words_before)], now[:, shuffled]
        before, now = (each / each.sum(axis=1, keepdims=True) for each in (before, now))
        started = time.perf_counter()
        one, other, _ = on_one_vocabulary(before, words_before, now, words_now)
        found = align(one, other)
        seconds.append(time.perf_counter() - started)
        continued = {new: int(old) for new, old in enumerate(order) if old < topics}
        born = [new for new, old in enumerate(order) if old >= topics]
        right += sum(found.continued.get(new) == old for new, old in continued.items())
        right += len(set(born) & set(found.born)) + len(set(range(PLANTED)) & set(found.died))
        all_of_them += len(continued) + len(born) + PLANTED
    row("seconds", statistics.median(seconds), ".2f", most=SECONDS)
    row("permutation, births and deaths recovered, %", 100 * right / all_of_them, ".1f", least=100)


if __name__ == "__main__":
    main()
