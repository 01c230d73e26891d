"""Being told: what a run's end amounts to is told, once, and no run ever suffers from it."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database

from lib import notices, outbox, runs
from lib.runs import Outcome, stamp
from lib.schedules import Schedule
from lib.store import rows, table, writing
from tests.lib.servers import free_port, mail_server, web_server
from tests.lib.told import ALL, NOW, add, events, outbox_of, settings_of, watched, without_secrets

SECRET = "s3cr3t-word"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    without_secrets(monkeypatch)


def test_skipped_and_demo_runs_are_worth_no_message(data: Path, db: Database):
    with web_server() as web:
        settings = settings_of(data, webhook_url=web.url, ping_url=web.url, on=ALL)
        notices.ended(db, settings, add(db, "skipped", exit_code=75))
        notices.ended(db, settings, add(db, "failed", demo=1))
        notices.started(db, settings, add(db, "running", demo=1))
        notices.look(db, settings, {}, datetime.now(UTC))
        assert outbox_of(db) == []
        assert web.asked == []


def test_a_tick_tells_what_is_late_slow_by_now_and_ended_untold_and_tells_it_once(db: Database, data: Path):
    settings = settings_of(data, command=("true",))
    now = datetime.now(UTC)
    watched(db, stamp(now - timedelta(days=3)))
    for _ in range(5):
        add(db, seconds=100)
    crashed, missed = add(db, "crashed"), add(db, "missed")
    failed = add(db, "failed", ended_at=stamp(now - timedelta(minutes=10)))
    running = add(db, "running", seconds=None, started_at=stamp(now - timedelta(seconds=150)), ended_at=None)
    for _ in range(2):
        notices.look(db, settings, {"job": Schedule("02:15")}, now)
    told = {(run, event) for run, event, _, _ in outbox_of(db)}
    day = rows(db, "SELECT date FROM notifications WHERE event = 'late'")
    assert len(day) == 1
    assert told == {(crashed, "crashed"), (missed, "missed"), (failed, "failed"), (None, "late")}
    for _ in range(2):
        notices.look(db, settings, {}, now + timedelta(seconds=100))
    assert [event for run, event, _, _ in outbox_of(db) if run == running] == ["slow"]
    with writing(db):
        table(db, "runs").update(running, {"status": "ok", "seconds": 260.0, "committed": 1})
    assert "slow" in events(db, running)
    notices.ended(db, settings, running)
    assert [event for run, event, _, _ in outbox_of(db) if run == running] == ["slow", "recovered"]


def test_a_run_that_ends_is_told_over_each_channel_at_once(data: Path, db: Database, tmp_path: Path):
    got = tmp_path / "got"
    command = (sys.executable, "-c", f"import sys; open({str(got)!r}, 'w').write(sys.stdin.read())")
    with mail_server() as mail, web_server() as web:
        settings = settings_of(
            data,
            email_to=("a@example.org",),
            smtp_host="127.0.0.1",
            smtp_port=mail.port,
            webhook_url=f"{web.url}/hook",
            ping_url=f"{web.url}/ping/{{job}}",
            command=command,
            on=("failed",),
        )
        run = runs.begin(db, "my_job", "2026-03-10", options={}, demo=False)
        notices.started(db, settings, run)
        assert [asked.path for asked in web.asked] == ["/ping/my-job/start"]
        metrics = {"recipe": "fast", "ok": True, "images": 50000, "accuracy": 0.71234, "layers": [1], "none": None}
        metrics |= {f"figure_{number}": number for number in range(9)}
        outcome = Outcome("failed", "The disk <full>.", 73, metrics=metrics, rejected={"odd": 2, "old": 3})
        with writing(db):
            runs.finish(db, run, outcome)
        log = tmp_path / "log.jsonl"
        log.write_text(json.dumps({"time": runs.now(), "level": "info", "message": "the last line"}) + "\n")
        notices.ended(db, settings, run, log=log)
    [hook] = [json.loads(asked.body) for asked in web.asked if asked.path == "/hook"]
    assert hook.items() <= json.loads(got.read_text()).items()
    assert (hook["event"], hook["run"], hook["exit_code"], hook["message"]) == ("failed", run, 73, "The disk <full>.")
    assert hook["figures"][:3] == [["images", "50,000"], ["accuracy", "0.7123"], ["figure 0", "0"]]
    assert len(hook["figures"]) == 6
    assert hook["rejected"] == 5
    assert "the last line" in hook["log"]
    pings = [asked for asked in web.asked if asked.path.startswith("/ping/")]
    assert [asked.path for asked in pings] == ["/ping/my-job/start", "/ping/my-job/73"]
    assert pings[0].query == pings[1].query != ""
    assert "the last line" in pings[1].body.decode()
    assert len(mail.taken) == 1
    assert all(delivered for *_, delivered in outbox_of(db))
    assert "the last line" not in str(list(table(db, "notifications").rows))  # a log has its own retention


def test_a_page_is_told_by_its_path_and_a_good_run_only_if_wanted(data: Path, db: Database):
    with web_server() as web:
        notices.ended(db, settings_of(data, webhook_url=web.url), add(db, report="job/2026-03-09.html"))
        assert web.asked == []
        run = add(db, report="job/2026-03-10.html")
        notices.ended(db, settings_of(data, webhook_url=web.url, on=("finished",)), run)
    said = json.loads(web.asked[0].body)
    assert said["report"] == str(data.parent / "reports" / "job" / "2026-03-10.html")
    assert said["report_url"] == f"file://{said['report']}"


def test_a_ping_of_the_past_tells_the_switch_no_lie(data: Path, db: Database):
    down = settings_of(data, ping_url=f"http://127.0.0.1:{free_port()}")
    run = add(db, "running", seconds=None)
    notices.started(db, down, run)
    with writing(db):
        table(db, "runs").update(run, {"status": "failed", "exit_code": 1})
    notices.ended(db, down, run)
    with web_server() as web:
        up = settings_of(data, ping_url=web.url)
        notices.ended(db, up, add(db))
        notices.deliver(db, up, datetime.now(UTC) + timedelta(hours=1))
        assert [asked.path for asked in web.asked] == ["/0"]
    errors = [row["error"] for row in table(db, "notifications").rows if row["delivered_at"] is None]
    assert errors == ["given up: the run has ended", "given up: run 2 has ended since"]


def test_a_date_already_done_tells_the_switch_that_all_is_well(data: Path, db: Database):
    with web_server() as web:
        notices.ended(db, settings_of(data, ping_url=web.url), add(db, "skipped"))
        assert [asked.path for asked in web.asked] == ["/0"]


def test_nothing_that_goes_wrong_here_is_the_runs_fault(
    data: Path, db: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken(*_: object) -> None:
        raise RuntimeError(f"the bug knows {SECRET}\n")

    settings = settings_of(data, command=("true",), ping_url="http://127.0.0.1:9")
    run = add(db, "failed")
    monkeypatch.setattr(notices.outbox, "put", broken)
    notices.started(db, settings, run)
    notices.ended(db, settings, run)
    notices.ended(db, settings, 404)
    notices.look(db, settings, {}, NOW)
    monkeypatch.setattr(notices.outbox, "deliver", broken)
    assert notices.deliver(db, settings, NOW) == outbox.Delivery()
    assert len(caplog.messages) == 5
    assert not any("\n" in each or SECRET in each for each in caplog.messages)
    db.close()
    notices.ended(db, settings, run)


def test_a_run_that_is_replaced_keeps_what_was_told_of_it(data: Path, db: Database):
    first = add(db, date="2026-03-10")
    notices.ended(db, settings_of(data, command=("true",), on=("finished",)), first)
    second = runs.begin(db, "job", "2026-03-10", options={}, demo=False)
    with writing(db):
        runs.commit(db, second, Outcome("ok", "Again.", 0))
    assert outbox_of(db) == [(first, "finished", "command", True)]
