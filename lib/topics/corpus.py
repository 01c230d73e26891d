"""From articles to bags of words: tokens on disk, phrases, a dictionary, and the bags as one sparse matrix.

The tokens are written to a spool file and read again for each pass, so that memory holds the bags and no texts.
"""

from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gensim.corpora import Dictionary
from gensim.models.phrases import FrozenPhrases, Phrases
from numpy.typing import NDArray

from lib.errors import BadData
from lib.topics.articles import Article, Reject, Text
from lib.topics.text import BREAK, publication_suffixes, tokenise, without_suffix

Advance = Any  # Callable[[int], None]; progress by the number of articles just done

PLACEHOLDER_TITLES = 5  # so many articles with the same short body: the body is a placeholder
# A pair is a phrase where its normalised pointwise mutual information (Bouma 2009) is at least this. Tried on training
# articles: gensim's default score of 10 joins "mln_dlrs" and breaks topics up; 0.7 leaves names and fixed expressions.
PHRASE_NPMI = 0.7
PHRASE_COUNT = 20  # and it stands in the corpus so often
# A word has to stand in at least this share of the articles (and five of them), and at most that one.
LEAST_SHARE, MOST_SHARE = 0.001, 0.2
MOST_WORDS = 100_000
HELD_OUT = 20  # every twentieth article, by the last digits of its id, is kept from training


@dataclass(frozen=True)
class Corpus:
    """Bags of words as a sparse matrix in CSR form.

    Article d's word ids are `ids[indptr[d]:indptr[d + 1]]` (int32, ascending), how often each stands there, `counts`
    (int32). `held_out` is a bool an article.
    """

    articles: list[Article]
    dictionary: Dictionary
    indptr: NDArray[np.int64]
    ids: NDArray[np.int32]
    counts: NDArray[np.int32]
    held_out: NDArray[np.bool_]
    phrases: int
    suffixes: dict[str, str]
    least: int = 1  # the cuts: a word stands in at least so many articles,
    most_share: float = 1.0  # and in at most this part of them

    def __len__(self) -> int:
        return len(self.articles)

    def bag(self, d: int) -> list[tuple[int, int]]:
        """Article d's bag of words in gensim's form."""
        a, b = self.indptr[d], self.indptr[d + 1]
        return list(zip(self.ids[a:b].tolist(), self.counts[a:b].tolist(), strict=True))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Words in each article's bag."""
        sums = np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)])
        lengths: NDArray[np.int64] = sums[self.indptr[1:]] - sums[self.indptr[:-1]]
        return lengths

    @property
    def tokens(self) -> int:
        """Words in all bags."""
        return int(self.counts.sum())


def words_of(corpus: Corpus) -> list[str]:
    """The corpus's words by id."""
    return [corpus.dictionary[word] for word in range(len(corpus.dictionary))]


def spool_articles(articles: Iterable[Article], spool: Path, advance: Advance) -> list[Article]:
    """Write each article's content as a line of tokens; returns the articles without their contents."""
    kept: list[Article] = []
    with spool.open("w", encoding="utf-8") as file:
        for article in articles:
            file.write(" ".join(tokenise(article.content)) + "\n")
            article.content = ""
            kept.append(article)
            advance(1)
    return kept


class Documents:
    """The articles as lists of tokens, read from the spool as often as asked."""

    def __init__(self, articles: Sequence[Article], spool: Path, text: Text, reject: Reject) -> None:
        self.suffixes = publication_suffixes([a.title for a in articles], [a.publication for a in articles])
        bodies = Counter(article.short_body for article in articles if article.short_body)
        self._common = {body for body, count in bodies.items() if count >= PLACEHOLDER_TITLES}
        self._all, self._spool, self._text = articles, spool, text
        self.articles = [each for each in articles if not self._has_placeholder(each)]
        for each in articles:
            if self._has_placeholder(each):
                reject("placeholder", file=each.file, line=each.line, title=each.title, text=each.short_body)
        if not self.articles:
            raise BadData(f"all {len(articles)} articles hold the same few words; expected articles that differ")

    def _has_placeholder(self, article: Article) -> bool:
        return self._text != "title" and article.short_body in self._common

    def __len__(self) -> int:
        return len(self.articles)

    def __iter__(self) -> Iterator[list[str]]:
        with self._spool.open(encoding="utf-8") as file:
            for article, line in zip(self._all, file, strict=True):
                if self._has_placeholder(article):
                    continue
                tokens: list[str] = []
                if self._text != "content":
                    tokens = [*tokenise(without_suffix(article.title, self.suffixes)), BREAK]
                if self._text != "title":
                    tokens += line.split()
                yield tokens


