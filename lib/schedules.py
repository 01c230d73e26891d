"""When a job runs: one declaration a job, from which cron's line, the service's fire times and what was missed follow.

A schedule is a time of day, every night or one night a week, in the desk's time zone. It fires once for each of its
logical dates, whatever the clocks do: in an hour that comes twice the first time, in one that is left out right after
the gap.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NEVER = "never"
_AT = re.compile(r"(?:(?P<day>[a-z]{3}) )?(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})")
_SPAN = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smhd])")
_ALL = re.compile(r"all ([0-9]{1,3})")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
TICK_MINUTES = 10


def parse_span(text: str) -> timedelta:
    """A length of time written as 90s, 10m, 2h or 1d. Raises ValueError on anything else."""
    found = _SPAN.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a length of time; expected a number and s, m, h or d, as in 2h")
    return timedelta(**{_UNITS[found["unit"]]: int(found["number"])})


@dataclass(frozen=True)
class Schedule:
    """A job's times, and what becomes of a run that fails to start or to end.

    `at` is "HH:MM" for every night or "sat HH:MM" for one night a week, in the desk's time zone, or "never".
    `catch_up` says how many of the dates that were missed are made up for: "none", "latest" (one), "all 5" (the last
    five). `deadline` bounds a run, its retries included. `grace` is how late a start may be and still count as its own
    night's (the misfire grace); after it the run was missed. `retries` is how often a fault that passes is tried again.
    """

    at: str
    catch_up: str = "latest"
    deadline: str = "2h"
    grace: str = "15m"
    retries: int = 3

    def __post_init__(self) -> None:
        found = _AT.fullmatch(self.at)
        if self.at != NEVER and (
            not found or int(found["hour"]) > 23 or int(found["minute"]) > 59 or found["day"] not in (None, *DAYS)
        ):
            raise ValueError(
                f'{self.at!r} is not a time; expected "HH:MM" or a day before it, as in "sat 22:00", or "never"'
            )
        if self.catch_up not in ("none", "latest") and not _ALL.fullmatch(self.catch_up):
            raise ValueError(
                f'{self.catch_up!r} is no way to catch up; expected "none", "latest" or, as in "all 5", all'
            )
        if self.retries < 0:
            raise ValueError(f"{self.retries} is no number of retries; expected 0 or more")
        for span in (self.deadline, self.grace):
            parse_span(span)

    @property
    def seconds(self) -> float:
        """The deadline in seconds."""
        return parse_span(self.deadline).total_seconds()

    @property
    def misfire_grace(self) -> timedelta:
        """How late a start may be."""
        return parse_span(self.grace)

    @property
    def most_caught_up(self) -> int:
        """How many missed dates are made up for at most."""
        found = _ALL.fullmatch(self.catch_up)
        return int(found[1]) if found else int(self.catch_up == "latest")

    def fires_on(self, day: date) -> bool:
        """Whether `day` is one of its logical dates."""
        found = _AT.fullmatch(self.at)
        return found is not None and found["day"] in (None, DAYS[day.weekday()])

    def fire_time(self, day: date, zone: ZoneInfo) -> datetime | None:
        """The moment, in UTC, at which it fires for the logical date `day`; None where that isn't one of its dates."""
        found = _AT.fullmatch(self.at)
        if found is None or not self.fires_on(day):
            return None
        try:
            return wall_time(datetime.combine(day, time(int(found["hour"]), int(found["minute"]))), zone)
        except OverflowError:  # a moment before the year 1 or after 9999
            return None

    def fire_times(self, zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[tuple[date, datetime]]:
        """Its logical dates and moments with after < moment <= until, in their order."""
        # A zone that left out a whole day (Samoa, 2011) fires for it a day later.
        day, last = after.astimezone(zone).date() - timedelta(days=2), until.astimezone(zone).date()
        while day <= last:
            moment = self.fire_time(day, zone)
            if moment is not None and after < moment <= until:
                yield day, moment
            day += timedelta(days=1)

    def next_fire(self, zone: ZoneInfo, after: datetime) -> tuple[date, datetime] | None:
        """Its first logical date and moment after `after`; None where it never fires."""
        return next(self.fire_times(zone, after, after + timedelta(days=10)), None)

    def cron_fields(self) -> str:
        """Cron's five fields. Days by name: cron counts Sunday as 0, APScheduler Monday. Raises ValueError."""
        found = _AT.fullmatch(self.at)
        if found is None:
            raise ValueError("what never runs has no line for cron")
        return f"{int(found['minute'])} {int(found['hour'])} * * {found['day'] or '*'}"

    def __str__(self) -> str:
        return self.at if " " in self.at or self.at == NEVER else f"daily {self.at}"


def wall_time(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, at which clocks in `zone` show `wall` (naive), for the first time if they do so twice.

    Where they never do, the moment at which they jump over it: the first one after the gap.
    """
    early = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if early.astimezone(zone).replace(tzinfo=None) == wall:
        return early
    # In a gap (PEP 495) fold=0 counts with the offset before it and so lands after it; fold=1 the other way round.
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), early
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def crontab_text(schedules: dict[str, Schedule], *, desk: str = "UTC", machine: str = "UTC") -> str:
    """The text of crontab.example; with the desk's and the machine's time zones where clocks in these don't agree."""
    times, zone = ["# Times are the machine's own."], []
    year = [datetime.now(UTC) + timedelta(days=number) for number in range(366)]
    if any(
        each.astimezone(ZoneInfo(desk)).utcoffset() != each.astimezone(ZoneInfo(machine)).utcoffset() for each in year
    ):
        times = [
            f"# Times are the desk's, {desk}, and not the machine's, {machine}. Cronie obeys CRON_TZ, Debian's cron",
            "# doesn't: set the machine's time zone there, or have the desk's own service start the jobs.",
        ]
        zone = [f"CRON_TZ={desk}"]
    lines = [
        "# Nightdesk's jobs for cron: put these lines into `crontab -e`, with the desk's own folder in DESK.",
        "# Made from the schedules by `python -m jobs crontab`.",
        *times,
        "# A job says nothing unless it fails, so that cron mails failures alone.",
        "DESK=/srv/nightdesk",
        *zone,
        "",
    ]
    lines += [
        f'{schedule.cron_fields()} cd "$DESK" && .venv/bin/python -m jobs.{name} --quiet'
        for name, schedule in schedules.items()
        if schedule.at != NEVER
    ]
    lines += [
        "",
        "# Sees what cron alone would not: runs that never started, runs found dead, messages still to be delivered.",
        f'*/{TICK_MINUTES} * * * * cd "$DESK" && .venv/bin/python -m jobs tick --quiet',
    ]
    return "\n".join(lines) + "\n"
