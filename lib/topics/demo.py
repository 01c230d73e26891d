"""Articles for the demo: gensim's own Lee corpus, written in the "All the news" schema, as three weeks of reading.

The texts are the corpus's (300 news articles that ship with gensim); it has neither headlines, nor dates, nor papers.
The first words stand for a headline; dates and papers are invented, and the demo's pages say so.
"""

import csv
import io
from datetime import date, timedelta
from pathlib import Path

from lib.files import atomic_write

PAPERS = ("Demo Courier", "Demo Gazette", "Demo Herald")
HEADER = ("", "id", "title", "publication", "author", "date", "year", "month", "url", "content")
DAY = HEADER.index("date")
FIRST_DAY = date(2024, 1, 1)
HEADLINE_WORDS = 9
SUNDAYS = (date(2024, 2, 18), date(2024, 2, 25), date(2024, 3, 3))
READ = 200  # articles a week, the last before each Sunday: most of them last week's, too


def write_demo_weeks(folder: Path) -> list[Path]:
    """Write a folder for each of SUNDAYS, with what there is to read by then in a `lee.csv`; returns the files."""
    rows = list(csv.reader(io.StringIO(write_demo_articles(folder).read_text(encoding="utf-8"))))
    (folder / "lee.csv").unlink()
    paths = []
    for sunday in SUNDAYS:
        text = io.StringIO()
        csv.writer(text).writerows([rows[0], *[row for row in rows[1:] if row[DAY] < str(sunday)][-READ:]])
        path = folder / str(sunday) / "lee.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, text.getvalue())
        paths.append(path)
    return paths


def write_demo_articles(folder: Path) -> Path:
    """Write all of the corpus as `lee.csv` into the folder and return its path."""
    from gensim.test.utils import datapath

    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(HEADER)
    for number, line in enumerate(Path(datapath("lee_background.cor")).read_text(encoding="utf-8").splitlines()):
        paper = PAPERS[number % len(PAPERS)]
        day = FIRST_DAY + timedelta(days=number // 5)
        words = line.split()
        title = " ".join(words[:HEADLINE_WORDS]).rstrip(".,;:") + f" - {paper}"
        rows.writerow((number, 1000 + number, title, paper, "", day, float(day.year), float(day.month), "", line))
    path = folder / "lee.csv"
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(path, text.getvalue())
    return path
