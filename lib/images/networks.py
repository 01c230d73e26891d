"""The networks: built, made ready to be kept, and asked.

A network takes raw images, uint8 (N, 32, 32, 3): the preprocessing is its first layer, with the channels' numbers in
its configuration. While it is trained it ends in logits; what is kept ends in a softmax, computes in float32 whatever
it was trained in, and is made of Keras' own layers alone, so that plain Keras loads it in safe mode.
"""

from collections.abc import Callable, Iterator
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lib.images.backend import Model, Tensor, keras
from lib.images.recipes import Recipe

CLASSES = 100
Floats = NDArray[np.float32]
Statistics = tuple[NDArray[np.floating], NDArray[np.floating]]


class Layer(NamedTuple):
    """A layer as a row of a table."""

    name: str
    kind: str
    shape: tuple[int, ...]  # of one image's output
    parameters: int


def build_network(recipe: Recipe, statistics: Statistics, *, seed: int, precision: str = "float32") -> Model:
    """The recipe's network with fresh weights: uint8 (N, 32, 32, 3) to logits, float32 (N, 100).

    `statistics` are the channels' means and deviations, (3,) each, in grey levels. All that is random in it follows
    from `seed`. `precision` is a Keras dtype policy; the first and the last layer are float32 under each.
    """
    mean, deviation = (np.asarray(each, np.float64) for each in statistics)
    variance = np.maximum(deviation, 1.0) ** 2  # a channel of one colour has none
    inputs = keras.Input((32, 32, 3), dtype="uint8", name="images")
    scaled = keras.layers.Normalization(
        mean=mean.tolist(), variance=variance.tolist(), dtype="float32", name="normalisation"
    )(inputs)
    features = NETWORKS[recipe.network](scaled, recipe, count(1000 * seed), precision)
    return keras.Model(inputs, features, name=recipe.name)


def exportable(model: Model, recipe: Recipe, statistics: Statistics) -> Model:
    """A trained network as it is kept: float32, uncompiled, uint8 (N, 32, 32, 3) to probabilities (N, 100)."""
    plain = build_network(recipe, statistics, seed=0)
    plain.set_weights(model.get_weights())
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")(plain.output)
    return keras.Model(plain.input, probabilities, name=recipe.name)


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
        for layer in model.layers
    ]


def first_filters(model: Model) -> Floats:
    """The first convolution's kernels as pictures, (filters, height, width, 3), each stretched to 0 … 1 by itself."""
    kernel = next(np.asarray(weight) for weight in model.get_weights() if np.ndim(weight) == 4)
    pictures = np.moveaxis(kernel, -1, 0).astype(np.float32)
    low = pictures.min(axis=(1, 2, 3), keepdims=True)
    high = pictures.max(axis=(1, 2, 3), keepdims=True)
    return np.asarray((pictures - low) / np.maximum(high - low, 1e-12), np.float32)


def _plain(images: Tensor, recipe: Recipe, seeds: Iterator[int], precision: str) -> Tensor:
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
            kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
            dtype=precision,
            name=name,
        )(x)

    first, second, third = recipe.widths
    x = convolution(images, first, "convolution_1")
    x = layers.MaxPooling2D(2, dtype=precision, name="pool_1")(x)
    x = convolution(x, second, "convolution_2")
    x = convolution(x, third, "convolution_3")
    x = layers.MaxPooling2D(2, dtype=precision, name="pool_2")(x)
    x = layers.Flatten(dtype=precision, name="flat")(x)
    x = layers.Dense(
        512,
        activation="relu",
        kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
        dtype=precision,
        name="units",
    )(x)
    x = layers.Dropout(recipe.dropout, seed=next(seeds), dtype=precision, name="dropout")(x)
    return _logits(x, seeds)


def _residual(images: Tensor, recipe: Recipe, seeds: Iterator[int], precision: str) -> Tensor:
    """A small residual network after ResNet-9 (Page, 2018, "How to train your ResNet").

    Each stage halves the image; from the second on, where an image is 8 x 8 and a convolution costs less, it ends in a
    residual branch of one convolution. The image is halved by pooling: on a processor a convolution with strides takes
    longer, backward, than one without and the pooling (330 images a second with a strided stem of 64 filters, 760 with
    one of 32 and a pool).
    """
    layers = keras.layers

    def convolution(x: Tensor, filters: int, name: str, *, pool: bool) -> Tensor:
        x = layers.Conv2D(
            filters,
            3,
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.HeNormal(seed=next(seeds)),
            dtype=precision,
            name=name,
        )(x)
        if pool:
            x = layers.MaxPooling2D(2, dtype=precision, name=f"{name}_pool")(x)
        # As few images as an epoch has steps are enough to follow the statistics: hence 0.9 in place of Keras' 0.99.
        x = layers.BatchNormalization(momentum=0.9, dtype=precision, name=f"{name}_norm")(x)
        return layers.Activation("relu", dtype=precision, name=f"{name}_relu")(x)

    x = convolution(images, recipe.widths[0], "stem", pool=True)
    for stage, filters in enumerate(recipe.widths[1:], 1):
        x = convolution(x, filters, f"stage_{stage}", pool=True)
        if stage > 1:
            branch = convolution(x, filters, f"stage_{stage}_branch", pool=False)
            x = layers.Add(dtype=precision, name=f"stage_{stage}_sum")([x, branch])
    x = layers.GlobalMaxPooling2D(dtype=precision, name="pool")(x)
    if recipe.dropout:
        x = layers.Dropout(recipe.dropout, seed=next(seeds), dtype=precision, name="dropout")(x)
    # Maxima are large: without Page's factor the first steps are taken from a softmax that is sure of nonsense.
    return layers.Rescaling(0.125, dtype="float32", name="scale")(_logits(x, seeds))


def _logits(x: Tensor, seeds: Iterator[int]) -> Tensor:
    initializer = keras.initializers.GlorotUniform(seed=next(seeds))
    return keras.layers.Dense(CLASSES, kernel_initializer=initializer, dtype="float32", name="classes")(x)


NETWORKS: dict[str, Callable[[Tensor, Recipe, Iterator[int], str], Tensor]] = {"plain": _plain, "residual": _residual}
