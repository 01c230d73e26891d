"""What doctor says of a night's training: Keras, the archive, the champion."""

import hashlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from sqlite_utils import Database

from lib import machine
from lib.doctor import Check, Need, Probe
from lib.images import archive, backend, checks, tables
from lib.settings import Settings
from lib.store import open_store
from tests.lib.images.nights import night

OPTIONS = {"recipe": "best", "archive": None, "checksum": None}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    return Settings(data=tmp_path / "data", reports=tmp_path / "reports", timezone="UTC")


@pytest.fixture
def db(settings: Settings) -> Iterator[Database]:
    store = open_store(settings.data, [tables.migrations])
    yield store
    store.close()


def found(settings: Settings, **options: Any) -> dict[str, Any]:
    every = list(checks.checks(settings, SimpleNamespace(**{**OPTIONS, **options})))
    return {each.what if isinstance(each, Need) else each.name: each for each in every}


@pytest.fixture
def server() -> Iterator[str]:
    """A server that has /archive and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200 if self.path == "/archive" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@pytest.mark.parametrize(
    ("version", "status"), [("3.11.3", "failed"), ("3.12.0", "warning"), ("3.13.2", "warning"), ("3.14.1", "ok")]
)
def test_keras_with_known_faults_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, version: str, status: str
) -> None:
    monkeypatch.setattr(checks, "version", lambda name: version)
    said = found(settings)["Keras"]
    assert said.status == status
    assert version in said.said


def test_the_backend_is_found_and_not_loaded(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(settings)["Keras' backend"].status == "ok"
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    assert "'theano'" in found(settings)["Keras' backend"].said
    monkeypatch.setitem(checks.BACKENDS, "jax", "no_such_module")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert found(settings)["Keras' backend"].status == "failed"


@pytest.mark.parametrize(
    ("flags", "precision"), [("fpu avx512f amx_bf16", "bfloat16"), ("fpu avx512f", "float32"), (None, "float32")]
)
def test_the_doctor_and_the_training_agree_on_what_the_processor_multiplies(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str | None, precision: str
) -> None:
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    if flags is not None:
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    assert f"trains in {precision}," in found(settings)["precision"].said
    assert backend.precision_here("mixed_bfloat16").removeprefix("mixed_") == precision
    assert backend.precision_here("float32") == "float32"


def test_without_an_archive_its_address_is_asked_and_room_is_needed(settings: Settings, server: str) -> None:
    content = b"an archive"
    options = {"archive": f"{server}/archive", "checksum": hashlib.sha256(content).hexdigest()}
    lines = found(settings, **options)
    probe = lines["address of the archive"]
    assert isinstance(probe, Probe) and probe.look().status == "ok"
    assert lines["the archive"].bytes > 100 << 20
    gone = found(settings, **{**options, "archive": f"{server}/gone"})["address of the archive"]
    assert gone.look().status == "failed"
    assert found(settings, archive=f"{server}/archive")["archive of images"].status == "failed"  # no checksum

    place = settings.data / "archives" / f"cifar-100-{options['checksum']}.archive"
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    lines = found(settings, **options)
    assert lines["archive of images"].status == "ok"
    assert "address of the archive" not in lines
    place.write_bytes(b"an archivf")
    lines = found(settings, **options)
    assert lines["archive of images"].status == "warning"
    assert "address of the archive" in lines


def test_the_archive_is_looked_for_where_a_run_puts_it(
    settings: Settings, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[Path] = []
    monkeypatch.setattr(archive, "download", lambda url, path, **_: places.append(path) or path)
    wanted = f" MD5:{hashlib.md5(b'x').hexdigest()}"
    for options in ({}, {"archive": f"{server}/archive", "checksum": wanted}):
        archive.fetch(options.get("archive"), settings.data, checksum=options.get("checksum"))
        places[-1].parent.mkdir(parents=True, exist_ok=True)
        places[-1].write_bytes(b"x")
        said = found(settings, **options)["archive of images"]
        assert said.said.startswith(str(places[-1]))
    assert said.status == "ok"


def test_an_archive_by_its_path_has_to_be_there_with_its_checksum(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "own.tar.gz"
    assert found(settings, archive=str(path))["archive of images"].status == "failed"
    path.write_bytes(b"x")
    assert found(settings, archive=str(path))["archive of images"].status == "ok"
    digest = hashlib.sha256(b"x").hexdigest()
    assert found(settings, archive=str(path), checksum=digest)["archive of images"].status == "ok"
    assert found(settings, archive=str(path), checksum="0" * 64)["archive of images"].status == "failed"


def test_a_desk_without_a_champion_is_well(settings: Settings) -> None:
    assert found(settings)["champion"] == Check("champion", "ok", "there is none yet")
    assert not settings.data.exists()


def flip(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def test_a_champion_with_a_flipped_byte_is_told_and_fails_without_a_second_copy(
    settings: Settings, db: Database
) -> None:
    first, second = (night(db, settings.data, f"2026-11-2{n}", f"model {n}".encode()) for n in (1, 2))
    lines = found(settings)
    assert [lines[name].status for name in ("champion", "previous champion")] == ["ok", "ok"]
    folder = settings.data / "models"
    flip(folder / "champion.keras")
    said = found(settings)["champion"]
    assert said.status == "warning"
    assert f"{second}.keras is whole" in said.said
    flip(folder / f"{second}.keras")
    assert found(settings)["champion"].status == "failed"
    (folder / "previous.keras").unlink()
    (folder / f"{first}.keras").unlink()
    said = found(settings)["previous champion"]
    assert (said.status, "missing" in said.said) == ("warning", True)


def test_a_champion_whose_copy_is_not_made_yet_is_well_enough(settings: Settings, db: Database) -> None:
    run = night(db, settings.data, "2026-11-21", b"model")
    (settings.data / "models" / "champion.keras").unlink()
    said = found(settings)["champion"]
    assert (said.status, f"{run}.keras is whole" in said.said) == ("warning", True)
