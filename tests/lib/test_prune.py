"""Pruning: what has had its time goes, and never what a champion, a page or a run at work needs."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from lib import reports, runs
from lib.files import aside_of
from lib.images.keeping import models, training_logs
from lib.images.tables import migrations as of_images
from lib.job import Job
from lib.prune import Pruned, prune
from lib.runs import Outcome
from lib.schedules import Schedule
from lib.settings import Keep, Settings
from lib.store import open_store, table, writing
from lib.tweets.keeping import captures
from lib.tweets.tables import migrations as of_tweets

KINDS = [models(), captures(), training_logs()]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ALL_SHORT = Keep(captures="30d", training_logs="30d", models="30d", run_files="30d", reports="30d")
RUN_FILES_ALONE = Keep(training_logs="forever", models="forever", run_files="30d")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "reports").mkdir()
    return Settings(data=tmp_path / "data", reports=tmp_path / "reports", timezone="UTC", keep=ALL_SHORT)


@pytest.fixture
def db(settings: Settings) -> Iterator[Database]:
    store = open_store(settings.data, [of_tweets, of_images])
    yield store
    store.close()


def a_run(db: Database, settings: Settings, job: str, days: int, status: str = "ok") -> int:
    """A run so many days ago, with its folder, and where it is committed its page."""
    moment = NOW - timedelta(days=days)
    day = moment.date().isoformat()
    run = runs.begin(db, job, day, options={}, demo=False)
    folder = f"{job}/{day}-{run}"
    (settings.data / folder).mkdir(parents=True)
    (settings.data / folder / "rejects.jsonl").write_text("{}\n")
    with writing(db):
        table(db, "runs").update(run, {"folder": folder, "started_at": runs.stamp(moment)})
        if status == "ok":
            (settings.data / folder / "report.html").write_text(f"page of {run}")
            runs.commit(db, run, Outcome("ok", "Done.", 0, report=reports.page_name(job, day)))
        elif status != "running":
            runs.finish(db, run, Outcome(status, "It failed.", 1))
        if status != "running":
            table(db, "runs").update(run, {"ended_at": runs.stamp(moment)})
    reports.publish(db, settings, job)
    return run


def put(path: Path, days: float, content: str = "x") -> Path:
    """A file last changed so many days ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    seconds = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (seconds, seconds))
    return path


def gone(settings: Settings, **how: Any) -> set[str]:
    """The names of what goes."""
    return names(settings, pruned(settings, **how))


def pruned(settings: Settings, **how: Any) -> Pruned:
    return prune(settings, KINDS, **{"dry_run": False, "now": NOW, **how})


def names(settings: Settings, done: Pruned) -> set[str]:
    return {str(each.path.relative_to(settings.data.parent)) for each in done.removed}


def row(db: Database, run: int) -> dict[str, Any]:
    return dict(table(db, "runs").get(run))


def model(db: Database, run: int, state: str) -> None:
    with writing(db):
        table(db, "models").insert(
            {
                "id": run,
                "state": state,
                "date": "2020-01-01",
                "recipe": "x",
                "sha256": "0",
                "card": "{}",
                "metrics": "{}",
            }
        )


# --- kind by kind


def test_the_champion_and_the_one_before_stay_however_old(db: Database, settings: Settings) -> None:
    champion, previous, retired = (a_run(db, settings, "retrain_cnn", days) for days in (300, 301, 302))
    for run, state in ((champion, "champion"), (previous, "previous"), (retired, "retired")):
        model(db, run, state)
        put(settings.data / "models" / f"{run}.keras", 300)
    for name in ("champion.keras", "champion.json", "previous.keras", "previous.json", "mine.keras"):
        put(settings.data / "models" / name, 300)
    put(settings.data / "models" / "unknown-0123456789ab.keras", 300)
    put(settings.data / "models" / "unknown-0123456789ac.keras", 3)
    found = {name for name in gone(settings) if name.startswith("data/models")}
    assert found == {f"data/models/{retired}.keras", "data/models/unknown-0123456789ab.keras"}
    assert {path.name for path in (settings.data / "models").iterdir()} == {
        f"{champion}.keras",
        f"{previous}.keras",
        "champion.keras",
        "champion.json",
        "previous.keras",
        "previous.json",
        "mine.keras",
        "unknown-0123456789ac.keras",
    }


