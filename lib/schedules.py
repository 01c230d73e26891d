"""When a job runs: one declaration a job, from which cron's line is made."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_AT = re.compile(r"(?:(?P<day>[a-z]{3}) )?(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})")
_SPAN = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_span(text: str) -> timedelta:
    """A length of time written as 90s, 10m, 2h or 1d. Raises ValueError on anything else."""
    found = _SPAN.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a length of time; expected a number and s, m, h or d, as in 2h")
    return timedelta(**{_UNITS[found["unit"]]: int(found["number"])})


@dataclass(frozen=True)
class Schedule:
    """`at` is "HH:MM" for every night or "sat HH:MM" for one night a week, in the desk's time zone.

    `catch_up` says what becomes of runs missed while the machine was off. `deadline` bounds a run, as in "2h".
    """

    at: str
    catch_up: Literal["none", "latest", "all"] = "latest"
    deadline: str = "2h"

    def __post_init__(self) -> None:
        found = _AT.fullmatch(self.at)
        if not found or int(found["hour"]) > 23 or int(found["minute"]) > 59 or found["day"] not in (None, *DAYS):
            raise ValueError(f'{self.at!r} is not a time; expected "HH:MM" or a day before it, as in "sat 22:00"')
        parse_span(self.deadline)

    @property
    def seconds(self) -> float:
        """The deadline in seconds."""
        return parse_span(self.deadline).total_seconds()

    def cron_fields(self) -> str:
        """Cron's five fields. Days by name: cron counts Sunday as 0, APScheduler Monday."""
        found = _AT.fullmatch(self.at)
        assert found is not None  # __post_init__ saw to it
        return f"{int(found['minute'])} {int(found['hour'])} * * {found['day'] or '*'}"

    def __str__(self) -> str:
        return self.at if " " in self.at else f"daily {self.at}"


def crontab_text(schedules: dict[str, Schedule]) -> str:
    """The text of crontab.example."""
    lines = [
        "# Nightdesk's jobs for cron: put these lines into `crontab -e`, with the desk's own folder in DESK.",
        "# Made from the schedules in the code by `python -m jobs crontab`. Times are the machine's own.",
        "# A job says nothing unless it fails, so that cron mails failures alone.",
        "DESK=/srv/nightdesk",
        "",
    ]
    lines += [
        f"{schedule.cron_fields()} cd $DESK && .venv/bin/python -m jobs.{name} --quiet"
        for name, schedule in schedules.items()
    ]
    return "\n".join(lines) + "\n"
