"""The capture's options, as far as one hangs on another."""

import math
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from lib.errors import BadSettings, WrongUsage


def settle(params: Mapping[str, Any], by_hand: Collection[str]) -> dict[str, Any]:
    """The source, whose default hangs on --replay; `by_hand` are the options given on the command line, which come
    before what is configured.

    Raises WrongUsage, and BadSettings for an address that would put a password where it can be read.
    """
    source, replay = params["source"], params["replay"]
    if {"source", "replay"} <= set(by_hand) and source != "replay":
        raise WrongUsage(f"--replay plays a recording, and --source {source} listens; give one of them")
    if "replay" in by_hand or (replay and "source" not in by_hand):
        source = "replay"
    for name in ("minutes", "speed"):
        if params[name] is not None and not math.isfinite(params[name]):
            raise WrongUsage(f"--{name} is {params[name]}; expected a number")
    for name in ("x_url", "jetstream_url"):
        if "@" in urlsplit(params[name]).netloc:
            raise BadSettings(f"{name} has a user name or a password in it (not shown here); expected an address alone")
    return {"source": source or "x", "replay": replay if source == "replay" else ()}
