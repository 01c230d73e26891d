"""What the champion says of pictures, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.images.evaluation import superclass_sums
from lib.images.gallery import spoken
from lib.images.networks import predict


def answer(
    model: Any, card: Mapping[str, Any], pictures: Sequence[NDArray[np.uint8]], likeliest: int
) -> list[dict[str, Any]]:
    """The likeliest classes of each picture, uint8 (32, 32, 3), and its superclass, by the names of a model card.

    The superclass is the one whose classes' probabilities add up to most, as in evaluation.evaluate.
    """
    classes, superclasses, superclass_of = card["classes"], card["superclasses"], card["superclass_of"]
    found = []
    chances = predict(model, np.stack(pictures)).astype(np.float64)
    for row, sums in zip(chances, superclass_sums(chances, np.asarray(superclass_of)), strict=True):
        best = int(np.argmax(sums))
        found.append(
            {
                "classes": [
                    {
                        "class": spoken(classes[place]),
                        "superclass": spoken(superclasses[superclass_of[place]]) if superclass_of[place] >= 0 else None,
                        "probability": round(float(row[place]), 6),
                    }
                    for place in np.argsort(-row, kind="stable")[:likeliest].tolist()
                ],
                "superclass": {"name": spoken(superclasses[best]), "probability": round(float(sums[best]), 6)},
            }
        )
    return found
