"""Schedules: what is a time, what is a span, and what cron is told."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.schedules import DAYS, Schedule, parse_span

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
