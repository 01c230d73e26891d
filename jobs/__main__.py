"""The desk's own commands, and without one the service that starts the jobs.

    python -m jobs
    python -m jobs list

It only parses: the work is in lib/.
"""

import functools
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from lib.errors import WrongUsage, as_desk_error
from lib.schedules import Schedule
from lib.streams import open_streams, print_json, print_lines

JOBS = ("retrain_cnn", "capture_tweets", "model_topics", "backup")
CHECKS = {
    "retrain_cnn": "lib.images.checks",
    "capture_tweets": "lib.tweets.checks",
    "model_topics": "lib.topics.checks",
}
PROGRAM = "nightdesk"  # what bin/nightdesk is called, for completion

JOB = click.Choice(JOBS)
DAY = click.DateTime(["%Y-%m-%d"])


def load(name: str) -> Any:
    """A job's script as a module."""
    return importlib.import_module(f"jobs.{name}")


def command_of(name: str) -> Any:
    """A job's click command."""
    return getattr(load(name), name)


@dataclass(frozen=True)
class Here:
    """The desk that a command is for."""

    settings: Any
    schedules: dict[str, Schedule]
    now: datetime

    def open(self) -> Any:
        """The store, or None where there is none yet."""
        from lib.store import STORE, open_store

        return open_store(self.settings.data) if (self.settings.data / STORE).exists() else None


def here(data: Path | None, reports: Path | None) -> Here:
    """The desk by its settings. Raises BadSettings."""
    from lib.command import check_tables
    from lib.settings import load_settings, read_settings_file

    desk_table, tables = read_settings_file()
    check_tables(desk_table, tables)
    settings = load_settings(desk_table, {"data": data, "reports": reports})
    schedules = {name: settings.schedule_of(name, load(name).SCHEDULE) for name in JOBS}
    return Here(settings, schedules, datetime.now(UTC))


