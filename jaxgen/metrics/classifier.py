"""A small CNN that knows digits or Fashion-MNIST: features and classes to measure samples by.

`load` reads weights that come with the package, plain arrays bound to the SHA-256 written here.
These commands make them again, in minutes on two CPU cores, and print the accuracy on every tenth
image, which the training never sees, and the hash to write here (another machine rounds otherwise
and gets another hash):

    python -m jaxgen.metrics.classifier --data.name mnist5k --out digits.npz
    python -m jaxgen.metrics.classifier --data.name idx \\
        --data.dir /usr/share/datasets/fashion-mnist \\
        --steps 2400 --shift 1 --distortion 0 --flip --out fashion.npz

Legend: N images, H height, W width, C channels, F features, K classes.
"""

import dataclasses
import functools
import hashlib
import io
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax import traverse_util

from jaxgen.data import images as image_data
from jaxgen.errors import JaxgenError
from jaxgen.ops import max_pool

FEATURES = 64
CLASSES = 10
BATCH = 500  # images a call of the compiled network
SHA256 = {
    "digits": "32eb428089a836d0073168d062aada9a05a9eb521ec9d072bee4352a1300b030",
    "fashion": "d671fcc485c13751c49cac891901c4f9dc612d77d48cbe5147b7216b3a4bfbbd",
}
WEIGHTS = Path(__file__).parent / "weights"


class Network(nn.Module):
    """Three convolutions and a dense layer of features: (N, 28, 28, 1) in [-1, 1] to K logits."""

    dropout: float = 0.3

    @nn.compact
    def __call__(self, x_NHWC, *, is_training: bool):
        """Features (N, F) before the last layer, at least 0, and logits (N, K)."""
        x_NHWC = max_pool(nn.relu(nn.Conv(16, (5, 5))(x_NHWC)))
        x_NHWC = max_pool(nn.relu(nn.Conv(32, (3, 3))(x_NHWC)))
        x_NHWC = nn.relu(nn.Conv(64, (3, 3), strides=(2, 2))(x_NHWC))
        features_NF = nn.relu(nn.Dense(FEATURES)(x_NHWC.reshape(len(x_NHWC), -1)))
        dropped_NF = nn.Dropout(self.dropout, deterministic=not is_training)(features_NF)
        return features_NF, nn.Dense(CLASSES)(dropped_NF)


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A trained network and what it knows."""

    name: str
    params: Any

    def features_and_logits(self, images) -> tuple[np.ndarray, np.ndarray]:
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
        outputs = []
        for start in range(0, len(images_NHWC), BATCH):
            batch = images_NHWC[start : start + BATCH]
            # The last batch is padded: one shape means one compilation.
            padded = np.pad(batch, ((0, BATCH - len(batch)), (0, 0), (0, 0), (0, 0)))
            outputs.append([x[: len(batch)] for x in _apply(self.params, padded)])
        features_NF, logits_NK = (np.concatenate(x) for x in zip(*outputs, strict=True))
        return features_NF, logits_NK


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


def for_data(images, labels) -> Classifier:
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
    best = max(agreement, key=agreement.get)
    if agreement[best] < 0.8:
        found = ", ".join(f"{name} with {share:.0%}" for name, share in agreement.items())
        raise JaxgenError(
            f"no classifier knows these images: of their labels, {found} agree; train one with "
            "`python -m jaxgen.metrics.classifier`"
        )
    return load(best)


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Trains a classifier and writes its weights."""

    data: image_data.ImagesConfig = image_data.ImagesConfig(train=60_000, validation=0)
    """Labelled images; every tenth is held out to measure the accuracy."""

    out: str = "classifier.npz"
    """File to write."""

    steps: int = 2_000
    batch: int = 128
    learning_rate: float = 2e-3
    """Of AdamW at the start; falls to 0 along a cosine."""

    shift: float = 2.0
    """Images are moved by up to this many pixels,"""

    distortion: float = 0.15
    """and their axes scaled, turned and sheared by up to this share."""

    flip: bool = False
    """Mirror half of the images (clothes, never digits)."""

    seed: int = 0


