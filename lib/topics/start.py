"""Where training starts from: a sampler's topics, of which those that say least have been dissolved.

A sampler leaves some topics that are mixtures while others hold two subjects at once, and more sweeps are slow to take
them apart. So the topics whose words cohere least are dissolved, the largest are divided in their
place (as k-means moves idle centres; split and merge of Ueda et al. 2000), and the sampler goes on; the best state of
a few rounds is kept. Coherence is that of the training articles alone.
"""

import numpy as np
from numpy.typing import NDArray

from lib.progress import Advance
from lib.topics.corpus import Corpus
from lib.topics.quality import npmi_of, top_words
from lib.topics.rows import Bags, taken
from lib.topics.sampling import LEAST_ALPHA, Sample, sample_topics

FEW = 500_000  # words that the first rounds read: enough to tell topics, and a fraction of the time
MANY = 3_000_000  # and the last sweeps
FIRST_SWEEPS, ROUNDS, ROUND_SWEEPS, LAST_SWEEPS = 60, 5, 20, 40
WARM_SWEEPS = 20  # from last week's topics
MOST_USES = 1_000  # of a word in an article: each is drawn by itself, and a million would take minutes
LONGEST = 50 * MOST_USES  # words of an article
DISSOLVED = 0.2  # of the topics a round, and at least one


def sweeps_to_come(lengths: NDArray[np.int64], *, warm: bool) -> int:
    """How many articles, of so many words each, `find_start` will sweep over in all, for the progress."""
    few, many = (_first(lengths, most) for most in (FEW, MANY))
    return WARM_SWEEPS * many if warm else (FIRST_SWEEPS + ROUNDS * ROUND_SWEEPS) * few + LAST_SWEEPS * many


def _first(lengths: NDArray[np.int64], words: int) -> int:
    """How many of the articles, from the first on, have about so many words; none is taken for more than LONGEST."""
    before = np.cumsum(np.minimum(lengths, LONGEST))
    return min(int(np.searchsorted(before, words)) + 1, len(lengths))


def find_start(
    corpus: Corpus,
    order: NDArray[np.int64],
    *,
    topics: int,
    seed: int,
    threads: int,
    past: Sample | None,
    advance: Advance,
) -> Sample:
    """Counts by topic to start from, from the articles `order`, which is shuffled; from `past`, if there is one."""
    words = len(corpus.dictionary)
    lengths = corpus.lengths[order]
    few, many = (taken(corpus, order[: _first(lengths, most)], MOST_USES) for most in (FEW, MANY))

    def sweep(bags: Bags, sweeps: int, number: int, start: Sample | None) -> Sample:
        its = seed * 100 + number
        return sample_topics(
            bags, words, topics, sweeps=sweeps, seed=its, threads=threads, start=start, advance=advance
        )

    if past is not None:
        return sweep(many, WARM_SWEEPS, 0, past)
    draw = np.random.default_rng(seed)
    found = best = sweep(few, FIRST_SWEEPS, 0, None)
    best_coherence = _coherence(many, found)
    for number in range(1, ROUNDS + 1) if topics > 1 else ():
        found = sweep(few, ROUND_SWEEPS, number, relocated(best, best_coherence, draw))
        coherence = _coherence(many, found)
        if coherence.mean() > best_coherence.mean():
            best, best_coherence = found, coherence
    return sweep(many, LAST_SWEEPS, ROUNDS + 1, best)


def relocated(sample: Sample, coherence: NDArray[np.float64], draw: np.random.Generator) -> Sample:
    """The sample with its least coherent topics dissolved and as many of its largest divided over two, at random."""
    counts, alpha = sample.counts.copy(), sample.alpha.copy()
    many = min(max(1, round(DISSOLVED * len(counts))), len(counts) // 2)
    worst = np.argsort(coherence, kind="stable")[:many]
    size = counts.sum(axis=1)
    size[worst] = -1.0
    for gone, large in zip(worst, np.argsort(-size, kind="stable")[:many], strict=True):
        part = np.asarray(draw.beta(0.5, 0.5, counts.shape[1]), np.float32)  # most words go to one side
        counts[gone] = counts[large] * part
        counts[large] -= counts[gone]
        alpha[gone] = alpha[large] = max(alpha[large] / 2, LEAST_ALPHA)
    return Sample(counts, alpha)


def _coherence(bags: Bags, sample: Sample) -> NDArray[np.float64]:
    return npmi_of(bags, sample.counts.shape[1], top_words(sample.counts))
