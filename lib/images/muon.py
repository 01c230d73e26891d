"""Muon: momentum whose step is made orthogonal, for kernels of convolutions.

    Muon(0.24, momentum=0.6, vectors=0.2, matrices=4.0)

Source: Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks", with what the airbench records
add for convolutions: a kernel is one matrix, (height · width · in, out), and is brought back to its length before each
step. Keras' own Muon gives whatever isn't a matrix, and so every convolution, to AdamW.
"""

from typing import Any

from lib.images.backend import Tensor, keras

# The quintic whose fifth power steers singular values of 0 … 1 towards 1 soonest (Jordan et al. 2024).
A, B, C = 3.4445, -4.7750, 2.0315


class Muon(keras.optimizers.Optimizer):
    """Orthogonalised Nesterov momentum for kernels (h, w, in, out); SGD with Nesterov momentum for everything else.

    Each kernel is held at the Frobenius norm √out (it is followed by a normalisation, so its length says nothing), and
    moves by `learning_rate` times a matrix whose singular values are about 1. Vectors (biases, a normalisation's
    shifts) move by `vectors` times the rate of the schedule, matrices (the classes' weights) by `matrices` times it,
    both with the momentum `others_momentum`. `steps` are Newton–Schulz iterations, computed in `precision`.
    """

    def __init__(
        self,
        learning_rate: float = 0.24,
        *,
        momentum: float = 0.6,
        steps: int = 3,
        vectors: float = 0.2,
        matrices: float = 4.0,
        others_momentum: float = 0.85,
        precision: str = "float32",
        name: str = "muon",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.momentum, self.steps, self.precision = momentum, steps, precision
        self.vectors, self.matrices, self.others_momentum = vectors, matrices, others_momentum

    def build(self, variables: list[Any]) -> None:
        """Make a momentum for each variable."""
        if self.built:
            return
        super().build(variables)
        self.momenta = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        """Move one variable."""
        ops = keras.ops
        rate, gradient = ops.cast(learning_rate, variable.dtype), ops.cast(gradient, variable.dtype)
        kernel = len(variable.shape) == 4
        kept = self.momentum if kernel else self.others_momentum
        memory = self.momenta[self._get_variable_index(variable)]
        self.assign(memory, kept * memory + gradient)
        step = gradient + kept * memory  # Nesterov's: where the momentum will have led
        if not kernel:
            share = self.matrices if len(variable.shape) == 2 else self.vectors
            self.assign_sub(variable, rate * share * step)
            return
        length = ops.sqrt(ops.sum(ops.square(variable))) + 1e-12
        held = variable * (float(variable.shape[-1]) ** 0.5 / length)
        self.assign(variable, held - rate * self._orthogonal(step))

    def _orthogonal(self, step: Tensor) -> Tensor:
        ops = keras.ops
        shape = tuple(step.shape)
        matrix = ops.reshape(step, (-1, shape[-1]))
        return ops.reshape(orthogonalised(matrix, self.steps, self.precision), shape)

    def get_config(self) -> dict[str, Any]:
        """What makes another like it."""
        own = ("momentum", "steps", "precision", "vectors", "matrices", "others_momentum")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def orthogonalised(matrix: Tensor, steps: int = 5, precision: str = "float32") -> Tensor:
    """The matrix (m, n) with its singular values brought near 1: U·Vᵀ of its U·S·Vᵀ, or nearly.

    Newton–Schulz iteration: X ← aX + (bA + cA²)X with A = XXᵀ changes singular values alone, by the odd polynomial
    as + bs³ + cs⁵. After five steps all that were above 0.01 of the Frobenius norm lie within 0.3 of 1.
    """
    ops = keras.ops
    tall = matrix.shape[0] > matrix.shape[1]
    length = ops.sqrt(ops.sum(ops.square(matrix))) + 1e-7  # the singular values are at most 1 then
    x = ops.cast(matrix / length, precision)
    x = ops.transpose(x) if tall else x  # A is the smaller of the two products
    for _ in range(steps):
        a = ops.matmul(x, ops.transpose(x))
        x = A * x + ops.matmul(B * a + C * ops.matmul(a, a), x)
    return ops.cast(ops.transpose(x) if tall else x, matrix.dtype)
