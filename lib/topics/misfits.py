"""Articles that fit no topic: those whose words the topics foresee no better than plain frequencies do.

Each article's words are parted in two, every second one by id. Topics are inferred from the first part, and asked how
likely the second is (document completion; Wallach et al. 2009, Evaluation methods for topic models, section 4.4).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lib.topics.corpus import Corpus
from lib.topics.estep import log_likelihood
from lib.topics.lda import Lda
from lib.topics.rows import Bags

LEAST_WORDS = 20  # different ones; a shorter article says too little to be judged
SHOWN = 5
MANY = 4_000  # articles at a time


@dataclass(frozen=True)
class Misfits:
    """`articles` are those that fit least, their gain below zero; `count` of the `judged` ones have one.

    A gain is in nats a word: how much likelier the topics make the second half of an article than frequencies do.
    """

    judged: int
    count: int
    articles: list[tuple[int, float]]
    median: float


def misfits(model: Lda, corpus: Corpus) -> Misfits:
    """Judge every article with LEAST_WORDS different words."""
    rows = np.flatnonzero(np.diff(corpus.indptr) >= LEAST_WORDS)
    uses = corpus.uses()
    plain = np.maximum(uses / max(uses.sum(), 1), 1e-12)[:, None].astype(np.float32)
    weights = model.weights
    beta = np.asarray(weights / weights.sum(axis=0, dtype=np.float64), np.float32)
    gains = []
    for start in range(0, len(rows), MANY):
        gains.append(_gains(model, _halves(corpus, rows[start : start + MANY]), beta, plain))
        corpus.release()
    gain = np.concatenate(gains) if gains else np.empty(0)
    order = np.argsort(gain, kind="stable")
    least = [(int(rows[place]), float(gain[place])) for place in order[:SHOWN] if gain[place] < 0]
    return Misfits(len(rows), int((gain < 0).sum()), least, float(np.median(gain)) if len(gain) else 0.0)


def _gains(
    model: Lda, halves: tuple[Bags, Bags], beta: NDArray[np.float32], plain: NDArray[np.float32]
) -> NDArray[np.float64]:
    seen, rest = halves
    gamma, _ = model.inference(seen)
    theta = (gamma / gamma.sum(axis=1, keepdims=True)).astype(np.float64)
    by_topics, by_frequency = np.zeros(len(rest)), np.zeros(len(rest))
    where = (rest.indptr, rest.ids, rest.counts, rest.rows)
    log_likelihood(*where, beta, theta, 0, len(rest), by_topics)
    log_likelihood(*where, plain, np.ones((len(rest), 1)), 0, len(rest), by_frequency)
    return (by_topics - by_frequency) / np.maximum(rest.lengths(), 1)


def _halves(corpus: Corpus, rows: NDArray[np.int64]) -> tuple[Bags, Bags]:
    """Every second word of these articles, and the others."""
    whole = Bags.of(corpus, rows).copied()
    lengths = np.diff(whole.indptr)
    within = np.arange(whole.indptr[-1]) - np.repeat(whole.indptr[:-1], lengths)
    halves = []
    for side in (0, 1):
        mine = within % 2 == side
        indptr = np.concatenate([[0], np.cumsum((lengths + 1 - side) // 2)]).astype(np.int64)
        halves.append(Bags(indptr, whole.ids[mine], whole.counts[mine], whole.rows))
    return halves[0], halves[1]
