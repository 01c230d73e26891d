"""Going on from the champion: from which, and with what."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lib.images.networks import build_network, exportable, one_way
from lib.images.past import going_on, seed_of
from lib.images.recipes import FAST, RECIPES, SEED
from lib.images.verdict import Material

STATISTICS = (np.full(3, 128.0), np.full(3, 64.0))
RECIPE = replace(FAST, widths=(4, 4, 8), goes_on=True)
MATERIAL = Material("abc", "a tenth", ("cat", "dog"), ("pet",), (0, 0), 90, 10, 20)


def standing(recipe=RECIPE, material=MATERIAL):
    """A champion as the desk loads it."""
    model = exportable(build_network(recipe, STATISTICS, seed=3), recipe, STATISTICS)
    return SimpleNamespace(
        model=model, card={"recipe": recipe.name, "data": {"name": "CIFAR-100", **material.as_card()}}
    )


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_night_goes_on_from_the_champion_s_weights(mirrored):
    recipe = replace(RECIPE, mirrored=mirrored)
    its = standing(recipe)
    tonight, start = going_on(recipe, its, MATERIAL)
    assert tonight == recipe
    assert all((one == other).all() for one, other in zip(start, one_way(its.model).get_weights(), strict=True))


def test_a_shorter_night_goes_on_with_the_larger_network_of_a_longer_one():
    its = standing(replace(RECIPE, widths=(4, 8, 8)))
    tonight, start = going_on(RECIPE, its, MATERIAL)
    assert tonight == replace(RECIPE, widths=(4, 8, 8))
    assert all((one == other).all() for one, other in zip(start, its.model.get_weights(), strict=True))


@pytest.mark.parametrize(
    "its",
    [
        SimpleNamespace(model=None, card=None),
        standing(replace(RECIPE, name="seed")),
        standing(replace(RECIPE, widths=(4, 4, 4))),
        standing(replace(RECIPE, widths=(8, 4, 4))),
        standing(replace(RECIPE, depths=(2, 2, 2))),
        standing(replace(SEED, name=RECIPE.name)),
        standing(material=replace(MATERIAL, checksum="another archive")),
        standing(material=replace(MATERIAL, split="another split")),
    ],
    ids=["no champion", "recipe", "smaller", "partly smaller", "depths", "network", "archive", "split"],
)
def test_a_night_starts_afresh_where_the_champion_is_no_earlier_one_of_its_kind(its):
    assert going_on(RECIPE, its, MATERIAL) == (RECIPE, None)


def test_a_night_starts_afresh_where_the_recipe_or_a_person_says_so():
    assert going_on(RECIPE, standing(), MATERIAL, fresh=True) == (RECIPE, None)
    never = replace(RECIPE, goes_on=False)
    assert going_on(never, standing(), MATERIAL) == (never, None)


def test_only_best_goes_on():
    assert [name for name, recipe in RECIPES.items() if recipe.goes_on] == ["best"]


def test_a_night_s_seed_is_the_one_given_or_its_date():
    assert [seed_of(seed, "2024-06-01") for seed in (None, 0, 7)] == [20240601, 0, 7]
