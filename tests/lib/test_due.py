"""What is due, what was missed, and what becomes of it: rules over a ledger and a given moment."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger

from lib.due import CLOCK_FLOOR, LEAP, MOST_RECORDED, STARTING, Due, Row, Watch, due, watch_of
from lib.schedules import Schedule
from lib.service import FireTimes

ZONE = ZoneInfo("Europe/Madrid")
NIGHTLY = Schedule("02:15", catch_up="latest", grace="15m")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)  # a Sunday


def at(text: str) -> datetime:
    """A moment by the desk's clocks."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def day(text: str) -> date:
    return date.fromisoformat(text)


def watching(schedule: Schedule, since: datetime = START, **values: object) -> Watch:
    return Watch(schedule.at, ZONE.key, since, since, **values)


def found(
    schedule: Schedule,
    now: datetime,
    ledger: dict[str, Sequence[str | Row]] | None = None,
    *,
    at_work: bool = False,
    watch: Watch | None = None,
) -> Due:
    rows = {
        day(name): [
            each if isinstance(each, Row) else Row(each, schedule.fire_time(day(name), ZONE) or START) for each in given
        ]
        for name, given in (ledger or {}).items()
    }
    return due(schedule, ZONE, watch or watching(schedule), rows, now, at_work=at_work)


def dates(slots: Sequence) -> list[str]:
    return [str(slot.date) for slot in slots]


def missed(plan: Due) -> list[str]:
    return dates([slot for slot, _ in plan.missed])


def test_apscheduler_reads_crons_saturday_as_sunday_and_the_desk_doesnt():
    now = datetime(2026, 3, 2, tzinfo=UTC)
    theirs = CronTrigger.from_crontab("0 23 * * 6", timezone=UTC).get_next_fire_time(None, now)
    ours = FireTimes(Schedule("sat 23:00"), ZoneInfo("UTC"), set()).get_next_fire_time(None, now)
    assert f"{theirs:%A %H:%M}" == "Sunday 23:00"
    assert f"{ours:%A %H:%M}" == "Saturday 23:00"


def test_a_new_desk_has_missed_nothing():
    watch, believed = watch_of(None, NIGHTLY, ZONE.key, START)
    assert believed
    assert found(NIGHTLY, START, watch=watch) == Due((), None, (), (), START)


@pytest.mark.parametrize(("at", "zone"), [("01:00", ZONE.key), ("02:15", "Asia/Tokyo")])
def test_another_time_of_day_or_zone_counts_from_now_on(at: str, zone: str):
    now = START + timedelta(days=3)
    watch, believed = watch_of(watching(NIGHTLY, trying=day("2026-03-02")), Schedule(at), zone, now)
    assert believed
    assert watch == Watch(at, zone, since=now, seen=now)


def test_another_grace_or_way_to_catch_up_changes_nothing_of_what_counts():
    old = watching(NIGHTLY)
    watch, _ = watch_of(old, replace(NIGHTLY, catch_up="all 3", grace="1h"), ZONE.key, START + timedelta(hours=1))
    assert watch == old


def test_within_its_grace_a_date_is_on_time_and_nothing_is_made_up_for():
    for now in (at("2026-03-02T02:15"), at("2026-03-02T02:30")):
        plan = found(NIGHTLY, now)
        assert (dates(plan.on_time), plan.make_up, plan.missed) == (["2026-03-02"], None, ())
    assert found(NIGHTLY, at("2026-03-02T02:14")).on_time == ()


def test_after_its_grace_a_date_is_made_up_for():
    plan = found(NIGHTLY, at("2026-03-02T02:31"))
    assert (plan.on_time, str(plan.make_up.date), plan.missed) == ((), "2026-03-02", ())


def test_latest_makes_up_for_the_latest_date_and_says_of_the_others_that_they_were_missed():
    plan = found(NIGHTLY, at("2026-03-05T09:00"))
    assert str(plan.make_up.date) == "2026-03-05"
    assert missed(plan) == ["2026-03-02", "2026-03-03", "2026-03-04"]
    assert plan.missed[0][1] == (
        "Should have started at 2026-03-02 02:15 CET and didn't, nor within 15m of it; "
        "only the latest date missed is made up for (catch_up is latest)."
    )


