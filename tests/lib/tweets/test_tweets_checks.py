"""What doctor says of a capture: the token, which is never shown, the stream's address and the room."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lib.doctor import Need, Probe
from lib.settings import Settings
from lib.tweets.checks import checks

MARKER = "t0k3n-m4rk3r"
NOWHERE = "http://127.0.0.1:1"
OPTIONS = {
    "source": "x",
    "replay": (),
    "minutes": 10.0,
    "max_posts": 10_000,
    "x_url": NOWHERE,
    "jetstream_url": "ws://127.0.0.1:1",
}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("NIGHTDESK_X_BEARER_TOKEN", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return Settings(data=tmp_path / "data", reports=tmp_path / "reports", timezone="UTC")


def found(settings: Settings, **options: Any) -> dict[str, Any]:
    every = list(checks(settings, SimpleNamespace(**{**OPTIONS, **options})))
    return {"need" if isinstance(each, Need) else each.name: each for each in every}


def test_x_needs_a_token_and_bluesky_none(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(settings)["secret x_bearer_token"].status == "failed"
    assert found(settings, source="bluesky")["secret x_bearer_token"].status == "ok"
    monkeypatch.setenv("NIGHTDESK_X_BEARER_TOKEN", MARKER)
    lines = found(settings)
    assert lines["secret x_bearer_token"].status == "ok"
    assert MARKER not in str(list(lines.values()))


def test_the_address_of_the_source_is_asked(settings: Settings, fake_x: Any, fake_jetstream: Any) -> None:
    for lines, name in (
        (found(settings, x_url=fake_x.url), "X"),
        (found(settings, source="bluesky", jetstream_url=fake_jetstream.url), "Jetstream"),
    ):
        assert isinstance(lines[name], Probe)
        assert lines[name].look().status == "ok"
    assert found(settings)["X"].look().status == "failed"
    assert found(settings, source="bluesky")["Jetstream"].look().status == "failed"


def test_room_is_needed_by_the_posts_that_may_come(settings: Settings) -> None:
    paid, free = found(settings)["need"], found(settings, source="bluesky")["need"]
    assert paid.folder == settings.data
    assert paid.bytes < free.bytes == found(settings, source="bluesky", minutes=20.0)["need"].bytes / 2


def test_a_replay_needs_neither_token_nor_network(settings: Settings) -> None:
    lines = found(settings, source="replay", replay=(Path("a.jsonl"),))
    assert [each.status for each in lines.values()] == ["ok"]
