"""CSV records: a broken row costs itself and no other."""

import csv
import io
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.topics.records import read_records

Rows = Sequence[Sequence[str]]
Broken = list[tuple[str, int, str]]

# Two orders of columns: the text last, as in the Kaggle files, and first of several
HEADERS = (["id", "title", "content"], ["id", "content", "url"], ["", "id", "title", "content"])


def as_csv(rows: Rows, quoting: int = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator="\n").writerows(rows)
    return text.getvalue()


def in_blocks(text: str, size: int = 1000) -> list[list[str]]:
    """The text's lines, so many at a time."""
    lines = io.StringIO(text, newline="\n").readlines()
    return [lines[start : start + size] for start in range(0, len(lines), size)]


def read(text: str) -> tuple[list[list[str]], Broken]:
    broken: Broken = []
    rows = [row for _, row in read_records(in_blocks(text), lambda *what: broken.append(what))]
    return rows, broken


def none_is_broken(*what: object) -> None:
    pytest.fail(f"a good row was rejected: {what}")


# no digits: a line "5,a,b" inside a cell can't be told from a row
no_digits = st.characters(exclude_categories=["Cs", "Nd"], exclude_characters="\0\r")
cells = st.text(no_digits, max_size=12) | st.text(st.sampled_from('a,"\n '), max_size=12)
quotings = st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])


@given(table=st.lists(st.tuples(cells, cells), max_size=6), quoting=quotings, header=st.sampled_from(HEADERS))
@settings(deadline=None)
def test_what_csv_writes_is_read_back_cell_for_cell(
    table: list[tuple[str, str]], quoting: int, header: list[str]
) -> None:
    rows = [[str(number), *pair] for number, pair in enumerate(table)]
    if header[0] == "":
        rows = [["0", *row] for row in rows]
    assert read(as_csv([header, *rows], quoting)) == ([header, *rows], [])


# A cell starts with a letter: with a quote or a line end at its start, an open quote before it closes in good form
inside = st.builds(lambda first, rest: first + rest, st.sampled_from("abc"), cells)
BROKEN = {
    "unclosed quote in the last cell": '99,title,"never closed\n',
    "unclosed quote in a middle cell": '99,"never closed,content\n',
    "missing cells": "99,title\n",
    "extra cells": "99,title,content,more,and more\n",
    "text after a closed quote": '99,title,"closed" and on, "and open\n',
}


