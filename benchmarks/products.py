"""The matrix product itself, in JAX, PyTorch and NumPy: what decides how fast a step can be.

A large one, by which shares are taken, and those of the DCGAN's and the vanilla GAN's widest layers
at batch 128. Each call multiplies arrays that were not in use just before, as training does.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measuring import MATMUL_SIDE, Comparison, Contender, Flops, Settings

Sizes = tuple[int, int, int]

_SIZES: list[Sizes] = [
    (MATMUL_SIDE, MATMUL_SIDE, MATMUL_SIDE),
    (128, 1024, 6272),
    (128, 1024, 1024),
]


def comparisons() -> list[Comparison]:
    """A product of each size."""
    return [
        Comparison(
            f"matrix product, {m}x{k} by {k}x{n}",
            partial(_contenders, (m, k, n)),
            partial(Flops, 2.0 * m * k * n, "by hand"),
        )
        for m, k, n in _SIZES
    ]


def _contenders(sizes: Sizes, settings: Settings) -> list[Contender]:
    import torch

    m, k, n = sizes
    random = np.random.default_rng(0)
    copies = [
        [random.normal(size=shape).astype(np.float32) for shape in ((m, k), (k, n))]
        for _ in range(4)
    ]
    product = jax.jit(jnp.matmul)
    multiply = {
        "jaxgen": lambda a, b: product(a, b).block_until_ready(),
        "PyTorch": torch.matmul,
        "NumPy": np.matmul,
    }
    convert = {"jaxgen": jnp.asarray, "PyTorch": torch.from_numpy, "NumPy": np.asarray}
    return [
        Contender(
            name, partial(_run, multiply[name], [list(map(convert[name], c)) for c in copies])
        )
        for name in multiply
    ]


def _run(multiply: Callable[..., Any], copies: Sequence[Sequence[Any]], count: int) -> None:
    for turn in range(count):
        multiply(*copies[turn % len(copies)])
