"""Settings: who wins over whom, and what is said of a wrong one."""

from pathlib import Path

import pytest

from lib.errors import BadSettings
from lib.schedules import Schedule
from lib.settings import Settings, load_settings, read_secret, read_settings_file


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"NIGHTDESK_{name.upper()}", raising=False)


def written(folder: Path, text: str) -> Path:
    path = folder / "nightdesk.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_hold_where_nothing_is_set():
    settings = load_settings({}, {})
    assert settings.data == Path("data")
    assert settings.reports == Path("reports")


def test_without_a_time_zone_the_desk_has_the_machines_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lib.settings.get_localzone_name", lambda: "Europe/Madrid")
    settings = load_settings({}, {})
    assert settings.timezone == "Europe/Madrid"
    assert settings.zone.key == "Europe/Madrid"


def test_a_machine_without_a_time_zone_counts_in_utc(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lib.settings.get_localzone_name", lambda: None)
    assert load_settings({}, {}).timezone == "UTC"


def test_the_file_wins_over_the_defaults():
    assert load_settings({"data": "from-file"}, {}).data == Path("from-file")


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NIGHTDESK_DATA", "from-environment")
    settings = load_settings({"data": "from-file", "reports": "pages"}, {})
    assert settings.data == Path("from-environment")
    assert settings.reports == Path("pages")


def test_options_win_over_everything(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NIGHTDESK_DATA", "from-environment")
    assert load_settings({"data": "from-file"}, {"data": Path("by-hand")}).data == Path("by-hand")


def test_an_option_not_given_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NIGHTDESK_DATA", "from-environment")
    assert load_settings({}, {"data": None, "reports": None}).data == Path("from-environment")


def test_an_unknown_setting_is_named_with_what_was_expected():
    with pytest.raises(BadSettings) as fault:
        load_settings({"dat": "x"}, {})
    assert str(fault.value) == (
        "nightdesk.toml has an unknown setting dat; expected one of data, reports, timezone, notify, keep, schedule"
    )
    assert fault.value.exit_code == 78


def test_an_unknown_setting_of_a_table_is_named_with_what_was_expected():
    with pytest.raises(BadSettings, match=r"unknown setting notify.mail; expected one of on, failing_after, email_to"):
        load_settings({"notify": {"mail": "x"}}, {})
    with pytest.raises(BadSettings, match=r"schedule.retrain_cnn.when; expected one of at, catch_up, deadline"):
        load_settings({"schedule": {"retrain_cnn": {"when": "x"}}}, {})


def test_a_table_of_the_desk_is_no_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = (
        '[notify]\nemail_to = ["a@example.org"]\n[schedule.model_topics]\nat = "mon 07:00"\n[model_topics]\ntopics = 5'
    )
    desk, jobs = read_settings_file(written(tmp_path, text))
    assert jobs == {"model_topics": {"topics": 5}}
    monkeypatch.setenv("NIGHTDESK_NOTIFY__WEBHOOK_URL", "https://example.org/hook")
    settings = load_settings(desk, {})
    assert settings.notify.email_to == ("a@example.org",)
    assert settings.notify.webhook_url == "https://example.org/hook"


def test_a_schedule_in_the_settings_changes_what_it_names_and_nothing_else():
    settings = load_settings({"schedule": {"model_topics": {"at": "mon 07:00"}}}, {})
    declared = Schedule("sun 06:00", catch_up="all 3", deadline="1h")
    assert settings.schedule_of("model_topics", declared) == Schedule("mon 07:00", catch_up="all 3", deadline="1h")
    assert settings.schedule_of("retrain_cnn", declared) is declared


def test_a_bad_schedule_in_the_settings_is_named():
    settings = load_settings({"schedule": {"model_topics": {"at": "noon"}}}, {})
    with pytest.raises(BadSettings, match=r"\[schedule.model_topics\]: 'noon' is not a time; expected"):
        settings.schedule_of("model_topics", Schedule("sun 06:00"))


@pytest.mark.parametrize("zone", ["Europe/Madird", "Europe", "../etc/passwd", "/etc/localtime", "a\0b"])
def test_a_bad_time_zone_is_named_with_its_value_and_what_was_expected(zone: str):
    with pytest.raises(BadSettings) as fault:
        load_settings({"timezone": zone}, {})
    assert str(fault.value) == f"setting timezone is {zone!r}; expected an IANA time zone such as Europe/Madrid"
    assert fault.value.exit_code == 78


def test_a_bad_value_from_the_environment_is_named_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NIGHTDESK_TIMEZONE", "Nowhere/At_All")
    with pytest.raises(BadSettings, match="setting timezone is 'Nowhere/At_All'; expected an IANA time zone"):
        load_settings({"timezone": "Europe/Madrid"}, {})


def test_a_value_of_another_type_is_named():
    with pytest.raises(BadSettings, match=r"^setting data is 5; ") as fault:
        load_settings({"data": 5}, {})
    assert "\n" not in str(fault.value)


def test_no_file_means_no_settings(tmp_path: Path):
    assert read_settings_file(tmp_path / "nightdesk.toml") == ({}, {})


def test_a_jobs_table_is_kept_apart_from_the_desks_settings(tmp_path: Path):
    path = written(tmp_path, 'timezone = "Europe/Madrid"\n\n[model_topics]\ntopics = 20\n')
    assert read_settings_file(path) == ({"timezone": "Europe/Madrid"}, {"model_topics": {"topics": 20}})


def test_broken_toml_is_one_sentence_with_the_place(tmp_path: Path):
    path = written(tmp_path, 'data = "data\n')
    with pytest.raises(BadSettings, match=r"is not valid TOML: .*line 1") as fault:
        read_settings_file(path)
    assert str(fault.value).startswith(str(path))
    assert "\n" not in str(fault.value)
    assert fault.value.exit_code == 78


def test_a_file_in_another_encoding_is_named(tmp_path: Path):
    path = tmp_path / "nightdesk.toml"
    path.write_bytes('data = "año"'.encode("latin-1"))
    with pytest.raises(BadSettings, match=r"can't be read .* expected a TOML file in UTF-8"):
        read_settings_file(path)


def test_a_folder_in_the_files_place_is_named(tmp_path: Path):
    with pytest.raises(BadSettings, match="can't be read"):
        read_settings_file(tmp_path)


def test_a_secret_comes_from_the_environment_or_systemds_credentials_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("NIGHTDESK_X_BEARER_TOKEN", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert read_secret("x_bearer_token") is None
    (tmp_path / "x_bearer_token").write_text("from a file\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret("x_bearer_token") == "from a file"
    monkeypatch.setenv("NIGHTDESK_X_BEARER_TOKEN", " from the environment ")
    assert read_secret("x_bearer_token") == "from the environment"


def test_a_secret_that_cant_be_read_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("NIGHTDESK_X_BEARER_TOKEN", raising=False)
    (tmp_path / "x_bearer_token").write_bytes(b"\xffsecret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(BadSettings, match="x_bearer_token can't be read") as fault:
        read_secret("x_bearer_token")
    assert "secret\\" not in str(fault.value)
