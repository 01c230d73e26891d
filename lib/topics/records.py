"""CSV records from lines, with recovery: a broken row costs itself and not the rows after it.

Python's own `csv` reader does the parsing, in strict mode, so that it says where quoting goes wrong. What is added:
a quote that was never closed swallows rows until another quote ends it, so each line inside an open cell is looked at:
one that reads as a whole row of its own (as many cells as the header, a number in the id's place) ends the broken
record there. Once a record is known to be broken, the first line that begins like a row is taken for the next one.
"""

import csv
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator

RECORD_LIMIT = 32 << 20  # characters; articles of several megabytes exist, records of more are a lost quote
# One limit for all readers: the field limit is csv's global, and sys.maxsize doesn't fit a C long everywhere.
csv.field_size_limit(RECORD_LIMIT)

Broken = Callable[[str, int, str], None]  # reason, line number, the text
_RowTests = tuple[Callable[[str], bool], Callable[[str], bool]]


class _LostQuoteError(Exception):
    """A record runs over lines that read as rows of their own, or beyond all bounds."""


class _Lines:
    """Lines for a csv reader: it knows those of the record at hand, and takes lines back."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._ahead: deque[str] = deque()
        self._size = 0
        self.taken: list[str] = []
        self.start = 1  # number of the record's first line
        self.is_row: Callable[[str], bool] | None = None
        self.begins_row: Callable[[str], bool] | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        text = self._ahead.popleft() if self._ahead else next(self._lines)
        if self.taken and (self._size > RECORD_LIMIT or (self.is_row is not None and self.is_row(text))):
            self._ahead.appendleft(text)
            raise _LostQuoteError
        self.taken.append(text)
        self._size += len(text)
        return text

    def begin(self) -> None:
        self.start += len(self.taken)
        self.taken = []
        self._size = 0

    def give_back_from(self, place: int) -> None:
        """Keep the first `place` lines of the record at hand; the rest are read again."""
        self._ahead.extendleft(reversed(self.taken[place:]))
        del self.taken[place:]

    def take_to_next_row(self) -> None:
        """Add to the record at hand the lines up to the next one that begins like a row."""
        self.is_row, is_row = self.begins_row, self.is_row
        try:
            for _ in self:
                pass
        except _LostQuoteError:
            pass
        self.is_row = is_row


def read_records(lines: Iterable[str], broken: Broken) -> Iterator[tuple[int, list[str]]]:
    """The records with their line numbers, the header first. Rows that aren't as wide as the header go to `broken`."""
    source = _Lines(lines)
    width = 0
    tests: _RowTests | None = None
    while True:
        source.begin()
        try:
            row = next(csv.reader(source, strict=True))
        except StopIteration:
            return
        except (csv.Error, _LostQuoteError):
            row = _read_leniently(source, width)
            if not row:
                _skip_broken(source, width)
                broken("unclosed quote", source.start, "".join(source.taken))
                continue
        if not row:
            continue
        if not width:
            width = len(row)
            tests = _row_tests(row)
        elif len(row) != width:
            _skip_broken(source, width)
            broken("wrong number of cells", source.start, "".join(source.taken))
            continue
        elif source.is_row is None and tests is not None and tests[0](source.taken[0]):
            # ids are numbers here: from now on lost quotes are noticed at once
            source.begins_row, source.is_row = tests
        yield source.start, row


def _read_leniently(source: _Lines, width: int) -> list[str]:
    """A row of one line with stray quotes inside a cell, where it still has its cells and its end; else nothing."""
    row = next(csv.reader([source.taken[0]]), [])
    if len(source.taken) == 1 and len(row) == width and not row[-1].endswith("\n"):
        return row
    return []


def _skip_broken(source: _Lines, width: int) -> None:
    """Leave in `source.taken` what belongs to the broken row; give the rows after it back."""
    for place, text in enumerate(source.taken[1:], start=1):
        if source.begins_row is not None:
            next_row = source.begins_row(text)
        else:
            next_row = len(next(csv.reader([text]), [])) == width
        if next_row:
            source.give_back_from(place)
            return
    if source.begins_row is not None:
        source.take_to_next_row()
    else:
        source.give_back_from(1)


def _row_tests(header: list[str]) -> _RowTests | None:
    """Whether a line begins like a row: by the number in the column `id`, where that is among the first three; and
    whether it reads as a whole one.
    """
    names = [name.strip().lower() for name in header[:3]]
    if "id" not in names:
        return None
    place, width = names.index("id"), len(header)
    start = re.compile(r'(?:[^,"]*,)' * place + r'"?\d+(?:\.0)?"?,')

    def begins_row(text: str) -> bool:
        return start.match(text) is not None

    def is_row(text: str) -> bool:
        return begins_row(text) and len(next(csv.reader([text]), [])) == width

    return begins_row, is_row
