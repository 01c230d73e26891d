"""The demo's articles are the Lee corpus in the columns that the job reads."""

import csv
from datetime import date
from itertools import pairwise
from pathlib import Path

from gensim.test.utils import datapath

from lib.topics.demo import HEADER, PAPERS, READ, SUNDAYS, write_demo_articles, write_demo_weeks


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_file_has_the_columns_of_all_the_news_and_the_whole_corpus(tmp_path: Path) -> None:
    path = write_demo_articles(tmp_path / "not there yet")
    assert path == tmp_path / "not there yet" / "lee.csv"
    rows = rows_of(path)
    assert tuple(rows[0]) == HEADER
    corpus = Path(datapath("lee_background.cor")).read_text(encoding="utf-8").splitlines()
    assert [row["content"] for row in rows] == corpus
    assert len(rows) == 300


def test_every_row_has_a_title_an_id_of_its_own_a_demo_paper_and_a_date_that_its_year_and_month_repeat(
    tmp_path: Path,
) -> None:
    rows = rows_of(write_demo_articles(tmp_path))
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        day = date.fromisoformat(row["date"])
        assert (float(row["year"]), float(row["month"])) == (day.year, day.month)
        assert row["publication"] in PAPERS
        assert row["publication"].startswith("Demo")
        assert row["title"].endswith(f" - {row['publication']}")
        assert row["content"].startswith(row["title"].removesuffix(f" - {row['publication']}"))


def test_writing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_demo_articles(tmp_path).read_bytes()
    assert write_demo_articles(tmp_path).read_bytes() == first


def test_each_demo_week_reads_the_last_articles_before_its_sunday_most_of_them_last_weeks_too(tmp_path: Path) -> None:
    weeks = [rows_of(path) for path in write_demo_weeks(tmp_path)]
    assert [path.parent.name for path in sorted(tmp_path.rglob("*.csv"))] == [str(sunday) for sunday in SUNDAYS]
    for sunday, rows in zip(SUNDAYS, weeks, strict=True):
        assert len(rows) == READ
        assert max(row["date"] for row in rows) < str(sunday)
    for before, now in pairwise(weeks):
        both = {row["id"] for row in before} & {row["id"] for row in now}
        assert READ / 2 < len(both) < READ
