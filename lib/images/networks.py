"""The networks: built, made ready to be kept, and asked.

A network takes raw images, uint8 (N, 32, 32, 3): the preprocessing is its first layer, with the channels' numbers in
its configuration. While it is trained it ends in logits; what is kept ends in a softmax, computes in float32 whatever
it was trained in, and is made of Keras' own layers alone, so that plain Keras loads it in safe mode.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lib.images.backend import Model, Tensor, keras
from lib.images.convolution import Convolution
from lib.images.initializers import LEAST_DEVIATION, Dirac, Whitening
from lib.images.normalization import FusedBatchNormalization
from lib.images.recipes import Recipe

CLASSES = 100
PATCH = 2  # pixels, the whitened patches' side
Floats = NDArray[np.float32]
Statistics = tuple[NDArray[np.floating], NDArray[np.floating]]


class Layer(NamedTuple):
    """A layer as a row of a table."""

    name: str
    kind: str
    shape: tuple[int, ...]  # of one image's output
    parameters: int


@dataclass(frozen=True, slots=True)
class Making:
    """How a network's layers are made.

    `covariance` is that of the training images' patches (initializers.patch_covariance), for a network that is to be
    trained; without it the layers are all Keras' own, and their weights wait to be set.
    """

    seeds: Iterator[int]
    precision: str
    covariance: NDArray[np.float64] | None


def build_network(
    recipe: Recipe,
    statistics: Statistics,
    *,
    seed: int,
    precision: str = "float32",
    covariance: NDArray[np.float64] | None = None,
) -> Model:
    """The recipe's network with fresh weights: uint8 (N, 32, 32, 3) to logits, float32 (N, 100).

    `statistics` are the channels' means and deviations, (3,) each, in grey levels. All that is random in it follows
    from `seed`. `precision` is a Keras dtype policy; the first and the last layer are float32 under each. With the
    `covariance` of the training images' patches a whitened network is ready to be trained; without, it waits for its
    weights.
    """
    mean, deviation = (np.asarray(each, np.float64) for each in statistics)
    variance = np.maximum(deviation, LEAST_DEVIATION) ** 2
    inputs = keras.Input((32, 32, 3), dtype="uint8", name="images")
    scaled = keras.layers.Normalization(
        mean=mean.tolist(), variance=variance.tolist(), dtype="float32", name="normalisation"
    )(inputs)
    seeds = count(1000 * seed % 2**31)  # JAX takes no more than 32 bits
    features = NETWORKS[recipe.network](scaled, recipe, Making(seeds, precision, covariance))
    return keras.Model(inputs, features, name=recipe.name)


def exportable(model: Model, recipe: Recipe, statistics: Statistics, temperature: float = 1.0) -> Model:
    """A trained network as it is kept: float32, uncompiled, uint8 (N, 32, 32, 3) to probabilities (N, 100).

    Its logits are divided by `temperature` (lib/images/calibration.py). Of a recipe that says `mirrored` it is the mean
    of what the network says of an image and of its mirror image.
    """
    plain = build_network(recipe, statistics, seed=0)
    plain.set_weights(model.get_weights())
    logits = keras.layers.Rescaling(1 / temperature, dtype="float32", name="temperature")(plain.output)
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")(logits)
    network = keras.Model(plain.input, probabilities, name=recipe.name)
    if not recipe.mirrored:
        return network
    images = keras.Input((32, 32, 3), dtype="uint8", name="images")
    both = [network(images), network(keras.ops.flip(images, axis=2))]
    mean = keras.layers.Average(dtype="float32", name="mean_of_both_ways")(both)
    return keras.Model(images, mean, name=f"{recipe.name}_both_ways")


def one_way(model: Model) -> Model:
    """The network alone of what is kept: without its mirror image where it has one."""
    return next((layer for layer in model.layers if hasattr(layer, "layers")), model)


def widths_of(model: Model) -> tuple[int, ...]:
    """The channels of a whitened network's stages, of its convolutions that halve; of another network none."""
    return tuple(layer.filters for layer in model.layers if re.fullmatch(r"stage_\d+_1", layer.name))


def predict(model: Model, images: NDArray[np.uint8], batch: int = 500) -> Floats:
    """What the network says of each image, float32 (N, 100). The last batch is filled up: one size, one compilation."""
    batch = max(1, min(batch, len(images)))
    said = np.empty((len(images), *model.output_shape[1:]), np.float32)
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        filled = np.resize(part, (batch, *part.shape[1:]))
        said[start : start + batch] = model.predict_on_batch(filled)[: len(part)]
    return said


def describe_layers(model: Model) -> list[Layer]:
    """The network as a table, from the images to the classes."""
    return [
        Layer(layer.name, type(layer).__name__, tuple(layer.output.shape[1:]), int(layer.count_params()))
        for layer in one_way(model).layers
    ]


