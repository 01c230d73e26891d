"""Bags of words from articles, as gensim would make them."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib.errors import BadData
from lib.topics.articles import Article, Text
from lib.topics.corpus import Corpus, Documents, build_corpus, learn_phrases, spool_articles
from lib.topics.text import BREAK

STOP = frozenset({"the", "of", "and"})
VOCABULARY = [
    first + vowel + last for first in "bcdfghklmnprst" for vowel in "aeiou" for last in ("ld", "mb", "rk", "st")
]
Build = Callable[..., Corpus]


def nothing(*_: object, **__: object) -> None:
    """Progress that goes nowhere."""


def an_article(title: str, content: str, publication: str = "Paper") -> Article:
    digest = blake2b(f"{title}\0{content}".encode(), digest_size=8).hexdigest()
    short = content.lower() if 0 < len(content.split()) < 20 else ""
    return Article(digest, title, content, publication, None, "", "a.csv", 2, short)


def made_articles(count: int, seed: int = 1, words: int = 40) -> list[Article]:
    pick = random.Random(seed)
    return [
        an_article(f"Title {' '.join(pick.choices(VOCABULARY, k=3))}", " ".join(pick.choices(VOCABULARY, k=words)))
        for _ in range(count)
    ]


@pytest.fixture
def documents(tmp_path: Path) -> Callable[..., Documents]:
    def make(articles: Sequence[Article], text: Text = "both", reject: Any = nothing) -> Documents:
        spool = tmp_path / "tokens.txt"
        return Documents(spool_articles([replace(each) for each in articles], spool, nothing), spool, text, reject)

    return make


@pytest.fixture
def build(documents: Callable[..., Documents]) -> Build:
    def make(articles: Sequence[Article], text: Text = "both", phrases: bool = True) -> Corpus:
        read = documents(articles, text)
        return build_corpus(read, STOP, learn_phrases(read, STOP, nothing) if phrases else None, nothing)

    return make


def words_in(corpus: Corpus) -> set[str]:
    return set(corpus.dictionary.token2id)


def test_bags_are_what_gensim_makes_of_the_same_words(documents: Callable[..., Documents]) -> None:
    read = documents(made_articles(150))
    phrases = learn_phrases(read, STOP, nothing)
    corpus = build_corpus(read, STOP, phrases, nothing)
    for d, tokens in enumerate(read):
        assert corpus.bag(d) == corpus.dictionary.doc2bow(phrases[tokens])
    assert corpus.indptr.dtype == np.int64
    assert corpus.ids.dtype == corpus.counts.dtype == np.int32


def test_lengths_and_tokens_count_the_words_in_the_bags(build: Build) -> None:
    corpus = build([*made_articles(30), an_article("", "the of and . 5")])
    assert corpus.lengths.tolist() == [sum(count for _, count in corpus.bag(d)) for d in range(len(corpus))]
    assert corpus.lengths[-1] == 0
    assert corpus.tokens == corpus.lengths.sum()


def test_two_builds_of_the_same_articles_are_identical(build: Build) -> None:
    one, two = build(made_articles(60)), build(made_articles(60))
    assert one.dictionary.token2id == two.dictionary.token2id
    for name in ("indptr", "ids", "counts", "held_out"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()


def test_about_one_article_in_twenty_is_held_out_whatever_their_order(build: Build) -> None:
    articles = made_articles(1500, words=10)
    corpus, reverse = build(articles), build(articles[::-1])
    assert 45 <= corpus.held_out.sum() <= 105
    assert corpus.held_out.tolist() == reverse.held_out.tolist()[::-1]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("text", ["both", "title", "content"])
def test_a_handful_of_articles_is_a_corpus_or_bad_data(build: Build, count: int, text: Text) -> None:
    try:
        corpus = build(made_articles(count), text)
    except BadData as told:
        assert "expected more articles" in str(told)
    else:
        assert len(corpus) == len(corpus.lengths) == len(corpus.held_out) == count


@pytest.mark.parametrize("phrases", [True, False])
def test_articles_without_a_word_to_keep_are_bad_data(build: Build, phrases: bool) -> None:
    with pytest.raises(BadData, match="no word of the 2 articles is left"):
        build([an_article("5", "the of"), an_article("6", "and")], phrases=phrases)


def test_titles_contents_or_both_are_read_as_asked(build: Build) -> None:
    articles = [an_article(f"alpha{number % 3}", f"beta{number % 3} body of {number}") for number in range(9)]
    assert words_in(build(articles, "title")) == {"alpha0", "alpha1", "alpha2"}
    assert words_in(build(articles, "content")) == {"beta0", "beta1", "beta2"}
    assert words_in(build(articles, "both")) == words_in(build(articles, "title")) | words_in(
        build(articles, "content")
    )


def test_publications_at_the_end_of_titles_are_no_words(build: Build) -> None:
    articles = [an_article(f"Headline {word} - The Daily Planet", word, "Daily Planet") for word in VOCABULARY[:9] * 3]
    corpus = build(articles, "title")
    assert not words_in(corpus) & {"daily", "planet"}
    assert set(corpus.suffixes) == {"dailyplanet"}


def test_stop_words_single_letters_and_breaks_are_no_words(build: Build) -> None:
    corpus = build([an_article("", f"the a of {BREAK} x, {word} and 5.") for word in VOCABULARY[:3]])
    assert words_in(corpus) == set(VOCABULARY[:3])


def with_pair(pair: str, count: int = 150) -> list[Article]:
    return [replace(each, content=f"{each.content} {pair} {each.content}") for each in made_articles(count, words=10)]


@pytest.mark.parametrize(
    ("pair", "phrase"), [("white house", "white_house"), ("secretary of state", "secretary_of_state")]
)
def test_common_pairs_are_joined_unless_turned_off(documents: Callable[..., Documents], pair: str, phrase: str) -> None:
    read = documents(with_pair(pair), "content")
    phrases = learn_phrases(read, STOP, nothing)
    assert all(phrase in phrases[tokens] for tokens in read)
    assert phrase in phrases.phrasegrams


@pytest.mark.parametrize("pair", ["white, house", "white. House", "white 7 house", "white - of. the house"])
def test_phrases_do_not_reach_over_punctuation_or_numbers(documents: Callable[..., Documents], pair: str) -> None:
    read = documents(with_pair(pair), "content")
    phrases = learn_phrases(read, STOP, nothing)
    assert not [word for tokens in read for word in phrases[tokens] if "_" in word]


def test_the_corpus_counts_its_phrases(build: Build) -> None:
    assert build(with_pair("white house"), "content").phrases == 1
    assert build(with_pair("white house"), "content", phrases=False).phrases == 0


def test_words_of_too_many_articles_and_of_too_few_are_cut(build: Build) -> None:
    articles = [an_article("", f"everywhere {VOCABULARY[n % 20]} once{n} word") for n in range(200)]
    assert words_in(build(articles, "content", phrases=False)) == set(VOCABULARY[:20])


def test_a_short_body_under_five_titles_is_a_placeholder(documents: Callable[..., Documents]) -> None:
    rejects: Counter[str] = Counter()
    same = [an_article(f"Title {number}", "Full text at our site") for number in range(5)]
    read = documents([*made_articles(3), *same], reject=lambda reason, **known: rejects.update([reason]))
    assert len(read) == len(list(read)) == 3
    assert rejects == {"placeholder": 5}
    assert len(documents([*made_articles(3), *same[:4]])) == 7
    assert len(documents([*made_articles(3), *same], "title")) == 8


def test_articles_that_all_hold_the_same_few_words_are_bad_data(documents: Callable[..., Documents]) -> None:
    with pytest.raises(BadData, match="all 5 articles hold the same few words"):
        documents([an_article(f"Title {number}", "Full text at our site") for number in range(5)])


def test_the_spool_leaves_no_text_in_memory_and_tells_its_progress(tmp_path: Path) -> None:
    done: list[int] = []
    kept = spool_articles(made_articles(4), tmp_path / "tokens.txt", done.append)
    assert [each.content for each in kept] == [""] * 4
    assert sum(done) == 4


def test_words_carried_on_stay_however_rare_and_those_of_the_stop_list_or_the_upper_cut_go(
    documents: Callable[..., Documents],
) -> None:
    articles = [*made_articles(60), an_article("Title", "zebra " * 3 + "w1 w2 w3 w4 w5")]
    carried = ["zebra", "nobody", next(iter(STOP))]
    corpus = build_corpus(documents(articles), STOP, None, nothing, carried)
    without = build_corpus(documents(articles), STOP, None, nothing)
    assert words_in(corpus) - words_in(without) == {"zebra", "nobody"}
    used = np.bincount(corpus.ids, weights=corpus.counts, minlength=len(corpus.dictionary))
    assert used[corpus.dictionary.token2id["zebra"]] == 3
    assert used[corpus.dictionary.token2id["nobody"]] == 0
    assert sorted(corpus.dictionary.token2id.values()) == list(range(len(corpus.dictionary)))
    assert corpus.tokens == without.tokens + 3
    everywhere = [an_article(f"Title {d}", f"common {each.content}") for d, each in enumerate(made_articles(60))]
    assert "common" not in words_in(build_corpus(documents(everywhere), STOP, None, nothing, ["common"]))