def answering(work: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --data, --reports and --json, the desk as its first argument, and the desk's exit codes.

    `work` returns an Answer, or an exit code where it has said all by itself.
    """

    @click.option("--data", type=click.Path(path_type=Path), help="What the desk keeps.  [default: data]")
    @click.option("--reports", type=click.Path(path_type=Path), help="Where the pages are.  [default: reports]")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
    @functools.wraps(work)
    def run(data: Path | None, reports: Path | None, as_json: bool, **options: Any) -> None:
        from lib.supervise import sentence

        try:
            answer = work(here(data, reports), **options)
        except Exception as fault:
            known = as_desk_error(fault)
            if known is None:
                if as_json:
                    print_json({"error": f"A bug: {type(fault).__name__}: {fault}.", "exit_code": 1})
                raise
            if as_json and not isinstance(known, WrongUsage):
                print_json({"error": sentence(str(known)), "exit_code": known.exit_code})
            print(sentence(str(known)), file=sys.stderr)
            sys.exit(known.exit_code)
        if isinstance(answer, int):
            sys.exit(answer)
        if as_json:
            print_json(answer.data)
        else:
            print_lines(answer.lines)
        sys.exit(answer.exit_code)

    return run


@click.group(invoke_without_command=True, help="Without a command: the service, which starts the jobs at their times.")
@click.pass_context
def desk(context: click.Context) -> None:
    """The group that the commands below join."""
    if context.invoked_subcommand is None:
        context.invoke(serve)


@desk.command(help="Start the jobs at their times, until it is stopped. The same as no command.")
@answering
def serve(desk: Here) -> int:
    """The service."""
    from lib.service import serve as start

    return start(desk.schedules, desk.settings, before=looking(desk), after=telling(desk))


def looking(desk: Here) -> Callable[..., None]:
    """What a look at the desk begins with: seeing what is worth a message, while what is late still is."""
    from lib.notices import look

    return lambda db, now: look(db, desk.settings, desk.schedules, now)


def telling(desk: Here) -> Callable[..., None]:
    """What a look at the desk ends with: delivering what waits."""
    from lib.notices import watch

    def tell(db: Any, now: datetime) -> None:
        watch(db, desk.settings, desk.schedules, now)

    return tell


@desk.command(help="See what was missed, catch up, mark the dead and deliver messages. For cron, every ten minutes.")
@click.option("--quiet", is_flag=True, help="Say nothing unless it fails.")
@answering
def tick(desk: Here, quiet: bool) -> Any:
    """One look at the whole desk."""
    from lib.overview import Answer
    from lib.tick import tick as look

    report = look(desk.schedules, desk.settings, now=desk.now, before=looking(desk), after=telling(desk))
    return Answer(report.json, report.failed if quiet else report.lines, 1 if report.failed else 0)


@desk.command(name="list", help="The jobs, their schedules, next and last runs.")
@answering
def list_jobs(desk: Here) -> Any:
    """The jobs."""
    from lib.overview import of_jobs

    titles = {name: load(name).__doc__.splitlines()[0].rstrip(".") for name in JOBS}
    return of_jobs(desk.open(), desk.settings, desk.schedules, titles, desk.now)


@desk.command(name="next", help="The next fire times.")
@click.option("--count", "-n", type=click.IntRange(1, 1000), default=10, show_default=True)
@answering
def next_times(desk: Here, count: int) -> Any:
    """The next fire times."""
    from lib.overview import next_times as of_next

    return of_next(desk.settings, desk.schedules, count, desk.now)


@desk.command(help="The last runs, newest first.")
@click.argument("job", type=JOB, required=False)
@click.option("--status", type=click.Choice(["running", "ok", "failed", "skipped", "missed", "crashed"]))
@click.option("--count", "-n", type=click.IntRange(1, 100_000), default=20, show_default=True)
@answering
def runs(desk: Here, job: str | None, status: str | None, count: int) -> Any:
    """The last runs."""
    from lib.overview import of_runs

    return of_runs(desk.open(), desk.settings, job, status, count)


@desk.command(help="A run's row, figures and log. RUN is its number, or a job's name for its last one.")
@click.argument("run")
@answering
def show(desk: Here, run: str) -> Any:
    """One run."""
    from lib.overview import of_run

    return of_run(desk.open(), desk.settings, run)


@desk.command(
    help="Run a job now; the same as `python -m jobs.JOB`, whose options follow.",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("job", type=JOB)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def run(job: str, options: tuple[str, ...]) -> None:
    """Hand over to the job."""
    command_of(job).main(list(options))


@desk.command(
    help="Back the desk up now; the same as `python -m jobs.backup`, whose options follow.",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def backup(options: tuple[str, ...]) -> None:
    """Hand over to the job."""
    command_of("backup").main(list(options))


@desk.command(help="Put a backup back: its folder, or `latest`.")
@click.argument("source", default="latest")
@click.option("--force", is_flag=True, help="Move what is there aside first.")
@answering
def restore(desk: Here, source: str, force: bool) -> Any:
    """Restore from a backup."""
    from lib.command import options_of
    from lib.restore import restore as put_back

    backups = options_of(command_of("backup"))["to"]
    return put_back(source, desk.settings, force=force, jobs=JOBS, backups=backups)


@desk.command(help="Remove what is older than [keep] in nightdesk.toml says.")
@click.option("--dry-run", is_flag=True, help="Print what would go and remove nothing.")
@answering
def prune(desk: Here, dry_run: bool) -> Any:
    """Prune."""
    from lib.prune import prune as remove

    return remove(desk.settings, load("backup").kinds(), dry_run=dry_run, now=desk.now)


@desk.command(help="Run a job for the dates of a range that have no result yet, one after another.")
@click.argument("job", type=JOB)
@click.option("--from", "first", type=DAY, required=True, metavar="YYYY-MM-DD")
@click.option("--to", "last", type=DAY, required=True, metavar="YYYY-MM-DD")
@click.option("--dry-run", is_flag=True, help="Print the dates and run nothing.")
@answering
def backfill(desk: Here, job: str, first: datetime, last: datetime, dry_run: bool) -> Any:
    """Make up for dates."""
    from lib.backfill import backfill as make_up

    return make_up(job, desk.schedules[job], desk.settings, first.date(), last.date(), dry_run=dry_run)


@desk.command(help="Say what is fit and what isn't. Exit 0 if all that is required is well, else 1.")
@click.option("--data", type=click.Path(path_type=Path), help="What the desk keeps.  [default: data]")
@click.option("--reports", type=click.Path(path_type=Path), help="Where the pages are.  [default: reports]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@click.option("--offline", is_flag=True, help="Leave out what needs the network.")
def doctor(data: Path | None, reports: Path | None, as_json: bool, offline: bool) -> None:
    """Examine the desk. Wrong settings are a finding here and end nothing: hence no `answering`."""
    from lib import doctor
    from lib.doctor.whole import examine_desk

    commands = {name: command_of(name) for name in JOBS}
    checks = {name: importlib.import_module(module).checks for name, module in CHECKS.items()}
    found = examine_desk(commands, checks, data=data, reports=reports, offline=offline)
    if as_json:
        print_json(doctor.as_json(found))
    else:
        print_lines(doctor.as_lines(found))
    sys.exit(doctor.exit_code(found))


@desk.command(help="Messages that wait; with --test a message over each way that is set up, now.")
@click.option("--test", is_flag=True, help="Send a message over each way now. Exit 1 if one fails.")
@answering
def notify(desk: Here, test: bool) -> Any:
    """Try the lot."""
    from lib.overview import of_messages, of_tried

    return of_tried(desk.settings, JOBS[0]) if test else of_messages(desk.open(), desk.settings)


@desk.command(help="Print the lines for cron, made from the schedules.")
@answering
def crontab(desk: Here) -> Any:
    """The crontab."""
    from tzlocal import get_localzone_name

    from lib.overview import Answer
    from lib.schedules import crontab_text

    text = crontab_text(desk.schedules, desk=desk.settings.timezone, machine=get_localzone_name() or "UTC")
    return Answer({"crontab": text}, text.splitlines())


@desk.command(help="Print nightdesk.example.toml: every setting, with its default.")
def settings() -> None:
    """Print the settings file."""
    from lib.command import settings_text

    print(settings_text([command_of(name) for name in JOBS]), end="")


@desk.command(help="Put the previous champion of the network back.")
@answering
def rollback(desk: Here) -> Any:
    """Have the champion and the previous one change places."""
    from lib.images.champion import rollback as put_back
    from lib.overview import Answer

    said = put_back(desk.settings.data)
    return Answer({"message": said}, [said])


@desk.command(help=f"Print the completion of bin/{PROGRAM} for a shell: put its output where your shell reads it.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion."""
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None  # click has these three
    print(made(desk, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source())


@desk.command(help="Run every job on data the desk ships or makes, in data/demo and reports/demo.")
def demo() -> None:
    """Run the demo, job after job."""
    from lib.demo import run_demo

    sys.exit(run_demo({name: load(name).demo for name in JOBS}, Path("data/demo"), Path("reports/demo")))


if __name__ == "__main__":
    open_streams()
    desk(prog_name="python -m jobs", complete_var=f"_{PROGRAM.upper()}_COMPLETE")
