"""Training of the classifiers that samples are measured by.

These commands rebuild the shipped files, in minutes on two CPU cores, and print the accuracy on
every tenth image, which the training never sees, and the hash to write into `classifier.SHA256`
(another machine rounds otherwise and gets another hash):

    python -m jaxgen.metrics.samples.classifier_training --out digits.npz
    python -m jaxgen.metrics.samples.classifier_training --data idx \\
        --data.dir /usr/share/datasets/fashion-mnist \\
        --steps 2400 --shift 1 --distortion 0 --flip --out fashion.npz

Legend: N images, H height, W width, C channels, F features, K classes.
"""

import dataclasses
import functools
import io
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import traverse_util

from jaxgen import settings
from jaxgen.data.images.base import Images, load_images, to_model_range
from jaxgen.data.images.mnist5k import Mnist5k
from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples.classifier import CLASSES, Classifier, Network, sha256_of
from jaxgen.settings import flag, setting

_TRAIN = 60_000  # images: all of MNIST, and of Fashion-MNIST


@dataclasses.dataclass(frozen=True)
class ClassifierTraining:
    """Trains a classifier and writes its weights."""

    data: Images = Mnist5k(train=_TRAIN)
    """Labelled images; every tenth is held out to measure the accuracy."""

    out: str = "classifier.npz"
    """File to write."""

    steps: int = setting(2_000, least=1)
    """Steps of the optimizer."""

    batch: int = setting(128, least=1)
    """Images in a step."""

    learning_rate: float = setting(2e-3, above=0)
    """Of AdamW at the start; falls to 0 along a cosine."""

    shift: float = setting(2.0, least=0)
    """Images are moved by up to this many pixels,"""

    distortion: float = setting(0.15, least=0)
    """and their axes scaled, turned and sheared by up to this share."""

    flip: bool = False
    """Mirror half of the images (clothes, never digits)."""

    seed: int = setting(0, least=0)
    """Of the parameters, batches and distortions."""


