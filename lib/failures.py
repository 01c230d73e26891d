"""The page of a run that has failed or was found dead: made from the ledger and the run's log, whoever finds it.

It lies beside the good pages, as reports/JOB/run-ID.html, and never replaces the page of its date.
"""

import json
from typing import Any

from sqlite_utils import Database

from lib import advice, runs
from lib.files import atomic_write
from lib.formats import settings_list
from lib.frame import frame_of
from lib.pages import page_name, render
from lib.rules import failures_in_a_row
from lib.run_files import REJECTS, json_text
from lib.settings import Settings
from lib.store import rows, table, writing

FAILED = "status IN ('failed', 'crashed')"


def publish_failed(db: Database, settings: Settings) -> None:
    """Write the pages of failed runs that aren't there, and remove those of runs whose files were pruned.

    Raises CannotWrite.
    """
    for row in rows(db, f"SELECT * FROM runs WHERE {FAILED} ORDER BY id"):
        name = f"{row['job']}/run-{row['id']}.html"
        page = settings.reports / name
        if row["folder"] is None:
            if row["report"] == name:
                _note(db, row["id"], None)
                for path in (page, page.with_suffix(".json")):
                    path.unlink(missing_ok=True)
        elif row["report"] is None or not page.exists():
            atomic_write(page, failed_page(db, settings, row))
            _note(db, row["id"], name)
            atomic_write(page.with_suffix(".json"), json_text(db, settings, row["id"]))


def _note(db: Database, run: int, report: str | None) -> None:
    with writing(db):
        table(db, "runs").update(run, {"report": report})


def failed_page(db: Database, settings: Settings, row: dict[str, Any]) -> str:
    """The page of a failed run, from its row."""
    run, folder = row["id"], settings.data / row["folder"]
    said = runs.as_json(db, run, settings.reports)
    stages = {each["stage"]: each["seconds"] for each in rows(db, "SELECT * FROM stages WHERE run = ?", run)}
    stands = runs.committed(db, row["job"], row["date"])
    sql = "SELECT * FROM runs WHERE job = ? AND committed = 1 AND id < ? ORDER BY id DESC LIMIT 1"
    good = rows(db, sql, row["job"], run)
    figures = {
        name: value
        for name, value in said["metrics"].items()
        if isinstance(value, int | float | str) and not isinstance(value, bool) and name != "attempts"
    }
    return render(
        "failed.html",
        zone=settings.zone,
        frame=frame_of(db, settings, run, row["job"], row["date"], folder=folder, stem=f"run-{run}"),
        demo=bool(row["demo"]),
        run=row,
        meaning=advice.meaning(row["exit_code"]),
        what_to_do=advice.what_to_do(row),
        command=advice.command(row),
        attempts=said["metrics"].get("attempts", 1),
        streak=failures_in_a_row(db, row),
        stands=_linked(stands),
        good=_linked(good[0] if good else None),
        rejected=said["rejected"],
        rejects=str(folder / REJECTS) if (folder / REJECTS).exists() else None,
        folder=str(folder),
        figures=figures,
        stages=stages,
        settings=settings_list(json.loads(row["options"] or "{}").items()),
    )


def _linked(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """A committed run with the address of its page, seen from another page of its job."""
    if row is None:
        return None
    report = page_name(row["job"], row["date"]) == row["report"]
    return {"id": row["id"], "date": row["date"], "page": f"{row['date']}.html" if report else None}
