"""Topics by collapsed Gibbs sampling, compiled: where training starts from.

Griffiths & Steyvers (2004), Finding scientific topics: each use of a word gets a topic, drawn again and again in
proportion to how much its article and its word already have of each. A sampler forgets where it began, and so finds
better topics than variational Bayes does from a random start.

The articles are swept in portions. Within one, the words' counts stand still (less the use at hand), so that articles
are independent and the result is the same for any number of threads: the approximation of Newman et al. (2009),
Distributed algorithms for topic models, brought together several times a sweep.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import psi

from lib.compiled import compiled_fast, in_threads
from lib.progress import Advance, nothing
from lib.topics.estep import padded
from lib.topics.rows import Bags

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Places = NDArray[np.int64]

PORTIONS = 8  # of the articles a sweep, but no smaller than
PORTION = 1_500  # articles
RANGES = 8  # of words, each for a thread
TASKS = 2  # a thread and portion
LARGE = 2_000_000  # numbers of a table that is worth threads
ALPHA, ETA = 0.1, 0.01  # the priors to begin with; α is then fitted
FIRST_FIT, FIT_EVERY = 20, 10  # sweeps until α is fitted, and fitted again
FIT_STEPS = 5
TALLIED = 1_000  # articles whose topics are counted at a time
LEAST_ALPHA = 1e-3


@dataclass(frozen=True)
class Sample:
    """How often each word has each topic, (topics, words), and the α that fits the articles, (topics,)."""

    counts: Floats
    alpha: Floats


def sample_topics(
    bags: Bags,
    words: int,
    topics: int,
    *,
    sweeps: int,
    seed: int,
    threads: int,
    start: Sample | None = None,
    advance: Advance = nothing,
) -> Sample:
    """Sweep over the articles so often, from nothing or from the counts of `start`. `advance` counts articles."""
    width = padded(topics)
    offsets = bags.cumulative()
    lengths = np.diff(offsets)
    topic_of = np.full(int(offsets[-1]), -1, np.int32)
    by_word, alpha = np.zeros((words, width), np.float32), np.zeros(width, np.float32)
    alpha[:topics] = ALPHA if start is None else start.alpha
    beta, smooth = np.zeros((words, width), np.float32), np.zeros(words, np.float32)
    beta[:, :topics] = 1.0 if start is None else start.counts.T
    # always the same ranges of words, so that their sums are the same for any number of threads
    ranges = _parted(words, RANGES)
    sums, helpers = np.zeros((len(ranges), width)), threads if by_word.size > LARGE else 1
    size = max(PORTION, -(-len(bags) // PORTIONS))
    for sweep in range(sweeps):
        for first in range(0, len(bags), size):
            rows, ends = bags.rows[first : first + size], offsets[first : first + size + 1]
            source = beta if sweep == first == 0 else by_word
            in_threads(_sum_up, [(source, ETA, a, b, sums[part]) for part, (a, b) in enumerate(ranges)], helpers)
            totals = sums.sum(axis=0).astype(np.float32)
            in_threads(_weigh, [(source, ETA, totals, alpha, a, b, beta, smooth) for a, b in ranges], helpers)
            which = (bags.indptr, bags.ids, bags.counts, rows, ends)
            draw = (*which, beta, totals, smooth, alpha[:topics], ETA, seed * 1_000_003 + sweep, topic_of)
            tasks = _parted(len(rows), TASKS * threads)
            moves = [np.zeros((int(ends[b] - ends[a]) + 1, 3), np.int32) for a, b in tasks]
            parts = [
                (*draw, a, b, its, np.empty((2, topics), np.float32), np.empty((2, topics), np.int32))
                for (a, b), its in zip(tasks, moves, strict=True)
            ]
            in_threads(_sweep, parts, threads)
            for each in moves:
                _move(each, by_word)
            advance(len(rows))
        if sweep >= FIRST_FIT and sweep % FIT_EVERY == 0 and lengths.any():
            alpha[:topics] = _fitted(alpha[:topics], _tally(offsets, topic_of, topics), lengths)
    return Sample(by_word[:, :topics].T, alpha[:topics])


def _parted(count: int, parts: int) -> list[tuple[int, int]]:
    """The range from 0 to `count` in so many ranges, or fewer."""
    return list(pairwise(np.unique(np.linspace(0, count, parts + 1).astype(int)).tolist()))


def _fitted(alpha: Floats, counts: Floats, lengths: Places) -> Floats:
    """α under which the articles' counts by topic, (articles, topics), are likeliest: Minka (2000), eq. 55."""
    fitted = alpha.astype(np.float64)
    for _ in range(FIT_STEPS):
        seen = (psi(counts + fitted) - psi(fitted)).sum(axis=0)
        fitted = np.maximum(fitted * seen / (psi(lengths + fitted.sum()) - psi(fitted.sum())).sum(), LEAST_ALPHA)
    return fitted.astype(np.float32)


