"""When a tweet was written, from whichever of its fields tells."""

from calendar import timegm
from contextlib import suppress
from datetime import UTC, datetime

_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: 1 + place for place, name in enumerate(_NAMES)}
# Ids since 4 November 2010 are snowflakes: milliseconds since this moment in the bits above the lowest 22.
_SNOWFLAKE_EPOCH = 1288834974657
_FIRST_SNOWFLAKE = 29_700_859_247


def milliseconds(stamp: str | int | None, written: str | None, its_id: str) -> int | None:
    """When a tweet was written: from its timestamp, else from v1.1's or v2's way to write it, else from its id."""
    if stamp and str(stamp).isdecimal():
        return int(stamp)
    if written:
        # an unknown way to write a date is no reason to lose a tweet: its id tells too
        with suppress(ValueError, KeyError, OverflowError):
            if written[0].isdigit():
                moment = datetime.fromisoformat(written)
                return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
            _, month, day, clock, zone, year = written.split()  # Wed Jul 03 06:30:00 +0000 2019
            if zone == "+0000":
                hours, minutes, seconds = clock.split(":")
                return 1000 * timegm((int(year), _MONTHS[month], int(day), int(hours), int(minutes), int(seconds)))
    if its_id.isascii() and its_id.isdecimal() and int(its_id) > _FIRST_SNOWFLAKE:
        return (int(its_id) >> 22) + _SNOWFLAKE_EPOCH
    return None
