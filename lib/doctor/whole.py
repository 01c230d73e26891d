"""Doctor for a desk as it stands in the working folder: its settings, its jobs' options, then all checks.

    checks = examine_desk({name: load(name).COMMAND …}, {"retrain_cnn": lib.images.checks.checks}, offline=False)

Wrong settings are a line like any other: what they spoil is looked at with the defaults.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlite_utils.migrations import Migrations
from tzlocal import get_localzone_name

from lib.command import JobCommand, check_tables, options_of
from lib.doctor import OfAJob, examine
from lib.doctor.check import Check, Found, failed, ok, warning
from lib.errors import BadSettings, DeskError
from lib.schedules import Schedule
from lib.settings import SETTINGS_FILE, Settings, load_settings, read_settings_file

ChecksOfAJob = Callable[[Settings, Any], Iterable[Found]]


def examine_desk(
    commands: Mapping[str, JobCommand],
    checks: Mapping[str, ChecksOfAJob],
    *,
    data: Path | None = None,
    reports: Path | None = None,
    offline: bool = False,
    now: datetime | None = None,
) -> list[Check]:
    """All checks of the desk in the working folder. `commands` are its jobs', `checks` their domains' by job."""
    settings, faults = _settings(data, reports)
    schedules: dict[str, Schedule] = {}
    of_jobs: dict[str, OfAJob] = {}
    for name, command in commands.items():
        declared = command.job().schedule
        try:
            schedules[name] = settings.schedule_of(name, declared)
        except BadSettings as fault:
            schedules[name] = declared
            faults.append(str(fault))
        if name in checks:
            of_jobs[name] = partial(_of_a_job, command, checks[name], settings, known_wrong=bool(faults))
    if not faults:
        found = ok("settings", f"{SETTINGS_FILE} is in order" if SETTINGS_FILE.exists() else "all at their defaults")
        lines = [found]
    else:
        lines = [failed("settings", each, f"mend that; {SETTINGS_FILE.stem}.example.toml has all") for each in faults]

    def migrations() -> Iterator[Migrations]:
        for command in commands.values():
            yield from command.job().migrations()

    return [*lines, *examine(settings, schedules, of_jobs, now or datetime.now(UTC), offline, migrations)]


def _settings(data: Path | None, reports: Path | None) -> tuple[Settings, list[str]]:
    """The desk's settings, or what is left of them with the sentences that say what is wrong."""
    given = {"data": data, "reports": reports}
    faults = []
    desk: dict[str, Any] = {}
    try:
        desk, tables = read_settings_file()
        check_tables(desk, tables)
    except DeskError as fault:
        faults.append(str(fault))
    for attempt in (desk, {}):
        try:
            return load_settings(attempt, given), faults
        except DeskError as fault:
            if str(fault) not in faults:
                faults.append(str(fault))
    fallback = Settings.model_construct(timezone=get_localzone_name() or "UTC")
    return fallback.model_copy(update={name: value for name, value in given.items() if value is not None}), faults


def _of_a_job(command: JobCommand, checks: ChecksOfAJob, settings: Settings, *, known_wrong: bool) -> Iterator[Found]:
    try:
        options = options_of(command)
    except DeskError as fault:
        name = f"options of {command.name}"
        if known_wrong:  # one line is enough for one wrong setting
            yield warning(name, "not looked at, since the settings are wrong", "mend the settings first")
        else:
            yield failed(name, str(fault), "mend that setting")
        return
    yield from checks(settings, SimpleNamespace(**options))
