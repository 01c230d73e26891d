"""Each end is judged once, by whoever comes first: by its own run, by the next one or by a tick."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from lib import notices, outbox, runs
from lib.files import mark_as_demo
from lib.runs import Outcome, stamp
from lib.schedules import Schedule
from lib.store import desk_tables, migrate, open_store, rows, table, tables_with_results, writing
from tests.lib.servers import web_server
from tests.lib.told import ALL, add, outbox_of, settings_of, watched, without_secrets


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    without_secrets(monkeypatch)


def told(db: Database) -> list[tuple[int, str]]:
    return [(run, event) for run, event, channel, _ in outbox_of(db) if channel == "command"]


def missed(db: Database, *days: int, **values: Any) -> list[int]:
    return [add(db, "missed", date=f"2026-03-{day:02d}", exit_code=None, **values) for day in days]


def whys(db: Database) -> list[str]:
    return [row["why"] for row in rows(db, "SELECT json_extract(body, '$.why') AS why FROM notifications ORDER BY id")]


def test_a_fortnight_of_missed_dates_is_one_message_a_job_and_one_ping(data: Path, db: Database):
    with web_server() as web:
        settings, now = settings_of(data, command=("true",), ping_url=web.url), datetime.now(UTC)
        last, *_ = missed(db, 14, *range(1, 14))  # in whatever order they were found
        other = add(db, "missed", job="another")
        assert notices.watch(db, settings, {}, now).delivered == 4
        assert notices.watch(db, settings, {}, now) == outbox.Delivery()
    assert sorted(told(db)) == [(last, "missed"), (other, "missed")]
    assert {asked.path for asked in web.asked} == {"/fail"}
    assert whys(db)[0] == "13 dates before it were missed as well, the first of them 2026-03-01"


def test_one_missed_date_says_nothing_of_others(data: Path, db: Database):
    settings, now = settings_of(data, command=("true",)), datetime.now(UTC)
    missed(db, 1)
    notices.watch(db, settings, {}, now)
    missed(db, 2, 3)
    notices.watch(db, settings, {}, now)
    assert whys(db) == ["", "one date before it was missed as well, 2026-03-02"]


@pytest.mark.parametrize("status", ["ok", "failed"])
def test_an_end_that_its_killed_supervisor_could_not_tell_is_told_by_a_tick(data: Path, db: Database, status: str):
    with web_server() as web:
        settings = settings_of(data, command=("true",), ping_url=web.url, on=ALL)
        run, now = add(db, status), datetime.now(UTC)
        notices.watch(db, settings, {}, now + timedelta(minutes=4))
        assert outbox_of(db) == []  # its own supervisor is about to
        for _ in range(2):
            notices.watch(db, settings, {}, now + timedelta(minutes=6))
        assert told(db) == [(run, "finished" if status == "ok" else "failed")]
        assert [asked.path for asked in web.asked] == ["/0" if status == "ok" else "/1"]


def test_a_supervisor_killed_between_the_commit_and_its_words_loses_nothing(
    data: Path, db: Database, start: Callable, until: Callable
):
    script = """
        import sys, time
        from pathlib import Path
        from lib import notices, outbox, runs
        from lib.runs import Outcome
        from lib.settings import Notify, Settings
        from lib.store import open_store, writing

        db = open_store(Path(sys.argv[1]))
        run = runs.begin(db, "job", "2026-03-10", options={}, demo=False)
        with writing(db):
            runs.commit(db, run, Outcome("ok", "Done.", 0))

        def put(*_):
            print("judging", flush=True)
            time.sleep(60)

        outbox.put = put
        notices.ended(db, Settings(data=Path(sys.argv[1]), notify=Notify(command=["true"], on=["finished"])), run)
    """
    process = start(script)
    assert process.stdout.readline() == "judging\n"
    process.kill()
    process.wait()
    settings = settings_of(data, command=("true",), on=("finished",))
    assert notices.watch(db, settings, {}, datetime.now(UTC) + timedelta(minutes=6)).delivered == 1
    assert told(db) == [(1, "finished")]


def test_an_end_of_before_the_clock_was_set_back_is_told(data: Path, db: Database):
    settings = settings_of(data, command=("true",))
    run = add(db, "failed", ended_at=stamp(datetime.now(UTC) + timedelta(days=366)))
    notices.look(db, settings, {}, datetime.now(UTC))
    assert told(db) == [(run, "failed")]


def test_a_crash_found_by_the_next_start_is_told_before_that_ones_end(data: Path, db: Database):
    settings = settings_of(data, command=("true",), on=ALL)
    crashed, others = add(db, "crashed"), add(db, "crashed", job="another")
    *_, last = missed(db, 8, 9)
    left = add(db, "failed", ended_at=stamp(datetime.now(UTC) - timedelta(hours=1)))
    good = add(db)
    later = add(db, "crashed")
    notices.ended(db, settings, good)
    expected = [(crashed, "crashed"), (left, "failed"), (last, "missed"), (good, "finished"), (good, "recovered")]
    assert told(db) == expected
    assert all(delivered for *_, delivered in outbox_of(db))
    notices.look(db, settings, {}, datetime.now(UTC))
    assert told(db)[5:] == [(others, "crashed"), (later, "crashed")]


def test_what_ended_before_any_channel_was_set_is_not_told_when_one_is(data: Path, db: Database):
    none, some = settings_of(data), settings_of(data, command=("true",), on=ALL)
    long_after = datetime.now(UTC) + timedelta(days=1)
    notices.ended(db, none, add(db, "failed"))
    add(db, "crashed"), add(db, "ok"), missed(db, 1, 2)
    notices.look(db, none, {}, long_after)
    notices.look(db, some, {}, long_after)
    assert outbox_of(db) == []
    notices.ended(db, some, add(db))
    assert [event for _, event in told(db)] == ["finished"]  # of a failure that nobody was told of, nobody is relieved


def test_what_ended_before_there_was_an_outbox_is_not_told(data: Path):
    before = Database(memory=True)
    desk_tables.apply(before, stop_before="notifications")
    add(before, "failed")
    running = add(before, "running", ended_at=None)
    migrate(before, (desk_tables,))
    with writing(before):
        table(before, "runs").update(running, {"status": "crashed", "ended_at": runs.now()})
    notices.look(before, settings_of(data, command=("true",)), {}, datetime.now(UTC) + timedelta(hours=1))
    assert told(before) == [(running, "crashed")]
    before.close()


def test_skipped_demo_and_demo_desks_ends_are_judged_in_silence(data: Path, db: Database):
    settings = settings_of(data, command=("true",), ping_url="http://127.0.0.1:9", on=ALL)
    now = datetime.now(UTC) + timedelta(hours=1)
    add(db, demo=1), add(db, "crashed", demo=1), add(db, "skipped"), missed(db, 1, 2, demo=1)
    notices.look(db, settings, {}, now)
    mark_as_demo(data)
    watched(db)
    add(db, "crashed"), missed(db, 3, 4)  # tick knows no demo
    add(db, "running", ended_at=None, started_at="2026-01-01T00:00:00.000Z")
    notices.ended(db, settings, add(db, "failed"))
    notices.look(db, settings, {"job": Schedule("02:15")}, now)
    assert outbox_of(db) == []


def test_a_row_that_can_not_be_told_holds_no_other_up(data: Path, db: Database, caplog: pytest.LogCaptureFixture):
    bad, good = add(db, "crashed"), add(db, "crashed")
    with writing(db):
        table(db, "metrics").insert({"run": bad, "name": "damaged", "value": None, "json": "{"})
    notices.look(db, settings_of(data, command=("true",)), {}, datetime.now(UTC))
    assert told(db) == [(good, "crashed")]
    assert len(caplog.messages) == 1


def test_judgements_are_no_results_of_a_run_that_is_replaced(data: Path, db: Database):
    assert tables_with_results(db) == []
    first = runs.begin(db, "job", "2026-03-10", options={}, demo=False)
    with writing(db):
        runs.commit(db, first, Outcome("ok", "Done.", 0))
    settings = settings_of(data, command=("true",), on=("finished",))
    notices.ended(db, settings, first)
    second = runs.begin(db, "job", "2026-03-10", options={}, demo=False)
    with writing(db):
        runs.commit(db, second, Outcome("ok", "Again.", 0))
    notices.look(db, settings, {}, datetime.now(UTC) + timedelta(hours=1))
    assert told(db) == [(first, "finished"), (second, "finished")]


def test_a_desk_with_nothing_new_is_not_written_to_by_a_look(data: Path, db: Database):
    add(db, "skipped"), add(db)
    notices.look(db, settings_of(data), {}, datetime.now(UTC) + timedelta(hours=1))
    other = open_store(data)
    with writing(other):  # a write would wait for the busy timeout, half a minute
        db.execute("PRAGMA busy_timeout = 0")
        notices.look(db, settings_of(data, command=("true",)), {}, datetime.now(UTC) + timedelta(hours=1))
    other.close()
