"""Training: what it learns, that it fits its time, and that a dead one goes on to the same end."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lib.errors import DeskError
from lib.images import clock as clocks
from lib.images import training
from lib.images.augment import Augmentation
from lib.images.clock import Clock
from lib.images.networks import one_way, predict
from lib.images.recipes import FAST, SEED, Recipe
from lib.images.resume import STATE, Epoch, State, forget_state, load_state, save_state
from lib.images.training import Trained, images_an_epoch, train

# TensorFlow 2.21 with NumPy 2.4
ROOT = Path(__file__).parents[3]
SMALL = replace(SEED, widths=(4, 4, 4), batch=32, epochs=4)
WHITENED = replace(FAST, widths=(4, 4, 8), batch=32, epochs=4, learning_rate=0.05, dropout=0.2)
STATISTICS = (np.full(3, 128.0), np.full(3, 64.0))

# Trains on 150 made-up images; the second argument is the step after which it kills itself, none for 0, the third one
# what is other than in WHITENED.
SCRIPT = """
import json, os, signal, sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from tests.lib.images.test_training import WHITENED, run

steps = 0

def count(images):
    global steps
    steps += 1
    if steps == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

trained = run(replace(WHITENED, **json.loads(sys.argv[3])), Path(sys.argv[1]), on_step=count)
print(trained.resumed_from, trained.epochs, trained.backend, trained.devices)
np.savez(Path(sys.argv[1]) / "weights.npz", *trained.model.get_weights())
losses = [(e.loss, e.accuracy, e.val_loss, e.val_accuracy, e.learning_rate) for e in trained.history]
(Path(sys.argv[1]) / "losses.txt").write_text(repr(losses))
"""


def made(count: int = 150, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images of three classes: red, green or blue in noise."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 3, count)
    images = draw.integers(0, 150, (count, 32, 32, 3), dtype=np.uint8)
    images[np.arange(count), :, :, labels] += 100
    return images, labels


def run(recipe: Recipe, folder: Path, count: int = 150, **more: object) -> Trained:
    images, labels = made(count)
    options = {"seed": 1, "folder": folder, "key": "made", **more}
    return train(recipe, images, labels, made(40, seed=1), STATISTICS, **options)


def process(
    folder: Path, backend: str, kill: int = 0, changes: dict[str, object] | None = None, devices: int = 1
) -> subprocess.CompletedProcess[str]:
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": backend, "XLA_FLAGS": flags}
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(folder), str(kill), json.dumps(changes or {})]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_training_learns_and_tells_of_every_epoch(tmp_path: Path) -> None:
    told: list[Epoch] = []
    steps: list[int] = []
    trained = run(SMALL, tmp_path, on_epoch=told.append, on_step=steps.append)
    assert trained.history == told
    assert len(told) == trained.epochs == 4
    assert sum(steps) == 4 * images_an_epoch(SMALL, 150) == 4 * 160
    assert trained.resumed_from is None
    assert told[-1].val_accuracy > 0.8
    assert told[-1].val_loss < told[0].val_loss
    assert 0 < sum(epoch.seconds for epoch in told) < trained.seconds
    assert trained.images_per_second > 100
    assert trained.params == trained.model.count_params()
    images, labels = made(40, seed=1)
    said = predict(trained.model, images)
    assert (said.argmax(axis=1) == labels).mean() == pytest.approx(told[-1].val_accuracy, abs=0.06)
    assert trained.logs is not None
    assert len(list(trained.logs.glob("events.out.tfevents.*"))) == 1
    forget_state(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tensorboard"]


@pytest.mark.parametrize("recipe", [SMALL, replace(WHITENED, mirrored=True)])
def test_a_training_goes_on_from_the_weights_of_a_kept_network(recipe: Recipe, tmp_path: Path) -> None:
    first = run(recipe, tmp_path)
    weights = one_way(first.model).get_weights()
    again = run(replace(recipe, learning_rate=1e-6), tmp_path, epochs=1, seed=2, start=weights)
    afresh = run(replace(recipe, learning_rate=1e-6), tmp_path, epochs=1, seed=2)
    assert (first.went_on, again.went_on, afresh.went_on) == (False, True, False)
    assert afresh.resumed_from is None  # what it hangs on is another start
    assert again.history[0].val_accuracy == pytest.approx(first.history[-1].val_accuracy, abs=0.06)
    assert again.history[0].val_accuracy > 0.8
    assert afresh.history[0].val_accuracy < 0.6


@pytest.mark.parametrize("mirrored", [False, True])
def test_what_is_kept_is_as_sure_as_it_is_right(mirrored: bool, tmp_path: Path) -> None:
    images, labels = made(200, seed=1)
    labels[::4] = (labels[::4] + 1) % 3  # nobody can be right about more than three in four
    recipe = replace(SMALL, mirrored=mirrored)
    trained = train(recipe, *made(), (images, labels), STATISTICS, seed=1, folder=tmp_path, epochs=6)
    said = predict(trained.model, images)
    assert (said.argmax(axis=1) == labels).mean() == pytest.approx(0.75, abs=0.03)
    assert said.max(axis=1).mean() == pytest.approx(0.75, abs=0.06)  # 0.99 uncalibrated
    assert trained.temperature > 1.5


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_training_that_died_after_its_last_epoch_is_calibrated_as_an_undisturbed_one(
    mirrored: bool, tmp_path: Path
) -> None:
    recipe = replace(SMALL, mirrored=mirrored, epochs=2)
    told: list[Epoch] = []

    def die(epoch: Epoch) -> None:
        told.append(epoch)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(recipe, tmp_path / "dead", on_epoch=die)
    again, undisturbed = run(recipe, tmp_path / "dead"), run(recipe, tmp_path / "undisturbed")
    assert (again.resumed_from, undisturbed.resumed_from) == (2, None)
    assert again.temperature == undisturbed.temperature != 1.0
    both = zip(again.model.get_weights(), undisturbed.model.get_weights(), strict=True)
    assert all((one == other).all() for one, other in both)


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_training_killed_in_an_epoch_ends_as_an_undisturbed_one(backend: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    done = process(undisturbed, backend)
    assert done.stdout == f"None 4 {backend} 1\n", done.stderr
    assert done.stderr == ""
    assert process(killed, backend, kill=13).returncode == -signal.SIGKILL  # an epoch has five steps
    assert process(killed, backend).stdout == f"2 4 {backend} 1\n"
    weights = [np.load(folder / "weights.npz") for folder in (undisturbed, killed)]
    if backend == "tensorflow":  # bit for bit
        assert all((weights[0][name] == weights[1][name]).all() for name in weights[0].files)
        assert (undisturbed / "losses.txt").read_text() == (killed / "losses.txt").read_text()
    else:
        assert all(np.allclose(weights[0][name], weights[1][name], atol=0.02) for name in weights[0].files)


def test_four_devices_that_share_a_step_train_what_one_trains(tmp_path: Path) -> None:
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed, whose devices Keras shares a step among")
    exact = {"precision": "float32", "epochs": 1}
    done = [process(tmp_path / str(devices), "jax", changes=exact, devices=devices) for devices in (1, 4)]
    assert [each.stdout for each in done] == ["None 1 jax 1\n", "None 1 jax 4\n"], done[1].stderr
    weights = [np.load(tmp_path / name / "weights.npz") for name in ("1", "4")]
    assert all(np.allclose(weights[0][name], weights[1][name], atol=1e-3) for name in weights[0].files)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a file", None])
def test_a_damaged_state_is_a_fresh_start(content: bytes | None, tmp_path: Path) -> None:
    run(SMALL, tmp_path, epochs=1)
    path = tmp_path / STATE
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\x55" + whole[len(whole) // 2 + 1 :] if content is None else content)
    assert run(SMALL, tmp_path, epochs=1).resumed_from is None
    assert run(SMALL, tmp_path, epochs=1).resumed_from == 1


def test_a_state_of_another_training_is_not_gone_on_from(tmp_path: Path) -> None:
    run(SMALL, tmp_path, epochs=1)
    state = (tmp_path / STATE).read_bytes()
    changes = [{"epochs": 2}, {"seed": 2}, {"key": "other"}, {"count": 149}, {"recipe": replace(SMALL, batch=31)}]
    for change in changes:
        (tmp_path / STATE).write_bytes(state)
        assert run(**{"recipe": SMALL, "folder": tmp_path, "epochs": 1, **change}).resumed_from is None
    (tmp_path / STATE).write_bytes(state)
    assert run(SMALL, tmp_path, epochs=1).resumed_from == 1


def test_a_state_comes_back_bit_for_bit_and_only_under_its_key(tmp_path: Path) -> None:
    variables = [np.array([0.1, np.nan], np.float32), np.array(7, np.uint32)]
    epoch = Epoch(1 / 3, 0.1, 2.0, 0.2, 3.0, 1e-3, 1000.0)
    save_state(tmp_path, "key", State(variables, [epoch], 0.1 + 0.2, 12.5))
    state = load_state(tmp_path, "key", variables)
    assert state is not None
    assert (state.history, state.progress, state.seconds) == ([epoch], 0.1 + 0.2, 12.5)
    assert [each.tobytes() for each in state.variables] == [each.tobytes() for each in variables]
    (tmp_path / f".{STATE}.0.aside").touch()
    assert load_state(tmp_path, "other", variables) is None
    assert not list(tmp_path.iterdir())


def test_a_training_ends_when_its_minutes_are_over_with_its_schedule_done(tmp_path: Path) -> None:
    trained = run(WHITENED, tmp_path, count=4000, minutes=0.1)
    assert 5.6 - clocks.CLOSING < trained.seconds < 6.2
    assert trained.history[-1].learning_rate < 0.1 * WHITENED.learning_rate


def test_the_time_spent_before_a_training_died_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(clocks.time, "perf_counter", lambda: now)
    monkeypatch.setattr(clocks, "CLOSING", 0.0)
    clock = Clock(100.0, None, 1.0, spent=30.0, start=0.5)
    clock.look = 2.0
    now = 104.0
    clock.advance(0.1)  # compiled
    assert clock.progress == 0.5
    now = 116.0  # 46 of 60 seconds, with 2 in reserve: half of the time that was left
    clock.advance(0.2)
    assert clock.progress == pytest.approx(0.75)
    now = 128.0
    clock.advance(0.3)
    assert clock.progress == 1
    assert clock.seconds() == 58


def test_a_first_step_that_compiles_for_long_is_not_taken_for_what_a_step_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(clocks.time, "perf_counter", lambda: now)
    monkeypatch.setattr(clocks, "CLOSING", 0.0)
    clock = Clock(100.0, None, 0.1)
    now = 104.0
    clock.advance(0.1, 3.0)  # 2 of 6 seconds are left, fewer than that step took
    assert clock.progress == 0
    now = 104.5
    clock.advance(0.2, 0.5)
    assert clock.progress == pytest.approx(1 / 3)


def test_of_epochs_and_minutes_the_first_to_end_counts() -> None:
    clock = Clock(clocks.time.perf_counter(), 4, 60.0)
    clock.advance(1.0)
    assert clock.progress == pytest.approx(0.25, abs=0.001)
    clock.advance(4.0)
    assert clock.progress == 1


def test_the_accuracies_are_over_all_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "VALIDATION_BATCH", 16)
    monkeypatch.setattr(training, "temperature", lambda logits, labels: 1.0)  # what is kept says what was trained
    recipe = replace(SMALL, precision="float32", learning_rate=0.0, dropout=0.0, augmentation=Augmentation())
    trained = run(recipe, tmp_path, count=160, epochs=1)
    (epoch,) = trained.history
    for (images, labels), loss, accuracy in (
        (made(160), epoch.loss, epoch.accuracy),
        (made(40, seed=1), epoch.val_loss, epoch.val_accuracy),
    ):
        said = predict(trained.model, images)
        assert accuracy == pytest.approx((said.argmax(axis=1) == labels).mean(), abs=1e-6)
        assert loss == pytest.approx(-np.log(said[np.arange(len(labels)), labels]).mean(), rel=1e-4)


def test_fewer_images_than_a_batch_and_fewer_validation_images_are_enough(tmp_path: Path) -> None:
    trained = run(SMALL, tmp_path, count=7, epochs=2)
    assert np.isfinite([epoch.loss for epoch in trained.history]).all()


def test_a_loss_that_is_no_number_ends_the_training_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DeskError, match=r"the training of fast came apart in epoch 1, step \d+: its loss is nan"):
        run(replace(WHITENED, learning_rate=1e30), tmp_path)


def test_the_same_seed_trains_the_same_network(tmp_path: Path) -> None:
    made_by = [run(SMALL, tmp_path / name, epochs=1, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    first, again, other = (trained.model.get_weights() for trained in made_by)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_keras_comes_without_a_word(tmp_path: Path) -> None:
    script = "from lib.images.backend import keras; print(len(keras.ops.ones(2)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("2\n", "")
