"""A look at the desk: what was missed is recorded or made up for, the dead are ended, and nothing is done twice."""

import itertools
import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlite_utils import Database

from lib import runs
from lib.errors import CannotWrite
from lib.runs import Outcome
from lib.schedules import Schedule
from lib.settings import Settings
from lib.store import open_store, rows, table, writing
from lib.tick import LOCK, Order, look, tick

START = datetime(2026, 3, 1, 12, tzinfo=UTC)  # a Sunday
NIGHTLY = Schedule("02:15", catch_up="latest", grace="15m")


def desk(data: Path, zone: str = "UTC") -> Settings:
    return Settings(data=data, reports=data.parent / "reports", timezone=zone)


def run_at_once(db: Database, job: str, day: date) -> bool:
    """What a start comes to: one run a date, another one is skipped."""
    if runs.committed(db, job, day.isoformat()):
        runs.record(db, job, day.isoformat(), "skipped", "It is done.", 0)
        return True
    run = runs.begin(db, job, day.isoformat(), options={}, demo=False)
    with writing(db):
        runs.commit(db, run, Outcome("ok", "Done.", 0))
    return True


def starter(db: Database) -> Callable[[Order], bool]:
    return lambda order: run_at_once(db, order.job, order.date)


def ledger(db: Database, status: str) -> list[str]:
    return [row["date"] for row in rows(db, "SELECT date FROM runs WHERE status = ? ORDER BY date", status)]


def no_start(_: Order) -> bool:
    raise AssertionError("nothing is to be started")


def test_a_new_desk_gets_its_store_and_has_missed_nothing(data: Path):
    report = tick({"job": NIGHTLY}, desk(data), now=START, start=no_start)
    assert (report.lines, report.busy) == ([], False)
    db = open_store(data)
    assert table(db, "runs").count == 0
    db.close()


def test_what_was_missed_is_recorded_made_up_for_and_told(data: Path, db: Database):
    tick({"job": NIGHTLY}, desk(data), now=START, start=no_start)
    report = tick({"job": NIGHTLY}, desk(data), now=START + timedelta(days=3), start=starter(db))
    assert ledger(db, "missed") == ["2026-03-02", "2026-03-03"]
    assert ledger(db, "ok") == ["2026-03-04"]
    assert report.lines[-1] == "job 2026-03-04: started, to make up for 2026-03-04 02:15"
    assert json.loads(json.dumps(report.json))["missed"][0]["date"] == "2026-03-02"
    row = rows(db, "SELECT * FROM runs WHERE status = 'missed'")[0]
    assert (row["started_at"], row["exit_code"]) == ("2026-03-04T12:00:00.000Z", None)
    again = tick({"job": NIGHTLY}, desk(data), now=START + timedelta(days=3, minutes=10), start=no_start)
    assert again.lines == []


def test_the_desks_page_has_the_next_time_from_the_first_look_on_and_is_left_alone_after(data: Path, db: Database):
    run_at_once(db, "job", date(2026, 3, 1))
    tick({"job": NIGHTLY}, desk(data), now=START, start=no_start)
    page = desk(data).reports / "index.html"
    assert "02:15 UTC" in page.read_text()
    written = page.stat().st_mtime_ns
    tick({"job": NIGHTLY}, desk(data), now=START + timedelta(minutes=10), start=no_start)
    assert page.stat().st_mtime_ns == written
    tick({"job": Schedule("03:30")}, desk(data), now=START + timedelta(minutes=20), start=no_start)
    assert "03:30 UTC" in page.read_text()


def test_what_was_missed_is_on_the_desks_page(data: Path, db: Database):
    tick({"job": NIGHTLY}, desk(data), now=START, start=no_start)
    page = desk(data).reports / "index.html"
    assert "Should have started" not in page.read_text()
    tick({"job": NIGHTLY}, desk(data), now=START + timedelta(days=3), start=starter(db))
    assert "Should have started" in page.read_text()


