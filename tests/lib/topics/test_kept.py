"""What next week starts from is read again whole, or not at all."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.errors import BadData
from lib.topics.files import save_model
from lib.topics.kept import TOPICS, VOCABULARY, keep, read_kept
from lib.topics.model import fit_topics, infer_topics
from tests.lib.topics.made import advance, made_corpus, planted_texts

WORDS = ["ship", "sail", "tide", "oven"]
GOOD: dict[str, Any] = {
    "sstats": np.arange(8, dtype=np.float32).reshape(2, 4),
    "alpha": np.full(2, 0.5, np.float32),
    "eta": np.full(4, 0.5, np.float32),
}


def test_a_models_numbers_are_kept_and_give_its_topics_again(tmp_path: Path) -> None:
    corpus = made_corpus(planted_texts(60))
    model = fit_topics(corpus, topics=3, passes=2, seed=1, advance=advance)
    save_model(tmp_path, model, corpus, infer_topics(model, corpus, advance))
    kept = read_kept(tmp_path)
    np.testing.assert_allclose(kept.beta, model.get_topics(), rtol=1e-5)
    np.testing.assert_array_equal(kept.sstats, model.state.sstats)
    np.testing.assert_array_equal(kept.start, model.state.sstats)
    np.testing.assert_array_equal(kept.alpha, model.alpha)
    assert kept.words == [corpus.dictionary[word] for word in range(len(corpus.dictionary))]
    assert all(each.dtype == np.float32 for each in (kept.sstats, kept.alpha, kept.eta))


def test_the_start_has_what_is_left_of_words_that_fade_and_the_topics_have_not(tmp_path: Path) -> None:
    left = np.array([1, 3], np.int32), np.array([[2, 0], [0, 4]], np.float32)
    keep(tmp_path, **GOOD, words=WORDS, fading=left)
    kept = read_kept(tmp_path)
    assert kept.sstats.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert kept.start.tolist() == [[0, 3, 2, 3], [4, 5, 6, 11]]
    np.testing.assert_allclose(kept.beta[0], np.array([0.5, 1.5, 2.5, 3.5]) / 8)


@pytest.mark.parametrize(
    ("changed", "words", "named"),
    [
        ({"sstats": np.ones((2, 3), np.float32)}, WORDS, "belong"),
        ({"sstats": np.ones((3, 4), np.float32)}, WORDS, "belong"),
        ({"sstats": np.ones(8, np.float32)}, WORDS, "belong"),
        ({"eta": np.ones(3, np.float32)}, WORDS, "belong"),
        ({}, WORDS[:3], "belong"),
        ({"alpha": np.empty(0, np.float32), "sstats": np.empty((0, 4), np.float32)}, WORDS, "belong"),
        ({"sstats": np.full((2, 4), np.nan, np.float32)}, WORDS, "values"),
        ({"sstats": np.full((2, 4), -1, np.float32)}, WORDS, "values"),
        ({"sstats": np.full((2, 4), "a")}, WORDS, "values"),
        ({"eta": np.zeros(4, np.float32)}, WORDS, "values"),
        ({"fading_ids": np.array([4]), "fading": np.ones((2, 1), np.float32)}, WORDS, "values"),
        ({"fading_ids": np.array([1, 1]), "fading": np.ones((2, 2), np.float32)}, WORDS, "values"),
        ({"fading_ids": np.array([1]), "fading": np.ones((1, 1), np.float32)}, WORDS, "belong"),
        ({"sstats": np.array([{}], object)}, WORDS, "damaged"),
        ({}, ["ship", "ship", "tide", "oven"], "twice"),
        ({}, [1, 2, 3, 4], "no list of words"),
        ({}, [], "no list of words"),
        ({}, {"ship": 1}, "no list of words"),
    ],
)
def test_what_no_model_has_is_bad_data(tmp_path: Path, changed: dict[str, Any], words: Any, named: str) -> None:
    np.savez(tmp_path / TOPICS, **{**GOOD, **changed})
    (tmp_path / VOCABULARY).write_text(json.dumps(words))
    with pytest.raises(BadData, match=named):
        read_kept(tmp_path)


@pytest.mark.parametrize("name", [TOPICS, VOCABULARY])
def test_a_file_that_is_missing_or_empty_or_text_is_bad_data_and_is_named(tmp_path: Path, name: str) -> None:
    keep(tmp_path, **GOOD, words=WORDS)
    for text in ("", "not it", "[" * 100_000):
        (tmp_path / name).write_text(text)
        with pytest.raises(BadData, match=f"{name} is damaged"):
            read_kept(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(BadData, match=f"{name} is not there"):
        read_kept(tmp_path)


def test_a_single_array_in_the_file_is_damage(tmp_path: Path) -> None:
    keep(tmp_path, **GOOD, words=WORDS)
    with (tmp_path / TOPICS).open("wb") as file:
        np.save(file, GOOD["sstats"])
    with pytest.raises(BadData, match="damaged"):
        read_kept(tmp_path)


def test_a_file_without_one_of_the_arrays_is_bad_data(tmp_path: Path) -> None:
    keep(tmp_path, **GOOD, words=WORDS)
    np.savez(tmp_path / TOPICS, sstats=GOOD["sstats"], alpha=GOOD["alpha"])
    with pytest.raises(BadData, match="lacks eta"):
        read_kept(tmp_path)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_does_more_than_raise_bad_data(tmp_path: Path, data: st.DataObject) -> None:
    keep(tmp_path, **GOOD, words=WORDS, fading=(np.array([1], np.int32), np.ones((2, 1), np.float32)))
    path = tmp_path / data.draw(st.sampled_from([TOPICS, VOCABULARY]))
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    try:
        kept = read_kept(tmp_path)
    except BadData:
        return
    assert np.isfinite(kept.beta).all()
    assert kept.start.shape == (2, 4)


def test_an_archive_packed_by_another_method_is_read_as_well(tmp_path: Path) -> None:
    keep(tmp_path, **GOOD, words=WORDS)
    with zipfile.ZipFile(tmp_path / TOPICS) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(tmp_path / TOPICS, "w", zipfile.ZIP_BZIP2) as new:
        for name, content in members.items():
            new.writestr(name, content)
    assert read_kept(tmp_path).words == WORDS
