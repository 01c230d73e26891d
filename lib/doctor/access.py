"""What a person set up: secrets, which are looked at and never shown, and the ways by which somebody is told."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from lib.doctor.check import PATIENCE, Check, Found, Probe, answers, failed, ok, warning
from lib.errors import BadSettings
from lib.settings import Notify, Settings, read_secret

SECRETS = ("smtp_password", "webhook_secret", "ping_url", "x_bearer_token")


def secret(name: str, purpose: str, *, needed: bool) -> Check:
    """Whether a secret is there, where from, and whether others may read its file; never a word of what it is.

    `purpose` says what it is for, as "logs in at the mail server". Raises BadSettings where its file can't be read.
    """
    line, variable = f"secret {name}", f"NIGHTDESK_{name.upper()}"
    value, folder = read_secret(name), os.environ.get("CREDENTIALS_DIRECTORY", "")
    if value is None:
        if needed:
            remedy = f"set {variable}, or put a file {name} into systemd's credentials directory (LoadCredential)"
            return failed(line, f"missing; it {purpose}", remedy)
        return ok(line, f"not set; it {purpose}")
    if os.environ.get(variable, "").strip():
        return ok(line, f"present, in the environment ({variable})")
    path = Path(folder, name)
    if _open_to_all(path):
        return failed(line, f"present, in {path}, which everybody on this machine can read", f"chmod 600 {path}")
    return ok(line, f"present, in {path}")


def secret_values() -> list[str]:
    """The secrets themselves, for whoever has to see that they are in no line."""
    values = []
    for name in SECRETS:
        with suppress(BadSettings, OSError):
            values.append(read_secret(name) or "")
    return [value for value in values if value]


def _open_to_all(path: Path) -> bool:
    """Whether any user can read a file: its own mode, and a way to it through every folder above."""
    path = path.resolve()
    return bool(path.stat().st_mode & 0o004) and all(folder.stat().st_mode & 0o001 for folder in path.parents)


def told(settings: Settings) -> Iterator[Found]:
    """The channels of [notify]: whether there are any, have what they need, and can be reached.

    A channel that can't be reached is a warning: a message that isn't delivered fails no run.
    """
    notify, ping = settings.notify, settings.notify.ping_url or read_secret("ping_url") or ""
    ways = {
        "e-mail": bool(notify.email_to),
        "a webhook": bool(notify.webhook_url),
        "a ping": bool(ping),
        "a command": bool(notify.command),
    }
    if not any(ways.values()):
        remedy = "set email_to, webhook_url, ping_url or command in [notify] of nightdesk.toml"
        yield warning("messages", "nobody would be told of a run that fails", remedy)
        return
    yield ok("messages", f"by {', '.join(way for way, there in ways.items() if there)}: {', '.join(notify.on)}")
    if notify.email_to:
        yield from _mail(notify)
    if notify.webhook_url:
        yield secret("webhook_secret", "signs what the webhook gets", needed=False)
        yield _server("webhook", notify.webhook_url)
    if ping:
        yield _server("ping", ping, shown="" if notify.ping_url else "its server")
    if notify.command and shutil.which(notify.command[0]) is None:
        yield failed("command of [notify]", f"{notify.command[0]} is no program here", "install it, or name another")


def _mail(notify: Notify) -> Iterator[Found]:
    if notify.smtp_user:
        yield secret("smtp_password", "logs in at the mail server", needed=True)
        if notify.smtp_security == "none" and notify.smtp_host not in ("localhost", "127.0.0.1", "::1"):
            remedy = 'set smtp_security to "starttls" or "tls" in [notify]'
            yield warning("mail server", "the password goes there unencrypted", remedy)

    def look() -> Check:
        place = f"{notify.smtp_host}:{notify.smtp_port}"
        try:
            with socket.create_connection((notify.smtp_host, notify.smtp_port), timeout=PATIENCE):
                return ok("mail server", f"{place} answers")
        except OSError as fault:
            reason = "no answer in time" if isinstance(fault, TimeoutError) else fault.strerror or "no connection"
            said = f"{place} can't be reached ({reason}); messages wait until it can"
            return warning("mail server", said, "check smtp_host and smtp_port in [notify]")

    yield Probe("mail server", look)


def _server(name: str, address: str, shown: str = "") -> Probe:
    """A look at a channel's server; its path stays out of it, for a ping of that would be taken for a run's."""
    parts = urlsplit(address)
    root = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "/", "", ""))
    return Probe(name, _as_warning(lambda: answers(name, root, f"check {name}_url in [notify]", shown=shown)))


def _as_warning(look: Callable[[], Check]) -> Callable[[], Check]:
    def softer() -> Check:
        found = look()
        return replace(found, status="warning") if found.status == "failed" else found

    return softer
