"""Bring a file over HTTP: it goes on where it stopped, is checked, and is there whole or not at all.

    download("https://example.org/cifar-10-python.tar.gz", Path("data/archives/cifar-10-python.tar.gz"),
             checksum="md5:c58f30108f718f92721af3b95e74349a", progress=advance)

Until it is whole it lies in `NAME.part`; `NAME.part.json` says which version of what the part is a part of.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lib import files
from lib.errors import BadData, BadSettings, SourceDown, SourceUnavailable

if TYPE_CHECKING:
    from requests import Response
    from tenacity import RetryCallState

PIECE = 1 << 16  # bytes read at a time, and the most that a connection which breaks off can cost
LONGEST_WAIT = 60.0  # seconds between two attempts, whatever the server asks for

# Timeout, too early, too many requests, and the server's own troubles (RFC 9110, 6585, 8470): these pass.
_PASSING_STATUSES = {408, 425, 429, 500, 502, 503, 504}
_HEX_DIGITS = {"md5": 32, "sha256": 64}


class _PassingError(Exception):
    """A fault that another attempt may not meet; `wait` is what the server asked for, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def download(
    url: str,
    path: Path,
    *,
    checksum: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
    attempts: int = 5,
    timeout: tuple[float, float] = (10.0, 60.0),
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Bring `url` into `path` and return `path`; a file that already has the right checksum is left alone.

    `checksum` is "md5:HEX" or "sha256:HEX". `progress` is called with the number of bytes that are new, those found
    from an earlier run included; bytes that come a second time are not counted again. `timeout` is for the connection
    and for each read, in seconds. Bytes are kept as the server sent them, whatever Content-Encoding says. One download
    a path at a time: the run's lock sees to that.

    Raises BadData (wrong checksum: the part is removed), SourceDown (all attempts met what may pass; the part is kept
    for the next run), SourceUnavailable (no later try can help), CannotWrite, BadSettings (a checksum that is none).
    """
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

    path = Path(path)
    wanted = _parse(checksum) if checksum else None
    with files.cannot_write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if wanted and path.is_file() and files.checksum(path, wanted[0]) == wanted[1]:
            progress(path.stat().st_size)
            return path

    furthest = 0

    def reached(size: int) -> None:
        nonlocal furthest
        if size > furthest:
            progress(size - furthest)
            furthest = size

    part = path.with_name(path.name + ".part")
    retrying = Retrying(
        stop=stop_after_attempt(attempts),
        wait=_wait,
        retry=retry_if_exception_type(_PassingError),
        sleep=sleep,
        reraise=True,
    )
    try:
        retrying(_bring, url, part, reached, timeout, blind=wanted is not None)
    except _PassingError as fault:
        raise SourceDown(
            f"{_shown(url)} didn't come in {attempts} attempts ({fault}); the next run goes on where this one stopped"
        ) from fault

    if wanted and (found := files.checksum(part, wanted[0])) != wanted[1]:
        _begin_anew(part)
        raise BadData(
            f"{_shown(url)} has the {wanted[0]} {found} and should have {wanted[1]}; "
            "what came was thrown away, so try again, and if it stays so the source has changed"
        )
    with files.cannot_write(path):
        part.replace(path)  # and not files.publish, which throws away what it can't rename
        _label(part).unlink(missing_ok=True)
        files.sync_folder(path.parent)
    return path


def _bring(url: str, part: Path, reached: Callable[[int], None], timeout: tuple[float, float], *, blind: bool) -> None:
    """One attempt: make `part` whole, or raise _PassingError; what came is kept. `blind`: go on without a validator."""
    with files.cannot_write(part):
        have, validator = _found(part, url, blind)
    headers = {"User-Agent": "Nightdesk", "Accept-Encoding": "identity"}  # a range of compressed bytes is of no use
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator:
            headers["If-Range"] = validator  # the server begins anew by itself where the file has changed

    with _ask(url, headers, timeout) as response:
        if have and response.status_code == 416:
            # Nothing is left to send: the part is whole if it is as long as the file, and from elsewhere if not.
            if _number(r"bytes \*/(\d+)", response.headers.get("Content-Range")) == have:
                reached(have)
                return
            with files.cannot_write(part):
                _begin_anew(part)
            raise _PassingError(f"the part had {have} bytes, and the server said that the file has no more")

        length = _number(r"(\d+)", response.headers.get("Content-Length"))
        if response.status_code == 206:
            span = response.headers.get("Content-Range")
            start, total = _number(r"bytes (\d+)-", span), _number(r"bytes \d+-\d+/(\d+)", span)
            if start != have:
                with files.cannot_write(part):
                    _begin_anew(part)
                raise _PassingError(f"asked for the bytes from {have}, the server sent {span!r}")
            total = total if total is not None or length is None else have + length
        else:
            have, total = 0, length
            with files.cannot_write(part):
                _begin_anew(part)
                files.atomic_write(_label(part), json.dumps(_label_for(url, response)))
        size = _append(response, part, have, reached)

    if total is not None and size != total:
        if size > total:
            with files.cannot_write(part):
                _begin_anew(part)
        raise _PassingError(f"{size} bytes came of {total}")


def _append(response: "Response", part: Path, size: int, reached: Callable[[int], None]) -> int:
    """Write what the response brings behind the `size` bytes that are there; returns the bytes there then."""
    with files.cannot_write(part), part.open("ab") as file:
        reached(size)
        try:
            for piece in _pieces(response):
                file.write(piece)
                size += len(piece)
                reached(size)
        finally:
            file.flush()
            os.fsync(file.fileno())
    return size


def _ask(url: str, headers: dict[str, str], timeout: tuple[float, float]) -> "Response":
    """A response of status 200, 206 or 416. Raises _PassingError, or SourceUnavailable where waiting is no help."""
    import requests

    try:
        response = requests.get(url, headers=headers, timeout=timeout, stream=True)
    except (requests.ConnectionError, requests.Timeout) as fault:
        if _certificate(fault):
            raise SourceUnavailable(
                f"{_shown(url)} showed a certificate that can't be trusted; check the address and this machine's clock"
            ) from fault
        raise _PassingError(_why(fault)) from fault
    except (requests.RequestException, ValueError) as fault:
        raise SourceUnavailable(
            f"{_shown(url)} can't be asked for ({type(fault).__name__}); check the address"
        ) from fault
    status = response.status_code
    if status == 200 or (status in (206, 416) and "Range" in headers):
        return response
    response.close()
    answer = f"{status} {response.reason}".strip()
    if status in _PASSING_STATUSES:
        raise _PassingError(
            f"the server answered {answer}", _number(r"(\d+)", response.headers.get("Retry-After")) or 0
        )
    raise SourceUnavailable(f"{_shown(url)} answered {answer}; check the address and whether it wants a key")


def _pieces(response: "Response") -> Iterator[bytes]:
    """The body, undecoded. Raises _PassingError where it breaks off."""
    from urllib3.exceptions import HTTPError

    try:
        yield from response.raw.stream(PIECE, decode_content=False)
    except HTTPError as fault:
        raise _PassingError(_why(fault)) from fault


def _found(part: Path, url: str, blind: bool) -> tuple[int, str | None]:
    """The bytes that an earlier attempt left and the validator of their version; 0 bytes where none can be used."""
    try:
        label: Any = json.loads(_label(part).read_bytes())
        size = part.stat().st_size
    except (FileNotFoundError, ValueError):
        return 0, None
    if not isinstance(label, dict) or label.get("source") != _source(url):
        return 0, None
    validator = label.get("validator")
    # Without a validator only a checksum can tell a part of one version from the rest of another.
    return (size, validator) if validator or blind else (0, None)


def _begin_anew(part: Path) -> None:
    # The bytes go first: a label without bytes is harmless, old bytes under a new label are not.
    part.unlink(missing_ok=True)
    _label(part).unlink(missing_ok=True)


def _label(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _label_for(url: str, response: "Response") -> dict[str, str | None]:
    etag = response.headers.get("ETag")
    # If-Range takes strong validators only (RFC 9110, 13.1.5), so a weak ETag gives way to the date.
    strong = etag if etag and not etag.startswith("W/") else None
    return {"source": _source(url), "validator": strong or response.headers.get("Last-Modified")}


def _source(url: str) -> str:
    """The address as a digest: it may hold a key, and the label lies about for all to read."""
    return hashlib.sha256(url.encode()).hexdigest()


def _shown(url: str) -> str:
    """The address for people: without the name, password and query, where secrets travel."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the address"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _parse(checksum: str) -> tuple[str, str]:
    algorithm, _, digest = checksum.strip().lower().partition(":")
    if not re.fullmatch(rf"[0-9a-f]{{{_HEX_DIGITS.get(algorithm, 0)}}}", digest) or not digest:
        raise BadSettings(f"the checksum {checksum!r} is none; expected md5: or sha256: and the hexadecimal digest")
    return algorithm, digest


def _number(pattern: str, header: str | None) -> int | None:
    match = re.match(pattern, header.strip()) if header else None
    return int(match[1]) if match else None


def _wait(state: "RetryCallState") -> float:
    """Seconds before the next attempt: 1, 2, 4, … with a little chance in it, or what the server asked for if more."""
    from tenacity import wait_exponential_jitter

    fault = state.outcome.exception() if state.outcome else None
    asked = fault.wait if isinstance(fault, _PassingError) else 0.0
    return min(LONGEST_WAIT, max(asked, wait_exponential_jitter(initial=1, max=LONGEST_WAIT)(state)))


def _causes(fault: BaseException) -> Iterator[BaseException]:
    """The fault and what it came from, innermost last: requests and urllib3 wrap it several times."""
    seen: BaseException | None = fault
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _certificate(fault: BaseException) -> bool:
    from ssl import SSLCertVerificationError

    return any(isinstance(cause, SSLCertVerificationError) for cause in _causes(fault))


def _why(fault: BaseException) -> str:
    """The reason in a few words; the libraries' own texts carry the whole address with them."""
    reasons = [cause.strerror for cause in _causes(fault) if isinstance(cause, OSError) and cause.strerror]
    if reasons:
        return str(reasons[-1])
    late = any("Timeout" in type(cause).__name__ or isinstance(cause, TimeoutError) for cause in _causes(fault))
    return "no answer in time" if late else "the connection broke off"
