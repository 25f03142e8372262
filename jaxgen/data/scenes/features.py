"""The network whose features stand where VGG-16's stand for COCO; `feature_training` trained it.

It has learnt to read single digits, then scenes: each token of its last convolution describes the
digit whose centre it covers, and its last hidden layer all cells of the scene at once.
Legend: N images, H W C their sides and channels, L tokens (4x4), T the same as a grid of 4x4.
"""

import functools
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxgen.data import ordinary_files
from jaxgen.data.scenes.rendering import CLASSES, GRID
from jaxgen.errors import JaxgenError
from jaxgen.nn import precision

# What `python -m jaxgen.data.scenes.feature_training` writes, and the SHA-256 that it prints.
WEIGHTS = Path(__file__).parent / "weights" / "scene_features.npz"
SHA256 = "c026cb00b338e7f1e1e6e15394c3309f21d32d7d05ee4fd49c09377a6fbaa7b8"
TOKEN_SIDE, TOKEN_WIDTH, HIDDEN = 4, 128, 1024
LAYERS = ((16, 5, 2), (48, 3, 2), (48, 3, 1), (96, 3, 2), (96, 3, 1), (TOKEN_WIDTH, 3, 2))
MOST_BYTES = 64 * 2**20  # of the weights, which take a hundredth of it
BATCH = 128  # images of one compiled shape

ArrayLike = jax.Array | np.ndarray


class SceneNet(nn.Module):
    """A small convolutional network: tokens from its last convolution, then one hidden layer."""

    train: bool = False
    """Normalise by the batch instead of the running averages, and update those."""

    @nn.compact
    def __call__(self, image_NHWC: ArrayLike) -> tuple[jax.Array, jax.Array | None]:
        """Features of images.

        Args:
            image_NHWC: uint8 (N, 64, 64, 3), or smaller crops, for which there is no hidden layer.

        Returns:
            token_NTTC: float32 (N, 4, 4, 128), not negative.
            hidden_NF: float32 (N, 1024), not negative; None for crops.
        """
        x = image_NHWC.astype(jnp.float32) / 127.5 - 1
        # A digit's shape shows in the strongest channel, whatever its colour.
        x = jnp.concatenate([x, x.max(axis=-1, keepdims=True)], axis=-1)
        for i, (width, side, stride) in enumerate(LAYERS):
            x = nn.relu(x) if i else x
            x = nn.Conv(width, (side, side), (stride, stride), use_bias=False)(x)
            x = nn.BatchNorm(use_running_average=not self.train, momentum=0.95)(x)
        is_scene = x.shape[1] == TOKEN_SIDE
        if is_scene:
            # A convolution does not know where it is, and a token has to say so.
            place_TTC = self.param("place", nn.initializers.normal(0.1), x.shape[1:])
            x = x + place_TTC[None]
        token_NTTC = nn.relu(x)
        if not is_scene:
            return token_NTTC, None
        narrow = nn.relu(nn.Conv(24, (1, 1))(token_NTTC))
        return token_NTTC, nn.relu(nn.Dense(HIDDEN)(narrow.reshape(narrow.shape[0], -1)))


class Heads(nn.Module):
    """What the features are trained to predict: logits of presence and of each attribute."""

    @nn.compact
    def __call__(
        self, token_NTTC: jax.Array, hidden_NF: jax.Array | None
    ) -> tuple[jax.Array, jax.Array | None]:
        """Logits.

        Args:
            token_NTTC: float32, as `SceneNet` returns it.
            hidden_NF: float32, or None for crops.

        Returns:
            token_logits: (N, T, T, 1 + sum(CLASSES)).
            cell_logits: (N, 3, 3, 1 + sum(CLASSES[:3])); None for crops.
        """
        token_logits = nn.Dense(1 + sum(CLASSES))(token_NTTC)
        if hidden_NF is None:
            return token_logits, None
        cell_logits = nn.Dense(GRID * GRID * (1 + sum(CLASSES[:3])))(hidden_NF)
        return token_logits, cell_logits.reshape(-1, GRID, GRID, 1 + sum(CLASSES[:3]))


def load_weights(path: Path = WEIGHTS, sha256: str = SHA256) -> dict[str, Any]:
    """Reads the shipped parameters of `SceneNet`.

    Args:
        path: the `.npz` file.
        sha256: that its contents must have.

    Returns:
        Variables for `SceneNet().apply(variables, images)`, float32.

    Raises:
        JaxgenError: the file is missing or is not the one recorded.
    """
    try:
        contents = ordinary_files.contents(path, "reinstall jaxgen", MOST_BYTES)
    except JaxgenError as error:
        raise JaxgenError(f"cannot read the feature weights: {error}") from error
    found = hashlib.sha256(contents).hexdigest()
    if found != sha256:
        raise JaxgenError(
            f"feature weights {path} have SHA-256 {found[:12]}..., not {sha256[:12]}...; reinstall "
            "jaxgen, or, after training them again, write their hash into SHA256 in features.py"
        )
    with np.load(io.BytesIO(contents), allow_pickle=False) as file:
        return unflatten_dict({name: file[name].astype(np.float32) for name in file}, sep="/")


def save_weights(path: Path, variables: dict[str, Any]) -> str:
    """Writes variables as half-precision arrays and returns the file's SHA-256."""
    flat: dict[str, Any] = {
        name: np.asarray(leaf, np.float16)
        for name, leaf in flatten_dict(variables, sep="/").items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **flat)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@functools.cache
def _forward() -> Callable[..., Any]:
    return jax.jit(SceneNet().apply)


def extract(variables: dict[str, Any], image_NHWC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features of one batch of scenes.

    Args:
        variables: of `SceneNet`, as `load_weights` returns them.
        image_NHWC: uint8 (N, 64, 64, 3), N at most BATCH.

    Returns:
        token_NLC: float16 (N, 16, 128), in reading order.
        hidden_NF: float16 (N, 1024).
    """
    size = len(image_NHWC)
    padding = np.zeros((BATCH - size, *image_NHWC.shape[1:]), np.uint8)
    with precision.highest():
        token, hidden = _forward()(variables, np.concatenate([image_NHWC, padding]))
    token = np.asarray(token, np.float16)[:size]
    return token.reshape(size, -1, TOKEN_WIDTH), np.asarray(hidden, np.float16)[:size]
