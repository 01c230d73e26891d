"""AFINN-111: what the afinn package gives, by another way; and the original's rule."""

import gzip
import os
import random
import warnings
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lib.errors import BadData
from lib.tweets import afinn
from lib.tweets.afinn import load_lexicon, make_lexicon, mark, normalise, score_afinn, score_words, scorer
from lib.tweets.parsing import Tweet, Unreadable, parse_line

with warnings.catch_warnings():  # the package's source has an escape that newer Pythons warn about when they compile it
    warnings.simplefilter("ignore")
    from afinn import Afinn  # type: ignore[import-untyped]

LEXICON = load_lexicon()
ENTRIES = list(LEXICON.valences)
SEVERAL = [entry for entry in ENTRIES if not entry.isalnum()]


@pytest.fixture(scope="module")
def package():
    """The afinn package with AFINN-111 in place of its default list."""
    its = Afinn()
    its.setup_from_file(its.full_filename("AFINN-111.txt"))
    return its


def agree(package, text: str) -> None:
    found = score_afinn(text, LEXICON)
    assert list(found.entries) == package.find_all(text)
    assert found.valence == package.score(text)


def test_the_list_is_afinn_111_as_the_package_reads_it(package):
    assert package._dict == LEXICON.valences
    assert len(ENTRIES) == 2477
    assert len([entry for entry in ENTRIES if " " in entry]) == 15


def test_every_entry_begins_and_ends_with_a_word_character():
    assert all((entry[0] + entry[-1]).isalnum() and entry == entry.lower() for entry in ENTRIES)


def test_every_entry_scores_its_valence(package):
    for entry in ENTRIES:
        assert score_afinn(entry, LEXICON) == (LEXICON.valences[entry], (entry,))
        agree(package, entry)


def test_pairs_of_entries_score_as_the_package_scores_them(package):
    draw = random.Random(111)
    pairs = [f"{first} {second}" for first in SEVERAL for second in SEVERAL]
    pairs += [f"{draw.choice(SEVERAL)}{draw.choice(' -')}{entry}" for entry in ENTRIES]
    pairs += [f"{entry}{draw.choice([' ', '-', '  '])}{draw.choice(ENTRIES)}" for entry in ENTRIES]
    for start in range(0, len(pairs), 500):
        agree(package, " | ".join(pairs[start : start + 500]))


def test_parts_of_entries_joined_otherwise_score_as_the_package_scores_them(package):
    words = sorted({word for entry in SEVERAL for word in entry.replace("-", " ").replace("'", " ").split()})
    for glue in (" ", "-", "'", "\t", " - ", "_", "\u00a0", "\u200b"):
        agree(package, " | ".join(f"{first}{glue}{second}" for first in words for second in words))


PIECES = st.one_of(
    st.sampled_from(ENTRIES),
    st.sampled_from(SEVERAL),
    st.sampled_from([word for entry in SEVERAL for word in entry.split()]),
    st.sampled_from(ENTRIES).map(str.upper),
    st.sampled_from([" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u200b", "\x1c", "\x85", "\u2028", "\0"]),
    st.sampled_from(["'", "’", "-", "–", "_", ".", "#", "@", "*", "…", "&", "😀", "\u0301", "\u0308", "\ufe0f"]),
    st.sampled_from(["İ", "ı", "ſ", "K", "ß", "Σ", "ǅ", "naıve", "NAÏVE", "nai\u0308ve", "²", "٣", "中", "n00b"]),
    st.text(max_size=4),
)


@given(st.lists(PIECES, max_size=12).map("".join) | st.lists(PIECES, max_size=12).map(" ".join))
@example("can't  stand it, can’t stand it")
@example("CAN'T\nSTAND")
@example("not\u00a0good")
@example("short-sightedness")
@example("green washing-up")
@example("does not working")
@example("self-confident-ly")
@example("İlove loveİ")
@settings(deadline=None, max_examples=300)
def test_any_text_scores_as_the_package_scores_it(package, text):
    agree(package, text)
    agree(package, normalise(text))


