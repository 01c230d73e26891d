"""Train a network by a recipe: for so many epochs, or for so many minutes, and on from where a dead start stopped.

    trained = train(FAST, images, labels, (val_images, val_labels), (mean, deviation), seed=1, folder=..., key=...)
    trained.model.save("challenger.keras")
    forget_state(folder)

On a processor a training of so many epochs that was killed and started again ends in the very bits of an undisturbed
one (with TensorFlow by its deterministic kernels; JAX and torch did it each time it was tried): order, augmentation and
dropout follow from the seed, the epoch and the step. One that is to fit so many minutes follows the clock, and so does
what comes of it.
"""

import hashlib
import importlib
import json
import math
import shutil
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from lib.errors import DeskError
from lib.files import cannot_write
from lib.images.augment import Batch, Images, Labels, batches, steps_of
from lib.images.backend import Model, backend, keras, precision_here, shared_out
from lib.images.calibration import temperature
from lib.images.clock import Clock
from lib.images.initializers import patch_covariance
from lib.images.muon import Muon
from lib.images.networks import CLASSES, PATCH, Floats, Statistics, build_network, exportable, predict
from lib.images.rates import schedule_of
from lib.images.recipes import Recipe
from lib.images.resume import Epoch, State, load_state, save_state

VALIDATION_BATCH = 500
_ONE_HOT = np.eye(CLASSES, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A finished training."""

    model: Model  # as `exportable` makes it
    history: list[Epoch]
    seconds: float  # from the call of `train` to its end, compilation and all, and what was spent before; what dead
    # starts spent counted up to their last epoch
    images_per_second: float  # median over the epochs
    params: int
    temperature: float  # that the kept model's logits are divided by (lib/images/calibration.py)
    epochs: int  # begun; the last one of a training that fits a time may be short
    backend: str
    precision: str
    devices: int  # that each step was shared among
    resumed_from: int | None  # epochs that earlier starts had done
    went_on: bool  # from weights that were given
    logs: Path | None  # for `tensorboard --logdir`; None where TensorFlow doesn't carry Keras


def train(
    recipe: Recipe,
    images: Images,
    labels: Labels,
    validation: tuple[Images, Labels],
    statistics: Statistics,
    *,
    epochs: int | None = None,
    minutes: float | None = None,
    spent: float = 0.0,
    seed: int,
    folder: Path,
    start: Sequence[NDArray[Any]] | None = None,
    key: str = "",
    on_step: Callable[[int], object] = lambda _: None,
    on_epoch: Callable[[Epoch], object] = lambda _: None,
) -> Trained:
    """Train the recipe's network on uint8 images (N, 32, 32, 3) with the classes (N,), and look at it every epoch.

    `minutes` in place of `epochs` drives the schedule by the clock, so that it is done when they are over; both
    together, whichever ends first; neither is what the recipe says. `spent` are seconds of them that are gone already,
    on reading the images. `start` are weights to go on from, in the order that a kept network of the recipe has them
    in. The state is kept in `folder` after each epoch, under everything that the outcome hangs on and `key`: a start
    with all that alike goes on from there, another starts afresh. The caller removes it with `forget_state` once it has
    what it wants. `on_step` is told the images just trained on, those of a dead start's epochs too; `on_epoch` what
    came of each new epoch.

    Raises DeskError (the loss is no number any more), CannotWrite.
    """
    started = time.perf_counter()
    if epochs is None and minutes is None:
        epochs, minutes = recipe.epochs, recipe.minutes
    precision = precision_here(recipe.precision)
    given = (images, labels, *validation, *statistics, *(start or ()))
    data = [zlib.crc32(np.ascontiguousarray(each).data) for each in given]
    hangs_on = [key, asdict(recipe), data, epochs, minutes, seed, backend(), precision, keras.__version__]
    key = hashlib.sha256(json.dumps(hangs_on).encode()).hexdigest()
    logs = folder / "tensorboard" / f"{recipe.name}-{key[:8]}" if backend() == "tensorflow" else None

    with shared_out(min(recipe.batch, len(images)), min(VALIDATION_BATCH, len(validation[1]))) as devices:
        patches = patch_covariance(images, PATCH, *statistics) if recipe.network == "whitened" else None
        network = build_network(recipe, statistics, seed=seed, precision=precision, covariance=patches)
        if start is not None:
            network.set_weights(start)
        model = _compiled(network, recipe, precision)
        state = load_state(folder, key, _values(model))
        if state:
            _assign(model, state.variables)
            history = state.history
            clock = Clock(started, epochs, minutes, spent=state.seconds + spent, start=state.progress)
            on_step(len(history) * images_an_epoch(recipe, len(images)))
        else:
            history, clock = [], Clock(started, epochs, minutes, spent=spent)
            if logs:
                shutil.rmtree(logs, ignore_errors=True)
        resumed_from, log = len(history) or None, _logger(logs)
        task = _Task(model, recipe, images, labels, validation, seed, clock, on_step)
        if minutes is not None:
            clock.look = _look_seconds(task)
        logits = None
        while clock.progress < 1:
            epoch, logits = _train_epoch(task, len(history))
            history.append(epoch)
            save_state(folder, key, State(_values(model), history, clock.progress, clock.seconds()))
            log(len(history), epoch)
            on_epoch(epoch)
        if logits is None:  # a dead start had done the last epoch
            logits = predict(model, validation[0], VALIDATION_BATCH)
        ways = [logits]
        if recipe.mirrored:
            ways.append(predict(model, validation[0][:, :, ::-1], VALIDATION_BATCH))
        calibrated = temperature(np.stack(ways), validation[1])
    kept = exportable(model, recipe, statistics, calibrated)
    return Trained(
        model=kept,
        history=history,
        seconds=clock.seconds(),
        images_per_second=float(np.median([epoch.images_per_second for epoch in history])),
        params=int(kept.count_params()),
        temperature=calibrated,
        epochs=len(history),
        backend=backend(),
        precision=precision,
        devices=devices,
        resumed_from=resumed_from,
        went_on=start is not None,
        logs=logs,
    )


def images_of(recipe: Recipe, images: int, epochs: int | None = None, minutes: float | None = None) -> int | None:
    """How many images a training of so many will tell `on_step` of; None where the clock says when it ends."""
    epochs = epochs or (None if minutes else recipe.epochs)
    return epochs * images_an_epoch(recipe, images) if epochs else None


def images_an_epoch(recipe: Recipe, images: int) -> int:
    """How many images `train` tells `on_step` of in an epoch of so many: whole batches."""
    return steps_of(images, recipe.batch) * min(recipe.batch, images)


class _Task(NamedTuple):
    """What stays the same from epoch to epoch."""

    model: Model
    recipe: Recipe
    images: Images
    labels: Labels
    validation: tuple[Images, Labels]
    seed: int
    clock: Clock
    on_step: Callable[[int], object]


def _train_epoch(task: _Task, epoch: int) -> tuple[Epoch, Floats]:
    """Train for an epoch, or until the time is over, and look at the validation images: what came of it, the logits."""
    model, recipe, images, labels, validation, seed, clock, on_step = task
    began = first = time.perf_counter()
    steps, step, rate = steps_of(len(images), recipe.batch), 0, 0.0
    loss = accuracy = 0.0
    rate_at = schedule_of(recipe)
    for batch in batches(
        images, labels, recipe.augmentation, batch=recipe.batch, seed=seed, epoch=epoch, progress=clock.progress
    ):
        begun, rate = time.perf_counter(), float(rate_at(clock.progress))
        model.optimizer.learning_rate = rate
        said = model.train_on_batch(batch.images, _targets(batch), return_dict=True)
        step += 1
        loss += said["loss"]
        accuracy += said["accuracy"]
        if not math.isfinite(said["loss"]):
            raise DeskError(
                f"the training of {recipe.name} came apart in epoch {epoch + 1}, step {step}: its loss is "
                f"{said['loss']}; give the recipe a lower learning rate (it has {recipe.learning_rate:g})"
            )
        if step == 1:
            first = time.perf_counter()
        on_step(len(batch.labels))
        clock.advance(epoch + step / steps, time.perf_counter() - begun)
        if clock.progress >= 1:
            break
    trained = time.perf_counter()
    # The first step of all compiles.
    speed = len(batch.labels) * ((step - 1) / (trained - first) if step > 1 else 1 / (trained - began))
    logits = predict(model, validation[0], VALIDATION_BATCH)
    judged = _judged(logits, validation[1], recipe.label_smoothing)
    ended = time.perf_counter()
    clock.look = (ended - trained) * (1 + recipe.mirrored)
    return Epoch(loss / step, accuracy / step, *judged, ended - began, rate, speed), logits


def _targets(batch: Batch) -> Floats:
    """How much of each class the images are of, (N, classes)."""
    own = batch.share[:, None]
    return own * _ONE_HOT[batch.labels] + (1 - own) * _ONE_HOT[batch.others]


def _judged(logits: Floats, labels: Labels, smoothing: float) -> tuple[float, float]:
    """The recipe's loss and the accuracy: of logits (N, classes), for the classes (N,)."""
    likely = log_softmax(logits, axis=1)
    right = likely[np.arange(len(labels)), labels]
    loss = -(1 - smoothing) * right.mean() - smoothing * likely.mean()
    return float(loss), float((logits.argmax(axis=1) == labels).mean())


def _look_seconds(task: _Task) -> float:
    """What the last looks will take, by the second look at the first validation images: the first one compiles.

    There is one to judge, and one at the mirror images where what is kept will look at those too.
    """
    images = task.validation[0]
    some = images[:VALIDATION_BATCH]
    predict(task.model, some, VALIDATION_BATCH)
    began = time.perf_counter()
    predict(task.model, some, VALIDATION_BATCH)
    return (time.perf_counter() - began) * len(images) / max(1, len(some)) * (1 + task.recipe.mirrored)


def _compiled(model: Model, recipe: Recipe, precision: str) -> Model:
    """The model with its loss and its optimiser, the optimiser's variables made."""
    if recipe.optimizer == "adam":
        # TFLearn's epsilon; Keras' own is 1e-7.
        optimizer = keras.optimizers.Adam(recipe.learning_rate, epsilon=1e-8)
    elif recipe.optimizer == "sgd":
        decay = recipe.weight_decay or None
        optimizer = keras.optimizers.SGD(recipe.learning_rate, momentum=0.9, nesterov=True, weight_decay=decay)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    else:
        optimizer = Muon(recipe.learning_rate, precision=keras.DTypePolicy(precision).compute_dtype)
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        # On a processor TensorFlow's XLA takes two to three times as long as its own kernels: bench/images.py
        jit_compile=backend() == "jax",
    )
    optimizer.build(model.trainable_variables)
    return model


