"""ResNet-50 and ResNet-101, as torchvision has them: the stride is in the 3x3 convolution.

References:
    He et al. 2016, https://arxiv.org/abs/1512.03385;
    https://pytorch.org/vision/stable/models/resnet.html.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.nn import ops
from jaxgen.nn.encoders.base import Conv, Encoded, Encoder, dense, norm, pooled
from jaxgen.nn.precision import exact

Array = jax.Array

MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
"""Of ImageNet's pixels, as torchvision has it."""
DEVIATION = (0.229 * 255, 0.224 * 255, 0.225 * 255)
_WIDER = 4  # times, after a block's last convolution
_SAME = ((1, 1), (1, 1))  # also where a stride makes SAME another padding


class _Bottleneck(nn.Module):
    """Narrower, a 3x3 convolution, wider, and the block's input added."""

    width: int
    stride: int

    @nn.compact
    def __call__(self, x_NHWC: Array, train: bool) -> Array:
        features = self.width * _WIDER
        y_NHWC = nn.relu(norm("bn1")(Conv(self.width, 1, name="conv1")(x_NHWC), train))
        convolve = Conv(self.width, 3, self.stride, _SAME, name="conv2")
        y_NHWC = nn.relu(norm("bn2")(convolve(y_NHWC), train))
        y_NHWC = norm("bn3")(Conv(features, 1, name="conv3")(y_NHWC), train)
        if self.stride > 1 or x_NHWC.shape[-1] != features:
            x_NHWC = Conv(features, 1, self.stride, "VALID", name="downsample.0")(x_NHWC)
            x_NHWC = norm("downsample.1")(x_NHWC, train)
        return nn.relu(x_NHWC + y_NHWC)


class ResNet(nn.Module):
    """The network; its vector is the mean of its grid, H/32 by W/32 by 2,048."""

    blocks: tuple[int, ...]
    classes: int = 1000

    @nn.compact
    def __call__(self, image_NHWC: Array, train: bool = False) -> Encoded:
        x_NHWC = Conv(64, 7, 2, ((3, 3), (3, 3)), name="conv1")(image_NHWC)
        x_NHWC = nn.relu(norm("bn1")(x_NHWC, train))
        # Nothing is below 0 any more, so that zeros around are as good as no pixels.
        around = ((0, 0), (1, 1), (1, 1), (0, 0))
        x_NHWC = ops.max_pool(jnp.pad(x_NHWC, around), 3, 2)
        for layer, blocks in enumerate(self.blocks):
            for index in range(blocks):
                stride = 2 if layer and not index else 1
                block = _Bottleneck(64 * 2**layer, stride, name=f"layer{layer + 1}.{index}")
                x_NHWC = block(x_NHWC, train)
        vector_NF = pooled(x_NHWC)
        return Encoded(vector_NF, exact(x_NHWC), dense(self.classes, "fc")(vector_NF))


resnet50 = Encoder("resnet50", ResNet((3, 4, 6, 3)), MEAN, DEVIATION, "bilinear")
"""25.6 million parameters."""
resnet101 = Encoder("resnet101", ResNet((3, 4, 23, 3)), MEAN, DEVIATION, "bilinear")
"""44.5 million parameters."""