@compiled_fast
def _sweep(
    indptr: Places,
    ids: Ints,
    counts: Ints,
    rows: Places,
    offsets: Places,
    beta: Floats,
    totals: Floats,
    smooth: Floats,
    alpha: Floats,
    eta: float,
    seed: int,
    topic_of: Ints,
    first: int,
    end: int,
    moves: Ints,
    numbers: Floats,
    places: Ints,
) -> None:
    """Draw the topics of the articles `rows[first:end]` anew: those of article d stand from `offsets[d]` on.

    `beta` is (n_wk + η) / `totals`, `totals` n_k + Vη, `smooth` Σ_k α_k β_wk. A topic of −1 has not been drawn
    yet. As in Yao, Mimno, McCallum (2009), the few topics that an article has are looked at one by one, and α's part of
    all of them together, as one chance that seldom comes true. Each use that gets another
    topic is a row of `moves` (word, topic before, topic after), from the second on; the first has their number.
    `numbers` and `places` are room, (2, topics).
    """
    topics = len(alpha)
    here, chance = numbers[0], numbers[1]
    present, place_of = places[0], places[1]
    moved = 0
    one, zero, prior = np.float32(1.0), np.float32(0.0), np.float32(eta)
    for d in range(first, end):
        # splitmix64 (Steele, Lea, Flood 2014), from a number of the article's own
        state = np.uint64(seed) * np.uint64(0xD1342543DE82EF95)
        state ^= np.uint64(offsets[d]) * np.uint64(0xBF58476D1CE4E5B9)
        for k in range(topics):
            here[k] = zero
        for place in range(offsets[d], offsets[d + 1]):
            if topic_of[place] >= 0:
                here[topic_of[place]] += one
        size = 0
        for k in range(topics):
            if here[k] > zero:
                present[size] = k
                place_of[k] = size
                size += 1
        place = offsets[d]
        for entry in range(indptr[rows[d]], indptr[rows[d] + 1]):
            word = ids[entry]
            of_word = beta[word]
            for _ in range(counts[entry]):
                old = topic_of[place]
                total = zero
                for i in range(size):
                    k = present[i]
                    value = here[k] * of_word[k]
                    chance[i] = value
                    total += value
                rest_of_all = smooth[word]
                if old >= 0:  # the use at hand counts neither for its article nor for its word
                    with_prior = of_word[old] * totals[old]
                    share = (with_prior - one if with_prior - one > prior else prior) / with_prior
                    left_out = of_word[old] * (here[old] - (here[old] - one) * share)
                    chance[place_of[old]] -= left_out
                    total -= left_out
                    rest_of_all -= alpha[old] * of_word[old] * (one - share)
                state += np.uint64(0x9E3779B97F4A7C15)
                z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
                z ^= z >> np.uint64(31)
                left = np.float32(np.int64(z >> np.uint64(40))) * np.float32(2.0**-24) * (total + rest_of_all)
                new = -1
                if left < total:
                    for i in range(size):
                        left -= chance[i]
                        if left < zero:
                            new = present[i]
                            break
                if new < 0:
                    left = left - total if left > total else zero
                    for k in range(topics):
                        value = alpha[k] * of_word[k]
                        if k == old:
                            value *= share
                        left -= value
                        new = k
                        if left < zero:
                            break
                topic_of[place] = new
                place += 1
                if new == old:
                    continue
                moved += 1
                moves[moved, 0] = word
                moves[moved, 1] = old
                moves[moved, 2] = new
                if here[new] == zero:
                    present[size] = new
                    place_of[new] = size
                    size += 1
                here[new] += one
                if old >= 0:
                    here[old] -= one
                    if here[old] == zero:
                        size -= 1
                        last = present[size]
                        present[place_of[old]] = last
                        place_of[last] = place_of[old]
    moves[0, 0] = moved


@compiled_fast
def _sum_up(by_word: Floats, eta: float, first: int, end: int, into: NDArray[np.float64]) -> None:
    """Σ_w (n_wk + η) of the words `first` to `end`, (padded topics,)."""
    into[:] = eta * (end - first)
    for word in range(first, end):
        for k in range(len(into)):
            into[k] += by_word[word, k]


@compiled_fast
def _weigh(
    by_word: Floats, eta: float, totals: Floats, alpha: Floats, first: int, end: int, beta: Floats, smooth: Floats
) -> None:
    """β and Σ_k α_k β of the words `first` to `end`."""
    prior = np.float32(eta)
    for word in range(first, end):
        total = np.float32(0.0)
        for k in range(len(totals)):
            value = (by_word[word, k] + prior) / totals[k]
            beta[word, k] = value
            total += alpha[k] * value
        smooth[word] = total


@compiled_fast
def _move(moves: Ints, by_word: Floats) -> None:
    """Count the uses that have moved."""
    for i in range(1, moves[0, 0] + 1):
        word, old, new = moves[i, 0], moves[i, 1], moves[i, 2]
        if old >= 0:
            by_word[word, old] -= np.float32(1.0)
        by_word[word, new] += np.float32(1.0)


def _tally(offsets: Places, topic_of: Ints, topics: int) -> Floats:
    """How many uses each article has of each topic, (articles, topics)."""
    counts = np.zeros((len(offsets) - 1, topics), np.float32)
    for first in range(0, len(counts), TALLIED):
        some = offsets[first : first + TALLIED + 1]
        rows = np.repeat(np.arange(len(some) - 1), np.diff(some)) * topics
        tally = np.bincount(rows + topic_of[some[0] : some[-1]], minlength=(len(some) - 1) * topics)
        counts[first : first + TALLIED] = tally.reshape(-1, topics)
    return counts
