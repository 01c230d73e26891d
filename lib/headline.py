"""A job's key figure: which metric it is, its course over the runs, and what changed since the run before.

    headline = Headline("accuracy", "Accuracy", "percent")

A job declares it with `@job(..., headline=...)`; a start writes it into the store, so that the index needs no job.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlite_utils import Database

from lib.formats import KINDS, change, figure, title
from lib.store import rows, table, writing

NAMES = ("seed", "went_on_from")  # metrics whose numbers name something: a difference of two says nothing


class Headline(NamedTuple):
    """The name of a metric, what people call it, and how it is written: one of `formats.KINDS`."""

    metric: str
    label: str
    kind: str = "number"


class Changed(NamedTuple):
    """A figure now and in the run before, as a page shows them."""

    label: str
    before: str
    now: str
    change: str


@dataclass(frozen=True)
class Changes:
    """What became of the figures since the run of the date before; `same` are those that nothing became of."""

    date: str
    rows: Sequence[Changed]
    same: int


def declare(db: Database, job: str, headline: Headline | None) -> None:
    """Keep a job's key figure in the store; one that it has there already isn't written again."""
    if headline == declared(db, job):
        return
    assert headline is None or headline.kind in KINDS
    with writing(db):
        if headline is None:
            db.execute("DELETE FROM headlines WHERE job = ?", [job])
        else:
            table(db, "headlines").insert({"job": job, **headline._asdict()}, replace=True)


def declared(db: Database, job: str) -> Headline | None:
    """A job's key figure, as its last start has declared it; none in a store of an earlier version."""
    if "headlines" not in db.table_names():
        return None
    found = rows(db, "SELECT metric, label, kind FROM headlines WHERE job = ?", job)
    return Headline(**found[0]) if found else None


def course(db: Database, job: str, metric: str, most: int) -> list[tuple[str, float]]:
    """The dates and values of a metric in a job's last `most` committed runs, in order of their dates."""
    sql = """
        SELECT runs.date, metrics.value FROM runs JOIN metrics ON metrics.run = runs.id AND metrics.name = ?
        WHERE runs.job = ? AND runs.committed = 1 AND metrics.value IS NOT NULL ORDER BY runs.date DESC LIMIT ?
    """
    return [(row["date"], row["value"]) for row in rows(db, sql, metric, job, most)][::-1]


def changes(db: Database, job: str, date: str, metrics: Mapping[str, Any], *, run: int = 0) -> Changes | None:
    """The figures of a run for `date` against the job's committed run of the date before; None for the first one.

    Metrics that are one number are compared, the key figure first.
    """
    sql = (
        "SELECT id, date FROM runs WHERE job = ? AND date < ? AND committed = 1 AND id <> ? ORDER BY date DESC LIMIT 1"
    )
    found = rows(db, sql, job, date, run)
    if not found:
        return None
    sql = "SELECT name, value, json FROM metrics WHERE run = ? AND value IS NOT NULL"
    before = {row["name"]: row["value"] for row in rows(db, sql, found[0]["id"]) if _is_figure(json.loads(row["json"]))}
    key = declared(db, job)
    names = [name for name, value in metrics.items() if name in before and name not in NAMES and _is_figure(value)]
    if key and key.metric in names:
        names = [key.metric, *(name for name in names if name != key.metric)]
    all_of_them = [_changed(name, metrics[name], before[name], key) for name in names]
    seen = [each for each in all_of_them if each.before != each.now or (key and each.label == key.label)]
    return Changes(found[0]["date"], seen, len(all_of_them) - len(seen))


def _changed(name: str, now: float, before: float, key: Headline | None) -> Changed:
    label, kind = (key.label, key.kind) if key and key.metric == name else (title(name), kind_of(name))
    if kind == "number" and before == int(before) and isinstance(now, int):
        before = int(before)
    return Changed(label, figure(before, kind), figure(now, kind), change(now, before, kind))


def kind_of(name: str) -> str:
    """How a metric is written that nobody has declared, by its name: bytes and seconds are."""
    last = name.rpartition("_")[2]
    return last if last in ("bytes", "seconds") else "number"


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value