def test_a_page_that_cannot_be_written_is_a_line_and_no_fault(data: Path, db: Database):
    tick({"job": NIGHTLY}, desk(data), now=START, start=no_start)
    shutil.rmtree(desk(data).reports)
    desk(data).reports.write_text("in the way")
    report = tick({"job": NIGHTLY}, desk(data), now=START + timedelta(days=3), start=starter(db))
    assert any("the desk's page is not written" in line for line in report.lines)
    assert ledger(db, "missed") == ["2026-03-02", "2026-03-03"]


def test_a_look_with_nothing_new_writes_nothing(data: Path, db: Database):
    run_at_once(db, "job", date(2026, 3, 2))
    for hours in (0, 15):
        tick({"job": NIGHTLY}, desk(data), now=START + timedelta(hours=hours), start=no_start)
    before = db.execute("PRAGMA data_version").fetchone()
    tick({"job": NIGHTLY}, desk(data), now=START + timedelta(hours=16), start=no_start)
    assert db.execute("PRAGMA data_version").fetchone() == before


def test_of_two_looks_at_once_the_second_does_nothing_and_says_so(data: Path):
    lock = runs.take_lock(data, LOCK)
    assert lock is not None
    report = tick({"job": NIGHTLY}, desk(data), now=START, start=no_start)
    os.close(lock)
    assert report.busy
    assert report.lines == ["Another tick is at work; this one did nothing."]
    assert not tick({"job": NIGHTLY}, desk(data), now=START, start=no_start).busy


def test_dead_runs_are_ended_and_what_they_left_is_removed(data: Path, db: Database):
    run = runs.begin(db, "job", "2026-02-20", options={}, demo=False)
    folder = data / "job" / "2026-02-20-1"
    folder.mkdir(parents=True)
    for name in ("half.bin", "rejects.jsonl"):
        (folder / name).write_text("{}\n")
    with writing(db):
        table(db, "runs").update(run, {"folder": "job/2026-02-20-1"})
    report = tick({"job": NIGHTLY}, desk(data), now=START, start=no_start)
    assert report.dead == (run,)
    assert table(db, "runs").get(run)["status"] == "crashed"
    left = {path.name for path in folder.iterdir()}
    assert "rejects.jsonl" in left
    assert "half.bin" not in left


def test_a_run_that_died_with_the_machine_is_made_up_for_once(data: Path, db: Database):
    tick({"job": NIGHTLY}, desk(data), now=START, start=no_start)

    def dies(order: Order) -> bool:
        runs.begin(db, order.job, order.date.isoformat(), options={}, demo=False)
        return True

    dies(Order("job", date(2026, 3, 2), START, late=False))
    night = datetime(2026, 3, 2, 3, tzinfo=UTC)
    started = [
        [each.date for each in tick({"job": NIGHTLY}, desk(data), now=night + timedelta(hours=n), start=dies).started]
        for n in range(4)
    ]
    assert started == [["2026-03-02"], [], [], []]
    assert ledger(db, "crashed") == ["2026-03-02", "2026-03-02"]


def test_a_run_that_a_shutdown_ended_is_made_up_for_once_and_one_ended_by_hand_is_not(data: Path, db: Database):
    schedules = {"shut": NIGHTLY, "by_hand": NIGHTLY}
    tick(schedules, desk(data), now=START, start=no_start)
    for job, code in (("shut", 143), ("by_hand", 130)):
        run = runs.begin(db, job, "2026-03-02", options={}, demo=False)
        with writing(db):
            runs.finish(db, run, Outcome("failed", "Interrupted.", code))
            table(db, "runs").update(run, {"started_at": "2026-03-02T02:15:00.500Z"})
    report = tick(schedules, desk(data), now=START + timedelta(hours=20), start=starter(db))
    assert [(each.job, each.date) for each in report.started] == [("shut", "2026-03-02")]