def train(config: ClassifierTraining) -> tuple[Any, float]:
    """Trains the network from scratch.

    Returns:
        The parameters, rounded to the float16 that files hold and scaled to features of root mean
        square 1, and the accuracy on every tenth image, which was held out.

    Raises:
        JaxgenError: as `jaxgen.data.images.base.load_images`, the network does not take the images
            or their classes, or a number is out of range.
    """
    settings.check(config)
    data = load_images(config.data)
    _refuse_other_images(data["image"], data["label"])
    images_NHWC, labels_N = to_model_range(data["image"]), data["label"]
    is_held_out_N = np.arange(len(labels_N)) % 10 == 9
    known_NHWC = jnp.asarray(images_NHWC[~is_held_out_N])
    known_labels_N = jnp.asarray(labels_N[~is_held_out_N])

    network = Network()
    init_key, run_key = jax.random.split(jax.random.key(config.seed))
    init = jax.jit(functools.partial(network.init, train=False))
    params = init(init_key, known_NHWC[:1])
    schedule = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    optimizer = optax.adamw(schedule, weight_decay=1e-2)

    # One step a dispatch: inside `lax.scan`, XLA's CPU backend runs the gradients of convolutions
    # many times slower (https://github.com/jax-ml/jax/issues/12868).
    @jax.jit
    def step(
        params: Any,
        optimizer_state: Any,
        key: jax.Array,
        known_NHWC: jax.Array,
        known_labels_N: jax.Array,
    ) -> tuple[Any, Any, jax.Array]:
        rows_key, warp_key, dropout_key = jax.random.split(key, 3)
        rows_N = jax.random.randint(rows_key, (config.batch,), 0, len(known_NHWC), jnp.int32)
        warp = functools.partial(_warp, config=config)
        x_NHWC = jax.vmap(warp)(jax.random.split(warp_key, config.batch), known_NHWC[rows_N])

        def loss(params: Any) -> jax.Array:
            rngs = {"dropout": dropout_key}
            seen: Any = network.apply(params, x_NHWC, train=True, rngs=rngs)
            losses_N = optax.softmax_cross_entropy_with_integer_labels(
                seen[1], known_labels_N[rows_N]
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
    trained = Classifier(settings.class_name(type(config.data)), params)
    _, logits_NK = trained.features_and_logits(images_NHWC[is_held_out_N])
    return params, float((logits_NK.argmax(1) == labels_N[is_held_out_N]).mean())


def main(config: ClassifierTraining) -> None:
    """Trains, writes the weights to `config.out`, prints accuracy and hash.

    Raises:
        JaxgenError: no folder for the file, or as `train`.
    """
    out = Path(config.out)
    if not out.parent.is_dir():
        raise JaxgenError(f"{flag('out')} {out}: there is no folder {out.parent}; create it first")
    start = time.perf_counter()
    params, accuracy = train(config)
    flat: dict[str, Any] = traverse_util.flatten_dict(params, sep="/")
    file = io.BytesIO()
    np.savez_compressed(file, **{name: x.astype(np.float16) for name, x in flat.items()})
    out.write_bytes(file.getvalue())
    print(f"accuracy on held-out images {accuracy:.4f}, {time.perf_counter() - start:.0f} s")
    print(f"wrote {out}, {len(file.getvalue())} bytes, sha256 {sha256_of(file.getvalue())}")


def _refuse_other_images(image_NHWC: np.ndarray, label_N: np.ndarray) -> None:
    if image_NHWC.shape[1:] != (28, 28, 1) or len(label_N) < 10 or label_N.max() >= CLASSES:
        raise JaxgenError(
            f"{flag('data')} has {len(label_N)} images of height, width and channels "
            f"{image_NHWC.shape[1:]} and classes up to {label_N.max()}; the classifier takes 10 or "
            f"more of (28, 28, 1) and classes up to {CLASSES - 1}"
        )


def _with_unit_features(
    config: ClassifierTraining, params: Any, images_NHWC: np.ndarray
) -> dict[str, Any]:
    """The same network with features of root mean square 1, in numbers that float16 holds.

    Distances between features are in that unit, whatever the training made of them. ReLU lets a
    factor pass from one layer to the next, so that the logits stay what they are.
    """
    features_NF, _ = Classifier(settings.class_name(type(config.data)), params).features_and_logits(
        images_NHWC
    )
    size = np.sqrt(np.mean(features_NF**2))
    layers = params["params"]
    hidden = jax.tree.map(lambda x: x / size, layers["Dense_0"])
    last = layers["Dense_1"] | {"kernel": layers["Dense_1"]["kernel"] * size}
    params = {"params": layers | {"Dense_0": hidden, "Dense_1": last}}
    return jax.tree.map(lambda x: np.asarray(x, np.float16).astype(np.float32), params)


def _warp(key: jax.Array, image_HWC: jax.Array, config: ClassifierTraining) -> jax.Array:
    """One image under a random small affine map (and mirrored); -1, black, fills the rim."""
    draws = jax.random.uniform(key, (7,), jnp.float32, -1)
    size = image_HWC.shape[0]
    middle = (size - 1) / 2
    matrix = jnp.eye(2, dtype=jnp.float32) + config.distortion * draws[:4].reshape(2, 2)
    shift = config.shift * draws[4:6]
    if config.flip:
        matrix = matrix.at[1].multiply(jnp.where(draws[6] < 0, -1.0, 1.0))
    axis = jnp.arange(size, dtype=jnp.float32) - middle
    grid_2HW = jnp.stack(jnp.meshgrid(axis, axis, indexing="ij"))
    rows_HW, columns_HW = jnp.tensordot(matrix, grid_2HW, 1) + (shift + middle)[:, None, None]
    warped_HW = jax.scipy.ndimage.map_coordinates(
        image_HWC[..., 0], [rows_HW, columns_HW], order=1, cval=-1.0
    )
    return warped_HW[..., None]


def _parsed(argv: Sequence[str]) -> ClassifierTraining:
    """The configuration that the flags ask for; `--data NAME` picks the set for `--data.FIELD`."""
    import tyro

    sets = settings.subclasses(Images)
    default, flags = ClassifierTraining(), list(argv)
    for index, word in enumerate(flags):
        if word == "--data" or word.startswith("--data="):
            name = word.partition("=")[2] or "".join(flags[index + 1 : index + 2])
            if name not in sets:
                raise JaxgenError(
                    f"--data {name}: there is no such data set; there are {', '.join(sets)}"
                )
            default = ClassifierTraining(data=sets[name](train=_TRAIN))
            flags = flags[:index] + flags[index + (1 if "=" in word else 2) :]
            break
    return tyro.cli(
        ClassifierTraining,
        default=default,
        args=flags,
        prog="python -m jaxgen.metrics.samples.classifier_training",
        description=f"Trains a classifier and writes its weights.\n\n--data NAME picks the images "
        f"({', '.join(sets)}); --help after it lists their flags.",
    )


def command(argv: Sequence[str]) -> int:
    """Trains as the flags say; bad input is reported in one line. Returns the exit status."""
    with settings.flags_spelled():
        try:
            main(_parsed(argv))
        except JaxgenError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
        except OSError as error:  # of the folder of pictures, or of `out`
            print(f"error: {error}", file=sys.stderr)
            return JaxgenError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
