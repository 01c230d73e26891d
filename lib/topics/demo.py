"""Articles for the demo: gensim's own Lee corpus, written in the "All the news" schema.

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
FIRST_DAY = date(2024, 1, 1)
HEADLINE_WORDS = 9


def write_demo_articles(folder: Path) -> Path:
    """Write `lee.csv` into the folder and return its path."""
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
