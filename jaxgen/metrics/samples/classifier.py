"""A small CNN that knows digits or Fashion-MNIST: features and classes to measure samples by.

`load` reads weights that come with the package, plain arrays bound to the SHA-256 written here;
`jaxgen.metrics.samples.classifier_training` rebuilds them.

Legend: N images, H height, W width, C channels, F features, K classes.
"""

import dataclasses
import functools
import hashlib
import io
from pathlib import Path
from typing import Any, ClassVar

import jax
import numpy as np
from flax import linen as nn
from flax import traverse_util

from jaxgen.errors import JaxgenError
from jaxgen.nn import batch_axis, placing, precision
from jaxgen.nn.ops import max_pool

FEATURES = 64
CLASSES = 10
BATCH = 500  # images in each call of the compiled network
SHA256 = {
    "digits": "32eb428089a836d0073168d062aada9a05a9eb521ec9d072bee4352a1300b030",
    "fashion": "d671fcc485c13751c49cac891901c4f9dc612d77d48cbe5147b7216b3a4bfbbd",
}
WEIGHTS = Path(__file__).parent / "weights"


class Network(nn.Module):
    """Three convolutions and a dense layer of features: (N, 28, 28, 1) in [-1, 1] to K logits."""

    dropout: float = 0.3

    @nn.compact
    def __call__(self, x_NHWC: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        """Features (N, F) before the last layer, at least 0, and logits (N, K)."""
        x_NHWC = max_pool(nn.relu(nn.Conv(16, (5, 5))(x_NHWC)))
        x_NHWC = max_pool(nn.relu(nn.Conv(32, (3, 3))(x_NHWC)))
        x_NHWC = nn.relu(nn.Conv(64, (3, 3), strides=(2, 2))(x_NHWC))
        features_NF = nn.relu(nn.Dense(FEATURES)(x_NHWC.reshape(len(x_NHWC), -1)))
        dropped_NF = nn.Dropout(self.dropout, deterministic=not train)(features_NF)
        return features_NF, nn.Dense(CLASSES)(dropped_NF)


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A trained network and what it knows."""

    name: str
    params: Any
    samples: ClassVar[int] = 0
    """How many samples are measured at the least."""
    compares_in_training: ClassVar[bool] = True
    """Whether real images are few enough to be compared with as a run trains."""

    def features_and_logits(self, images: Any) -> tuple[np.ndarray, np.ndarray]:
        """What the network sees in images, computed in batches.

        Args:
            images: (N, 28, 28) or (N, 28, 28, 1), floats in [-1, 1], N >= 1.

        Returns:
            Features (N, F), at least 0 and of root mean square 1 over the data that the network
            was trained on, and logits (N, K), both float32.

        Raises:
            JaxgenError: no images, another shape, values that are not finite or out of range.
        """
        images_NHWC = _checked(images)
        params = placing.on_each_device(self.params)
        outputs = []
        for start in range(0, len(images_NHWC), BATCH):
            batch = images_NHWC[start : start + BATCH]
            # The last batch is padded: one shape means one compilation.
            padded = np.pad(batch, ((0, BATCH - len(batch)), (0, 0), (0, 0), (0, 0)))
            with placing.around(params), precision.highest():
                outputs.append([x[: len(batch)] for x in _apply(params, padded)])
        features_NF, logits_NK = (np.concatenate(x) for x in zip(*outputs, strict=True))
        return features_NF, logits_NK

    def seen(self, images_NHWC: jax.Array) -> jax.Array:
        """The features (N, F) alone, for programs that are compiled and differentiated.

        Nothing is checked; the shape is (N, 28, 28, 1).
        """
        params = jax.tree.map(np.asarray, self.params)
        features_NF: jax.Array = Network().apply(params, images_NHWC, train=False)[0]  # type: ignore[index]
        return features_NF


@functools.cache
def load(name: str) -> Classifier:
    """Reads a classifier that comes with the package.

    Args:
        name: "digits" or "fashion".

    Raises:
        JaxgenError: an unknown name, or a file that is absent or not the one that was shipped.
    """
    if name not in SHA256:
        raise JaxgenError(f"there is no classifier {name!r}; choose {' or '.join(SHA256)}")
    return Classifier(name, _read(WEIGHTS / f"{name}.npz", SHA256[name]))


def for_data(images: Any, labels: Any) -> Classifier:
    """Picks the shipped classifier that knows a data set, by its agreement with the labels.

    Args:
        images: real images, as for `Classifier.features_and_logits`; up to 500 spread over the
            set are looked at.
        labels: (N,) their classes.

    Raises:
        JaxgenError: no classifier agrees with 80 % of the labels.
    """
    labels = np.asarray(labels)
    spread = np.linspace(0, len(labels) - 1, min(len(labels), BATCH)).astype(int)
    sample = np.asarray(images)[spread]
    agreement = {}
    for name in SHA256:
        guesses = load(name).features_and_logits(sample)[1].argmax(1)
        agreement[name] = float((guesses == labels[spread]).mean())
    best = max(agreement, key=lambda name: agreement[name])
    if agreement[best] < 0.8:
        found = ", ".join(f"{name} with {share:.0%}" for name, share in agreement.items())
        raise JaxgenError(
            f"no classifier knows these images: of their labels, {found} agree; train one with "
            "`python -m jaxgen.metrics.samples.classifier_training`"
        )
    return load(best)


@jax.jit
def _apply(params: Any, images_NHWC: jax.Array) -> tuple[jax.Array, jax.Array]:
    seen: Any = Network().apply(params, batch_axis.spread(images_NHWC), train=False)
    features_NF, logits_NK = (batch_axis.whole(x, len(images_NHWC)) for x in seen)
    return features_NF, logits_NK


def _checked(images: Any) -> np.ndarray:
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.shape[1:] != (28, 28, 1) or len(images) == 0:
        raise JaxgenError(f"images have shape {images.shape}: expected (N, 28, 28, 1), N >= 1")
    if not np.isfinite(images).all():
        row = int(np.flatnonzero(~np.isfinite(images).all((1, 2, 3)))[0])
        raise JaxgenError(f"image {row} has values that are not finite: the model diverged")
    if images.min() < -1.001 or images.max() > 1.001:
        raise JaxgenError(
            f"images range from {images.min():g} to {images.max():g}: scale them to [-1, 1]"
        )
    return images.astype(np.float32)


def _read(path: Path, sha256: str) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise JaxgenError(f"cannot read {path} ({error.strerror}): reinstall jaxgen") from error
    if sha256_of(content) != sha256:
        raise JaxgenError(
            f"{path} is not the file that came with jaxgen (sha256 {sha256_of(content)}, expected "
            f"{sha256}): reinstall jaxgen"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        flat = {name: file[name].astype(np.float32) for name in file.files}
    return traverse_util.unflatten_dict(flat, sep="/")


def sha256_of(content: bytes) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    return hashlib.sha256(content).hexdigest()