def real_tweets():
    """Texts of the English tweets, from the recordings."""
    for path in sorted(Path(os.environ["NIGHTDESK_REAL_DATA"], "tweets").rglob("*.jsonl*")):
        lines = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for line in lines.split(b"\n"):
            with suppress(Unreadable):  # one line is cut
                yield from (item.text for item in parse_line(line) if isinstance(item, Tweet) and item.lang == "en")


@pytest.mark.skipif(not os.environ.get("NIGHTDESK_REAL_DATA"), reason="NIGHTDESK_REAL_DATA is not set")
def test_every_real_english_tweet_scores_as_the_package_scores_it(package):
    texts = {normalise(text) for text in real_tweets()}
    assert len(texts) > 5000
    for text in texts:
        agree(package, text)


@pytest.mark.parametrize(
    ("text", "valence", "entries"),
    [
        ("", 0, ()),
        ("no entry of it here: not, can, stand", -1, ("no",)),
        ("GOOD, Bad & ugly", -3, ("good", "bad", "ugly")),
        ("not good", -2, ("not good",)),
        ("not\n  good", -2, ("not good",)),
        ("not very good", 3, ("good",)),
        ("some kind of idiot", -3, ("some kind", "idiot")),
        ("no fun", -3, ("no fun",)),
        ("goodish", 0, ()),
        ("#love @hate good_bad", 0, ("love", "hate")),
        ("love love", 6, ("love", "love")),
        ("naïve NAÏVE n00b", -6, ("naïve", "naïve", "n00b")),
        ("a short-sighted plan, once-in-a-lifetime", 1, ("short-sighted", "once-in-a-lifetime")),
    ],
)
def test_whole_words_count_in_lower_case_and_the_longest_entry_first(text, valence, entries):
    assert score_afinn(text, LEXICON) == (valence, entries)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("I can’t &amp; won‘t", "I can't & won't"),
        ("it&#39;s &lt;3 &rsquo;", "it's <3 '"),
        ("&amp;lt;", "&lt;"),
        ("a & b &", "a & b &"),
        ("quoʼte", "quoʼte"),
        ("", ""),
    ],
)
def test_entities_are_unescaped_once_and_curly_apostrophes_made_straight(text, plain):
    assert normalise(text) == plain


def test_the_rule_words_takes_what_stands_between_white_space_exactly_as_written():
    assert score_words("good Good good. not good\tbad", LEXICON) == (3, ("good", "good", "bad"))
    assert score_words("can't stand self-confident", LEXICON) == (2, ("self-confident",))
    assert score_words("", LEXICON) == (0, ())


def test_a_scorer_takes_texts_as_they_came():
    assert scorer("afinn")("I CAN’T stand it &amp; hate it").entries == ("can't stand", "hate")
    assert scorer("words")("I CAN’T stand it &amp; hate it").entries == ("hate",)


def test_marks_are_pieces_of_the_text_with_its_capitals_and_spaces():
    text = "Not  GOOD. İ love it"
    assert mark(text, LEXICON) == [("Not  GOOD", -2), (". İ ", None), ("love", 3), (" it", None)]
    assert mark("", LEXICON) == []


@given(st.lists(PIECES, max_size=12).map("".join))
@settings(deadline=None)
def test_marks_make_up_the_text_and_its_valence(text):
    pieces = mark(text, LEXICON)
    assert "".join(piece for piece, _ in pieces) == text
    assert [valence for _, valence in pieces if valence is not None] == [
        LEXICON.valences[entry] for entry in score_afinn(text, LEXICON).entries
    ]


def test_a_lexicon_without_phrases_works():
    assert score_afinn("good day", make_lexicon({"good": 3})) == (3, ("good",))


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "can't be read"), ("good\t3\n", "has 1 entries"), ("good\tfine\n", "expected an entry, a tab")],
)
def test_another_list_is_refused(tmp_path, monkeypatch, content, said):
    if content is not None:
        (tmp_path / "list.txt").write_text(content)
    monkeypatch.setattr(afinn, "FILE", str(tmp_path / "list.txt"))
    with pytest.raises(BadData, match=said):
        load_lexicon.__wrapped__()
