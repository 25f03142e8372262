"""A captioner with its encoder, as one module: what it reads are pictures.

N batch, H W C sides and channels of a picture, M tokens, D their width, T time, V vocabulary.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxgen.captioning.encoders.augmentation import augmented
from jaxgen.captioning.encoders.base import PictureEncoder

Array = jax.Array
PyTree = Any


class SeeingCaptioner(nn.Module):
    """A captioner that reads pictures; its methods are those of `Captioner.module`.

    An image is encoded once: for the whole caption, or when decoding starts.

    Attributes:
        encoder: pictures (N, H, W, C) to tokens (N, M, D), as `Encoder.module` describes it.
        captioner: reads the tokens, as `Captioner.module` describes it.
        told: what the encoder is shown in training, and whether it learns.
    """

    encoder: nn.Module
    captioner: nn.Module
    told: PictureEncoder

    def __call__(self, features: Array, captions_NT: Array, train: bool = False) -> Array:
        return self.captioner(self._seen(features, train), captions_NT, train)

    def start(self, features: Array) -> PyTree:
        """Prepare decoding: see the pictures, and start from their tokens."""
        return self.captioner.start(self._seen(features))

    def step(self, carry: PyTree, words_N: Array) -> tuple[PyTree, Array]:
        """Read one word a caption; return the new carry and the scores of the next word."""
        return self.captioner.step(carry, words_N)

    def _seen(self, pictures_NHWC: Array, train: bool = False) -> Array:
        told = self.told
        if train and (told.shift or told.mirror or told.brightness):
            pictures_NHWC = augmented(
                pictures_NHWC,
                self.make_rng("dropout"),
                shift=told.shift,
                mirror=told.mirror,
                brightness=told.brightness,
            )
        tokens_NMD = self.encoder(pictures_NHWC, train)
        # What never learns needs no gradient, which is most of a step's time.
        return tokens_NMD if told.rate else jax.lax.stop_gradient(tokens_NMD)


def tokens_shape(encoder: nn.Module, picture_shape: tuple[int, ...]) -> tuple[int, ...]:
    """(M, D) of the tokens that an encoder makes of a picture (H, W, C)."""
    picture = jax.ShapeDtypeStruct((1, *picture_shape), jnp.uint8)
    tokens, _ = jax.eval_shape(encoder.init_with_output, jax.random.key(0), picture)
    return tokens.shape[1:]


class FrozenStatistics(nn.Module):
    """A network with batch norm as an encoder: its statistics stay what they were.

    They are kept beside the parameters, and get no gradient. Parameters learn. The usual way to
    fine-tune a network that was trained on other pictures, whose batches say little of these.

    Attributes:
        network: pictures to a grid (N, H', W', D) or to tokens (N, M, D), with the collections
            "params" and perhaps "batch_stats": a module that is called without training, or whatever
            can be hashed and has `init(key, pictures)` and `apply(variables, pictures)`.
    """

    network: Any

    @nn.compact
    def __call__(self, pictures_NHWC: Array, train: bool = False) -> Array:
        del train  # statistics are never those of a batch
        network = self.network
        if isinstance(network, nn.Module):
            network = network.clone(parent=None)

        def drawn(key: Array) -> PyTree:
            return dict(network.init(key, pictures_NHWC))

        variables = dict(self.param("variables", drawn))
        if "batch_stats" in variables:  # VGG-16 has none
            variables["batch_stats"] = jax.lax.stop_gradient(variables["batch_stats"])
        grid: Any = network.apply(variables, pictures_NHWC)
        return grid if grid.ndim == 3 else grid.reshape(len(grid), -1, grid.shape[-1])


def with_own_rate(
    optimizer: optax.GradientTransformation, told: PictureEncoder
) -> optax.GradientTransformation:
    """The optimizer of a `SeeingCaptioner`, whose encoder has a learning rate of its own.

    The encoder's moments are taken from the first step on, also while it stays as it is.
    """
    if told.rate == 1 and not told.frozen_steps:
        return optimizer

    def init(params: PyTree) -> optax.ScaleByScheduleState:
        del params
        return optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    def update(
        updates: PyTree, state: Any, params: PyTree | None = None
    ) -> tuple[PyTree, optax.ScaleByScheduleState]:
        del params
        rate = jnp.where(state.count < told.frozen_steps, 0, told.rate)
        encoder = jax.tree.map(lambda u: u * rate.astype(u.dtype), updates["encoder"])
        taken = optax.ScaleByScheduleState(optax.safe_increment(state.count))
        return {**updates, "encoder": encoder}, taken

    return optax.chain(optimizer, optax.GradientTransformation(init, update))
