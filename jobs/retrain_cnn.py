"""Retrain the CIFAR-100 network, judge it against the champion, promote it if it is better, and report.

    python -m jobs.retrain_cnn --recipe fast --minutes 5

Fetches the archive once, keeps the champion in data/models and writes reports/retrain_cnn/DATE.html.
"""

from pathlib import Path
from time import perf_counter
from typing import Any

import click

from lib.command import job
from lib.schedules import Schedule

SCHEDULE = Schedule("02:15", catch_up="latest", deadline="5h")


def plan(options: Any) -> list[str]:
    """What --dry-run prints."""
    asked = f"{options.minutes:g} minutes" if options.minutes else options.epochs and f"{options.epochs} epochs"
    seed = "of the date" if options.seed is None else options.seed
    return [
        f"reads {options.archive or 'the official CIFAR-100 archive, downloaded if it is not in data/archives'}",
        f"trains the recipe {options.recipe} for {asked or 'as long as it says'}, seed {seed}",
        f"judges it against {options.data / 'models' / 'champion.keras'}",
    ]


def migrations() -> list[Any]:
    """The migrations of this job's tables."""
    from lib.images.tables import migrations as of_images

    return [of_images]


@job(SCHEDULE, migrations=migrations, plan=plan, output="epochs", headline=("accuracy", "Accuracy", "percent"))
@click.option(
    "--recipe",
    type=click.Choice(["seed", "fast", "best"]),
    default="best",
    show_default=True,
    help="seed is the original's; the others are modern.",
)
@click.option("--epochs", type=click.IntRange(1, 10_000), help="Epochs to train.  [default: the recipe's]")
@click.option(
    "--minutes", type=click.FloatRange(0.05, 280), help="Fit all of it, from reading on, into this time, not epochs."
)
@click.option("--archive", help="The archive: a path, or an address.  [default: the official one, downloaded once]")
@click.option("--checksum", help="Of that archive: md5 or sha256 in hexadecimal; an address needs one.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Of all that is random.  [default: the date]")
@click.option("--fresh", is_flag=True, help="Start from new weights; best goes on from the champion's where it can.")
def retrain_cnn(run: Any, options: Any) -> None:
    """Retrain the CIFAR-100 network, and promote it if it is better than the champion."""
    began = perf_counter()  # Keras and what carries it take seconds to load, which --help need not wait for
    from lib.files import is_demo, shown
    from lib.images import champion, past, saving, summary, tables
    from lib.images.archive import fetch, read_archive
    from lib.images.evaluation import evaluate
    from lib.images.networks import describe_layers, first_filters, predict
    from lib.images.resume import forget_state
    from lib.images.sizing import recipe_here
    from lib.images.split import SPLIT, channel_statistics, validation_split
    from lib.images.training import images_of, train
    from lib.images.verdict import Material, judge
    from lib.reports import settings_list

    data, recipe = run.settings.data, recipe_here(options.recipe, options.epochs, options.minutes)
    folder, seed = data / "training" / recipe.name, past.seed_of(options.seed, run.date)
    with run.stage("fetching", unit="bytes") as advance:
        path = fetch(options.archive, data, checksum=options.checksum, progress=advance)
    run.demo = run.demo or is_demo([path])
    with run.stage("reading"):
        archive = read_archive(path)
        training, judging = validation_split(archive.train_fine, archive.checksum)
        material = Material.of(archive, len(judging), SPLIT, demo=run.demo)
        statistics = channel_statistics(archive.train_images, training)
        notes = champion.settle(run.db, data)
        standing = champion.load_champion(run.db, data)
        recipe, start = past.going_on(recipe, standing, material, fresh=options.fresh)
    validation = archive.train_images[judging], archive.train_fine[judging]
    with run.stage("training", images_of(recipe, len(training), options.epochs, options.minutes), "images") as advance:
        trained = train(
            recipe,
            archive.train_images[training],
            archive.train_fine[training],
            validation,
            statistics,
            epochs=options.epochs,
            minutes=options.minutes,
            spent=perf_counter() - began - run.stages.seconds["fetching"],
            seed=seed,
            folder=folder,
            start=start,
            on_step=advance,
            on_epoch=lambda epoch: run.stages.say(summary.of_epoch(epoch)),
        )
    with run.stage("judging"):
        staged = saving.stage(trained.model, data, run.id)
        model = saving.load(staged.path, staged.sha256)  # the figures are those of the very file
        chances = predict(model, validation[0])
        theirs = predict(standing.model, validation[0]) if standing.model is not None else None
        verdict = judge(standing.card, theirs, material, chances, validation[1])
    with run.stage("testing"):  # all is decided: the one look at the test images
        judged = evaluate(chances, validation[1], archive.superclass_of)
        tested = evaluate(predict(model, archive.test_images), archive.test_fine, archive.superclass_of)
        before = None
        if standing.model is not None:
            before = evaluate(predict(standing.model, archive.test_images), archive.test_fine, archive.superclass_of)
    night = summary.Night(
        run=run.id,
        date=run.date,
        recipe=recipe.name,
        seed=seed,
        material=material,
        trained=trained,
        validation=judged,
        test=tested,
        verdict=verdict,
        champion=standing.card,
        champion_test=before,
        notes=[*notes, *standing.notes],
    )
    card = summary.card(night, staged)
    run.metrics = summary.metrics(night, data)
    run.message = summary.one_sentence(night)
    run.save(lambda db: summary.save(db, night, card))
    run.after_commit += [lambda: champion.settle(run.db, data), lambda: forget_state(folder)]
    with run.stage("charts"):
        nights = tables.nights(run.db, run.date, summary.NIGHTS_SHOWN)
        inside: dict[str, Any] = {"layers": describe_layers(model), "filters": first_filters(model)}
        page = summary.page(night, archive.test_images, archive.test_fine, nights=nights, **inside)
    run.report(
        "retrain_cnn.html",
        settings=settings_list(vars(options).items()),
        files=[shown(path)],
        **page,
    )


def demo(data: Path) -> list[list[str]]:
    """Write a small archive under `data`; returns the options of one run that trains on it."""
    from lib.images.demo import write_demo_archive

    return [["--archive", str(write_demo_archive(data / "archives")), "--recipe", "fast", "--minutes", "0.5"]]


if __name__ == "__main__":
    retrain_cnn()
