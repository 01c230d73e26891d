"""The files of a run beside its page: what it rejected, its tables as CSV, and itself as JSON."""

import csv
import io
import json
from collections.abc import Collection
from pathlib import Path

from sqlite_utils import Database

from lib import runs
from lib.files import shown
from lib.settings import Settings

REJECTS = "rejects.jsonl"
TABLE = "table-{}.csv"  # in the run's folder


def json_text(db: Database, settings: Settings, run: int) -> str:
    """What `--json` prints of a run, for a file."""
    return shown(json.dumps(runs.as_json(db, run, settings.reports), ensure_ascii=False, indent=2)) + "\n"


def tables_in(folder: Path) -> dict[str, Path]:
    """The tables that a run has left in its folder, by their names."""
    head, tail = TABLE.split("{}")
    return {path.name[len(head) : -len(tail)]: path for path in sorted(folder.glob(TABLE.format("*")))}


def without_rows(text: str, gone: Collection[str]) -> str:
    """CSV text without the rows whose cell in the column `id` is one of those."""
    lines = list(csv.reader(io.StringIO(text)))
    if not lines or "id" not in lines[0]:
        return text
    place = lines[0].index("id")
    left = io.StringIO()
    csv.writer(left).writerows(line for line in lines if line is lines[0] or line[place] not in gone)
    return left.getvalue()
