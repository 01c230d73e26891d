"""Schedules: what is a time, what is a span, and what cron is told."""

import importlib
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.schedules import DAYS, Schedule, crontab_text, parse_span

ROOT = Path(__file__).parents[2]
TEN_YEARS = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC))

days = st.sampled_from((None, *DAYS))


@given(days, st.integers(0, 23), st.integers(0, 59))
def test_every_minute_of_the_week_becomes_its_cron_fields(day: str | None, hour: int, minute: int):
    clock = f"{hour:02}:{minute:02}"
    schedule = Schedule(f"{day} {clock}" if day else clock)
    assert schedule.cron_fields() == f"{minute} {hour} * * {day or '*'}"


@given(st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("0123456789: satun"), max_size=10))
def test_whatever_is_not_a_time_is_refused_and_named(text: str):
    try:
        fields = Schedule(text).cron_fields()
    except ValueError as fault:
        assert repr(text) in str(fault)
    else:
        minute, hour, *_, day = fields.split()
        clock = f"{int(hour):02}:{int(minute):02}"
        assert text == (clock if day == "*" else f"{day} {clock}")


@pytest.mark.parametrize(
    "at",
    [
        "",
        "24:00",
        "12:60",
        "9:00",
        "09:00 ",
        " 09:00",
        "09:00\n",
        "Sat 22:00",
        "sat  22:00",
        "foo 22:00",
        "sat",
        "0 9 * * *",
        "٠٩:٠٠",
    ],
)
def test_a_bad_time_is_refused(at: str):
    with pytest.raises(ValueError, match="is not a time; expected"):
        Schedule(at)


def test_days_are_told_to_cron_by_name():
    assert Schedule("sun 06:00").cron_fields() == "0 6 * * sun"
    assert Schedule("02:30").cron_fields() == "30 2 * * *"


def test_a_schedule_reads_as_a_person_says_it():
    assert str(Schedule("sat 22:00")) == "sat 22:00"
    assert str(Schedule("02:30")) == "daily 02:30"


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
    ],
)
def test_a_span_is_a_number_and_a_unit(text: str, span: timedelta):
    assert parse_span(text) == span


@pytest.mark.parametrize(
    "text", ["", "2", "h", "2 h", "-2h", "2.5h", "2H", "2w", "2h\n", "٢h", "9" * 12 + "d", "9" * 5000 + "s"]
)
def test_a_bad_span_is_refused_with_what_was_expected(text: str):
    with pytest.raises(ValueError, match="is not a length of time; expected a number and s, m, h or d"):
        parse_span(text)


def test_a_deadline_is_checked_where_it_is_declared_and_counted_in_seconds():
    assert Schedule("02:00", deadline="90m").seconds == 5400.0
    with pytest.raises(ValueError, match="'soon' is not a length of time"):
        Schedule("02:00", deadline="soon")


@pytest.mark.parametrize(
    ("zone", "day", "at", "local"),
    [
        ("Europe/Madrid", "2026-03-29", "02:15", "2026-03-29T03:00:00+02:00"),  # the hour is left out
        ("Europe/Madrid", "2026-10-25", "02:15", "2026-10-25T02:15:00+02:00"),  # it comes twice: the first time
        ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-04T02:30:00+11:00"),  # a gap of half an hour
        ("America/Sao_Paulo", "2018-11-04", "00:30", "2018-11-04T01:00:00-02:00"),  # a gap at midnight
        ("Pacific/Apia", "2011-12-30", "22:00", "2011-12-31T00:00:00+14:00"),  # a day that never was
        ("UTC", "2026-03-29", "02:15", "2026-03-29T02:15:00+00:00"),
    ],
)
def test_a_job_in_the_gap_fires_right_after_it_and_one_in_the_repeated_hour_the_first_time(zone, day, at, local):
    moment = Schedule(at).fire_time(date.fromisoformat(day), ZoneInfo(zone))
    assert moment == datetime.fromisoformat(local)


