"""Channels: what arrives at a real server or command is what was to be told, and a failure is one sentence."""

import email
import email.policy
import hmac
import json
import re
import shlex
import sys
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import channels
from lib.channels import DeliveryError, ping_url, send, targets
from lib.errors import BadSettings
from lib.messages import LOG_BYTES, Message, last_lines, one_line, ping_text, plain_text
from lib.settings import Notify, Settings, load_settings
from tests.lib.servers import Mail, Web, certificate, free_port, mail_server, web_server

SECRET = "s3cr3t-word"
FAILED = Message(
    "failed",
    "model_topics",
    "2026-03-01",
    "night-host",
    run=7,
    status="failed",
    exit_code=69,
    message="The folder <articles> & all can't be read.",
    why="",
    figures=(("articles", "1,234"), ("coherence", "0.4123")),
    rejected=12,
    report="/srv/reports/model_topics/2026-03-01.html",
    started_at="2026-03-01T06:00:00.000Z",
    seconds=125.0,
    log="first line\n<b>last</b> line",
)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("SMTP_PASSWORD", "WEBHOOK_SECRET", "PING_URL"):
        monkeypatch.delenv(f"NIGHTDESK_{name}", raising=False)


def by_mail(mail: Mail, message: Message = FAILED, *, host: str = "127.0.0.1", **settings: object) -> str | None:
    """Send a message by e-mail to the server `mail`."""
    notify = Notify(smtp_host=host, smtp_port=mail.port, **{"email_to": ("a@example.org", "b@example.org"), **settings})
    return send("email", targets(notify)["email"], message, "one-id")


