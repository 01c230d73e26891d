"""The desk's settings: defaults < nightdesk.toml < NIGHTDESK_* environment < command line options.

Settings of the whole desk are the fields of `Settings`; those that belong together are a table: `[notify]`, `[keep]`
and a `[schedule.JOB]` a job (NIGHTDESK_NOTIFY__WEBHOOK_URL in the environment). What one job alone needs are its
command line options; a table of the job's name in nightdesk.toml, or NIGHTDESK_JOB_OPTION in the environment, gives
them other defaults.
"""

import os
import re
import tomllib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError
from tzlocal import get_localzone_name

from lib.errors import BadSettings
from lib.schedules import Schedule, parse_span

SETTINGS_FILE = Path("nightdesk.toml")
FOREVER = "forever"

Event = Literal["finished", "failed", "crashed", "late", "missed", "slow", "fast", "empty", "failing", "recovered"]


def _span_or_forever(value: str) -> str:
    if value != FOREVER:
        parse_span(value)
    return value


Retention = Annotated[str, AfterValidator(_span_or_forever)]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")


def check_address(value: str) -> str:
    """An e-mail address as name@host, in ASCII and nothing around it. Raises ValueError."""
    if not _ADDRESS.fullmatch(value) or len(value) > 254:  # RFC 5321, 4.5.3.1.3
        raise ValueError(f"{value!r} is no e-mail address; expected one such as desk@example.org")
    return value


def check_url(value: str) -> str:
    """An http or https address, or "". Raises ValueError without the address in it, for that may hold a key."""
    expected = "expected an address that starts with https:// or http://"
    try:
        parts = urlsplit(value)
        fit = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fit = False
    if value and (not fit or not value.isascii() or not value.isprintable() or " " in value):
        raise ValueError(f"it is no address that can be asked; {expected}")
    return value


Address = Annotated[str, AfterValidator(check_address)]
Url = Annotated[str, AfterValidator(check_url)]


