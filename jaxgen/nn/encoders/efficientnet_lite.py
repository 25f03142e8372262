"""EfficientNet-Lite0: EfficientNet-B0 without squeeze and excitation, with ReLU6.

4.7 million parameters; 75.1 % of ImageNet's validation pictures right by its authors' figures.
Strided convolutions are padded as TensorFlow does it, more below and on the right: the weights
were trained so (the tests check it on photographs of known classes).

References:
    Tan and Le 2019, https://arxiv.org/abs/1905.11946;
    https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
"""

import flax.linen as nn
import jax

from jaxgen.nn.encoders.base import Conv, Encoded, Encoder, dense, norm, pooled
from jaxgen.nn.precision import exact

Array = jax.Array

_EPSILON, _MOMENTUM = 1e-3, 0.01
_STAGES = (  # blocks, window, stride of the first, times wider inside, features
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class _Block(nn.Module):
    """An inverted bottleneck: wider, a depthwise convolution, narrower."""

    window: int
    stride: int
    wider: int
    features: int

    @nn.compact
    def __call__(self, x_NHWC: Array, train: bool) -> Array:
        inside = x_NHWC.shape[-1] * self.wider
        y_NHWC = x_NHWC
        if self.wider > 1:
            y_NHWC = Conv(inside, 1, name="_expand_conv")(y_NHWC)
            y_NHWC = nn.relu6(norm("_bn0", _EPSILON, _MOMENTUM)(y_NHWC, train))
        convolve = Conv(inside, self.window, self.stride, depthwise=True, name="_depthwise_conv")
        y_NHWC = nn.relu6(norm("_bn1", _EPSILON, _MOMENTUM)(convolve(y_NHWC), train))
        y_NHWC = Conv(self.features, 1, name="_project_conv")(y_NHWC)
        y_NHWC = norm("_bn2", _EPSILON, _MOMENTUM)(y_NHWC, train)
        return x_NHWC + y_NHWC if y_NHWC.shape == x_NHWC.shape else y_NHWC


class EfficientNetLite0(nn.Module):
    """The network; its vector is the mean of its grid, H/32 by W/32 by 1,280."""

    classes: int = 1000

    @nn.compact
    def __call__(self, image_NHWC: Array, train: bool = False) -> Encoded:
        x_NHWC = Conv(32, 3, 2, name="_conv_stem")(image_NHWC)
        x_NHWC = nn.relu6(norm("_bn0", _EPSILON, _MOMENTUM)(x_NHWC, train))
        number = 0
        for blocks, window, stride, wider, features in _STAGES:
            for index in range(blocks):
                name = f"_blocks.{number}"
                block = _Block(window, 1 if index else stride, wider, features, name=name)
                x_NHWC = block(x_NHWC, train)
                number += 1
        x_NHWC = Conv(1280, 1, name="_conv_head")(x_NHWC)
        grid_NHWC = nn.relu6(norm("_bn1", _EPSILON, _MOMENTUM)(x_NHWC, train))
        vector_NF = pooled(grid_NHWC)
        return Encoded(vector_NF, exact(grid_NHWC), dense(self.classes, "_fc")(vector_NF))


lite0 = Encoder(
    name="lite0",
    module=EfficientNetLite0(),
    mean=(127.0, 127.0, 127.0),
    deviation=(128.0, 128.0, 128.0),
    resampling="bicubic",
)
"""Pixels are (x - 127) / 128."""