def parsed(content: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def test_an_email_has_the_sentence_the_figures_and_the_page_as_text_and_as_html():
    with mail_server() as mail:
        assert by_mail(mail, email_from="desk@example.org") is None
    [(sender, recipients, content)] = mail.taken
    assert (sender, recipients) == ("desk@example.org", ("a@example.org", "b@example.org"))
    found = parsed(content)
    assert found["Subject"] == "model_topics failed, 2026-03-01 (night-host)"
    assert (found["From"], found["To"]) == ("desk@example.org", "a@example.org, b@example.org")
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["Message-ID"] == "<one-id@example.org>"
    assert found["Date"].datetime is not None
    text = found.get_body(("plain",)).get_content()
    for part in (FAILED.message, "articles: 1,234", "rejected: 12", "took: 2 min 5 s", FAILED.report, "<b>last</b>"):
        assert part in text
    page = found.get_body(("html",)).get_content()
    assert "The folder &lt;articles&gt; &amp; all can&#39;t be read." in page
    assert "&lt;b&gt;last&lt;/b&gt; line" in page
    assert not any(mark in page for mark in ("<b>", "src=", "href=", "http", "url("))


@pytest.mark.parametrize(
    "text", ["a\r\nBcc: x@evil.example\r\n\r\nhello", "\udcff\ud800", "x" * 100_000, "\x00\x1b[2J\u202e"]
)
def test_no_message_makes_a_header_or_stops_the_mail(text: str):
    with mail_server() as mail:
        by_mail(mail, Message("failed", text, "2026-03-01", text, message=text, status="failed", log=text))
    found = parsed(mail.taken[0][2])
    assert mail.taken[0][1] == ("a@example.org", "b@example.org")
    assert set(found.keys()) == {
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"
    }  # fmt: skip
    assert len(found["Subject"]) <= 200
    assert max(map(len, mail.taken[0][2].split(b"\r\n"))) <= 998


@given(st.text(max_size=3000, alphabet=st.characters()))
def test_whatever_a_run_says_fits_a_header_a_body_and_json(text: str):
    message = Message("failed", "job", "2026-03-01", "host", status="failed", message=text, why=text, log=text)
    for said in (message.subject, one_line(text), plain_text(message), ping_text(message), last_lines(text)):
        said.encode()
    assert len(one_line(text).splitlines()) <= 1
    assert len(ping_text(message).encode()) <= LOG_BYTES
    assert len(last_lines(text, 50).encode()) <= 50
    again = Message.from_json(json.loads(json.dumps(message.to_json(), ensure_ascii=False).encode()))
    assert again.to_json() == message.to_json()


def test_the_password_goes_to_the_mail_server_and_a_refused_login_doesnt_tell_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NIGHTDESK_SMTP_PASSWORD", SECRET)
    with mail_server(Mail(user="desk", password=SECRET)) as mail:
        by_mail(mail, smtp_user="desk")
        assert mail.logins == [True]
    with mail_server(Mail(user="desk", password="another")) as mail:
        with pytest.raises(DeliveryError, match=r"refused the login of 'desk' \(535\); check smtp_user") as fault:
            by_mail(mail, smtp_user="desk")
        assert SECRET not in str(fault.value)
        assert mail.taken == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_tls_is_used_as_set_and_the_certificate_is_checked(
    security: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path, context = certificate(tmp_path)
    with mail_server(Mail(context=context, offers_starttls=True), tls=security == "tls") as mail:
        with pytest.raises(DeliveryError, match="has no certificate to trust"):
            by_mail(mail, host="localhost", smtp_security=security)
        assert mail.taken == []
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        by_mail(mail, host="localhost", smtp_security=security)
        assert mail.encrypted == [True]


def test_a_server_without_starttls_gets_nothing():
    with mail_server() as mail:
        with pytest.raises(DeliveryError, match="doesn't offer starttls"):
            by_mail(mail, smtp_security="starttls")
        assert mail.taken == []


def test_what_a_mail_server_refuses_is_said_with_its_reason():
    both = r"refused a@example.org \(550 nobody of that name\), b@example.org"
    with (
        mail_server(Mail(refuses=("a@example.org", "b@example.org"))) as mail,
        pytest.raises(DeliveryError, match=both),
    ):
        by_mail(mail)
    with mail_server(Mail(answers_data="452 no room")) as mail, pytest.raises(DeliveryError, match="452 no room"):
        by_mail(mail)
    with pytest.raises(DeliveryError, match="can't be reached"):
        by_mail(Mail(port=free_port()))


def test_one_refused_address_of_two_doesnt_tell_the_other_twice():
    with mail_server(Mail(refuses=("a@example.org",))) as mail:
        assert "refused a@example.org (550" in by_mail(mail)
    assert [recipients for _, recipients, _ in mail.taken] == [("b@example.org",)]


def by_hook(web: Web, path: str = "/hook?key=abc", message: Message = FAILED) -> None:
    send("webhook", targets(Notify(webhook_url=f"{web.url}{path}"))["webhook"], message, "one-id")


def test_a_webhook_gets_json_and_can_verify_who_sent_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NIGHTDESK_WEBHOOK_SECRET", SECRET)
    with web_server() as web:
        by_hook(web)
    [asked] = web.asked
    assert (asked.method, asked.path, asked.query) == ("POST", "/hook", "key=abc")
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["x-nightdesk-event"] == "failed"
    assert asked.headers["x-nightdesk-delivery"] == "one-id"
    assert json.loads(asked.body) == FAILED.to_json()
    assert Message.from_json(json.loads(asked.body)) == FAILED
    timestamp = asked.headers["x-nightdesk-timestamp"]
    expected = hmac.new(SECRET.encode(), timestamp.encode() + b"." + asked.body, "sha256").hexdigest()
    assert asked.headers["x-nightdesk-signature"] == f"sha256={expected}"


def test_without_a_secret_nothing_is_signed():
    with web_server() as web:
        by_hook(web)
    assert "x-nightdesk-signature" not in web.asked[0].headers


def test_the_keys_of_the_message_are_those_its_docstring_tells():
    for key in FAILED.to_json():
        assert re.search(rf"^ +(\w+, )?{key}[ ,]", Message.__doc__ or "", re.MULTILINE), key


@pytest.mark.parametrize(
    ("status", "said"),
    [(302, "answered 302, and no redirect is followed"), (500, "answered 500"), (404, "answered 404")],
)
def test_only_2xx_is_success_and_no_redirect_is_followed(status: int, said: str):
    with web_server(Web(plan=[status])) as web, pytest.raises(DeliveryError, match=said) as fault:
        by_hook(web)
    assert len(web.asked) == 1
    assert str(fault.value).startswith(f"{web.url}/… ")
    assert "hook" not in str(fault.value)
    assert "abc" not in str(fault.value)


def test_a_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(channels, "TIMEOUT", 0.2)
    with web_server(Web(plan=["hang"])) as web, pytest.raises(DeliveryError, match=r"/… didn't answer within"):
        by_hook(web)
    with mail_server(Mail(silent=True)) as mail, pytest.raises(DeliveryError, match="can't be reached"):
        by_mail(mail)


def test_a_server_that_is_down_is_named_without_the_key_in_its_address():
    url = f"http://user:{SECRET}@127.0.0.1:{free_port()}/{SECRET}?key={SECRET}"
    target = targets(Notify(webhook_url=url, ping_url=url))
    for channel in ("webhook", "ping"):
        with pytest.raises(DeliveryError, match=r"http://127.0.0.1:\d+/… can't be reached") as fault:
            send(channel, target[channel], FAILED, "one-id")
        assert SECRET not in str(fault.value)


def of(event: str, status: str | None = None, code: int | None = None) -> Message:
    return Message(event, "model_topics", "2026-03-01", "host", run=7, status=status, exit_code=code, started_at="now")


@pytest.mark.parametrize(
    ("message", "end"),
    [
        (of("start", "running"), "start"),
        (of("end", "ok", 0), "0"),
        (of("end", "skipped", 0), "0"),
        (of("end", "failed", 69), "69"),
        (of("end", "failed", 143), "143"),
        (of("end", "failed", 0), "fail"),
        (of("end", "crashed"), "fail"),
        (of("end", "missed", 1), "fail"),
        (of("test"), "log"),
    ],
)
def test_a_ping_says_start_the_exit_code_or_fail_with_one_id_a_run(message: Message, end: str):
    rid = of("start").rid
    assert str(uuid.UUID(rid)) == rid
    assert ping_url("https://hc.example/key/{job}", message) == f"https://hc.example/key/model-topics/{end}?rid={rid}"
    assert ping_url("https://hc.example/id/?create=1", message).endswith(f"/id/{end}?create=1&rid={rid}")


def test_a_pings_body_is_the_sentence_and_the_last_lines_at_most_ten_kilobytes():
    log = "\n".join(f"line {number} é" for number in range(2000))
    message = Message("end", "job", "2026-03-01", "host", status="failed", exit_code=1, message="It broke.", log=log)
    with web_server() as web:
        send("ping", targets(Notify(ping_url=f"{web.url}/id"))["ping"], message, "")
    body = web.asked[0].body
    assert 9_000 < len(body) <= 10_000
    assert body.decode().startswith("It broke.\n\nline ")
    assert body.decode().endswith("line 1999 é")


def test_a_ping_that_was_heard_and_not_known_is_no_success():
    with (
        web_server(Web(says=b"OK (not found)")) as web,
        pytest.raises(DeliveryError, match=r"answered OK \(not found\)"),
    ):
        send("ping", targets(Notify(ping_url=f"{web.url}/id"))["ping"], of("start"), "")


def test_the_pings_address_may_be_a_secret(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NIGHTDESK_PING_URL", "https://hc.example/secret")
    assert targets(Notify()) == {"ping": {"url": "https://hc.example/secret"}}
    monkeypatch.setenv("NIGHTDESK_PING_URL", "hc.example/secret")
    with pytest.raises(DeliveryError, match="the secret ping_url: it is no address") as fault:
        send("ping", targets(Notify())["ping"], of("start"), "")
    assert "hc.example" not in str(fault.value)


def script(folder: Path, text: str) -> tuple[str, ...]:
    """A command that runs a few lines of Python; its folder is their `folder`."""
    path = folder / "tell.py"
    path.write_text(f"import sys, json, pathlib, time\nfolder = pathlib.Path({str(folder)!r})\n{text}\n")
    return (sys.executable, str(path), "an argument; with $HOME")


def test_a_command_gets_json_on_stdin_and_no_shell(tmp_path: Path):
    argv = script(tmp_path, "(folder / 'got').write_text(json.dumps([sys.argv[1], json.load(sys.stdin)]))")
    send("command", targets(Notify(command=argv))["command"], FAILED, "one-id")
    argument, said = json.loads((tmp_path / "got").read_text())
    assert argument == "an argument; with $HOME"
    assert said == {**FAILED.to_json(), "delivery": "one-id"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("print('hidden', file=sys.stderr); sys.exit(3)", "ended with exit code 3; run it by hand"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
        ("time.sleep(60)", "didn't end within 1 s and was killed"),
    ],
)
def test_a_command_that_fails_is_one_sentence(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(channels, "TIMEOUT", 1.0)
    with pytest.raises(DeliveryError, match=said) as fault:
        send("command", {"argv": list(script(tmp_path, text))}, FAILED, "")
    assert "hidden" not in str(fault.value)
    assert "argument" not in str(fault.value)


def test_a_command_that_is_not_there_or_reads_nothing(tmp_path: Path):
    with pytest.raises(DeliveryError, match=r"the command nothing can't be started \(No such file"):
        send("command", {"argv": ["/not/there/nothing", SECRET]}, FAILED, "")
    long = Message("failed", "job", "2026-03-01", "host", message="x" * 500_000)
    assert send("command", {"argv": list(script(tmp_path, "pass"))}, long, "") is None


def test_a_channel_that_isnt_set_isnt_there():
    assert targets(Notify()) == {}
    assert set(targets(Notify(email_to=("a@example.org",), command=tuple(shlex.split("logger -t desk"))))) == {
        "email",
        "command",
    }


def test_an_unreadable_secret_is_the_channels_fault_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "smtp_password").write_bytes(b"\xff")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    found = targets(Notify(email_to=("a@example.org",), webhook_url="https://example.org/"))
    assert "smtp_password can't be read" in found["email"]["fault"]
    assert found["webhook"] == {"url": "https://example.org/", "secret": None}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            {"email_to": ["desk"]},
            "setting notify.email_to.0 is 'desk'; 'desk' is no e-mail address; expected one such as",
        ),
        ({"email_to": ["a@b.org\nBcc: c@d.org"]}, "is no e-mail address"),
        ({"email_from": "Desk <a@b.org>"}, "setting notify.email_from is 'Desk <a@b.org>'; .* is no e-mail address"),
        ({"webhook_url": f"ftp://example.org/{SECRET}"}, "setting notify.webhook_url: it is no address .* https://"),
        ({"ping_url": f"https:///{SECRET}"}, "setting notify.ping_url: it is no address"),
        ({"ping_url": f"https://example.org/ {SECRET}"}, "setting notify.ping_url: it is no address"),
        ({"command": ["", SECRET]}, "setting notify.command: expected a program and its arguments"),
        ({"command": [5, SECRET]}, "setting notify.command.0: "),
        ({"smtp_host": "mail.example.org", "smtp_user": "desk"}, "a password is sent over starttls or tls alone"),
        ({"on": ["broken"]}, "setting notify.on.0 is 'broken'"),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_tells_no_key(table: dict[str, object], said: str):
    with pytest.raises(BadSettings, match=said) as fault:
        load_settings({"notify": table}, {})
    assert SECRET not in str(fault.value)


@pytest.mark.parametrize("name", ["EMAIL_TO", "ON", "COMMAND"])
def test_a_list_in_the_environment_that_is_no_json_is_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(f"NIGHTDESK_NOTIFY__{name}", SECRET)
    with pytest.raises(BadSettings, match=r"a NIGHTDESK_NOTIFY… in the environment .* expected lists as JSON") as fault:
        load_settings({}, {})
    assert SECRET not in str(fault.value)


def test_a_login_without_its_password_is_the_channels_fault():
    found = targets(Notify(email_to=("a@example.org",), smtp_user="desk"))
    assert "the secret smtp_password isn't" in found["email"]["fault"]


def test_settings_that_are_right_are_taken():
    table = {
        "email_to": ["o'neil+desk@mail.example.org"],
        "webhook_url": "https://user:key@example.org:8443/hook?x=1",
        "ping_url": "https://hc.example/key/{job}",
        "smtp_host": "mail.example.org",
        "smtp_security": "tls",
        "smtp_user": "desk",
    }
    settings = load_settings({"notify": table}, {})
    assert isinstance(settings, Settings)
    assert settings.notify.ping_url == table["ping_url"]