def first_filters(model: Model) -> Floats:
    """The first convolution's kernels as pictures, (filters, height, width, 3), each stretched to 0 … 1 by itself."""
    kernel = next(np.asarray(weight) for weight in model.get_weights() if np.ndim(weight) == 4)
    pictures = np.moveaxis(kernel, -1, 0).astype(np.float32)
    low = pictures.min(axis=(1, 2, 3), keepdims=True)
    high = pictures.max(axis=(1, 2, 3), keepdims=True)
    return np.asarray((pictures - low) / np.maximum(high - low, 1e-12), np.float32)


def _plain(images: Tensor, recipe: Recipe, made: Making) -> Tensor:
    """The original's: convolution, pool, two convolutions, pool, 512 units, dropout, 100 classes.

    The starting weights are Keras' (Glorot): those of the 512 units deviate by 0.021, TFLearn's by 0.02.
    """
    layers = keras.layers

    def convolution(x: Tensor, filters: int, name: str) -> Tensor:
        return layers.Conv2D(
            filters,
            3,
            padding="same",
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(seed=next(made.seeds)),
            dtype=made.precision,
            name=name,
        )(x)

    first, second, third = recipe.widths
    x = convolution(images, first, "convolution_1")
    x = layers.MaxPooling2D(2, dtype=made.precision, name="pool_1")(x)
    x = convolution(x, second, "convolution_2")
    x = convolution(x, third, "convolution_3")
    x = layers.MaxPooling2D(2, dtype=made.precision, name="pool_2")(x)
    x = layers.Flatten(dtype=made.precision, name="flat")(x)
    x = layers.Dense(
        512,
        activation="relu",
        kernel_initializer=keras.initializers.GlorotUniform(seed=next(made.seeds)),
        dtype=made.precision,
        name="units",
    )(x)
    x = layers.Dropout(recipe.dropout, seed=next(made.seeds), dtype=made.precision, name="dropout")(x)
    return _logits(x, made)


def _whitened(images: Tensor, recipe: Recipe, made: Making) -> Tensor:
    """After airbench (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds"): whitened patches, then stages that halve.

    The first convolution is measured on the training images and frozen. A stage is so many convolutions of one width,
    each normalised (shifted, not scaled: what follows scales by itself) and rectified; the first one's image is halved
    before that. Where there are more than two, those after the first are a residual branch: what they say is added to
    what the first one says.
    """
    layers = keras.layers
    kept = made.covariance is None
    convolution = layers.Conv2D if kept else Convolution
    normalization = layers.BatchNormalization if kept else FusedBatchNormalization
    x = layers.Conv2D(
        2 * 3 * PATCH**2,
        PATCH,
        use_bias=False,
        trainable=False,
        kernel_initializer="zeros" if made.covariance is None else Whitening(made.covariance),
        dtype=made.precision,
        name="whitening",
    )(images)
    x = first = layers.Activation(recipe.activation, dtype=made.precision, name="whitening_active")(x)
    for stage, (filters, depth) in enumerate(zip(recipe.widths, recipe.depths, strict=True), 1):
        for number in range(1, depth + 1):
            name = f"stage_{stage}_{number}"
            x = convolution(
                filters,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer=_start(recipe, made),
                dtype=made.precision,
                name=name,
            )(x)
            if number == 1:
                x = layers.MaxPooling2D(2, dtype=made.precision, name=f"{name}_pool")(x)
            x = normalization(
                momentum=recipe.statistics_kept, epsilon=1e-5, scale=False, dtype=made.precision, name=f"{name}_norm"
            )(x)
            if number == depth > 2:
                x = layers.Add(dtype=made.precision, name=f"{name}_sum")([x, first])
            x = layers.Activation(recipe.activation, dtype=made.precision, name=f"{name}_active")(x)
            first = x if number == 1 else first
    x = layers.GlobalMaxPooling2D(dtype=made.precision, name="pool")(x)
    if recipe.dropout:
        x = layers.Dropout(recipe.dropout, seed=next(made.seeds), dtype=made.precision, name="dropout")(x)
    # Maxima are large: without the records' factor the first steps are taken from a softmax that is sure of nonsense.
    return layers.Rescaling(1 / 9, dtype="float32", name="scale")(_logits(x, made, use_bias=False))


def _start(recipe: Recipe, made: Making) -> Any:
    if made.covariance is None:
        return "zeros"
    seed = next(made.seeds)
    return Dirac(seed=seed) if recipe.start == "dirac" else keras.initializers.HeNormal(seed=seed)


def _logits(x: Tensor, made: Making, *, use_bias: bool = True) -> Tensor:
    return keras.layers.Dense(
        CLASSES,
        use_bias=use_bias,
        kernel_initializer=keras.initializers.GlorotUniform(seed=next(made.seeds)),
        dtype="float32",
        name="classes",
    )(x)


NETWORKS: dict[str, Callable[[Tensor, Recipe, Making], Tensor]] = {"plain": _plain, "whitened": _whitened}
