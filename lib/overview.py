"""What the desk's own commands say of jobs, fire times and runs: each as an object for --json and as lines for people.

python -m jobs list · next · runs model_topics · show 12
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlite_utils import Database

from lib import runs
from lib.errors import BadSettings, WrongUsage
from lib.logs import LOG, lines_for_people, read_log
from lib.reports import number, seconds
from lib.schedules import Schedule
from lib.settings import Settings
from lib.store import rows

MESSAGE_CHARACTERS = 100
SHOWN_OF_A_METRIC = 100  # characters
LOG_LINES = 200


class Answer(NamedTuple):
    """What a command says: an object for --json, lines for people, and its exit code."""

    data: Any
    lines: Sequence[str]
    exit_code: int = 0


def of_jobs(
    db: Database | None, settings: Settings, schedules: Mapping[str, Schedule], titles: Mapping[str, str], now: datetime
) -> Answer:
    """The jobs, their schedules, next fire times and last runs. Without a store nothing has run."""
    data, lines = [], []
    for job, schedule in schedules.items():
        last = _last_run(db, job) if db else None
        due = schedule.next_fire(settings.zone, now)
        data.append(
            {
                "job": job,
                "title": titles[job],
                "schedule": asdict(schedule),
                "next": due[1].isoformat().replace("+00:00", "Z") if due else None,
                "next_date": due[0].isoformat() if due else None,
                "last": _row(last, settings) if last else None,
            }
        )
        lines += [
            f"{job}: {titles[job]}",
            f"  {schedule}, next {_moment(due[1], settings.zone) if due else 'never'}",
            f"  last: {_said(last, settings.zone)}" if last else "  it has not run yet",
        ]
    return Answer(data, lines)


def next_times(settings: Settings, schedules: Mapping[str, Schedule], count: int, now: datetime) -> Answer:
    """The next fire times of all jobs, in their order."""
    end = now + timedelta(days=8 * count)  # a weekly job has so many by then
    found = [
        (moment, job, day)
        for job, schedule in schedules.items()
        for _, (day, moment) in zip(range(count), schedule.fire_times(settings.zone, now, end), strict=False)
    ]
    found = sorted(found)[:count]
    data = [
        {"job": job, "date": day.isoformat(), "at": moment.isoformat().replace("+00:00", "Z")}
        for moment, job, day in found
    ]
    return Answer(data, columns([[_moment(moment, settings.zone), job, f"for {day}"] for moment, job, day in found]))


def of_runs(db: Database | None, settings: Settings, job: str | None, status: str | None, count: int) -> Answer:
    """The last runs, newest first."""
    where = [f"{name} = :{name}" for name, value in (("job", job), ("status", status)) if value]
    sql = f"SELECT * FROM runs {'WHERE ' + ' AND '.join(where) if where else ''} ORDER BY id DESC LIMIT :count"
    found = list(db.query(sql, {"job": job, "status": status, "count": count})) if db else []
    lines = columns(
        [
            [
                str(row["id"]),
                row["job"],
                row["date"],
                row["status"],
                _written(row["started_at"], settings.zone),
                seconds(row["seconds"]),
                _cut(row["message"] or "", MESSAGE_CHARACTERS),
            ]
            for row in found
        ]
    )
    return Answer([_row(row, settings) for row in found], lines or ["no run yet"])


def of_run(db: Database | None, settings: Settings, which: str) -> Answer:
    """A run's row, figures, rejects, stages, settings and log, by its id or as the last one of a job.

    Raises WrongUsage where there is no such run.
    """
    found = []
    if db is not None and which.isascii() and which.isdigit() and len(which) < 19:
        found = rows(db, "SELECT * FROM runs WHERE id = ?", int(which))
    elif db is not None:
        found = rows(db, "SELECT * FROM runs WHERE job = ? ORDER BY id DESC LIMIT 1", which)
    if db is None or not found:
        raise WrongUsage(f"there is no run {which!r}; expected a number from `python -m jobs runs`, or a job's name")
    row = found[0]
    said = runs.as_json(db, row["id"], settings.reports)
    stages = {each["stage"]: each["seconds"] for each in rows(db, "SELECT * FROM stages WHERE run = ?", row["id"])}
    path = settings.data / row["folder"] / LOG if row["folder"] else None
    entries = read_log(path) if path is not None and path.is_file() else []
    options = _options(row["options"])
    data = {
        **said,
        "message": row["message"],
        "exit_code": row["exit_code"],
        "ended_at": row["ended_at"],
        "committed": bool(row["committed"]),
        "folder": str(settings.data / row["folder"]) if row["folder"] else None,
        "options": options,
        "stages": stages,
        "log": entries,
    }
    state = f"{row['status']}, committed" if row["committed"] else row["status"]
    lines = [
        f"run {row['id']} of {row['job']} for {row['date']}: {state}",
        row["message"] or "",
        f"started {_written(row['started_at'], settings.zone)}, took {seconds(row['seconds'])}",
    ]
    if said["report"]:
        lines.append(f"report: {said['report']}")
    if data["folder"]:
        lines.append(f"files: {data['folder']}")
    for heading, pairs in (
        ("figures", {name: _figure(value) for name, value in said["metrics"].items()}),
        ("rejected", {name: number(count) for name, count in said["rejected"].items()}),
        ("stages", {name: seconds(value) for name, value in stages.items()}),
        ("settings", {name: _figure(value) for name, value in options.items() if value not in (None, [], "")}),
    ):
        if pairs:
            lines += ["", heading, *columns([[f"  {name}", value] for name, value in pairs.items()])]
    if entries:
        left_out = len(entries) - LOG_LINES
        lines += [
            "",
            f"log, the last {LOG_LINES} of {len(entries):,} lines (--json has all)" if left_out > 0 else "log",
        ]
        lines += [f"  {line}" for line in lines_for_people(entries[-LOG_LINES:], settings.zone)]
    return Answer(data, lines)


def of_messages(db: Database | None, settings: Settings) -> Answer:
    """The messages that wait to be delivered."""
    from lib.outbox import waiting  # mail and HTTP: not needed to list jobs

    found = waiting(db) if db else []
    lines = columns(
        [
            [
                row["job"],
                row["date"],
                row["event"],
                f"by {row['channel']}",
                f"{row['attempts']} tries",
                row["error"] or "",
            ]
            for row in found
        ]
    )
    return Answer(found, lines or ["no message waits"])


def of_tried(settings: Settings, job: str) -> Answer:
    """How a test message went over each channel that is set up; exit code 1 if one failed.

    Raises BadSettings where there is none.
    """
    from lib.outbox import test

    found = test(settings, job)
    if not found:
        raise BadSettings("nobody is told of anything; set up e-mail, a webhook, a ping or a command in [notify]")
    lines = columns([["✓" if each.ok else "✕", each.channel, each.sentence] for each in found])
    return Answer([asdict(each) for each in found], lines, 0 if all(each.ok for each in found) else 1)


def columns(table_rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, each column as wide as its widest entry; the last one as long as it likes."""
    if not table_rows:
        return []
    widths = [max(len(row[column]) for row in table_rows) for column in range(len(table_rows[0]) - 1)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in table_rows
    ]


