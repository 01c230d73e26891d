"""Articles from CSV files, with the faults that such files have."""

import csv
import io
import os
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lib.errors import BadData, DeskError
from lib.topics.articles import Article, Text, is_placeholder, parse_date, read_articles
from lib.topics.documents import read_documents
from lib.topics.sources import csv_files
from tests.lib.topics.made import advance

HEADER = ["", "id", "title", "publication", "author", "date", "year", "month", "url", "content"]
REAL_DATA = os.environ.get("NIGHTDESK_REAL_DATA")


class Desk:
    """What a run keeps beside the articles."""

    def __init__(self) -> None:
        self.rejects: list[dict[str, Any]] = []
        self.repaired: Counter[str] = Counter()

    def reject(self, reason: str, **known: Any) -> None:
        self.rejects.append({"reason": reason, **known})

    @property
    def reasons(self) -> Counter[str]:
        return Counter(each["reason"] for each in self.rejects)

    def read(self, *paths: Path, text: Text = "both") -> list[Article]:
        return list(read_articles(paths, text=text, reject=self.reject, repaired=self.repaired))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def a_row(number: int, **cells: str) -> dict[str, str]:
    given = {"": str(number), "id": str(17000 + number), "title": f"Title {number}", "publication": "The Paper"}
    return {**given, "date": "2017-01-05", "content": f"The content of article {number}", **cells}


def write(path: Path, rows: Sequence[dict[str, str]], header: Sequence[str] = HEADER, after: bytes = b"") -> Path:
    text = io.StringIO()
    table = csv.DictWriter(text, header, extrasaction="ignore")
    table.writeheader()
    table.writerows(rows)
    path.write_bytes(text.getvalue().encode() + after)
    return path


def test_an_article_has_its_cells_and_its_place(tmp_path: Path, desk: Desk) -> None:
    path = write(tmp_path / "a.csv", [a_row(1, title="  A \n title ", url="http://x/", content="Some\ncontent ")])
    (article,) = desk.read(path)
    assert (article.title, article.content, article.publication) == ("A title", "Some\ncontent", "The Paper")
    assert (article.date, article.url, article.file, article.line) == ("2017-01-05", "http://x/", str(path), 2)
    assert len(article.id) == 16
    assert not desk.rejects


def test_columns_go_by_name_in_any_order_and_case_behind_a_byte_order_mark(tmp_path: Path, desk: Desk) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbf"Content",more,TITLE\nthe content,x,the title\n')
    (article,) = desk.read(path)
    assert (article.title, article.content, article.date, article.publication) == ("the title", "the content", None, "")


def test_the_id_depends_on_title_and_content_alone(tmp_path: Path, desk: Desk) -> None:
    first = write(tmp_path / "a.csv", [a_row(1), a_row(2)])
    second = write(tmp_path / "b.csv", [a_row(2, publication="Other", id="5"), a_row(1, date="")])
    assert [each.id for each in desk.read(first)] == [each.id for each in Desk().read(second)][::-1]


def test_each_broken_empty_or_duplicate_row_is_kept_with_its_reason(tmp_path: Path, desk: Desk) -> None:
    rows = [a_row(1), a_row(2, title="", content=" \n"), a_row(3, content="nan", title="NaN"), a_row(1), a_row(4)]
    after = b'5,17005,only three\n6,17006,"open,p,,,,,,the rest\n7,17007,Title 7,p,,,,,,Content 7\n'
    articles = desk.read(write(tmp_path / "a.csv", rows, after=after))
    assert [each.title for each in articles] == ["Title 1", "Title 4", "Title 7"]
    assert desk.reasons == {"empty": 2, "duplicate": 1, "wrong number of cells": 1, "unclosed quote": 1}
    assert all(each["file"] == str(tmp_path / "a.csv") and each["line"] > 1 for each in desk.rejects)
    assert any(each.get("text") == "5,17005,only three\n" for each in desk.rejects)


def test_duplicates_are_found_across_files_and_by_a_long_body_under_another_title(tmp_path: Path, desk: Desk) -> None:
    body = " ".join(f"word{number}" for number in range(30))
    one = write(tmp_path / "a.csv", [a_row(1), a_row(2, content=body), a_row(3, content="short body")])
    two = write(tmp_path / "b.csv", [a_row(1), a_row(4, content=body.upper()), a_row(5, content="short body")])
    assert [each.title for each in desk.read(one, two)] == ["Title 1", "Title 2", "Title 3", "Title 5"]
    assert desk.reasons == {"duplicate": 2}


