"""A model's file is whole, the one that was meant, and of use to those who have Keras and not our code."""

import json
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlite_utils import Database

from lib.errors import BadData, CannotWrite, SourceUnavailable
from lib.images import tables
from lib.images.champion import load_champion, settle
from lib.images.saving import foreign_classes, load, stage, stage_file
from lib.store import open_store
from tests.lib.images.nights import card_of, night

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)


def network(compiled: bool = True, **last: Any) -> Any:
    """A very small network that keeps to the contract, unless `last` says otherwise of its last layer."""
    from lib.images.backend import keras

    keras.utils.set_random_seed(3)
    images = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(images)
    x = keras.layers.Conv2D(4, 3, strides=4, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(images, keras.layers.Dense(100, **{"activation": "softmax", **last})(x), name="tiny")
    if compiled:
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(IMAGES, np.zeros(3), verbose=0)
    return model


def answers(model: Any) -> Any:
    """What a model says of three images."""
    return np.asarray(model(IMAGES))


def test_a_staged_model_is_uncompiled_and_answers_as_before(data: Path) -> None:
    model = network()
    staged = stage(model, data, 17)
    assert staged.path == data / "models" / "17.keras"
    assert staged.size == staged.path.stat().st_size
    again = load(staged.path, staged.sha256)
    assert not again.compiled
    np.testing.assert_allclose(answers(again), answers(model), atol=1e-6)
    np.testing.assert_allclose(answers(again).sum(axis=1), 1, atol=1e-5)
    plain = stage(network(compiled=False), data, 18)
    assert abs(plain.size - staged.size) < 200  # no optimizer's state came along
    assert [path.name for path in sorted((data / "models").iterdir())] == ["17.keras", "18.keras"]


def test_a_staged_model_loads_in_safe_mode_where_our_code_is_not(data: Path, tmp_path: Path) -> None:
    staged = stage(network(), data, 17)
    script = """
        import sys, keras, numpy as np
        model = keras.models.load_model(sys.argv[1], safe_mode=True)
        answer = model.predict(np.zeros((2, 32, 32, 3), np.uint8), verbose=0)
        assert answer.shape == (2, 100) and answer.dtype == np.float32, (answer.shape, answer.dtype)
        assert "lib" not in sys.modules
    """
    done = subprocess.run(
        [sys.executable, "-I", "-c", textwrap.dedent(script), str(staged.path.resolve())],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_model_that_breaks_the_contract_is_not_staged(data: Path) -> None:
    from lib.images.backend import keras

    flat = keras.Sequential([keras.Input((10,)), keras.layers.Dense(100)])
    with pytest.raises(AssertionError):
        stage(flat, data, 17)
    with pytest.raises(AssertionError, match="float16"):
        stage(network(compiled=False, dtype="float16"), data, 17)
    assert not (data / "models").exists()


def test_classes_of_our_own_and_code_in_a_config_are_foreign() -> None:
    from lib.images.backend import keras

    class Ours(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x

    images = keras.Input((32, 32, 3))
    ours = keras.Model(images, keras.layers.Lambda(lambda x: x)(Ours()(images)))
    found = foreign_classes(json.loads(ours.to_json()))
    assert any(each.endswith(".Ours") for each in found)
    assert "keras.layers.Lambda" in found
    assert foreign_classes(json.loads(network(compiled=False).to_json())) == []


def test_a_file_that_could_not_be_written_leaves_nothing(data: Path) -> None:
    def full(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(CannotWrite, match=r"17\.keras: No space left"):
        stage_file(full, data, 17)
    assert list((data / "models").iterdir()) == []


def test_a_file_is_not_loaded_unless_it_is_the_one_that_was_meant(data: Path) -> None:
    staged = stage(network(compiled=False), data, 17)
    with staged.path.open("r+b") as file:
        file.truncate(staged.size - 1)
    with pytest.raises(BadData, match="not the one in the registry"):
        load(staged.path, staged.sha256)
    with pytest.raises(SourceUnavailable, match="not there"):
        load(data / "models" / "18.keras", staged.sha256)


def test_a_file_that_keras_cannot_read_is_refused_in_one_sentence(data: Path) -> None:
    staged = stage_file(lambda path: path.write_bytes(b"no zip") and None, data, 17)
    with pytest.raises(BadData, match="can't load the model"):
        load(staged.path, staged.sha256)

    def empty(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "{}")

    staged = stage_file(empty, data, 18)
    with pytest.raises(BadData, match="can't load the model"):
        load(staged.path, staged.sha256)


@pytest.fixture
def two_nights(data: Path) -> Any:
    """A store with a champion (run 2) and a previous one (run 1), both real models."""
    db = open_store(data, [tables.migrations])
    for day in (1, 2):
        saved = data / f"{day}.keras"
        network(compiled=False, name=f"night_{day}").save(saved)
        night(db, data, f"2024-05-0{day}", saved.read_bytes())
    yield db
    db.close()


def last_layer(standing: Any) -> str:
    return str(standing.model.layers[-1].name)


def test_the_champion_is_loaded_with_its_card(two_nights: Database, data: Path) -> None:
    standing = load_champion(two_nights, data)
    assert (last_layer(standing), standing.notes) == ("night_2", ())
    assert standing.card is not None
    assert standing.card["id"] == 2
    assert standing.card["classes"][99] == "class 99"


def test_a_damaged_champion_is_not_loaded_but_its_copy_is(two_nights: Database, data: Path) -> None:
    (data / "models" / "champion.keras").write_bytes(b"damaged")
    standing = load_champion(two_nights, data)
    assert last_layer(standing) == "night_2"
    assert [note.endswith("champion.keras is damaged and was not loaded.") for note in standing.notes] == [True]


def test_without_the_champions_bytes_the_previous_one_is_loaded(two_nights: Database, data: Path) -> None:
    for name in ("champion.keras", "2.keras"):
        (data / "models" / name).unlink()
    standing = load_champion(two_nights, data)
    assert last_layer(standing) == "night_1"
    assert [note.endswith("champion.keras is missing and was not loaded.") for note in standing.notes] == [True]
    settle(two_nights, data)
    assert (last_layer(load_champion(two_nights, data)), load_champion(two_nights, data).notes) == ("night_1", ())


def test_a_card_says_what_a_user_without_the_desk_needs() -> None:
    card = card_of(17, "2024-05-01", "ab" * 32, 1234)
    assert json.loads(json.dumps(card)) == card
    assert {"recipe", "seed", "data", "metrics", "input", "output", "classes", "intended_use", "licence"} <= set(card)
    assert card["data"]["checksum"] == "a" * 64
    assert card["file"]["sha256"] == "ab" * 32
    assert "(N, 32, 32, 3)" in card["input"]