@given(
    st.sampled_from(
        ["Europe/Madrid", "America/St_Johns", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia", "UTC"]
    ),
    days,
    st.integers(0, 23),
    st.integers(0, 59),
    st.dates(date(2008, 1, 1), date(2030, 1, 1)),
)
def test_every_logical_date_fires_once_and_in_order(zone: str, day: str | None, hour: int, minute: int, start: date):
    schedule = Schedule(f"{day} {hour:02}:{minute:02}" if day else f"{hour:02}:{minute:02}")
    after = datetime.combine(start, time(), UTC)
    fired = list(schedule.fire_times(ZoneInfo(zone), after, after + timedelta(days=400)))
    dates, moments = [each for each, _ in fired], [moment for _, moment in fired]
    assert moments == sorted(moments)
    step = 7 if day else 1
    assert dates == [dates[0] + timedelta(days=step * number) for number in range(len(dates))]
    assert schedule.next_fire(ZoneInfo(zone), after) == fired[0]


def test_what_never_runs_has_no_fire_time_and_no_line_for_cron():
    schedule = Schedule("never")
    assert schedule.next_fire(ZoneInfo("UTC"), datetime(2026, 1, 1, tzinfo=UTC)) is None
    assert "retrain" not in crontab_text({"retrain_cnn": schedule})


@pytest.mark.parametrize(("catch_up", "most"), [("none", 0), ("latest", 1), ("all 5", 5)])
def test_how_many_missed_dates_are_made_up_for(catch_up: str, most: int):
    assert Schedule("02:00", catch_up=catch_up).most_caught_up == most


@pytest.mark.parametrize("catch_up", ["", "all", "all -1", "some", "Latest"])
def test_a_bad_way_to_catch_up_is_refused(catch_up: str):
    with pytest.raises(ValueError, match=f"{catch_up!r} is no way to catch up; expected"):
        Schedule("02:00", catch_up=catch_up)


def crons_lines() -> dict[str, list[str]]:
    """The jobs of crontab.example, and each one's five fields."""
    found = re.findall(r"^((?:\S+ ){5})cd .* -m jobs\.(\w+) --quiet$", (ROOT / "crontab.example").read_text(), re.M)
    return {name: fields.split() for fields, name in found}


def as_cron_counts(fields: list[str], first: date, last: date) -> Iterator[datetime]:
    """The moments, by the clock on the wall, at which cron starts a line of minute, hour and day of the week."""
    minute, hour, of_month, month, of_week = fields
    assert (of_month, month) == ("*", "*")
    sunday_first = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
    today = first
    while today < last:
        if of_week == "*" or (today.weekday() + 1) % 7 == sunday_first.index(of_week):
            yield datetime.combine(today, time(int(hour), int(minute)))
        today += timedelta(days=1)


def test_the_crontab_example_has_a_line_for_each_job_with_a_schedule():
    scripts = (ROOT / "jobs").glob("[!_]*.py")
    assert set(crons_lines()) == {path.stem for path in scripts if "\nSCHEDULE = " in path.read_text()}


@pytest.mark.parametrize("job", crons_lines())
@pytest.mark.parametrize("zone", ["UTC", "Europe/Madrid", "Australia/Lord_Howe"])
def test_cron_starts_a_job_at_its_fire_times_for_ten_years_but_on_the_nights_of_a_change(job: str, zone: str):
    schedule: Schedule = importlib.import_module(f"jobs.{job}").SCHEDULE
    where = ZoneInfo(zone)
    ours = dict(schedule.fire_times(where, *TEN_YEARS))
    crons = as_cron_counts(crons_lines()[job], *(each.date() for each in TEN_YEARS))
    theirs = {wall.date(): wall.replace(tzinfo=where).astimezone(UTC) for wall in crons}
    inside = sorted(set(ours) & set(theirs))
    changes = {day for day in inside if _offset(day, where) != _offset(day + timedelta(days=1), where)}
    assert set(ours) ^ set(theirs) <= {date(2025, 12, 31), date(2026, 1, 1), date(2035, 12, 31), date(2036, 1, 1)}
    assert len(inside) > 500
    assert len(changes) <= 2 * 10
    for day in inside:
        if day not in changes:
            assert ours[day] == theirs[day]


def _offset(day: date, zone: ZoneInfo) -> timedelta | None:
    return datetime.combine(day, time(), zone).utcoffset()


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Lima"])
def test_at_the_ends_of_the_calendar_nothing_fires(zone: str):
    """Days whose moment in UTC no calendar of Python's has."""
    ends = [Schedule(at).fire_time(day, ZoneInfo(zone)) for at in ("00:00", "23:59") for day in (date.min, date.max)]
    assert None in ends


def test_crontab_says_whose_times_they_are():
    here = crontab_text({"job": Schedule("02:15")}, desk="Europe/Madrid", machine="Europe/Madrid")
    there = crontab_text({"job": Schedule("02:15")}, desk="Europe/Madrid", machine="UTC")
    assert "Europe/Madrid" not in here
    assert here == crontab_text({"job": Schedule("02:15")}, desk="UTC", machine="Etc/UTC")
    assert "CRON_TZ=Europe/Madrid" in there
    assert "UTC" in there
    assert here.splitlines()[-1] == there.splitlines()[-1]


def test_crontab_works_in_a_folder_with_a_space_in_its_name(tmp_path: Path):
    folder = tmp_path / "my desk"
    (folder / ".venv" / "bin").mkdir(parents=True)
    python = folder / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$PWD: $*"\n')
    python.chmod(0o755)
    line = crontab_text({"job": Schedule("02:15")}).splitlines()[-1]
    command = line.split(" ", 5)[5]
    done = subprocess.run(["sh", "-c", command], env={"DESK": str(folder)}, capture_output=True, text=True, check=True)
    assert done.stdout == f"{folder}: -m jobs tick --quiet\n"
