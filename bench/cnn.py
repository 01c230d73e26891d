"""Train the network by its recipes until each has its seeds, keep what came of each, and print the tables.

    make bench-cnn, or
    python bench/cnn.py [--only fast] [--ablation] [--table] [--archive PATH]

One training after another, each in a process of its own, with nothing else running. What comes of one is a line of
bench/cnn.jsonl, and a later start goes on with what is not there yet for the recipes as they are on this kind of
machine: after a change to a recipe, and on another kind, its trainings are done again, and the old lines stay. The
tables are this kind's. Without --archive it reads cifar-100-python.tar.gz in NIGHTDESK_REAL_DATA. The test images judge
the finished models of the recipes and nothing else: what --ablation changes in one is judged by the validation images.
"""

import hashlib
import json
import os
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from datetime import date
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import click

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
KEPT = ROOT / "bench" / "cnn.jsonl"


class Kind(NamedTuple):
    """A kind of machine: its processor and cores, and what the desk takes it to do by a recipe's precision."""

    processor: str
    gflops: dict[str, float]


@cache
def here() -> Kind:
    """This kind of machine, as a process of its own tells it: Keras here would keep a GPU's memory from trainings."""
    from bench.images import assumed_gflops, machine

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return Kind(processor_of(pool.submit(machine).result()), pool.submit(assumed_gflops).result())


def processor_of(machine: str) -> str:
    """Processor and cores of a machine's line."""
    return ",".join(machine.split(",")[:2])


@dataclass(frozen=True)
class Asked:
    """Trainings of one kind: with these seeds, and with what other than in the recipe.

    `accuracy` is what their mean is to reach, in per cent of the test images, each in so many seconds. `swap` is
    bench.images.measure's.
    """

    recipe: str
    minutes: float | None
    seeds: int
    accuracy: float | None = None
    seconds: float | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    swap: str = ""
    said: str = ""  # of the changes

    @property
    def name(self) -> str:
        """As the command line has it."""
        return self.recipe + (f" --minutes {self.minutes:g}" if self.minutes else "")

    def of_here(self) -> Any:
        """The recipe as this machine trains it."""
        from lib.images.recipes import recipe_for

        changes = {"goes_on": False, **self.changes}  # none here goes on from another
        return recipe_for(self.recipe, None, self.minutes, here().gflops.__getitem__, **changes)

    def gflops(self) -> float:
        """What the desk takes this machine to do in the recipe's precision, in GFLOP/s."""
        return here().gflops[self.of_here().precision]

    def key(self, seed: int) -> str:
        """What a training is, all that its recipe says included."""
        what: list[Any] = [beyond_defaults(replace(self.of_here(), grows=False)), self.minutes, seed]
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        what += [more for more in (self.swap, backend) if more not in ("", "tensorflow")]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]

    def done(self) -> list[dict[str, Any]]:
        """The lines that there are of these trainings on this machine, the latest of each."""
        lines = [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []
        kind = (here().processor, self.gflops())
        of_kind = [line for line in lines if (processor_of(line["machine"]), line["assumed_gflops"]) == kind]
        by_key = {line["key"]: line for line in of_kind}
        return [by_key[key] for key in map(self.key, self.of_seeds()) if key in by_key]

    def of_seeds(self) -> range:
        """The seeds, from 1 on."""
        return range(1, self.seeds + 1)


def beyond_defaults(record: Any) -> dict[str, Any]:
    """What a dataclass says other than by default: a field that is added later leaves what was measured valid."""
    said = {}
    for each in fields(record):
        default = each.default if each.default_factory is MISSING else each.default_factory()
        value = getattr(record, each.name)
        if value != default:
            said[each.name] = beyond_defaults(value) if is_dataclass(value) else value
    return said


PLAN = [
    Asked("fast", 1.5, 5, 49.27, 90),
    Asked("fast", 4, 5, 60, 240),
    Asked("best", None, 3, 75, 1200),
    Asked("best", 120, 1, 78, 7200),
]


def ablations() -> list[Asked]:
    """The recipe fast for 1.5 minutes, as it is and with one thing at a time as it isn't there."""
    from lib.images.augment import Augmentation

    def without(said: str, swap: str = "", **changes: Any) -> Asked:
        # one thing at a time: in float32 the same time would have another network
        changes = {"widths": PLAN[0].of_here().widths, **changes}
        return Asked("fast", PLAN[0].minutes, 3, changes=changes, swap=swap, said=said)

    sgd: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.5, "weight_decay": 0.002, "warm_up": 0.2}
    return [
        without("as it is", "nothing"),  # not the plan's lines: from day to day a machine's speed isn't the same
        without("SGD (Nesterov), rate 0.5, decay 0.002, in place of Muon", **sgd),
        without("the first convolution picks pixels: no whitening", "patches"),
        without("kernels start at random (He), not as Dirac's", start="random"),
        without("two convolutions in the last stage", depths=(2, 2, 2)),
        without("flips by chance, not in turn", augmentation=Augmentation(flips="random", shift=2)),
        without("no shift", augmentation=Augmentation(flips="alternating")),
        without("no label smoothing", label_smoothing=0.0),
        without("SiLU in place of ReLU", activation="silu"),
        without("GELU in place of ReLU", activation="gelu"),
        without("batches of 1,024", batch=1024),
        without("float32", precision="float32"),
        without("Keras' own normalisation", "normalization"),
        without("Keras' own convolution", "convolution"),
    ]


