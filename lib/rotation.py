"""Which backups a rotation keeps: the newest of each of the last days, weeks and months (grandfather, father, son).

to_drop({"a": datetime(2026, 11, 22), "b": datetime(2026, 11, 23)}, daily=1, weekly=0, monthly=0)  # {"a"}
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from lib.files import aside_of
from lib.keeping import remove
from lib.manifest import NAME, Manifest, backups_in, desk_name

# The period that a moment lies in; ISO weeks begin on Monday and belong to one year.
_PERIODS: dict[str, Callable[[datetime], tuple[int, ...]]] = {
    "day": lambda moment: (moment.year, moment.month, moment.day),
    "week": lambda moment: tuple(moment.isocalendar())[:2],
    "month": lambda moment: (moment.year, moment.month),
}


def reasons(made: Mapping[str, datetime], *, daily: int, weekly: int, monthly: int) -> dict[str, list[str]]:
    """Why each backup is kept, the newest first: newest, day, week, month; an empty list where nothing keeps it.

    `made` has the moment of each in the desk's time zone. Periods in which none was made don't count, so that a desk
    that was off for a month keeps as many as ever. The newest is always kept.
    """
    newest_first = sorted(made, key=lambda name: (made[name], name), reverse=True)
    found: dict[str, list[str]] = {name: [] for name in newest_first}
    for name in newest_first[:1]:
        found[name].append("newest")
    for (period, of), most in zip(_PERIODS.items(), (daily, weekly, monthly), strict=True):
        seen: set[tuple[int, ...]] = set()
        for name in newest_first:
            if len(seen) < most and of(made[name]) not in seen:
                seen.add(of(made[name]))
                found[name].append(period)
    return found


def to_drop(made: Mapping[str, datetime], *, daily: int, weekly: int, monthly: int) -> set[str]:
    """The backups that the rotation has no place for. Only whole ones should be asked about."""
    found = reasons(made, daily=daily, weekly=weekly, monthly=monthly)
    return {name for name, why in found.items() if not why}


@dataclass(frozen=True)
class Place:
    """A backup in the rotation, and what keeps it there; `dropped` where nothing does."""

    name: str
    manifest: Manifest
    why: tuple[str, ...]

    @property
    def dropped(self) -> bool:
        """Whether the rotation has let it go."""
        return not self.why


def rotate(
    to: Path, data: Path, zone: tzinfo, *, daily: int, weekly: int, monthly: int, just_made: str = ""
) -> list[Place]:
    """Drop this desk's backups that the rotation has no place for; all of them, the newest first, as they were before.

    Only whole ones take a place; those with a flaw are left for a person to look at. `just_made` stays, also where a
    wrong clock has dated another one after it. Raises OSError.
    """
    whole = {
        each.folder.name: each.manifest for each in backups_in(to, data) if each.manifest is not None and not each.flaw
    }
    moments = {name: manifest.moment.astimezone(zone) for name, manifest in whole.items()}
    found = reasons(moments, daily=daily, weekly=weekly, monthly=monthly)
    if found.get(just_made) == []:
        found[just_made].append("newest")
    for name in to_drop(moments, daily=daily, weekly=weekly, monthly=monthly) - {just_made}:
        aside = aside_in(to, name, data)
        (to / name).rename(aside)  # first: nobody may take half of it for a backup
        remove(aside)
    return [Place(name, whole[name], tuple(why)) for name, why in found.items()]


def sweep(data: Path, to: Path) -> None:
    """Remove what a backup or a rotation of this desk that was killed has left in `to`. Raises OSError."""
    own = re.compile(rf"\.{NAME.pattern}\.{_tag(data)}[0-9a-f]{{8}}\.aside")
    for path in to.iterdir():
        if own.fullmatch(path.name):
            remove(path)


def _tag(data: Path) -> str:
    return hashlib.sha256(desk_name(data).encode()).hexdigest()[:8]


def aside_in(to: Path, name: str, data: Path) -> Path:
    """A hidden name for a backup in `to` that only this desk sweeps: desks may share a folder of backups."""
    head, mark, ending = aside_of(to / name).name.rsplit(".", 2)
    return to / f"{head}.{_tag(data)}{mark[8:]}.{ending}"
