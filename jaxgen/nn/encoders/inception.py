"""Inception-v3 as FID has it: the network of 2015 whose features papers compare pictures by.

It is not ImageNet's usual Inception-v3. Its average pooling leaves the padding out of the mean, its
last block pools by the maximum, it tells 1,008 classes, and pictures are scaled to 299x299 as
TensorFlow 1 did it, without aligned corners and without a filter against aliasing. The modules are
called as in the file of its weights, which pytorch-fid and torch-fidelity read as well.

N pictures, H W height and width, F features, K classes.

References:
    Szegedy et al. 2015, https://arxiv.org/abs/1512.00567;
    Heusel et al. 2017, https://arxiv.org/abs/1706.08500;
    https://github.com/toshas/torch-fidelity, https://github.com/mseitzer/pytorch-fid.
"""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.nn import ops
from jaxgen.nn.encoders.base import Conv, Encoded, Encoder, dense, norm, pooled
from jaxgen.nn.precision import exact

Array = jax.Array
PyTree = Any

SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""Of the file of weights that papers' figures are of, under either of its names."""
_EPSILON = 1e-3
_AROUND = ((0, 0), (1, 1), (1, 1), (0, 0))


class _Unit(nn.Module):
    """A convolution, batch norm and ReLU, which is all that the network has weights in."""

    features: int
    window: int | tuple[int, int] = 1
    stride: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, x_NHWC: Array) -> Array:
        convolve = Conv(self.features, self.window, self.stride, self.padding, name="conv")
        return nn.relu(norm("bn", _EPSILON)(convolve(x_NHWC), False))


_ROW, _COLUMN = (1, 7), (7, 1)
_Chain = tuple[tuple[str, int, int | tuple[int, int]], ...]


def _chained(x_NHWC: Array, units: _Chain) -> Array:
    """Units one after the other: names, features, windows."""
    for name, features, window in units:
        x_NHWC = _Unit(features, window, name=name)(x_NHWC)
    return x_NHWC


