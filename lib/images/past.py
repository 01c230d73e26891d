"""What a night has of the ones before it: the champion's weights, to go on from, and a seed that is not theirs.

recipe, start = going_on(recipe_here("best", None, None), standing, material)
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.images.networks import build_network, one_way, widths_of
from lib.images.recipes import Recipe
from lib.images.verdict import Material, judged_fairly

Weights = list[NDArray[Any]]


def seed_of(seed: int | None, date: str) -> int:
    """A night's seed: the one given, or its date (YYYY-MM-DD) as a number, so that no night repeats the one before."""
    return int(date.replace("-", "")) if seed is None else seed


def going_on(
    recipe: Recipe, standing: Any, material: Material, *, fresh: bool = False
) -> tuple[Recipe, Weights | None]:
    """Tonight's recipe, and the weights that its training goes on from, or None where it starts afresh.

    They are the champion's (champion.Standing) where the recipe goes on, nobody wants it `fresh`, and the champion is
    of the same recipe and has learnt the very images that tonight's training learns: one of another archive, or another
    split, may have learnt what judges. The recipe has the champion's widths then, if those are no smaller than its own:
    what took a long night goes on in shorter ones.
    """
    card = standing.card
    if fresh or not recipe.goes_on or standing.model is None or card is None:
        return recipe, None
    if card["recipe"] != recipe.name or not judged_fairly(card, material):
        return recipe, None
    champion = one_way(standing.model)
    its = widths_of(champion)
    if len(its) != len(recipe.widths) or any(one < own for one, own in zip(its, recipe.widths, strict=True)):
        return recipe, None
    weights, wide = champion.get_weights(), replace(recipe, widths=its)
    like = build_network(wide, (np.zeros(3), np.ones(3)), seed=0).get_weights()
    # of another shape where the recipe's network was another one then
    same = [each.shape for each in weights] == [each.shape for each in like]
    return (wide, weights) if same else (recipe, None)
