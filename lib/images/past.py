"""What a night has of the ones before it: the champion's weights, to go on from, and a seed that is not theirs.

start = weights_of_champion(RECIPES["best"], standing, material)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.images.networks import build_network, one_way
from lib.images.recipes import Recipe
from lib.images.verdict import Material, judged_fairly

Weights = list[NDArray[Any]]


def seed_of(seed: int | None, date: str) -> int:
    """A night's seed: the one given, or its date (YYYY-MM-DD) as a number, so that no night repeats the one before."""
    return int(date.replace("-", "")) if seed is None else seed


def weights_of_champion(recipe: Recipe, standing: Any, material: Material, *, fresh: bool = False) -> Weights | None:
    """The weights that tonight's training goes on from, or None where it starts afresh.

    They are the champion's (champion.Standing) where the recipe goes on, nobody wants it `fresh`, and the champion is
    of the same recipe and has learnt the very images that tonight's training learns: one of another archive, or another
    split, may have learnt what judges.
    """
    card = standing.card
    if fresh or not recipe.goes_on or standing.model is None or card is None:
        return None
    if card["recipe"] != recipe.name or not judged_fairly(card, material):
        return None
    weights = one_way(standing.model).get_weights()
    like = build_network(recipe, (np.zeros(3), np.ones(3)), seed=0).get_weights()
    # of another shape where the recipe's network was another one then
    return weights if [each.shape for each in weights] == [each.shape for each in like] else None
