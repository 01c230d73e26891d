"""The cards of the desk's page: a job's state, last result, key figure with its course, and next fire time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlite_utils import Database

from lib import advice, headline, rules
from lib.charts import sparkline
from lib.files import shown
from lib.formats import change, cut, figure, seconds
from lib.frame import permalink
from lib.schedules import Schedule
from lib.settings import Settings
from lib.store import rows

SPARKLINE_RUNS = 30
SENTENCE = 300  # characters
FAILING = 2  # failures in a row that are worth a word

Row = dict[str, Any]


@dataclass(frozen=True)
class Attention:
    """What is the matter with a job: its state, why, what to do, the command that does it, and where to look."""

    state: str
    why: str
    what_to_do: str
    command: str | None
    link: str | None
    date: str


@dataclass(frozen=True)
class Spark:
    """A small line: its points, the last one's place, and what it shows in words."""

    points: str
    last: tuple[str, str]
    text: str


@dataclass(frozen=True)
class Card:
    """A job as the desk's page shows it; texts are finished. `last` is its last run that did something.

    `of` is the date of the key figure where that is another run's: the figure is the latest date's.
    """

    job: str
    state: str | None
    last: Row | None
    sentence: str
    runs: int
    label: str
    value: str
    of: str | None
    change: str | None
    against: str | None
    spark: Spark | None
    next: datetime | None
    schedule: str | None
    page: str | None
    attention: Attention | None


def cards_of(
    db: Database, settings: Settings, schedules: Mapping[str, Schedule] | None, now: datetime
) -> Sequence[Card]:
    """A card a job, by name: those that have run, that are watched by `tick` and that `schedules` names.

    Without `schedules` fire times are those that the last tick has seen; a desk where nothing ticks has none.
    """
    if schedules is None:
        watched = rows(db, "SELECT job, at FROM watched") if "watched" in db.table_names() else []
        schedules = {row["job"]: Schedule(row["at"]) for row in watched}
    counts = {row["job"]: row["runs"] for row in rows(db, "SELECT job, COUNT(*) AS runs FROM runs GROUP BY job")}
    late = rules.overdue(db, settings, schedules, now)
    return [
        _card(db, settings, job, counts.get(job, 0), schedules.get(job), late.get(job), now)
        for job in sorted({*counts, *schedules})
    ]


def _card(
    db: Database,
    settings: Settings,
    job: str,
    count: int,
    schedule: Schedule | None,
    late: tuple[str, str] | None,
    now: datetime,
) -> Card:
    found = rows(
        db, "SELECT * FROM runs WHERE job = ? ORDER BY status = 'skipped', id DESC LIMIT 1", job
    )  # a start refused says nothing of the job, unless there was no other
    last = found[0] if found else None
    label, value, course, kind = _figures(db, job)
    fire = schedule.next_fire(settings.zone, now) if schedule else None
    page = f"{job}/latest.html"
    state = last["status"] if last else None
    return Card(
        job=job,
        state="late" if late and state != "running" else state,
        last=last,
        sentence=cut(shown(last["message"] or "At work."), SENTENCE) if last else "It has not run yet.",
        runs=count,
        label=label,
        value=value,
        of=course[-1][0] if course and last and course[-1][0] != last["date"] else None,
        change=change(course[-1][1], course[-2][1], kind) if len(course) > 1 else None,
        against=course[-2][0] if len(course) > 1 else None,
        spark=_spark(label, [value for _, value in course], kind),
        next=fire[1].astimezone(UTC) if fire else None,
        schedule=str(schedule) if schedule else None,
        page=page if (settings.reports / page).exists() else None,
        attention=_attention(db, job, last, late),
    )


def _figures(db: Database, job: str) -> tuple[str, str, list[tuple[str, float]], str]:
    """What the card shows big: its name, its value now, its course and how it is written."""
    key = headline.declared(db, job)
    course = headline.course(db, job, key.metric, SPARKLINE_RUNS) if key else []
    if key and course:
        return key.label, figure(course[-1][1], key.kind), course, key.kind
    sql = """
        SELECT date, seconds FROM runs WHERE job = ? AND status = 'ok' AND seconds IS NOT NULL ORDER BY id DESC LIMIT ?
    """
    course = [(row["date"], row["seconds"]) for row in rows(db, sql, job, SPARKLINE_RUNS)][::-1]
    return "Time taken", seconds(course[-1][1] if course else None), course, "seconds"


def _spark(label: str, values: Sequence[float], kind: str) -> Spark | None:
    points = str(sparkline(values))
    if not points:
        return None
    x, y = points.rsplit(" ", 1)[-1].split(",")
    first, last, low, high = (figure(each, kind) for each in (values[0], values[-1], min(values), max(values)))
    text = f"{label} of the last {len(values)} good runs, from {first} to {last}; lowest {low}, highest {high}"
    return Spark(points, (x, y), text)


def _attention(db: Database, job: str, last: Row | None, late: tuple[str, str] | None) -> Attention | None:
    if last and last["status"] in ("failed", "crashed", "missed"):
        streak = rules.failures_in_a_row(db, last) if last["status"] != "missed" else 0
        why = cut(shown(last["message"] or ""), SENTENCE)
        if streak >= FAILING:
            why = f"{why} It has failed {streak} times in a row."
        link = last["report"] or permalink(last["id"])
        return Attention(last["status"], why, advice.what_to_do(last), advice.command(last), link, last["date"])
    if late and (last is None or last["status"] != "running"):
        return Attention("late", f"{late[1][:1].upper()}{late[1][1:]}", advice.LATE, None, None, late[0])
    return None