def test_on_time_starts_are_the_service_s_alone(data: Path, db: Database):
    tick({"job": NIGHTLY}, desk(data), now=START, start=no_start)
    now = datetime(2026, 3, 2, 2, 20, tzinfo=UTC)
    assert tick({"job": NIGHTLY}, desk(data), now=now, start=no_start).started == ()
    report = tick({"job": NIGHTLY}, desk(data), now=now, start=starter(db), starts=True)
    assert report.lines == ["job 2026-03-02: started, due at 2026-03-02 02:15"]


@pytest.mark.parametrize("fault", [None, OSError("no more processes"), CannotWrite("can't write the log")])
def test_a_start_that_failed_is_tried_again_at_the_next_look(data: Path, db: Database, fault: Exception | None):
    tick({"job": NIGHTLY}, desk(data), now=START, start=no_start)

    def fails(_: Order) -> bool:
        if fault:
            raise fault
        return False

    now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    report = tick({"job": NIGHTLY}, desk(data), now=now, start=fails)
    assert report.started == ()
    assert [str(fault) in each for each in report.failed] == ([True] if fault else [])
    assert set(report.failed) <= set(report.lines)
    tick({"job": NIGHTLY}, desk(data), now=now + timedelta(minutes=10), start=starter(db))
    assert ledger(db, "ok") == ["2026-03-02"]


def test_a_run_that_begins_while_the_desk_is_looked_at_is_not_said_to_be_missed(data: Path, db: Database, monkeypatch):
    capture = Schedule("02:15", catch_up="none")
    tick({"job": capture}, desk(data), now=START, start=no_start)

    def racing(store: Database):
        monkeypatch.setattr("lib.tick.writing", writing)
        run_at_once(db, "job", date(2026, 3, 2))
        return writing(store)

    monkeypatch.setattr("lib.tick.writing", racing)
    report = tick({"job": capture}, desk(data), now=datetime(2026, 3, 2, 9, tzinfo=UTC), start=no_start)
    assert report.missed == ()
    assert ledger(db, "missed") == []


def test_what_is_called_at_the_end_gets_the_store_and_the_moment(data: Path):
    seen = []

    def after(db: Database, now: datetime) -> list[str]:
        seen.append((table(db, "runs").count, now))
        return ["a message was delivered"]

    assert tick({"job": NIGHTLY}, desk(data), now=START, after=after).lines == ["a message was delivered"]
    assert seen == [(0, START)]


def test_what_is_late_is_looked_at_before_it_is_started(data: Path, db: Database):
    seen: list[int] = []
    tick({"job": NIGHTLY}, desk(data), now=START, start=no_start)
    tick(
        {"job": NIGHTLY},
        desk(data),
        now=START + timedelta(hours=20),
        start=starter(db),
        before=lambda store, _: seen.append(table(store, "runs").count),
        after=lambda store, _: seen.append(table(store, "runs").count),
    )
    assert seen == [0, 1]


def test_a_clock_ten_years_ahead_for_a_moment_starts_nothing_and_loses_nothing(data: Path, db: Database):
    tick({"job": NIGHTLY}, desk(data), now=START, start=no_start)
    report = tick({"job": NIGHTLY}, desk(data), now=START + timedelta(days=3653), start=no_start)
    assert "the clock says 2036-03-01 12:00 UTC" in report.lines[0]
    morning = datetime(2026, 3, 2, 9, tzinfo=UTC)
    tick({"job": NIGHTLY}, desk(data), now=morning, start=no_start)
    tick({"job": NIGHTLY}, desk(data), now=morning + timedelta(minutes=10), start=starter(db))
    assert (ledger(db, "ok"), ledger(db, "missed")) == (["2026-03-02"], [])