def learn_phrases(documents: Documents, stop_words: frozenset[str], advance: Advance) -> FrozenPhrases:
    """Pairs of words that stand together far more often than apart (gensim's Phrases); stop words may stand inside."""
    words = stop_words | {BREAK}
    counted = _counted(documents, advance)
    phrases = Phrases(
        counted, min_count=PHRASE_COUNT, threshold=PHRASE_NPMI, scoring="npmi", connector_words=words
    ).freeze()
    phrases.phrasegrams = {
        phrase: score for phrase, score in phrases.phrasegrams.items() if BREAK not in phrase.split("_")
    }
    return phrases


def build_corpus(
    documents: Documents,
    stop_words: frozenset[str],
    phrases: FrozenPhrases | None,
    advance: Advance,
    carried: Collection[str] = (),
) -> Corpus:
    """Dictionary and bags of words. Raises BadData where the cuts leave no word.

    `carried` are words that stay however rare they are, unless the stop list or the upper cut takes them.
    """
    dictionary = Dictionary()
    indptr, ids, counts = array("q", [0]), array("i"), array("i")
    for tokens in _counted(documents, advance):
        joined = phrases[tokens] if phrases is not None else tokens
        words = [word for word in joined if len(word) > 1 and word not in stop_words]
        for word, count in dictionary.doc2bow(words, allow_update=True):
            ids.append(word)
            counts.append(count)
        indptr.append(len(ids))
    before = dict(dictionary.items())
    # five articles, or a thousandth of them; of a few articles, a tenth
    least = max(min(5, len(documents) // 10), round(LEAST_SHARE * len(documents)), 1)
    most = _most_share(dictionary, least, len(documents))
    usual = {word for word, id in dictionary.token2id.items() if dictionary.dfs[id] <= most * len(documents)}
    kept = [word for word in carried if word not in stop_words]
    dictionary.filter_extremes(least, most, MOST_WORDS, [word for word in kept if word in usual])
    if len(dictionary) == 0:
        raise BadData(
            f"no word of the {len(documents)} articles is left to make topics of once stop and rare words are gone"
        )
    known = set(before.values())
    for word in kept:  # those that no article has
        if word not in known:
            dictionary.token2id[word] = len(dictionary.token2id)
    dictionary.id2token = {}  # gensim makes it anew
    rows = _csr(dictionary, before, indptr, ids, counts)
    held_out = np.array([int(each.id, 16) % HELD_OUT == 0 for each in documents.articles])
    return Corpus(
        documents.articles,
        dictionary,
        *rows,
        held_out=held_out,
        phrases=len(phrases.phrasegrams) if phrases is not None else 0,
        suffixes=documents.suffixes,
        least=least,
        most_share=most,
    )


def _csr(
    dictionary: Dictionary, before: dict[int, str], indptr: "array[int]", ids: "array[int]", counts: "array[int]"
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """The bags with the ids that the dictionary has after its cuts; `before` has the words by their first ids."""
    new_id = np.full(max(before, default=-1) + 1, -1, np.int32)
    for old, word in before.items():
        new_id[old] = dictionary.token2id.get(word, -1)
    all_ids = new_id[np.frombuffer(ids, np.int32)] if ids else np.empty(0, np.int32)
    kept = all_ids >= 0
    ends = np.concatenate([[0], np.cumsum(kept)])[np.frombuffer(indptr, np.int64)]
    kept_ids, kept_counts = all_ids[kept], np.frombuffer(counts, np.int32)[kept] if counts else np.empty(0, np.int32)
    order = np.lexsort((kept_ids, np.repeat(np.arange(len(ends) - 1), np.diff(ends))))
    return ends.astype(np.int64), kept_ids[order], kept_counts[order]


def _most_share(dictionary: Dictionary, least: int, articles: int) -> float:
    """The upper cut: MOST_SHARE, unless it would take most words, as in a small corpus or one about a single thing."""
    frequencies = [count for count in dictionary.dfs.values() if count >= least]
    for share in (MOST_SHARE, 0.5, 0.9):
        if sum(count <= share * articles for count in frequencies) >= max(1, len(frequencies) / 2):
            return share
    return 1.0


def _counted(documents: Iterable[list[str]], advance: Advance) -> Iterator[list[str]]:
    for tokens in documents:
        yield tokens
        advance(1)