class _BlockA(nn.Module):
    """Windows of 1, 5 and twice 3."""

    pooled: int

    @nn.compact
    def __call__(self, x_NHWC: Array) -> Array:
        narrow = _chained(x_NHWC, (("branch1x1", 64, 1),))
        five = _chained(x_NHWC, (("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)))
        double: _Chain = (
            ("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3),
        )  # fmt: skip
        smooth = _Unit(self.pooled, name="branch_pool")(averaged(x_NHWC))
        return jnp.concatenate([narrow, five, _chained(x_NHWC, double), smooth], axis=-1)


class _BlockB(nn.Module):
    """To half the height and width."""

    @nn.compact
    def __call__(self, x_NHWC: Array) -> Array:
        three = _Unit(384, 3, 2, "VALID", name="branch3x3")(x_NHWC)
        double = _chained(x_NHWC, (("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3)))
        double = _Unit(96, 3, 2, "VALID", name="branch3x3dbl_3")(double)
        return jnp.concatenate([three, double, ops.max_pool(x_NHWC, 3, 2)], axis=-1)


class _BlockC(nn.Module):
    """Windows of 7 as rows and columns."""

    inside: int

    @nn.compact
    def __call__(self, x_NHWC: Array) -> Array:
        inside = self.inside
        narrow = _Unit(192, name="branch1x1")(x_NHWC)
        seven: _Chain = (
            ("branch7x7_1", inside, 1),
            ("branch7x7_2", inside, _ROW),
            ("branch7x7_3", 192, _COLUMN),
        )
        double: _Chain = (
            ("branch7x7dbl_1", inside, 1),
            ("branch7x7dbl_2", inside, _COLUMN),
            ("branch7x7dbl_3", inside, _ROW),
            ("branch7x7dbl_4", inside, _COLUMN),
            ("branch7x7dbl_5", 192, _ROW),
        )
        smooth = _Unit(192, name="branch_pool")(averaged(x_NHWC))
        branches = [narrow, _chained(x_NHWC, seven), _chained(x_NHWC, double), smooth]
        return jnp.concatenate(branches, axis=-1)


class _BlockD(nn.Module):
    """To half the height and width again."""

    @nn.compact
    def __call__(self, x_NHWC: Array) -> Array:
        three = _Unit(192, name="branch3x3_1")(x_NHWC)
        three = _Unit(320, 3, 2, "VALID", name="branch3x3_2")(three)
        seven: _Chain = (
            ("branch7x7x3_1", 192, 1),
            ("branch7x7x3_2", 192, _ROW),
            ("branch7x7x3_3", 192, _COLUMN),
        )
        seven_NHWC = _chained(x_NHWC, seven)
        seven_NHWC = _Unit(192, 3, 2, "VALID", name="branch7x7x3_4")(seven_NHWC)
        return jnp.concatenate([three, seven_NHWC, ops.max_pool(x_NHWC, 3, 2)], axis=-1)


class _BlockE(nn.Module):
    """Rows and columns of 3 side by side; `by_maximum` pools so, as the last block does."""

    by_maximum: bool

    @nn.compact
    def __call__(self, x_NHWC: Array) -> Array:
        narrow = _Unit(320, name="branch1x1")(x_NHWC)
        three = _Unit(384, name="branch3x3_1")(x_NHWC)
        double = _chained(x_NHWC, (("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3)))
        sides = [
            _Unit(384, window, name=name)(before)
            for before, name, window in (
                (three, "branch3x3_2a", (1, 3)),
                (three, "branch3x3_2b", (3, 1)),
                (double, "branch3x3dbl_3a", (1, 3)),
                (double, "branch3x3dbl_3b", (3, 1)),
            )
        ]
        if self.by_maximum:
            # Nothing is below 0, so that zeros around are as good as no pixels.
            around = ops.max_pool(jnp.pad(x_NHWC, _AROUND), 3, 1)
        else:
            around = averaged(x_NHWC)
        smooth = _Unit(192, name="branch_pool")(around)
        return jnp.concatenate([narrow, *sides, smooth], axis=-1)


class InceptionV3(nn.Module):
    """The network; its vector is the mean of its grid, 8 by 8 by 2,048 of 299x299."""

    classes: int = 1008

    @nn.compact
    def __call__(self, image_NHWC: Array, train: bool = False) -> Encoded:
        del train  # it measures, and is never trained
        x_NHWC = _Unit(32, 3, 2, "VALID", name="Conv2d_1a_3x3")(image_NHWC)
        x_NHWC = _Unit(32, 3, 1, "VALID", name="Conv2d_2a_3x3")(x_NHWC)
        x_NHWC = ops.max_pool(_Unit(64, 3, name="Conv2d_2b_3x3")(x_NHWC), 3, 2)
        x_NHWC = _Unit(80, name="Conv2d_3b_1x1")(x_NHWC)
        x_NHWC = _Unit(192, 3, 1, "VALID", name="Conv2d_4a_3x3")(x_NHWC)
        x_NHWC = ops.max_pool(x_NHWC, 3, 2)
        for letter, features in zip("bcd", (32, 64, 64), strict=True):
            x_NHWC = _BlockA(features, name=f"Mixed_5{letter}")(x_NHWC)
        x_NHWC = _BlockB(name="Mixed_6a")(x_NHWC)
        for letter, inside in zip("bcde", (128, 160, 160, 192), strict=True):
            x_NHWC = _BlockC(inside, name=f"Mixed_6{letter}")(x_NHWC)
        x_NHWC = _BlockD(name="Mixed_7a")(x_NHWC)
        x_NHWC = _BlockE(False, name="Mixed_7b")(x_NHWC)
        grid_NHWC = _BlockE(True, name="Mixed_7c")(x_NHWC)
        vector_NF = pooled(grid_NHWC)
        return Encoded(vector_NF, exact(grid_NHWC), dense(self.classes, "fc")(vector_NF))


def averaged(x_NHWC: Array) -> Array:
    """Means over 3 by 3 windows of what is within the picture: padding does not count."""
    height, width = x_NHWC.shape[1:3]
    padded = jnp.pad(x_NHWC, _AROUND)
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    sums_NHWC = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
    inside_H, inside_W = (
        np.minimum(np.arange(side) + 2, side) - np.maximum(np.arange(side) - 1, 0)
        for side in (height, width)
    )
    share_HW = 1 / (inside_H[:, None] * inside_W[None])
    return sums_NHWC * jnp.asarray(share_HW, sums_NHWC.dtype)[None, :, :, None]


def scaled(image_NHWC: Array, side: int) -> Array:
    """Pictures scaled bilinearly as TensorFlow 1 does it, which papers' figures depend on.

    Pixel i lies at i · (the old side) / side, and is between two pixels whatever the scale: where
    pictures shrink, others are skipped.

    Args:
        image_NHWC: float32.
        side: height and width of the result.

    Returns:
        (N, side, side, C), float32.
    """
    for axis in (2, 1):  # in the order in which torch-fidelity rounds
        length = image_NHWC.shape[axis]
        if length == side:
            continue
        place_S = np.arange(side, dtype=np.float32) * np.float32(length / side)
        low_S = place_S.astype(np.int64)
        share_S = place_S - low_S.astype(np.float32)
        low, high = (
            jnp.take(image_NHWC, jnp.asarray(np.minimum(place, length - 1)), axis=axis)
            for place in (low_S, low_S + 1)
        )
        shares = jnp.asarray(np.expand_dims(share_S, [a for a in range(4) if a != axis]))
        image_NHWC = low + (high - low) * shares
    return image_NHWC


@dataclass(frozen=True)
class FIDEncoder(Encoder):
    """An encoder that scales pictures itself, of any size, so that all see them alike."""

    def encoded(self, variables: PyTree, image_NHWC: Array) -> Encoded:
        """What it sees in pictures, uint8 (N, H, W, 3)."""
        x_NHWC = scaled(image_NHWC.astype(jnp.float32), self.size)
        mean, deviation = (jnp.float32(part) for part in (self.mean, self.deviation))
        x_NHWC = (x_NHWC - mean[None, None, None]) / deviation[None, None, None]
        return self.module.apply(variables, x_NHWC)  # type: ignore[return-value]


inception = FIDEncoder(
    name="inception",
    module=InceptionV3(),
    mean=(128.0, 128.0, 128.0),
    deviation=(128.0, 128.0, 128.0),
    resampling="bilinear",
    size=299,
    least=75,
)
"""Pixels are (x - 128) / 128. It measures, and is not in `known`: captioners do not read it."""
