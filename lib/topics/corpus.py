"""From articles to bags of words: a dictionary, and the bags as one sparse matrix, large ones on disk."""

import mmap
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from gensim.corpora import Dictionary
from numpy.typing import NDArray

from lib.errors import BadData
from lib.progress import Advance
from lib.topics.articles import Article
from lib.topics.bags import Column, Frequencies, bags_of
from lib.topics.documents import Documents
from lib.topics.hashed import Ids
from lib.topics.phrases import Phrases
from lib.topics.shelf import ids_of

# A word has to stand in at least this share of the articles (and five of them), and at most that one.
LEAST_SHARE, MOST_SHARE = 0.001, 0.2
MOST_WORDS = 100_000
HELD_OUT = 20  # every twentieth article, by the last digits of its id, is kept from training
ROWS = 10_000  # articles looked at together


@dataclass(frozen=True)
class Corpus:
    """Bags of words as a sparse matrix in CSR form.

    Article d's word ids are `ids[indptr[d]:indptr[d + 1]]` (int32, ascending), how often each stands there, `counts`
    (int32); both are read-only maps of files where they are large. `held_out` is a bool an article.
    """

    articles: Sequence[Article]
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

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Words in each article's bag."""
        lengths = np.zeros(len(self), np.int64)
        for start in range(0, len(self), ROWS):
            ends = self.indptr[start : start + ROWS + 1]
            sums = np.concatenate([[0], np.cumsum(self.counts[ends[0] : ends[-1]], dtype=np.int64)])
            lengths[start : start + ROWS] = np.diff(sums[ends - ends[0]])
            self.release()
        return lengths

    @property
    def tokens(self) -> int:
        """Words in all bags."""
        return int(self.lengths.sum())

    def article_ids(self) -> NDArray[np.uint64]:
        """The articles' ids as numbers, (articles,)."""
        return ids_of(self.articles)

    def uses(self) -> NDArray[np.int64]:
        """How often each word stands in all bags, (words,)."""
        return np.array([self.dictionary.cfs.get(word, 0) for word in range(len(self.dictionary))], np.int64)

    def release(self) -> None:
        """Give the memory back that reading mapped bags has filled; they stay on disk and are read anew."""
        for array in (self.ids, self.counts):
            if isinstance(array, np.memmap) and hasattr(mmap, "MADV_DONTNEED"):
                array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]


def words_of(corpus: Corpus) -> list[str]:
    """The corpus's words by id."""
    return [corpus.dictionary[word] for word in range(len(corpus.dictionary))]


def build_corpus(
    documents: Documents,
    stop_words: frozenset[str],
    phrases: Phrases | None,
    advance: Advance,
    carried: Collection[str] = (),
) -> Corpus:
    """Dictionary and bags of words. Raises BadData where the cuts leave no word. Progress tells each article twice.

    Words are numbered by the first article that has them and, within it, by the alphabet. `carried` words stay whatever
    their counts (0 too, at the end) unless the stop list or the upper cut takes them.
    """
    vocabulary = documents.vocabulary
    wanted = vocabulary.characters() > 1
    stops = vocabulary.ids_of(sorted(stop_words))
    wanted[stops[stops >= 0]] = False
    found = Frequencies(len(vocabulary))
    for ids, ends in documents.spool.pieces():
        found.count(*(phrases.join(ids, ends) if phrases is not None else (ids, ends)))
        advance(len(ends))
    articles = np.where(wanted, found.articles, 0)
    # five articles, or a thousandth of them; of a few articles, a tenth
    least = max(min(5, len(documents) // 10), round(LEAST_SHARE * len(documents)), 1)
    most = _most_share(articles[articles >= least], len(documents))
    old = sorted(word for word in set(carried) if len(word) > 1 and word not in stop_words)
    chosen, absent = _chosen(documents, articles, found.first, least, int(most * len(documents)), old)

    words = vocabulary.words(chosen) + absent
    if not len(chosen):
        raise BadData(
            f"no word of the {len(documents)} articles is left to make topics of once stop and rare words are gone"
        )
    dictionary = Dictionary()
    dictionary.token2id = {word: number for number, word in enumerate(words)}
    nothing = [0] * len(absent)
    dictionary.dfs = dict(enumerate(articles[chosen].tolist() + nothing))
    dictionary.cfs = dict(enumerate(found.uses[chosen].tolist() + nothing))
    dictionary.num_docs = len(documents)
    dictionary.num_nnz, dictionary.num_pos = int(articles.sum()), int(found.uses[wanted].sum())

    new_ids = np.full(len(vocabulary), -1, np.int32)
    new_ids[chosen] = np.arange(len(chosen))
    entries = int(articles[chosen].sum())
    all_ids, all_counts = Column(documents.folder, entries), Column(documents.folder, entries)
    indptr = np.zeros(len(documents) + 1, np.int64)
    done = 0
    for ids, ends in documents.spool.pieces():
        joined = phrases.join(ids, ends) if phrases is not None else (ids, ends)
        bag_ids, counts, sizes = bags_of(*joined, new_ids, len(words))
        all_ids.put(bag_ids)
        all_counts.put(counts)
        indptr[done + 1 : done + 1 + len(sizes)] = sizes
        done += len(sizes)
        advance(len(ends))
    return Corpus(
        documents.articles,
        dictionary,
        np.cumsum(indptr),
        all_ids.array(),
        all_counts.array(),
        held_out=documents.articles.ids % HELD_OUT == 0,
        phrases=len(phrases) if phrases is not None else 0,
        suffixes=documents.suffixes,
        least=least,
        most_share=most,
    )


def _chosen(
    documents: Documents, articles: NDArray[np.int64], first: Ids, least: int, most: int, carried: list[str]
) -> tuple[Ids, list[str]]:
    """The numbers of the words that stay, in the order of their new ids, and the carried words that no article has.

    As gensim's filter_extremes has it: of words as frequent as each other, those that come first stay.
    """
    vocabulary = documents.vocabulary
    numbers = vocabulary.ids_of(carried)
    known = np.zeros(len(vocabulary), np.bool_)
    known[numbers[numbers >= 0]] = True
    stays = (articles >= least) | (known & (articles > 0))
    candidates = np.flatnonzero(stays & (articles <= most)).astype(np.int32)
    words = np.array(vocabulary.words(candidates), object)
    candidates = candidates[np.lexsort((np.argsort(np.argsort(words, kind="stable")), first[candidates]))]
    rank = np.lexsort((-articles[candidates], ~known[candidates]))  # both sorts are stable
    chosen = candidates[np.sort(rank[:MOST_WORDS])]
    absent = [
        word for word, number in zip(carried, numbers.tolist(), strict=True) if number < 0 or articles[number] == 0
    ]
    return chosen, absent


def _most_share(frequencies: NDArray[np.int64], articles: int) -> float:
    """The upper cut: MOST_SHARE, unless it would take most words, as in a small corpus or one about a single thing."""
    for share in (MOST_SHARE, 0.5, 0.9):
        if (frequencies <= share * articles).sum() >= max(1, len(frequencies) / 2):
            return share
    return 1.0
