"""Trains the feature network of scenes: on single digits first, which is cheap, then on scenes.

    python -m jaxgen.data.scenes.feature_training

writes the weights that jaxgen comes with. Legend as in features.py; S slots for digits, A
attributes of one.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.data.scenes import digits as scene_digits
from jaxgen.data.scenes.features import WEIGHTS, Heads, SceneNet, save_weights
from jaxgen.data.scenes.rendering import CLASSES, EMPTY, GRID, Glyphs, draw, sample_facts
from jaxgen.display import progress

CROP = 32  # pixels a side of a picture of a single digit
STRIDE = 16  # pixels between tokens
REACH = 12  # pixels from a token's centre within which it describes a digit
RATE = 2e-3  # the highest learning rate, of each of the two stages
ANGLES = (-15.0, -7.0, 0.0, 7.0, 15.0)
DIGIT_STEPS, DIGIT_BATCH = 1600, 128
SCENE_STEPS, SCENE_BATCH = 1400, 64

Batch = tuple[np.ndarray, dict[str, np.ndarray]]
Variables = dict[str, Any]


def train(seed: int = 0) -> Variables:
    """Trains from scratch; prints accuracies on scenes of held-out digits.

    Args:
        seed: of initial values and pictures.

    Returns:
        Variables of `SceneNet`.
    """
    rng = np.random.default_rng(seed)
    train_digits, validation_digits = scene_digits.split()
    augmented = scene_digits.glyphs(train_digits, ANGLES)
    variables = _init(jax.random.key(seed))
    variables = _fit(variables, _single_digits(rng, augmented), DIGIT_STEPS, "single digits")
    variables = _fit(variables, _scenes(rng, augmented), SCENE_STEPS, "scenes")
    held_out = itertools.islice(_scenes(rng, scene_digits.glyphs(validation_digits)), 30)
    for name, accuracy in _accuracies(variables, held_out).items():
        print(f"{name}: {accuracy:.4f}")
    return variables["net"]


def _init(key: jax.Array) -> Variables:
    net_key, heads_key = jax.random.split(key)
    image = jnp.zeros((1, 64, 64, 3), jnp.uint8)
    net = SceneNet().init(net_key, image)
    features: Any = SceneNet().apply(net, image)
    return {"net": net, "heads": Heads().init(heads_key, *features)}


def _single_digits(rng: np.random.Generator, glyphs: Glyphs) -> Iterator[Batch]:
    while True:
        facts_NSA = sample_facts(rng, DIGIT_BATCH)
        facts_NSA[:, 1:] = EMPTY
        image_NHWC, centre_NS2 = draw(rng, facts_NSA, glyphs)
        # Only windows that show the whole digit; it is off their middle by up to 6 pixels.
        corner_N2 = centre_NS2[:, 0] - CROP // 2 + rng.integers(-6, 7, (DIGIT_BATCH, 2))
        corner_N2 = np.clip(corner_N2, 0, image_NHWC.shape[1] - CROP)
        window = np.arange(CROP)
        rows = (corner_N2[:, :1] + window)[:, :, None]
        columns = (corner_N2[:, 1:] + window)[:, None, :]
        image_NHWC = image_NHWC[np.arange(DIGIT_BATCH)[:, None, None], rows, columns]
        facts_NSA[:, :, 3:] = EMPTY  # a crop does not show where in the scene it was
        yield image_NHWC, _targets(facts_NSA, centre_NS2 - corner_N2[:, None], CROP)


def _scenes(rng: np.random.Generator, glyphs: Glyphs) -> Iterator[Batch]:
    while True:
        facts_NSA = sample_facts(rng, SCENE_BATCH)
        image_NHWC, centre_NS2 = draw(rng, facts_NSA, glyphs)
        targets = _targets(facts_NSA, centre_NS2, image_NHWC.shape[1])
        targets["cell"] = np.full((SCENE_BATCH, GRID, GRID, 3), EMPTY, np.int32)
        n, s = np.nonzero(facts_NSA[:, :, 0] != EMPTY)
        row, column = facts_NSA[n, s, 3], facts_NSA[n, s, 4]
        targets["cell"][n, row, column] = facts_NSA[n, s, :3]
        yield image_NHWC, targets


def _targets(facts_NSA: np.ndarray, centre_NS2: np.ndarray, side: int) -> dict[str, np.ndarray]:
    """Per token: whether it covers a digit's centre, and the attributes of the nearest digit."""
    middle_T = np.arange(side // STRIDE) * STRIDE + (STRIDE - 1) / 2
    is_empty = (facts_NSA[:, :, 0] == EMPTY)[:, None, None, :]
    off_rows = np.abs(middle_T[None, :, None, None] - centre_NS2[:, None, None, :, 0])
    off_columns = np.abs(middle_T[None, None, :, None] - centre_NS2[:, None, None, :, 1])
    distance_NTTS = np.where(is_empty, np.inf, np.maximum(off_rows, off_columns))
    nearest_NTT = distance_NTTS.argmin(-1)
    least_NTT = distance_NTTS.min(-1)
    facts_NTTA = facts_NSA[np.arange(len(facts_NSA))[:, None, None], nearest_NTT].astype(np.int32)
    facts_NTTA[least_NTT > REACH] = EMPTY
    return {"present": least_NTT < STRIDE / 2, "token": facts_NTTA}


def _loss(
    params: Variables, stats: Variables, image: jax.Array, targets: dict[str, jax.Array]
) -> tuple[jax.Array, Variables]:
    """The loss, and the running averages after this batch."""
    net = {"params": params["net"], "batch_stats": stats}
    applied: Any = SceneNet(train=True).apply(net, image, mutable=["batch_stats"])
    features, updated = applied
    logits: Any = Heads().apply({"params": params["heads"]}, *features)
    token_logits, cell_logits = logits
    loss = _attribute_loss(token_logits, targets["present"], targets["token"])
    if cell_logits is not None:
        present = targets["cell"][..., 0] != EMPTY
        loss += _attribute_loss(cell_logits, present, targets["cell"])
    return loss, updated["batch_stats"]


def _attribute_loss(logits: jax.Array, present: jax.Array, facts: jax.Array) -> jax.Array:
    """A sum of cross-entropies, each a mean over the places where its attribute is known."""
    loss = optax.sigmoid_binary_cross_entropy(logits[..., 0], present.astype(jnp.float32)).mean()
    for index, slice_logits in enumerate(_split(logits)):
        fact = facts[..., index]
        is_known = fact != EMPTY
        losses = optax.softmax_cross_entropy_with_integer_labels(slice_logits, jnp.maximum(fact, 0))
        loss += jnp.sum(losses * is_known) / jnp.maximum(1, is_known.sum())
    return loss


def _split(logits: jax.Array) -> list[jax.Array]:
    ends = np.cumsum((1, *CLASSES))
    return [
        logits[..., start:stop]
        for start, stop in itertools.pairwise(ends)
        if stop <= logits.shape[-1]
    ]


def _fit(variables: Variables, batches: Iterator[Batch], steps: int, stage: str) -> Variables:
    schedule = optax.warmup_cosine_decay_schedule(0.0, RATE, steps // 10, steps)
    optimiser = optax.adamw(schedule, weight_decay=1e-4)

    # A dispatch for each step: on CPU the gradients of convolutions are slow in a compiled loop.
    @functools.partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(
        params: Variables,
        stats: Variables,
        state: Any,
        image: jax.Array,
        targets: dict[str, jax.Array],
    ) -> tuple[Any, Any, Any, jax.Array]:
        value_and_grad = jax.value_and_grad(_loss, has_aux=True)
        (loss, stats), gradients = value_and_grad(params, stats, image, targets)
        updates, state = optimiser.update(gradients, state, params)
        return optax.apply_updates(params, updates), stats, state, loss

    params = {name: module["params"] for name, module in variables.items()}
    stats = variables["net"]["batch_stats"]
    state = optimiser.init(params)
    with progress.bar(total=steps, desc=stage, unit="step") as done:
        for number in range(steps):
            params, stats, state, loss = step(params, stats, state, *next(batches))
            done.update(words=f"loss {loss:.3f}" if number % 50 == 0 else "")
    net = {"params": params["net"], "batch_stats": stats}
    return {"net": net, "heads": {"params": params["heads"]}}


def _accuracies(variables: Variables, batches: Iterable[Batch]) -> dict[str, float]:
    """Shares of right answers where there is a digit: attributes by tokens and by the vector."""
    right: dict[str, list[np.ndarray]] = {}
    for image, targets in batches:
        features: Any = SceneNet().apply(variables["net"], image)
        told: Any = Heads().apply(variables["heads"], *features)
        token_logits, cell_logits = told
        token_facts = np.where(targets["present"][..., None], targets["token"], EMPTY)
        for source, logits, facts in (
            ("token", token_logits, token_facts),
            ("vector", cell_logits, targets["cell"]),
        ):
            for name, index, slice_logits in zip(
                CLASSES._fields, range(facts.shape[-1]), _split(logits), strict=False
            ):
                fact = facts[..., index]
                hits = (np.argmax(slice_logits, -1) == fact)[fact != EMPTY]
                right.setdefault(f"{source} {name}", []).append(hits)
    return {name: float(np.concatenate(hits).mean()) for name, hits in right.items()}


def main() -> None:
    """Trains the network, writes `features.WEIGHTS` and prints its hash."""
    print(f'SHA256 = "{save_weights(WEIGHTS, train())}"')


if __name__ == "__main__":
    main()
