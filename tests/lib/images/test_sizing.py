"""How large a network is trained: by the time, and by what the machine is."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import machine
from lib.images import sizing
from lib.images.recipes import BEST, FAST, RECIPES, SEED, WIDTHS, Recipe

MINUTES = st.floats(0.05, 280)
GFLOPS = st.floats(10, 1e5)
AMX, AVX, NEITHER = "avx512f avx512_bf16 amx_bf16 amx_tile", "avx512f avx512_bf16", "avx512f"
MadeOf = Callable[[str], object]


@pytest.fixture
def made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeOf:
    """Make this a machine of two cores with the given flags, no GPU, and TensorFlow."""
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(sizing, "cores", lambda: 2)
    monkeypatch.setattr(sizing, "on_accelerator", lambda: False)
    monkeypatch.setattr(sizing, "backend", lambda: "tensorflow")
    return lambda flags: (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n")


@given(MINUTES, MINUTES, GFLOPS, GFLOPS)
def test_more_time_and_a_faster_machine_never_make_a_network_smaller(
    minutes: float, more_minutes: float, gflops: float, more_gflops: float
) -> None:
    smaller = BEST.within(min(minutes, more_minutes), min(gflops, more_gflops)).widths
    larger = BEST.within(max(minutes, more_minutes), max(gflops, more_gflops)).widths
    assert all(one <= other for one, other in zip(smaller, larger, strict=True))


@pytest.mark.parametrize("row", range(1, len(WIDTHS)))
def test_a_network_is_larger_from_so_much_arithmetic_on(row: int) -> None:
    (_, smaller), (pflop, larger) = WIDTHS[row - 1 : row + 1]
    gflops = pflop * 1e6 / 60  # that come to it in a minute
    assert BEST.within(1, 0.999 * gflops).widths == smaller
    assert BEST.within(1, 1.001 * gflops).widths == larger


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_without_a_time_a_recipe_is_as_it_is(recipe: Recipe) -> None:
    assert recipe.within(None, 1e5) == recipe


def test_the_original_s_network_is_the_same_in_any_time() -> None:
    assert SEED.within(280, 1e5) == SEED


def test_a_recipe_s_own_time_counts_where_nothing_else_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "gflops_here", lambda precision: 12_000.0)
    assert sizing.recipe_here("best", None, None) == BEST.within(BEST.minutes, 12_000) != BEST
    assert sizing.recipe_here("best", None, 0.5) == BEST.within(0.5, 12_000)
    assert sizing.recipe_here("best", None, 0.05) == BEST.within(0.05, 12_000) != BEST
    assert sizing.recipe_here("best", 20, None) == BEST
    assert sizing.recipe_here("fast", None, None) == FAST  # it has epochs alone
    assert sizing.recipe_here("fast", None, 280, widths=(4, 4, 8)).widths == (4, 4, 8)


@pytest.mark.parametrize(
    ("flags", "precision", "gflops"),
    [(AMX, "mixed_bfloat16", 1200), (AVX, "mixed_bfloat16", 400), (AMX, "float32", 200)],
)
def test_a_processor_does_what_its_kind_does(made_of: MadeOf, flags: str, precision: str, gflops: float) -> None:
    made_of(flags)
    assert sizing.gflops_here(precision) == gflops


def test_best_is_smaller_where_bfloat16_would_only_be_imitated(made_of: MadeOf) -> None:
    made_of(AMX)
    assert sizing.recipe_here("best", None, None).widths == BEST.widths
    made_of(NEITHER)
    assert sizing.recipe_here("best", None, None).widths < BEST.widths


def test_a_gpu_trains_the_largest_and_xla_on_a_processor_a_smaller_one(
    made_of: MadeOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_of(AMX)
    monkeypatch.setattr(sizing, "backend", lambda: "jax")
    assert sizing.recipe_here("best", None, None).widths < BEST.widths
    monkeypatch.setattr(sizing, "on_accelerator", lambda: True)
    assert sizing.recipe_here("best", None, None).widths == WIDTHS[-1][1]
