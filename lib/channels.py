"""The ways out: e-mail, a webhook, a dead man's ping and a command. Each takes one message, or says why it can't.

    python -c "from lib.channels import main; main()" < what_to_send.json

A webhook's receiver knows that a message is the desk's by two headers: X-Nightdesk-Timestamp (Unix seconds) and
X-Nightdesk-Signature, which is `sha256=` and the HMAC-SHA256, in hexadecimal, of that timestamp, a dot and the body's
bytes, with the secret webhook_secret as its key. Compare in constant time, and refuse what is older than five minutes:

    expected = hmac.new(secret, timestamp.encode() + b"." + body, "sha256").hexdigest()
    hmac.compare_digest(signature, f"sha256={expected}")

X-Nightdesk-Delivery is the same each time a message is tried again, and so is an e-mail's Message-ID.

No sentence of this module holds a password, a key, or more of an address than its scheme, host and port.
"""

import contextlib
import hmac
import json
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from lib.errors import BadSettings
from lib.messages import Message, email, one_line, ping_text
from lib.settings import Notify, check_url, read_secret

CHANNELS = ("email", "webhook", "ping", "command")
TIMEOUT = 8.0  # seconds that a server or a command may be silent; lib.outbox ends all after ten
SECRETS = {"email": "smtp_password", "webhook": "webhook_secret", "ping": "ping_url"}

Target = dict[str, Any]  # what a channel has to know, secrets included: for a pipe to the sending process and no file


class DeliveryError(Exception):
    """A message that didn't go out; its text is one sentence without secrets."""


def targets(notify: Notify) -> dict[str, Target]:
    """What each channel that is set has to know. One whose secret is no good has a `fault` instead."""
    found: dict[str, Target] = {}
    for channel in CHANNELS:
        try:
            target = _target(notify, channel)
        except (BadSettings, ValueError) as fault:
            what = "the secret ping_url: " if isinstance(fault, ValueError) else ""
            target = {"fault": f"{what}{fault}"}
        if target is not None:
            found[channel] = target
    return found


def _target(notify: Notify, channel: str) -> Target | None:
    configured = {
        "email": bool(notify.email_to),
        "webhook": bool(notify.webhook_url),
        "ping": True,  # its address may be the secret
        "command": bool(notify.command),
    }
    if not configured[channel]:
        return None
    secret = read_secret(SECRETS[channel]) if channel in SECRETS else None
    if channel == "email":
        if notify.smtp_user and not secret:
            raise BadSettings(
                "smtp_user is set and the secret smtp_password isn't; set both, or none to send without login"
            )
        return {
            "host": notify.smtp_host,
            "port": notify.smtp_port,
            "security": notify.smtp_security,
            "user": notify.smtp_user,
            "password": secret,
            "sender": notify.email_from or f"nightdesk@{host_name()}",
            "to": list(notify.email_to),
        }
    if channel == "webhook":
        return {"url": notify.webhook_url, "secret": secret}
    if channel == "ping":
        url = check_url(secret or notify.ping_url)
        return {"url": url} if url else None
    return {"argv": list(notify.command)}


def host_name() -> str:
    """This machine's name, fit for a header."""
    name = "".join(each for each in socket.gethostname() if each.isascii() and (each.isalnum() or each in ".-"))
    return name.strip(".-") or "localhost"


def send(channel: str, target: Target, message: Message, id: str) -> str | None:
    """Send a message by a channel; returns what there is to say of it, if anything. Raises DeliveryError."""
    if "fault" in target:
        raise DeliveryError(target["fault"])
    try:
        return {"email": _email, "webhook": _webhook, "ping": _ping, "command": _command}[channel](target, message, id)
    except DeliveryError as fault:
        raise DeliveryError(_without_secrets(str(fault), target)) from None
    except Exception as fault:  # its text may hold anything
        raise DeliveryError(f"a bug: {type(fault).__name__} in the channel {channel}") from None


