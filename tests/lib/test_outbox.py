"""The outbox: what waits is told once, sooner or later, and holds nothing up."""

import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database

from lib import notices, outbox, runs
from lib.runs import stamp
from lib.store import open_store, table, writing
from tests.lib.servers import Mail, Web, free_port, mail_server, web_server
from tests.lib.told import NOW, add, outbox_of, settings_of, without_secrets

SECRET = "s3cr3t-word"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    without_secrets(monkeypatch)


def test_a_server_that_is_down_costs_the_run_nothing_and_is_tried_again_until_it_is_told_once(
    data: Path, db: Database, caplog: pytest.LogCaptureFixture
):
    port = free_port()
    settings = settings_of(data, email_to=("a@example.org",), smtp_host="127.0.0.1", smtp_port=port)
    run = add(db, "failed")
    before = table(db, "runs").get(run)
    with caplog.at_level(logging.WARNING):
        notices.ended(db, settings, run)
    assert table(db, "runs").get(run) == before
    assert "not told: job, 2026-03-10, failed by email: the mail server 127.0.0.1" in caplog.messages[0]
    [row] = table(db, "notifications").rows
    assert (row["attempts"], row["delivered_at"]) == (1, None)
    assert "can't be reached" in row["error"]
    now = datetime.now(UTC)
    assert notices.deliver(db, settings, now) == outbox.Delivery(0, 1, 0)  # it isn't due yet
    with mail_server(Mail(port=port)) as mail:
        assert notices.deliver(db, settings, now + timedelta(minutes=2)) == outbox.Delivery(1, 0, 0)
        assert notices.deliver(db, settings, now + timedelta(days=2)) == outbox.Delivery(0, 0, 0)
        notices.ended(db, settings, run)
        notices.look(db, settings, {}, now)
        assert notices.deliver(db, settings, now + timedelta(days=2)) == outbox.Delivery(0, 0, 0)
    assert len(mail.taken) == 1
    [row] = table(db, "notifications").rows
    assert (row["attempts"], row["error"], row["next_at"]) == (2, None, None)


def test_a_delivery_that_is_killed_leaves_its_message_to_a_later_one(
    data: Path, db: Database, start: Callable, until: Callable
):
    run = add(db, "failed")
    script = """
        import sys
        from pathlib import Path
        from lib import notices
        from lib.settings import Notify, Settings
        from lib.store import open_store

        settings = Settings(data=Path(sys.argv[1]), notify=Notify(webhook_url=sys.argv[2]))
        notices.ended(open_store(Path(sys.argv[1])), settings, int(sys.argv[3]))
    """
    with web_server(Web(plan=["hang"])) as web:
        process = start(script, web.url, str(run))
        until(lambda: web.asked)
        process.kill()
        settings, now = settings_of(data, webhook_url=web.url), datetime.now(UTC)
        assert notices.deliver(db, settings, now) == outbox.Delivery(0, 1, 0)
        assert notices.deliver(db, settings, now + timedelta(minutes=3)) == outbox.Delivery(1, 0, 0)
    assert len({asked.headers["x-nightdesk-delivery"] for asked in web.asked}) == 1


def test_a_delivery_that_fails_late_doesnt_undo_another_ones_success(data: Path, db: Database, until: Callable):
    run = add(db, "failed")
    with web_server(Web(plan=["hang"])) as web:
        settings, now = settings_of(data, webhook_url=web.url), datetime.now(UTC)

        def slowly() -> None:
            own = open_store(data)
            notices.ended(own, settings, run)
            own.close()

        thread = threading.Thread(target=slowly)
        thread.start()
        until(lambda: web.asked)
        assert notices.deliver(db, settings, now + timedelta(minutes=3)).delivered == 1
        web.release.set()
        thread.join()
        assert notices.deliver(db, settings, now + timedelta(hours=3)) == outbox.Delivery(0, 0, 0)
    assert len(web.asked) == 2


def test_a_clock_set_back_doesnt_hold_a_message_back(data: Path, db: Database):
    settings = settings_of(data, command=("true",))
    message = notices.message_of(settings, db, table(db, "runs").get(add(db, "failed")), "failed")
    with writing(db):
        outbox.put(db, ["command"], [message], stamp(NOW + timedelta(days=400)))
    assert outbox.deliver(db, settings, NOW) == outbox.Delivery(1, 0, 0)


