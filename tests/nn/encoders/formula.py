"""Weights and pictures that a formula makes, the same in jaxgen and in PyTorch, for small files."""

import zlib

import numpy as np

STEPS = {"vector": 19, "grid": 61, "logits": 31}
"""Of the numbers of an encoder every so many are in tests/reference/encoders.npz."""


def picture(height, width):
    """Pixels, uint8 (2, height, width, 3)."""
    numbers = np.arange(2 * height * width * 3, dtype=np.float64)
    waves = np.sin(numbers * 0.013) + np.sin(numbers * 0.00071)
    return np.uint8(127.5 + 60 * waves).reshape(2, height, width, 3)


def weight(name, shape):
    """An array of a file of weights, by its name there; float32, as if it were trained."""
    # The bits of `random` are the same in every version of NumPy's.
    uniform = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()))).random(shape)
    values = 2 * uniform - 1
    if len(shape) > 1:  # kernels keep the size of what they read
        values *= np.sqrt(6 * shape[0] / np.prod(shape))
    elif name.endswith("running_var"):
        values = 1 + 0.3 * values
    elif name.endswith("weight"):
        values = 0.8 + 0.2 * values
    else:
        values *= 0.3
    return np.float32(values)
