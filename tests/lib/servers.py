"""Real servers on loopback that stand in for those which the desk tells things: mail and HTTP."""

import base64
import shutil
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest


@dataclass
class Mail:
    """A mail server's behaviour and what it has taken."""

    port: int = 0
    user: str | None = None
    password: str = ""
    offers_starttls: bool = False
    refuses: tuple[str, ...] = ()  # recipients
    answers_data: str = "250 taken"
    silent: bool = False
    release: threading.Event = field(default_factory=threading.Event)
    taken: list[tuple[str, tuple[str, ...], bytes]] = field(default_factory=list)  # sender, recipients, content
    logins: list[bool] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    context: ssl.SSLContext | None = None


class _Session(socketserver.StreamRequestHandler):
    server: "_MailServer"

    def handle(self) -> None:
        with suppress(OSError, ValueError):  # the client has gone, or doesn't trust the certificate
            self._talk(self.server.mail)
        self.rfile.close()
        self.request.close()  # with STARTTLS not the socket that the server knows

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def _talk(self, mail: Mail) -> None:
        if mail.silent:
            mail.release.wait(60)
            return
        secure = isinstance(self.request, ssl.SSLSocket)
        sender, recipients = "", []
        self._say("220 mail.test")
        while line := self.rfile.readline().decode("ascii", "replace").strip():
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                offers = ["mail.test", "SIZE 10000000"]
                offers += ["STARTTLS"] if mail.offers_starttls and not secure else []
                offers += ["AUTH PLAIN"] if mail.user else []
                for offer in offers[:-1]:
                    self._say(f"250-{offer}")
                self._say(f"250 {offers[-1]}")
            elif verb == "STARTTLS" and mail.context:
                self._say("220 go on")
                self.request = mail.context.wrap_socket(self.request, server_side=True)
                self.rfile = self.request.makefile("rb")
                self.wfile = socketserver._SocketWriter(self.request)
                secure = True
            elif verb == "AUTH":
                _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
                mail.logins.append((user, password) == (mail.user, mail.password))
                self._say("235 welcome" if mail.logins[-1] else f"535 no, not {user} with {password}")
            elif verb == "MAIL":
                sender = line.split("<")[1].split(">")[0]
                self._say("250 fine" if not mail.user or True in mail.logins else "530 log in first")
            elif verb == "RCPT":
                recipient = line.split("<")[1].split(">")[0]
                if recipient in mail.refuses:
                    self._say("550 nobody of that name")
                else:
                    recipients.append(recipient)
                    self._say("250 fine")
            elif verb == "DATA":
                self._say("354 go on")
                content = b""
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    content += part.removeprefix(b".") if part.startswith(b"..") else part
                if mail.answers_data.startswith("2"):
                    mail.taken.append((sender, tuple(recipients), content))
                    mail.encrypted.append(secure)
                self._say(mail.answers_data)
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")


class _MailServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = False

    def __init__(self, mail: Mail, *, tls: bool) -> None:
        self.mail, self.tls = mail, tls
        super().__init__(("127.0.0.1", mail.port), _Session)

    def get_request(self):
        connection, address = super().get_request()
        connection.settimeout(30)
        if self.tls:
            connection = self.mail.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def shutdown_request(self, request) -> None:
        request.close()

    def handle_error(self, request, client_address) -> None:
        """Nothing: a client that goes away is a test's doing."""


@contextmanager
def mail_server(mail: Mail | None = None, *, tls: bool = False) -> Iterator[Mail]:
    """A mail server on a free port, or on the one that `mail` names."""
    mail = mail or Mail()
    with _running(_MailServer(mail, tls=tls)) as server:
        mail.port = server.server_address[1]
        try:
            yield mail
        finally:
            mail.release.set()


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Web:
    """An HTTP server's plan: the statuses of the coming answers, "hang" for none; 200 when it is through."""

    port: int = 0
    plan: list[int | str] = field(default_factory=list)
    says: bytes = b"OK"
    asked: list[Asked] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def web_server(web: Web | None = None) -> Iterator[Web]:
    """An HTTP server on a free port, or on the one that `web` names."""
    web = web or Web()

    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def log_message(self, *_: object) -> None:
            pass

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            web.asked.append(Asked(self.command, parts.path, parts.query, headers, body))
            status = web.plan.pop(0) if web.plan else 200
            if status == "hang":
                web.release.wait(60)
                self.close_connection = True
                return
            self.send_response(int(status))
            if 300 <= int(status) < 400:
                self.send_header("Location", f"{web.url}/elsewhere")
            self.send_header("Content-Length", str(len(web.says)))
            self.end_headers()
            self.wfile.write(web.says)

        do_GET = do_POST = answer  # noqa: N815 - http.server's names

    with _running(ThreadingHTTPServer(("127.0.0.1", web.port), Handler)) as server:
        server.daemon_threads = False
        web.port = server.server_address[1]
        try:
            yield web
        finally:
            web.release.set()


@contextmanager
def _running(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of our own for localhost, and a server's context with it; skips where openssl isn't there."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl to make a certificate with")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


def free_port() -> int:
    """A port on which nobody listens."""
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        return int(server.server_address[1])
