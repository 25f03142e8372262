"""The small network that sees scenes, to be trained with a captioner: no statistics of batches.

`jaxgen.data.scenes.features` has it with batch norm, which here is part of the convolutions, and
with a grid whose tokens lie between the cells of a scene: one in the middle is seen in halves, each
with a neighbour, and captions give a digit the colour of another. Here the last convolution is
moved by half a step, so that for each cell there is a token that sees it whole.

N batch, H W C sides and channels of a picture, T side of the grid, M tokens, D their width, P width
of a token's place.
"""

from dataclasses import dataclass
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.captioning.encoders.base import PictureEncoder
from jaxgen.data.scenes import features as scene_features
from jaxgen.errors import JaxgenError
from jaxgen.nn import ops
from jaxgen.nn.precision import exact, rounded
from jaxgen.settings import flag, named

Array = jax.Array
PyTree = Any

_KERNEL = nn.initializers.he_normal()
_PLACE = 32  # P
_EPSILON = 1e-5  # of the batch norm that the shipped weights were trained with


class SceneCNNModule(nn.Module):
    """Six convolutions; each token of the last one is told its place, which is learnt.

    A picture of 64x64 becomes 4x4 tokens of 128 numbers and 32 of their place.

    Attributes:
        between: put the tokens between the cells, without their place, where the network that was
            shipped has them.
    """

    between: bool = False

    @property
    def at_corners(self) -> bool:
        """Whether a token sees what is around the upper left corner of its cell."""
        return not self.between

    @nn.compact
    def __call__(self, pictures_NHWC: Array, train: bool = False) -> Array:
        del train
        x = pictures_NHWC.astype(jnp.float32) / 127.5 - 1
        # A digit's shape shows in the strongest channel, whatever its colour.
        x = rounded(jnp.concatenate([x, jnp.max(x, axis=-1, keepdims=True)], axis=-1))
        for index, (width, side, stride) in enumerate(scene_features.LAYERS):
            shape = (side, side, x.shape[-1], width)
            kernel = self.param(f"kernel_{index}", _KERNEL, shape, jnp.float32)
            bias = self.param(f"bias_{index}", nn.initializers.zeros, (width,), jnp.float32)
            is_last = index == len(scene_features.LAYERS) - 1
            pads: Any = ((1, 0), (1, 0)) if is_last and not self.between else "SAME"
            x = ops.conv(nn.relu(x) if index else x, kernel, stride, pads)
            x = rounded(exact(x) + bias[None, None, None])
        token_NTTD = nn.relu(x)
        if not self.between:
            # A convolution does not know where it is, and a token has to say so.
            n, *sides, _ = token_NTTD.shape
            place_TTP = self.param("place", nn.initializers.normal(0.5), (*sides, _PLACE))
            place_NTTP = jnp.broadcast_to(place_TTP[None], (n, *place_TTP.shape))
            token_NTTD = jnp.concatenate([token_NTTD, rounded(place_NTTP)], axis=-1)
        return token_NTTD.reshape(len(x), -1, token_NTTD.shape[-1])


@named("scene_cnn")
@dataclass(frozen=True)
class SceneCNN(PictureEncoder):
    """A small convolutional network, from scratch or as the shipped features of scenes are."""

    weights: Literal["scenes", "scratch"] = "scratch"
    """scenes: those of the network that `--data.features grid` are made with, which has learnt to
    read digits; for pictures of 64x64. scratch: drawn."""

    def module(self, picture_shape: tuple[int, ...]) -> nn.Module:
        height, width, channels = picture_shape
        if self.weights == "scenes" and picture_shape != (64, 64, 3):
            raise JaxgenError(
                f"{flag('encoder.weights')} scenes are for pictures of 64x64 in colour, not of "
                f"{height}x{width} with {channels} channels; take scratch"
            )
        if min(height, width) < 16 or max(height, width) > 1024:
            raise JaxgenError(
                f"{flag('encoder')} scene_cnn sees pictures of 16 to 1024 pixels a side, not of "
                f"{height}x{width}"
            )
        return SceneCNNModule()

    def weights_to_begin_with(self) -> PyTree | None:
        return None if self.weights == "scratch" else shipped()


def shipped() -> dict[str, np.ndarray]:
    """The shipped network's parameters with its batch norm made part of the convolutions.

    Raises:
        JaxgenError: the file is missing or is not the one recorded.
    """
    variables = scene_features.load_weights()
    params, statistics = variables["params"], variables["batch_stats"]
    made = {}
    for index in range(len(scene_features.LAYERS)):
        norm, of_batches = params[f"BatchNorm_{index}"], statistics[f"BatchNorm_{index}"]
        factor = norm["scale"] / np.sqrt(of_batches["var"] + _EPSILON)
        made[f"kernel_{index}"] = params[f"Conv_{index}"]["kernel"] * factor
        made[f"bias_{index}"] = norm["bias"] - of_batches["mean"] * factor
    return {name: np.asarray(array, np.float32) for name, array in made.items()}
