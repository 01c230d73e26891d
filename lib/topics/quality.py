"""How good topics are: NPMI coherence and the held-out bound."""

from collections.abc import Sequence

import numpy as np
from gensim.models import LdaModel
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from lib.topics.corpus import Corpus
from lib.topics.lda import Bags

EPSILON = 1e-12  # as gensim's direct confirmation measures have it


def npmi(corpus: Corpus, articles: Sequence[int], top_words: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Each topic's coherence: mean NPMI over the pairs of its top words, co-occurrence counted by article.

    Normalised pointwise mutual information (Bouma 2009), from −1 (never together) to 1 (only together), as measured by
    gensim's CoherenceModel(coherence="c_npmi") with a window as long as the longest document, which a test holds us
    to; gensim counts by a walk over all texts, this by one sparse product. `top_words` are word ids; shape (topics,).
    """
    present = _presence(corpus)[list(articles)].tocsc()
    return np.array([_npmi_of(present[:, list(words)], len(articles)) for words in top_words])


def _presence(corpus: Corpus) -> csr_matrix:
    ones = np.ones(len(corpus.ids), np.float64)
    return csr_matrix((ones, corpus.ids, corpus.indptr), shape=(len(corpus), len(corpus.dictionary)))


def _npmi_of(present: csc_matrix, articles: int) -> float:
    together = (present.T @ present).toarray() / articles
    alone = np.diag(together)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = (np.log(together + EPSILON) - np.log(np.outer(alone, alone))) / -np.log(together + EPSILON)
    pairs = ~np.eye(len(alone), dtype=bool)
    # a single word, or words of no training article, have no pairs to be coherent in
    return float(values[pairs].mean()) if pairs.any() and np.isfinite(values[pairs]).all() else 0.0


def held_out_bound(model: LdaModel, corpus: Corpus, training: int) -> float | None:
    """Variational lower bound on the log likelihood per word of the held-out articles, in nats; None without any.

    As gensim's log_perplexity (Hoffman, Blei, Bach 2010), with the corpus taken to be as large as the training part,
    so that the topics' own term isn't charged to a few articles.
    """
    which = np.flatnonzero(corpus.held_out & (np.diff(corpus.indptr) > 0))
    chunk = Bags.of(corpus, which)
    return float(model.log_perplexity(chunk, total_docs=max(training, len(which)))) if len(which) else None
