"""Compiled functions: also where nothing can be kept, and every part done in any number of threads."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numba
import pytest

from lib.compiled import compiled, in_threads

ROOT = Path(__file__).parents[2]
HELPER = """from lib.compiled import compiled


@compiled
def answer():
    return {answer}
"""
CALLER = """from lib.compiled import compiled
from made.helper import answer


@compiled
def ask():
    return answer()
"""


def test_where_nothing_can_be_cached_it_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def njit(**how: bool) -> object:
        if how.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return numba.njit(**how)

    monkeypatch.setattr("lib.compiled.numba", SimpleNamespace(njit=njit))
    assert compiled(lambda place: abs(place))(-3.0) == 3.0


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_part_is_done_once(threads: int) -> None:
    done = [0] * 10

    def work(place: int, count: int) -> None:
        done[place] += count

    in_threads(work, [(place, place) for place in range(10)], threads)
    assert done == list(range(10))


@pytest.mark.parametrize("threads", [1, 3])
def test_a_fault_in_a_part_is_the_callers(threads: int) -> None:
    def work(place: int) -> None:
        raise ValueError(f"part {place}")

    with pytest.raises(ValueError, match="part 0"):
        in_threads(work, [(0,), (1,)], threads)


TRAIN = """
from lib.topics.rows import Bags
from lib.topics.model import fit_topics, infer_topics
from tests.lib.topics.made import advance, made_corpus, planted_texts

corpus = made_corpus(planted_texts(20))
model = fit_topics(corpus, topics=2, passes=1, seed=1)
infer_topics(model, corpus, advance)
model.log_perplexity(Bags.of(corpus))
"""


def test_what_one_process_has_compiled_the_next_one_finds(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path)}
    kept = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", TRAIN], cwd=ROOT, env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        kept.append({path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb?")})
    assert kept[0] == kept[1]
    # one version of each function: another kind of argument would be another compilation
    assert len([path for path in kept[0] if path.suffix == ".nbc"]) == len(kept[0]) / 2 >= 6


def test_what_is_kept_goes_once_a_module_beside_it_has_changed(tmp_path: Path) -> None:
    package = tmp_path / "made"
    package.mkdir()
    (package / "helper.py").write_text(HELPER.format(answer=1))
    (package / "caller.py").write_text(CALLER)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}

    def answer() -> str:
        command = [sys.executable, "-c", "from made.caller import ask; print(ask())"]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert answer() == "1\n"
    kept = {path.name for path in package.rglob("*.nbc")}
    assert any(name.startswith("caller.ask") for name in kept)
    assert answer() == "1\n"
    assert {path.name for path in package.rglob("*.nbc")} == kept
    (package / "helper.py").write_text(HELPER.format(answer=22))
    assert answer() == "22\n"
