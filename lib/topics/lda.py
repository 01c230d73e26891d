"""`Lda`, a gensim `LdaModel` whose E-step and M-step are compiled and run on several cores.

Whatever takes a gensim model takes this one (`CoherenceModel`, `get_document_topics`, pyLDAvis …), and what it saves is
a plain `LdaModel` that gensim alone can load. It differs in three ways:

- A chunk may be `Bags`, rows of a sparse matrix, as well as gensim's lists.
- A document's γ starts from a draw that its place in the chunk decides (a counter-based generator) and not from a
  stream that runs on: the same chunk gets the same answer each time, in any number of threads.
- Sums over the corpus are made in double precision.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from gensim.matutils import dirichlet_expectation
from gensim.models import LdaModel
from gensim.models.ldamodel import LdaState, update_dir_prior
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp, psi

from lib.compiled import in_threads
from lib.machine import cores
from lib.topics.estep import FLUSH, PADDING, exp_digamma, infer, padded, sum_words
from lib.topics.rows import Bags

Floats = NDArray[np.float32]
Wide = NDArray[np.float64]
BLOCK = 256  # documents that a thread takes at a time
PARTS = 1  # range of words a thread, for the sums
SHARE = 2**16  # numbers of which a thread takes exp(ψ) at a time,
ENTRIES = 2**14  # and entries of the bags whose likelihood it works out
TINY = 1e-200  # a likelihood near where numbers end: worked out in logarithms
LIGHT = 1.0  # a topic of fewer words may have exp(−ψ(Σ λ)) beyond any float32


def starts(seed: int, documents: int, topics: int) -> Floats:
    """γ to start from, (documents, topics): draws of Gamma(100, 1/100), as gensim's, by the document's place alone.

    Philox, a counter-based generator (Salmon et al. 2011), with a block's number as its counter.
    """
    gamma = np.empty((documents, topics), np.float32)
    for first in range(0, documents, BLOCK):
        _fill(gamma, seed, first, min(first + BLOCK, documents))
    return gamma


def _fill(gamma: Floats, seed: int, first: int, end: int) -> None:
    """The draws of one block of documents."""
    block = gamma[first:end]
    draw = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, first, 0]))
    draw.standard_gamma(100.0, dtype=np.float32, out=block)
    block *= np.float32(0.01)


class Lda(LdaModel):
    """gensim's `LdaModel`, compiled. Takes the same arguments, and `threads` (default: every core there is).

    `seed`, the number behind the starts of γ, is `random_state` where that is a number.
    """

    alpha: Any  # (topics,)

    def __init__(self, *arguments: Any, threads: int | None = None, **named: Any) -> None:
        self.threads = threads or cores()
        given = named.get("random_state")
        self.seed = int(given) if isinstance(given, int | np.integer) else 0
        self._by_word: Floats | None = None
        super().__init__(*arguments, **named)

    @classmethod
    def of(cls, model: LdaModel, *, threads: int | None = None, seed: int = 0) -> "Lda":
        """The same model with this class's arithmetic; the two share their arrays."""
        made = cls.__new__(cls)
        made.__dict__.update(model.__dict__)
        made.threads, made.seed, made._by_word = threads or cores(), seed, None
        return made

    def plain(self) -> LdaModel:
        """The same model as gensim's own class."""
        made = LdaModel.__new__(LdaModel)
        own = ("threads", "seed", "_by_word")
        made.__dict__.update({name: value for name, value in self.__dict__.items() if name not in own})
        return made

    def save(self, fname: str, *arguments: Any, **named: Any) -> None:
        """Save as gensim's own class, which loads without ours."""
        self.plain().save(fname, *arguments, **named)

    @classmethod
    def load(cls, fname: str, *arguments: Any, **named: Any) -> "Lda":
        """Load what either class has saved. It unpickles: for files of our own only."""
        return cls.of(LdaModel.load(fname, *arguments, **named))

    @property
    def weights(self) -> Floats:
        """λ by word, (words, topics)."""
        return np.ascontiguousarray(self.state.get_lambda().T, np.float32)

    def sync_state(self, current_Elogbeta: Any = None) -> None:  # noqa: N803 (gensim's name)
        """Take exp(E log β) from λ."""
        if current_Elogbeta is not None:
            self._by_word, self.expElogbeta = None, np.exp(np.asarray(current_Elogbeta, self.dtype))
            return
        topics, width = self.num_topics, padded(self.num_topics)
        weights: Floats = np.ones((self.num_terms, width), np.float32)
        weights[:, :topics] = self.state.get_lambda().T
        sums = weights[:, :topics].sum(axis=0, dtype=np.float64)
        by_word = np.empty_like(weights)
        flat, into = weights.reshape(-1), by_word.reshape(-1)
        step = max(1, SHARE // width) * width
        parts = [(flat[a : a + step], into[a : a + step]) for a in range(0, len(flat), step)]
        in_threads(_exp_digamma, parts, self.threads)
        light = sums < LIGHT
        scale = np.zeros(width, np.float32)
        scale[:topics][~light] = np.exp(-psi(sums[~light]))
        by_word *= scale
        for topic in np.flatnonzero(light):
            by_word[:, topic] = np.exp(psi(weights[:, topic].astype(np.float64)) - psi(sums[topic]))
        by_word[by_word < FLUSH] = 0.0
        self._by_word, self.expElogbeta = by_word, by_word[:, : self.num_topics].T

    def _beta(self) -> Floats:
        """exp(E log β) by word and padded, made anew where somebody else has set it."""
        kept = self._by_word
        if kept is not None and self.expElogbeta.base is kept:
            return np.asarray(kept)
        by_word: Floats = np.zeros((self.num_terms, padded(self.num_topics)), np.float32)
        by_word[:, : self.num_topics] = self.expElogbeta.T
        self._by_word, self.expElogbeta = by_word, by_word[:, : self.num_topics].T
        return by_word

    def _bags(self, chunk: Any) -> Bags:
        """The documents as bags. Raises IndexError for a word beyond the model's: compiled code wouldn't notice."""
        if isinstance(chunk, Bags):
            return chunk
        bags = Bags.from_lists(chunk)
        if len(bags.ids) and not 0 <= bags.ids.min() <= bags.ids.max() < self.num_terms:
            raise IndexError(f"word ids {bags.ids.min()} to {bags.ids.max()}; the model has {self.num_terms} words")
        return bags

    def inference(
        self, chunk: Any, collect_sstats: bool = False, start: Floats | None = None
    ) -> tuple[Floats, Floats | None]:
        """γ of the documents, (documents, topics), and the sufficient statistics, (topics, words), if asked for.

        `start` is γ to start from, of the same shape.
        """
        bags = self._bags(chunk)
        topics, documents, beta = self.num_topics, len(bags), self._beta()
        gamma = np.empty((documents, topics), np.float32) if start is None else np.array(start, np.float32, order="C")
        seed = self.seed if start is None else None
        theta = np.empty((documents, beta.shape[1]), np.float32)
        offsets = bags.offsets()
        longest = padded(int(np.diff(offsets).max(initial=0)))
        ratio = np.empty(int(offsets[-1]), np.float32)
        alpha = np.full(beta.shape[1], PADDING)
        alpha[:topics] = self.alpha
        rows = (bags.indptr, bags.ids, bags.counts, bags.rows, offsets)
        settings = (beta, alpha, topics, self.iterations, np.float32(self.gamma_threshold))
        parts = [
            (seed, longest, *rows, *settings, gamma, theta, ratio, first, min(first + BLOCK, documents))
            for first in range(0, documents, BLOCK)
        ]
        in_threads(_infer, parts, self.threads)
        if not collect_sstats:
            return gamma, None
        sstats = np.zeros((self.num_terms, topics), np.float32)
        sums = (bags.indptr, bags.ids, bags.rows, offsets, theta, ratio)
        edges = self._ranges(bags)
        in_threads(_sum_words, [(sums, beta, a, b, sstats) for a, b in pairwise(edges)], self.threads)
        return gamma, sstats.T

    def _ranges(self, bags: Bags) -> list[int]:
        """Ranges of words with about as many uses each. Sums don't depend on them: a word is in one range."""
        sample = [bags.ids[bags.indptr[row] : bags.indptr[row + 1]] for row in bags.rows[:: max(1, len(bags) // 64)]]
        seen = np.sort(np.concatenate(sample)) if sample else np.empty(0, np.int32)
        places = np.linspace(0, max(len(seen) - 1, 0), PARTS * self.threads + 1).astype(int)
        return sorted({0, *(int(seen[place]) for place in places if len(seen)), self.num_terms})

    def do_estep(self, chunk: Any, state: LdaState | None = None) -> Floats:
        """Infer the documents' γ, (documents, topics), and add their statistics to `state` (default: the model's)."""
        state = state or self.state
        gamma, sstats = self.inference(chunk, collect_sstats=True)
        state.sstats = sstats if state.numdocs == 0 and not state.sstats.any() else state.sstats + sstats
        state.numdocs += len(gamma)
        return gamma

    def do_mstep(self, rho: float, other: LdaState, extra_pass: bool = False) -> None:
        """Blend the statistics of `other` into the topics with weight `rho`, as gensim does."""
        self.state.blend(rho, other)
        self.sync_state()
        if self.optimize_eta:
            self.update_eta(self.state.get_lambda(), rho)
        if not extra_pass:
            self.num_updates += other.numdocs

    def update_alpha(self, gammat: Floats, rho: float) -> Floats:
        """One step of Newton's method towards the α that explains `gammat` best, as gensim does, summed at once."""
        logphat = dirichlet_expectation(gammat).mean(axis=0, dtype=np.float64).astype(self.dtype)
        self.alpha = update_dir_prior(self.alpha, float(len(gammat)), logphat, rho).astype(self.dtype)
        return np.asarray(self.alpha)

    def bound(self, corpus: Any, gamma: Floats | None = None, subsample_ratio: float = 1.0) -> float:
        """The variational bound on the log likelihood of the documents, natural logarithm, as gensim's, summed at once.

        `subsample_ratio` is how many times as large the whole corpus is.
        """
        bags = self._bags(corpus)
        if gamma is None:
            gamma, _ = self.inference(bags)
        wide = gamma.astype(np.float64)
        elog_theta = psi(wide) - psi(wide.sum(axis=1, keepdims=True))
        weights = self.weights.astype(np.float64)
        elog_beta = psi(weights) - psi(weights.sum(axis=0))
        highest = elog_beta.max(axis=1)
        logs = (elog_theta, elog_beta, np.exp(elog_theta), np.exp(elog_beta - highest[:, None]), highest)
        offsets = bags.offsets()
        edges = sorted({*np.searchsorted(offsets, np.arange(0, int(offsets[-1]), ENTRIES)).tolist(), 0, len(bags)})
        each = np.zeros(len(edges))
        parts = [(bags, *logs, a, b, each[i : i + 1]) for i, (a, b) in enumerate(pairwise(edges))]
        in_threads(_log_likelihood, parts, self.threads)
        alpha = self.alpha.astype(np.float64)
        score = each.sum() + ((alpha - wide) * elog_theta + gammaln(wide) - gammaln(alpha)).sum()
        score += (gammaln(alpha.sum()) - gammaln(wide.sum(axis=1))).sum()
        score *= subsample_ratio
        # E[log p(β | η) − log q(β | λ)]; the sum over an η by topic and word is over both, as gensim has it
        eta = np.asarray(self.eta, np.float64).T
        eta = eta if eta.ndim == 2 else eta[:, None]
        score += ((eta - weights) * elog_beta + gammaln(weights) - gammaln(eta)).sum()
        return float(score + (gammaln(eta.sum()) - gammaln(weights.sum(axis=0))).sum())

    def log_perplexity(self, chunk: Any, total_docs: int | None = None) -> float:
        """The bound per word, natural logarithm, with the corpus taken to have `total_docs` documents (default: these).

        gensim's number; that its log line raises 2 to it, and not e, is gensim's slip.
        """
        bags = self._bags(chunk)
        ratio = (total_docs or len(bags)) / len(bags)
        return self.bound(bags, subsample_ratio=ratio) / (ratio * float(bags.lengths().sum()) or 1.0)


def _infer(seed: int | None, longest: int, *what: Any) -> None:
    *before, gamma, theta, ratio, first, end = what
    if seed is not None:
        _fill(gamma, seed, first, end)
    width, fours = theta.shape[1], -(-gamma.shape[1] // 4) * 4
    rooms, of_words = np.empty((3, width), np.float32), np.empty((fours + 3, longest), np.float32)
    whole: Any = [*before, gamma, theta, ratio, rooms, theta.view(np.int32), of_words, first, end]
    infer(*whole)


def _sum_words(what: Any, beta: Floats, first: int, end: int, into: Floats) -> None:
    sums = np.zeros((end - first, into.shape[1]))
    whole: Any = [*what, into.shape[1], first, end, sums]
    sum_words(*whole)
    into[first:end] = sums * beta[first:end, : into.shape[1]]


def _exp_digamma(x: Floats, into: Floats) -> None:
    exp_digamma(x, np.float32(0.0), into, into.view(np.int32), np.empty_like(into))


def _log_likelihood(
    bags: Bags,
    elog_theta: Wide,
    elog_beta: Wide,
    theta: Wide,
    beta: Wide,
    highest: Wide,
    first: int,
    end: int,
    into: Wide,
) -> None:
    """Σ n_dw log Σ_k exp(E log θ_dk + E log β_kw) over the words of some documents, into `into` (1,).

    `theta` is exp(E log θ), `beta` exp(E log β) as a part of each word's `highest`.
    """
    some = Bags(bags.indptr, bags.ids, bags.counts, bags.rows[first:end]).copied()
    document, word = np.repeat(np.arange(first, end), np.diff(some.indptr)), some.ids
    mixed = np.einsum("ik,ik->i", theta[document], beta[word])
    logs = np.log(np.maximum(mixed, TINY)) + highest[word]
    tiny = np.flatnonzero(mixed < TINY)
    if len(tiny):
        logs[tiny] = logsumexp(elog_theta[document[tiny]] + elog_beta[word[tiny]], axis=1)
    into[0] = (some.counts * logs).sum()
