"""Words, the names of publications at the end of titles, and stop words."""

from itertools import pairwise
from pathlib import Path

import nltk
import pytest
from gensim.parsing.preprocessing import STOPWORDS
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lib.topics.text import BREAK, publication_suffixes, stop_words, tokenise, without_suffix


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The White House", "the white house"),
        ("Clinton's emails", "clinton emails"),
        ("Clinton’s emails", "clinton emails"),
        ("the voters' choice", "the voters choice"),
        ("don't won't CAN'T we'll they’ve", "do will can we they"),
        ("o'clock O’Brien", "o'clock o'brien"),
        ("'quoted'", "quoted"),
        ("left-wing e-mail", "left wing e mail"),
        ("the U.S. and the u.k. say", "the u.s. and the u.k. say"),
        ("one, two. three", "one . two . three"),
        ("well... (yes)", "well . yes ."),
        ("in 2017 and 3.5 mln", "in . and . mln"),
        ("1,000 men", "men"),
        ("covid19", "covid19"),
        ("Ünïcode Москва", "ünïcode москва"),
        ("n't", "n't"),
        ("", ""),
    ],
)
def test_text_becomes_lower_case_words_with_breaks(text: str, words: str) -> None:
    assert tokenise(text) == words.split()


@given(st.text() | st.text("aB'’.n t-1_sİΣ", max_size=20))
@example("n't")
@settings(deadline=None)
def test_any_text_gives_words_in_lower_case_without_spaces(text: str) -> None:
    tokens = tokenise(text)
    assert all(token and token == token.lower() for token in tokens)
    assert " ".join(tokens).split() == tokens
    assert (BREAK, BREAK) not in pairwise(tokens)


@pytest.mark.parametrize(
    ("title", "publication"),
    [
        ("A title - The New York Times", "New York Times"),
        ("A title | Reuters", "Reuters"),
        ("A title|Reuters", "Reuters"),
        ("A title — BBC News", "BBC News"),
        ("A title - Breitbart", "Breitbart"),
        ("A title - CNN", "cnn.com"),
        ("A title - Fox News", "foxnews.com"),
        ("A title » The Guardian", "guardian.co.uk"),
    ],
)
def test_a_publication_s_own_name_is_removed_though_it_stands_there_once(title: str, publication: str) -> None:
    assert without_suffix(title, publication_suffixes([title, "Other"], [publication, publication])) == "A title"


def test_an_ending_that_a_publication_s_titles_share_is_learned() -> None:
    titles = [f"Title {number} - NYT Politics" for number in range(3)] + ["Plain"] * 10
    suffixes = publication_suffixes(titles, ["New York Times"] * 13)
    assert [without_suffix(title, suffixes) for title in titles[:2]] == ["Title 0", "Title 1"]


def test_an_ending_of_few_titles_or_of_a_small_share_is_not_learned() -> None:
    few = [f"Title {number} - Opinion" for number in range(2)]
    assert not publication_suffixes(few, ["Paper"] * 2)
    rare = [f"Title {number} - Opinion" for number in range(3)] + ["Plain"] * 13
    assert not publication_suffixes(rare, ["Paper"] * 16)


def test_endings_are_removed_one_after_another() -> None:
    titles = [f"Title {number} - Politics - CNN" for number in range(5)]
    suffixes = publication_suffixes(titles, ["CNN"] * 5)
    assert without_suffix(titles[0], suffixes) == "Title 0"
    assert without_suffix("Obama - Politics - CNN", publication_suffixes(["Obama - Politics - CNN"], ["CNN"])) == (
        "Obama - Politics"
    )


@pytest.mark.parametrize(
    "title",
    ["Brexit - what now?", "Left-wing parties", "Trump: the verdict", "- CNN", "CNN", "A tale - CNN and others"],
)
def test_a_title_that_merely_has_a_dash_keeps_it(title: str) -> None:
    suffixes = publication_suffixes([title, "A title - CNN"], ["CNN", "CNN"])
    assert without_suffix(title, suffixes) == title


@given(st.lists(st.tuples(st.text("ab -|'é\n", max_size=20), st.text("ab .", max_size=4)), max_size=5))
@settings(deadline=None)
def test_no_title_is_emptied(rows: list[tuple[str, str]]) -> None:
    titles = [title for title, _ in rows]
    suffixes = publication_suffixes(titles, [publication for _, publication in rows])
    for title in titles:
        assert without_suffix(title, suffixes).strip() or not title.strip()


@pytest.fixture
def no_nltk_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """NLTK as on a machine without its data, whatever this one has."""
    monkeypatch.setattr(nltk.data, "path", [])


@pytest.mark.usefixtures("no_nltk_data")
def test_without_nltk_data_gensim_s_list_is_used_and_named(tmp_path: Path) -> None:
    words, name = stop_words(tmp_path, fetch=False)
    assert words >= STOPWORDS
    assert name.startswith(f"gensim's STOPWORDS ({len(STOPWORDS)} words")


@pytest.mark.usefixtures("no_nltk_data")
def test_a_fetch_that_fails_leaves_gensim_s_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(nltk, "download", fail)
    assert stop_words(tmp_path)[1].startswith("gensim's")


@pytest.mark.usefixtures("no_nltk_data")
@pytest.mark.parametrize("place", ["the desk's data", "NLTK's path"])
def test_nltk_s_list_is_used_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    folder = tmp_path / "nltk_data"
    if place == "NLTK's path":
        folder = tmp_path / "elsewhere"
        monkeypatch.setattr(nltk.data, "path", [str(folder)])
    (folder / "corpora" / "stopwords").mkdir(parents=True)
    (folder / "corpora" / "stopwords" / "english").write_text("the\nshe'll\nwon't\n")
    words, name = stop_words(tmp_path, fetch=False)
    assert name == "NLTK's stopwords (3 words)"
    assert words == {"the", "she'll", "she", "won't", "will", "mr", "mrs", "ms", "dr"}


@pytest.mark.usefixtures("no_nltk_data")
def test_what_the_tokeniser_makes_of_a_stop_word_is_one(tmp_path: Path) -> None:
    words, _ = stop_words(tmp_path, fetch=False)
    assert set(tokenise("Mr. Jones wasn't where he'd been; they’re")) - words == {BREAK, "jones"}


def test_a_title_of_a_million_dashes_takes_no_longer_than_its_length_asks():
    title = "a - " * 250_000 + "b"
    publication_suffixes([title] * 3, ["Paper"] * 3)
    assert without_suffix(title, {"b": "b"}).startswith("a - ")
