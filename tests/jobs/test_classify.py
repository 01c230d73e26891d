"""Pictures classified by hand, as a person does it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lib.images import tables
from lib.store import open_store
from tests.lib.images.nights import night

ROOT = Path(__file__).parents[2]
MODEL = """
import sys
import numpy as np
from lib.images.backend import keras

images = keras.Input((32, 32, 3), dtype="uint8")
x = keras.layers.Rescaling(1 / 255)(images)
x = keras.layers.GlobalAveragePooling2D()(x)
dense = keras.layers.Dense(100, activation="softmax")
model = keras.Model(images, dense(x))
weights = np.zeros((3, 100), np.float32)
weights[0, 10] = weights[1, 20] = weights[2, 30] = 9  # red, green, blue
weights[0, 11:15] = 7
dense.set_weights([weights, np.zeros(100, np.float32)])
model.save(sys.argv[1])
"""


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTDESK_")}
    return {**kept, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A model that knows three colours."""
    path = tmp_path_factory.mktemp("model") / "colours.keras"
    subprocess.run([sys.executable, "-c", MODEL, str(path)], cwd=ROOT, env=environment(), check=True)
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path: Path, content: bytes) -> Path:
    """A folder with a desk that has a champion, and pictures."""
    db = open_store(tmp_path / "data", [tables.migrations])
    night(db, tmp_path / "data", "2024-05-01", content)
    db.close()
    for name in ("red", "green", "blue"):
        Image.new("RGB", (50, 40), name).save(tmp_path / f"{name}.png")
    return tmp_path


def say(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jobs.classify", *args]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )


def test_the_five_likeliest_classes_and_the_superclass_are_printed(folder: Path) -> None:
    done = say(folder, "red.png", "blue.png")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    red, blue = done.stdout.split("\n\n")
    lines = red.splitlines()
    assert lines[0] == "red.png"
    assert len(lines) == 7
    assert lines[1].endswith("%  class 10 (superclass 02)")
    assert lines[6].endswith("%  superclass superclass 02")
    assert "class 30 (superclass 06)" in blue.splitlines()[1]


def test_the_answers_are_one_json_object(folder: Path) -> None:
    done = say(folder, "--json", "red.png", "missing.png", "green.png")
    assert done.returncode == 65
    assert done.stderr == "Can't read missing.png: it is not there.\n"
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["model"]["id"] == 1
    red, missing, green = said["images"]
    assert [each["class"] for each in red["classes"]] == [f"class {place}" for place in range(10, 15)]
    assert red["superclass"]["name"] == "superclass 02"
    assert red["superclass"]["probability"] > red["classes"][0]["probability"]
    assert missing == {"file": "missing.png", "error": "Can't read missing.png: it is not there."}
    assert green["classes"][0]["class"] == "class 20"


def test_pictures_that_cannot_be_read_are_named_and_the_others_classified(folder: Path) -> None:
    (folder / "text.jpg").write_text("no picture")
    done = say(folder, "text.jpg", "data", "green.png")
    assert done.returncode == 65
    assert done.stderr.splitlines() == [
        "Can't read text.jpg: it is no picture that Pillow knows.",
        "Can't read data: it is a folder, and no picture.",
    ]
    assert done.stdout.startswith("green.png\n")


def test_without_a_champion_it_says_what_to_do_and_leaves_no_trace(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    for options in ([], ["--json"]):
        done = say(tmp_path, "a.png", *options)
        assert done.returncode == 69
        assert "python -m jobs.retrain_cnn" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert json.loads(done.stdout) == {"model": None, "images": []}
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    open_store(tmp_path / "data").close()
    assert say(tmp_path, "a.png").returncode == 69


def test_a_damaged_champion_is_not_loaded_and_its_copy_answers(folder: Path) -> None:
    (folder / "data" / "models" / "champion.keras").write_bytes(b"damaged")
    before = sorted((folder / "data").rglob("*"))
    done = say(folder, "red.png")
    assert done.returncode == 0
    assert done.stderr == "data/models/champion.keras is damaged and was not loaded.\n"
    assert "class 10" in done.stdout
    assert sorted((folder / "data").rglob("*")) == before
    (folder / "data" / "models" / "1.keras").write_bytes(b"damaged")
    assert say(folder, "red.png").returncode == 69


def test_the_data_folder_may_be_another_or_come_from_the_settings(folder: Path, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert say(elsewhere, str(folder / "red.png"), "--data", str(folder / "data")).returncode == 0
    (elsewhere / "nightdesk.toml").write_text(f'data = "{folder / "data"}"\n')
    assert say(elsewhere, str(folder / "red.png")).returncode == 0
    (elsewhere / "nightdesk.toml").write_text("date = 1\n")
    done = say(elsewhere, str(folder / "red.png"))
    assert done.returncode == 78
    assert len(done.stderr.splitlines()) == 1


def test_help_is_quick_and_wrong_usage_ends_with_two(tmp_path: Path) -> None:
    started = time.perf_counter()
    done = say(tmp_path, "--help")
    assert done.returncode == 0
    assert time.perf_counter() - started < 1
    assert say(tmp_path).returncode == 2
    assert say(tmp_path, "--nothing", "a.png").returncode == 2
