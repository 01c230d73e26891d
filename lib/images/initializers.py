"""Where convolutions start: from what the images look like, and from passing on what they are given.

    keras.layers.Conv2D(24, 2, use_bias=False, kernel_initializer=Whitening(covariance), trainable=False)
    keras.layers.Conv2D(64, 3, kernel_initializer=Dirac(seed=1))

Both are for training alone: what is kept has its kernels, and no need to know where they began.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.images.backend import Tensor, keras

# So much is added to each variance: those of the last components are a thousandth of the first one's, and mostly noise
# (the airbench records' constant, for channels of deviation 1).
EPSILON = 5e-4
LEAST_DEVIATION = 1.0  # grey levels, that a channel's are divided by at least: one of one colour has none
SAMPLE = 5000  # images whose patches are measured: 4.8 million patches of 2 x 2


def patch_covariance(images: NDArray[np.uint8], size: int, mean: Any, deviation: Any) -> NDArray[np.float64]:
    """The second moments of all patches of the first `SAMPLE` images (N, h, w, 3), (size · size · 3,) squared.

    Pixels are centred and scaled by channel, as the networks' first layer does it; a patch is laid out as a kernel is,
    by row, column and channel.
    """
    scaled = ((images[:SAMPLE].astype(np.float32) - mean) / np.maximum(deviation, LEAST_DEVIATION)).astype(np.float32)
    height, width = scaled.shape[1] - size + 1, scaled.shape[2] - size + 1
    places = [(row, column) for row in range(size) for column in range(size)]
    shifted = [scaled[:, row : row + height, column : column + width].reshape(-1, 3) for row, column in places]
    count, total = len(shifted[0]), np.zeros((3 * len(places), 3 * len(places)))
    for a, left in enumerate(shifted):
        for b, right in enumerate(shifted):
            total[3 * a : 3 * a + 3, 3 * b : 3 * b + 3] = (left.T @ right) / count
    return total


class Whitening(keras.initializers.Initializer):
    """A kernel whose outputs are a patch's principal components, each of variance 1, and then their negatives.

    For patches of this covariance (p, p) with the eigenvectors v and the values λ: v / √(λ + ε), so many of the largest
    as there is room for, in (size, size, 3, filters) with filters = 2p for all. The negatives keep what a rectifier
    would cut off. Source: Page (2018), "How to train your ResNet 8: bag of tricks", and airbench's records.
    """

    def __init__(self, covariance: NDArray[np.float64]) -> None:
        self.covariance = np.asarray(covariance, np.float64)

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Tensor:
        """The kernel (h, w, channels, filters); raises ValueError where its shape isn't that of the patches."""
        patch, filters = int(np.prod(shape[:-1])), shape[-1]
        if self.covariance.shape != (patch, patch) or filters % 2 or filters > 2 * patch:
            raise ValueError(
                f"a kernel {shape} can't whiten patches of {len(self.covariance)} numbers; expected as many in a "
                f"patch, and an even number of filters up to {2 * len(self.covariance)}"
            )
        values, vectors = np.linalg.eigh(self.covariance)
        largest = np.argsort(-values, kind="stable")[: filters // 2]
        # An eigenvector's sign is the library's choice; here the largest entry is positive.
        chosen = vectors[:, largest] * np.sign(vectors[np.abs(vectors).argmax(0), np.arange(patch)])[largest]
        kernel = chosen / np.sqrt(np.maximum(values[largest], 0.0) + EPSILON)
        both = np.concatenate([kernel, -kernel], axis=1).reshape(shape)
        return keras.ops.convert_to_tensor(both.astype(np.float32), dtype=dtype or "float32")

    def get_config(self) -> dict[str, Any]:
        """What makes another like it."""
        return {"covariance": self.covariance.tolist()}


class Dirac(keras.initializers.Initializer):
    """A convolution that at first passes its inputs on unchanged; what outputs it has more than inputs are random.

    Kernels (h, w, in, out) with odd h and w: output i takes the middle of input i alone. The rest are uniform in
    ±1/√(h · w · in), torch's default, as in airbench's records. Source: Zagoruyko and Komodakis (2017), "DiracNets".
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Tensor:
        """The kernel."""
        height, width, before, after = shape
        reach = (height * width * before) ** -0.5
        kernel = np.random.default_rng(self.seed).uniform(-reach, reach, shape)
        same = np.arange(min(before, after))
        kernel[..., same] = 0.0
        kernel[height // 2, width // 2, same, same] = 1.0
        return keras.ops.convert_to_tensor(kernel.astype(np.float32), dtype=dtype or "float32")

    def get_config(self) -> dict[str, Any]:
        """What makes another like it."""
        return {"seed": self.seed}
