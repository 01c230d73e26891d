"""How large a network this machine trains: as large as pays in the arithmetic that it has time for.

    recipe = recipe_here("best", epochs=None, minutes=20)

Which widths those are is in lib/images/recipes.py.
"""

from typing import Any

from lib.images.backend import backend, on_accelerator, precision_here
from lib.images.recipes import Recipe, recipe_for
from lib.machine import cores, multiplies_tiles

# GFLOP/s that a core is taken to do in a product of matrices of 4096²: TensorFlow reached some 600 with AMX, 200 in
# bfloat16 without it and 110 to 145 in float32; JAX no more than that in bfloat16. A GPU is taken to do any network.
# By the kind of machine, and not measured on the day: however busy it is, a night's network is that of the night
# before, from whose weights it may go on.
TILES, BFLOAT16, FLOAT32, ACCELERATOR = 600.0, 200.0, 100.0, 50_000.0


def recipe_here(name: str, epochs: int | None, minutes: float | None, **changes: Any) -> Recipe:
    """The recipe of that name as this machine trains it, for epochs or a time as training.train takes them.

    `changes` are recipe_for's.
    """
    return recipe_for(name, epochs, minutes, gflops_here, **changes)


def gflops_here(precision: str) -> float:
    """What this machine, being what it is, does in a product of matrices of a recipe's precision, in GFLOP/s."""
    if on_accelerator():
        return ACCELERATOR
    if precision_here(precision) == "float32" or backend() == "jax":
        return FLOAT32 * cores()
    return (TILES if multiplies_tiles() else BFLOAT16) * cores()
