"""What a job's schedule asks for against what the ledger has: dates that are due, missed, or to be made up for.

    watch = watch_of(watch, schedule, "Europe/Madrid", now)
    found = due(schedule, zone, watch, ledger, now)

Logic over plain values: `now` is given, never asked for, and nothing is read or written here. `lib.tick` does that.

Fire times count from the moment on at which the desk first saw the schedule as it is, so that a new desk, another time
of day or another time zone makes no misses that never were. A date is settled by a run that ended or is at work, or by
a row that says it was missed; what was found dead is started once more. A start that was skipped settles nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from lib.schedules import Schedule

MOST_RECORDED = 60  # dates that were missed at once and get a row each; those before them are told in one
LEAP = timedelta(days=30)  # a clock that is so far off the last look is believed at the next look only
CLOCK_FLOOR = datetime(2025, 1, 1, tzinfo=UTC)  # a machine whose clock has no battery boots in 1970
SEEN_EVERY = timedelta(days=1)  # how exactly the last look is known
STARTING = timedelta(minutes=5)  # a process that was started has its row by then


@dataclass(frozen=True)
class Watch:
    """The schedule as the desk saw it last, and from when on its fire times count. Moments are in UTC.

    `trying` is the date that was last started to be made up for.
    """

    at: str
    timezone: str
    since: datetime
    seen: datetime
    trying: date | None = None
    tried_at: datetime | None = None


@dataclass(frozen=True)
class Row:
    """What counts here of a row of the ledger."""

    status: str
    started_at: datetime


@dataclass(frozen=True)
class Slot:
    """A logical date and the moment, in UTC, at which it fires."""

    date: date
    fire: datetime


@dataclass(frozen=True)
class Due:
    """What there is to do for a job.

    `on_time`: nothing has started them yet, and a start still counts as on time. `make_up`: to be started now, late;
    `later`: the same when that one has ended. `missed`: with the sentence of their rows. `since`: all fire times up to
    it are settled.
    """

    on_time: tuple[Slot, ...]
    make_up: Slot | None
    later: tuple[Slot, ...]
    missed: tuple[tuple[Slot, str], ...]
    since: datetime


Ledger = Mapping[date, Sequence[Row]]


def watch_of(old: Watch | None, schedule: Schedule, timezone: str, now: datetime) -> tuple[Watch | None, bool]:
    """The watch as it is from now on, and whether to act on it now.

    A clock that has leapt far may be wrong until it is set, minutes after a boot: the look that sees the leap only
    notes it. A clock that was ahead has left moments that are still to come: they become now.
    """
    if now < CLOCK_FLOOR:
        return old, False
    if old is None or (old.at, old.timezone) != (schedule.at, timezone):
        return Watch(schedule.at, timezone, since=now, seen=now), True
    if abs(now - old.seen) > LEAP:
        return replace(old, seen=now), False
    seen = old.seen if timedelta(0) <= now - old.seen < SEEN_EVERY else now
    tried_at = min(old.tried_at, now) if old.tried_at else None
    return replace(old, since=min(old.since, now), seen=seen, tried_at=tried_at), True


def due(schedule: Schedule, zone: ZoneInfo, watch: Watch, ledger: Ledger, now: datetime, *, at_work: bool) -> Due:
    """What there is to do for a job. `ledger` has its rows by logical date; `at_work`: a run of it is."""
    slots = [Slot(*each) for each in schedule.fire_times(zone, watch.since, now)]
    for_good = [_settled(slot, ledger.get(slot.date, ()), schedule) for slot in slots]
    first_open = next((slot.fire for slot, done in zip(slots, for_good, strict=True) if not done), None)
    since = max(
        (slot.fire for slot in slots if first_open is None or slot.fire < first_open),
        default=watch.since,
    )
    on_time: list[Slot] = []
    overdue: list[Slot] = []
    for slot, done in zip(slots, for_good, strict=True):
        statuses = [row.status for row in ledger.get(slot.date, ())]
        if done or "running" in statuses:
            continue
        late = "crashed" in statuses or now - slot.fire > schedule.misfire_grace
        (overdue if late else on_time).append(slot)
    if _is_starting(watch, overdue, ledger, now):
        return Due(tuple(on_time), None, (), (), since)
    lost = [slot for slot in overdue if slot.date == watch.trying and not _to_be_tried_again(watch, ledger, now)]
    missed = [(slot, _lost_sentence(slot, zone, watch)) for slot in lost]
    overdue = [slot for slot in overdue if slot not in lost]
    most = schedule.most_caught_up
    kept = overdue[-most:] if most else []
    given_up = overdue[: len(overdue) - len(kept)]
    if len(given_up) > MOST_RECORDED:
        untold, given_up = given_up[:-MOST_RECORDED], given_up[-MOST_RECORDED:]
        since = max(since, untold[-1].fire)
        told = _missed_sentence(given_up[0], schedule, zone, ledger) + _untold_sentence(untold)
        missed.append((given_up.pop(0), told))
    missed += [(slot, _missed_sentence(slot, schedule, zone, ledger)) for slot in given_up]
    if at_work or on_time:  # one run of a job at a time, and what is on time comes first
        return Due(tuple(on_time), None, tuple(kept), tuple(missed), since)
    return Due((), kept[0] if kept else None, tuple(kept[1:]), tuple(missed), since)


def _settled(slot: Slot, rows: Sequence[Row], schedule: Schedule) -> bool:
    """Whether nothing that may still happen to these rows makes the date's job start again.

    What failed before the fire time, by hand, is no reason not to start then.
    """
    statuses = [row.status for row in rows if row.started_at >= slot.fire or row.status in ("ok", "missed")]
    attempts = 2 if schedule.most_caught_up else 1
    return any(each in ("ok", "failed", "missed") for each in statuses) or statuses.count("crashed") >= attempts


def _is_starting(watch: Watch, overdue: Sequence[Slot], ledger: Ledger, now: datetime) -> bool:
    """Whether the date that was last started may still be on its way to its row."""
    return (
        watch.trying in [slot.date for slot in overdue]
        and watch.tried_at is not None
        and now - watch.tried_at < STARTING
        and not _rows_of_the_try(watch, ledger, now)
    )


def _to_be_tried_again(watch: Watch, ledger: Ledger, now: datetime) -> bool:
    """Whether the last start was skipped, since another run was at work, or died."""
    return any(row.status in ("skipped", "crashed") for row in _rows_of_the_try(watch, ledger, now))


def _rows_of_the_try(watch: Watch, ledger: Ledger, now: datetime) -> list[Row]:
    if watch.trying is None or watch.tried_at is None:
        return []
    return [row for row in ledger.get(watch.trying, ()) if watch.tried_at <= row.started_at <= now]


def _when(slot: Slot, zone: ZoneInfo) -> str:
    return f"{slot.fire.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def _missed_sentence(slot: Slot, schedule: Schedule, zone: ZoneInfo, ledger: Ledger) -> str:
    why = {
        0: "what is live can't be made up for (catch_up is none)",
        1: "only the latest date missed is made up for (catch_up is latest)",
    }.get(schedule.most_caught_up, f"only the latest {schedule.most_caught_up} missed are made up for")
    if any(row.status == "crashed" for row in ledger.get(slot.date, ())):
        return f"Should have ended what started at {_when(slot, zone)} and was found dead; {why}."
    return f"Should have started at {_when(slot, zone)} and didn't, nor within {schedule.grace} of it; {why}."


def _untold_sentence(slots: Sequence[Slot]) -> str:
    of_them = f"{len(slots):,} dates" if len(slots) > 1 else "one date"
    return f" So it was with {of_them} before it, back to {slots[0].date}, which got no row of their own."


def _lost_sentence(slot: Slot, zone: ZoneInfo, watch: Watch) -> str:
    tried = f"{watch.tried_at.astimezone(zone):%Y-%m-%d %H:%M %Z}" if watch.tried_at else "once"
    return (
        f"Should have started at {_when(slot, zone)} and didn't; started again at {tried}, it left no run. "
        "What it said is in the job's .out file in the logs."
    )
