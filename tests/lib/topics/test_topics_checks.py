"""What doctor says of the week's topics: articles, stop words, room."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lib.doctor import Check, Need, Probe
from lib.settings import Settings
from lib.topics import checks


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(checks, "_nltk_folders", list)  # what this machine has installed
    return Settings(data=tmp_path / "data", reports=tmp_path / "reports", timezone="UTC")


def found(settings: Settings, **options: Any) -> dict[str, Any]:
    every = list(checks.checks(settings, SimpleNamespace(**{"articles": (), "fetch": False, **options})))
    return {"need" if isinstance(each, Need) else each.name: each for each in every}


def test_articles_have_to_be_there(settings: Settings, tmp_path: Path) -> None:
    assert found(settings)["articles"].status == "failed"
    folder = settings.data / "articles"
    folder.mkdir(parents=True)
    assert "holds no articles" in found(settings)["articles"].said
    (folder / "news.csv").write_text("title,content\n")
    (folder / "more.csv.gz").write_bytes(b"x" * 100)
    lines = found(settings)
    assert lines["articles"] == Check("articles", "ok", "2 files of 114 bytes")
    assert lines["need"].bytes == 14 + 600
    assert found(settings, articles=(tmp_path / "other",))["articles"].status == "failed"


def test_stop_words_are_found_where_nltk_looks(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "gensim" in found(settings)["stop words"].said
    place = settings.data / "nltk_data" / "corpora" / "stopwords.zip"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"")
    assert "NLTK's, in" in found(settings)["stop words"].said


def test_stop_words_that_cannot_be_fetched_are_a_warning(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, fake_x: Any
) -> None:
    monkeypatch.setattr(checks, "NLTK_URL", "http://127.0.0.1:1/index.xml")
    probe = found(settings, fetch=True)["stop words"]
    assert isinstance(probe, Probe)
    assert probe.look().status == "warning"
    monkeypatch.setattr(checks, "NLTK_URL", fake_x.url)
    assert probe.look().status == "ok"


def test_the_folders_are_those_of_nltk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NLTK_DATA", str(tmp_path))
    ask = [sys.executable, "-W", "ignore", "-c", "import json, nltk; print(json.dumps(nltk.data.path))"]
    theirs = json.loads(subprocess.run(ask, capture_output=True, text=True, check=True).stdout)
    assert str(tmp_path) in theirs
    assert set(theirs) <= {str(each) for each in checks._nltk_folders()}
