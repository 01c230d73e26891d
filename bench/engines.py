"""The LDA engines that bench/lda.py compares, each as one function: the same bags of words in, topics out.

Each engine gets the bags in the form it likes best, made before the clock starts.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "bench" / "out" / "lda"
WORKERS = 2
CHUNK = 2_000  # gensim's own chunksize, for every engine that has one


@dataclass
class Trained:
    """Topics as pseudo-counts λ, prior included, (topics, words), with the priors, and the seconds of training.

    A variational engine has λ; a sampler's counts of words in topics, and its prior, are the same thing.
    """

    weights: NDArray[np.float64]
    alpha: NDArray[np.float64]
    eta: float
    seconds: float
    measured: str = ""  # when, if it is a figure of an earlier run


class Material:
    """A corpus and its training articles in each engine's form, made once."""

    def __init__(self, corpus: Any) -> None:
        from lib.topics.model import training_articles

        self.corpus = corpus
        order = np.array(training_articles(corpus))
        self.training: list[int] = order.tolist()
        np.random.default_rng(1).shuffle(order)  # files come sorted by paper and date
        self.rows: list[int] = order.tolist()

    @cached_property
    def lists(self) -> list[list[tuple[int, int]]]:
        """gensim's form."""
        return [self.corpus.bag(d) for d in self.rows]

    @cached_property
    def matrix(self) -> Any:
        """scikit-learn's form."""
        from scipy.sparse import csr_matrix

        shape = (len(self.corpus), len(self.corpus.dictionary))
        parts = (np.array(self.corpus.counts), np.array(self.corpus.ids), np.array(self.corpus.indptr))
        return csr_matrix(parts, shape)[self.rows].astype(np.float64)

    @cached_property
    def digest(self) -> str:
        """The corpus in a few letters: bags, words and what is held out."""
        words = [self.corpus.dictionary[word] for word in range(len(self.corpus.dictionary))]
        whole = blake2b("\n".join(words).encode(), digest_size=6)
        for part in (self.corpus.indptr, self.corpus.ids, self.corpus.counts, self.corpus.held_out):
            whole.update(np.ascontiguousarray(part).tobytes())
        return whole.hexdigest()


def _of_gensim(model: Any, seconds: float) -> Trained:
    return Trained(
        np.array(model.state.get_lambda(), np.float64),
        np.array(model.alpha, np.float64),
        float(np.mean(model.eta)),
        seconds,
    )


def gensim(material: Material, topics: int, passes: int, seed: int) -> Trained:
    """gensim's LdaModel with its own defaults, but for a pass without an evaluation."""
    from gensim.models import LdaModel

    return _gensim(LdaModel, material, topics, passes, seed, eval_every=None)


def multicore(material: Material, topics: int, passes: int, seed: int) -> Trained:
    """gensim's LdaMulticore with two workers."""
    from gensim.models import LdaMulticore

    return _gensim(LdaMulticore, material, topics, passes, seed, eval_every=None, workers=WORKERS)


def ours_as_gensim(material: Material, topics: int, passes: int, seed: int) -> Trained:
    """Our engine in the place of gensim's, with the same lists and the same settings."""
    from lib.topics.lda import Lda

    return _gensim(Lda, material, topics, passes, seed, eval_every=None, threads=WORKERS)


def _gensim(kind: Callable[..., Any], material: Material, topics: int, passes: int, seed: int, **more: Any) -> Trained:
    lists, words = material.lists, material.corpus.dictionary
    started = time.perf_counter()
    model = kind(lists, num_topics=topics, id2word=words, chunksize=CHUNK, passes=passes, random_state=seed, **more)
    return _of_gensim(model, time.perf_counter() - started)


def ours(material: Material, topics: int, passes: int | None, seed: int) -> Trained:
    """Our training as the job does it; without a number of passes, as many as the job makes on its own."""
    from lib.topics.model import fit_topics

    how = {} if passes is None else {"passes": passes}
    started = time.perf_counter()
    model = fit_topics(material.corpus, topics=topics, seed=seed, advance=lambda _: None, **how)
    return _of_gensim(model, time.perf_counter() - started)


