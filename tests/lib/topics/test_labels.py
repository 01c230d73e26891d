"""A topic is called what a person would call it, by its headlines and its words."""

import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.topics import labels
from lib.topics.joining import joined, phrases_of
from lib.topics.labels import LABEL_CHARACTERS, TITLES, label_topics, representative_titles
from tests.lib.topics.made import HOSTILE, PLANTED, article, made_corpus, planted_texts

VOCABULARY = "interest rates wall street oil crude opec fed stocks bank says prices of sea"
FILLERS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"]


def labelled(
    titles: Sequence[Sequence[str]], words: str = VOCABULARY, suffixes: dict[str, str] | None = None
) -> list[str]:
    """The labels of topics with these titles, an article each; topic k's likeliest word is `words`' kth."""
    topics = len(titles)
    vocabulary = [word for word in words.split() if word != "of"]
    articles = [article(d, title=title) for d, title in enumerate(title for each in titles for title in each)]
    corpus = made_corpus([vocabulary] * max(1, len(articles)), articles, suffixes=suffixes)
    weights = np.full((len(articles), topics), 0.01, np.float32)
    weights[np.arange(len(articles)), [k for k, each in enumerate(titles) for _ in each]] = 0.98
    beta = np.full((topics, len(corpus.dictionary)), 1.0)
    for k in range(topics):
        beta[k, corpus.dictionary.token2id[vocabulary[k % len(vocabulary)]]] = 5.0
    beta /= beta.sum(axis=1, keepdims=True)
    counts = np.ones(len(corpus.dictionary))
    return label_topics(corpus, weights, corpus.lengths.astype(np.float64), beta, counts)


def around(phrase: str, count: int = 6, form: str = "{} {} {}") -> list[str]:
    """Titles that have the phrase among other words, all different."""
    return [form.format(FILLERS[n], phrase, FILLERS[n + 1]) for n in range(count)]


def names(titles: Sequence[Sequence[str]], **how: str) -> list[str]:
    """What stands before the labels' first comma."""
    return [label.split(", ")[0] for label in labelled(titles, **how)]


def test_a_topic_is_called_by_the_phrase_that_its_headlines_share() -> None:
    assert names([around("interest rates"), around("crude oil")]) == ["interest rates", "crude oil"]


def test_a_phrase_that_every_topic_has_tells_nothing() -> None:
    everywhere = around("Wall Street", 8, "{} for {} as {}")
    assert "wall street" not in " ".join(labelled([everywhere, [f"The {title}" for title in everywhere]])).lower()


def test_a_phrase_of_two_titles_is_none() -> None:
    assert (
        names([around("interest rates", 2), around("crude oil", 3)], words="fed " + VOCABULARY)[0] != "interest rates"
    )


def test_of_a_phrase_and_one_around_it_the_longer_is_meant() -> None:
    assert names([around("Wall Street bank"), around("crude oil")])[0] == "Wall Street bank"
    mixed = [*around("Wall Street bank", 3), *around("Wall Street", 8, "{} by {} of {}")]
    assert names([mixed, around("crude oil")])[0] == "Wall Street"


def test_a_phrase_begins_and_ends_with_a_word_of_the_vocabulary_and_no_verb_of_headlines() -> None:
    assert names([around("the bank of oil says"), around("interest rates")])[0] == "bank of oil"


def test_a_phrase_never_reaches_over_punctuation_or_a_dash() -> None:
    for between in (", ", ": ", " - ", " -- ", " 7 ", ". "):
        assert names([around(f"wall{between}street"), around("crude oil")])[0] in VOCABULARY.split()


def test_no_two_topics_have_the_same_phrase() -> None:
    found = names([around("interest rates", 9), around("interest rates", 3), around("crude oil", 9)] * 1)
    assert found.count("interest rates") <= 1


@pytest.mark.parametrize(
    "forms, name",
    [
        (["the {} of {} as {}"] * 2, "Wall Street"),
        (["THE {} OF {} AS {}", "the {} of {} as {}"], "Wall Street"),
        (["The {} Of {} Theirs {}", "the {} of {} with {}"], "Wall Street"),
    ],
)
def test_a_phrase_is_spelled_as_most_titles_have_it(forms: list[str], name: str) -> None:
    own = [each for place, form in enumerate(forms) for each in around(name, 8, form)[4 * place : 4 * place + 4]]
    own[:4] = [each.upper() if forms[0].isupper() else each for each in own[:4]]
    assert names([own, around("crude oil", 6)])[0] == name


def test_a_phrase_known_from_capitals_alone_is_in_lower_case_but_for_dotted_initials() -> None:
    capitals = [title.upper() for title in around("u.s. bank")]
    assert names([capitals, around("crude oil")], words="u.s. bank crude oil fed rates") == ["U.S. bank", "crude oil"]


def test_titles_of_the_other_topics_tell_what_is_a_name_where_its_own_are_in_capitals() -> None:
    capitals = [title.upper() for title in around("wall street", 9)]
    assert names([capitals, [*around("crude oil"), "a man on Wall Street"]])[0] == "Wall Street"


def test_possessives_belong_to_the_spelling() -> None:
    assert names([around("Street’s bank"), around("crude oil")])[0] == "Street’s bank"


def test_the_label_does_not_repeat_the_phrases_words_nor_any() -> None:
    for label in labelled(
        [around("interest rates"), around("crude oil")], words="rate rates interest banks bank oil crude"
    ):
        kin = [word.removesuffix("s") for word in re.findall(r"\w+", label.lower())]
        assert len(kin) == len(set(kin)), label