def _values(model: Model) -> list[NDArray[Any]]:
    """All that changes in a training: weights, statistics of normalisation, dropout's seeds, the optimiser's memory."""
    return [np.array(keras.ops.convert_to_numpy(each)) for each in (*model.variables, *model.optimizer.variables)]


def _assign(model: Model, values: list[NDArray[Any]]) -> None:
    for variable, value in zip((*model.variables, *model.optimizer.variables), values, strict=True):
        variable.assign(value)


def _logger(folder: Path | None) -> Callable[[int, Epoch], None]:
    """What writes an epoch's numbers, under its number, for TensorBoard; nothing without a folder.

    As tf.summary.scalar does, which is at home in the tensorboard package: that one is needed to look, not to write.
    """
    if folder is None:
        return lambda number, epoch: None
    tf: Any = importlib.import_module("tensorflow")
    plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
    metadata = tf.compat.v1.SummaryMetadata(plugin_data=plugin, data_class="DATA_CLASS_SCALAR")
    with cannot_write(folder):
        writer = tf.summary.create_file_writer(str(folder))

    def log(number: int, epoch: Epoch) -> None:
        with cannot_write(folder), writer.as_default(step=number):
            for name, value in asdict(epoch).items():
                tf.summary.write(f"epoch/{name}", np.float32(value), metadata=metadata)
            writer.flush()

    return log