def test_a_trainings_logs_go_whole_once_the_last_of_them_is_old(db: Database, settings: Settings) -> None:
    logs = settings.data / "training" / "best" / "tensorboard"
    put(logs / "best-0123abcd" / "events.1", 100)
    put(logs / "best-89abcdef" / "events.1", 100)
    put(logs / "best-89abcdef" / "events.2", 1)
    os.utime(logs / "best-0123abcd", (0, 0))
    state = put(settings.data / "training" / "best" / "training.npz", 100)
    assert gone(settings) == {"data/training/best/tensorboard/best-0123abcd"}
    assert state.exists()
    assert (logs / "best-89abcdef" / "events.1").exists()


def recording(db: Database, settings: Settings, run: int, days: int, state: str = "kept") -> Path:
    name = f"captures/{(NOW - timedelta(days=days)).date()}-{run}.jsonl.gz"
    with writing(db):
        table(db, "recordings").insert({"file": name, "made_by": run, "date": "2026-01-01", "state": state})
    return put(settings.data / name, 0)  # written anew today, as when a tweet was deleted


def test_a_capture_stays_as_long_as_a_page_names_it(db: Database, settings: Settings) -> None:
    old, newest = a_run(db, settings, "capture_tweets", 100), a_run(db, settings, "capture_tweets", 60)
    first, second = recording(db, settings, old, 100), recording(db, settings, newest, 60)
    kept_pages = settings.model_copy(update={"keep": ALL_SHORT.model_copy(update={"reports": "forever"})})
    assert gone(kept_pages) == set()
    assert {each.why for each in pruned(kept_pages).left} == {"not scored yet, or named by a page that is kept"}
    assert f"data/{first.relative_to(settings.data)}" in gone(settings)
    assert not first.exists()
    assert second.exists()
    assert [each["made_by"] for each in table(db, "recordings").rows] == [newest]


def test_a_recording_that_a_page_names_without_having_made_it_stays(db: Database, settings: Settings) -> None:
    run = a_run(db, settings, "capture_tweets", 60)
    path = put(settings.data / "captures" / "2026-01-01-900.jsonl.gz", 300)
    with writing(db):
        table(db, "captures").insert({"run": run, "files": "captures/2026-01-01-900.jsonl.gz, captures/other"})
    assert gone(settings) == set()
    assert path.exists()


def test_a_capture_that_nothing_was_made_from_yet_stays(db: Database, settings: Settings) -> None:
    failed = a_run(db, settings, "capture_tweets", 100, "failed")
    path = recording(db, settings, failed, 100, "open")
    assert not any("captures/" in name for name in gone(settings))
    assert path.exists()


def test_a_capture_that_no_row_tells_of_stays_and_is_named(db: Database, settings: Settings) -> None:
    path = put(settings.data / "captures" / "2026-01-01-7.jsonl.gz", 300)  # as beside a store that was put back alone
    done = pruned(settings)
    assert path.exists()
    assert (path, "no run names it") in {(each.path, each.why) for each in done.left}


def test_the_folder_of_a_run_whose_page_is_kept_stays(db: Database, settings: Settings) -> None:
    only = settings.model_copy(update={"keep": RUN_FILES_ALONE})
    kept = [a_run(db, settings, "model_topics", days) for days in (200, 100)]
    failed = a_run(db, settings, "model_topics", 150, "failed")
    folder = row(db, failed)["folder"]
    assert gone(only) == {f"data/{folder}"}
    assert not (settings.data / folder).exists()
    after = row(db, failed)
    assert (after["folder"], after["status"], after["message"]) == (None, "failed", "It failed.")
    for run in kept:
        assert (settings.data / row(db, run)["folder"] / "report.html").exists()


