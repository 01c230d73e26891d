"""How stable topics are: whether they are found again in other draws of the same articles.

Greene, O'Callaghan, Cunningham (2014), How many topics? Stability analysis for topic models: topics of each draw are
matched one to one, and two matched topics agree as far as their likeliest words do.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from lib.progress import Advance, nothing
from lib.topics.corpus import Corpus
from lib.topics.quality import top_words
from lib.topics.rows import taken
from lib.topics.sampling import sample_topics

Words = Sequence[Sequence[int]]  # the likeliest words of each topic

DRAWS = 4
ARTICLES = 4_000  # a draw, at most
SWEEPS = 60


def effort(articles: int) -> int:
    """How many articles `stability` will sweep over, for the progress."""
    return DRAWS * SWEEPS * min(articles, ARTICLES)


def stability(
    corpus: Corpus,
    training: NDArray[np.int64],
    found: NDArray[np.float32],
    *,
    seed: int,
    threads: int,
    advance: Advance = nothing,
) -> NDArray[np.float64]:
    """Which part of its ten likeliest words each topic has again in the mean draw, (topics,), 0 to 1.

    A draw is a bootstrap sample of the training articles (as many, but at most ARTICLES, with replacement), whose
    topics are found from nothing. `found` are the topics in question, (topics, words), in any scale.
    """
    words, draw = top_words(found), np.random.default_rng(seed)
    agreement = []
    for number in range(DRAWS):
        rows = draw.choice(training, min(len(training), ARTICLES), replace=True)
        sample = sample_topics(
            taken(corpus, rows),
            found.shape[1],
            len(found),
            sweeps=SWEEPS,
            seed=seed * 100 + 50 + number,
            threads=threads,
            advance=advance,
        )
        agreement.append(matched(words, top_words(sample.counts)))
    return np.asarray(np.mean(agreement, axis=0))


def matched(one: Words, other: Words) -> NDArray[np.float64]:
    """Which part of its words each topic of `one` shares with the topic of `other` that is matched with it."""
    shared = np.array([[len(set(a) & set(b)) / max(len(a), 1) for b in other] for a in one])
    result = np.zeros(len(one))
    rows, columns = linear_sum_assignment(-shared)
    result[rows] = shared[rows, columns]
    return result
