"""Articles from CSV files in the "All the news" schema, streamed; what can't be used is rejected with its reason.

Columns go by their header names (`id, title, publication, author, date, year, month, url, content`, in any order, more
of them or fewer). The texts asked for have to be there; the others may be missing.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from lib.errors import BadData
from lib.topics.hashed import Seen
from lib.topics.records import read_records
from lib.topics.sources import tables_in

Text = Literal["both", "title", "content"]
Reject = Callable[..., None]  # reason, and what is known of the row by name

SAME_BODY_WORDS = 20  # two articles with the same body of so many words are one article, whatever their titles say
BATCH = 1 << 19  # characters that are looked at together for duplicates, about
_LETTER = re.compile(r"[^\W\d_]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_WORD = re.compile(r"[^\W_]+")
# So many words surely; in lower case there are no fewer.
_MANY_WORDS = re.compile(rf"[\W_]*+(?:[^\W_]++[\W_]++){{{SAME_BODY_WORDS - 1}}}[^\W_]")
_WORD_TWICE = re.compile(r"[\W_]*+([^\W_]++)[\W_]++\1(?![^\W_])")
_MISSING = {"nan", "none", "null", "n/a"}


@dataclass(slots=True)
class Article:
    """One usable row. `id` is 16 hex digits of its title's and content's digest; `date` is ISO, a day or a month."""

    id: str
    title: str
    content: str
    publication: str
    date: str | None
    url: str
    file: str
    line: int
    short_body: str = ""  # a body of few words, normalised: many articles with the same one have a placeholder


def read_articles(
    paths: Sequence[Path], *, text: Text = "both", reject: Reject, repaired: Counter[str]
) -> Iterator[Article]:
    """The usable articles of `paths` (files, as `sources.csv_files` lists them), in order, each once.

    Raises BadData where a table lacks a needed column or none of the files has a usable row.
    """
    seen = Seen()
    usable = False
    for path in paths:
        for name, blocks in tables_in(path, repaired):
            for article in _each_once(_rows_of(name, blocks, text, repaired), text, seen, reject):
                usable = True
                yield article
    if not usable:
        names = ", ".join(str(path) for path in paths[:3]) + (", …" if len(paths) > 3 else "")
        raise BadData(f"{names} has no usable row; expected articles with a {_wanted(text)}, one a row")


_Rejected = tuple[str, dict[str, Any]]  # reason, and what is known


def _each_once(rows: Iterable[Article | _Rejected], text: Text, seen: Seen, reject: Reject) -> Iterator[Article]:
    """The articles that are new; the others are rejected, in order with the rows that are no articles."""
    batch: list[Article | _Rejected] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += 300 if isinstance(row, tuple) else 300 + len(row.content)
        if size > BATCH:
            yield from _new_of(batch, text, seen, reject)
            batch, size = [], 0
    yield from _new_of(batch, text, seen, reject)


def _new_of(batch: list[Article | _Rejected], text: Text, seen: Seen, reject: Reject) -> Iterator[Article]:
    articles = [row for row in batch if not isinstance(row, tuple)]
    # What no second article may share: the texts asked for, and a body that is an article's own by its length
    titles = [_same_title(each.title) if text != "content" else b"" for each in articles]
    bodies = [_same_body(each.content) if text != "title" else b"" for each in articles]
    alone = [text == "both" and bool(each.content) and not each.short_body for each in articles]
    new = iter(seen.new(titles, bodies, alone))
    for row in batch:
        if isinstance(row, tuple):
            reject(row[0], **row[1])
        elif next(new):
            yield row
        else:
            reject("duplicate", file=row.file, line=row.line, title=row.title, id=row.id)


def _same_title(title: str) -> bytes:
    return title.casefold().encode("utf-8", "replace")


def _same_body(content: str) -> bytes:
    folded = content.casefold()
    return (folded if folded.isascii() else " ".join(folded.split())).encode("utf-8", "replace")


def _rows_of(
    name: str, blocks: Iterator[list[str]], text: Text, repaired: Counter[str]
) -> Iterator[Article | _Rejected]:
    broken: list[_Rejected] = []
    records = read_records(
        blocks, lambda reason, line, raw: broken.append((reason, {"file": name, "line": line, "text": raw}))
    )
    header = next(records, None)
    if header is None:
        raise BadData(f"{name} is empty or all broken lines; expected a header line with the columns title and content")
    place = _columns(name, header[1], text)
    cells = [place.get(column, -1) for column in ("title", "content", "publication", "date", "year", "month", "url")]
    for line, row in records:
        if broken:
            yield from broken
            broken.clear()
        row.append("")  # for the columns that aren't there
        title, content, publication, given, year, month, url = [row[cell].strip() for cell in cells]
        title, content = _present(title), _present(content)
        if not ((text != "content" and _LETTER.search(title)) or (text != "title" and _LETTER.search(content))):
            yield "empty", {"file": name, "line": line, "title": title, "text": content}
            continue
        if text != "title" and is_placeholder(content):
            yield "placeholder", {"file": name, "line": line, "title": title, "text": content}
            continue
        day = None
        if given or year:
            given = _present(given)
            day = parse_date(given, year, month)
            if given and day is None:
                repaired["dates not understood"] += 1
        yield Article(
            id=blake2b(f"{title}\0{content}".encode("utf-8", "replace"), digest_size=8).hexdigest(),
            title=_one_line(title),
            content=content,
            publication=_name(publication),
            date=day,
            url=url,
            file=name,
            line=line,
            short_body=_short_body(content) if content else "",
        )
    yield from broken


def _short_body(content: str) -> str:
    if _MANY_WORDS.match(content):
        return ""
    words = [found[0] for found in islice(_WORD.finditer(content.lower()), SAME_BODY_WORDS)]
    return " ".join(words) if 0 < len(words) < SAME_BODY_WORDS else ""


def _columns(name: str, header: list[str], text: Text) -> dict[str, int]:
    places = {column.strip().lower(): place for place, column in reversed(list(enumerate(header)))}
    needed = ("title", "content") if text == "both" else (text,)
    missing = [column for column in needed if column not in places]
    if missing:
        has = ", ".join(_shown(column) for column in header[:12]) + (", …" if len(header) > 12 else "")
        raise BadData(f"{name} has no column {' and no column '.join(missing)}; its header has {has}")
    return {each: places[each] for each in (*Article.__slots__, "year", "month") if each in places}


def _shown(column: str) -> str:
    """A header cell for an error message: short, and without what would steer a terminal."""
    return "".join(each if each.isprintable() else "�" for each in column.strip()[:40]) or '""'


def _wanted(text: Text) -> str:
    return "title or content" if text == "both" else text


@lru_cache(4096)
def _name(publication: str) -> str:
    return _one_line(_present(publication))


def _one_line(text: str) -> str:
    """White space as single blanks, control characters gone."""
    return " ".join(_CONTROL.sub(" ", text).split())


def _present(cell: str) -> str:
    return "" if len(cell) < 5 and cell.lower() in _MISSING else cell


def is_placeholder(content: str) -> bool:
    """Whether a body is filler: one word said three times or more and nothing else, or lorem ipsum."""
    start = content[:400].lower()
    if "lorem ipsum" in start[:60]:
        return True
    if not _WORD_TWICE.match(start):
        return False
    words = _WORD.findall(start)
    return len(words) >= 3 and len(set(words)) == 1 and len(set(_WORD.findall(content.lower()))) == 1


_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?(?:[T ].*)?")
_SLASHED = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})(?: .*)?")


@lru_cache(4096)
def parse_date(text: str, year: str = "", month: str = "") -> str | None:
    """A day `YYYY-MM-DD`, or a month `YYYY-MM` where no day is known, or None.

    `year` and `month` may be floats (`2017.0`). With slashes and the year last, the month column decides which number
    is the month; without one it is the first, as American papers write it, unless only the other way is a date.
    """
    column_month = _whole(month)
    if (found := _ISO.fullmatch(text)) and (iso := _iso(int(found[1]), int(found[2]), int(found[3] or 0) or None)):
        return iso
    if found := _SLASHED.fullmatch(text):
        first, second, its_year = (int(each) for each in found.groups())
        ways = [(first, second), (second, first)]
        ways.sort(key=lambda way: way[0] != column_month)
        for way in ways:
            if iso := _iso(its_year, *way):
                return iso
    its = _whole(year)
    if its is None or not 1000 <= its <= 9999:
        return None
    return _iso(its, column_month, None) if column_month else None


def _iso(year: int, month: int, day: int | None) -> str | None:
    try:
        found = date(year, month, day or 1)
    except (ValueError, OverflowError):
        return None
    return found.isoformat() if day else found.isoformat()[:7]


def _whole(text: str) -> int | None:
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return None