def sklearn(material: Material, topics: int, passes: int, seed: int) -> Trained:
    """scikit-learn's online LDA with gensim's settings. `fit` would make one more E-step at its end; this doesn't."""
    from sklearn.decomposition import LatentDirichletAllocation

    matrix = material.matrix
    started = time.perf_counter()
    model = LatentDirichletAllocation(
        topics,
        learning_method="online",
        learning_decay=0.5,
        learning_offset=1.0,
        batch_size=CHUNK,
        total_samples=matrix.shape[0],
        max_doc_update_iter=50,
        mean_change_tol=1e-3,
        n_jobs=WORKERS,
        random_state=seed,
    )
    for _ in range(passes):
        model.partial_fit(matrix)
    seconds = time.perf_counter() - started
    return Trained(model.components_, np.full(topics, 1 / topics), 1 / topics, seconds)


def tomotopy(material: Material, topics: int, iterations: int, seed: int) -> Trained:
    """tomotopy's Gibbs sampler with its own defaults (α = 0.1, and tuned on the way; η = 0.01) and two workers."""
    import warnings

    import tomotopy as tp

    corpus, size = material.corpus, len(material.corpus.dictionary)
    model = tp.LDAModel(k=topics, seed=seed)
    for d in material.rows:
        a, b = corpus.indptr[d], corpus.indptr[d + 1]
        model.add_doc([str(word) for word in np.repeat(corpus.ids[a:b], corpus.counts[a:b])])
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that two workers' results differ from run to run
        model.train(iterations, workers=WORKERS)
    seconds = time.perf_counter() - started
    weights = np.full((topics, size), float(model.eta))
    places = np.array([int(word) for word in model.used_vocabs])
    for k, count in enumerate(model.get_count_by_topics()):
        counts = np.array(model.get_topic_word_dist(k)) * (count + model.eta * len(places))
        weights[k, places] = counts
    return Trained(weights, np.array(model.alpha, np.float64), float(model.eta), seconds)


def kept(
    engine: Callable[[Material, int, int, int], Trained],
    package: str,
    material: Material,
    topics: int,
    passes: int,
    seed: int,
    fresh: bool,
) -> Trained:
    """What the engine gives, or gave in an earlier run for the same bags, settings and release (unless `fresh`)."""
    name = f"{engine.__name__}-{version(package)}-{material.digest}-K{topics}-{passes}-{seed}.npz"
    path = CACHE / name
    if path.is_file() and not fresh:
        with np.load(path) as file:
            return Trained(
                file["weights"], file["alpha"], float(file["eta"]), float(file["seconds"]), str(file["measured"])
            )
    trained = engine(material, topics, passes, seed)
    CACHE.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        weights=trained.weights.astype(np.float32),
        alpha=trained.alpha,
        eta=trained.eta,
        seconds=trained.seconds,
        measured=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )
    return trained


def coherence(trained: Trained, material: Material) -> float:
    """Mean NPMI of the topics' ten likeliest words over the training articles."""
    from lib.topics.quality import npmi

    return float(npmi(material.corpus, material.training, top_words(trained)).mean())


def top_words(trained: Trained) -> Sequence[Sequence[int]]:
    """The ids of each topic's ten likeliest words."""
    from lib.topics import quality

    return quality.top_words(trained.weights / trained.weights.sum(axis=1, keepdims=True))


def bound(trained: Trained, material: Material) -> float | None:
    """The held-out bound a word that gensim's LdaModel has with these topics and priors."""
    from gensim.models import LdaModel

    from lib.topics.quality import held_out_bound

    topics, words = trained.weights.shape
    model = LdaModel(
        num_topics=topics, id2word=material.corpus.dictionary, alpha=trained.alpha, eta=trained.eta, random_state=1
    )
    model.state.sstats = (trained.weights - trained.eta).astype(model.dtype).reshape(topics, words)
    model.sync_state()
    return held_out_bound(model, material.corpus, len(material.training))
