"""Features of prepared photographs, on all devices.

N photographs, S their side, F width of the vector, L tokens of the grid, C their width, K classes.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.data import picture_files
from jaxgen.data.photographs import weights
from jaxgen.data.photographs.identity import VERSION, Crop, EncoderIdentity
from jaxgen.data.photographs.preparing import prepared
from jaxgen.errors import JaxgenError
from jaxgen.nn import batch_axis, placing, precision
from jaxgen.nn.encoders.base import Encoded, Encoder
from jaxgen.nn.encoders.known import ENCODERS
from jaxgen.nn.precision import Precision
from jaxgen.settings import flag

MOST_SIDE = 2048
"""Of the squares that encoders see."""


class Features(NamedTuple):
    """Of photographs."""

    vector_NF: np.ndarray
    """float32."""
    grid_NLC: np.ndarray | None
    """float16, the regions in reading order; None where they were not asked for."""


class Encoding:
    """An encoder with its weights, ready to encode photographs."""

    def __init__(self, identity: EncoderIdentity, variables: Any) -> None:
        """Take what it is, and its variables, as `weights.load` returns them."""
        self.identity = identity
        """What sets of features and runs record of it."""
        self.encoder: Encoder = ENCODERS[identity.name]
        self._variables = placing.on_each_device(variables)
        self._program = _program(self.encoder, identity.precision)

    def prepared(self, file: Path | bytes, most: int = picture_files.MOST_PIXELS) -> np.ndarray:
        """The square of a photograph that the encoder sees, uint8 (S, S, 3).

        Raises:
            JaxgenError, Large, Exception: as `jaxgen.data.picture_files.opened` does.
        """
        identity = self.identity
        return prepared(file, identity.size, identity.crop, self.encoder.resampling, most)

    def dispatched(self, image_NSSC: np.ndarray) -> Callable[[], Encoded]:
        """Begins to encode photographs, and gives what waits for it.

        Args:
            image_NSSC: uint8, always of one N, for which the program is compiled.

        Returns:
            A function that returns arrays of NumPy, float32.
        """
        with placing.around(self._variables):
            found = self._program(self._variables, image_NSSC)
        return lambda: jax.tree.map(np.asarray, found)

    def features(self, image_NSSC: np.ndarray, grid: bool) -> Features:
        """The features of prepared photographs, uint8.

        Raises:
            JaxgenError: see `checked`.
        """
        return checked(self.dispatched(image_NSSC)(), grid, self.identity)


def checked(encoded: Encoded, grid: bool, identity: EncoderIdentity) -> Features:
    """What of an encoder's results is kept, after a look at the numbers.

    Raises:
        JaxgenError: they are not finite, or too large for 16 bits.
    """
    grid_NLC = None
    if grid:
        grid_NHWC = np.asarray(encoded.grid_NHWC)
        with np.errstate(over="ignore"):  # it is refused below
            grid_NLC = grid_NHWC.reshape(len(grid_NHWC), -1, grid_NHWC.shape[-1])
            grid_NLC = grid_NLC.astype(np.float16)
    kept = Features(np.asarray(encoded.vector_NF), grid_NLC)
    if not all(np.isfinite(part).all() for part in kept if part is not None):
        raise JaxgenError(
            f"{identity.name} gives features that are not finite: its weights (SHA-256 "
            f"{identity.sha256[:12]}...) are not those of a trained network; give other "
            f"{flag('weights')}"
        )
    return kept


def _program(encoder: Encoder, kind: Precision) -> Callable[[Any, np.ndarray], Encoded]:
    @jax.jit
    def encode(variables: Any, image_NSSC: jax.Array) -> Encoded:
        with precision.using(kind), precision.highest():
            encoded = encoder.encoded(variables, batch_axis.spread(image_NSSC))
        return jax.tree.map(partial(batch_axis.whole, n=len(image_NSSC)), encoded)

    return encode


def opened(
    name: str,
    file: Path | None = None,
    size: int = 0,
    crop: Crop = "centre",
    kind: Precision = "float32",
) -> Encoding:
    """An encoder, ready to encode photographs.

    Args:
        name: of the encoder.
        file: of its weights; those of a package by default.
        size: S; by default what it was trained on.
        crop: what of photographs it sees.
        kind: what it computes in.

    Raises:
        JaxgenError: the size is out of range; or as `weights.load`.
    """
    encoder = ENCODERS[name]
    size = size or encoder.size
    if not encoder.least <= size <= MOST_SIDE:
        raise JaxgenError(
            f"{flag('size')} must be from {encoder.least} to {MOST_SIDE} for {name}, got {size}"
        )
    loaded = weights.load(encoder, file)
    identity = EncoderIdentity(name, loaded.sha256, size, crop, kind)  # type: ignore[arg-type]
    return Encoding(identity, loaded.variables)


def reopened(identity: EncoderIdentity, file: Path | None = None) -> Encoding:
    """The encoder that a set of features or a run records.

    Args:
        identity: as it was recorded.
        file: of its weights; those of a package by default.

    Raises:
        JaxgenError: there is none, or another version of jaxgen computed with it; or as
            `weights.load`, which compares the hash.
    """
    if not identity.name:
        raise JaxgenError("no encoder of jaxgen's made these features")
    if identity.version != VERSION:
        raise JaxgenError(
            f"version {identity.version} of jaxgen's encoders made these features, and this is "
            f"version {VERSION}; compute them again, or use that jaxgen"
        )
    loaded = weights.load(ENCODERS[identity.name], file, identity.sha256)
    return Encoding(identity, loaded.variables)
