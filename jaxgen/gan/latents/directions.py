"""Directions in a generator's input along which its images change most.

N batch, Z noise, K classes, F features, D directions, S strengths.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.gan.noise import Noise
from jaxgen.gan.sampling import Sampler, Weights
from jaxgen.nn.precision import plain


class Directions(NamedTuple):
    """Directions in a generator's input, the strongest first."""

    vectors: np.ndarray
    """float32 (D, Z), each of length 1 and at right angles to the others; of each the largest
    number is positive."""
    gains: np.ndarray
    """float (D,): the eigenvalues, squared lengths of what the first layer makes of each."""
    shares: np.ndarray
    """float (D,): of the gains of all Z directions, which sum up to 1."""


def factorised(kernel_ZF: np.ndarray, count: int) -> Directions:
    """The `count` directions that a dense layer stretches most.

    Args:
        kernel_ZF: the layer maps noise (Z,) to `noise @ kernel_ZF` (F,).
        count: D, at most Z.

    Reference:
        Shen and Zhou 2021, https://arxiv.org/abs/2007.06600 (SeFa), equation 5: the eigenvectors
        of A^T A, where A is this kernel transposed, with the largest eigenvalues. Its code divides
        each column of A^T by its length first, its text does not; nor is it done here.
    """
    kernel_ZF = np.asarray(kernel_ZF, np.float64)
    gains_Z, vectors_ZZ = np.linalg.eigh(kernel_ZF @ kernel_ZF.T)
    gains_Z = gains_Z[::-1].clip(min=0)  # ascending, and 0 up to rounding where F < Z
    vectors_DZ = vectors_ZZ[:, ::-1].T[:count]
    largest_D = vectors_DZ[np.arange(len(vectors_DZ)), np.abs(vectors_DZ).argmax(axis=1)]
    vectors_DZ = vectors_DZ * np.sign(largest_D)[:, None]  # either sign would do: always the same
    shares_Z = gains_Z / max(gains_Z.sum(), 1e-300)
    return Directions(vectors_DZ.astype(np.float32), gains_Z[:count], shares_Z[:count])


def first_kernel(sampler: Sampler, weights: Weights) -> np.ndarray:
    """What dense layers do to the noise before anything else: a kernel (Z, F).

    Where several layers see the noise their kernels stand side by side. Rows of a kernel that
    belong to a label, which some networks join to the noise, are left out.

    Raises:
        JaxgenError: the first layer that sees the noise is not dense.
    """
    noise_NZ = jnp.asarray(sampler.draw_noise(2, 0)[:2])
    size = noise_NZ.shape[1]
    kernels, others = [], []

    def sees_noise(value: Any) -> bool:
        """Whether it begins with the noise itself: numbers that come about in no other way."""
        if not isinstance(value, jax.Array) or value.ndim != 2 or value.shape[1] < size:
            return False
        seen_NZ = value[:, :size].astype(noise_NZ.dtype)
        return bool(jnp.allclose(seen_NZ, noise_NZ, rtol=1e-2))  # it may have been rounded

    def look(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        module: nn.Module = context.module
        if context.method_name == "__call__" and args and sees_noise(args[0]):
            own = weights.params
            for name in module.path:
                own = own.get(name, {})
            kernel = own.get("kernel")
            if kernel is not None and kernel.shape[:1] == args[0].shape[1:] and kernel.ndim == 2:
                kernels.append(np.asarray(kernel)[:size])
            elif module.path:
                others.append(f"{'/'.join(module.path)} ({type(module).__name__})")
        return call(*args, **kwargs)

    label_NK = jnp.eye(sampler.classes)[:1].repeat(2, axis=0) if sampler.classes else None
    with nn.intercept_methods(look):
        plain(sampler.generator).apply(
            {"params": jax.tree.map(np.asarray, weights.params), "batch_stats": weights.stats},
            noise_NZ,
            label_NK,
            train=False,
        )
    if not kernels:
        seen = f"it is {others[0]}" if others else "it takes the noise apart first"
        raise JaxgenError(
            f"directions are those of a dense first layer, and this generator has none ({seen})"
        )
    return np.concatenate(kernels, axis=1)


def along(
    noise: Noise, start_Z: np.ndarray, vectors_DZ: np.ndarray, strengths_S: np.ndarray
) -> np.ndarray:
    """Inputs at several strengths of each direction from one input.

    Args:
        noise: the distribution of the input, which says how far a strength of 1 is, one standard
            deviation, and to what its points are then moved: those that it might have drawn.
        start_Z: where strength 0 is.
        vectors_DZ: of length 1.
        strengths_S: how far, to both sides.

    Returns:
        float32 (D, S, Z).
    """
    moved_DSZ = start_Z + noise.spread * strengths_S[None, :, None] * vectors_DZ[:, None, :]
    return np.asarray(noise.typical(jnp.asarray(moved_DSZ, jnp.float32)))