@click.command()
@click.option("--archive", type=click.Path(exists=True, path_type=Path))
@click.option("--only", type=click.Choice(sorted({each.recipe for each in PLAN})), help="Trainings of this recipe.")
@click.option("--ablation", is_flag=True, help="Train what the recipe fast is without each of its parts.")
@click.option("--table", is_flag=True, help="Train nothing.")
def main(archive: Path | None, only: str | None, ablation: bool, table: bool) -> None:
    """Train what is missing, and print the tables."""
    if not table:
        real = os.environ.get("NIGHTDESK_REAL_DATA")
        if not archive and not real:
            raise click.UsageError("there are no images: give --archive, or the folder of them in NIGHTDESK_REAL_DATA")
        path = archive or Path(str(real), "cifar-100-python.tar.gz")
        # The plan's lines one after another; of the ablation each with a seed, and then with the next.
        trainings = [(asked, seed) for asked in (ablations() if ablation else PLAN) for seed in asked.of_seeds()]
        for asked, seed in sorted(trainings, key=lambda each: each[1]) if ablation else trainings:
            if only in (None, asked.recipe) and asked.key(seed) not in {line["key"] for line in asked.done()}:
                train(path, asked, seed)
    print_plan()
    print_ablations()


def train(path: Path, asked: Asked, seed: int) -> None:
    """Train once and keep the line."""
    from bench.images import measure

    load = os.getloadavg()[0]
    name = f"{asked.name}, seed {seed}{f', {asked.said}' if asked.said else ''}"
    print(f"{name}: training, load {load:.1f}", file=sys.stderr, flush=True)
    judged = asked.accuracy is not None
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        work = pool.submit(measure, path, asked.recipe, seed, None, asked.minutes, judged, asked.changes, asked.swap)
        result = work.result()
    line = {
        "key": asked.key(seed),
        "recipe": asked.recipe,
        "minutes": asked.minutes,
        "seed": seed,
        "changed": asked.said,
        "date": date.today().isoformat(),
        "machine": result.machine,
        "load": round(load, 2),
        "backend": result.backend,
        "precision": result.precision,
        "assumed_gflops": asked.gflops(),
        "peak_gflops": round(result.peak),
        "widths": result.widths,
        "images_per_second": round(result.speed, 1),
        "gflop_per_image": round(result.work, 4),
        "params": result.params,
        "epochs": result.epochs,
        "seconds": round(result.seconds, 1),
        "mebibytes": round(result.mebibytes),
        "validation": round(result.validation, 2),
        "validation_flipped": round(result.flipped[0], 2),
        "test": result.test and round(result.test, 2),
        "test_flipped": result.flipped[1] and round(result.flipped[1], 2),
    }
    with KEPT.open("a") as file:
        file.write(json.dumps(line) + "\n")
    reached = f"test {line['test']}%" if judged else f"validation {line['validation']}%"
    print(f"{name}: {reached}, {line['seconds']:.0f} s", file=sys.stderr, flush=True)


