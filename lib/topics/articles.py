"""Articles from CSV files in the "All the news" schema, streamed; what can't be used is rejected with its reason.

Columns go by their header names (`id, title, publication, author, date, year, month, url, content`, in any order, more
of them or fewer). The texts asked for have to be there; the others may be missing.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Literal

from lib.errors import BadData
from lib.topics.records import read_records
from lib.topics.sources import tables_in

Text = Literal["both", "title", "content"]
Reject = Callable[..., None]  # reason, and what is known of the row by name

SAME_BODY_WORDS = 20  # two articles with the same body of so many words are one article, whatever their titles say
_LETTER = re.compile(r"[^\W\d_]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_WORD = re.compile(r"[^\W_]+")
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
    seen: set[bytes] = set()
    usable = False
    for path in paths:
        for name, lines in tables_in(path, repaired):
            for article in _articles_of(name, lines, text, reject, repaired):
                keys = _keys(article, text)
                if any(key in seen for key in keys):
                    reject("duplicate", file=name, line=article.line, title=article.title, id=article.id)
                    continue
                seen.update(keys)
                usable = True
                yield article
    if not usable:
        names = ", ".join(str(path) for path in paths[:3]) + (", …" if len(paths) > 3 else "")
        raise BadData(f"{names} has no usable row; expected articles with a {_wanted(text)}, one a row")


def _articles_of(
    name: str, lines: Iterator[str], text: Text, reject: Reject, repaired: Counter[str]
) -> Iterator[Article]:
    records = read_records(lines, lambda reason, line, raw: reject(reason, file=name, line=line, text=raw))
    header = next(records, None)
    if header is None:
        raise BadData(f"{name} is empty or all broken lines; expected a header line with the columns title and content")
    columns = _columns(name, header[1], text)
    for line, row in records:
        cell = {column: row[place].strip() for column, place in columns.items()}
        title, content = _present(cell.get("title", "")), _present(cell.get("content", ""))
        chosen = {"both": f"{title} {content}", "title": title, "content": content}[text]
        if not _LETTER.search(chosen):
            reject("empty", file=name, line=line, title=title, text=content)
        elif text != "title" and is_placeholder(content):
            reject("placeholder", file=name, line=line, title=title, text=content)
        else:
            words = [found[0] for found in islice(_WORD.finditer(content.lower()), SAME_BODY_WORDS)]
            given = _present(cell.get("date", ""))
            day = parse_date(given, cell.get("year", ""), cell.get("month", ""))
            if given and day is None:
                repaired["dates not understood"] += 1
            yield Article(
                id=blake2b(f"{title}\0{content}".encode("utf-8", "replace"), digest_size=8).hexdigest(),
                title=_one_line(title),
                content=content,
                publication=_one_line(_present(cell.get("publication", ""))),
                date=day,
                url=cell.get("url", ""),
                file=name,
                line=line,
                short_body=" ".join(words) if 0 < len(words) < SAME_BODY_WORDS else "",
            )


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


def _one_line(text: str) -> str:
    """White space as single blanks, control characters gone."""
    return " ".join(_CONTROL.sub(" ", text).split())


def _present(cell: str) -> str:
    return "" if cell.lower() in _MISSING else cell


def _keys(article: Article, text: Text) -> list[bytes]:
    """What no second article may share: the texts asked for, and a body long enough to be an article's own."""
    title, body = article.title.casefold(), " ".join(article.content.casefold().split())
    keys = {"both": [f"t{title}\0{body}"], "title": [f"t{title}"], "content": [f"b{body}"]}[text]
    if text == "both" and not article.short_body and body:
        keys.append(f"b{body}")
    return [blake2b(key.encode("utf-8", "replace"), digest_size=12).digest() for key in keys]


def is_placeholder(content: str) -> bool:
    """Whether a body is filler: one word said three times or more and nothing else, or lorem ipsum."""
    start = content[:400].lower()
    if "lorem ipsum" in start[:60]:
        return True
    words = _WORD.findall(start)
    return len(words) >= 3 and len(set(words)) == 1 and len(set(_WORD.findall(content.lower()))) == 1


_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?(?:[T ].*)?")
_SLASHED = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})(?: .*)?")


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