class Table(BaseModel):
    """A table of nightdesk.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ScheduleChange(Table):
    """What a `[schedule.JOB]` changes of the schedule that a job declares; None changes nothing."""

    at: str | None = None
    catch_up: str | None = None
    deadline: str | None = None
    grace: str | None = None
    retries: int | None = None


class Notify(Table):
    """Who is told of what. Secrets are none of these: smtp_password, webhook_secret and, if wanted, ping_url."""

    on: tuple[Event, ...] = Field(
        ("failed", "crashed", "late", "missed", "slow", "fast", "empty", "failing", "recovered"),
        description="what is worth a message: these, and finished",
    )
    failing_after: int = Field(3, ge=2, description="failures in a row after which a job is said to be failing")
    email_to: tuple[Address, ...] = Field((), description="addresses that get an e-mail")
    email_from: str = Field("", description="its sender; empty: nightdesk at this machine's name")
    smtp_host: str = Field("localhost", min_length=1, description="the mail server")
    smtp_port: int = Field(25, ge=1, le=65535, description="its port: 25, 587 with starttls, 465 with tls")
    smtp_security: Literal["none", "starttls", "tls"] = Field("none", description="none, starttls or tls")
    smtp_user: str = Field("", description="the name to log in with; the password is the secret smtp_password")
    webhook_url: Url = Field("", description="address that gets JSON, signed where there is a secret webhook_secret")
    ping_url: Url = Field(
        "", description="a dead man's switch, as Healthchecks': {job} stands for the job's name, with - for _"
    )
    command: tuple[str, ...] = Field(
        (), description="a command and its arguments; it gets the message as JSON on stdin"
    )

    @field_validator("email_from")
    @classmethod
    def _address_or_nothing(cls, value: str) -> str:
        return check_address(value) if value else value

    @field_validator("smtp_user")
    @classmethod
    def _no_password_in_the_open(cls, value: str, info: ValidationInfo) -> str:
        if value and info.data.get("smtp_security") == "none" and info.data.get("smtp_host") not in LOOPBACK:
            raise ValueError("a password is sent over starttls or tls alone; set smtp_security")
        return value

    @field_validator("command")
    @classmethod
    def _names_a_program(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value and (not value[0].strip() or any("\0" in each for each in value)):
            raise ValueError('expected a program and its arguments, as ["/usr/bin/logger", "--tag", "nightdesk"]')
        return value


class Keep(Table):
    """How long what the desk makes is kept: a length of time as 90d, or forever. `python -m jobs prune` obeys it."""

    captures: Retention = Field(FOREVER, description="captures of tweets, once no page that is kept names them")
    training_logs: Retention = Field("30d", description="TensorBoard's logs of trainings")
    models: Retention = Field("90d", description="networks that are neither the champion nor the one before")
    run_files: Retention = Field(
        "365d", description="what runs keep beside their rows (rejects, logs, topic models), if no page is kept of them"
    )
    reports: Retention = Field(FOREVER, description="pages of earlier dates; each job's latest is always kept")

    def span_of(self, kind: str) -> timedelta | None:
        """How long a kind is kept; None where it is for ever."""
        value: str = getattr(self, kind)
        return None if value == FOREVER else parse_span(value)


class Settings(BaseSettings):
    """Settings of the whole desk, validated once, at the edge."""

    model_config = SettingsConfigDict(
        env_prefix="NIGHTDESK_", env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    data: Path = Field(Path("data"), description="what the desk reads and keeps: nightdesk.db, captures, models")
    reports: Path = Field(Path("reports"), description="where the pages are written")
    timezone: str = Field("", description="IANA name, as Europe/Madrid; empty: the machine's own")
    notify: Notify = Notify()
    keep: Keep = Keep()
    schedule: dict[str, ScheduleChange] = Field(default_factory=dict)

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

    def schedule_of(self, job: str, declared: Schedule) -> Schedule:
        """The schedule that the job declares, with what `[schedule.JOB]` changes of it. Raises BadSettings."""
        change = self.schedule.get(job)
        if change is None:
            return declared
        try:
            return replace(declared, **change.model_dump(exclude_none=True))
        except ValueError as fault:
            raise BadSettings(f"{SETTINGS_FILE}, [schedule.{job}]: {fault}") from fault


TABLES = ("notify", "keep", "schedule")


def read_settings_file(path: Path = SETTINGS_FILE) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The desk's settings, with its own tables, and the jobs' tables of nightdesk.toml; empty where there is none.

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
    jobs = {name: value for name, value in table.items() if isinstance(value, dict) and name not in TABLES}
    desk = {name: value for name, value in table.items() if name not in jobs}
    return desk, jobs


def load_settings(desk: dict[str, Any], options: dict[str, Any]) -> Settings:
    """The desk's settings from nightdesk.toml's values, the environment, and options given by hand (None: not given).

    Raises BadSettings naming the setting, its value and what was expected.
    """
    try:
        settings = Settings(**desk)
    except SettingsError as fault:  # its text names the table alone, and the value may hold a key
        table = next((name for name in TABLES if f'"{name}"' in str(fault)), "…").upper()
        raise BadSettings(
            f"a NIGHTDESK_{table}… in the environment can't be read; "
            """expected lists as JSON, as in NIGHTDESK_NOTIFY__EMAIL_TO='["desk@example.org"]'"""
        ) from fault
    except ValidationError as fault:
        first = fault.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = ", ".join(_names_beside(first["loc"]))
            raise BadSettings(f"{SETTINGS_FILE} has an unknown setting {name}; expected one of {known}") from fault
        reason = first["msg"].removeprefix("Value error, ")
        if name.endswith(("_url", "command")) or "command" in first["loc"]:  # these may hold a key
            raise BadSettings(f"setting {name}: {reason}") from None
        raise BadSettings(f"setting {name} is {first['input']!r}; {reason}") from fault
    given = {name: value for name, value in options.items() if value is not None}
    return settings.model_copy(update=given)


def _names_beside(place: tuple[str | int, ...]) -> list[str]:
    """The names that may stand where an unknown one does."""
    tables: dict[str, type[Table]] = {"notify": Notify, "keep": Keep, "schedule": ScheduleChange}
    return list((tables[str(place[0])] if len(place) > 1 else Settings).model_fields)


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
