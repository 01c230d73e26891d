"""A topics run's files beside its rows (model, dictionary, bags, the whole document–topic matrix), and its figures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from gensim.models import LdaModel
from numpy.typing import NDArray

from lib.errors import BadData, SourceUnavailable
from lib.topics.corpus import Corpus, words_of
from lib.topics.history import Fading
from lib.topics.ids import as_texts
from lib.topics.judgement import Judgement
from lib.topics.kept import TOPICS, VOCABULARY, keep, read_kept
from lib.topics.lda import Lda
from lib.topics.npz import pieces, write_npz
from lib.topics.summary import Summary
from lib.topics.tracking import Weeks


def save_model(
    folder: Path,
    model: LdaModel,
    corpus: Corpus,
    weights: NDArray[np.float32],
    left: Fading | None = None,
) -> None:
    """Write `lda.model` and `dictionary.gensim` (gensim's own formats), `document_topics.npz` and `bags.npz`.

    `document_topics.npz` has `articles` (ids, as in the table) and `weights` (float32, articles × topics).
    `bags.npz` has the bags of words in CSR form, with which articles were held out. What next week starts from, which
    is read again by no unpickling, is in `topics.npz` and `vocabulary.json` (lib.topics.kept), with what is `left` of
    words that fade.
    """
    model.save(str(folder / "lda.model"))
    corpus.dictionary.save(str(folder / "dictionary.gensim"))
    articles = len(corpus)
    ids = map(as_texts, pieces(corpus.article_ids()))
    write_npz(folder / "document_topics.npz", {"articles": (articles, ids), "weights": (articles, pieces(weights))})
    bags = {name: getattr(corpus, name) for name in ("indptr", "ids", "counts", "held_out")}
    write_npz(folder / "bags.npz", {name: (len(array), _released(corpus, array)) for name, array in bags.items()})
    keep(folder, model.state.sstats, model.alpha, model.eta, words_of(corpus), left)


def _released(corpus: Corpus, array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for piece in pieces(array):
        yield piece
        corpus.release()


def load_model(folder: Path) -> Lda:
    """The model whose numbers `save_model` has left in a run's folder; nothing is unpickled.

    Raises SourceUnavailable where the files are not there, BadData where they are damaged.
    """
    for name in (TOPICS, VOCABULARY):
        if not (folder / name).is_file():
            raise SourceUnavailable(
                f"{folder / name} is not there (from an earlier version, or pruned); run model_topics again"
            )
    try:
        kept = read_kept(folder)
    except BadData as fault:
        raise BadData(f"the topics in {folder} are damaged ({fault}); run model_topics again") from fault
    words = dict(enumerate(kept.words))
    model = Lda(id2word=words, num_topics=len(kept.alpha), alpha=kept.alpha, eta=kept.eta, random_state=1, threads=1)
    model.state.sstats = kept.sstats
    model.sync_state()
    return model


def metrics(summary: Summary, weeks: Weeks, judged: Judgement, corpus: Corpus, new: int) -> dict[str, Any]:
    """A run's figures; `new` articles are in no earlier run."""
    return {
        "articles": len(corpus),
        "new_articles": new,
        "tokens": corpus.tokens,
        "vocabulary": len(corpus.dictionary),
        "topics": topics_json(summary, weeks),
        "coherence_npmi": summary.coherence,
        "stability": judged.mean_stability,
        "bound_per_word": summary.bound,
        "fit_no_topic": judged.misfits.count,
    }


def topics_json(summary: Summary, weeks: Weeks) -> list[dict[str, Any]]:
    """The topics as `--json` shows them, the largest first."""
    return [
        {
            "id": topic.id,
            "column": topic.column,
            "fate": weeks.topics[topic.id].fate,
            "since": weeks.topics[topic.id].since,
            "label": topic.label,
            "words": [[word, weight] for word, weight in topic.words],
            "share": topic.share,
            "npmi": topic.npmi,
            "stability": topic.stability,
        }
        for topic in summary.topics
    ]


def one_sentence(summary: Summary, articles: int, new: int) -> str:
    """The run in one sentence, for the ledger, the index and the terminal."""
    largest = summary.topics[0]
    news = "none of them new" if new == 0 else "all of them new" if new == articles else f"{new:,} of them new"
    return (
        f"{len(summary.topics)} topics in {articles:,} articles, {news}; the largest is about {largest.label} "
        f"({largest.share:.0%} of the words); coherence (NPMI) {summary.coherence:.3f}."
    )
