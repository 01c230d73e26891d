"""A million articles without their contents: what is short as columns in memory, titles and addresses on disk."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from lib.topics.articles import Article
from lib.topics.ids import as_numbers
from lib.topics.scratch import Scratch

BLOCK = 1 << 16  # bytes written at a time
TOGETHER = 500  # titles read at a time
_TEXTS = 3  # title, address and short body, behind one another
Column = Literal["publication", "date"]


class Shelf(Sequence[Article]):
    """Articles by their place, made anew each time one is asked for; their contents are empty."""

    def __init__(self, folder: Path) -> None:
        self._file = Scratch(folder)
        self._pending: list[bytes] = []
        self._size = self._written = 0  # bytes, with and without what is pending
        self._ids, self._starts, self._lengths = array("Q"), array("q"), array("i")
        self._lines, self._bodies = array("q"), array("Q")
        self._names: dict[str | None, int] = {}  # publications, dates and files, each once
        self._listed: list[str | None] = []  # the same by their numbers
        self._codes = array("i")  # three an article: publication, date, file
        self._rows: NDArray[np.int64] | None = None  # those that are kept, of all that were put here

    def put(self, article: Article) -> None:
        """Add an article."""
        names = self._names
        title, url = article.title.encode("utf-8", "surrogatepass"), article.url.encode("utf-8", "surrogatepass")
        body = article.short_body.encode("utf-8", "surrogatepass")
        self._ids.append(int(article.id, 16))
        self._lines.append(article.line)
        self._starts.append(self._size)
        self._lengths.extend((len(title), len(url), len(body)))
        self._size += len(title) + len(url) + len(body)
        self._codes.extend(
            [names.setdefault(name, len(names)) for name in (article.publication, article.date, article.file)]
        )
        self._bodies.append(_digest(body) if body else 0)
        self._pending += (title, url, body)
        if self._size - self._written > BLOCK:
            self._write()

    def _write(self) -> None:
        self._file.add(b"".join(self._pending))
        self._pending = []
        self._written = self._size

    def same_bodies(self) -> NDArray[np.int64]:
        """How many articles have the article's short body; 0 where its body is none."""
        bodies = np.frombuffer(self._bodies, np.uint64)
        _, which, counts = np.unique(bodies, return_inverse=True, return_counts=True)
        return np.where(bodies == 0, 0, counts[which])

    def keep(self, which: NDArray[np.bool_]) -> None:
        """Leave out the articles that are not marked."""
        self._rows = self._kept()[which]

    def _kept(self) -> NDArray[np.int64]:
        return np.arange(len(self._ids), dtype=np.int64) if self._rows is None else self._rows

    @property
    def ids(self) -> NDArray[np.uint64]:
        """The articles' ids as numbers, (articles,)."""
        return np.frombuffer(self._ids, np.uint64)[self._kept()] if self._ids else np.empty(0, np.uint64)

    def column(self, which: Column) -> tuple[NDArray[np.int32], list[str | None]]:
        """Each article's publication or date, (articles,), as a number among the names that follow."""
        codes = np.frombuffer(self._codes, np.int32).reshape(-1, 3)
        return codes[self._kept(), ("publication", "date").index(which)], self._by_number()

    def _by_number(self) -> list[str | None]:
        if len(self._listed) < len(self._names):
            self._listed = list(self._names)
        return self._listed

    def __len__(self) -> int:
        return len(self._ids) if self._rows is None else len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Article: ...
    @overload
    def __getitem__(self, index: slice) -> list[Article]: ...
    def __getitem__(self, index: int | slice) -> Article | list[Article]:
        if isinstance(index, slice):
            return [self[d] for d in range(len(self))[index]]
        place = range(len(self))[index]
        return self._article(place if self._rows is None else int(self._rows[place]))

    def __iter__(self) -> Iterator[Article]:
        return self.at(range(len(self)))

    def at(self, places: Iterable[int]) -> Iterator[Article]:
        """The articles at these places, in whatever order they are named."""
        return (self[place] for place in places)

    def titles(self) -> Iterator[str]:
        """The titles of all articles that were put here, in order."""
        for start in range(0, len(self._ids), TOGETHER):
            last = min(start + TOGETHER, len(self._ids)) - 1
            texts, begin = self._texts(start, last)
            for row in range(start, last + 1):
                at = self._starts[row] - begin
                yield texts[at : at + self._lengths[_TEXTS * row]].decode("utf-8", "surrogatepass")

    def _texts(self, first: int, last: int) -> tuple[bytes, int]:
        """The texts of the rows from the first to the last, and where they begin in the file."""
        if self._pending:
            self._write()
        begin = self._starts[first]
        end = self._starts[last] + sum(self._lengths[_TEXTS * last : _TEXTS * (last + 1)])
        return self._file.read(begin, end - begin, np.uint8).tobytes(), begin

    def _article(self, row: int) -> Article:
        """One of all that were put here."""
        if self._pending:
            self._write()
        names, at, found = self._by_number(), 0, []
        lengths = self._lengths[_TEXTS * row : _TEXTS * (row + 1)]
        texts = self._file.read(self._starts[row], sum(lengths), np.uint8).tobytes()
        for length in lengths:
            found.append(texts[at : at + length].decode("utf-8", "surrogatepass"))
            at += length
        publication, day, file = self._codes[3 * row : 3 * row + 3]
        return Article(
            id=f"{self._ids[row]:016x}",
            title=found[0],
            content="",
            publication=names[publication] or "",
            date=names[day],
            url=found[1],
            file=names[file] or "",
            line=self._lines[row],
            short_body=found[2],
        )


def ids_of(articles: Sequence[Article]) -> NDArray[np.uint64]:
    """The ids of any articles as numbers, (articles,): quickly of those on a shelf."""
    if isinstance(articles, Shelf):
        return articles.ids
    return as_numbers(article.id for article in articles)


def column_of(articles: Sequence[Article], which: Column) -> tuple[NDArray[np.int32], list[str | None]]:
    """`Shelf.column` of any articles."""
    if isinstance(articles, Shelf):
        return articles.column(which)
    names: dict[str | None, int] = {}
    codes = [names.setdefault(getattr(article, which), len(names)) for article in articles]
    return np.array(codes, np.int32), list(names)


def _digest(text: bytes) -> int:
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little") or 1
