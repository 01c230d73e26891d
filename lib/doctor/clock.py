"""The clock and the time zone: set or not, kept right by whom, which jobs fall into the next change, what is next."""

import shutil
import subprocess
import zoneinfo
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from zoneinfo import ZoneInfo

from tzlocal import get_localzone_name

from lib.doctor.check import Check, failed, ok, warning
from lib.schedules import NEVER, Schedule
from lib.settings import Settings

FIRES_SHOWN = 5
BEFORE_US = datetime(2026, 1, 1, tzinfo=UTC)  # no clock that is right shows a moment before this desk was written
SYNCHRONISED = Path("/run/systemd/timesync/synchronized")  # there since systemd-timesyncd has set the clock


def clock(now: datetime, newest: str | None) -> Iterator[Check]:
    """Whether the clock is set: its year, and that it isn't behind the ledger, whose newest moment is `newest`."""
    name, shown = "clock", f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    remedy = "set the clock; a job would run for wrong dates"
    if not BEFORE_US <= now < BEFORE_US.replace(year=2100):
        yield failed(name, f"it shows {shown}, which can't be", remedy)
        return
    behind = datetime.fromisoformat(newest) - now if newest else timedelta(0)
    if behind > timedelta(minutes=1):
        said = f"it shows {shown}, which is {_span(behind)} before the latest that the ledger knows of ({newest})"
        yield failed(name, said, remedy)
    else:
        yield ok(name, shown)


def synchronised(marker: Path = SYNCHRONISED) -> Iterator[Check]:
    """Whether somebody keeps the clock right, where the system can tell."""
    name = "clock's source"
    if marker.exists():
        yield ok(name, "set by systemd-timesyncd")
        return
    said = ""
    if program := shutil.which("timedatectl"):
        try:
            done = subprocess.run(
                [program, "show", "--property=NTPSynchronized", "--value"],
                capture_output=True,
                text=True,
                timeout=5,
                check=False,
            )
            said = done.stdout.strip()
        except (OSError, subprocess.TimeoutExpired):
            said = ""
    if said == "yes":
        yield ok(name, "kept in step by NTP")
    elif said == "no":
        yield warning(name, "nobody keeps the clock right", "switch NTP on: timedatectl set-ntp true")
    else:
        yield ok(name, "this system doesn't tell whether the clock is kept in step")


def zone(settings: Settings, schedules: Mapping[str, Schedule], now: datetime) -> Iterator[Check]:
    """The time zone, where its rules come from, its next change, and the jobs that fall into it."""
    here = settings.zone
    said = f"{settings.timezone}, now {_offset(now.astimezone(here))}, by {_rules(settings.timezone)}"
    change = next_change(here, now)
    if change is None:
        yield ok("time zone", f"{said}; no clock change within 400 days")
    else:
        then = change.astimezone(here)
        shown = f"{then:%a %Y-%m-%d %H:%M} {_offset(then)}"
        fall = [job for job, schedule in schedules.items() if falls_into(schedule, change, here)]
        into = f"; into it {'fall' if len(fall) > 1 else 'falls'} {', '.join(fall)}, run once all the same"
        yield ok("time zone", f"{said}; the next clock change is on {shown}{into if fall else ''}")
    machine = get_localzone_name() or "UTC"
    if machine != settings.timezone:
        theirs = ZoneInfo(machine)
        moved = [job for job, each in schedules.items() if _times(each, here, now) != _times(each, theirs, now)]
        if moved:
            said = f"the machine's is {machine}, by which cron would start {', '.join(moved)} at other times"
            remedy = "with cron, leave the setting timezone empty or set the machine's; the service needs nothing"
            yield warning("cron's time zone", said, remedy)


def _times(schedule: Schedule, here: ZoneInfo, now: datetime) -> list[datetime]:
    return [moment for _, moment in schedule.fire_times(here, now, now + timedelta(days=366))]


def next_change(here: ZoneInfo, now: datetime) -> datetime | None:
    """The moment, in UTC, at which clocks there change next, within 400 days."""
    start = now.astimezone(UTC).replace(microsecond=0)
    for _ in range(400):
        end = start + timedelta(days=1)
        offset = start.astimezone(here).utcoffset()
        if end.astimezone(here).utcoffset() != offset:
            while end - start > timedelta(seconds=1):
                middle = (start + (end - start) // 2).replace(microsecond=0)
                start, end = (middle, end) if middle.astimezone(here).utcoffset() == offset else (start, middle)
            return end
        start = end
    return None


def falls_into(schedule: Schedule, change: datetime, here: ZoneInfo) -> bool:
    """Whether a job's time of day is one that a clock change leaves out, or brings twice."""
    before = (change - timedelta(seconds=1)).astimezone(here).replace(tzinfo=None) + timedelta(seconds=1)
    after = change.astimezone(here).replace(tzinfo=None)
    first, last = min(before, after), max(before, after)
    if schedule.at == NEVER:
        return False
    days: set[date] = {first.date(), last.date()}
    at = time.fromisoformat(schedule.at.split(" ")[-1])
    return any(schedule.fires_on(day) and first <= datetime.combine(day, at) < last for day in days)


def _rules(name: str) -> str:
    """Where Python finds a zone's rules."""
    for folder in zoneinfo.TZPATH:
        if Path(folder, name).is_file():
            return f"the system's rules in {folder}"
    try:
        return f"the package tzdata {version('tzdata')}"
    except PackageNotFoundError:
        return "rules of its own"


def next_fires(settings: Settings, schedules: Mapping[str, Schedule], now: datetime) -> Iterator[Check]:
    """The next five fire times of all jobs, in the desk's time zone."""
    until = now + timedelta(days=60)
    coming = sorted(
        (moment, job) for job, each in schedules.items() for _, moment in each.fire_times(settings.zone, now, until)
    )
    if not coming:
        yield warning("next fire times", "no job is on a schedule", "see [schedule.JOB] in nightdesk.toml")
    else:
        here = [(moment.astimezone(settings.zone), job) for moment, job in coming[:FIRES_SHOWN]]
        yield ok("next fire times", "\n".join(f"{at:%a %Y-%m-%d %H:%M} {_offset(at)}  {job}" for at, job in here))


def _span(length: timedelta) -> str:
    from lib.reports import seconds

    return f"{length.days} days" if length.days > 1 else seconds(length.total_seconds())


def _offset(moment: datetime) -> str:
    """UTC+02:00"""
    text = f"{moment:%z}"
    return f"UTC{text[:3]}:{text[3:]}"
