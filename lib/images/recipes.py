"""Recipes: all that a training does, each on one screen.

A recipe names its network (lib/images/networks.py) and says how it is trained (lib/images/training.py). Numbers were
chosen on the validation images alone; bench/images.py measures what a recipe reaches and what it costs.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from lib.images.augment import Augmentation


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one network is made and trained. Optimisers and their names are Keras'."""

    name: str
    network: Literal["plain", "residual"]
    widths: tuple[int, ...]  # filters of the convolutions, in their order
    epochs: int
    batch: int
    optimizer: Literal["adam", "sgd"]
    learning_rate: float  # the highest
    schedule: Literal["constant", "one-cycle"] = "constant"
    warm_up: float = 0.0  # share of a one-cycle training in which the rate rises
    weight_decay: float = 0.0  # of kernels, as a share of the learning rate; normalisation and biases have none
    label_smoothing: float = 0.0
    dropout: float = 0.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    # bfloat16 halves the time of a step where the processor multiplies in it; elsewhere float32 is used
    precision: Literal["float32", "mixed_bfloat16"] = "mixed_bfloat16"


# The original (TFLearn's own CIFAR example with 15° in place of 25°), with TFLearn's defaults for what it doesn't say,
# except two that validation decided: after 50 epochs, the mean of the last ten, one seed, batches of 96 reached 48.3%,
# of 150 48.7%, of 250 49.3%; every image rotated and black corners 46.4%, every image and reflected corners 47.8%.
SEED = Recipe(
    name="seed",
    network="plain",
    widths=(32, 64, 64),
    epochs=50,
    batch=250,
    optimizer="adam",
    learning_rate=0.001,
    dropout=0.5,
    augmentation=Augmentation(flips=True, rotation=15.0),
)

# After five epochs, one seed: rate 0.3 reaches 51.6% of the validation images, 0.6 55.1%, 1 54.3%; decay 0.002 53.8%.
FAST = Recipe(
    name="fast",
    network="residual",
    widths=(32, 64, 128, 256),
    epochs=12,
    batch=250,
    optimizer="sgd",
    learning_rate=0.6,
    schedule="one-cycle",
    warm_up=0.25,
    weight_decay=0.005,
    label_smoothing=0.1,
    augmentation=Augmentation(flips=True, shift=2),
)

# The same network, twice as wide, for longer.
BEST = replace(FAST, name="best", widths=(64, 128, 256, 512), epochs=15)

RECIPES = {recipe.name: recipe for recipe in (SEED, FAST, BEST)}


def rate_at(recipe: Recipe, progress: float) -> float:
    """The learning rate when so much of the training is done, from 0 to 1.

    One-cycle: linear up from a twentieth, then linear down to nothing (Smith and Topin, 2018, "Super-convergence").
    """
    if recipe.schedule == "constant":
        return recipe.learning_rate
    progress = min(max(progress, 0.0), 1.0)
    if progress < recipe.warm_up:
        return recipe.learning_rate * (0.05 + 0.95 * progress / recipe.warm_up)
    return recipe.learning_rate * (1 - progress) / (1 - recipe.warm_up)
