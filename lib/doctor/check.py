"""What a check finds, in values: lines for people, room that a run needs, and what takes time to look at.

yield ok("Python", "3.12.4")
yield Need(settings.data, 300 << 20, "the archive")
yield Probe("Bluesky", lambda: answers("Bluesky", "wss://jetstream2.us-east.bsky.network", "set another"))
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from lib.errors import as_desk_error

PATIENCE = 5.0  # seconds for a source to answer

Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Check:
    """A line: what was looked at, whether it is well, what was found and, where it isn't well, what to do.

    "failed" is for what the next runs need; a warning is for what they can do without.
    """

    name: str
    status: Status
    said: str
    remedy: str = ""


@dataclass(frozen=True)
class Need:
    """Room, in bytes, that a job's next run takes below `folder`; `measured` of earlier ones, or said by the job."""

    folder: Path
    bytes: int
    what: str
    measured: bool = False


@dataclass(frozen=True)
class Probe:
    """A look that takes time and the network: done beside the others, and left out with --offline."""

    name: str
    look: Callable[[], Check]


Found = Check | Need | Probe


def ok(name: str, said: str) -> Check:
    """A line that all is well."""
    return Check(name, "ok", said)


def warning(name: str, said: str, remedy: str) -> Check:
    """A line about what isn't well, and doesn't stop the desk."""
    return Check(name, "warning", said, remedy)


def failed(name: str, said: str, remedy: str) -> Check:
    """A line about what is required and isn't well."""
    return Check(name, "failed", said, remedy)


def guarded(name: str, look: Callable[[], Iterable[Found]]) -> Iterator[Found]:
    """What `look` finds; where it breaks, a failed check that says so follows what it had found until then."""
    try:
        yield from look()
    except Exception as fault:
        known = as_desk_error(fault)
        if known is not None:
            yield failed(name, str(known), "see to that, and look again")
            return
        said = str(fault).partition("\n")[0]
        yield failed(name, f"could not be looked at ({type(fault).__name__}: {said})", "this is a bug; report it")


def answers(name: str, address: str, remedy: str, *, there: bool = False, shown: str = "") -> Check:
    """Whether a server at an address (http, https, ws, wss) answers a HEAD request, with whatever status.

    `there`: what is asked for has to be there, too. It is asked as the runs ask, by the proxy that the environment
    names, without a secret; only host and port are named (or `shown` in their place), for secrets travel in the rest.
    """
    import requests  # a tenth of a second to load

    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return failed(name, "its address is none", remedy)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    place = shown or (f"{parts.hostname}:{port}" if port else str(parts.hostname))
    host = parts.hostname or ""
    with requests.Session() as session:
        session.trust_env = not (host in ("localhost", "::1") or host.startswith("127."))  # no proxy knows these
        try:
            answer = session.head(
                urlunsplit((scheme, *parts[1:])),
                headers={"User-Agent": "Nightdesk"},
                timeout=PATIENCE,
                allow_redirects=there,
            )
            status = answer.status_code
            answer.close()
        except requests.exceptions.SSLError:
            said = f"{place} shows a certificate that can't be trusted"
            return failed(name, said, f"check this machine's clock and certificates; {remedy}")
        except requests.exceptions.Timeout:
            return failed(name, f"{place} doesn't answer within {PATIENCE:g} seconds", remedy)
        except requests.exceptions.ProxyError:
            return failed(name, f"{place} can't be reached through the proxy", f"check the proxy; {remedy}")
        except requests.exceptions.RequestException as fault:
            return failed(name, f"{place} can't be reached ({_reason(fault)})", remedy)
    if there and status >= 400:
        return failed(name, f"{place} answers {status} to what is asked for", remedy)
    return ok(name, f"{place} answers")


def _reason(fault: BaseException | None) -> str:
    """Why, in the system's words; requests' own have the whole address in them."""
    while fault is not None:
        if isinstance(fault, OSError) and fault.strerror:
            return fault.strerror
        inner: list[Any] = [getattr(fault, "reason", None), *fault.args, fault.__cause__, fault.__context__]
        fault = next((each for each in inner if isinstance(each, BaseException)), None)
    return "no connection"


def size(count: float) -> str:
    """Bytes as people say them: 812 bytes, 3.4 MiB, 58 GiB."""
    for unit, bytes_of in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= bytes_of:
            return f"{count / bytes_of:.{1 if count < 10 * bytes_of else 0}f} {unit}"
    return f"{count:.0f} bytes"
