"""Train by the recipes, each training in a process of its own, and time it; or time the augmentation's share of a step.

    python bench/images.py [--archive PATH] [--recipe seed|fast|best]… [--epochs N] [--minutes M] [--seeds 1,2,3]
                           [--test]
    python bench/images.py --augmentation [--archive PATH] [--recipe seed]

Without --archive it reads cifar-100-python.tar.gz in NIGHTDESK_REAL_DATA, or an archive drawn here where that isn't
set. Accuracies are the validation images'; with --test the kept model looks at the test images too, once, at its end.
Prints each training, and the mean or the median over the seeds beside what is asked for.
"""

import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import click

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

ORIGINAL = 49.27  # per cent of the test images, on the slides
SECONDS = {"seed": 15 * 60, "fast": 5 * 60}  # at most, on two cores
SHARE = 10  # per cent of a step at most for augmentation


class Result(NamedTuple):
    """One training: seconds from the archive to the kept model, images a second, accuracies in per cent, peak MiB."""

    seconds: float
    speed: float
    validation: float
    test: float | None
    mebibytes: float
    epochs: int
    precision: str
    judges: tuple[int, int]  # images of validation and test


def measure(path: Path, name: str, seed: int, epochs: int | None, minutes: float | None, test: bool) -> Result:
    """Train once, from the archive on."""
    import resource

    started = time.perf_counter()
    from lib.images.archive import read_archive
    from lib.images.networks import predict
    from lib.images.recipes import RECIPES
    from lib.images.split import channel_statistics, validation_split
    from lib.images.training import train

    archive = read_archive(path)
    teaching, judging = validation_split(archive.train_fine, archive.checksum)
    images, labels = archive.train_images[teaching], archive.train_fine[teaching]
    validation = archive.train_images[judging], archive.train_fine[judging]
    with tempfile.TemporaryDirectory() as folder:
        trained = train(
            RECIPES[name],
            images,
            labels,
            validation,
            channel_statistics(images),
            epochs=epochs,
            minutes=minutes,
            seed=seed,
            folder=Path(folder),
        )
    seconds = time.perf_counter() - started
    right = predict(trained.model, validation[0]).argmax(axis=1) == validation[1]
    seen = predict(trained.model, archive.test_images).argmax(axis=1) == archive.test_fine if test else None
    return Result(
        seconds,
        trained.images_per_second,
        100 * float(right.mean()),
        100 * float(seen.mean()) if seen is not None else None,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        trained.epochs,
        trained.precision,
        (len(validation[1]), len(archive.test_fine)),
    )


def augmentation(path: Path, name: str, rounds: int = 5) -> tuple[float, float, float]:
    """Images a second of training with augmentation and without, medians of as many rounds, and of augmentation alone.

    A round is two epochs of 9,600 images, of which the second counts; rounds with and without take turns.
    """
    from lib.images.archive import read_archive
    from lib.images.augment import Augmentation, augment
    from lib.images.recipes import RECIPES
    from lib.images.split import channel_statistics
    from lib.images.training import train

    archive, recipe = read_archive(path), RECIPES[name]
    images, labels = archive.train_images[:9600], archive.train_fine[:9600]
    batch = images[: recipe.batch]
    augment(batch, recipe.augmentation, seed=0, epoch=0, step=0)
    started = time.perf_counter()
    for step in range(50):
        augment(batch, recipe.augmentation, seed=0, epoch=0, step=step)
    alone = 50 * len(batch) / (time.perf_counter() - started)
    speeds: dict[bool, list[float]] = {True: [], False: []}
    for number in range(rounds):
        for with_it in (True, False) if number % 2 else (False, True):
            how = recipe if with_it else replace(recipe, augmentation=Augmentation())
            with tempfile.TemporaryDirectory() as folder:
                trained = train(
                    how,
                    images,
                    labels,
                    (images[:1], labels[:1]),
                    channel_statistics(images),
                    epochs=2,
                    seed=number,
                    folder=Path(folder),
                )
            speeds[with_it].append(trained.history[-1].images_per_second)
    return statistics.median(speeds[True]), statistics.median(speeds[False]), alone


@click.command()
@click.option("--archive", type=click.Path(exists=True, path_type=Path))
@click.option("--recipe", "recipes", multiple=True, default=("seed", "fast"), help="May be repeated.")
@click.option("--epochs", type=int)
@click.option("--minutes", type=float)
@click.option("--seeds", default="1,2,3")
@click.option("--test", is_flag=True, help="Look at the test images too.")
@click.option("--augmentation", "share", is_flag=True)
def main(
    archive: Path | None,
    recipes: tuple[str, ...],
    epochs: int | None,
    minutes: float | None,
    seeds: str,
    test: bool,
    share: bool,
) -> None:
    """Measure and print."""
    from lib.images.demo import write_demo_archive
    from lib.machine import describe

    print(describe(("keras", "tensorflow-cpu", "numpy")), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        real = os.environ.get("NIGHTDESK_REAL_DATA")
        path = archive or (Path(real, "cifar-100-python.tar.gz") if real else write_demo_archive(Path(folder)))
        print(f"{path.name}, load {os.getloadavg()[0]:.1f}")
        for name in recipes:
            # A fresh process for each: what a training compiles or keeps is no other's.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
                if share:
                    print_share(name, *pool.submit(augmentation, path, name).result())
                    continue
                results = []
                for seed in map(int, seeds.split(",")):
                    result = pool.submit(measure, path, name, seed, epochs, minutes, test).result()
                    seen = f", test {result.test:.2f}%" if result.test is not None else ""
                    print(
                        f"{name}, seed {seed}: {result.epochs} epochs in {result.seconds:.0f} s, validation "
                        f"{result.validation:.2f}%{seen}, load {os.getloadavg()[0]:.1f}",
                        flush=True,
                    )
                    results.append(result)
                print_results(name, results)


def print_share(name: str, with_it: float, without: float, alone: float) -> None:
    """The augmentation's cost."""
    print(
        f"\n{name}: images/s with augmentation {with_it:,.0f}, without {without:,.0f}, augmentation alone {alone:,.0f}"
    )
    print(f"augmentation, % of a step {100 * (1 - with_it / without):8.1f}   at most {SHARE}")


def print_results(name: str, results: list[Result]) -> None:
    """The recipe's figures beside what is asked for."""
    print(f"\n{name}, {len(results)} seeds, {results[0].precision}:")
    limit = f"at most {SECONDS[name]}" if name in SECONDS else ""
    print(f"seconds, archive to model{statistics.median(each.seconds for each in results):8.0f}   {limit}")
    print(f"images a second          {statistics.median(each.speed for each in results):8,.0f}")
    print(f"peak memory, MiB         {max(each.mebibytes for each in results):8,.0f}")
    from lib.images.evaluation import wilson

    accuracies = ([r.validation for r in results], [r.test for r in results])
    for part, images, values in zip(("validation", "test"), results[0].judges, accuracies, strict=True):
        if numbers := [value for value in values if value is not None]:
            deviation = f" ± {statistics.stdev(numbers):.2f}" if len(numbers) > 1 else ""
            mean, label = statistics.mean(numbers), f"{part} accuracy, %"
            # The seeds share their images: the mean is as uncertain as one of them.
            share = wilson(round(mean / 100 * images), images)
            around = f"{100 * share.low:.2f} to {100 * share.high:.2f} by {images:,} images"
            print(f"{label:<25}{mean:8.2f}{deviation}, {around}")
    print(f"the original's test accuracy{ORIGINAL:5.2f}")


if __name__ == "__main__":
    main()
