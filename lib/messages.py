"""What a notification says: one plain value, and how it reads as JSON, as an e-mail and as a ping's body.

    Message.from_json(json.loads(text)).subject

Whatever a stranger wrote (a run's sentence may quote a title) is text here and nothing else: no header, no HTML.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Any

from markupsafe import Markup

from lib.files import shown

SUBJECT_CHARACTERS = 200
SENTENCE_CHARACTERS = 2_000
LOG_BYTES = 10_000  # Healthchecks kept so much of a ping's body for years; a log is for `show`, this is its end
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_NO_LINE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

SAYS = {
    "finished": "finished",
    "failed": "failed",
    "crashed": "crashed",
    "late": "is late",
    "missed": "was missed",
    "slow": "is slow",
    "fast": "was suspiciously fast",
    "empty": "came to nothing",
    "failing": "keeps failing",
    "recovered": "is well again",
    "start": "started",
    "end": "ended",
    "test": "sends a test",
}


@dataclass(frozen=True)
class Message:
    """One thing to be told. As JSON, which a webhook and a command get, an object of these keys:

    event       finished, failed, crashed, late, missed, slow, fast, empty, failing, recovered or test (a ping's own
                are start and end)
    job, date   the job's name and the logical date (ISO)
    run         the run's id; null where nothing has started
    status      running, ok, failed, skipped, missed or crashed; null where nothing has started
    exit_code   of the run; null while there is none
    message     the run's one sentence; "" while there is none
    why         what made it worth telling where that is more than the sentence, as "took 2 h 5 min; …"; else ""
    figures     up to six [name, value] pairs of texts, for people
    rejected    how many items the run left out
    report      the path of the run's page; null without one
    report_url  the same as a file: address
    started_at  UTC, ISO 8601; null where nothing has started
    seconds     how long the run took; null while it runs
    host        the machine
    log         the last lines of the run's log, at most 10,000 bytes of UTF-8; "" without one
    subject     all of it in one line

    A command gets one more, `delivery`, which is the same each time a message is tried again; a webhook gets that as a
    header.
    """

    event: str
    job: str
    date: str
    host: str
    run: int | None = None
    status: str | None = None
    exit_code: int | None = None
    message: str = ""
    why: str = ""
    figures: tuple[tuple[str, str], ...] = ()
    rejected: int = 0
    report: str | None = None
    report_url: str | None = None
    started_at: str | None = None
    seconds: float | None = None
    log: str = field(default="", repr=False)

    @property
    def subject(self) -> str:
        """One line: job, event, date and machine."""
        return one_line(f"{self.job} {SAYS.get(self.event, self.event)}, {self.date} ({self.host})", SUBJECT_CHARACTERS)

    @property
    def rid(self) -> str:
        """The UUID by which a ping's start and end belong together."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"nightdesk:{self.host}:{self.job}:{self.run}:{self.started_at}"))

    def to_json(self) -> dict[str, Any]:
        """The object above; all its texts can be written as UTF-8."""
        said = {name: shown(value) if isinstance(value, str) else value for name, value in asdict(self).items()}
        said["figures"] = [[shown(name), shown(value)] for name, value in self.figures]
        return {**said, "subject": self.subject}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Message":
        """The message of such an object."""
        known = {each.name: said[each.name] for each in fields(cls) if each.name in said}
        return cls(**{**known, "figures": tuple((name, value) for name, value in said["figures"])})


def one_line(text: str, characters: int = SENTENCE_CHARACTERS) -> str:
    """Text as one line that a header may hold: no controls, no line ends, no lone surrogates, so long at most."""
    line = _NO_TEXT.sub(" ", shown(text)).strip()
    return line if len(line) <= characters else f"{line[: characters - 1]}…"


def last_lines(text: str, limit: int = LOG_BYTES) -> str:
    """The end of a text in at most so many bytes of UTF-8, from the beginning of a line where one fits."""
    text = _NO_LINE.sub("", shown(text.replace("\r\n", "\n").replace("\r", "\n"))).strip("\n")
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    cut = encoded[-limit:].decode("utf-8", "ignore")
    return cut.partition("\n")[2] or cut


def plain_text(message: Message) -> str:
    """The message as lines, for an e-mail; its log where the run isn't well."""
    table = [f"{name}: {value}" for name, value in facts(message)]
    log = ["", "The end of its log:", *last_lines(message.log).split("\n")] if _log_is_wanted(message) else []
    return "\n".join([message.subject, "", *_sentences(message), "", *table, *log]) + "\n"


def html(message: Message) -> str:
    """The message as a small page: all escaped, nothing to be fetched."""
    row = Markup('<tr><th align="left" valign="top" style="padding-right:1em">{}</th><td>{}</td></tr>')
    rows = Markup("\n").join(row.format(name, value) for name, value in facts(message))
    said = Markup("\n").join(Markup("<p>{}</p>").format(each) for each in _sentences(message))
    log = Markup("")
    if _log_is_wanted(message):
        log = Markup("<p>The end of its log:</p>\n<pre>{}</pre>\n").format(last_lines(message.log))
    return Markup(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{0}</title></head>\n'
        '<body style="font-family:sans-serif">\n<h1 style="font-size:1.2em">{0}</h1>\n{1}\n<table>\n{2}\n</table>\n{3}'
        "</body></html>\n"
    ).format(message.subject, said, rows, log)


def facts(message: Message) -> list[tuple[str, str]]:
    """Names and values that a reader of an e-mail gets, in order."""
    found: list[tuple[str, str | None]] = [
        *message.figures,
        ("rejected", f"{message.rejected:,}" if message.rejected else None),
        ("run", str(message.run) if message.run is not None else None),
        ("status", message.status),
        ("exit code", str(message.exit_code) if message.exit_code is not None else None),
        ("took", span(message.seconds) if message.seconds is not None else None),
        ("report", message.report),
        ("machine", message.host),
    ]
    return [(one_line(name, 100), one_line(value)) for name, value in found if value]


def email(message: Message, sender: str, to: tuple[str, ...], id: str, moment: float) -> EmailMessage:
    """The message as an e-mail, plain and as HTML. `id` makes a second delivery known as the first; `moment` is Unix's.

    RFC 3834 asks of what a machine writes to say so, lest an absent person's machine answers.
    """
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = message.subject
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = formatdate(moment)
    mail["Message-ID"] = f"<{id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    # base64: no line of a log is too long for it, and none is taken for a dot that ends the mail
    mail.set_content(plain_text(message), cte="base64")
    mail.add_alternative(html(message), subtype="html", cte="base64")
    return mail


def ping_text(message: Message) -> str:
    """A ping's body: the run's sentence and its last lines, in at most 10,000 bytes."""
    sentence = one_line(message.message)
    room = LOG_BYTES - len(sentence.encode()) - 2
    return f"{sentence}\n\n{last_lines(message.log, room)}".strip("\n")


def figure(value: float) -> str:
    """A number for people: 1234567 → 1,234,567; others with four digits that count."""
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def span(seconds: float) -> str:
    """A length of time: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    whole = round(seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def _sentences(message: Message) -> list[str]:
    return [one_line(each) for each in (message.message, message.why) if each]


def _log_is_wanted(message: Message) -> bool:
    return bool(message.log) and message.status not in ("ok", "skipped")
