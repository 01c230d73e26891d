"""Train by the recipes, each training in a process of its own, and time it; or time the augmentation's share of a step.

    python bench/images.py [--archive PATH] [--recipe seed|fast|best]… [--epochs N] [--minutes M] [--seeds 1,2,3]
                           [--test]
    python bench/images.py --augmentation [--archive PATH] [--recipe seed]

Without --archive it reads cifar-100-python.tar.gz in NIGHTDESK_REAL_DATA, or an archive drawn here where that isn't
set. Accuracies are the validation images'; with --test the kept model looks at the test images too, once, at its end.
Prints each training, and the mean or the median over the seeds beside what is asked for.
"""

import math
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import click

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

ORIGINAL = 49.27  # per cent of the test images, on the slides
SECONDS = {"seed": 15 * 60, "fast": 5 * 60}  # at most, on two cores
SHARE = 10  # per cent of a step at most for augmentation


class Result(NamedTuple):
    """One training: seconds from the archive to the kept model, images a second, accuracies in per cent, peak MiB.

    Accuracies are the network's alone; `flipped` are those of the mean of what it says of an image and of its mirror
    image. Those of the test images are None where they weren't looked at. `work` is the convolutions' arithmetic in
    GFLOP per training image of 32 x 32, forward and backward, and `peak` what the machine reaches in a product of
    4096 x 4096 matrices of the training's precision, in GFLOP/s, on the same threads.
    """

    seconds: float
    speed: float
    validation: float
    test: float | None
    flipped: tuple[float, float | None]
    mebibytes: float
    epochs: int
    backend: str
    precision: str
    widths: tuple[int, ...]
    params: int
    work: float
    peak: float
    judges: tuple[int, int]  # images of validation and test
    machine: str  # with the versions of what computed


def measure(
    path: Path,
    name: str,
    seed: int,
    epochs: int | None,
    minutes: float | None,
    test: bool,
    changes: dict[str, Any] | None = None,
    swap: str = "",
) -> Result:
    """Train once, from the archive on.

    `changes` are fields of the recipe that are to be others; `swap`, one of SWAPS, what is to stand in for a part of
    ours that no field names.
    """
    import resource

    started = time.perf_counter()
    if swap:
        SWAPS[swap]()
    from lib.images.archive import read_archive
    from lib.images.networks import one_way, predict
    from lib.images.sizing import recipe_here
    from lib.images.split import channel_statistics, validation_split
    from lib.images.training import train

    recipe = recipe_here(name, epochs, minutes, **(changes or {}))
    archive = read_archive(path)
    teaching, judging = validation_split(archive.train_fine, archive.checksum)
    images, labels = archive.train_images[teaching], archive.train_fine[teaching]
    validation = archive.train_images[judging], archive.train_fine[judging]
    with tempfile.TemporaryDirectory() as folder:
        trained = train(
            recipe,
            images,
            labels,
            validation,
            channel_statistics(images),
            epochs=epochs,
            minutes=minutes,
            spent=time.perf_counter() - started,
            seed=seed,
            folder=Path(folder),
        )
        trained.model.save(Path(folder, "kept.keras"))
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def accuracies(judges: tuple[Any, Any]) -> tuple[float, float]:
        network = one_way(trained.model)
        said = predict(network, judges[0])
        both = said + predict(network, judges[0][:, :, ::-1])
        return tuple(100 * float((each.argmax(axis=1) == judges[1]).mean()) for each in (said, both))

    validated = accuracies(validation)
    tested = accuracies((archive.test_images, archive.test_fine)) if test else (None, None)
    return Result(
        seconds,
        trained.images_per_second,
        validated[0],
        tested[0],
        (validated[1], tested[1]),
        memory,
        trained.epochs,
        trained.backend,
        trained.precision,
        recipe.widths,
        trained.params,
        arithmetic(trained.model) / 1e9,
        peak(trained.precision),
        (len(validation[1]), len(archive.test_fine)),
        machine(),
    )


