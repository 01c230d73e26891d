"""CSV records from lines, with recovery: a broken row costs itself and not the rows after it.

Python's own `csv` reader does the parsing, in strict mode, so that it says where quoting goes wrong. What is added:
a quote that was never closed swallows rows until another quote ends it, so each line inside an open cell is looked at:
one that reads as a whole row of its own (as many cells as the header, a number in the id's place) ends the broken
record there. Once a record is known to be broken, the first line that begins like a row is taken for the next one.
"""

import csv
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

RECORD_LIMIT = 32 << 20  # characters; articles of several megabytes exist, records of more are a lost quote
MOST_SINGLE = 1000  # records read one by one before the quick way is tried again
# One limit for all readers: the field limit is csv's global, and sys.maxsize doesn't fit a C long everywhere.
csv.field_size_limit(RECORD_LIMIT)

Broken = Callable[[str, int, str], None]  # reason, line number, the text
_RowTests = tuple[Callable[[str], object], Callable[[str], bool]]  # begins like a row, reads as a whole one


class _LostQuoteError(Exception):
    """A record runs over lines that read as rows of their own, or beyond all bounds."""


class _Lines:
    """Lines for a csv reader: it knows those of the record at hand, and takes lines back."""

    def __init__(self, blocks: Iterable[Sequence[str]]) -> None:
        self._blocks = iter(blocks)
        self._ahead: list[str] = []  # the next line is the last
        self._size = 0
        self.taken: list[str] = []
        self.start = 1  # number of the record's first line
        self.is_row: Callable[[str], object] | None = None
        self.begins_row: Callable[[str], object] | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while not self._ahead:
            self._ahead.extend(reversed(next(self._blocks)))
        text = self._ahead[-1]
        if self.taken and (self._size > RECORD_LIMIT or (self.is_row is not None and self.is_row(text))):
            raise _LostQuoteError
        self._ahead.pop()
        self.taken.append(text)
        self._size += len(text)
        return text

    def good_rows(self, width: int, tests: _RowTests | None) -> Generator[tuple[int, list[str]], None, int]:
        """The rows ahead by one csv reader a block, up to the first that is not beyond doubt; returns how many."""
        count = 0
        while True:
            if not self._ahead:
                self._ahead.extend(reversed(next(self._blocks, ())))
            lines = len(self._ahead)
            if not lines or sum(map(len, self._ahead)) > RECORD_LIMIT:
                return count
            rows = csv.reader(reversed(self._ahead), strict=True)
            done = 0
            try:
                for row in rows:
                    end = rows.line_num
                    if len(row) == width:
                        within = self._ahead[-end : -done - 1] if end - done > 1 else []
                        begins_row, is_row = self.begins_row, self.is_row
                        # Few lines begin so; those that read as whole rows are the slow way's to judge.
                        if begins_row and is_row and any(map(begins_row, within)) and any(map(is_row, within)):
                            break
                        if self.is_row is None and tests is not None and tests[0](self._ahead[-done - 1]):
                            self.begins_row, self.is_row = tests
                        yield self.start + done, row
                        count += 1
                    elif row:
                        break
                    done = end
            except csv.Error:  # quoting gone wrong, or a record that goes on in the next block
                pass
            self.start += done
            del self._ahead[lines - done :]
            if done < lines:
                return count

    def begin(self) -> None:
        self.start += len(self.taken)
        self.taken = []
        self._size = 0

    def give_back_from(self, place: int) -> None:
        """Keep the first `place` lines of the record at hand; the rest are read again."""
        self._ahead.extend(reversed(self.taken[place:]))
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


def read_records(
    blocks: Iterable[Sequence[str]], broken: Broken, *, quick: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """The records with their line numbers, the header first. Rows that aren't as wide as the header go to `broken`.

    `blocks` are lists of lines, in which the rows are read by one csv reader up to the first that is in doubt; that
    one is read by itself. `quick=False` reads all of them so: the same rows, slowly.
    """
    source = _Lines(blocks)
    width = 0
    tests: _RowTests | None = None
    # Where many rows are in doubt, to try the quick way before each of them is the slow one.
    single = pause = 0
    while True:
        source.begin()
        if quick and width and not single:
            good = yield from source.good_rows(width, tests)
            pause = 0 if good > pause else min(2 * pause + 1, MOST_SINGLE)
            single = pause
        single -= 1 if single else 0
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
            next_row = bool(source.begins_row(text))
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

    def is_row(text: str) -> bool:
        return start.match(text) is not None and len(next(csv.reader([text]), [])) == width

    return start.match, is_row
