"""A topics run's files hold what the run found, and its sentence and JSON say it."""

import json
from pathlib import Path

import numpy as np
import pytest

from lib.errors import BadData, SourceUnavailable
from lib.topics.files import load_model, one_sentence, save_model, topics_json
from lib.topics.model import fit_topics, infer_topics
from lib.topics.npz import pieces, write_npz
from tests.lib.topics.made import advance, made_corpus, made_summary, made_topic, made_weeks, planted_texts

SUMMARY = made_summary([made_topic(1, ("ship", "sail", "tide"), share=0.625), made_topic(0, ("oven", "flour"))])


def test_the_matrices_are_kept_whole_and_load_without_pickle(tmp_path: Path) -> None:
    corpus = made_corpus([*planted_texts(30), []], held_out=[4])
    model = fit_topics(corpus, topics=3, passes=1, seed=1, advance=advance)
    weights = infer_topics(model, corpus, advance)
    save_model(tmp_path, model, corpus, weights)
    with np.load(tmp_path / "document_topics.npz", allow_pickle=False) as kept:
        assert kept["articles"].tolist() == [article.id for article in corpus.articles]
        assert kept["weights"].dtype == np.float32
        np.testing.assert_array_equal(kept["weights"], weights)
    with np.load(tmp_path / "bags.npz", allow_pickle=False) as kept:
        for name in ("indptr", "ids", "counts", "held_out"):
            np.testing.assert_array_equal(kept[name], getattr(corpus, name))


@pytest.mark.parametrize("rows", [0, 1, 7, 8])
def test_an_array_is_the_same_in_however_many_pieces_it_was_written(
    tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.topics.npz.PIECE", 4)
    matrix = np.asfortranarray(np.arange(3 * rows, dtype=np.float32).reshape(rows, 3))
    names = np.array([f"{row:016x}" for row in range(rows)], "U16")
    write_npz(tmp_path / "both.npz", {"matrix": (rows, pieces(matrix)), "names": (rows, pieces(names))})
    with np.load(tmp_path / "both.npz", allow_pickle=False) as kept:
        assert kept.files == ["matrix", "names"]
        np.testing.assert_array_equal(kept["matrix"], matrix, strict=True)
        np.testing.assert_array_equal(kept["names"], names, strict=True)


def test_topics_as_json_are_the_largest_first_with_words_and_weights() -> None:
    said = json.loads(json.dumps(topics_json(SUMMARY, made_weeks(SUMMARY))))
    assert [topic["id"] for topic in said] == [1, 0]
    assert said[0] == {
        "id": 1,
        "column": 1,
        "fate": "born",
        "since": "2026-07-05",
        "label": "ship, sail, tide",
        "words": [["ship", 0.2], ["sail", 0.1], ["tide", 0.066667]],
        "share": 0.625,
        "npmi": 0.1,
        "stability": 0.75,
    }


@pytest.mark.parametrize("new, news", [(0, "none of them new"), (1234, "1,234 of them new"), (5000, "all of them new")])
def test_the_sentence_says_how_many_articles_are_new(new: int, news: str) -> None:
    assert one_sentence(SUMMARY, 5000, new) == (
        f"2 topics in 5,000 articles, {news}; the largest is about ship, sail, tide (62% of the words); "
        "coherence (NPMI) 0.100."
    )


def test_a_model_is_loaded_as_it_was_saved_without_unpickling(tmp_path: Path) -> None:
    corpus = made_corpus(planted_texts(30))
    model = fit_topics(corpus, topics=3, passes=2, seed=1, advance=advance)
    save_model(tmp_path, model, corpus, infer_topics(model, corpus, advance))
    loaded = load_model(tmp_path)
    np.testing.assert_array_equal(loaded.get_topics(), model.get_topics())
    np.testing.assert_allclose(loaded.expElogbeta, model.expElogbeta, rtol=1e-5)
    np.testing.assert_array_equal(loaded.alpha, model.alpha)
    assert [loaded.id2word[word] for word in range(loaded.num_terms)] == [corpus.dictionary[w] for w in range(24)]


def damage(folder: Path, kind: str) -> None:
    """Make a model's files unfit in one way."""
    topics, words = folder / "topics.npz", folder / "vocabulary.json"
    if kind == "cut short":
        topics.write_bytes(topics.read_bytes()[:200])
    elif kind == "no archive":
        topics.write_text("no archive")
    elif kind == "pickled":
        np.savez(topics, sstats=np.array([{"a": 1}], object), alpha=np.ones(3), eta=np.ones(24))
    elif kind == "an array missing":
        np.savez(topics, sstats=np.ones((3, 24)), alpha=np.ones(3))
    elif kind == "another shape":
        np.savez(topics, sstats=np.ones((3, 23)), alpha=np.ones(3), eta=np.ones(23))
    elif kind == "not a number":
        np.savez(topics, sstats=np.full((3, 24), np.nan), alpha=np.ones(3), eta=np.ones(24))
    elif kind == "no JSON":
        words.write_text("[")
    else:
        words.write_text("{}")


KINDS = (
    "cut short",
    "no archive",
    "pickled",
    "an array missing",
    "another shape",
    "not a number",
    "no JSON",
    "no list",
)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_topics_are_bad_data_and_missing_ones_a_source_that_is_not_there(tmp_path: Path, kind: str) -> None:
    with pytest.raises(SourceUnavailable, match=r"topics\.npz"):
        load_model(tmp_path)
    corpus = made_corpus(planted_texts(9))
    model = fit_topics(corpus, topics=3, passes=1, seed=1, advance=advance)
    save_model(tmp_path, model, corpus, infer_topics(model, corpus, advance))
    damage(tmp_path, kind)
    with pytest.raises(BadData, match="damaged"):
        load_model(tmp_path)
