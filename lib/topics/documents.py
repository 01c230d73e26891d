"""From articles to numbered words on disk: contents are tokenised by a thread while the next articles are read.

Memory holds one batch of texts, the words (each once) and a line of columns an article, and no more.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lib.errors import BadData
from lib.progress import Advance
from lib.topics.articles import Article, Reject, Text
from lib.topics.hashed import Ids, Places
from lib.topics.scanning import BREAK_ID
from lib.topics.shelf import Shelf
from lib.topics.spool import Spool
from lib.topics.text import Endings, without_suffix
from lib.topics.tokens import Vocabulary

PLACEHOLDER_TITLES = 5  # so many articles with the same short body: the body is a placeholder
MOST_MET = 1 << 21  # words, of some 50 bytes each; where more are met, the rarest are forgotten
BATCH = 1 << 20  # characters that are tokenised at a call, about


class Documents:
    """The articles as lists of tokens, on disk, read as often as asked.

    An article's tokens are its title's without the publication's name, a break, and its content's, as `text` asks.
    `counts` says how often each word of `vocabulary` comes, (words,).
    """

    def __init__(
        self, folder: Path, articles: Shelf, vocabulary: Vocabulary, spool: Spool, suffixes: dict[str, str]
    ) -> None:
        self.folder, self.articles, self.vocabulary = folder, articles, vocabulary
        self.spool, self.suffixes = spool, suffixes
        self.counts = _counts(vocabulary, [spool])

    def __len__(self) -> int:
        return len(self.articles)

    def __iter__(self) -> Iterator[list[str]]:
        for ids, ends in self.spool.pieces():
            for part in np.split(ids, ends[:-1]):
                yield self.vocabulary.words(part)

    def close(self) -> None:
        """Give the room on disk back that the tokens take; the articles stay."""
        self.spool.close()


def read_documents(
    articles: Iterable[Article], folder: Path, text: Text, reject: Reject, advance: Advance
) -> Documents:
    """Tokenise the articles and put them on the shelf; what is on disk lies in `folder`, in files without a name.

    Bodies that several articles share are placeholders, and those articles rejected. Raises BadData where none is left.
    """
    shelf, vocabulary, contents, endings = Shelf(folder), Vocabulary(), Spool(folder), Endings()
    least = 1
    for batch, tokens, met in _tokenised(articles, vocabulary, text):
        if tokens is not None:
            contents.put(*tokens)
        if met > MOST_MET:
            least = _forget_rare(vocabulary, [contents], least)
        for article in batch:
            endings.count(article.title, article.publication)
            shelf.put(article)
        advance(len(batch))
    suffixes = endings.suffixes()
    kept = _kept(shelf, text, reject)
    spool = contents
    if text != "content" or not kept.all():
        spool = Spool(folder)
        titles, first = shelf.titles(), 0
        for ids, ends in contents.pieces() if text != "title" else _nothing(len(shelf)):
            heads = None
            if text != "content":
                heads = vocabulary.tokenise([without_suffix(next(titles), suffixes) for _ in ends])
            spool.put(*_with_titles(ids, ends, heads, kept[first : first + len(ends)]))
            first += len(ends)
            if len(vocabulary) > MOST_MET:
                least = _forget_rare(vocabulary, [contents, spool], least)
        contents.close()
    shelf.keep(kept)
    return Documents(folder, shelf, vocabulary, spool, suffixes)


_Batch = tuple[list[Article], tuple[Ids, Places] | None, int]


def _tokenised(articles: Iterable[Article], vocabulary: Vocabulary, text: Text) -> Iterator[_Batch]:
    """The articles in batches, with the tokens of their contents if asked for and how many words were met so far.

    The next batch is read while a thread works on the one before. Where too many words are met, it isn't: the thread
    rests then, and what is done about it comes at the same place however fast the thread is.
    """
    if text == "title":
        yield from ((batch, None, 0) for batch in _batches(articles))
        return

    def work(batch: list[Article]) -> _Batch:
        return batch, vocabulary.tokenise([each.content for each in batch]), len(vocabulary)

    with ThreadPoolExecutor(1, "tokens") as thread:
        ahead: Future[_Batch] | None = None
        for batch in _batches(articles):
            done = ahead.result() if ahead is not None else None
            if done is not None and done[2] > MOST_MET:
                yield done
                done = None
            ahead = thread.submit(work, batch)
            if done is not None:
                yield done
        if ahead is not None:
            yield ahead.result()


def _counts(vocabulary: Vocabulary, spools: list[Spool]) -> NDArray[np.int64]:
    counts = np.zeros(len(vocabulary), np.int64)
    for spool in spools:
        for ids, _ in spool.pieces():
            counts += np.bincount(ids, minlength=len(counts))
    return counts


def _forget_rare(vocabulary: Vocabulary, spools: list[Spool], least: int) -> int:
    """Make breaks of the words that have come so often at most, and of more until there is room; returns what is next.

    Nothing else is lost: as neither a break nor a word so rare is in a phrase, those are the same.
    """
    counts = _counts(vocabulary, spools)
    while (counts > least).sum() > MOST_MET // 2:
        least += 1
    new = vocabulary.forget(counts > least)
    for spool in spools:
        spool.renumber(new)
    return least + 1


def _batches(articles: Iterable[Article]) -> Iterator[list[Article]]:
    batch: list[Article] = []
    size = 0
    for article in articles:
        batch.append(article)
        size += 300 + len(article.content)
        if size > BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _nothing(articles: int, size: int = 10_000) -> Iterator[tuple[Ids, Places]]:
    """Empty contents, in pieces."""
    for start in range(0, articles, size):
        yield np.empty(0, np.int32), np.zeros(min(size, articles - start), np.int64)


def _kept(shelf: Shelf, text: Text, reject: Reject) -> NDArray[np.bool_]:
    """The articles whose body is no placeholder."""
    kept = np.ones(len(shelf), np.bool_)
    if text != "title":
        kept = shelf.same_bodies() < PLACEHOLDER_TITLES
    for d in np.flatnonzero(~kept).tolist():
        each = shelf[d]
        reject("placeholder", file=each.file, line=each.line, title=each.title, text=each.short_body)
    if not kept.any():
        raise BadData(f"all {len(shelf)} articles hold the same few words; expected articles that differ")
    return kept


def _with_titles(
    ids: Ids, ends: Places, titles: tuple[Ids, Places] | None, kept: NDArray[np.bool_]
) -> tuple[Ids, Places]:
    """Each article's title, a break and its content behind one another; only of the articles that are kept."""
    lengths = np.diff(ends, prepend=0)
    if titles is None:
        return ids[np.repeat(kept, lengths)], np.cumsum(lengths[kept])
    before = np.diff(titles[1], prepend=0)
    both = np.where(kept, before + 1 + lengths, 0)
    ends_out = np.cumsum(both)
    out = np.full(int(ends_out[-1]), BREAK_ID, np.int32)
    starts = ends_out - both
    for part, sizes, offsets in ((titles[0], before, starts), (ids, lengths, starts + before + 1)):
        sources = np.repeat(kept, sizes)
        places = np.arange(len(part)) + np.repeat(offsets - (np.cumsum(sizes) - sizes), sizes)
        out[places[sources]] = part[sources]
    return out, ends_out[kept]
