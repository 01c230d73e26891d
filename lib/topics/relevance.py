"""Which words tell a topic: the likeliest, those found hardly anywhere else, and what lies between, by λ.

Sievert & Shirley (2014), LDAvis: A method for visualizing and interpreting topics.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from gensim.corpora import Dictionary
from numpy.typing import NDArray

STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)  # the slider's positions
SHOWN_FIRST = 0.5  # the step nearest to the 0.6 that readers told topics apart best with
WORDS = 10
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RelevantWord:
    """A word with how often the corpus has it, and how many of those uses are the topic's by the model."""

    word: str
    inside: float
    uses: int


def relevance(beta: Floats, word_shares: Floats, lam: float) -> Floats:
    """λ log φ + (1 − λ) log (φ / p), shape (topics, words): likely in the topic and more so than elsewhere."""
    log_beta = np.log(np.maximum(beta, 1e-12))
    return lam * log_beta + (1 - lam) * (log_beta - np.log(np.maximum(word_shares, 1e-12)))


def relevant_words(
    beta: Floats, counts: Floats, shares: Floats, dictionary: Dictionary, topics: Sequence[int]
) -> dict[int, list[list[RelevantWord]]]:
    """For each of `topics` and each of STEPS the ten words of the highest relevance.

    `beta` has shape (topics, words), rows of sum 1; `counts` are the words' in the corpus; `shares`, the topics' of all
    words. Of a word's uses a topic has the part φ · share over the sum of that for all topics (Bayes' rule).
    """
    used = np.flatnonzero(counts > 0)
    p = counts[used] / max(counts.sum(), 1)
    mass = shares @ beta[:, used]
    found = {}
    for k in topics:
        row = beta[k, used]
        inside = counts[used] * shares[k] * row / np.maximum(mass, 1e-300)
        found[k] = [
            [
                RelevantWord(dictionary[int(used[place])], float(inside[place]), int(counts[used[place]]))
                for place in np.argsort(-relevance(row, p, lam), kind="stable")[:WORDS].tolist()
            ]
            for lam in STEPS
        ]
    return found
