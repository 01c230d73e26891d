"""Whether the week's topics can be found: the articles, the stop words, and room. For `python -m jobs doctor`."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from lib.doctor import Check, Found, Need, Probe, answers, failed, ok
from lib.doctor.check import size
from lib.errors import DeskError
from lib.settings import Settings
from lib.topics.sources import csv_files

NLTK_URL = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/index.xml"  # where nltk.download looks
UNPACKED = 6  # a packed article's bytes come to about so many times as many
PLAIN = ".csv"


def checks(settings: Settings, options: Any) -> Iterator[Found]:
    """The checks of a run with these options."""
    try:
        files = csv_files(options.articles or [settings.data / "articles"])
    except DeskError as fault:
        remedy = "put them there, name others in [model_topics] articles, or take the job off its schedule"
        yield failed("articles", str(fault).partition(";")[0], remedy)
    else:
        unread = [path for path in files if not os.access(path, os.R_OK)]
        total = sum(path.stat().st_size for path in files)
        if unread:
            yield failed("articles", f"not to be read: {', '.join(map(str, unread[:5]))}", "see who owns them")
        else:
            yield ok("articles", f"{len(files)} files of {size(total)}")
        # The words go by the disk; topic weights and titles of all articles stay there.
        room = sum(path.stat().st_size * (1 if path.name.lower().endswith(PLAIN) else UNPACKED) for path in files)
        yield Need(settings.data, room, "the words of the articles")
    yield _stop_words(settings.data, fetch=options.fetch)


def _stop_words(data: Path, *, fetch: bool) -> Found:
    """NLTK's list, by its files: NLTK itself takes a second to load. Without it a run has gensim's own."""
    name = "stop words"
    for folder in (data / "nltk_data", *_nltk_folders()):
        for place in ("corpora/stopwords/english", "corpora/stopwords.zip"):
            if (folder / place).is_file():
                return ok(name, f"NLTK's, in {folder}")
    if not fetch:
        return ok(name, "gensim's own list, since NLTK's is not installed and fetch is off")

    def look() -> Check:
        found = answers(name, NLTK_URL, "gensim's own list serves in its place; the report says so")
        if found.status == "ok":
            return ok(name, "NLTK's are fetched by the next run")
        return replace(found, status="warning", said=f"NLTK's are not installed, and {found.said}")

    return Probe(name, look)


def _nltk_folders() -> list[Path]:
    """Where NLTK looks, in its order (https://www.nltk.org/data.html)."""
    named = [Path(each) for each in os.environ.get("NLTK_DATA", "").split(os.pathsep) if each]
    prefix = Path(sys.prefix)
    return [
        *named,
        Path("~/nltk_data").expanduser(),
        *(prefix / place for place in ("nltk_data", "share/nltk_data", "lib/nltk_data")),
        *(Path(place, "nltk_data") for place in ("/usr/share", "/usr/local/share", "/usr/lib", "/usr/local/lib")),
    ]
