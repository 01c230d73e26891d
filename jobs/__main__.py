"""The desk's own commands.

python -m jobs list
"""

import importlib
import sys
from pathlib import Path
from typing import Any

import click

from lib.errors import DeskError

JOBS = ("retrain_cnn", "capture_tweets", "model_topics")


def load(name: str) -> Any:
    """A job's script as a module."""
    return importlib.import_module(f"jobs.{name}")


@click.group(help="The desk's own commands; a job is run with `python -m jobs.NAME`.")
def desk() -> None:
    """The group that the commands below join."""


@desk.command(name="list", help="The jobs and their schedules.")
def list_jobs() -> None:
    """Print a line a job."""
    for name in JOBS:
        job = load(name)
        print(f"{name:<16} {job.SCHEDULE!s:<14} {job.__doc__.splitlines()[0]}")


@desk.command(help="Print crontab.example, made from the schedules in the code.")
def crontab() -> None:
    """Print the crontab."""
    from lib.schedules import crontab_text

    print(crontab_text({name: load(name).SCHEDULE for name in JOBS}), end="")


@desk.command(help="Print nightdesk.example.toml: every setting, with its default.")
def settings() -> None:
    """Print the settings file."""
    from lib.command import settings_text

    print(settings_text([getattr(load(name), name) for name in JOBS]), end="")


@desk.command(help="Put the previous champion of the network back.")
@click.option("--data", type=click.Path(path_type=Path), help="What the desk keeps.  [default: data]")
def rollback(data: Path | None) -> None:
    """Have the champion and the previous one change places."""
    from lib.images.champion import rollback as put_back
    from lib.settings import load_settings, read_settings_file
    from lib.supervise import sentence

    try:
        settings = load_settings(read_settings_file()[0], {"data": data})
        print(put_back(settings.data))
    except DeskError as fault:
        print(sentence(str(fault)), file=sys.stderr)
        sys.exit(fault.exit_code)


@desk.command(help="Run every job on data the desk ships or makes, in data/demo and reports/demo.")
def demo() -> None:
    """Run the demo, job after job."""
    from lib.demo import run_demo

    sys.exit(run_demo({name: load(name).demo for name in JOBS}, Path("data/demo"), Path("reports/demo")))


if __name__ == "__main__":
    desk(prog_name="python -m jobs")
