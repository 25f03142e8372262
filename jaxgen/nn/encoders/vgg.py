"""VGG-16 as torchvision has it; its vector is fc7, which the course's features for COCO are.

References:
    Simonyan and Zisserman 2015, https://arxiv.org/abs/1409.1556;
    https://pytorch.org/vision/stable/models/vgg.html.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.nn import ops
from jaxgen.nn.encoders.base import Conv, Encoded, Encoder, dense
from jaxgen.nn.encoders.resnet import DEVIATION, MEAN
from jaxgen.nn.precision import exact, rounded

Array = jax.Array

_WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
_SIDE, _WIDTH = 7, 512  # of what the first dense layer reads


class VGG16(nn.Module):
    """The network: its vector is fc7 after ReLU, its grid conv5_3 after pooling.

    The grid is H/32 by W/32 by 512. Of other sizes than 224 the dense layers see its mean over
    7 by 7 parts, as torchvision's do.
    """

    classes: int = 1000
    hidden: int = 4096
    """Width of the dense layers."""

    @nn.compact
    def __call__(self, image_NHWC: Array, train: bool = False) -> Encoded:
        del train  # dropout is the captioner's
        x_NHWC, place = image_NHWC, 0
        for widths in _WIDTHS:
            for width in widths:
                convolve = Conv(width, 3, biased=True, name=f"features.{place}")
                x_NHWC = nn.relu(convolve(x_NHWC))
                place += 2  # each ReLU has a place in torchvision's list, and each pooling
            x_NHWC = ops.max_pool(x_NHWC)
            place += 1
        parts = rounded(averaged(exact(x_NHWC), _SIDE))
        x_NF = parts.reshape(len(parts), -1)
        x_NF = rounded(nn.relu(dense(self.hidden, "classifier.0")(x_NF)))
        fc7_NF = nn.relu(dense(self.hidden, "classifier.3")(x_NF))
        logits_NK = dense(self.classes, "classifier.6")(rounded(fc7_NF))
        return Encoded(exact(fc7_NF), exact(x_NHWC), exact(logits_NK))


def averaged(x_NHWC: Array, side: int) -> Array:
    """Means over `side` by `side` parts, which may overlap: PyTorch's AdaptiveAvgPool2d."""
    height, width = x_NHWC.shape[1:3]
    if height == width == side:
        return x_NHWC
    x_NSWC = ops.einsum("nhwc,hs->nswc", x_NHWC, _means(height, side))
    return ops.einsum("nswc,wt->nstc", x_NSWC, _means(width, side))


def _means(length: int, parts: int) -> Array:
    """The matrix (length, parts) that takes the mean over each part."""
    place_L1, part_P = np.arange(length)[:, None], np.arange(parts)
    start_P, stop_P = part_P * length // parts, -(-(part_P + 1) * length // parts)
    is_in_LP = (place_L1 >= start_P[None]) & (place_L1 < stop_P[None])
    return jnp.asarray(is_in_LP / is_in_LP.sum(axis=0, keepdims=True), jnp.float32)


def _stored(name: str, array: np.ndarray) -> np.ndarray:
    """The first dense layer reads channels last here, and first in the files."""
    if name != "classifier.0.weight":
        return array
    by_channel = array.reshape(len(array), _WIDTH, _SIDE, _SIDE)
    return by_channel.transpose(0, 2, 3, 1).reshape(len(array), -1)


vgg16 = Encoder("vgg16", VGG16(), MEAN, DEVIATION, "bilinear", stored=_stored)
"""138 million parameters."""
