"""Doctor as it is started: the settings and the jobs' options of the folder it stands in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from lib.command import JobCommand, job, options_of
from lib.doctor import Check, Found, as_lines, exit_code
from lib.doctor.whole import examine_desk
from lib.errors import BadSettings
from lib.schedules import Schedule
from lib.settings import Settings
from tests.lib.looked_at import MARKER, line, without_this_machines_settings, wrong


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    without_this_machines_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@job(Schedule("sun 06:00"), plan=lambda options: [], settle=lambda params, by_hand: {"speed": params["speed"] * 2})
@click.option("--speed", type=click.IntRange(1, 9), default=3)
@click.option("--words", multiple=True)
def model_topics(run: Any, options: Any) -> None:
    """Nothing: it is never run. Its name is one that nightdesk.toml may have a table for."""
    raise AssertionError


COMMANDS: dict[str, JobCommand] = {"model_topics": model_topics}


def of_options(settings: Settings, options: Any) -> Iterator[Found]:
    yield Check("speed", "ok", f"{options.speed}, words {list(options.words)}, data {settings.data}")


def look(**how: Any) -> list[Check]:
    return examine_desk(COMMANDS, {"model_topics": of_options}, **how)


def test_a_new_folder_is_fit(folder: Path) -> None:
    checks = look()
    assert exit_code(checks) == 0, as_lines(checks)
    assert wrong(checks) == {"messages", "ticks"}
    assert line(checks, "settings").said == "all at their defaults"
    assert list(folder.iterdir()) == []


def test_a_jobs_checks_get_the_options_that_a_start_would_get(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert line(look(), "speed").said == "6, words [], data data"
    (folder / "nightdesk.toml").write_text('[model_topics]\nspeed = 4\nwords = ["a"]\n')
    assert line(look(data=Path("elsewhere")), "speed").said == "8, words ['a'], data elsewhere"
    monkeypatch.setenv("NIGHTDESK_MODEL_TOPICS_SPEED", "5")
    assert options_of(model_topics) == {"speed": 10, "words": ("a",)}
    monkeypatch.setenv("NIGHTDESK_MODEL_TOPICS_SPEED", "50")
    with pytest.raises(BadSettings, match="NIGHTDESK_MODEL_TOPICS_SPEED"):
        options_of(model_topics)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data = [", "not valid TOML"),
        ('dota = "x"', "unknown setting dota"),
        ("[modell_topics]\nspeed = 1", "a table for no job, [modell_topics]"),
        ('[schedule.model_topics]\nat = "25:00"', "25:00"),
        ("[notify]\nsmtp_port = 0", "smtp_port"),
        ("[model_topics]\nspeed = 99", "speed"),
        ("[model_topics]\nspied = 1", "unknown setting spied"),
    ],
)
def test_settings_that_are_wrong_are_one_failed_line_and_the_rest_is_looked_at(
    folder: Path, text: str, said: str
) -> None:
    (folder / "nightdesk.toml").write_text(text)
    checks = look()
    failed = [each for each in checks if each.status == "failed"]
    assert len(failed) == 1, as_lines(checks)
    assert said in failed[0].said
    assert line(checks, "templates").status == "ok"
    assert line(checks, "next fire times").said.count("model_topics") == 5


def test_wrong_settings_in_the_environment_are_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTDESK_TIMEZONE", "Europe/Atlantis")
    monkeypatch.setenv("NIGHTDESK_X_BEARER_TOKEN", MARKER)
    checks = look()
    assert "Europe/Atlantis" in line(checks, "settings").said
    assert exit_code(checks) == 1
    assert MARKER not in str(checks)


def test_a_schedule_set_to_never_is_heeded(folder: Path) -> None:
    (folder / "nightdesk.toml").write_text('[schedule.model_topics]\nat = "never"\n')
    checks = examine_desk(COMMANDS, {"model_topics": lambda *_: [Check("source", "failed", "away", "bring it")]})
    assert line(checks, "source").status == "warning"
    assert line(checks, "next fire times").said == "no job is on a schedule"
    assert [each.name for each in folder.iterdir()] == ["nightdesk.toml"]
