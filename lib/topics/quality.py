"""How good topics are: NPMI coherence and the held-out bound."""

from collections.abc import Sequence

import numpy as np
from gensim.models import LdaModel
from numpy.typing import NDArray

from lib.compiled import compiled
from lib.topics.corpus import Corpus
from lib.topics.rows import Bags, taken

EPSILON = 1e-12  # as gensim's direct confirmation measures have it
TOP_WORDS = 10
ROWS = 4_000  # articles at a time


def npmi_of(bags: Bags, words: int, top_words: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Each topic's coherence: mean NPMI over the pairs of its top words, co-occurrence counted by article.

    Normalised pointwise mutual information (Bouma 2009), from −1 (never together) to 1 (only together), as measured by
    gensim's CoherenceModel(coherence="c_npmi") with a window as long as the longest document, which a test holds us
    to; gensim counts by a walk over all texts, this by one over the bags. `words` is the size of the vocabulary,
    `top_words` are word ids; shape (topics,).
    """
    pairs = Pairs(words, top_words)
    pairs.count(bags)
    return pairs.npmi()


def npmi(corpus: Corpus, articles: Sequence[int], top_words: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """The same over some of a corpus's articles, in portions."""
    pairs = Pairs(len(corpus.dictionary), top_words)
    for chunk in Bags.of(corpus, articles).chunks(ROWS):
        pairs.count(chunk)
        corpus.release()
    return pairs.npmi()


class Pairs:
    """How many documents have both of two top words, counted document by document."""

    def __init__(self, words: int, top_words: Sequence[Sequence[int]]) -> None:
        self._top_words = top_words
        different = np.unique([word for each in top_words for word in each]).astype(np.int32)
        self._place_of = np.full(words, -1, np.int32)
        self._place_of[different] = np.arange(len(different))
        self._together = np.zeros((len(different), len(different)), np.int64)
        self._documents = 0

    def count(self, bags: Bags) -> None:
        """Add documents."""
        room = np.empty(len(self._together), np.int32)
        _count_pairs(bags.indptr, bags.ids, bags.rows, self._place_of, room, self._together)
        self._documents += len(bags)

    def npmi(self) -> NDArray[np.float64]:
        """Each topic's mean over its pairs, of all that was counted."""
        shares = self._together / max(self._documents, 1)
        places = [self._place_of[list(each)] for each in self._top_words]
        return np.array([_npmi_of(shares[np.ix_(each, each)]) for each in places])


@compiled
def _count_pairs(
    indptr: NDArray[np.int64],
    ids: NDArray[np.int32],
    rows: NDArray[np.int64],
    place_of: NDArray[np.int32],
    present: NDArray[np.int32],
    together: NDArray[np.int64],
) -> None:
    """Add to `together` (places, places) the articles that have both words; −1 is no place. `present` is room."""
    for row in rows:
        size = 0
        for entry in range(indptr[row], indptr[row + 1]):
            place = place_of[ids[entry]]
            if place >= 0:
                present[size] = place
                size += 1
        for a in range(size):
            for b in range(size):
                together[present[a], present[b]] += 1


def _npmi_of(together: NDArray[np.float64]) -> float:
    """The mean over the pairs; `together` has the share of articles with both words, on the diagonal with the one."""
    alone = np.diag(together)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = (np.log(together + EPSILON) - np.log(np.outer(alone, alone))) / -np.log(together + EPSILON)
    pairs = ~np.eye(len(alone), dtype=bool)
    # a single word, or words of no training article, have no pairs to be coherent in
    return float(values[pairs].mean()) if pairs.any() and np.isfinite(values[pairs]).all() else 0.0


def top_words(topics: NDArray[np.floating]) -> list[list[int]]:
    """The ids of each topic's ten likeliest words, the likeliest first; of equal ones those of the lowest ids."""
    size = min(TOP_WORDS, topics.shape[1])
    found = []
    for row in topics:
        # few enough to sort, however many words there are: all that are no less likely than the tenth
        near = np.flatnonzero(row >= np.partition(row, -size)[-size]) if size else np.arange(0)
        found.append(near[np.argsort(-row[near], kind="stable")][:size].tolist())
    return found


def held_out_bound(model: LdaModel, corpus: Corpus, training: int) -> float | None:
    """Variational lower bound on the log likelihood per word of the held-out articles, in nats; None without any.

    As gensim's log_perplexity (Hoffman, Blei, Bach 2010), with the corpus taken to be as large as the training part,
    so that the topics' own term isn't charged to a few articles.
    """
    which = np.flatnonzero(corpus.held_out & (np.diff(corpus.indptr) > 0))
    chunk = taken(corpus, which)
    return float(model.log_perplexity(chunk, total_docs=max(training, len(which)))) if len(which) else None