def test_publication_names_and_titles_of_the_same_words_count_once() -> None:
    same = [f"wall street on day {n} - The Bank" for n in range(9)]
    assert names([same, around("crude oil")], words="fed " + VOCABULARY)[0] == "fed"


def test_one_topic_alone_has_its_phrase() -> None:
    assert names([around("interest rates", 9)]) == ["interest rates"]


def test_without_titles_a_label_is_three_words_of_the_topic() -> None:
    for label in labelled([[""] * 5, [""] * 5]):
        words = label.split(", ")
        assert len(words) == 3
        assert set(words) <= set(VOCABULARY.split())


@pytest.mark.parametrize("kind", HOSTILE)
def test_whatever_strangers_write_a_label_is_short_and_plain(kind: str) -> None:
    titles = [f"{filler} {HOSTILE[kind]} wall {HOSTILE[kind]} street" for filler in FILLERS]
    for label in labelled([titles, around("crude oil")]):
        assert 0 < len(label) <= LABEL_CHARACTERS
        assert not re.search('[<>&"\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]', label)


def test_words_of_ten_thousand_letters_are_cut() -> None:
    for label in labelled([[""] * 5], words="w" * 10_000 + " " + "v" * 10_000 + " a"):
        assert 0 < len(label) <= LABEL_CHARACTERS


def test_a_title_of_a_megabyte_costs_no_more_than_its_beginning() -> None:
    long = [f"{title} " + "wallstreet" * 100_000 for title in around("interest rates")]
    assert names([long, around("crude oil")])[0] == "interest rates"


class Counted(list):  # type: ignore[type-arg]
    """A list of articles that knows which were read."""

    def __init__(self, articles: list[object]) -> None:
        super().__init__(articles)
        self.read: set[int] = set()

    def __getitem__(self, place):  # type: ignore[no-untyped-def]
        self.read.add(place)
        return super().__getitem__(place)

    def __iter__(self):  # type: ignore[no-untyped-def]
        raise AssertionError("nobody has to read all articles")


def test_only_the_titles_that_are_needed_are_read() -> None:
    articles = Counted([article(d, title=f"{FILLERS[d % 12]} number {'x' * (d % 97)}{d}") for d in range(20_000)])
    weights = np.random.default_rng(0).dirichlet([0.1] * 3, len(articles)).astype(np.float32)
    found = representative_titles(articles, {}, weights, np.full(len(articles), 50.0))
    assert len(articles.read) <= 3 * 2 * TITLES
    assert all(len(each) == len(set(each)) <= TITLES for each in found)


def test_representative_titles_are_of_long_articles_and_fall_in_weight() -> None:
    articles = [article(d, title=f"{FILLERS[d % 12]} {FILLERS[d // 12]}") for d in range(100)]
    weights = np.linspace(0.31, 0.99, 100, dtype=np.float32)[:, None]
    lengths = np.where(np.arange(100) % 4 == 0, 3.0, 60.0)
    found = representative_titles(articles, {}, weights, lengths)[0]
    assert found == [articles[d].title for d in range(99, -1, -1) if d % 4]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.text(max_size=60), max_size=8), min_size=1, max_size=4))
def test_any_titles_give_a_label_a_topic_and_the_same_every_time(titles: list[list[str]]) -> None:
    if not any(titles):
        titles[0].append("")
    found = labelled(titles)
    assert len(found) == len(titles)
    assert all(0 < len(label) <= LABEL_CHARACTERS for label in found)
    assert found == labelled(titles)


def test_planted_topics_are_called_by_their_words() -> None:
    texts = planted_texts(90)
    corpus = made_corpus(texts, [article(d, title=" ".join(text[:6])) for d, text in enumerate(texts)])
    beta = np.full((3, len(corpus.dictionary)), 1e-4)
    for k, words in enumerate(PLANTED):
        beta[k, [corpus.dictionary.token2id[word] for word in words]] = 1.0
    weights = np.eye(3, dtype=np.float32)[np.arange(90) % 3]
    counts = np.bincount(corpus.ids, weights=corpus.counts).astype(np.float64)
    found = label_topics(corpus, weights, corpus.lengths.astype(float), beta / beta.sum(axis=1, keepdims=True), counts)
    for label, words in zip(found, PLANTED, strict=True):
        assert set(re.findall(r"\w+", label)) <= set(words)


def test_the_longest_phrase_is_joined_from_left_to_right() -> None:
    tails = phrases_of(["white_house", "bank_of_america", "bank_of", "house", "house_rules", "_", "a_"])
    tokens = ["the", "white", "house", "rules", "bank", "of", "america", "bank", "of", ".", "america", "white"]
    assert joined(tokens, tails) == [
        *("the", "white_house", "rules", "bank_of_america", "bank_of", ".", "america", "white"),
    ]
    assert joined([], tails) == []


@given(st.lists(st.sampled_from("abc"), max_size=30), st.lists(st.text("abc_", min_size=1, max_size=7), max_size=8))
def test_joining_loses_and_invents_no_word(tokens: list[str], vocabulary: list[str]) -> None:
    found = joined(tokens, phrases_of(vocabulary))
    assert [part for word in found for part in word.split("_") if part] == tokens
    assert all(word in vocabulary for word in found if "_" in word)


def test_verbs_of_headlines_and_months_label_nothing_where_there_are_other_words() -> None:
    assert labelled([[""] * 5], words="says february rates") == ["rates"]
    assert labelled([[""] * 5], words="says") == ["says"]
    assert labels.PARTS == 3
