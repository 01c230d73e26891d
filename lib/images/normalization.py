"""Batch normalisation in one pass of the backend's own kernel, in the precision that it is given.

Keras' layer computes in float32 and in a dozen passes over the images: in bfloat16 on a processor that takes a third of
a training's time. This one has the same weights, and what it computes without training is the layer's own.
"""

import importlib
from typing import Any

from lib.images.backend import Tensor, backend, keras


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """keras.layers.BatchNormalization (Ioffe and Szegedy 2015) over the last axis of images (N, h, w, channels).

    TensorFlow and torch have a kernel for it; XLA, which compiles JAX, makes one of Keras' own. The moving variance
    follows the unbiased variance, as those kernels give it: of n = N · h · w values it is n / (n - 1) times Keras'.
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        """Normalise the images; while it is trained, by their own statistics."""
        if not training or not self.trainable or mask is not None or backend() not in _KERNELS:
            return super().call(inputs, training=training, mask=mask)
        return _KERNELS[backend()](self, inputs)


def _tensorflow(layer: Any, inputs: Tensor) -> Tensor:
    tf: Any = importlib.import_module("tensorflow")
    width = inputs.shape[-1]
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=layer.gamma if layer.scale else tf.ones(width),
        offset=layer.beta if layer.center else tf.zeros(width),
        mean=tf.zeros(0),
        variance=tf.zeros(0),
        epsilon=layer.epsilon,
    )
    for moving, now in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + now * (1.0 - layer.momentum))
    return outputs


def _torch(layer: Any, inputs: Tensor) -> Tensor:
    torch: Any = importlib.import_module("torch")
    outputs = torch.nn.functional.batch_norm(
        inputs.permute(0, 3, 1, 2),
        layer.moving_mean.value,
        layer.moving_variance.value,
        weight=layer.gamma.value if layer.scale else torch.ones_like(layer.moving_mean.value),
        bias=layer.beta.value if layer.center else None,
        training=True,
        momentum=1.0 - layer.momentum,
        eps=layer.epsilon,
    )
    return outputs.permute(0, 2, 3, 1)


_KERNELS = {"tensorflow": _tensorflow, "torch": _torch}
