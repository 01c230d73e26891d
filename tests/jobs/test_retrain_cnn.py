"""The nightly job, run by its command line on small archives of noise and on the demo's."""

import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from tests.lib.images.made_archives import made_parts, pack, write_python

METRICS = {
    *("recipe", "backend", "epochs", "seconds", "images_per_second", "params", "accuracy", "accuracy_low"),
    *("accuracy_high", "top5_accuracy", "coarse_accuracy", "slides_accuracy", "loss", "ece", "promoted", "champion"),
}
PLAIN = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy as np
model = keras.models.load_model(sys.argv[1], compile=False, safe_mode=True)
images = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), np.uint8)
chances = np.asarray(model(images))
assert chances.shape == (7, 100) and chances.dtype == np.float32, (chances.shape, chances.dtype)
assert np.allclose(chances.sum(axis=1), 1, atol=1e-5)
assert not model.compiled
"""


@pytest.fixture
def archive(tmp_path):
    """A packed archive of noise: 12 training images and 2 test images a class."""
    return str(pack(write_python(tmp_path / "cifar-100-python", made_parts(12, 2)), tmp_path / "cifar.tar.gz"))


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_the_first_night_s_network_is_the_champion_and_plain_keras_loads_it(trainer, archive):
    code, said = trainer.json("--archive", archive, "--recipe", "seed", "--epochs", "1")
    assert code == 0
    metrics = said["metrics"]
    assert set(metrics) >= METRICS
    assert (metrics["recipe"], metrics["epochs"], metrics["promoted"]) == ("seed", 1, True)
    assert metrics["accuracy_low"] <= metrics["accuracy"] <= metrics["accuracy_high"]
    champion = trainer.folder / metrics["champion"]
    ((state, digest),) = trainer.query("SELECT state, sha256 FROM models")
    assert (state, digest) == ("champion", sha256(champion))
    card = json.loads(champion.with_suffix(".json").read_text())
    assert card["file"]["sha256"] == digest
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    plain = subprocess.run(
        [sys.executable, "-c", PLAIN, champion], cwd=champion.parent, env=environment, capture_output=True, check=False
    )
    assert plain.returncode == 0, plain.stderr
    page = (trainer.folder / said["report"]).read_text()
    assert "<script" not in page
    assert "tensorboard --logdir" in page
    assert not list((trainer.data / "training").rglob("*.npz"))  # nothing is left to be resumed


def test_best_goes_on_from_the_champion_of_its_own_recipe_unless_it_is_to_start_afresh(trainer, archive):
    def night(day, *more):
        code, said = trainer.json("--archive", archive, "--epochs", "1", "--date", f"2024-06-{day:02}", *more)
        assert code == 0
        assert said["metrics"]["seed"] == 20240600 + day
        return said["metrics"]["went_on_from"]

    assert night(1, "--recipe", "best") is None  # there is no champion
    ((champion,),) = trainer.query("SELECT id FROM models WHERE state = 'champion'")
    assert night(2, "--recipe", "best") == champion
    assert (
        f"the champion before it, model {champion} of"
        in (trainer.reports / "retrain_cnn" / "2024-06-02.html").read_text()
    )
    assert night(3, "--recipe", "best", "--fresh") is None
    assert night(4, "--recipe", "fast") is None


def test_a_short_time_has_a_smaller_network_which_a_larger_one_does_not_go_on_from(trainer, archive):
    nights = []
    for day, time_of_it in enumerate((("--minutes", "0.05"), ()), 1):
        args = ("--archive", archive, "--recipe", "best", "--epochs", "1", *time_of_it)
        code, said = trainer.json(*args, "--date", f"2024-06-{day:02}")
        assert code == 0
        nights.append(said["metrics"])
    assert nights[1]["params"] > 2 * nights[0]["params"]
    assert nights[1]["went_on_from"] is None


@pytest.mark.parametrize("other", ["jax", "torch"])
def test_a_network_that_another_backend_trained_is_a_champion_that_every_one_loads(other, trainer, archive):
    if importlib.util.find_spec(other) is None:
        pytest.skip(f"{other} is not installed")
    args = ("--archive", archive, "--recipe", "fast", "--epochs", "1")
    code, said = trainer.json(*args, env={"KERAS_BACKEND": other})
    assert (code, said["metrics"]["backend"]) == (0, other)
    champion = trainer.folder / said["metrics"]["champion"]
    plain = subprocess.run([sys.executable, "-c", PLAIN, champion], capture_output=True, check=False)
    assert plain.returncode == 0, plain.stderr
    assert f"{other} {version(other)}" in (trainer.folder / said["report"]).read_text()


def test_a_network_no_better_than_the_champion_stays_out(trainer, archive):
    first = trainer.json("--archive", archive, "--recipe", "seed", "--epochs", "1", "--date", "2024-06-01")[1]
    before = sha256(trainer.folder / first["metrics"]["champion"])
    args = ("--archive", archive, "--recipe", "seed", "--epochs", "1", "--date", "2024-06-02", "--seed", "2")
    code, said = trainer.json(*args)
    assert (code, said["metrics"]["promoted"]) == (0, False)
    assert sha256(trainer.folder / first["metrics"]["champion"]) == before
    assert "The champion stays" in (trainer.folder / said["report"]).read_text()
    assert [row[0] for row in trainer.query("SELECT state FROM models ORDER BY id")] == ["champion", "beaten"]


def test_a_damaged_champion_is_noticed_and_not_loaded(trainer, archive):
    args = ("--archive", archive, "--recipe", "seed", "--epochs", "1")
    first = trainer.json(*args, "--date", "2024-06-01")[1]
    champion = trainer.folder / first["metrics"]["champion"]
    whole = sha256(champion)
    champion.write_bytes(b"broken")
    _, said = trainer.json(*args, "--date", "2024-06-02")
    assert said["metrics"]["notes"]
    assert sha256(champion) == whole


def test_a_training_killed_between_epochs_goes_on_from_its_last_one(trainer, archive):
    args = ("--archive", archive, "--recipe", "seed", "--epochs", "400", "--date", "2024-06-01")
    process = trainer.start(*args)
    end = time.monotonic() + 90
    while not list((trainer.data / "training").rglob("*.npz")):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in [process.pid, *map(int, children)]:
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    state = next((trainer.data / "training").rglob("*.npz"))
    with np.load(state) as kept:
        assert kept.files
    process = trainer.start(*args)
    try:
        line = ""
        while "training" not in line:
            line = process.stderr.readline()
            assert line, "it ended without training"
    finally:
        process.kill()
        process.communicate()


def test_rollback_without_a_previous_champion_says_so(trainer):
    done = subprocess.run(
        trainer.command("rollback", "--data", str(trainer.data), job="jobs"),
        cwd=trainer.folder,
        env=trainer.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 69
    assert "no previous champion" in done.stderr


def test_a_hostile_pickle_is_refused_and_nothing_of_it_runs(trainer, tmp_path):
    folder = write_python(tmp_path / "cifar-100-python", made_parts(2, 1))
    marker = tmp_path / "marker"
    (folder / "train").write_bytes(b"cos\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR.")
    done = trainer.run("--archive", str(folder), "--recipe", "seed", "--epochs", "1")
    assert done.returncode == 65
    assert not marker.exists()
    assert "train" in done.stderr.splitlines()[-1]


def test_an_archive_with_another_checksum_is_refused(trainer, archive):
    done = trainer.run("--archive", archive, "--checksum", "0" * 32, "--epochs", "1")
    assert done.returncode == 65
    assert "0" * 32 in done.stderr.splitlines()[-1]


def test_dry_run_trains_nothing(trainer, archive):
    done = trainer.run("--archive", archive, "--dry-run")
    assert (done.returncode, "recipe best" in done.stdout) == (0, True)
    assert not trainer.data.exists()
