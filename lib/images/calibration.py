"""Calibration: that a network is as sure as it is right.

exportable(model, recipe, statistics, temperature(logits, labels))

Label smoothing and dropout leave a network less sure than it is right, a long training surer. One number that all
logits are divided by mends most of that and changes no answer of a single network (Guo et al. 2017, "On calibration of
modern neural networks", temperature scaling).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp

LOWEST, HIGHEST = 0.05, 20.0  # beyond them a softmax is a one-hot, or even


def temperature(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """What the logits (ways, N, classes) are to be divided by so that the images' classes (N,) are likeliest.

    An image's probabilities are the mean of the softmaxes of its ways. The mean cross-entropy is lowest at what is
    returned, to a thousandth of it; between `LOWEST` and `HIGHEST`, and 1 where there are no images.
    """
    if not len(labels):
        return 1.0
    logits = np.asarray(logits, np.float64)

    def loss(log_temperature: float) -> float:
        likely = log_softmax(logits / np.exp(log_temperature), axis=2)[:, np.arange(len(labels)), labels]
        return -float(logsumexp(likely, axis=0).mean())

    bounds = (np.log(LOWEST), np.log(HIGHEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-3}).x))
