"""Bags of words from articles, as gensim would make them."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.corpora import Dictionary

from lib.errors import BadData
from lib.topics import bags
from lib.topics.articles import Article, Text
from lib.topics.corpus import MOST_WORDS, Corpus, build_corpus
from lib.topics.documents import Documents, read_documents
from lib.topics.phrases import learn_phrases
from lib.topics.text import BREAK, tokenise
from tests.lib.topics.made import random_texts

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
        return read_documents(articles, tmp_path, text, reject, nothing)

    return make


@pytest.fixture
def build(documents: Callable[..., Documents]) -> Build:
    def make(
        articles: Sequence[Article], text: Text = "both", phrases: bool = True, carried: Sequence[str] = ()
    ) -> Corpus:
        read = documents(articles, text)
        return build_corpus(read, STOP, learn_phrases(read, STOP, nothing) if phrases else None, nothing, carried)

    return make


def words_in(corpus: Corpus) -> set[str]:
    return set(corpus.dictionary.token2id)


def gensim_s(texts: Iterable[list[str]]) -> tuple[Dictionary, list[list[str]]]:
    """gensim's dictionary of the texts with its cuts, and the words that come to it."""
    words = [[word for word in text if len(word) > 1 and word not in STOP] for text in texts]
    dictionary = Dictionary(words)
    count = len(words)
    least = max(min(5, count // 10), round(0.001 * count), 1)
    frequencies = [each for each in dictionary.dfs.values() if each >= least]
    shares = (0.2, 0.5, 0.9)
    most = next((s for s in shares if sum(f <= s * count for f in frequencies) >= max(1, len(frequencies) / 2)), 1.0)
    dictionary.filter_extremes(least, most, keep_n=MOST_WORDS)
    return dictionary, words


@pytest.mark.parametrize("seed", range(4))
def test_dictionary_and_bags_are_what_gensim_makes_of_the_same_words(
    documents: Callable[..., Documents], seed: int
) -> None:
    texts = random_texts(seed, articles=200, vocabulary=400)
    read = documents([an_article(f"t{d}", " ".join(text)) for d, text in enumerate(texts)], "content")
    corpus = build_corpus(read, STOP, None, nothing)
    theirs, words = gensim_s(read)
    ours = corpus.dictionary
    assert (ours.token2id, ours.dfs, ours.cfs) == (theirs.token2id, theirs.dfs, theirs.cfs)
    assert (ours.num_docs, ours.num_pos, ours.num_nnz) == (theirs.num_docs, theirs.num_pos, theirs.num_nnz)
    assert [corpus.bag(d) for d in range(len(corpus))] == [theirs.doc2bow(text) for text in words]
    assert corpus.uses().tolist() == [theirs.cfs[word] for word in range(len(theirs))]
    assert corpus.indptr.dtype == np.int64
    assert corpus.ids.dtype == corpus.counts.dtype == np.int32


def test_of_more_words_than_a_dictionary_holds_the_most_frequent_stay(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    articles = [an_article("", " ".join(VOCABULARY[: 5 + n % 20])) for n in range(200)]
    monkeypatch.setattr("lib.topics.corpus.MOST_WORDS", 12)
    assert len(build(articles, "content", phrases=False).dictionary) == 12


def test_large_bags_lie_on_disk_and_are_the_same(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    small = build(made_articles(60))
    monkeypatch.setattr(bags, "MAPPED", 100)
    large = build(made_articles(60))
    assert isinstance(large.ids, np.memmap)
    assert not large.ids.flags.writeable
    large.release()
    for name in ("indptr", "ids", "counts", "lengths"):
        assert getattr(small, name).tolist() == getattr(large, name).tolist()


def test_carried_words_stay_whatever_their_counts(build: Build) -> None:
    articles = [an_article("", f"everywhere {VOCABULARY[n % 20]} once{n} word") for n in range(200)]
    carried = ["once7", "once3", "never_met", "absent", "everywhere", "the", "x"]
    corpus = build(articles, "content", phrases=False, carried=carried)
    words = [corpus.dictionary[word] for word in range(len(corpus.dictionary))]
    assert set(words) == {*VOCABULARY[:20], "once7", "once3", "never_met", "absent"}
    assert words[-2:] == ["absent", "never_met"]
    frequency = {word: (corpus.dictionary.dfs[n], corpus.dictionary.cfs[n]) for n, word in enumerate(words)}
    assert (frequency["once7"], frequency["absent"]) == ((1, 1), (0, 0))
    assert corpus.uses()[corpus.dictionary.token2id["absent"]] == 0
    assert sum(word == corpus.dictionary.token2id["once7"] for word in corpus.ids) == 1


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
def test_common_pairs_are_joined_unless_turned_off(build: Build, pair: str, phrase: str) -> None:
    articles = [*with_pair(pair, 60), *made_articles(240, seed=2)]
    corpus = build(articles, "content")
    word = corpus.dictionary.token2id[phrase]
    assert [word in dict(corpus.bag(d)) for d in range(len(corpus))] == [True] * 60 + [False] * 240
    assert phrase not in words_in(build(articles, "content", phrases=False))


@pytest.mark.parametrize("pair", ["white, house", "white. House", "white 7 house", "white - of. the house"])
def test_phrases_do_not_reach_over_punctuation_or_numbers(build: Build, pair: str) -> None:
    assert not [word for word in words_in(build(with_pair(pair), "content")) if "_" in word]


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


def test_progress_tells_each_article_and_nothing_is_left_in_the_folder(tmp_path: Path) -> None:
    done: list[int] = []
    read = read_documents(made_articles(40), tmp_path, "both", nothing, done.append)
    assert sum(done) == 40
    phrases = learn_phrases(read, STOP, done.append)
    corpus = build_corpus(read, STOP, phrases, done.append)
    assert sum(done) == 40 * 5
    assert [each.content for each in corpus.articles] == [""] * 40
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["both", "title", "content"])
def test_tokens_are_those_of_title_and_content_however_articles_are_batched(
    documents: Callable[..., Documents], monkeypatch: pytest.MonkeyPatch, text: Text
) -> None:
    same = [an_article(f"Title {number}", "Full text at our site") for number in range(5)]
    articles = [*made_articles(7), *same, an_article("", "Ends here."), an_article("No body, only this", "")]
    monkeypatch.setattr("lib.topics.documents.BATCH", 700)
    expected = []
    for each in articles:
        if each not in same or text == "title":
            heads = [*tokenise(each.title), BREAK] if text != "content" else []
            expected.append(heads + (tokenise(each.content) if text != "title" else []))
    assert list(documents(articles, text)) == expected


@pytest.mark.parametrize("text", ["both", "title", "content"])
def test_of_more_words_than_memory_may_hold_the_rare_ones_are_forgotten(
    documents: Callable[..., Documents], monkeypatch: pytest.MonkeyPatch, text: Text
) -> None:
    words = [f"{VOCABULARY[n % 20]} {VOCABULARY[(n * 7) % 20]} once{n} white house" for n in range(300)]
    articles = [an_article(f"Of {each} in {each}", f"{each}, and {each}") for each in words]
    read = documents(articles, text)
    whole = build_corpus(read, STOP, learn_phrases(read, STOP, nothing), nothing)
    monkeypatch.setattr("lib.topics.documents.MOST_MET", 100)
    monkeypatch.setattr("lib.topics.documents.BATCH", 3000)
    monkeypatch.setattr("lib.topics.spool.PIECE", 200)
    again = documents(articles, text)
    assert len(again.vocabulary) < 200 < len(read.vocabulary)
    pruned = build_corpus(again, STOP, learn_phrases(again, STOP, nothing), nothing)
    assert pruned.dictionary.token2id == whole.dictionary.token2id
    assert pruned.ids.tolist() == whole.ids.tolist()
    assert pruned.counts.tolist() == whole.counts.tolist()


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
