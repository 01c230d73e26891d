"""What a text is about is told with the words that say so, whatever the file is."""

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from gensim.models import LdaModel
from hypothesis import given
from hypothesis import strategies as st

from lib.errors import BadData
from lib.topics.of_text import MIN_SHARE, MOST_BYTES, _decoded, read_text, topics_of_text
from tests.lib.topics.made import PLANTED

WORDS = [*(word for words in PLANTED for word in words), "bank_of_england", "bank", "white_house", "house"]


@pytest.fixture(scope="module")
def model() -> LdaModel:
    """Three planted topics, and a bank with the first of them."""
    made = LdaModel(id2word=dict(enumerate(WORDS)), num_topics=3, alpha=0.1, eta=0.01, random_state=1)
    sstats = np.full((3, len(WORDS)), 0.1, np.float32)
    for k, words in enumerate(PLANTED):
        sstats[k, [WORDS.index(word) for word in words]] = 50
    sstats[0, WORDS.index("bank_of_england")] = 50
    made.state.sstats = sstats
    made.sync_state()
    return made


def test_the_topics_come_largest_first_with_the_words_that_say_so(model: LdaModel) -> None:
    told = topics_of_text(model, "The oven, the flour and the dough; dough again. A ship!", {"the", "and", "again"})
    assert [topic.column for topic in told.topics[:2]] == [1, 0]
    assert told.topics[0].share > told.topics[1].share > MIN_SHARE
    first = told.topics[0].words
    assert (first[0].word, first[0].count) == ("dough", 2)
    assert {word.word for word in first[:3]} == {"dough", "flour", "oven"}
    assert told.topics[1].words[0].word == "ship"
    assert (told.words, told.known, told.unknown) == (5, 5, 0)


def test_each_words_uses_are_parted_among_the_topics(model: LdaModel) -> None:
    told = topics_of_text(model, "ship ship oven goal " * 5, ())
    assert len(told.topics) == 3
    for word in ("ship", "oven", "goal"):
        of_it = [each for topic in told.topics for each in topic.words if each.word == word]
        assert sum(each.uses for each in of_it) == pytest.approx(of_it[0].count, rel=1e-4)
    assert sum(topic.share for topic in told.topics) == pytest.approx(1, abs=1e-5)


def test_phrases_are_joined_as_the_vocabulary_has_them_but_not_over_punctuation(model: LdaModel) -> None:
    told = topics_of_text(model, "The Bank of England’s ship. The bank, of England, by the white. House", {"the", "of"})
    words = {each.word: each.count for topic in told.topics for each in topic.words}
    assert words == {"bank_of_england": 1, "bank": 1, "ship": 1, "house": 1}
    assert (told.words, told.known) == (7, 4)  # England, by, and white alone are not the model's
    assert told.unknown == pytest.approx(3 / 7)


def test_the_same_text_is_told_the_same(model: LdaModel) -> None:
    text = "goal keeper ship oven " * 7
    first, second = topics_of_text(model, text, ()), topics_of_text(model, text, ())
    assert [topic.column for topic in first.topics] == [topic.column for topic in second.topics]
    for one, other in zip(first.topics, second.topics, strict=True):
        assert one.share == pytest.approx(other.share, abs=1e-2)


@pytest.mark.parametrize("text, what", [("zorg blorg", "none of its 2 words"), ("the 12 %", "no words")])
def test_a_text_of_unknown_words_has_no_topics(model: LdaModel, text: str, what: str) -> None:
    with pytest.raises(BadData, match=what):
        topics_of_text(model, text, {"the"})


@pytest.mark.parametrize(
    "raw, text",
    [
        ("Café\n".encode(), "Café\n"),
        (b"\xef\xbb\xbfship\r\n", "ship\r\n"),
        ("Café – club’s".encode("cp1252"), "Café – club’s"),
        ("Café".encode("utf-16"), "Café"),
        (b"tab\tand\x0cpage", "tab\tand\x0cpage"),
    ],
)
def test_texts_are_read_as_they_come(tmp_path: Path, raw: bytes, text: str) -> None:
    (tmp_path / "a.txt").write_bytes(raw)
    assert read_text(tmp_path / "a.txt") == text


@pytest.mark.parametrize(
    "raw, what", [(b"", "empty"), (b" \n", "empty"), (b"\xef\xbb\xbf", "empty"), (b"a\0b", "no text")]
)
def test_what_is_no_text_is_said(tmp_path: Path, raw: bytes, what: str) -> None:
    (tmp_path / "a.txt").write_bytes(raw)
    with pytest.raises(BadData, match=f"a.txt: it is {what}"):
        read_text(tmp_path / "a.txt")


def test_missing_files_folders_and_endless_devices_are_refused(tmp_path: Path) -> None:
    for path, what in (
        (tmp_path / "a", "not there"),
        (tmp_path, "a folder"),
        (tmp_path / ("a" * 300), "can't read"),
        (Path("/dev/zero"), f"more than {MOST_BYTES >> 20} MiB"),
    ):
        with pytest.raises(BadData, match=what):
            read_text(path)


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("ship")
    (tmp_path / "a").chmod(0)
    if os.access(tmp_path / "a", os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(BadData, match="Permission denied"):
        read_text(tmp_path / "a")


def test_standard_input_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"ship")))
    assert read_text(Path("-")) == "ship"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_text_or_none(raw: bytes) -> None:
    text = _decoded(raw)
    assert text is None or isinstance(text, str)
