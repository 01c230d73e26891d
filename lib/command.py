"""The command line that every job has: the common options, where their defaults come from, output and exit codes.

A job's own settings are its click options. Their defaults come from a table of the job's name in nightdesk.toml, then
from NIGHTDESK_JOB_OPTION in the environment; click checks them all alike.
"""

import datetime
import functools
import json
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from lib.errors import BadSettings, DeskError, WrongUsage, as_desk_error
from lib.schedules import Schedule
from lib.settings import SETTINGS_FILE, load_settings, read_settings_file
from lib.streams import open_streams, print_json, print_lines

COMMON = ("data", "reports", "date", "as_json", "quiet", "dry_run", "force")


class NumberOrAuto(click.IntRange):
    """A whole number within bounds, or the word "auto"."""

    name = "integer or auto"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        """What click calls to read a value."""
        return value if value == "auto" else super().convert(value, param, context)


class JobCommand(click.Command):
    """A click command with nightdesk.toml behind its options and the desk's exit codes."""

    job: Any = None  # () -> lib.job.Job, set by `job`
    settle: Any = None  # (params, names typed by hand) -> the options that follow from others, set by `job`

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> Any:  # type: ignore[override]
        """Parse, run and exit. 2 for wrong usage, 78 for a wrong setting, else the job's own code."""
        open_streams()
        given = list(args) if args is not None else sys.argv[1:]
        try:
            code = super().main(given, prog_name=f"python -m jobs.{self.name}", standalone_mode=False, **extra)
        except click.UsageError as fault:
            source = _configured(fault)
            if source is None:
                fault.show()
                sys.exit(fault.exit_code)
            code = _refuse(self.name or "", BadSettings(f"{source}: {fault.message}"), "--json" in given)
        except DeskError as fault:
            code = _refuse(self.name or "", fault, "--json" in given)
        except click.exceptions.Abort:
            stopped = DeskError(
                "interrupted before its work or after it; `python -m jobs runs` tells whether there is a run"
            )
            stopped.exit_code = 130
            code = _refuse(self.name or "", stopped, "--json" in given)
        sys.stdout.flush()
        sys.exit(code or 0)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> click.Context:
        """Put the job's table of nightdesk.toml and its environment behind the options."""
        self.desk, tables = read_settings_file()
        mine = tables.get(self.name or "", {})
        own = [each.name for each in self.params if each.name not in COMMON and each.name != "help"]
        for name, value in mine.items():
            if name not in own:
                expected = ", ".join(sorted(filter(None, own)))
                raise BadSettings(
                    f"{SETTINGS_FILE} has an unknown setting {name} in [{self.name}]; expected one of {expected}"
                )
            _check_type(self.name or "", next(each for each in self.params if each.name == name), value)
        check_tables(self.desk, tables)
        extra.setdefault("default_map", mine)
        extra.setdefault("auto_envvar_prefix", f"NIGHTDESK_{(self.name or '').upper()}")
        return super().make_context(info_name, args, parent, **extra)


def options_of(command: JobCommand) -> dict[str, Any]:
    """The options that a start without any gets, from defaults, nightdesk.toml and the environment; nothing is run.

    Raises BadSettings where one of them is wrong, and WrongUsage where some don't go together.
    """
    try:
        params = command.make_context(command.name, []).params
    except click.UsageError as fault:
        raise BadSettings(f"{_configured(fault) or command.name}: {fault.message}") from fault
    own = {name: value for name, value in params.items() if name not in COMMON}
    return {**own, **command.settle(params, ())}


def check_tables(desk: Mapping[str, Any], tables: Collection[str]) -> None:
    """See that each table of nightdesk.toml belongs to the desk or to a job. Raises BadSettings."""
    scripts = (Path(__file__).parent.parent / "jobs").glob("[!_]*.py")
    known = sorted(path.stem for path in scripts if "\nSCHEDULE = " in path.read_text(encoding="utf-8"))
    scheduled = desk.get("schedule", {})
    named = {name: name for name in tables}
    named |= {f"schedule.{name}": name for name in (scheduled if isinstance(scheduled, dict) else ())}
    for shown, name in named.items():
        if name not in known:
            raise BadSettings(f"{SETTINGS_FILE} has a table for no job, [{shown}]; expected {', '.join(known)}")


