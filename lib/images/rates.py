"""How the learning rate goes, over a training that is 1 long: one that follows the clock knows no number of steps.

rate = Triangular(0.24, warm_up=0.1)(progress)
"""

from typing import Any

from lib.images.backend import keras
from lib.images.recipes import Recipe

START = 0.05  # of the highest rate, where it rises


class Triangular(keras.optimizers.schedules.LearningRateSchedule):
    """Linear up from a twentieth, then linear down to nothing (Smith and Topin 2018, "Super-convergence").

    Its step is the share of the training that is done, from 0 to 1, or `length` where that is given.
    """

    def __init__(self, highest: float, *, warm_up: float = 0.0, length: float = 1.0) -> None:
        super().__init__()
        self.highest, self.warm_up, self.length = highest, warm_up, length

    def __call__(self, step: Any) -> Any:
        """The rate at a step; before 0 that of 0, after the end 0."""
        ops = keras.ops
        progress = ops.clip(ops.cast(step, "float32") / self.length, 0.0, 1.0)
        up = START + (1 - START) * progress / max(self.warm_up, 1e-12)
        down = (1 - progress) / max(1 - self.warm_up, 1e-12)
        return self.highest * ops.where(progress < self.warm_up, up, down)

    def get_config(self) -> dict[str, Any]:
        """What makes another like it."""
        return {"highest": self.highest, "warm_up": self.warm_up, "length": self.length}


def schedule_of(recipe: Recipe) -> Any:
    """The recipe's schedule: a function of the share of the training that is done."""
    if recipe.schedule == "constant":
        return lambda progress: recipe.learning_rate
    return Triangular(recipe.learning_rate, warm_up=recipe.warm_up)