def test_all_makes_up_for_so_many_oldest_first_and_one_at_a_time():
    plan = found(replace(NIGHTLY, catch_up="all 3"), at("2026-03-06T09:00"))
    assert str(plan.make_up.date) == "2026-03-04"
    assert dates(plan.later) == ["2026-03-05", "2026-03-06"]
    assert missed(plan) == ["2026-03-02", "2026-03-03"]


def test_what_is_live_is_said_to_be_missed_and_never_started():
    capture = Schedule("sat 22:00", catch_up="none", grace="5m")
    plan = found(capture, at("2026-03-07T22:06"))
    assert (plan.on_time, plan.make_up) == ((), None)
    assert plan.missed[0][1] == (
        "Should have started at 2026-03-07 22:00 CET and didn't, nor within 5m of it; "
        "what is live can't be made up for (catch_up is none)."
    )


@pytest.mark.parametrize("status", ["ok", "failed", "running", "missed"])
def test_a_date_with_a_run_that_ended_or_works_or_was_missed_is_settled(status: str):
    plan = found(NIGHTLY, at("2026-03-02T09:00"), {"2026-03-02": [status]})
    assert (plan.on_time, plan.make_up, plan.missed) == ((), None, ())


@pytest.mark.parametrize("status", ["failed", "crashed"])
def test_what_failed_by_hand_before_its_time_settles_nothing(status: str):
    early = Row(status, at("2026-03-02T01:00"))
    assert found(NIGHTLY, at("2026-03-02T09:00"), {"2026-03-02": [early]}).make_up is not None
    done = Row("ok", at("2026-03-02T01:00"))
    assert found(NIGHTLY, at("2026-03-02T09:00"), {"2026-03-02": [done]}).make_up is None


def test_a_start_that_was_skipped_settles_nothing():
    assert found(NIGHTLY, at("2026-03-02T09:00"), {"2026-03-02": ["skipped"]}).make_up is not None


def test_a_run_found_dead_is_started_once_more_at_once_and_not_again():
    now = at("2026-03-02T02:20")
    assert found(NIGHTLY, now, {"2026-03-02": ["crashed"]}).make_up is not None
    plan = found(NIGHTLY, now, {"2026-03-02": ["crashed", "crashed"]})
    assert (plan.on_time, plan.make_up, plan.missed) == ((), None, ())


def test_a_live_run_found_dead_is_neither_started_again_nor_missed():
    plan = found(replace(NIGHTLY, catch_up="none"), at("2026-03-02T09:00"), {"2026-03-02": ["crashed"]})
    assert (plan.on_time, plan.make_up, plan.missed) == ((), None, ())


def test_while_a_run_works_or_another_date_is_on_time_nothing_is_made_up_for():
    assert found(NIGHTLY, at("2026-03-02T09:00"), at_work=True).make_up is None
    plan = found(NIGHTLY, at("2026-03-03T02:20"))
    assert (dates(plan.on_time), plan.make_up, plan.missed) == (["2026-03-03"], None, ())
    assert found(NIGHTLY, at("2026-03-03T02:20"), {"2026-03-03": ["running"]}, at_work=True).make_up is None


def test_what_was_started_and_is_on_its_way_is_not_started_twice():
    now = at("2026-03-02T09:00")
    watch = watching(NIGHTLY, trying=day("2026-03-02"), tried_at=now - STARTING / 2)
    assert found(NIGHTLY, now, watch=watch) == Due((), None, (), (), START)


def test_a_start_that_left_no_run_is_not_repeated_for_ever():
    now = at("2026-03-02T09:00")
    watch = watching(NIGHTLY, trying=day("2026-03-02"), tried_at=now - 2 * STARTING)
    plan = found(NIGHTLY, now, watch=watch)
    assert (plan.make_up, missed(plan)) == (None, ["2026-03-02"])
    assert "started again at 2026-03-02 08:50 CET, it left no run" in plan.missed[0][1]