def test_a_clock_ten_years_ahead_for_hours_fills_no_ledger_and_stops_no_later_night(data: Path, db: Database):
    tick({"job": NIGHTLY}, desk(data), now=START, start=no_start)
    ahead = START + timedelta(days=3653)
    for hours in range(3):
        tick({"job": NIGHTLY}, desk(data), now=ahead + timedelta(hours=hours), start=starter(db))
    assert table(db, "runs").count <= 61
    for days in range(1, 5):
        for minutes in (-15, 0, 45):
            now = datetime(2026, 3, days, 9, tzinfo=UTC) + timedelta(minutes=minutes)
            if now > START:
                tick({"job": NIGHTLY}, desk(data), now=now, start=starter(db), starts=True)
    assert {"2026-03-03", "2026-03-04"} <= set(ledger(db, "ok"))
    assert table(db, "runs").count <= 65


# A year of nights: outages, clock steps, cron as it counts by itself, and the service, in turn.

ZONES = (
    "UTC",
    "Asia/Kathmandu",
    "Europe/Madrid",
    "Europe/Dublin",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Beirut",
    "America/St_Johns",
    "America/Havana",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
)
JOBS = {
    "all": Schedule("02:15", catch_up="all 400", grace="15m"),
    "latest": Schedule("00:30", catch_up="latest", grace="20m"),
    "live": Schedule("02:45", catch_up="none", grace="5m"),
}
YEAR = timedelta(days=365)
LAST_LOOK = START + YEAR + timedelta(days=3, minutes=400)
Event = tuple[datetime, int, str, date | None]


def stretches(chance: random.Random, steps: bool) -> Iterator[tuple[datetime, datetime, str]]:
    """While the machine is on: from, until, by its own clock, and who starts the jobs."""
    moment, error = START, timedelta(0)
    while moment < START + YEAR:
        on = min(timedelta(hours=chance.choice((20, 60, 200, 500)) * chance.random()), START + YEAR - moment)
        yield moment + error, moment + on + error, chance.choice(("cron", "service"))
        moment += on
        if steps and chance.random() < 0.5:
            error = timedelta(hours=chance.uniform(-3, 3))
        else:
            moment += timedelta(minutes=chance.choice((8, 60, 900, 6000)) * chance.random())
    yield START + YEAR, START + YEAR + timedelta(days=3), "service"


def naive_cron(schedule: Schedule, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, date]]:
    """What fires whenever the clock on the wall shows the time: never in a gap, twice in an hour that is repeated."""
    clock = time.fromisoformat(schedule.at)
    day = start.astimezone(zone).date()
    while day <= end.astimezone(zone).date():
        wall = datetime.combine(day, clock, zone)
        moments = {wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1)}
        for moment in moments:
            shown = moment.astimezone(zone)
            if start < moment <= end and shown.time() == clock:
                yield moment, shown.date()
        day += timedelta(days=1)


def events(zone: ZoneInfo, start: datetime, end: datetime, who: str, chance: random.Random) -> list[Event]:
    """The starts and the looks of a stretch, in their order; a look has no date."""
    found: list[Event] = []
    for job, schedule in JOBS.items():
        fires = (
            ((moment, day) for day, moment in schedule.fire_times(zone, start, end))
            if who == "service"
            else naive_cron(schedule, zone, start, end)
        )
        found += [(moment, 0, job, day) for moment, day in fires]
    look_at = start + timedelta(minutes=0 if who == "service" else 10 * chance.random())
    for number in itertools.count():
        if look_at > end:
            break
        found.append((look_at, 1, who, None))
        look_at += timedelta(minutes=10) if number < 2 else timedelta(hours=chance.uniform(8, 24))
    return sorted(found, key=lambda event: event[:3])


def live_a_year(db: Database, settings: Settings, seed: int, *, steps: bool) -> None:
    """A year of events. After the machine's last start, looks follow until all is made up for."""
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA journal_mode = MEMORY")
    chance = random.Random(seed)
    look(db, JOBS, settings, START, no_start)
    for start, end, who in stretches(chance, steps):
        for moment, _, name, day in events(settings.zone, start, end, who, chance):
            if day is not None:
                run_at_once(db, name, day)
            else:
                look(db, JOBS, settings, moment, starter(db), starts=name == "service")
    for number in range(40, -1, -1):
        now = LAST_LOOK - timedelta(minutes=10 * number)
        look(db, JOBS, settings, now, starter(db), starts=True)