def test_a_try_made_while_the_clock_was_a_year_ahead_is_made_again_after_it_was_set_back(data: Path, db: Database):
    ahead = datetime.now(UTC) + timedelta(days=366)
    broken, whole = settings_of(data, command=("false",)), settings_of(data, command=("true",))
    notices.ended(db, broken, add(db, "failed"))
    assert outbox.deliver(db, broken, ahead).waiting == 1  # one bad try doesn't make it three days old
    assert outbox.deliver(db, whole, datetime.now(UTC)) == outbox.Delivery(1, 0, 0)


def test_waits_grow_to_an_hour():
    minutes = [outbox.wait(attempts).total_seconds() / 60 for attempts in (1, 2, 3, 4, 5, 6, 7, 8, 1000)]
    assert minutes == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_what_can_not_be_told_in_three_days_is_given_up_and_the_row_says_so(data: Path, db: Database):
    settings = settings_of(data, webhook_url=f"http://127.0.0.1:{free_port()}/{SECRET}")
    notices.ended(db, settings, add(db, "failed"))
    now = datetime.now(UTC)
    assert notices.deliver(db, settings, now + timedelta(days=2)).waiting == 1
    done = notices.deliver(db, settings, now + timedelta(days=4))
    assert (done.given_up, done.waiting) == (1, 0)
    [row] = table(db, "notifications").rows
    assert row["error"].startswith("given up after 3 attempts in 3 days: http://127.0.0.1:")
    assert row["next_at"] is None
    assert SECRET not in str(list(table(db, "notifications").rows))


def test_what_waits_for_a_channel_that_only_the_service_knows_is_left_to_it(
    data: Path, db: Database, monkeypatch: pytest.MonkeyPatch
):
    with web_server() as web:
        settings, now = settings_of(data, command=("true",)), datetime.now(UTC)
        monkeypatch.setenv("NIGHTDESK_PING_URL", f"http://127.0.0.1:{free_port()}")
        notices.ended(db, settings, add(db, "failed"))
        before = list(table(db, "notifications").rows)
        monkeypatch.delenv("NIGHTDESK_PING_URL")  # a shell, where the secret isn't
        assert notices.deliver(db, settings, now + timedelta(hours=1)) == outbox.Delivery(0, 1, 0)
        assert list(table(db, "notifications").rows) == before
        monkeypatch.setenv("NIGHTDESK_PING_URL", web.url)
        assert notices.deliver(db, settings, now + timedelta(hours=1)) == outbox.Delivery(1, 0, 0)
    assert [asked.path for asked in web.asked] == ["/1"]


def test_many_that_wait_for_an_unknown_channel_hold_no_other_up(data: Path, db: Database):
    with web_server() as web:
        unknown = settings_of(data, command=("false",))
        for _ in range(outbox.AT_ONCE + 1):
            run = table(db, "runs").get(add(db, "failed"))
            with writing(db):
                outbox.put(db, ["command"], [notices.message_of(unknown, db, run, "failed")], runs.now())
        notices.ended(db, settings_of(data, webhook_url=web.url, on=("failed",)), add(db, "failed"))
    assert len(web.asked) == 1


def test_what_waits_for_a_channel_that_nobody_knows_is_given_up_after_three_days(data: Path, db: Database):
    settings = settings_of(data, webhook_url=f"http://127.0.0.1:{free_port()}")
    notices.ended(db, settings, add(db, "failed"))
    now = datetime.now(UTC)
    assert notices.deliver(db, settings_of(data), now + timedelta(days=2)) == outbox.Delivery(0, 1, 0)
    assert notices.deliver(db, settings_of(data), now + timedelta(days=4)) == outbox.Delivery(0, 0, 1)
    assert next(table(db, "notifications").rows)["error"] == "given up: the channel isn't set any more"


def test_what_waits_can_be_listed_without_the_messages_themselves(data: Path, db: Database):
    with web_server() as web:
        settings = settings_of(data, command=("false",), webhook_url=web.url)
        run = add(db, "failed")
        notices.ended(db, settings, run)
    [left] = outbox.waiting(db)
    assert (left["run"], left["event"], left["channel"], left["attempts"]) == (run, "failed", "command", 1)
    assert left["error"].startswith("the command false ended with exit code 1")
    assert "body" not in left