@pytest.mark.parametrize("status", ["skipped", "crashed"])
def test_a_start_that_was_skipped_or_died_may_be_repeated(status: str):
    now = at("2026-03-02T09:00")
    tried = now - 2 * STARTING
    watch = watching(NIGHTLY, trying=day("2026-03-02"), tried_at=tried)
    row = Row(status, tried + timedelta(seconds=1))
    assert found(NIGHTLY, now, {"2026-03-02": [row]}, watch=watch).make_up is not None


def test_what_is_settled_needn_t_be_looked_at_again_but_a_run_at_work_does():
    now = at("2026-03-05T09:00")
    ledger = {f"2026-03-0{number}": ["ok"] for number in (2, 3, 5)}
    assert found(NIGHTLY, now, {**ledger, "2026-03-04": ["running"]}).since == at("2026-03-03T02:15")
    assert found(NIGHTLY, now, {**ledger, "2026-03-04": ["ok"]}).since == at("2026-03-05T02:15")


def test_years_of_misses_get_a_bounded_number_of_rows_and_are_told_whole():
    now = START + timedelta(days=3653)
    plan = found(NIGHTLY, now)
    assert len(plan.missed) == MOST_RECORDED
    assert "So it was with 3,592 dates before it, back to 2026-03-02, which got no row" in plan.missed[0][1]
    after = found(NIGHTLY, now, watch=watching(NIGHTLY, plan.since))
    assert len(after.missed) == MOST_RECORDED
    assert "So it was" not in after.missed[0][1]


def test_a_clock_that_leapt_is_believed_at_the_second_look():
    old = watching(NIGHTLY)
    ahead = START + LEAP + timedelta(days=3650)
    once, believed = watch_of(old, NIGHTLY, ZONE.key, ahead)
    assert not believed
    assert once == replace(old, seen=ahead)
    again, believed = watch_of(once, NIGHTLY, ZONE.key, ahead + timedelta(minutes=10))
    assert (again, believed) == (once, True)
    back, believed = watch_of(once, NIGHTLY, ZONE.key, START)
    assert not believed
    assert watch_of(back, NIGHTLY, ZONE.key, START + timedelta(minutes=10)) == (old, True)


def test_moments_that_a_clock_ahead_has_left_become_now():
    ahead = START + timedelta(days=20)
    old = watching(NIGHTLY, ahead, trying=day("2026-03-20"), tried_at=ahead)
    watch, believed = watch_of(old, NIGHTLY, ZONE.key, START)
    assert believed
    assert (watch.since, watch.seen, watch.tried_at) == (START, START, START)


def test_a_clock_without_its_battery_changes_nothing():
    boot = datetime(1970, 1, 1, tzinfo=UTC)
    assert boot < CLOCK_FLOOR
    assert watch_of(None, NIGHTLY, ZONE.key, boot) == (None, False)
    assert watch_of(watching(NIGHTLY), NIGHTLY, ZONE.key, boot) == (watching(NIGHTLY), False)


def test_a_clock_set_back_makes_no_second_run_of_a_settled_date():
    watch = watching(NIGHTLY, at("2026-03-02T02:15"))
    watch, _ = watch_of(watch, NIGHTLY, ZONE.key, at("2026-03-02T01:15"))
    plan = found(NIGHTLY, at("2026-03-02T02:16"), {"2026-03-02": ["failed"]}, watch=watch)
    assert (plan.on_time, plan.make_up, plan.missed) == ((), None, ())
    assert dates(found(NIGHTLY, at("2026-03-03T02:16"), {"2026-03-02": ["ok"]}, watch=watch).on_time) == ["2026-03-03"]


def test_the_service_fires_no_date_twice_when_the_clock_is_set_back():
    started = {day("2026-03-02")}
    trigger = FireTimes(NIGHTLY, ZONE, started)
    moment = trigger.get_next_fire_time(None, at("2026-03-02T01:15"))
    assert trigger.date_at(moment) == day("2026-03-03")
