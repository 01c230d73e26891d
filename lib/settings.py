"""The desk's settings: defaults < nightdesk.toml < NIGHTDESK_* environment < command line options.

Settings of the whole desk are the fields of `Settings`. What one job alone needs are its command line options; a table
of the job's name in nightdesk.toml, or NIGHTDESK_JOB_OPTION in the environment, gives them other defaults.
"""

import os
import tomllib
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from tzlocal import get_localzone_name

from lib.errors import BadSettings

SETTINGS_FILE = Path("nightdesk.toml")


class Settings(BaseSettings):
    """Settings of the whole desk, validated once, at the edge."""

    model_config = SettingsConfigDict(env_prefix="NIGHTDESK_", extra="forbid", frozen=True, env_ignore_empty=True)

    data: Path = Field(Path("data"), description="what the desk reads and keeps: nightdesk.db, captures, models")
    reports: Path = Field(Path("reports"), description="where the pages are written")
    timezone: str = Field("", description="IANA name, as Europe/Madrid; empty: the machine's own")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            name = value or get_localzone_name() or "UTC"
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as fault:  # ZoneInfoNotFoundError is a KeyError
            raise ValueError("expected an IANA time zone such as Europe/Madrid") from fault
        return name

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment comes before what `load_settings` hands over from nightdesk.toml."""
        return env_settings, init_settings

    @property
    def zone(self) -> ZoneInfo:
        """The desk's time zone."""
        return ZoneInfo(self.timezone)


def read_settings_file(path: Path = SETTINGS_FILE) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The desk's settings and the jobs' tables of nightdesk.toml; both empty where there is no such file.

    Raises BadSettings where the file can't be read or isn't TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}, {}
    except (OSError, UnicodeDecodeError) as fault:
        raise BadSettings(f"{path} can't be read ({fault}); expected a TOML file in UTF-8") from fault
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise BadSettings(f"{path} is not valid TOML: {fault}") from fault
    desk = {name: value for name, value in table.items() if not isinstance(value, dict)}
    jobs = {name: value for name, value in table.items() if isinstance(value, dict)}
    return desk, jobs


def load_settings(desk: dict[str, Any], options: dict[str, Any]) -> Settings:
    """The desk's settings from nightdesk.toml's values, the environment, and options given by hand (None: not given).

    Raises BadSettings naming the setting, its value and what was expected.
    """
    try:
        settings = Settings(**desk)
    except ValidationError as fault:
        first = fault.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = ", ".join(Settings.model_fields)
            raise BadSettings(f"{SETTINGS_FILE} has an unknown setting {name}; expected one of {known}") from fault
        reason = first["msg"].removeprefix("Value error, ")
        raise BadSettings(f"setting {name} is {first['input']!r}; {reason}") from fault
    given = {name: value for name, value in options.items() if value is not None}
    return settings.model_copy(update=given)


def read_secret(name: str) -> str | None:
    """A secret by its name, as x_bearer_token: NIGHTDESK_X_BEARER_TOKEN in the environment, else the file of that name
    in the directory that systemd's LoadCredential makes ($CREDENTIALS_DIRECTORY). None where there is neither.

    Raises BadSettings where the file can't be read.
    """
    value = os.environ.get(f"NIGHTDESK_{name.upper()}", "").strip()
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not value and folder and (path := Path(folder, name)).exists():
        try:
            value = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as fault:
            raise BadSettings(
                f"the secret {path} can't be read; expected a text file that the desk may read"
            ) from fault
    return value or None
