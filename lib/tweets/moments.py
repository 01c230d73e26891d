"""When a tweet was written, from whichever of its fields tells."""

from calendar import timegm
from contextlib import suppress
from datetime import UTC, datetime

_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: 1 + place for place, name in enumerate(_NAMES)}
# Ids since 4 November 2010 are snowflakes: milliseconds since this moment in the bits above the lowest 22.
_SNOWFLAKE_EPOCH = 1288834974657
_FIRST_SNOWFLAKE = 29_700_859_247
# From the first tweet (21 March 2006) to 2100: what lies outside is a mistake, or somebody's joke.
_FIRST_MS, _LAST_MS = 1_142_899_200_000, 4_102_444_800_000
_LONGEST_NUMBER = 20  # digits


def milliseconds(stamp: str | int | None, written: str | None, its_id: str) -> int | None:
    """When a tweet was written: from its timestamp, else from v1.1's or v2's way to write it, else from its id.

    None where none of them tells, or what they tell can't be.
    """
    if stamp and (known := believable(stamp)) is not None:
        return known
    if written and (known := believable(_read(written))) is not None:
        return known
    if its_id.isascii() and its_id.isdecimal() and len(its_id) <= _LONGEST_NUMBER and int(its_id) > _FIRST_SNOWFLAKE:
        return believable((int(its_id) >> 22) + _SNOWFLAKE_EPOCH)
    return None


def believable(stamp: str | int | None) -> int | None:
    """Milliseconds since 1970 as a number, or None where they are none that a tweet can have."""
    if isinstance(stamp, str):
        stamp = int(stamp) if stamp.isascii() and stamp.isdecimal() and len(stamp) <= _LONGEST_NUMBER else None
    return stamp if stamp is not None and _FIRST_MS <= stamp < _LAST_MS else None


def _read(written: str) -> int | None:
    """A date in v1.1's way or in ISO 8601. One that can't be read is no reason to lose a tweet: its id tells too."""
    with suppress(ValueError, KeyError, OverflowError):
        if written[0].isdigit():
            moment = datetime.fromisoformat(written)
            return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
        _, month, day, clock, zone, year = written.split()  # Wed Jul 03 06:30:00 +0000 2019
        if zone == "+0000":
            hours, minutes, seconds = clock.split(":")
            return 1000 * timegm((int(year), _MONTHS[month], int(day), int(hours), int(minutes), int(seconds)))
    return None
