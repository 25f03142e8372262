"""The GAN networks as PyTorch's `nn.Sequential`, layer by layer as the notebooks wrote them.

From here come the weights of an exported generator, the source of its PyTorch module, the weights
of one that is imported, and the twins in `benchmarks/`.

N batch, Z noise, H height, W width, C channels, K classes.
"""

import math
from typing import Any

from jaxgen.errors import JaxgenError
from jaxgen.gan.networks import dcgan
from jaxgen.gan.networks.base import Networks
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.gan.networks.mlp import MLP
from jaxgen.nn.torch_layout import Sequential, Step, Weighted

Shape = tuple[int, int, int]


def generator(networks: Networks, image_shape: Shape, size: int) -> Sequential:
    """A generator (N, size) to images (N, C, H, W) in [-1, 1].

    Args:
        networks: whose it is.
        image_shape: (H, W, C).
        size: numbers in its input: Z, and K behind them where it sees labels.

    Raises:
        JaxgenError: there is no PyTorch form of these networks.
    """
    if isinstance(networks, MLP):
        return _mlp_generator(networks, image_shape, size)
    if isinstance(networks, DCGAN):
        return _dcgan_generator(networks, image_shape, size)
    raise _unknown(networks)


def discriminator(networks: Networks, image_shape: Shape, classes: int = 0) -> Sequential:
    """A discriminator: images (N, C, H, W), or rows with labels behind them, to logits (N,).

    Of a convolutional one that sees labels the last step is the embedding of the labels, whose
    inner product with the features before the score is added.

    Raises:
        JaxgenError: there is no PyTorch form of these networks.
    """
    if isinstance(networks, MLP):
        return _mlp_discriminator(networks, image_shape, classes)
    if isinstance(networks, DCGAN) and not networks.spectral_norm:
        return _dcgan_discriminator(networks, image_shape, classes)
    raise _unknown(networks)


def _unknown(networks: Any) -> JaxgenError:
    return JaxgenError(
        f"there is no PyTorch form of {networks}; the networks mlp and dcgan have one, the latter "
        "without spectral norm"
    )


class _Steps:
    """Steps one after the other; layers are numbered as Flax numbers those of a kind."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._counts: dict[str, int] = {}

    def add(self, source: str) -> None:
        self.steps.append(Step(source))

    def dense(self, inside: int, outside: int, cls: str = "Dense", **layout: Any) -> None:
        bias = "" if layout.get("biased", True) else ", bias=False"
        # jaxgen's dense layer holds Flax's.
        own = self._name(cls) + ("" if bias else ".Dense_0")
        weighted = Weighted("dense", own, (inside, outside), **layout)
        self.steps.append(Step(f"nn.Linear({inside}, {outside}{bias})", weighted))

    def convolution(self, inside: int, outside: int) -> None:
        weighted = Weighted("convolution", self._name("Conv"), (5, 5, inside, outside))
        self.steps.append(Step(f"nn.Conv2d({inside}, {outside}, 5)", weighted))

    def transposed(self, inside: int, outside: int) -> None:
        own = self._name("ConvTranspose")
        weighted = Weighted("transposed convolution", own, (4, 4, inside, outside))
        source = f"nn.ConvTranspose2d({inside}, {outside}, 4, stride=2, padding=1)"
        self.steps.append(Step(source, weighted))

    def norm(self, width: int, axes: int = 1, channels: int = 1) -> None:
        own = f"{self._name('BatchNorm')}.BatchNorm_0"
        weighted = Weighted("batch norm", own, (width,), channels_out=channels)
        self.steps.append(Step(f"nn.BatchNorm{axes}d({width})", weighted))

    def made(self) -> Sequential:
        return Sequential(tuple(self.steps))

    def _name(self, cls: str) -> str:
        self._counts[cls] = self._counts.get(cls, -1) + 1
        return f"{cls}_{self._counts[cls]}"


def _mlp_generator(networks: MLP, image_shape: Shape, size: int) -> Sequential:
    height, width, colours = image_shape
    steps, inside = _Steps(), size
    for index, hidden in enumerate(networks.generator_hidden):
        steps.dense(inside, hidden)
        if index in networks.generator_normalized:
            steps.norm(hidden)
        steps.add(f"nn.LeakyReLU({networks.generator_slope})")
        inside = hidden
    steps.dense(inside, math.prod(image_shape), channels_out=colours)
    steps.add("nn.Tanh()")
    steps.add(f"nn.Unflatten(1, ({colours}, {height}, {width}))")
    return steps.made()


def _mlp_discriminator(networks: MLP, image_shape: Shape, classes: int) -> Sequential:
    steps, inside = _Steps(), math.prod(image_shape) + classes
    if classes and image_shape[2] > 1:
        raise JaxgenError("labels behind images of several colours have no PyTorch form")
    channels = image_shape[2]
    steps.add("nn.Flatten()")
    for hidden in networks.discriminator_hidden:
        steps.dense(inside, hidden, channels_in=channels)
        steps.add(f"nn.LeakyReLU({networks.discriminator_slope})")
        inside, channels = hidden, 1
    steps.dense(inside, 1, channels_in=channels)
    steps.add("nn.Flatten(0)")
    return steps.made()


def _dcgan_generator(networks: DCGAN, image_shape: Shape, size: int) -> Sequential:
    height, width, colours = image_shape
    doublings = dcgan.doublings(height, width)
    quarter, half = networks.generator_channels
    first = (quarter, height >> doublings, width >> doublings)
    steps, inside = _Steps(), math.prod(first)
    steps.dense(size, networks.hidden)
    steps.add("nn.ReLU()")
    steps.norm(networks.hidden)
    steps.dense(networks.hidden, inside, channels_out=quarter)
    steps.add("nn.ReLU()")
    steps.norm(inside, channels=quarter)
    steps.add(f"nn.Unflatten(1, {first})")
    channels = quarter
    for outside in [quarter] * (doublings - 2) + [half]:
        steps.transposed(channels, outside)
        steps.add("nn.ReLU()")
        steps.norm(outside, axes=2)
        channels = outside
    steps.transposed(channels, colours)
    steps.add("nn.Tanh()")
    return steps.made()


def _dcgan_discriminator(networks: DCGAN, image_shape: Shape, classes: int) -> Sequential:
    *sides, channels = image_shape
    steps, depth = _Steps(), 0
    while depth < 2 or min(sides) >= 12:
        outside = networks.discriminator_channels[min(depth, 1)]
        steps.convolution(channels, outside)
        steps.add("nn.LeakyReLU(0.01)")
        steps.add("nn.MaxPool2d(2)")
        sides, channels, depth = [(side - 4) // 2 for side in sides], outside, depth + 1
    width = math.prod(sides) * channels
    steps.add("nn.Flatten()")
    steps.dense(width, width, channels_in=channels)
    steps.add("nn.LeakyReLU(0.01)")
    steps.dense(width, 1)
    if classes:
        steps.dense(classes, width, biased=False, cls="Dense")
    else:
        steps.add("nn.Flatten(0)")
    return steps.made()
