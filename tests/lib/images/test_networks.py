"""The networks: the original's shape, and what is kept is loaded by plain Keras without our code."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib.images.backend import keras
from lib.images.networks import build_network, describe_layers, exportable, first_filters, one_way, predict
from lib.images.rates import schedule_of
from lib.images.recipes import RECIPES, SEED, Recipe
from lib.images.saving import foreign_classes

# TensorFlow 2.21 with NumPy 2.4
STATISTICS = (np.array([129.304, 124.070, 112.434]), np.array([68.170, 65.392, 70.418]))
LOAD = """
import sys
import numpy as np
import keras

for name in sys.argv[1:]:
    model = keras.models.load_model(f"{name}.keras", safe_mode=True)
    assert not model.compiled
    said = model.predict(np.load("images.npy"), verbose=0)
    assert np.allclose(said, np.load(f"{name}.npy"), atol=1e-5)
assert not any(name.partition(".")[0] == "lib" for name in sys.modules)
"""


def made(count: int = 7) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def trained_like(recipe: Recipe, precision: str = "float32") -> Any:
    """The recipe's network with weights as after a training: shifts, and what is normalised away, differ."""
    model = build_network(recipe, STATISTICS, seed=1, precision=precision, covariance=np.eye(12))
    draw = np.random.default_rng(1)
    model.set_weights(
        [each * draw.uniform(0.5, 1.5, each.shape) + 0.1 * (each.ndim == 1) for each in model.get_weights()]
    )
    return model


def test_seed_is_the_originals_network() -> None:
    layers = describe_layers(build_network(SEED, STATISTICS, seed=1))
    assert [(layer.kind, layer.shape) for layer in layers if layer.kind not in ("InputLayer", "Normalization")] == [
        ("Conv2D", (32, 32, 32)),
        ("MaxPooling2D", (16, 16, 32)),
        ("Conv2D", (16, 16, 64)),
        ("Conv2D", (16, 16, 64)),
        ("MaxPooling2D", (8, 8, 64)),
        ("Flatten", (4096,)),
        ("Dense", (512,)),
        ("Dropout", (512,)),
        ("Dense", (100,)),
    ]
    assert sum(layer.parameters for layer in layers) == 896 + 18_496 + 36_928 + 2_097_664 + 51_300


def test_two_more_convolutions_of_a_stage_add_to_what_the_first_one_says() -> None:
    small = replace(RECIPES["fast"], widths=(4, 4, 8))
    with_them, without = (
        build_network(replace(small, depths=(2, 2, depth)), STATISTICS, seed=1, covariance=np.eye(12))
        for depth in (3, 1)
    )
    for layer in with_them.layers:
        if layer.name in ("stage_3_2", "stage_3_3"):  # zeros, normalised, are zeros: nothing is added
            layer.set_weights([np.zeros_like(each) for each in layer.get_weights()])
        elif layer.name == "classes":
            without.get_layer("classes").set_weights(layer.get_weights())
    assert np.allclose(predict(with_them, made()), predict(without, made()), atol=1e-5)
    with_them.get_layer("stage_3_3_norm").beta.assign(np.ones(8))
    assert not np.allclose(predict(with_them, made()), predict(without, made()), atol=1e-2)


def test_what_is_kept_says_what_was_trained_and_has_keras_own_classes_alone() -> None:
    images = made()
    for recipe in RECIPES.values():
        model = trained_like(recipe)
        said = predict(exportable(model, recipe, STATISTICS, 0.5), images)
        assert said.dtype == np.float32
        assert said.shape == (7, 100)
        ways = (images, images[:, :, ::-1]) if recipe.mirrored else (images,)
        logits = [predict(model, each).astype(np.float64) / 0.5 for each in ways]
        mean = np.mean([np.exp(each) / np.exp(each).sum(axis=1, keepdims=True) for each in logits], axis=0)
        assert np.allclose(said, mean, atol=1e-5)
        assert np.abs(said - said[0]).max() > 1e-4  # ten times the tolerance

        trained = trained_like(recipe, "mixed_bfloat16")
        kept = exportable(trained, recipe, STATISTICS)
        assert "bfloat16" not in kept.to_json()
        assert not foreign_classes(json.loads(kept.to_json()))
        config = one_way(kept).get_config()
        assert {layer["registered_name"] for layer in config["layers"]} == {None}
        assert {layer["module"] for layer in config["layers"]} == {"keras.layers"}


def test_what_is_kept_is_loaded_by_plain_keras_in_safe_mode_and_says_the_same(tmp_path: Path) -> None:
    images = made()
    np.save(tmp_path / "images.npy", images)
    for name, recipe in RECIPES.items():
        kept = exportable(trained_like(recipe), recipe, STATISTICS)
        kept.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", predict(kept, images))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", LOAD, *RECIPES], cwd=tmp_path, env=environment, check=True)


def test_the_networks_take_raw_pixels() -> None:
    """The first layer takes off the mean and divides by the deviation."""
    model = build_network(SEED, STATISTICS, seed=1)
    scaled = keras.Model(model.input, model.layers[1].output)
    images = made()
    expected = (images - STATISTICS[0]) / STATISTICS[1]
    assert np.allclose(predict(scaled, images), expected, atol=1e-5)


def test_the_same_seed_gives_the_same_weights_and_no_policy_is_left_behind() -> None:
    weights = [build_network(SEED, STATISTICS, seed=s, precision="mixed_bfloat16").get_weights() for s in (1, 1, 2)]
    assert all((a == b).all() for a, b in zip(weights[0], weights[1], strict=True))
    assert (weights[0][0] != weights[2][0]).any()
    assert keras.mixed_precision.global_policy().name == "float32"


def test_predictions_do_not_hang_on_the_batch() -> None:
    kept = exportable(build_network(SEED, STATISTICS, seed=1), SEED, STATISTICS)
    images = made(23)
    assert np.allclose(predict(kept, images, batch=5), predict(kept, images), atol=1e-6)
    assert predict(kept, images[:0]).shape == (0, 100)


def test_the_first_filters_are_pictures() -> None:
    pictures = first_filters(build_network(SEED, STATISTICS, seed=1))
    assert pictures.shape == (32, 3, 3, 3)
    assert (pictures.min(axis=(1, 2, 3)) == 0).all()
    assert (pictures.max(axis=(1, 2, 3)) == 1).all()


@pytest.mark.parametrize("name", RECIPES)
def test_the_learning_rate_is_the_recipes(name: str) -> None:
    recipe = RECIPES[name]
    rates = [float(schedule_of(recipe)(progress)) for progress in np.linspace(0, 1, 101)]
    assert max(rates) == pytest.approx(recipe.learning_rate, rel=0.01)
    if recipe.schedule == "triangular":
        assert rates[-1] == 0
        assert np.argmax(rates) == pytest.approx(100 * recipe.warm_up, abs=1)
    else:
        assert set(rates) == {0.001}