def print_plan() -> None:
    """What there is of the plan for the recipes as they are."""
    rows = []
    for asked in PLAN:
        assert asked.accuracy is not None
        assert asked.seconds is not None
        wanted = f"{asked.accuracy:g}% in {asked.seconds:g} s, {asked.seeds} seed{'s' if asked.seeds > 1 else ''}"
        done = asked.done()
        if not done:
            rows.append([f"`{asked.name}`", wanted, "not measured"])
            continue
        test, seconds = ([line[what] for line in done] for what in ("test", "seconds"))
        missed = " (missed)" if statistics.mean(test) < asked.accuracy or max(seconds) > asked.seconds else ""
        flipped, epochs, speeds, peaks = (
            [line[what] for line in done] for what in ("test_flipped", "epochs", "images_per_second", "peak_gflops")
        )
        speed, peak = statistics.median(speeds), statistics.median(peaks)
        rate = speed * done[0]["gflop_per_image"]
        rows.append([f"`{asked.name}`", wanted, f"{spread(test)}{missed}", spread(flipped)])
        rows[-1] += [f"{statistics.median(seconds):.0f} (at most {max(seconds):.1f})"]
        rows[-1] += [", ".join(map(str, asked.of_here().widths)), f"{statistics.median(epochs):g}"]
        rows[-1] += [f"{speed:,.0f}", f"{rate:,.0f}", f"{peak:,.0f}", f"{rate / peak:.0%}"]
    heads = ["recipe", "asked for", "test accuracy", "with the mirror image", "seconds", "channels"]
    print_table([*heads, "epochs", "images/s", "GFLOP/s", "the machine's", "share"], rows)
    for machine in sorted({line["machine"] for asked in PLAN for line in asked.done()}):
        print(f"\n{machine}")


def print_ablations() -> None:
    """What there is of the ablation, beside the recipe as it is."""
    as_it_is, *others = ablations()
    whole = [line["validation"] for line in as_it_is.done()]
    rows = []
    for asked in (as_it_is, *others):
        if done := asked.done():
            values, flipped = ([line[what] for line in done] for what in ("validation", "validation_flipped"))
            more = "" if asked is as_it_is else difference(values, whole)
            speed = statistics.median(line["images_per_second"] for line in done)
            epochs = statistics.median(line["epochs"] for line in done)
            rows.append([asked.said, spread(values), more, spread(flipped), f"{epochs:g}", f"{speed:,.0f}"])
    if len(rows) > 1:
        print(f"\n`{as_it_is.name}`\n")
        heads = ["changed", "validation accuracy", "difference, points", "with the mirror image", "epochs begun"]
        print_table([*heads, "images/s"], rows)


def difference(values: list[float], others: list[float]) -> str:
    """How much higher the mean of the first is, with Welch's interval of 95% over seeds; one seed has none."""
    from scipy.stats import ttest_ind

    more = f"{statistics.mean(values) - statistics.mean(others):+.2f}"
    if min(len(values), len(others)) < 2:
        return more
    around = ttest_ind(values, others, equal_var=False).confidence_interval(0.95)
    return f"{more} ({around.low:+.2f} to {around.high:+.2f})"


def print_table(heads: list[str], rows: list[list[str]]) -> None:
    """Rows as Markdown has them."""
    for row in [heads, ["---"] * len(heads), *rows]:
        print(f"| {' | '.join(row + [''] * (len(heads) - len(row)))} |")


def spread(values: list[float]) -> str:
    """Mean ± standard deviation over so many seeds, in per cent."""
    deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{deviation}% ({len(values)})"


if __name__ == "__main__":
    main()
