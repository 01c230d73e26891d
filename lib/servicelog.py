"""What the service tells: readable lines with their times on stderr, and the same as JSON lines in a file that rotates.

tail -f data/logs/service.jsonl
"""

import contextlib
import json
import logging
import sys
from collections.abc import Mapping
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from lib import runs

MOST_BYTES = 1 << 20  # a file
KEPT_FILES = 4  # beside it


class ServiceLog:
    """The service's two logs. What APScheduler warns of goes into the file too."""

    def __init__(self, path: Path, zone: ZoneInfo) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.zone = zone
        # rich obeys NO_COLOR; where stderr is no terminal the lines are plain
        self.console = Console(stderr=True, highlight=False, force_terminal=None if sys.stderr.isatty() else False)
        self.handler = _Handler(path, maxBytes=MOST_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True)
        self.handler.setFormatter(_Lines())
        self.logger = logging.Logger("service")
        self.logger.addHandler(self.handler)
        self.theirs = logging.getLogger("apscheduler")
        self.theirs.addHandler(self.handler)
        self.theirs.setLevel(logging.WARNING)
        self.theirs.propagate = False

    def say(self, event: str, text: str, **fields: Any) -> None:
        """Tell of an event. That it can't be told, on a full disk or a closed terminal, stops nobody."""
        clock = datetime.now(self.zone).strftime("%Y-%m-%d %H:%M:%S")
        with contextlib.suppress(OSError):
            self.console.print(Text.assemble((clock, "dim"), f" {text}"), soft_wrap=True)
        self.logger.info(text, extra={"fields": {"event": event, **fields}})

    def close(self) -> None:
        """Close the file."""
        self.theirs.removeHandler(self.handler)
        self.handler.close()


class _Handler(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Nothing: stderr has the line."""


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """A record as one JSON object."""
        fields: Mapping[str, Any] = getattr(record, "fields", {"event": record.name})
        text = record.getMessage()
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return json.dumps({"at": runs.now(), **fields, "text": text}, ensure_ascii=False)