def test_duplicates_are_the_same_in_any_case_and_with_any_white_space(tmp_path: Path, desk: Desk) -> None:
    words = [f"wörd{number}" for number in range(30)]
    plain = [f"word{number}" for number in range(30)]
    bodies = [" ".join(words), "\n\n".join(words).upper(), "\u00a0".join(words), " ".join(plain), "\t \n".join(plain)]
    path = write(tmp_path / "a.csv", [a_row(number, content=body) for number, body in enumerate(bodies)])
    assert [each.title for each in desk.read(path)] == ["Title 0", "Title 3"]


def test_rejects_come_in_the_order_of_their_rows(tmp_path: Path, desk: Desk) -> None:
    rows = [a_row(1), a_row(2, content="", title=""), a_row(1), a_row(3, content="no no no"), a_row(1)]
    path = write(tmp_path / "a.csv", rows, after=b"5,17005,only three\n5,17005,a,b,c,d,e,f,g,h\n6,17006,only three\n")
    assert [each.title for each in desk.read(path)] == ["Title 1", "a"]
    found = [(each["reason"].split()[0], each["line"]) for each in desk.rejects]
    assert found == [("empty", 3), ("duplicate", 4), ("placeholder", 5), ("duplicate", 6), ("wrong", 7), ("wrong", 9)]


@pytest.mark.parametrize(
    ("text", "kept"), [("both", ["A", "A", "", "B"]), ("title", ["A", "B"]), ("content", ["A", "A", ""])]
)
def test_what_is_empty_or_duplicate_goes_by_the_text_asked_for(
    tmp_path: Path, desk: Desk, text: Text, kept: list[str]
) -> None:
    pairs = [("A", "one text"), ("A", "two texts"), ("", "three texts"), ("B", "")]
    path = write(tmp_path / "a.csv", [a_row(1, title=title, content=content) for title, content in pairs])
    assert [each.title for each in desk.read(path, text=text)] == kept
    assert len(kept) + len(desk.rejects) == len(pairs)


@pytest.mark.parametrize(("text", "needs"), [("both", "title"), ("title", "title"), ("content", "content")])
def test_a_missing_column_names_the_file_and_what_its_header_has(
    tmp_path: Path, desk: Desk, text: Text, needs: str
) -> None:
    path = write(tmp_path / "a.csv", [], header=["", "id", "headline", "body\x1b[2J"])
    with pytest.raises(BadData) as told:
        desk.read(path, text=text)
    assert told.value.exit_code == 65
    assert str(told.value).startswith(f"{path} has no column {needs}")
    assert str(told.value).endswith('its header has "", id, headline, body�[2J')


def test_only_the_column_asked_for_is_needed(tmp_path: Path, desk: Desk) -> None:
    path = write(tmp_path / "a.csv", [a_row(1)], header=["id", "title"])
    assert [each.title for each in desk.read(path, text="title")] == ["Title 1"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        ",".join(HEADER).encode() + b"\n",
        b"title,content\n,\n",
        bytes(range(256)) * 40,
        b"\x89PNG\r\n\x1a\n\0",
    ],
    ids=["empty", "blank lines", "header only", "empty rows", "every byte", "picture"],
)
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.zip"])
def test_a_file_without_a_usable_row_is_bad_data_that_names_it(
    tmp_path: Path, desk: Desk, content: bytes, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadData, match=r"a\.(csv|zip)"):
        desk.read(path)


def test_text_in_other_encodings_with_nuls_and_carriage_returns_is_read_and_counted(tmp_path: Path, desk: Desk) -> None:
    path = tmp_path / "a.csv"
    rows = ["id,title,content", "1,caf\xe9,“quoted”", "2,a\0b,c", '3,t,"one\rtwo\r', 'three"', ""]
    path.write_bytes("\n".join(rows).encode("cp1252"))
    articles = desk.read(path)
    assert [(each.title, each.content) for each in articles] == [
        ("café", "“quoted”"),
        ("ab", "c"),
        ("t", "one two\nthree"),
    ]
    assert desk.repaired == {"bytes not in UTF-8": 1, "NUL bytes": 1}


def test_a_content_of_five_megabytes_is_one_article(tmp_path: Path, desk: Desk) -> None:
    content = "many words " * 480_000
    articles = desk.read(write(tmp_path / "a.csv", [a_row(1, content=content), a_row(2)]))
    assert [each.content for each in articles] == [content.strip(), "The content of article 2"]


def test_both_tables_of_a_zip_are_read(tmp_path: Path, desk: Desk) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in (1, 2):
            archive.write(write(tmp_path / f"{number}.csv", [a_row(number)]), f"articles{number}.csv")
    assert [each.file for each in desk.read(path)] == [f"{path}/articles1.csv", f"{path}/articles2.csv"]