def test_two_deliveries_at_once_tell_nothing_twice(data: Path, db: Database):
    with web_server(Web(plan=[500])) as web:
        settings = settings_of(data, webhook_url=web.url)
        now = datetime.now(UTC)
        for _ in range(6):
            run = table(db, "runs").get(add(db, "failed"))
            with writing(db):
                outbox.put(db, ["webhook"], [notices.message_of(settings, db, run, "failed")], stamp(now))
        found: list[outbox.Delivery] = []

        def one() -> None:
            own = open_store(data)
            found.append(outbox.deliver(own, settings, now))
            own.close()

        threads = [threading.Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(each.delivered for each in found) == 5
        assert len(web.asked) == 6
        outbox.deliver(db, settings, now + timedelta(hours=1))
    told = [asked.headers["x-nightdesk-delivery"] for asked in web.asked]
    assert (len(told), len(set(told))) == (7, 6)  # the one refused came again with the id it had


def test_two_that_put_the_same_message_have_one_row(data: Path, db: Database, start: Callable):
    run = add(db, "failed")
    script = """
        import sys
        from pathlib import Path
        from lib import notices, runs
        from lib.settings import Notify, Settings
        from lib.store import open_store, table

        db = open_store(Path(sys.argv[1]))
        print("ready", flush=True)
        sys.stdin.readline()
        settings = Settings(data=Path(sys.argv[1]), notify=Notify(webhook_url=sys.argv[2]))
        notices.ended(db, settings, int(sys.argv[3]))
        db.close()
    """
    with web_server() as web:
        processes = [start(script, web.url, str(run)) for _ in range(3)]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.communicate(timeout=60)[1] for process in processes] == [""] * 3
    assert len(web.asked) == 1
    assert outbox_of(db) == [(run, "failed", "webhook", True)]


def test_a_server_that_hangs_holds_a_delivery_up_for_so_long_and_no_longer(
    data: Path, db: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outbox, "IN_ALL", 5.0)  # less than what a channel waits by itself
    with mail_server(Mail(silent=True)) as mail, web_server() as web:
        settings = settings_of(
            data, email_to=("a@example.org",), smtp_host="127.0.0.1", smtp_port=mail.port, webhook_url=web.url
        )
        notices.ended(db, settings, add(db, "failed"))
        assert len(web.asked) == 1  # it didn't wait for the other
    found = {row["channel"]: row for row in table(db, "notifications").rows}
    assert found["webhook"]["delivered_at"] is not None
    assert found["email"]["error"].startswith("no answer within")
    assert found["email"]["next_at"] is not None


def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    data: Path, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Callable
):
    monkeypatch.setattr(outbox, "IN_ALL", 4.0)
    script = f"sleep 300 & echo $! > {tmp_path}/pid; wait"
    notices.ended(db, settings_of(data, command=("/bin/sh", "-c", script)), add(db, "failed"))
    pid = (tmp_path / "pid").read_text().strip()
    stat = Path(f"/proc/{pid}/stat")
    until(lambda: not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z")


def test_a_test_goes_over_each_channel_and_says_how_it_went(data: Path):
    with web_server() as web:
        settings = settings_of(
            data,
            email_to=("a@example.org",),
            smtp_host="127.0.0.1",
            smtp_port=free_port(),
            webhook_url=f"{web.url}/{SECRET}",
            ping_url=f"{web.url}/key/{{job}}",
            command=("false",),
        )
        tried = {each.channel: each for each in outbox.test(settings, "my_job")}
    assert [(name, each.ok) for name, each in tried.items()] == [
        ("email", False),
        ("webhook", True),
        ("ping", True),
        ("command", False),
    ]
    assert tried["webhook"].sentence == "delivered"
    assert "ended with exit code 1" in tried["command"].sentence
    assert {asked.path for asked in web.asked} == {f"/{SECRET}", "/key/my-job/log"}
    assert json.loads(next(asked.body for asked in web.asked if asked.path == f"/{SECRET}"))["event"] == "test"
    assert outbox.test(settings_of(data)) == []