def shown_url(url: str) -> str:
    """What may be shown of an address that may hold a key: scheme, host and port."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}/…"


def ping_url(url: str, message: Message) -> str:
    """Where to ping: the job's name in its place, then /start, /EXITCODE, /fail or, for a test, /log (moves nothing).

    https://healthchecks.io/docs/http_api/ tells the protocol.
    """
    parts = urlsplit(url.replace("{job}", quote(message.job.replace("_", "-"), safe="-.~")))
    if message.event in ("start", "test"):
        end = "start" if message.event == "start" else "log"
    elif message.status in ("ok", "skipped"):
        end = "0"
    else:
        of_a_run = message.status == "failed" and message.exit_code
        end = str(message.exit_code) if of_a_run and 0 < of_a_run < 256 else "fail"
    query = "&".join(filter(None, (parts.query, f"rid={message.rid}")))
    return urlunsplit((parts.scheme, parts.netloc, f"{parts.path.rstrip('/')}/{end}", query, ""))


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What X-Nightdesk-Signature says."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, "sha256").hexdigest()


def _email(target: Target, message: Message, id: str) -> str | None:
    server = one_line(f"{target['host']}:{target['port']}")
    mail = email(message, target["sender"], tuple(target["to"]), id, time.time())
    context, name = ssl.create_default_context(), host_name()  # to look the full name up may take long
    try:
        with (
            smtplib.SMTP_SSL(target["host"], target["port"], name, timeout=TIMEOUT, context=context)
            if target["security"] == "tls"
            else smtplib.SMTP(target["host"], target["port"], name, timeout=TIMEOUT)
        ) as connection:
            if target["security"] == "starttls":
                connection.starttls(context=context)
            if target["user"]:
                connection.login(target["user"], target["password"] or "")
            refused = connection.send_message(mail, from_addr=target["sender"], to_addrs=target["to"])
    except smtplib.SMTPRecipientsRefused as fault:
        raise DeliveryError(f"the mail server {server} refused {_refusals(fault.recipients)}") from fault
    except smtplib.SMTPAuthenticationError as fault:
        text = f"the mail server {server} refused the login of {target['user']!r} ({fault.smtp_code})"
        raise DeliveryError(f"{text}; check smtp_user and the secret smtp_password") from fault
    except UnicodeError as fault:
        what = "smtp_host, smtp_user or the secret smtp_password"
        raise DeliveryError(f"{what} has characters that no mail server takes; expected ASCII") from fault
    except smtplib.SMTPNotSupportedError as fault:
        asked = "starttls or a login as smtp_security and smtp_user ask"
        raise DeliveryError(f"the mail server {server} doesn't offer {asked}") from fault
    except smtplib.SMTPResponseException as fault:
        said = fault.smtp_error.decode("utf-8", "replace") if isinstance(fault.smtp_error, bytes) else fault.smtp_error
        raise DeliveryError(f"the mail server {server} answered {fault.smtp_code} {one_line(said, 200)}") from fault
    except ssl.SSLCertVerificationError as fault:
        raise DeliveryError(f"the mail server {server} has no certificate to trust ({fault.verify_message})") from fault
    except (OSError, smtplib.SMTPException) as fault:
        raise DeliveryError(f"the mail server {server} can't be reached ({_reason(fault)})") from fault
    # The others have it: to try again would tell them twice.
    return f"the mail server {server} refused {_refusals(refused)}" if refused else None


def _refusals(recipients: Mapping[str, tuple[int, bytes]]) -> str:
    return ", ".join(
        f"{one_line(to, 254)} ({code} {one_line(said.decode('utf-8', 'replace'), 200)})"
        for to, (code, said) in recipients.items()
    )


def _webhook(target: Target, message: Message, id: str) -> str | None:
    body = json.dumps(message.to_json(), ensure_ascii=False).encode()
    timestamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "X-Nightdesk-Event": one_line(message.event, 40),
        "X-Nightdesk-Delivery": id,
        "X-Nightdesk-Timestamp": timestamp,
    }
    if target["secret"]:
        headers["X-Nightdesk-Signature"] = signature(target["secret"], timestamp, body)
    _post(target["url"], body, headers)
    return None


def _ping(target: Target, message: Message, id: str) -> str | None:
    del id  # rid is what start and end have in common
    url = ping_url(target["url"], message)
    said = _post(url, ping_text(message).encode(), {"Content-Type": "text/plain; charset=utf-8"}, heard=True)
    if said.startswith("OK ("):  # as Healthchecks answers, with 200, where it heard and did nothing
        raise DeliveryError(f"{shown_url(url)} answered {one_line(said, 40)}; check the ping's address")
    return None


def _post(url: str, body: bytes, headers: dict[str, str], *, heard: bool = False) -> str:
    """Post to an address; returns the answer's beginning if it is to be `heard`. Raises DeliveryError.

    No redirect is followed, for a body and its signature are for one address alone.
    """
    import requests  # a fifth of a second, for this alone
    from urllib3.exceptions import HTTPError

    where = shown_url(url)
    try:
        with requests.post(
            url,
            data=body,
            headers={"User-Agent": "nightdesk", **headers},
            timeout=TIMEOUT,
            allow_redirects=False,
            stream=True,
        ) as answer:
            said = b""
            with contextlib.suppress(OSError, HTTPError):  # the status has said it
                said = answer.raw.read(200) if heard else said
    except requests.exceptions.SSLError as fault:
        raise DeliveryError(f"{where} has no certificate to trust") from fault
    except requests.exceptions.Timeout as fault:
        raise DeliveryError(f"{where} didn't answer within {TIMEOUT:.0f} s") from fault
    except (requests.exceptions.RequestException, OSError, ValueError) as fault:
        raise DeliveryError(f"{where} can't be reached ({type(fault).__name__})") from fault
    if 300 <= answer.status_code < 400:
        raise DeliveryError(f"{where} answered {answer.status_code}, and no redirect is followed; set the new address")
    if not 200 <= answer.status_code < 300:
        raise DeliveryError(f"{where} answered {answer.status_code}")
    return said.decode("utf-8", "replace")


def _command(target: Target, message: Message, id: str) -> str | None:
    name = one_line(os.path.basename(target["argv"][0]), 100)  # noqa: PTH119 - the name as it was written
    body = json.dumps({**message.to_json(), "delivery": id}, ensure_ascii=False).encode()
    try:
        process = subprocess.Popen(
            target["argv"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except (OSError, ValueError) as fault:
        raise DeliveryError(f"the command {name} can't be started ({_reason(fault)})") from fault
    with process:
        try:
            process.communicate(body, timeout=TIMEOUT)
        except subprocess.TimeoutExpired as fault:
            process.kill()
            raise DeliveryError(f"the command {name} didn't end within {TIMEOUT:.0f} s and was killed") from fault
    if process.returncode < 0:
        raise DeliveryError(f"the command {name} was killed by {signal.Signals(-process.returncode).name}")
    if process.returncode:
        hint = "run it by hand, with a message as JSON on stdin, to see why"
        raise DeliveryError(f"the command {name} ended with exit code {process.returncode}; {hint}")
    return None


def _reason(fault: Exception) -> str:
    """Why the system says no, without the names that its texts may hold."""
    if isinstance(fault, TimeoutError):
        return f"no answer within {TIMEOUT:.0f} s"
    if isinstance(fault, socket.gaierror):
        return "its name isn't known"
    return (fault.strerror if isinstance(fault, OSError) else None) or type(fault).__name__


def _without_secrets(text: str, target: Target) -> str:
    for name in ("password", "secret"):
        if target.get(name):
            text = text.replace(target[name], "***")
    return text


def main() -> None:
    """The sending process of lib.outbox: sends what stdin asks for, all at once, and says of each how it went.

    stdin is [{"number", "channel", "target", "message", "id"}]; stdout a line each, {"number", "fault", "note"}: what
    went wrong, or null, and what there is to say of a message that went out, or null.
    """
    items = json.loads(sys.stdin.buffer.read())
    speaking = threading.Lock()

    def one(item: dict[str, Any]) -> None:
        fault = note = None
        try:
            note = send(item["channel"], item["target"], Message.from_json(item["message"]), item["id"])
        except DeliveryError as found:
            fault = str(found)
        except Exception as found:
            fault = f"a bug: {type(found).__name__} in a message"
        with speaking:
            print(json.dumps({"number": item["number"], "fault": fault, "note": note}), flush=True)

    threads = [threading.Thread(target=one, args=(item,), daemon=True) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
