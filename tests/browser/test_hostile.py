"""What strangers write, three hundred times over and through the real jobs: nothing of it runs, and the page stands."""

import csv
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from lib import reports, runs
from lib.pages import MOST_MARKS
from lib.store import open_store, writing
from tests.browser.chromium import Look, look
from tests.browser.desks import ended, pages, run_job, settings_of
from tests.browser.hostile import BARE, HOSTILE, marks_in
from tests.browser.test_valid import parsed
from tests.jobs.conftest import article_rows, write_csv
from tests.lib.images.made_archives import made_parts, pack, write_python

FILES = 30
PRINTABLE = [text for text in HOSTILE if text.isprintable()]  # a class with another name is refused when it is read
NIGHTS = 3  # so many hundreds of names of classes
# What none of our pages is made of, whoever wrote in it.
FOREIGN = {
    *("script", "iframe", "object", "embed", "base", "form", "button", "audio", "video", "source", "math", "marquee"),
    *("foreignObject", "foreignobject", "animate", "use", "image", "template", "noscript", "textarea", "plaintext"),
}
# The job as ever, with room on its page for all that would be the first few.
RAISED = """
import sys
from importlib import import_module
for setting in sys.argv.pop(1).split():
    module, name, value = setting.split(":")
    assert hasattr(import_module(module), name), setting
    setattr(import_module(module), name, int(value))
job = sys.argv.pop(1)
getattr(import_module(f"jobs.{job}"), job)()
"""
ROOM = {
    "model_topics": "lib.topics.summary:HEADLINES:300 lib.topics.summary:MOST_PUBLICATIONS:300 "
    "lib.topics.summary:HEADLINE_CHARACTERS:20000",
    "capture_tweets": "lib.tweets.mood:EXTREMES:300 lib.tweets.mood:HASHTAGS:300 lib.tweets.mood:TEXT_CHARACTERS:20000",
}


def raised(job: str) -> tuple[str, ...]:
    return ("-c", RAISED, ROOM[job], job)


def file_name(number: int) -> str:
    """A hostile text as far as a file can be named so."""
    text = HOSTILE[number].translate({0: None, ord("/"): "∕", 0xD800: None})
    return text.encode()[:200].decode(errors="ignore")


def hostile_articles(folder: Path) -> list[str]:
    """Files with three hundred articles; returns the options that name them."""
    rows = article_rows(len(HOSTILE))
    for number, row in enumerate(rows):
        row[2], row[3], row[4], row[8] = HOSTILE[number], HOSTILE[-1 - number], HOSTILE[number], BARE[number]
        row[5] = row[5] if number % 7 else HOSTILE[number]
    paths = [write_csv(folder / f"{file_name(number)}.csv", rows[number::FILES]) for number in range(FILES)]
    return [each for path in paths for each in ("--articles", str(path))]


def hostile_tweets(folder: Path) -> list[str]:
    """Recordings of three hundred tweets; returns the options that name them."""
    folder.mkdir(parents=True)
    made: list[str] = []
    for file in range(FILES):
        lines = []
        for number in range(file, len(HOSTILE), FILES):
            text, id = HOSTILE[number], 10**18 + number
            tweet = {
                "created_at": f"Sat Jun 01 22:{number // 60:02d}:{number % 60:02d} +0000 2024",
                "id": id,
                "id_str": str(id) if number % 10 else text,
                "text": f"{'superb' if number % 2 else 'awful'} {text}",
                "lang": "en" if number % 9 else text,
                "user": {"id": number, "id_str": text, "location": text, "screen_name": text},
                "entities": {"hashtags": [{"text": text}]},
                "place": {"name": text, "full_name": text, "country_code": text[:2], "place_type": "city"},
            }
            lines += [json.dumps({**tweet, "id_str": str(id), "lang": "en"}), json.dumps({**tweet, "id": id + 1000})]
            lines += [json.dumps({"disconnect": {"code": 1, "reason": text}}), json.dumps({text: {"x": text}}), text]
        path = folder / f"{file_name(file)}.jsonl"
        path.write_text("\n".join(lines), encoding="utf-8", errors="replace")
        made += ["--replay", str(path)]
    return ["--source", "replay", *made]


def hostile_archive(folder: Path, night: int) -> list[str]:
    """An archive whose classes have hostile names, others each night; returns the options that name it."""
    folder.mkdir(parents=True)
    names = [PRINTABLE[place % len(PRINTABLE)] for place in range(night * 100, night * 100 + 120)]
    parts = made_parts(3, 1)
    parts["meta"] = {"fine_label_names": names[:100], "coarse_label_names": names[100:]}
    parts["train"]["batch_label"] = HOSTILE[0]
    path = pack(write_python(folder / "cifar-100-python", parts), folder / f"{file_name(4 + night)}.tar.gz")
    return ["--archive", str(path), "--recipe", "seed", "--epochs", "1", "--date", f"2024-06-0{1 + night}"]


