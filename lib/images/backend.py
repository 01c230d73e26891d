"""Keras, brought in without a word: whoever needs it takes it from here.

    from lib.images.backend import keras

KERAS_BACKEND says which backend carries it: tensorflow (default), jax or torch. TensorFlow's libraries write lines to
the error stream while they load, whatever TF_CPP_MIN_LOG_LEVEL says, so for that while the stream leads nowhere; in a
run it leads into the run's log, and TensorFlow may say all it has to say.
"""

import importlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from importlib.metadata import packages_distributions
from typing import Any

from lib.logs import noise_is_kept
from lib.machine import multiplies_bfloat16


@contextmanager
def quiet() -> Iterator[None]:
    """Send file descriptor 2 nowhere for the block: what C++ libraries write goes past sys.stderr.

    In a run it leads into the log already; there sys.stderr does so too, and with it what libraries log to it later.
    """
    if noise_is_kept():
        with redirect_stderr(sys.__stderr__):
            yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _bring_keras() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if noise_is_kept() else "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of every second model that its step is compiled
    with quiet():
        bare = importlib.import_module("keras")
        if bare.config.backend() == "tensorflow":
            # Otherwise the threads' order may show in the last bits (seen in float32 on a busy machine). On a processor
            # it costs nothing that could be measured.
            importlib.import_module("tensorflow").config.experimental.enable_op_determinism()
    return bare


# Keras gives its functions no types that mypy could use.
keras: Any = _bring_keras()
Model = Any
Tensor = Any


def backend() -> str:
    """The backend that carries Keras here."""
    return str(keras.config.backend())


def packages() -> tuple[str, ...]:
    """The distributions that compute here, for lib/machine.describe: Keras, what carries it, NumPy."""
    carriers = packages_distributions().get(backend(), [backend()])
    return ("keras", *(name.replace("_", "-") for name in carriers), "numpy")


def precision_here(wanted: str) -> str:
    """The precision wanted, or float32 where the processor would only imitate bfloat16."""
    imitated = wanted == "mixed_bfloat16" and not on_accelerator() and not multiplies_bfloat16()
    return "float32" if imitated else wanted


@contextmanager
def shared_out(*sizes: int) -> Iterator[int]:
    """A block in which JAX's devices each take their share of a batch, for batches of these sizes; gives their number.

    By Keras' own keras.distribution.DataParallel, on as many devices as divide all the sizes; what a step comes to is
    what one device would come to. With one device, or another backend, the block is like any other.
    """
    devices = keras.distribution.list_devices() if backend() == "jax" else [""]
    count = max(n for n in range(1, len(devices) + 1) if not any(size % n for size in sizes))
    with keras.distribution.DataParallel(devices=devices[:count]).scope() if count > 1 else nullcontext():
        yield count


def on_accelerator() -> bool:
    """Whether the backend computes on a GPU or a TPU."""
    # A tensor of each backend names its device: …/device:CPU:0, TFRT_CPU_0, cpu.
    return "cpu" not in str(keras.ops.zeros(1).device).lower()