def assumed_gflops() -> dict[str, float]:
    """What the desk takes this machine to do in a recipe's precision, in GFLOP/s; loads Keras."""
    from lib.images.sizing import gflops_here

    return {precision: gflops_here(precision) for precision in ("float32", "mixed_bfloat16")}


def machine() -> str:
    """The machine's line, with the versions of what computes; loads Keras."""
    from lib.images.backend import packages
    from lib.machine import describe

    return describe(packages())


def _patches_as_they_are() -> None:
    import numpy as np

    from lib.images import training

    training.patch_covariance = lambda images, size, *statistics: np.eye(3 * size**2)


def _keras_convolution() -> None:
    from lib.images import networks

    networks.Convolution = networks.keras.layers.Conv2D


def _keras_normalization() -> None:
    from lib.images import networks

    networks.FusedBatchNormalization = networks.keras.layers.BatchNormalization


SWAPS = {
    "nothing": lambda: None,  # trained beside the others, to be compared with
    "patches": _patches_as_they_are,
    "convolution": _keras_convolution,
    "normalization": _keras_normalization,
}


def arithmetic(model: Any) -> float:
    """Floating-point operations that training takes an image in the convolutions and dense layers of a Keras model.

    Two for each multiplication and addition; forward, and backward once for the kernel and once for what comes before.
    A frozen layer has no kernel to move, and nobody asks for what comes before the first one that moves.
    """
    from lib.images.networks import one_way

    total, moving = 0.0, False
    for layer in one_way(model).layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is None:
            continue
        places = math.prod(layer.output.shape[1:-1]) if len(kernel.shape) == 4 else 1
        once = 2.0 * math.prod(kernel.shape) * places
        total += once * (1 + layer.trainable + (layer.trainable and moving))
        moving = moving or layer.trainable
    return total


def peak(precision: str, size: int = 4096, rounds: int = 5) -> float:
    """GFLOP/s of a product of two square matrices as Keras' backend does it, median of as many rounds."""
    import numpy as np

    from lib.images.backend import keras

    dtype = "bfloat16" if precision == "mixed_bfloat16" else "float32"
    both = [keras.ops.cast(np.random.default_rng(n).random((size, size), np.float32), dtype) for n in range(2)]
    times = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        keras.ops.convert_to_numpy(keras.ops.matmul(*both)[:1])
        times.append(time.perf_counter() - started)
    return 2 * size**3 / statistics.median(times[1:]) / 1e9


def augmentation(path: Path, name: str, rounds: int = 5) -> tuple[float, float, float]:
    """Images a second of training with augmentation and without, and of augmentation alone: medians of as many rounds.

    A round is of 9,600 images, of a training their second epoch; rounds with augmentation and without take turns.
    """
    from lib.images.archive import read_archive
    from lib.images.augment import Augmentation, batches
    from lib.images.recipes import RECIPES
    from lib.images.split import channel_statistics
    from lib.images.training import train

    archive, recipe = read_archive(path), RECIPES[name]
    images, labels = archive.train_images[:9600], archive.train_fine[:9600]
    rates = []
    for epoch in range(rounds + 1):  # the first one compiles
        started = time.perf_counter()
        made = batches(images, labels, recipe.augmentation, batch=recipe.batch, seed=0, epoch=epoch)
        rates.append(sum(len(batch.labels) for batch in made) / (time.perf_counter() - started))
    alone = statistics.median(rates[1:])
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

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        print(pool.submit(machine).result(), flush=True)
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
    speed, top = (statistics.median(each) for each in ([r.speed for r in results], [r.peak for r in results]))
    print(f"images a second          {speed:8,.0f}")
    print(
        f"GFLOP/s                  {speed * results[0].work:8,.0f}   {speed * results[0].work / top:.0%} of {top:,.0f}"
    )
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
