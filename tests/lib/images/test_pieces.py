"""What a training is put together from does what its source says, on each backend that is installed."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.images.backend import backend, keras
from lib.images.convolution import Convolution
from lib.images.initializers import EPSILON, Dirac, Whitening, patch_covariance
from lib.images.muon import A, B, C, Muon, orthogonalised
from lib.images.normalization import FusedBatchNormalization
from lib.images.rates import Triangular

ROOT = Path(__file__).parents[3]
MEAN, DEVIATION = np.array([120.0, 130.0, 110.0]), np.array([60.0, 50.0, 70.0])
array = keras.ops.convert_to_numpy
draw = np.random.default_rng(0)


def images(count: int = 40) -> np.ndarray:
    """Smooth ones: a pixel is like its neighbours, as in a photograph."""
    rough = np.random.default_rng(1).normal(size=(count, 34, 34, 3))
    smooth = sum(rough[:, i : i + 32, j : j + 32] for i in range(3) for j in range(3))
    return np.clip(128 + 30 * smooth, 0, 255).astype(np.uint8)


def polynomial(values: np.ndarray, steps: int) -> np.ndarray:
    for _ in range(steps):
        values = A * values + B * values**3 + C * values**5
    return values


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_orthogonalising_keeps_the_singular_vectors_and_takes_their_values_through_the_polynomial(
    rows: int, columns: int, steps: int
) -> None:
    matrix = np.random.default_rng(rows * 41 + columns).normal(size=(rows, columns)).astype(np.float32)
    left, values, right = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    expected = (left * polynomial(values / np.linalg.norm(values), steps)) @ right
    assert np.allclose(array(orthogonalised(keras.ops.convert_to_tensor(matrix), steps)), expected, atol=2e-3)


def test_after_five_steps_singular_values_are_near_one() -> None:
    matrix = keras.ops.convert_to_tensor(draw.normal(size=(64, 192)).astype(np.float32))
    values = np.linalg.svd(array(orthogonalised(matrix, 5)), compute_uv=False)
    assert values.min() > 0.65
    assert values.max() < 1.25


def test_muon_moves_kernels_by_orthogonal_matrices_and_the_rest_by_nesterovs_momentum() -> None:
    start = {"kernel": (3, 3, 4, 8), "beta": (8,), "classes": (8, 5)}
    values = {name: draw.normal(size=shape).astype(np.float32) for name, shape in start.items()}
    variables = [keras.Variable(value, name=name) for name, value in values.items()]
    optimizer = Muon(0.1, momentum=0.6, steps=5, vectors=0.5, matrices=2.0, others_momentum=0.8)
    memory = {name: np.zeros(shape) for name, shape in start.items()}
    for _ in range(3):
        slopes = {name: draw.normal(size=shape).astype(np.float32) for name, shape in start.items()}
        tensors = [keras.ops.convert_to_tensor(slope) for slope in slopes.values()]
        optimizer.apply(tensors, variables)
        for name, slope in slopes.items():
            kept = 0.6 if name == "kernel" else 0.8
            memory[name] = kept * memory[name] + slope
            step = slope + kept * memory[name]
            if name == "kernel":
                left, singular, right = np.linalg.svd(step.reshape(-1, 8), full_matrices=False)
                step = ((left * polynomial(singular / np.linalg.norm(singular), 5)) @ right).reshape(step.shape)
                held = values[name] * np.sqrt(8) / np.linalg.norm(values[name])
                values[name] = held - 0.1 * step
            else:
                values[name] = values[name] - 0.1 * {"beta": 0.5, "classes": 2.0}[name] * step
    for variable, expected in zip(variables, values.values(), strict=True):
        assert np.allclose(array(variable), expected, atol=2e-3)


def test_muon_is_made_again_from_its_configuration() -> None:
    optimizer = Muon(0.1, momentum=0.5, steps=4, vectors=0.3, precision="bfloat16")
    assert Muon.from_config(optimizer.get_config()).get_config() == optimizer.get_config()


def test_a_patchs_covariance_is_that_of_all_patches() -> None:
    made = images(7)
    scaled = (made - MEAN) / DEVIATION
    patches = np.lib.stride_tricks.sliding_window_view(scaled, (2, 2), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
    rows = patches.reshape(-1, 12)
    assert np.allclose(patch_covariance(made, 2, MEAN, DEVIATION), rows.T @ rows / len(rows), rtol=1e-4, atol=1e-5)


def test_a_whitening_convolution_gives_uncorrelated_outputs_of_one_variance_and_their_negatives() -> None:
    made = images()
    covariance = patch_covariance(made, 2, MEAN, DEVIATION)
    layer = keras.layers.Conv2D(24, 2, use_bias=False, kernel_initializer=Whitening(covariance))
    outputs = array(layer(((made - MEAN) / DEVIATION).astype(np.float32))).reshape(-1, 24).astype(np.float64)
    assert np.allclose(outputs[:, 12:], -outputs[:, :12], atol=1e-4)
    moments = outputs[:, :12].T @ outputs[:, :12] / len(outputs)
    values = np.sort(np.linalg.eigvalsh(covariance))[::-1]
    assert np.allclose(moments, np.diag(values / (values + EPSILON)), atol=2e-3)


def test_whitening_takes_the_largest_components_and_refuses_another_patch() -> None:
    covariance = patch_covariance(images(), 2, MEAN, DEVIATION)
    whole, part = (array(Whitening(covariance)((2, 2, 3, filters))) for filters in (24, 10))
    assert np.allclose(part[..., :5], whole[..., :5])
    with pytest.raises(ValueError, match=r"a kernel \(3, 3, 3, 24\) can't whiten patches of 12 numbers"):
        Whitening(covariance)((3, 3, 3, 24))


@pytest.mark.parametrize(("before", "after"), [(4, 6), (6, 4), (5, 5)])
def test_a_dirac_convolution_passes_its_inputs_on(before: int, after: int) -> None:
    layer = keras.layers.Conv2D(after, 3, padding="same", use_bias=False, kernel_initializer=Dirac(seed=1))
    given_images = draw.normal(size=(2, 8, 8, before)).astype(np.float32)
    same = min(before, after)
    assert np.allclose(array(layer(given_images))[..., :same], given_images[..., :same], atol=1e-5)
    rest = array(layer.kernel)[..., same:]
    assert (np.abs(rest) <= (9 * before) ** -0.5).all()
    assert (array(Dirac(seed=1)((3, 3, before, after))) == array(layer.kernel)).all()


@pytest.mark.parametrize("scale", [True, False])
def test_the_fused_normalisation_is_keras_own(scale: bool) -> None:
    given_images = draw.normal(3.0, 2.0, size=(16, 5, 5, 6)).astype(np.float32)
    count = 16 * 5 * 5
    ours = FusedBatchNormalization(momentum=0.7, epsilon=1e-3, scale=scale)
    theirs = keras.layers.BatchNormalization(momentum=0.7, epsilon=1e-3, scale=scale)
    for layer in (ours, theirs):
        layer.build(given_images.shape)
    weights = [draw.uniform(0.5, 1.5, each.shape).astype(np.float32) for each in theirs.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    for training in (False, True):
        outputs = [array(layer(given_images, training=training)) for layer in (ours, theirs)]
        assert np.allclose(*outputs, atol=1e-4)
    assert np.allclose(array(ours.moving_mean), array(theirs.moving_mean), atol=1e-4)
    unbiased = count / (count - 1) if backend() != "jax" else 1.0
    before = weights[-1] * 0.7
    expected = before + (array(theirs.moving_variance) - before) * unbiased
    assert np.allclose(array(ours.moving_variance), expected, atol=1e-4)


def after_a_step(layer: Any, size: int) -> list[np.ndarray]:
    """The weights of a layer, and of one before it, after a step of gradient descent on noise."""
    made = np.random.default_rng(3)
    inputs = keras.Input((size, size, 3))
    before = keras.layers.Dense(3, kernel_initializer=keras.initializers.Identity(), use_bias=False)
    model = keras.Model(inputs, layer(before(inputs)))
    model.compile(keras.optimizers.SGD(1.0), "mse")
    images = made.normal(1.0, 2.0, (8, size, size, 3)).astype(np.float32)
    model.train_on_batch(images, made.normal(size=(8, *model.output_shape[1:])).astype(np.float32))
    return list(model.get_weights()[:3])


def test_the_fused_normalisation_has_keras_own_gradient() -> None:
    kinds = (FusedBatchNormalization, keras.layers.BatchNormalization)
    for one, other in zip(*(after_a_step(kind(epsilon=1e-3), 4) for kind in kinds), strict=True):
        assert np.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize(
    ("size", "how"),
    [
        *((size, {"kernel_size": 3, "padding": "same"}) for size in (1, 2, 3, 7, 8, 9)),
        *((6, {"kernel_size": 3, "padding": "same", **how}) for how in ({"strides": 2}, {"dilation_rate": 2})),
        (6, {"kernel_size": 3, "padding": "valid"}),
        (6, {"kernel_size": 1, "padding": "same", "use_bias": False}),
    ],
)
def test_the_convolution_has_keras_own_outputs_and_gradients(size: int, how: dict[str, Any]) -> None:
    first = keras.initializers.GlorotUniform(seed=1)
    layers = [kind(5, kernel_initializer=first, **how) for kind in (Convolution, keras.layers.Conv2D)]
    for one, other in zip(*(after_a_step(layer, size) for layer in layers), strict=True):
        assert np.allclose(one, other, atol=1e-4)
    images = draw.normal(size=(2, size, size, 3)).astype(np.float32)
    assert np.allclose(*(array(layer(images)) for layer in layers), atol=1e-4)


def test_a_triangular_rate_rises_from_a_twentieth_and_falls_to_nothing() -> None:
    rate = Triangular(2.0, warm_up=0.25)
    steps = (-1.0, 0.0, 0.125, 0.25, 0.625, 1.0, 2.0)
    assert [float(rate(step)) for step in steps] == pytest.approx([0.1, 0.1, 1.05, 2.0, 1.0, 0.0, 0.0], abs=1e-6)
    assert [float(Triangular(2.0)(step)) for step in (0.0, 0.5, 1.0)] == pytest.approx([2.0, 1.0, 0.0])
    again = Triangular.from_config(Triangular(2.0, warm_up=0.5, length=100).get_config())
    assert float(again(50)) == pytest.approx(2.0)


@pytest.mark.parametrize("other", ["jax", "torch"])
def test_the_pieces_on_another_backend(other: str) -> None:
    if backend() != "tensorflow":
        pytest.skip("it is the other backend")
    if importlib.util.find_spec(other) is None:
        pytest.skip(f"{other} is not installed")
    command = [sys.executable, "-m", "pytest", "-k", "not another_backend", str(Path(__file__))]
    environment = {**os.environ, "KERAS_BACKEND": other}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
