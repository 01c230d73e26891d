"""Latent Dirichlet allocation with gensim's LdaModel, and the topics of each article.

Two things are seen to here that gensim leaves to its caller. The articles are shuffled (a fixed seed), because online
variational Bayes takes each chunk for a fair sample of the corpus, and files come sorted by paper and date. And the
chunks are of equal size: gensim scales every chunk's statistics up to the whole corpus, so that a last chunk of fifty
articles would count as much as the thousands before it.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from gensim.models import LdaModel
from numpy.typing import NDArray

from lib.progress import Advance
from lib.topics.corpus import Corpus

CHUNK = 4_000  # articles between two updates of the topics, about
INFERENCE_CHUNK = 2_000
Floats = NDArray[np.float32]


class Bags:
    """Some of a corpus's bags, in an order of their own, in gensim's form, read as often as asked."""

    def __init__(self, corpus: Corpus, which: Sequence[int], advance: Advance) -> None:
        self._corpus, self._which, self._advance = corpus, which, advance

    def __len__(self) -> int:
        return len(self._which)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for d in self._which:
            yield self._corpus.bag(d)
            self._advance(1)


def training_articles(corpus: Corpus) -> list[int]:
    """The numbers of the articles that train the model: those not held out and not empty after the cuts."""
    return np.flatnonzero(~corpus.held_out & (np.diff(corpus.indptr) > 0)).tolist() or list(range(len(corpus)))


def chunk_size(articles: int) -> int:
    """The size near CHUNK that parts so many articles into chunks as equal as can be."""
    return -(-articles // max(1, round(articles / CHUNK)))


def fit_topics(corpus: Corpus, *, topics: int, passes: int, seed: int, advance: Advance) -> LdaModel:
    """Train on the articles that aren't held out. The same corpus, numbers and seed give the same model.

    α is gensim's asymmetric prior 1 / (k + √K), so that a common topic may be common; η is 1 / K.
    """
    which = np.array(training_articles(corpus))
    np.random.default_rng(seed).shuffle(which)
    return LdaModel(
        Bags(corpus, which.tolist(), advance),
        num_topics=topics,
        id2word=corpus.dictionary,
        chunksize=chunk_size(len(which)),
        passes=passes,
        alpha="asymmetric",
        eval_every=None,
        random_state=seed,
    )


def infer_topics(model: LdaModel, corpus: Corpus, advance: Advance) -> Floats:
    """Each article's topic weights, shape (articles, topics), rows of sum 1; without words, the prior's."""
    weights = np.empty((len(corpus), model.num_topics), np.float32)
    for start in range(0, len(corpus), INFERENCE_CHUNK):
        end = min(start + INFERENCE_CHUNK, len(corpus))
        gamma, _ = model.inference([corpus.bag(d) for d in range(start, end)])
        weights[start:end] = gamma / gamma.sum(axis=1, keepdims=True)
        advance(end - start)
    return weights