def test_a_page_goes_for_good_with_what_would_write_it_again(db: Database, settings: Settings) -> None:
    old, latest = a_run(db, settings, "model_topics", 200), a_run(db, settings, "model_topics", 100)
    before = row(db, old)
    assert gone(settings) == {f"reports/{before['report']}", f"data/{before['folder']}"}
    reports.publish(db, settings, "model_topics")
    assert not (settings.reports / before["report"]).exists()
    after = row(db, old)
    assert (after["report"], after["folder"], after["committed"], after["status"]) == (None, None, 1, "ok")
    assert (settings.reports / row(db, latest)["report"]).exists()  # the latest stays, however old
    assert (settings.reports / "model_topics" / "latest.html").read_text() == f"page of {latest}"
    assert before["report"] not in (settings.reports / "index.html").read_text()


def test_a_page_that_goes_before_its_folder_leaves_the_rest_of_it(db: Database, settings: Settings) -> None:
    keep = ALL_SHORT.model_copy(update={"run_files": "365d"})
    old, _ = a_run(db, settings, "model_topics", 200), a_run(db, settings, "model_topics", 100)
    pruned(settings.model_copy(update={"keep": keep}))
    folder = settings.data / row(db, old)["folder"]
    assert [path.name for path in folder.iterdir()] == ["rejects.jsonl"]


def test_with_the_defaults_a_year_of_pages_captures_and_their_folders_stays(db: Database, settings: Settings) -> None:
    run = a_run(db, settings, "capture_tweets", 800)
    a_run(db, settings, "capture_tweets", 1)
    recording(db, settings, run, 800)
    assert gone(settings.model_copy(update={"keep": Keep()})) == set()


# --- what is never touched


def test_what_killed_processes_left_goes_after_a_day_wherever_it_lies(db: Database, settings: Settings) -> None:
    old = [
        put(aside_of(settings.data / "models" / "champion.keras"), 2),
        put(aside_of(settings.reports / "model_topics" / "latest.html"), 2),
        put(Path(f"{aside_of(settings.data / 'models' / '7.keras')}.keras"), 2),
    ]
    stage = aside_of(settings.data / "restore")
    put(stage / "models" / "x", 2)
    for path in (stage / "models", stage):
        os.utime(path, (0, 0))
    kept = [
        put(aside_of(settings.data / "models" / "champion.keras"), 0.5),
        put(aside_of(settings.data / "backups" / "2026-11-23-1"), 2),  # the backup job's own
        put(settings.data / "captures" / ".hidden", 400),
        put(settings.data / "a.b.aside", 400),
    ]
    found = prune(settings, KINDS, dry_run=False, now=NOW)
    assert {each.path for each in found.removed} == {*old, stage}
    assert not any(path.exists() for path in (*old, stage))
    assert all(path.exists() for path in kept)


def test_what_a_job_at_work_may_need_waits_for_the_next_time(
    db: Database, settings: Settings, start: Callable[..., Any]
) -> None:
    for days in (200, 100, 1):
        a_run(db, settings, "capture_tweets", days)
    recording(db, settings, 1, 200)
    holder = start(
        "import sys, time\nfrom pathlib import Path\nfrom lib import runs\n"
        "lock = runs.take_lock(Path(sys.argv[1]), 'capture_tweets')\nprint('held', flush=True)\ntime.sleep(60)"
    )
    assert holder.stdout.readline() == "held\n"
    for dry_run in (True, False):
        assert gone(settings, dry_run=dry_run) == set()
    assert gone(settings, holding="capture_tweets") != set()


def test_the_folder_of_a_row_that_still_runs_stays(db: Database, settings: Settings) -> None:
    run = a_run(db, settings, "model_topics", 200, "running")
    assert gone(settings) == set()
    assert (settings.data / row(db, run)["folder"]).exists()


