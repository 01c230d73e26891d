"""Two services, cron and a hand start the same job at once: one run works, the others are skipped."""

import json
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from lib.store import open_store, rows

FOUR_START_AT_ONCE = """
import json, os, random, sys, time
from datetime import date, timedelta
from pathlib import Path
from lib import reports
from lib.job import Job
from lib.schedules import Schedule
from lib.settings import Settings

data = Path(sys.argv[2])
settings = Settings(data=data, reports=data.parent / "reports", timezone="UTC")

def start(day, seconds):
    job = Job("job", lambda run, options: time.sleep(seconds), Schedule("02:15"))
    return job.start(settings, day, {}, force=False, quiet=True).exit_code

for number in range(50):
    seconds = 1.5 if number % 20 == 0 else 0.01
    go, ready = os.pipe()
    starts = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            os.close(ready)
            os.read(go, 1)
            try:
                code = start(date(2026, 1, 1) + timedelta(days=number), seconds)
            except BaseException:
                import traceback
                traceback.print_exc()
                code = 99
            os._exit(code)
        starts.append(pid)
    os.close(go)
    os.close(ready)
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in starts]), flush=True)
"""


@pytest.fixture
def fast_folder() -> Iterator[Path]:
    """A folder in memory where there is such a thing: two hundred starts flush to disk often."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def test_of_four_starts_at_once_two_hundred_in_all_one_runs_and_the_others_are_skipped(start, fast_folder):
    data = fast_folder / "data"
    process = start(FOUR_START_AT_ONCE, str(data))
    out, err = process.communicate(timeout=300)
    rounds = [json.loads(line) for line in out.splitlines()]
    assert (len(rounds), err) == (50, "")
    codes = {code for codes in rounds for code in codes}
    assert codes == {0, 75}
    db = open_store(data)
    found = rows(db, "SELECT date, status, exit_code, committed FROM runs")
    db.close()
    assert len(found) == 200
    for number in range(50):
        day = str(date(2026, 1, 1) + timedelta(days=number))
        of_day = [row for row in found if row["date"] == day]
        assert sorted(row["exit_code"] for row in of_day) == sorted(rounds[number])
        assert [row["committed"] for row in of_day if row["status"] == "ok"] == [1]
        assert sum(row["status"] == "skipped" and row["exit_code"] in (0, 75) for row in of_day) == 3