def _last_run(db: Database, job: str) -> dict[str, Any] | None:
    """The last run that was more than a start refused."""
    found = rows(db, "SELECT * FROM runs WHERE job = ? AND status <> 'skipped' ORDER BY id DESC LIMIT 1", job)
    return found[0] if found else None


def _row(row: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    names = ("id", "job", "date", "status", "started_at", "ended_at", "seconds", "message", "exit_code")
    report = str(settings.reports / row["report"]) if row["report"] else None
    return {**{name: row[name] for name in names}, "committed": bool(row["committed"]), "report": report}


def _said(row: Mapping[str, Any], zone: ZoneInfo) -> str:
    when = _written(row["started_at"], zone)
    return f"{row['status']}, run {row['id']}, {when}: {_cut(row['message'] or '', MESSAGE_CHARACTERS)}"


def _options(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _written(moment: str, zone: ZoneInfo) -> str:
    """A moment of the ledger for people; what is none as it is."""
    try:
        return _moment(datetime.fromisoformat(moment), zone)
    except ValueError:
        return moment


def _moment(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%a %-d %b %Y %H:%M %Z")


def _cut(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def _figure(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    return value if isinstance(value, str) else _cut(json.dumps(value, ensure_ascii=False), SHOWN_OF_A_METRIC)
