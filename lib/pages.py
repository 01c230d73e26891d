"""Pages as text: the templates, and what each of them can say.

Templates get finished values; nothing is asked of the store while a page is rendered.
"""

import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import category
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lib import formats, machine
from lib.runs import STATUSES

TEMPLATES = Path(__file__).parent.parent / "templates"
# a state's shape; late is a state of a job alone, which hasn't begun its run
SIGNS = {"running": "▷", "ok": "✓", "failed": "✕", "skipped": "→", "missed": "○", "crashed": "!", "late": "△"}
assert set(STATUSES) < set(SIGNS)
# of lib.formats
NUMBERS = ("change", "figure", "number", "percent", "seconds", "signed", "size")
TEXTS = ("clock", "day", "link", "moment", "title")
# what HTML has no place for: control characters, halves of pairs and noncharacters (WHATWG HTML, 13.2.3.5)
_BEYOND = "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(17))
_NOT_HTML = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_BEYOND}]")
MOST_MARKS = 4  # on a letter; no written language has more
_MAY_STACK = re.compile(f"[\u0300-\U0010ffff]{{{MOST_MARKS + 1},}}")


@cache
def environment() -> Environment:
    """Jinja with the desk's templates and filters; whatever is put into a page is escaped."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update({name: getattr(formats, name) for name in (*NUMBERS, *TEXTS)})
    made.globals["signs"] = SIGNS
    return made


def render(template: str, *, zone: ZoneInfo, packages: tuple[str, ...] = (), frame: Any = None, **context: Any) -> str:
    """A page as text. It names when it was written and the machine, with the versions of `packages`.

    `frame` (lib.frame) is what every run's page has around its own matter.
    """
    written = datetime.now(zone)
    about = {"written": written, "zone": zone, "machine": machine.describe(packages), "frame": frame}
    text = environment().get_template(template).render(**about, **context)
    return _MAY_STACK.sub(_unstacked, _NOT_HTML.sub("�", text))


def _unstacked(found: re.Match[str]) -> str:
    """The text with a few marks on a letter: a thousand of them would be painted over all that is above and below."""
    kept, stacked = [], 0
    for each in found[0]:
        stacked = stacked + 1 if category(each) in ("Mn", "Me") else 0
        if stacked <= MOST_MARKS:
            kept.append(each)
    return "".join(kept)


def page_name(job: str, date: str) -> str:
    """Where a run's page lies in the folder of reports."""
    return f"{job}/{date}.html"