def train(config: TrainConfig) -> tuple[Any, float]:
    """Trains the network from scratch.

    Returns:
        The parameters, rounded to the float16 that files hold and scaled to features of root mean
        square 1, and the accuracy on every tenth image, which was held out.

    Raises:
        JaxgenError: as `jaxgen.data.images.load`.
    """
    data = image_data.load(config.data)["train"]
    images_NHWC = image_data.to_model_range(data["image"])
    labels_N = np.asarray(data["label"])
    is_held_out_N = np.arange(len(labels_N)) % 10 == 9
    known_NHWC = jnp.asarray(images_NHWC[~is_held_out_N])
    known_labels_N = jnp.asarray(labels_N[~is_held_out_N])

    network = Network()
    init_key, run_key = jax.random.split(jax.random.key(config.seed))
    init = jax.jit(functools.partial(network.init, is_training=False))
    params = init(init_key, known_NHWC[:1])
    schedule = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    optimizer = optax.adamw(schedule, weight_decay=1e-2)

    # One step a dispatch: inside `lax.scan`, XLA's CPU backend runs the gradients of convolutions
    # many times slower (https://github.com/jax-ml/jax/issues/12868).
    @jax.jit
    def step(params, optimizer_state, key, known_NHWC, known_labels_N):
        rows_key, warp_key, dropout_key = jax.random.split(key, 3)
        rows_N = jax.random.randint(rows_key, (config.batch,), 0, len(known_NHWC))
        warp = functools.partial(_warp, config=config)
        x_NHWC = jax.vmap(warp)(jax.random.split(warp_key, config.batch), known_NHWC[rows_N])

        def loss(params):
            rngs = {"dropout": dropout_key}
            _, logits_NK = network.apply(params, x_NHWC, is_training=True, rngs=rngs)
            losses_N = optax.softmax_cross_entropy_with_integer_labels(
                logits_NK, known_labels_N[rows_N]
            )
            return losses_N.mean()

        value, gradient = jax.value_and_grad(loss)(params)
        update, optimizer_state = optimizer.update(gradient, optimizer_state, params)
        return optax.apply_updates(params, update), optimizer_state, value

    optimizer_state = optimizer.init(params)
    for i in range(config.steps):
        params, optimizer_state, value = step(
            params, optimizer_state, jax.random.fold_in(run_key, i), known_NHWC, known_labels_N
        )
        if (i + 1) % 100 == 0:
            print(f"step {i + 1} loss {float(value):.4f}", flush=True)
    params = _with_unit_features(config, params, images_NHWC[~is_held_out_N])
    trained = Classifier(config.data.name, params)
    _, logits_NK = trained.features_and_logits(images_NHWC[is_held_out_N])
    return params, float((logits_NK.argmax(1) == labels_N[is_held_out_N]).mean())


def main(config: TrainConfig) -> None:
    """Trains, writes the weights to `config.out`, prints accuracy and hash.

    Raises:
        JaxgenError: no folder for the file, or as `train`.
    """
    out = Path(config.out)
    if not out.parent.is_dir():
        raise JaxgenError(f"--out {out}: there is no folder {out.parent}; create it first")
    start = time.perf_counter()
    params, accuracy = train(config)
    flat = traverse_util.flatten_dict(params, sep="/")
    file = io.BytesIO()
    np.savez_compressed(file, **{name: x.astype(np.float16) for name, x in flat.items()})
    out.write_bytes(file.getvalue())
    print(f"accuracy on held-out images {accuracy:.4f}, {time.perf_counter() - start:.0f} s")
    print(f"wrote {out}, {len(file.getvalue())} bytes, sha256 {_hash(file.getvalue())}")


def _with_unit_features(config, params, images_NHWC):
    """The same network with features of root mean square 1, in numbers that float16 holds.

    Distances between features are in that unit, whatever the training made of them. ReLU lets a
    factor pass from one layer to the next, so that the logits stay what they are.
    """
    features_NF, _ = Classifier(config.data.name, params).features_and_logits(images_NHWC)
    size = np.sqrt(np.mean(features_NF**2))
    layers = params["params"]
    hidden = jax.tree.map(lambda x: x / size, layers["Dense_0"])
    last = layers["Dense_1"] | {"kernel": layers["Dense_1"]["kernel"] * size}
    params = {"params": layers | {"Dense_0": hidden, "Dense_1": last}}
    return jax.tree.map(lambda x: np.asarray(x, np.float16).astype(np.float32), params)


def _warp(key, image_HWC, config):
    """One image under a random small affine map (and mirrored); -1, black, comes in at the rim."""
    draws = jax.random.uniform(key, (7,), minval=-1)
    size = image_HWC.shape[0]
    middle = (size - 1) / 2
    matrix = jnp.eye(2) + config.distortion * draws[:4].reshape(2, 2)
    shift = config.shift * draws[4:6]
    if config.flip:
        matrix = matrix.at[1].multiply(jnp.where(draws[6] < 0, -1.0, 1.0))
    axis = jnp.arange(size) - middle
    grid_2HW = jnp.stack(jnp.meshgrid(axis, axis, indexing="ij"))
    rows_HW, columns_HW = jnp.tensordot(matrix, grid_2HW, 1) + (shift + middle)[:, None, None]
    warped_HW = jax.scipy.ndimage.map_coordinates(
        image_HWC[..., 0], [rows_HW, columns_HW], order=1, cval=-1.0
    )
    return warped_HW[..., None]


@jax.jit
def _apply(params, images_NHWC):
    return Network().apply(params, images_NHWC, is_training=False)


def _checked(images):
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


def _read(path, sha256):
    try:
        content = path.read_bytes()
    except OSError as error:
        raise JaxgenError(f"cannot read {path} ({error.strerror}): reinstall jaxgen") from error
    if _hash(content) != sha256:
        raise JaxgenError(
            f"{path} is not the file that came with jaxgen (sha256 {_hash(content)}, expected "
            f"{sha256}): reinstall jaxgen"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        flat = {name: file[name].astype(np.float32) for name in file.files}
    return traverse_util.unflatten_dict(flat, sep="/")


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    import tyro

    from jaxgen import cli

    prog = "python -m jaxgen.metrics.classifier"
    cli.run_guarded(lambda: main(tyro.cli(TrainConfig, prog=prog)))
