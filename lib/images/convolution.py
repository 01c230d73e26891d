"""A convolution whose kernel learns from products of matrices: oneDNN's own way is slow where images are small.

For 512 images of 7 x 7 with 256 channels on two cores with AMX, in bfloat16: forward 20 ms, the gradient by the images
17 ms, by the kernel 66 ms, and as nine products 41 ms; for 3 x 3 with 512 channels 221 and 27 ms (bench/README.md).
"""

import importlib
from typing import Any

from lib.images.backend import Tensor, backend, keras, on_accelerator

SMALL = 8  # pixels: from 15 on oneDNN's way takes half as long


class Convolution(keras.layers.Conv2D):
    """keras.layers.Conv2D on images (N, h, w, channels), with the same weights, outputs and gradients.

    With TensorFlow on a processor, for a 3 x 3 kernel without strides over images up to `SMALL` pixels wide, the
    kernel's gradient is a product of matrices for each of its places: of the images, shifted as that place sees them,
    (channels, N · h · w), with the outputs' gradient, (N · h · w, filters).
    """

    def build(self, input_shape: Any) -> None:
        """Make the weights, and see what computes: in a compiled step a tensor doesn't tell its device."""
        super().build(input_shape)
        self.by_products = backend() == "tensorflow" and not on_accelerator() and _is_small(self, input_shape)

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        """Keras' own, but for the gradient."""
        return _convolved(inputs, kernel) if self.by_products else super().convolution_op(inputs, kernel)


def _is_small(layer: Any, shape: Any) -> bool:
    plain = (layer.kernel_size, layer.strides, layer.dilation_rate) == ((3, 3), (1, 1), (1, 1))
    return plain and layer.padding == "same" and layer.groups == 1 and 0 < (shape[2] or 0) <= SMALL


def _convolved(inputs: Tensor, kernel: Tensor) -> Tensor:
    tf: Any = importlib.import_module("tensorflow")

    def convolved(images: Tensor, kernel: Tensor) -> Any:
        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
            by_images = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(images),
                filter=kernel,
                out_backprop=upstream,
                strides=[1, 1, 1, 1],
                padding="SAME",
            )
            _, height, width, channels = images.shape
            wider = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]])
            rows = tf.reshape(upstream, (-1, upstream.shape[-1]))
            places = [
                tf.matmul(tf.reshape(wider[:, y : y + height, x : x + width], (-1, channels)), rows, transpose_a=True)
                for y in range(3)
                for x in range(3)
            ]
            return by_images, tf.reshape(tf.stack(places), kernel.shape)

        return tf.nn.conv2d(images, kernel, strides=1, padding="SAME"), gradient

    return tf.custom_gradient(convolved)(inputs, tf.convert_to_tensor(kernel))  # of a variable its value
