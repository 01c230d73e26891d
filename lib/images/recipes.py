"""Recipes: all that a training does, each on one screen.

A recipe names its network (lib/images/networks.py) and says how it is trained (lib/images/training.py). Numbers were
chosen on the validation images alone; bench/cnn.py measures what a recipe reaches and what it costs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from lib.images.augment import Augmentation

# In the same time a larger network tells more apart, and sees fewer images: which of the two is worth more turns with
# how much can be computed. From so many PFLOP on that the machine could do in the time, in products of matrices, the
# channels of the stages that come furthest by the validation images (bench/README.md).
WIDTHS = (
    (0.0, (64, 128, 256)),
    (0.17, (64, 256, 256)),
    (0.8, (64, 384, 384)),
    (3.5, (64, 576, 576)),
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one network is made and trained. Optimisers and their names are Keras', but for our Muon."""

    name: str
    network: Literal["plain", "whitened"]
    widths: tuple[int, ...]  # filters of the convolutions, or of a stage's, in their order; see `grows`
    epochs: int
    batch: int
    optimizer: Literal["adam", "sgd", "muon"]
    learning_rate: float  # the highest
    minutes: float | None = None  # at most, for those epochs: on a slower machine there will be fewer
    grows: bool = False  # whether it has `WIDTHS` in place of its own where a time is given
    depths: tuple[int, ...] = ()  # convolutions of each stage
    activation: str = "relu"  # of the convolutions, by Keras' name
    start: Literal["random", "dirac"] = "random"  # of the convolutions' kernels
    schedule: Literal["constant", "triangular"] = "constant"
    warm_up: float = 0.0  # share of a triangular schedule in which the rate rises
    weight_decay: float = 0.0  # of kernels, with sgd, as a share of the learning rate; other variables have none
    label_smoothing: float = 0.0
    dropout: float = 0.0
    goes_on: bool = False  # whether a night goes on from the champion's weights (lib/images/past.py)
    mirrored: bool = False  # whether what is kept looks at each image's mirror image too, and says the mean
    augmentation: Augmentation = field(default_factory=Augmentation)
    statistics_kept: float = 0.9  # of the normalisations' moving statistics, a step
    # bfloat16 halves the time of a step where the processor multiplies in it; elsewhere float32 is used
    precision: Literal["float32", "mixed_bfloat16"] = "mixed_bfloat16"

    def within(self, minutes: float | None, gflops: float) -> Self:
        """The recipe for so many minutes on a machine that does so many GFLOP/s; without a time it is as it is."""
        if minutes is None or not self.grows:
            return self
        pflop = minutes * 60 * gflops / 1e6
        return replace(self, widths=[widths for least, widths in WIDTHS if pflop >= least][-1])


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
    augmentation=Augmentation(flips="random", rotation=15.0),
)

# After the airbench records, for a processor: ReLU, and 256 channels from the second stage on (or what the time gives;
# all that follows was found with 256). A third convolution where the image is 3 x 3 costs a fiftieth of the time and
# brings two points of the validation images in eight epochs. Before it three epochs reached 61.9%, with the rate 0.4
# three points fewer (0.12 is as good), with batches of 256 one and of 1,024 two and a half, with momentum 0.8 one and a
# half, with ELU three and a half; with SGD 47.3% (one seed).
FAST = Recipe(
    name="fast",
    network="whitened",
    widths=(64, 256, 256),
    grows=True,
    depths=(2, 2, 3),
    start="dirac",
    epochs=4,
    batch=512,
    optimizer="muon",
    learning_rate=0.24,
    schedule="triangular",
    label_smoothing=0.2,
    augmentation=Augmentation(flips="alternating", shift=2),
    statistics_kept=0.6,
)

# Before the third convolution of the last stage, one seed each, by the validation images: with the rate 0.24 and no
# mixed images 73.8% after 18 epochs, and with 0.1 no more, whatever else is done to the images (shifts of 3 or 4,
# cutout); with mixed ones 74.6%, or 74.3% if they are mixed up to 0.9 of the training. In eight minutes 71.5%; with 64,
# 256 and 256 channels 71.0%, or 71.4% with three convolutions each stage; lookahead every five steps 71.1%; images of
# 20 pixels up to 0.4 of the training and of 24 up to 0.7 69.5%.
BEST = replace(
    FAST,
    name="best",
    widths=(64, 384, 384),
    epochs=20,
    minutes=20,
    learning_rate=0.1,
    augmentation=Augmentation(flips="alternating", shift=2, mixed=0.5, mixed_until=0.75),
    goes_on=True,
    mirrored=True,
)

RECIPES = {recipe.name: recipe for recipe in (SEED, FAST, BEST)}


def recipe_for(
    name: str, epochs: int | None, minutes: float | None, gflops: Callable[[str], float], **changes: Any
) -> Recipe:
    """The recipe of that name for epochs or a time, on a machine that does so many GFLOP/s in a recipe's precision.

    `changes` are fields that are to be others than the recipe's; widths that are given stay in any time.
    """
    recipe = replace(RECIPES[name], **changes)
    if "widths" in changes:
        return recipe
    if epochs is None and minutes is None:
        minutes = recipe.minutes
    return recipe.within(minutes, gflops(recipe.precision))