def hostile_settings(folder: Path) -> None:
    """A nightdesk.toml with every text in it, where a setting may be any text."""
    rule = json.dumps("\n".join(HOSTILE), ensure_ascii=False).replace("\x7f", "\\u007f")
    (folder / "nightdesk.toml").write_text(f"[capture_tweets]\nx_rule = {rule}\n", encoding="utf-8")


@pytest.fixture(scope="session")
def hostile_pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of a desk on which nothing that a stranger wrote is harmless."""
    folder = tmp_path_factory.mktemp("hostile")
    hostile_settings(folder)
    options = {
        "capture_tweets": hostile_tweets(folder / "tweets"),
        "model_topics": hostile_articles(folder / "articles"),
    }
    options["model_topics"] += ["--topics", "3", "--passes", "2", "--text", "content", "--no-phrases"]
    for job, each in options.items():
        ended(run_job(folder, job, *each, "--date", "2024-06-01", runner=raised(job)))
    for night in range(NIGHTS):
        ended(run_job(folder, "retrain_cnn", *hostile_archive(folder / f"archive {night}", night)))
    broken = folder / f"{file_name(1)}.csv"
    with broken.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HOSTILE, HOSTILE])
    ended(run_job(folder, "model_topics", "--articles", str(broken), "--date", "2024-06-02"), code=65)
    settings = settings_of(folder)
    db = open_store(settings.data)
    with writing(db):
        for number, text in enumerate(HOSTILE):
            status = runs.STATUSES[1 + number % 5]
            runs.note(db, "backup", f"20{10 + number // 28:02d}-06-{1 + number % 28:02d}", status, text, 1)
    reports.publish_index(db, settings)
    db.close()
    return pages(settings.reports)


def marks_within(path: Path, tag: str) -> set[str]:
    """The marks of texts that stand in elements of a kind."""
    return marks_in(" ".join("".join(each.itertext()) for each in parsed(path).iter(tag)))


def test_all_of_it_is_on_the_pages(hostile_pages: dict[str, Path]) -> None:
    every = marks_in(" ".join(HOSTILE))
    assert marks_within(hostile_pages["model_topics/latest.html"], "bdi") == every  # titles and publications
    tweets = hostile_pages["capture_tweets/latest.html"]
    assert [marks_within(tweets, tag) for tag in ("blockquote", "th", "details")] == [every] * 3  # hashtags, settings
    nights = [path for name, path in hostile_pages.items() if name.startswith("retrain_cnn/")]
    classes = set().union(*(marks_within(path, "td") for path in nights))
    assert classes == marks_in(" ".join(PRINTABLE))
    shown = set().union(*(marks_within(path, "body") for name, path in hostile_pages.items() if "/" not in name))
    assert len(shown) >= 100  # messages of runs, on the index


def test_pages_of_it_are_valid_html_and_made_of_what_pages_are_made_of(hostile_pages: dict[str, Path]) -> None:
    for name, path in hostile_pages.items():
        for each in parsed(path).iter():
            tag = str(each.tag).rpartition("}")[2]
            assert tag not in FOREIGN, name
            assert not [key for key in each.attrib if str(key).lower().startswith("on")], name
            address = each.get("href") or each.get("src") or ""
            assert not re.match(r"\s*(javascript|vbscript|file|blob|data:text|//)", address, re.IGNORECASE), name


def test_marks_on_a_letter_do_not_pile_up_over_the_lines_above(hostile_pages: dict[str, Path]) -> None:
    for name, path in hostile_pages.items():
        assert "\u0301" * (MOST_MARKS + 1) not in path.read_text(encoding="utf-8"), name


@pytest.fixture(scope="module", params=[True, False], ids=["", "without-the-policy"])
def looks(request: pytest.FixtureRequest, hostile_pages: dict[str, Path], browser: Browser) -> dict[str, Look]:
    """A look at each page on a phone; what the pages' policy would forbid has to do nothing without it, too."""
    return {
        name: look(browser, path, width=360, audit=False, csp=request.param) for name, path in hostile_pages.items()
    }


@pytest.mark.browser
def test_nothing_of_it_runs(looks: dict[str, Look]) -> None:
    for name, each in looks.items():
        assert each.requests + each.said + each.dialogs + each.seen["marks"] == [], name
        assert each.seen["scripts"] + each.seen["handlers"] == [], name
        assert not FOREIGN & {*each.seen["elements"]}, name


@pytest.mark.browser
def test_nothing_of_it_makes_a_page_wider_than_a_phone(looks: dict[str, Look]) -> None:
    for name, each in looks.items():
        assert each.seen["width"] <= each.width, (name, each.seen["wide"])