def dates_of(db: Database, job: str, status: str) -> Counter[str]:
    return Counter(row["date"] for row in rows(db, "SELECT date FROM runs WHERE job = ? AND status = ?", job, status))


def dates_asked_for(zone: ZoneInfo, job: str) -> set[str]:
    return {str(day) for day, _ in JOBS[job].fire_times(zone, START, LAST_LOOK)}


@pytest.mark.parametrize("zone", ZONES)
def test_in_a_year_of_outages_each_logical_date_has_one_run_or_is_missed_once(data: Path, db: Database, zone: str):
    settings = desk(data, zone)
    live_a_year(db, settings, ZONES.index(zone), steps=False)
    for job in JOBS:
        done, missed, wanted = dates_of(db, job, "ok"), dates_of(db, job, "missed"), dates_asked_for(settings.zone, job)
        assert set((done + missed).values()) == {1}, job  # one row a date, and none of both kinds
        assert set(done + missed) == wanted, job
    assert not dates_of(db, "all", "missed")
    skipped_days = [date.fromisoformat(day) for day in dates_of(db, "latest", "missed")]
    for day in skipped_days:  # given up only for a later one
        assert day + timedelta(days=1) in skipped_days or str(day + timedelta(days=1)) in dates_of(db, "latest", "ok")
    assert dates_of(db, "live", "missed")


@pytest.mark.parametrize("zone", ZONES[::2])
def test_in_a_year_in_which_the_clock_is_set_too_each_date_has_one_run(data: Path, db: Database, zone: str):
    settings = desk(data, zone)
    live_a_year(db, settings, 100 + ZONES.index(zone), steps=True)
    for job in JOBS:
        done, missed, wanted = dates_of(db, job, "ok"), dates_of(db, job, "missed"), dates_asked_for(settings.zone, job)
        assert set(done.values()) == {1}, job
        assert set(missed.values()) <= {1}, job
        assert wanted <= set(done) | set(missed), job
    assert dates_asked_for(settings.zone, "all") <= set(dates_of(db, "all", "ok"))


def test_a_page_whose_run_was_killed_before_it_could_put_it_there_is_put_there(data: Path, db: Database):
    run = runs.begin(db, "job", "2026-02-28", options={}, demo=False)
    page = data / "job" / f"2026-02-28-{run}" / "report.html"
    page.parent.mkdir(parents=True)
    page.write_text("<!doctype html><title>What came out</title>")
    with writing(db):
        table(db, "runs").update(run, {"folder": str(page.parent.relative_to(data))})
        runs.commit(db, run, Outcome("ok", "Done.", 0, report="job/2026-02-28.html"))
    lock = runs.take_lock(data, "job")
    assert lock is not None
    tick({"job": NIGHTLY}, desk(data), now=START, start=no_start)
    there = desk(data).reports / "job" / "2026-02-28.html"
    assert not there.exists()  # who holds the lock is about to do so
    os.close(lock)
    report = tick({"job": NIGHTLY}, desk(data), now=START + timedelta(minutes=10), start=no_start)
    assert "What came out" in there.read_text()
    assert report.lines == []


def test_a_bug_in_the_desks_page_keeps_nobody_from_being_told(data: Path, db: Database, monkeypatch):
    tick({"job": NIGHTLY}, desk(data), now=START, start=no_start)
    monkeypatch.setattr("lib.reports.publish_index", lambda *_: 1 / 0)
    later = START + timedelta(days=3)
    report = tick({"job": NIGHTLY}, desk(data), now=later, start=starter(db), after=lambda *_: ["told"])
    assert report.lines[-1] == "told"
    assert any("ZeroDivisionError" in line for line in report.lines)