def test_memory_stays_far_below_the_size_of_the_file(tmp_path: Path, desk: Desk) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("id,title,content\n")
        for number in range(400):
            file.write(f'{number},Title {number},"' + (f"words of {number} " * 80 + "\n") * 50 + '"\n')
    assert path.stat().st_size > 20_000_000
    tracemalloc.start()
    count = sum(1 for _ in read_articles([path], reject=desk.reject, repaired=desk.repaired))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 400
    assert peak < 5_000_000


def test_articles_come_as_they_are_asked_for(tmp_path: Path, desk: Desk) -> None:
    good = write(tmp_path / "a.csv", [a_row(1)])
    articles = read_articles([good, tmp_path / "gone.csv"], reject=desk.reject, repaired=desk.repaired)
    assert next(articles).title == "Title 1"


@given(garbage=st.binary(max_size=200) | st.text('",\n\r0159a ', max_size=60).map(str.encode))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_after_good_rows_cost_none_of_them(tmp_path: Path, garbage: bytes) -> None:
    rows = [a_row(1), a_row(2, content='Two\nlines, "quoted"'), a_row(3)]
    path = write(tmp_path / "a.csv", rows, after=garbage)
    assert [each.title for each in Desk().read(path)][:3] == ["Title 1", "Title 2", "Title 3"]


@given(garbage=st.binary(max_size=200))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_articles_or_a_clear_error(tmp_path: Path, garbage: bytes) -> None:
    for start in (b"", b"title,content\n", b"PK\x03\x04"):
        path = tmp_path / "a.csv"
        path.write_bytes(start + garbage)
        try:
            assert Desk().read(path)
        except DeskError as told:
            assert str(path) in str(told)


@given(date=st.text("0123456789/-. T", max_size=12), year=st.text(max_size=6), month=st.floats().map(str))
@example(date="nan", year="2017", month="1e300")
@settings(deadline=None)
def test_any_date_is_a_day_a_month_or_none(date: str, year: str, month: str) -> None:
    found = parse_date(date, year, month)
    assert found is None or len(found) in (7, 10)


@pytest.mark.parametrize(
    ("date", "year", "month", "found"),
    [
        ("2017-01-05", "", "", "2017-01-05"),
        ("2017/1/5", "", "", "2017-01-05"),
        ("2017-01-05T10:00:00Z", "", "", "2017-01-05"),
        ("2017-01-05 10:00", "", "", "2017-01-05"),
        ("2017-01", "", "", "2017-01"),
        ("1/5/2017", "", "", "2017-01-05"),
        ("1/5/2017", "2017.0", "5.0", "2017-05-01"),
        ("25/12/2016", "", "", "2016-12-25"),
        ("nan", "2017.0", "2.0", "2017-02"),
        ("", "2017", "12", "2017-12"),
        ("nan", "nan", "nan", None),
        ("nan", "2017", "inf", None),
        ("nan", "2017", "1e300", None),
        ("nan", "2017.0", "", None),
        ("2017-02-30", "", "", None),
        ("yesterday", "", "", None),
    ],
)
def test_dates_are_read_as_they_are_met(date: str, year: str, month: str, found: str | None) -> None:
    assert parse_date(date, year, month) == found


@pytest.mark.parametrize(
    "body", ["blah blah blah", "Blah blah, blah.\nBLAH", "Lorem ipsum dolor sit amet, consectetur"]
)
def test_filler_is_rejected_as_a_placeholder(tmp_path: Path, desk: Desk, body: str) -> None:
    assert is_placeholder(body)
    assert len(desk.read(write(tmp_path / "a.csv", [a_row(1, content=body), a_row(2)]))) == 1
    assert desk.reasons == {"placeholder": 1}


@pytest.mark.parametrize("body", ["", "no", "no no", "blah blah blah, said the minister"])
def test_few_words_alone_are_no_placeholder(body: str) -> None:
    assert not is_placeholder(body)


def test_a_title_over_a_placeholder_counts_where_titles_are_read(tmp_path: Path, desk: Desk) -> None:
    assert len(desk.read(write(tmp_path / "a.csv", [a_row(1, content="blah blah blah")]), text="title")) == 1


@pytest.mark.skipif(not REAL_DATA, reason="NIGHTDESK_REAL_DATA is not set")
def test_every_row_of_the_real_articles_is_an_article_or_a_reject(tmp_path: Path, desk: Desk) -> None:
    files = csv_files([Path(REAL_DATA or "") / "articles"])
    found = read_articles(files, reject=desk.reject, repaired=desk.repaired)
    documents = read_documents(found, tmp_path, "both", desk.reject, advance)
    assert len(documents) + len(desk.rejects) == 24_148
    assert desk.reasons["placeholder"] == 1604


def test_an_impossible_date_leaves_the_year_and_month_columns_to_speak():
    assert parse_date("2017-02-30", "2017.0", "2.0") == "2017-02"
    assert parse_date("31/31/2017", "2017.0", "5.0") == "2017-05"
