"""Models for the tests of inference: random ones, and gensim's answer from a given start."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
from gensim.models import LdaModel, ldamodel
from hypothesis import strategies as st
from numpy.typing import NDArray

from lib.topics.lda import Lda

Documents = list[list[tuple[int, float]]]
SINGLE = np.finfo(np.float32).eps


def drawn_topics(topics: int, words: int, seed: int = 0, scale: float = 20.0) -> NDArray[np.float32]:
    """Counts by topic, (topics, words), from next to nothing to a few times `scale`."""
    return np.random.default_rng(seed).gamma(0.3, scale, (topics, words)).astype(np.float32)


def model_of(kind: type, sstats: NDArray[np.float32], **settings: Any) -> Any:
    """A model of this class (gensim's or ours) with these counts by topic, (topics, words)."""
    topics, words = sstats.shape
    settings = {"iterations": 20, "gamma_threshold": 0.0, "random_state": 1, **settings}
    model = kind(num_topics=topics, id2word={word: f"w{word}" for word in range(words)}, **settings)
    model.state.sstats = sstats.astype(model.dtype)
    model.sync_state()
    return model


def pair(sstats: NDArray[np.float32], **settings: Any) -> tuple[Lda, LdaModel]:
    """Our model, and gensim's in double precision."""
    return model_of(Lda, sstats, **settings), model_of(LdaModel, sstats, dtype=np.float64, **settings)


def start_of(documents: int, topics: int, seed: int = 3) -> NDArray[np.float32]:
    """γ to start from, as gensim draws it."""
    return np.random.RandomState(seed).gamma(100.0, 0.01, (documents, topics)).astype(np.float32)


def gensims_inference(model: LdaModel, documents: Documents, start: NDArray[np.float32]) -> tuple[Any, Any]:
    """γ and the statistics by gensim's own code from this start, with single precision's epsilon in any precision."""
    before, model.random_state = model.random_state, SimpleNamespace(gamma=lambda *_: start.astype(model.dtype))
    try:
        with patch.object(ldamodel.np, "finfo", lambda dtype: SimpleNamespace(eps=model.dtype.type(SINGLE))):
            return model.inference(documents, collect_sstats=True)
    finally:
        model.random_state = before


def random_documents(seed: int, documents: int, words: int, longest: int = 40) -> Documents:
    """Documents of random words, Zipf's law by id, a few empty."""
    random = np.random.default_rng(seed)
    made: Documents = []
    for _ in range(documents):
        drawn = np.minimum(random.zipf(1.4, random.integers(0, longest)) - 1, words - 1)
        ids, counts = np.unique(drawn, return_counts=True)
        made.append(list(zip(ids.tolist(), counts.tolist(), strict=True)))
    return made


@st.composite
def cases(draw: st.DrawFn) -> tuple[Documents, NDArray[np.float32], dict[str, Any]]:
    """Documents, counts by topic, and settings: small, degenerate and large at once."""
    topics = draw(st.integers(1, 70))
    words = draw(st.integers(1, 30))
    counts = st.one_of(st.integers(1, 5), st.integers(1, 1_000_000))
    bag = st.dictionaries(st.integers(0, words - 1), counts, max_size=min(words, 20))
    documents = [sorted(each.items()) for each in draw(st.lists(bag, min_size=1, max_size=12))]
    sstats = drawn_topics(topics, words, draw(st.integers(0, 99)), draw(st.sampled_from([0.01, 1.0, 50.0, 1e5])))
    alpha: float | str | Sequence[float] = draw(
        st.one_of(
            st.just("asymmetric"),
            st.sampled_from([1e-3, 0.01, 0.1, 1.0, 5.0]),
            st.lists(st.floats(1e-3, 10.0), min_size=topics, max_size=topics),
        )
    )
    return documents, sstats, {"alpha": alpha, "eta": draw(st.sampled_from([1e-6, 1e-3, 0.01, 0.1, 1.0]))}


def assert_same(found: Any, expected: Any, least: float = 0.0) -> None:
    """Equal to 1e-4, but for one number in two hundred that single precision may leave off by twenty times as much.

    (The fixed point of a document is ill-conditioned where two topics are nearly as good; gensim's own single precision
    is further off there.) Numbers up to `least` may be off by it.
    """
    off = np.abs(np.asarray(found) - expected) / (np.abs(expected) + 1e4 * least)
    assert np.isfinite(found).all()
    assert (off > 1e-4).sum() <= 1 + off.size / 200
    assert off.max(initial=0.0) < 2e-3