def _check_type(table: str, param: click.Parameter, value: Any) -> None:
    """What TOML can say and click would turn into something else, or into a traceback."""
    several = getattr(param, "multiple", False)
    whole = isinstance(param.type, click.IntRange)
    for each in value if isinstance(value, list) and several else [value]:
        if isinstance(each, list | dict) or (whole and not isinstance(each, int | str)) or (whole and each is True):
            expected = "a whole number" if whole else "one value" if not several else "a list of texts"
            raise BadSettings(f"{SETTINGS_FILE}, [{table}] {param.name} is {value!r}; expected {expected}")


def job(
    schedule: Schedule,
    *,
    migrations: Callable[[], Sequence[Any]] = tuple,
    plan: Callable[[Any], Sequence[str]],
    settle: Callable[[Mapping[str, Any], Collection[str]], dict[str, Any]] = lambda params, by_hand: {},
    output: str | None = None,
    headline: tuple[str, str, str] | None = None,
) -> Callable[[Callable[..., None]], JobCommand]:
    """Make a verb function `(run, options)` the command of a job, named as the function is.

    `plan` returns the lines that --dry-run prints; it may look, and must write nothing. `settle` gets the
    options and the names of those typed by hand, and returns the ones that follow from others; it raises WrongUsage
    where some don't go together. `output` is the metric that says how much came out of a run, `headline` the
    job's key figure: a metric, what people call it, and how it is written ("number", "percent", "signed", "bytes",
    "seconds").
    """

    def decorate(work: Callable[..., None]) -> JobCommand:
        name = work.__name__

        def declared() -> Any:
            from lib.job import Job  # the store, the pages: not needed to answer --help

            return Job(name, work, schedule, migrations, plan, output, headline)

        @functools.wraps(work)
        @click.pass_context
        def callback(context: click.Context, /, **params: Any) -> int:
            by_hand = [name for name in params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
            return _start(context, declared(), {**params, **settle(params, by_hand)})

        command = click.command(
            name,
            cls=JobCommand,
            epilog=f"Schedule: {schedule}. Exit codes: 0 done or already "
            "committed, 1 failed, 2 wrong usage, 65 bad data, 69 no source, 73 can't write, "
            "75 another run at work, 77 not permitted, 78 bad settings.",
        )(callback)
        for decorator in _COMMON_OPTIONS:
            command = decorator(command)
        command.job, command.settle = declared, settle
        return command

    return decorate


_COMMON_OPTIONS = (
    click.option("--data", type=click.Path(path_type=Path), help="What the desk reads and keeps.  [default: data]"),
    click.option("--reports", type=click.Path(path_type=Path), help="Where pages are written.  [default: reports]"),
    click.option(
        "--date",
        type=click.DateTime(["%Y-%m-%d"]),
        metavar="YYYY-MM-DD",
        help="The logical date.  [default: today in the desk's time zone]",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object."),
    click.option("--quiet", is_flag=True, help="Say nothing on stderr unless it fails."),
    click.option("--dry-run", is_flag=True, help="Print the plan and write nothing."),
    click.option("--force", is_flag=True, help="Replace the result that this date already has."),
)


def _start(context: click.Context, declared: Any, params: dict[str, Any]) -> int:
    command = context.command
    assert isinstance(command, JobCommand)
    as_json, quiet = params["as_json"], params["quiet"]
    options = {name: value for name, value in params.items() if name not in COMMON}
    date: datetime.date | None = None
    try:
        settings = load_settings(command.desk, {"data": params["data"], "reports": params["reports"]})
        declared = _told(replace(declared, schedule=settings.schedule_of(declared.name, declared.schedule)))
        date = params["date"].date() if params["date"] else datetime.datetime.now(settings.zone).date()
        if params["dry_run"]:
            return _print_plan(declared, settings, date, options, as_json=as_json)
        result = declared.start(settings, date, options, force=params["force"], quiet=quiet, as_json=as_json)
    except Exception as fault:
        known = as_desk_error(fault)
        if known is None:
            if as_json:
                _print_refused(declared.name, date)
            raise
        return _refuse(declared.name, known, as_json, date)
    if as_json:
        print_json(result.json)
    if result.exit_code or not quiet:
        from lib.logs import printable

        where = f" Report: {result.json['report']}" if result.json["report"] else ""
        print(printable(f"{result.message}{where}"), file=sys.stderr)
    return int(result.exit_code)


def _told(declared: Any) -> Any:
    """The job, with its starts and ends told to whom [notify] says."""
    from lib import notices

    return replace(
        declared,
        on_start=notices.started,
        on_end=lambda db, settings, run, log: notices.ended(db, settings, run, declared.output, log),
    )


def _print_plan(declared: Any, settings: Any, date: datetime.date, options: dict[str, Any], *, as_json: bool) -> int:
    from types import SimpleNamespace

    from lib.reports import page_name
    from lib.runs import json_object

    lines = [
        f"{declared.name} for {date}, within {declared.schedule.deadline}",
        *declared.plan(SimpleNamespace(**options, data=settings.data)),
        f"writes {settings.data / 'nightdesk.db'} and {settings.reports / page_name(declared.name, date.isoformat())}",
    ]
    if as_json:
        plan = json_object(declared.name, date.isoformat(), "planned", metrics={"plan": lines})
        print_json(plan)
    else:
        print_lines(lines)
    return 0


def _refuse(name: str, fault: DeskError, as_json: bool, date: datetime.date | None = None) -> int:
    """Say that a run didn't even start, and return its exit code."""
    from lib.logs import printable
    from lib.supervise import sentence

    if as_json and fault.exit_code != WrongUsage.exit_code:
        _print_refused(name, date)
    print(printable(sentence(str(fault))), file=sys.stderr)
    return fault.exit_code


def _print_refused(name: str, date: datetime.date | None) -> None:
    from lib.runs import json_object

    print_json(json_object(name, date.isoformat() if date else None, "failed"))


def _configured(fault: click.UsageError) -> str | None:
    """Where a bad value came from, unless a person has just typed it."""
    param, context = getattr(fault, "param", None), fault.ctx
    if param is None or context is None or param.name is None:
        return None
    source = context.get_parameter_source(param.name)
    if source is ParameterSource.DEFAULT_MAP:
        return f"{SETTINGS_FILE}, [{context.command.name}] {param.name}"
    if source is ParameterSource.ENVIRONMENT:
        return f"{context.auto_envvar_prefix}_{param.name.upper()} in the environment"
    return None


def settings_text(commands: Sequence[JobCommand]) -> str:
    """The text of nightdesk.example.toml: the desk's settings, its tables, then the jobs', all at their defaults."""
    from lib.settings import TABLES, Settings

    lines = [
        "# Every setting, with its default. Copy this file to nightdesk.toml and take the # from what you change.",
        "# NIGHTDESK_NAME, NIGHTDESK_TABLE__NAME or NIGHTDESK_JOB_NAME in the environment comes before this file, an",
        "# option before both.",
        "",
    ]
    fields = Settings.model_fields
    lines += _with_defaults({name: field for name, field in fields.items() if name not in TABLES})
    for table in ("notify", "keep"):
        lines += ["", f"[{table}]", *_with_defaults(fields[table].annotation.model_fields)]  # type: ignore[union-attr]
    for command in commands:
        lines += ["", f"[{command.name}]"]
        for param in command.params:
            if not isinstance(param, click.Option) or param.name in (*COMMON, "help"):
                continue
            default = [] if param.multiple else param.default
            if not isinstance(default, str | int | float | list):
                default = False if param.is_flag else ""  # click marks "no default" with an object of its own
            kind = f" ({', '.join(param.type.choices)})" if isinstance(param.type, click.Choice) else ""
            lines += [f"# {param.help or param.name}{kind}", f"# {param.name} = {json.dumps(default)}"]
    for command in commands:
        lines += ["", f"[schedule.{command.name}]"]
        lines += [f"# {name} = {json.dumps(value)}" for name, value in asdict(command.job().schedule).items()]
    return "\n".join(lines) + "\n"


def _with_defaults(fields: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, field in fields.items():
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        lines += [f"# {field.description}", f"# {name} = {json.dumps(default, default=str)}"]
    return lines
