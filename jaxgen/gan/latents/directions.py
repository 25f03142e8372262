"""Directions in a generator's input along which its images change most.

N batch, Z noise, K classes, F features, D directions, S strengths.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.gan.noise import Noise
from jaxgen.gan.sampling import Sampler, Weights
from jaxgen.nn.precision import plain

_ROWS = 8  # of noise that layers are known by
_ALIKE = 0.9999  # cosine of what a layer makes and of what its kernel would, but for rounding


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
    """What dense layers do to the noise before anything else does: a kernel (Z, F).

    Where several layers see the noise their kernels stand side by side. Rows of a kernel that
    belong to a label, which some networks join to the noise, are left out. A layer is known by what
    comes out of it, so that it may scale its kernel, or be of a user's own.

    Raises:
        JaxgenError: no dense layer sees the noise itself.
    """
    noise_NZ = sampler.draw_noise(_ROWS, 0)[:_ROWS]
    label_NK = np.eye(sampler.classes, dtype=np.float32)[[0] * _ROWS] if sampler.classes else None
    network: nn.Module = plain(sampler.generator)

    @jax.jit
    def outputs(weights: Weights) -> Any:
        return network.apply(
            {"params": weights.params, "batch_stats": weights.stats},
            noise_NZ,
            label_NK,
            train=False,
            capture_intermediates=True,
            mutable=["intermediates"],
        )[1]["intermediates"]

    given_NZ = noise_NZ - noise_NZ.mean(axis=0)
    kernels = [
        kernel[: noise_NZ.shape[1]]
        for made, kernel in _calls(outputs(weights), weights.params)
        if kernel.shape[0] >= noise_NZ.shape[1]
        and made.shape == (_ROWS, kernel.shape[1])
        and _is_proportional(made - made.mean(axis=0), given_NZ @ kernel[: noise_NZ.shape[1]])
    ]
    if not kernels:
        raise JaxgenError(
            "directions are those of a dense first layer, and none of this generator's dense "
            "layers sees the noise as it is drawn"
        )
    return np.concatenate(kernels, axis=1)


def _calls(outputs: Any, params: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What each module gave, beside each matrix that is a parameter of its own."""
    for name, own in params.items():
        if isinstance(own, Mapping):
            yield from _calls(outputs.get(name, {}), own)
        elif own.ndim == 2:
            for made in outputs.get("__call__", ()):
                if hasattr(made, "shape"):
                    yield np.asarray(made, np.float32), np.asarray(own, np.float32)


def _is_proportional(a: np.ndarray, b: np.ndarray) -> bool:
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return lengths > 0 and abs(float(np.vdot(a, b))) > _ALIKE * lengths


def along(
    noise: Noise,
    start_Z: np.ndarray,
    vectors_DZ: np.ndarray,
    strengths_S: np.ndarray,
    truncation: float | None = None,
) -> np.ndarray:
    """Inputs at several strengths of each direction from one input.

    Args:
        noise: the distribution of the input, which says how far a strength of 1 is, one standard
            deviation, and to what its points are then moved: those that it might have drawn.
        start_Z: where strength 0 is, drawn without truncation.
        vectors_DZ: of length 1.
        strengths_S: how far, to both sides.
        truncation: of the inputs, after all else; where strength 0 is, the input as it would be
            drawn.

    Returns:
        float32 (D, S, Z).

    Raises:
        JaxgenError: the noise cannot be truncated so.
    """
    moved_DSZ = start_Z + noise.spread * strengths_S[None, :, None] * vectors_DZ[:, None, :]
    typical_DSZ = noise.typical(jnp.asarray(moved_DSZ, jnp.float32))
    return np.asarray(noise.truncated(typical_DSZ, truncation))
