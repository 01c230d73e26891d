"""How far a training is: by its epochs, or by the clock.

clock = Clock(time.perf_counter(), epochs=None, minutes=4)
clock.advance(0.5)  # half an epoch is done
clock.progress
"""

import math
import time

# Seconds held for writing the last state, calibrating and making the model that is kept. That takes 0.6; as much again
# is for a machine that is busier at the end than in the middle.
CLOSING = 1.2


class Clock:
    """How much of a training is done, by its epochs or by its time, whichever is further.

    By time, building and compiling count as spent but move no schedule, and what is still to come is held in reserve:
    the last looks at the validation images, the step that goes over the end, and making the model that is kept. A start
    after a dead one spreads what is left of the schedule over what is left of the time; what the dead one did after its
    last epoch is not known and not counted.
    """

    def __init__(
        self, started: float, epochs: int | None, minutes: float | None, *, spent: float = 0.0, start: float = 0.0
    ) -> None:
        self._started, self._epochs, self._spent, self._start = started, epochs, spent, start
        self._budget = minutes * 60 if minutes is not None else math.inf
        self._ready: float | None = None
        self.look = 0.0  # seconds that the last looks at the validation images take
        self.progress = start

    def seconds(self) -> float:
        """What all starts have spent."""
        return self._spent + time.perf_counter() - self._started

    def advance(self, epochs_done: float, step: float = 0.0) -> None:
        """Say how many epochs are done, the fraction of this one too, and how many seconds the last step took.

        The first call says that all is compiled.
        """
        now = self.seconds()
        if self._ready is None:
            self._ready, step = now, 0.0  # that step compiled: it doesn't say how long the last one will take
        left = self._budget - self.look - step - CLOSING - self._ready
        by_time = self._start + (1 - self._start) * ((now - self._ready) / left if left > 0 else 1.0)
        by_epochs = epochs_done / self._epochs if self._epochs else 0.0
        self.progress = min(1.0, max(self.progress, by_epochs, by_time))