@given(
    table=st.lists(st.tuples(inside, inside), min_size=1, max_size=5),
    quoting=quotings,
    header=st.sampled_from(HEADERS[:2]),
    kind=st.sampled_from(sorted(BROKEN)),
    data=st.data(),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_broken_row_among_good_ones_loses_at_most_itself(
    table: list[tuple[str, str]], quoting: int, header: list[str], kind: str, data: st.DataObject
) -> None:
    rows = [[str(number), *pair] for number, pair in enumerate(table)]
    place = data.draw(st.integers(0, len(rows)))
    text = as_csv([header, *rows[:place]], quoting) + BROKEN[kind] + as_csv(rows[place:], quoting)
    found, broken = read(text)
    assert [row for row in found[1:] if row[0] != "99"] == rows
    assert len(found) - 1 + len(broken) == len(rows) + 1


# no commas: without ids, a line "a,b,c" inside a broken row can't be told from a row
plain = st.builds(
    lambda first, rest: first + rest, st.sampled_from("abc"), st.text(st.sampled_from('ab"\n '), max_size=10)
)


@given(table=st.lists(st.tuples(plain, plain, plain), max_size=5), quoting=quotings, data=st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_without_ids_too_a_broken_row_loses_at_most_itself(
    table: list[tuple[str, str, str]], quoting: int, data: st.DataObject
) -> None:
    rows = [list(row) for row in table]
    place = data.draw(st.integers(0, len(rows)))
    broken_row = data.draw(st.sampled_from(sorted(BROKEN.values())))
    text = as_csv([["title", "content", "url"], *rows[:place]], quoting) + broken_row + as_csv(rows[place:], quoting)
    found, _ = read(text)
    assert [row for row in found[1:] if row[0] != "99"] == rows


def test_a_quote_that_nothing_closes_costs_one_row_of_a_large_file() -> None:
    found, broken = read('title,content\nx,"open\n' + "a title,some words\n" * 100_000)
    assert len(found) == 100_001
    assert broken == [("unclosed quote", 2, 'x,"open\n')]


@pytest.mark.parametrize("kind", sorted(BROKEN))
@pytest.mark.parametrize("place", [0, 1, 3])
def test_without_an_id_column_a_broken_row_loses_at_most_itself(kind: str, place: int) -> None:
    rows = [["a title", "one", 'lines\nof "text", a\nand more'], ["b", "two", "x"], ["c", "three\nlines\n", "y, z"]]
    text = as_csv([["title", "content", "url"], *rows[:place]]) + BROKEN[kind] + as_csv(rows[place:])
    found, broken = read(text)
    assert [row for row in found[1:] if row[0] != "99"] == rows
    assert broken


@pytest.mark.parametrize("broken_line", ['2,"open title,the content,u\n', '2,title,"open content,u\n'])
def test_the_row_after_an_unclosed_quote_survives_with_lines_in_a_cell_that_is_not_the_last(broken_line: str) -> None:
    after = [["3", "title", "first line\nsecond line\nthird, line", "u"], ["4", "t", "c", "u"]]
    text = as_csv([["id", "title", "content", "url"], ["1", "t", "c", "u"]]) + broken_line + as_csv(after)
    found, broken = read(text)
    assert found[2:] == after
    assert [reason for reason, *_ in broken] == ["unclosed quote"]


def test_a_broken_row_of_several_lines_is_one_reject_that_keeps_them_all() -> None:
    text = as_csv([["id", "title", "content"], ["1", "a", "b"]]) + '2,t,"one\n\ntwo\nthree" four\n3,a,b\n'
    found, broken = read(text)
    assert found[1:] == [["1", "a", "b"], ["3", "a", "b"]]
    assert broken == [("unclosed quote", 3, '2,t,"one\n\ntwo\nthree" four\n')]


def test_a_quote_open_at_the_end_of_the_file_costs_its_row() -> None:
    found, broken = read('id,title,content\n1,a,b\n2,c,"d\n')
    assert found[1:] == [["1", "a", "b"]]
    assert broken == [("unclosed quote", 3, '2,c,"d\n')]


def test_rows_of_other_widths_are_told_with_line_and_text() -> None:
    found, broken = read("id,title,content\n1,a\n2,b,c\n3,d,e,f\n")
    assert found[1:] == [["2", "b", "c"]]
    assert broken == [("wrong number of cells", 2, "1,a\n"), ("wrong number of cells", 4, "3,d,e,f\n")]


def test_records_carry_the_number_of_their_first_line() -> None:
    lines = 'id,content\n\n1,"a\nb"\n2,c\n'
    assert [number for number, _ in read_records(in_blocks(lines), none_is_broken)] == [1, 3, 5]


def test_stray_quotes_inside_a_cell_are_text() -> None:
    assert read('id,content\n1,she said "yes"\n2,a 5" gun\n')[0][1:] == [["1", 'she said "yes"'], ["2", 'a 5" gun']]
    assert read('id,title,content\n1,"Yes" she said,x\n')[0][1:] == [["1", "Yes she said", "x"]]


def test_a_cell_of_five_megabytes_survives_on_one_line_and_on_many() -> None:
    one, many = "word, " * 900_000, "line,\n" * 900_000
    found, broken = read(as_csv([["id", "content"], ["1", one], ["2", many], ["3", "after"]]))
    assert found[1:] == [["1", one], ["2", many], ["3", "after"]]
    assert not broken


def test_blank_lines_are_no_rows() -> None:
    assert read("\nid,content\n\n1,a\n\n") == ([["id", "content"], ["1", "a"]], [])


def test_rows_are_read_only_as_they_are_asked_for() -> None:
    taken = 0

    def blocks() -> Iterator[list[str]]:
        nonlocal taken
        for block in [["id,content\n"], *([f"{number},a\n"] for number in range(1000))]:
            taken += 1
            yield block

    records = read_records(blocks(), none_is_broken)
    next(records), next(records)
    assert taken == 2


def events(blocks: list[list[str]], *, quick: bool) -> list[object]:
    """All that reading gives, in order."""
    found: list[object] = []
    for record in read_records(blocks, lambda *what: found.append(what), quick=quick):
        found.append(record)
    return found


# lines that read as rows, as parts of them, and as what quoting goes wrong with
pieces = st.sampled_from(
    [
        "1,a,b\n",
        "22,c,d\n",
        '3,"e',
        '"\n',
        '4,"f\n',
        'g"\n',
        ",",
        '"',
        "\n",
        '""',
        "5",
        '6,"h,i\n',
        "x,y,z\n",
        "7,j\n",
        "k",
    ]
)
mutilated = st.lists(pieces, max_size=14).map("".join) | st.text(st.sampled_from('",\n1a '), max_size=40)


@given(header=st.sampled_from(HEADERS), text=mutilated, size=st.integers(1, 6), quoting=quotings)
@settings(deadline=None, max_examples=400)
def test_many_rows_at_a_time_are_the_rows_that_come_one_by_one(
    header: list[str], text: str, size: int, quoting: int
) -> None:
    blocks = in_blocks(as_csv([header], quoting) + text, size)
    slowly = events(in_blocks(as_csv([header], quoting) + text, 1), quick=False)
    assert events(blocks, quick=True) == events(blocks, quick=False) == slowly


def test_a_file_of_broken_rows_alone_is_read_one_by_one_after_a_while() -> None:
    found, broken = read("id,title,content\n" + '1,"open,a\n' * 20_000)
    assert len(found) == 1
    assert len(broken) == 20_000
