"""Training of the classifiers that samples are measured by.

These commands make the shipped files again, in minutes on two CPU cores, and print the accuracy on
every tenth image, which the training never sees, and the hash to write into `classifier.SHA256`
(another machine rounds otherwise and gets another hash):

    python -m jaxgen.metrics.classifier_training --data.name mnist5k --out digits.npz
    python -m jaxgen.metrics.classifier_training --data.name idx \\
        --data.dir /usr/share/datasets/fashion-mnist \\
        --steps 2400 --shift 1 --distortion 0 --flip --out fashion.npz

Legend: N images, H height, W width, C channels, F features, K classes.
"""

import dataclasses
import functools
import io
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import traverse_util

from jaxgen.data.images import base as image_data
from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples.classifier import Classifier, Network, sha256_of


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
        JaxgenError: as `jaxgen.data.images.base.load`.
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
    print(f"wrote {out}, {len(file.getvalue())} bytes, sha256 {sha256_of(file.getvalue())}")


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


if __name__ == "__main__":
    import tyro

    from jaxgen.commands import cli

    prog = "python -m jaxgen.metrics.classifier_training"
    cli.run_guarded(lambda: main(tyro.cli(TrainConfig, prog=prog)))