@pytest.mark.parametrize(
    "folder", ["../outside", "ELSEWHERE", "backups/2026-01-01-1", "model_topics", "a/../../2020-01-01-1"]
)
def test_a_folder_of_another_shape_than_runs_have_is_never_followed(
    db: Database, settings: Settings, tmp_path: Path, folder: str
) -> None:
    run = a_run(db, settings, "model_topics", 200, "failed")
    folder = folder.replace("ELSEWHERE", str(tmp_path / "elsewhere"))  # never a real one: a fault here would remove it
    with writing(db):
        table(db, "runs").update(run, {"folder": folder})
    put(settings.data / "backups" / "2026-01-01-1" / "x", 400)
    assert gone(settings) == set()


def test_files_that_the_desk_does_not_know_are_left_and_named_by_a_dry_run(db: Database, settings: Settings) -> None:
    a_run(db, settings, "model_topics", 1)
    strange = [
        put(settings.data / "thesis.docx", 900),
        put(settings.data / "captures" / "mine.txt", 900),
        put(settings.data / "models" / "mine.keras", 900),
        put(settings.data / "model_topics" / "2020-01-01-77" / "x", 900).parent,
        put(settings.data / "replaced-20200101T000000Z" / "x", 900).parent,
    ]
    put(settings.data / "archives" / "a.tar.gz", 900)
    found = pruned(settings, dry_run=True)
    assert {each.path for each in found.left} == set(strange)
    assert found.removed == []
    assert sum(line.startswith("left: ") for line in found.lines) == 5
    pruned(settings)
    assert all(path.exists() for path in strange)


def test_a_link_to_elsewhere_is_not_followed(db: Database, settings: Settings, tmp_path: Path) -> None:
    outside = put(tmp_path / "outside" / "2020-01-01-1.jsonl.gz", 900)
    (settings.data / "captures").mkdir()
    (settings.data / "captures" / "2020-01-01-1.jsonl.gz").symlink_to(outside)
    (settings.data / "training").symlink_to(tmp_path / "outside")
    assert gone(settings) == set()
    assert outside.exists()


# --- the dry run, and nothing to go by


def test_a_dry_run_says_what_goes_and_writes_nothing(db: Database, settings: Settings) -> None:
    for days in (300, 200, 100):
        a_run(db, settings, "model_topics", days)
    failed = a_run(db, settings, "capture_tweets", 150, "failed")
    recording(db, settings, failed, 300)
    put(aside_of(settings.data / "x"), 3)
    top = settings.data.parent
    before = {path: path.read_bytes() if path.is_file() else b"" for path in top.rglob("*")}
    said = pruned(settings, dry_run=True)
    assert {path: path.read_bytes() if path.is_file() else b"" for path in top.rglob("*")} == before
    done = pruned(settings)
    assert [(each.kind, each.path, each.why) for each in said.removed] == [
        (each.kind, each.path, each.why) for each in done.removed
    ]
    assert {each.kind for each in done.removed} == {"reports", "run_files", "captures", "asides"}
    assert said.data["dry_run"] is True
    assert done.lines[-1].endswith("removed.")
    assert pruned(settings).removed == []


def test_without_a_store_nothing_goes_but_what_is_half_written(settings: Settings) -> None:
    put(settings.data / "captures" / "2020-01-01-1.jsonl.gz", 900)
    aside = put(aside_of(settings.data / "nightdesk.db"), 3)
    assert gone(settings) == {f"data/{aside.name}"}
    assert not (settings.data / "nightdesk.db").exists()


def test_a_job_goes_on_after_a_pruning(db: Database, settings: Settings) -> None:
    def work(run: Any, options: Any) -> None:
        run.message = "Done."
        run.page = "<p>page</p>"

    for days in (300, 200):
        a_run(db, settings, "one", days)
    pruned(settings)
    day = (NOW - timedelta(days=300)).date()
    made = Job("one", work, Schedule("05:00")).start(settings, day, {}, force=True, quiet=True)
    assert made.exit_code == 0, made.message
