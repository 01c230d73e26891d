"""A topics run's files beside its rows (model, dictionary, bags, the whole document–topic matrix), and its figures."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from gensim.models import LdaModel
from numpy.typing import NDArray

from lib.errors import BadData, SourceUnavailable
from lib.topics.corpus import Corpus
from lib.topics.lda import Lda
from lib.topics.summary import Summary


def save_model(folder: Path, model: LdaModel, corpus: Corpus, weights: NDArray[np.float32]) -> None:
    """Write `lda.model` and `dictionary.gensim` (gensim's own formats), `document_topics.npz` and `bags.npz`.

    Beside them lies what `save_topics` writes, which can be read without unpickling.
    `document_topics.npz` has `articles` (ids, as in the table) and `weights` (float32, articles × topics).
    `bags.npz` has the bags of words in CSR form, with which articles were held out.
    """
    save_topics(folder, model)
    model.save(str(folder / "lda.model"))
    corpus.dictionary.save(str(folder / "dictionary.gensim"))
    ids = np.array([article.id for article in corpus.articles])
    np.savez_compressed(folder / "document_topics.npz", articles=ids, weights=weights)
    np.savez_compressed(
        folder / "bags.npz",
        indptr=corpus.indptr,
        ids=corpus.ids,
        counts=corpus.counts,
        held_out=corpus.held_out,
    )


def save_topics(folder: Path, model: LdaModel) -> None:
    """Write what `load_model` reads: `topics.npz` (float32 `sstats`, `alpha`, `eta`) and `vocabulary.json`, by id."""
    np.savez(
        folder / "topics.npz",
        sstats=np.asarray(model.state.sstats, np.float32),
        alpha=np.asarray(model.alpha, np.float32),
        eta=np.asarray(model.eta, np.float32),
    )
    words = [model.id2word[word] for word in range(model.num_terms)]
    (folder / "vocabulary.json").write_text(json.dumps(words), encoding="utf-8")


def load_model(folder: Path) -> Lda:
    """The model that `save_topics` wrote; nothing is unpickled.

    Raises SourceUnavailable where the files are not there, BadData where they are damaged.
    """
    try:
        with (folder / "topics.npz").open("rb") as file, np.load(file, allow_pickle=False) as kept:
            sstats, alpha, eta = (np.asarray(kept[name], np.float32) for name in ("sstats", "alpha", "eta"))
        words = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        fit = isinstance(words, list) and sstats.shape == (len(alpha), len(words)) and eta.shape == (len(words),)
        if not fit or not all(np.isfinite(each).all() for each in (sstats, alpha, eta)):
            raise ValueError("its parts don't go together")
    except FileNotFoundError as fault:
        raise SourceUnavailable(
            f"{fault.filename} is not there (an earlier version wrote none, or it was pruned); run model_topics again"
        ) from fault
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as fault:
        raise BadData(f"the topics in {folder} are damaged ({fault}); run model_topics again") from fault
    model = Lda(id2word=dict(enumerate(words)), num_topics=len(alpha), alpha=alpha, eta=eta, random_state=1, threads=1)
    model.state.sstats = sstats
    model.sync_state()
    return model


def topics_json(summary: Summary) -> list[dict[str, Any]]:
    """The topics as `--json` shows them, the largest first."""
    return [
        {
            "id": topic.id,
            "label": topic.label,
            "words": [[word, weight] for word, weight in topic.words],
            "share": topic.share,
            "npmi": topic.npmi,
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
