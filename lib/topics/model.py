"""Training: where to start, passes until the topics stand still, and the topics of each article.

The articles are shuffled (a fixed seed), because files come sorted by paper and date. A twentieth of those that train
is set aside to watch: training ends once a pass makes its bound hardly better. The held-out articles, on which the
model is judged in the end, decide nothing.
"""

from typing import Any, Literal

import numpy as np
from gensim.models import LdaModel
from gensim.models.ldamodel import LdaState
from numpy.typing import NDArray

from lib.machine import cores
from lib.progress import Advance, nothing
from lib.topics.corpus import Corpus
from lib.topics.lda import Lda
from lib.topics.rows import Bags, taken
from lib.topics.sampling import ALPHA, Sample
from lib.topics.start import find_start, sweeps_to_come

Engine = Literal["compiled", "gensim"]
Floats = NDArray[np.float32]

CHUNK = 4_000  # articles between two updates with gensim's engine, about
INFERRED = 20_000  # articles that are inferred at a time
WATCHED = 20  # every so manieth training article is watched and not trained on,
LEAST_WATCHED = 50  # if that makes so many
STANDSTILL = 3e-4  # nats a word: a pass that brings less is the last one


def training_articles(corpus: Corpus) -> list[int]:
    """The numbers of the articles that make the model: those not held out and not empty after the cuts."""
    return np.flatnonzero(~corpus.held_out & (np.diff(corpus.indptr) > 0)).tolist() or list(range(len(corpus)))


def chunk_size(articles: int) -> int:
    """The size near CHUNK that parts so many articles into chunks as equal as can be."""
    return -(-articles // max(1, round(articles / CHUNK)))


def work(corpus: Corpus, *, passes: int, engine: Engine, start: Floats | None) -> int:
    """How many articles `fit_topics` will read at most, for the progress."""
    training = training_articles(corpus)
    sweeps = sweeps_to_come(corpus.lengths[training], warm=start is not None) if engine == "compiled" else 0
    return len(training) * passes + sweeps


def fit_topics(
    corpus: Corpus,
    *,
    topics: int,
    seed: int,
    passes: int = 30,
    advance: Advance = nothing,
    start: Floats | None = None,
    engine: Engine = "compiled",
    threads: int | None = None,
) -> Lda:
    """Train on the articles that aren't held out. The same corpus, numbers and seed give the same model.

    `start` are last week's counts, (topics, words), to go on from; rows of zeros are topics that it has not. At most
    `passes` are made, and fewer where the topics stand still. With the engine "gensim" the passes are gensim's own
    `LdaModel`, from its random start and with its online updates.
    """
    which = np.array(training_articles(corpus))
    np.random.default_rng(seed).shuffle(which)
    if engine == "gensim":
        return _fit_with_gensim(corpus, which, topics, seed, passes, advance, start)
    threads = threads or cores()
    watched = len(which) // WATCHED
    watched = watched if watched >= LEAST_WATCHED else 0
    watch, order = taken(corpus, which[:watched]), which[watched:]
    past = _as_sample(start, seed) if start is not None else None
    found = find_start(corpus, order, topics=topics, seed=seed, threads=threads, past=past, advance=advance)
    model = Lda(
        num_topics=topics, id2word=corpus.dictionary, alpha=found.alpha, eta=None, random_state=seed, threads=threads
    )
    model.state.numdocs = len(order)
    model.state.sstats = np.asfortranarray(found.counts * np.float32(corpus_scale(corpus, order, found.counts)))
    model.sync_state()
    in_order = np.sort(order)  # a pass sums over all articles: as they lie, large bags are read once
    bound = -np.inf
    for _ in range(passes):
        state = LdaState(model.eta, model.state.sstats.shape, model.dtype)
        for chunk in Bags.of(corpus, in_order).chunks(INFERRED):
            model.do_estep(chunk, state)
            corpus.release()
            advance(len(chunk))
        model.do_mstep(1.0, state, True)
        if watched:
            before, bound = bound, model.log_perplexity(watch, total_docs=len(order))
            if bound - before < STANDSTILL:
                break
    return model


def corpus_scale(corpus: Corpus, order: NDArray[np.int64], counts: Floats) -> float:
    """How many times as many words as `counts` the articles have."""
    return float(corpus.lengths[order].sum()) / max(float(counts.sum(dtype=np.float64)), 1.0)


def _as_sample(start: Floats, seed: int) -> Sample:
    """Last week's counts as a sampler's; topics that had none begin with words at random."""
    counts = start.astype(np.float32)
    empty = counts.sum(axis=1) <= 0
    if empty.any():
        draw = np.random.default_rng(seed).gamma(1.0, 1.0, (int(empty.sum()), counts.shape[1]))
        level = max(float(counts.sum()) / max(1, int((~empty).sum())), 1.0)
        counts[empty] = draw / draw.sum(axis=1, keepdims=True) * level
    return Sample(counts, np.full(len(counts), ALPHA, np.float32))


def _fit_with_gensim(
    corpus: Corpus, which: NDArray[np.int64], topics: int, seed: int, passes: int, advance: Advance, start: Any
) -> Lda:
    """gensim's own training, in equal chunks: it scales each up to the whole corpus, so that none may be small.

    α is its asymmetric prior 1 / (k + √K), so that a common topic may be common; η is 1 / K.
    """
    settings = {
        "num_topics": topics,
        "id2word": corpus.dictionary,
        "chunksize": chunk_size(len(which)),
        "passes": passes,
        "alpha": "asymmetric",
        "eval_every": None,
        "random_state": seed,
    }
    if start is None:
        return Lda.of(LdaModel(_Counted(Bags.of(corpus, which), advance), **settings), seed=seed)
    model = LdaModel(**settings)
    model.state.sstats, model.state.numdocs = _as_sample(start, seed).counts, len(which)
    model.sync_state()
    model.update(_Counted(Bags.of(corpus, which), advance))
    return Lda.of(model, seed=seed)


class _Counted:
    """Bags in gensim's form, read as often as asked, each counted."""

    def __init__(self, bags: Bags, advance: Advance) -> None:
        self._bags, self._advance = bags, advance

    def __len__(self) -> int:
        return len(self._bags)

    def __iter__(self) -> Any:
        for bag in self._bags:
            yield bag
            self._advance(1)


def infer_topics(model: LdaModel, corpus: Corpus, advance: Advance) -> Floats:
    """Each article's topic weights, shape (articles, topics), rows of sum 1; without words, the prior's."""
    weights = np.empty((len(corpus), model.num_topics), np.float32)
    place = 0
    for chunk in Bags.of(corpus).chunks(INFERRED):
        gamma, _ = model.inference(chunk)
        weights[place : place + len(chunk)] = gamma / gamma.sum(axis=1, keepdims=True)
        place += len(chunk)
        corpus.release()
        advance(len(chunk))
    return weights
