"""What goes out on stdout and stderr, whatever these are: closed, no UTF-8, a terminal that obeys what it is shown.

open_streams()
print_lines(["the run’s sentence"])
print_json({"job": "model_topics"})
"""

import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any


def open_streams() -> None:
    """Have stdin, stdout and stderr lead somewhere, /dev/null if nowhere else, and take every character.

    Where one is closed, the next file that is opened, as a lock or the store, would get its number and its words.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False))  # noqa: SIM115
    if getattr(sys.stdout, "errors", None) == "strict" and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")


def print_lines(lines: Iterable[str]) -> None:
    """Print lines for people: nothing in them is obeyed by a terminal."""
    from lib.logs import printable  # the ledger: not needed to answer --help

    for line in lines:
        print("\n".join(printable(part) for part in line.split("\n")))


def print_json(value: Any) -> None:
    """Print one JSON value: in ASCII where stdout has no UTF-8."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    print(json.dumps(value, ensure_ascii=plain, default=str))


def by_hand(said: Any, work: Callable[[], int], *, as_json: bool) -> None:
    """Run what a person starts and no schedule does, and exit with the code that `work` returns or its fault has.

    `work` fills `said`, which is printed at the end where stdout is to be JSON; a fault is a sentence on stderr.
    """
    from lib.errors import as_desk_error
    from lib.supervise import sentence

    try:
        code = work()
    except Exception as fault:
        known = as_desk_error(fault)
        if known is None:
            raise
        print(sentence(str(known)), file=sys.stderr)
        code = known.exit_code
    if as_json:
        print_json(said)
    sys.exit(code)
