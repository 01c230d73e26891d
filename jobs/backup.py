"""Back the desk up: the store, the networks, the captures and what runs keep, in a rotation, and report on it.

    python -m jobs.backup --to /mnt/other-disk/nightdesk

Makes a folder DATE-RUN in data/backups and writes reports/backup/DATE.html; `python -m jobs restore` puts one back.
"""

from pathlib import Path
from typing import Any

import click

from lib.command import job
from lib.schedules import Schedule

SCHEDULE = Schedule("05:30", catch_up="latest", deadline="2h")
LEFT_OUT = {
    "archives": "downloaded again when they are needed",
    "articles": "what you have put there; keep a copy of your own",
    "training": "made again by the next training",
    "nltk_data": "downloaded again when it is needed",
    "logs": "the service’s own; the runs’ logs are in the backup",
    "locks": "empty",
    "demo": "demo data",
    "streams": "demo data",
    "backups": "the backups themselves",
}


def plan(options: Any) -> list[str]:
    """What --dry-run prints."""
    to = options.to or options.data / "backups"
    kept = f"{options.keep_daily} days, {options.keep_weekly} weeks and {options.keep_monthly} months"
    return [
        f"copies {options.data / 'nightdesk.db'} and {', '.join(kind.folder for kind in kinds() if kind.backed_up)} "
        f"and the runs' folders to {to}",
        f"keeps the newest backup of each of the last {kept}",
        *(["removes from the data folder what is older than [keep] says"] if options.prune else []),
    ]


def kinds() -> list[Any]:
    """What the domains keep in the data folder, for backups and for `prune`."""
    from lib.images.keeping import models, training_logs
    from lib.tweets.keeping import captures

    return [models(), captures(), training_logs()]


@job(SCHEDULE, plan=plan, output="files", headline=("bytes", "Size", "bytes"))
@click.option(
    "--to", type=click.Path(path_type=Path, file_okay=False), help="Where backups lie.  [default: data/backups]"
)
@click.option("--keep-daily", type=click.IntRange(1, 1000), default=7, show_default=True, help="Of how many days.")
@click.option("--keep-weekly", type=click.IntRange(0, 1000), default=5, show_default=True, help="Of how many weeks.")
@click.option("--keep-monthly", type=click.IntRange(0, 1000), default=12, show_default=True, help="Of how many months.")
@click.option("--prune/--no-prune", default=False, show_default=True, help="Remove afterwards what [keep] lets go.")
def backup(run: Any, options: Any) -> None:
    """Back the desk up, and drop the backups that the rotation has no place for."""
    import time

    from lib.backup import left_out, make_backup, one_sentence
    from lib.manifest import backups_in
    from lib.prune import prune
    from lib.reports import settings_list
    from lib.rotation import rotate

    data, of_domains = run.settings.data, kinds()
    to = options.to or data / "backups"
    started = time.monotonic()
    with run.stage("copying", unit="files") as advance:
        made = make_backup(run.db, data, to, run.date, run.id, of_domains, advance)
    with run.stage("rotation"):
        places = rotate(
            to,
            data,
            run.settings.zone,
            daily=options.keep_daily,
            weekly=options.keep_weekly,
            monthly=options.keep_monthly,
            just_made=made.folder.name,
        )
        flawed = [each for each in backups_in(to, data) if each.flaw]
    pruned = None
    if options.prune:
        with run.stage("pruning"):
            pruned = prune(run.settings, of_domains, dry_run=False, holding=run.job)

    run.metrics = {
        "files": len(made.manifest.files),
        "bytes": made.manifest.bytes,
        "new_bytes": made.new_bytes,
        "linked": made.count("link", "before"),
        "copied": made.count("copy"),
        "database_rows": made.manifest.database_rows,
        "kept": sum(not each.dropped for each in places),
        "dropped": sum(each.dropped for each in places),
        "flawed": len(flawed),
        "seconds": round(time.monotonic() - started, 3),
        **({"pruned": len(pruned.removed), "pruned_bytes": pruned.bytes} if pruned else {}),
    }
    run.message = one_sentence(made, places, len(flawed))
    run.report(
        "backup.html",
        made=made,
        places=places,
        flawed=flawed,
        pruned=pruned,
        left_out=left_out(data, made.manifest, LEFT_OUT),
        metrics=run.metrics,
        longest=f"{options.keep_monthly} months" if options.keep_monthly else f"{options.keep_weekly or 1} weeks",
        settings=settings_list(vars(options).items()),
    )


def demo(data: Path) -> list[list[str]]:
    """Nothing has to be made: the demo's other jobs have left what is backed up; returns the options of one run."""
    return [[]]


if __name__ == "__main__":
    backup()
