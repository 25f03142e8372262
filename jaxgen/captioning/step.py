"""Training of image captioners, for any captioner, features and loss.

N batch, T time, V vocabulary, F feature, L words of a generated caption, H heads, M memory tokens.
A captioner reads a caption without its last token and is to give the same caption without its
first; NULL targets cost nothing.
"""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.captioning import losses
from jaxgen.captioning.captioners.base import Captioner
from jaxgen.captioning.decoding import Decoding, SpecialWords
from jaxgen.captioning.losses import Reduction
from jaxgen.data.captions.course_files import CaptionsConfig, Split
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.errors import JaxgenError
from jaxgen.training.optimizers import Optimizer
from jaxgen.training.task import Source, Task, TrainConfig

Array = jax.Array
PyTree = Any

_ROWS = 128  # captions of one compiled program, outside of training


@flax.struct.dataclass
class CaptionState:
    """The state of a captioner, as one pytree."""

    params: PyTree
    optimizer: PyTree


@dataclass(frozen=True, kw_only=True)
class CaptionConfig(TrainConfig):
    """A captioning experiment: captioner, loss, data and the numbers of its training."""

    captioner: Captioner
    """What turns features into words."""
    loss: Reduction = losses.sum_over_time
    """How the tokens' cross-entropies become one number."""
    optimizer: Optimizer = Optimizer()
    """How that number is made small."""
    data: CaptionsConfig = CaptionsConfig()
    """Captions and features of images."""
    max_length: int = 30
    """Most words of a generated caption, END included."""
    evaluate_images: int = 2000
    """Validation images to caption and to take the validation loss on, where `evaluate_every` or
    jaxgen.evaluate asks for it."""

    def validate(self):
        super().validate()
        self.optimizer.validate()
        for name in ("max_length", "evaluate_images"):
            if getattr(self, name) < 1:
                flag = name.replace("_", "-")
                raise JaxgenError(f"--{flag} must be at least 1, got {getattr(self, name)}")

    def task(self) -> Task:
        from jaxgen.captioning import quality as captioning_quality
        from jaxgen.data.captions import course_files as coco

        data = coco.load(self.data)
        tokens = data.train.captions["captions"].shape[1]
        if self.max_length < tokens - 1:
            raise JaxgenError(
                f"--max-length must be at least {tokens - 1}, which the data's captions have"
            )
        about = {
            "vocabulary": list(data.vocabulary.words),
            "feature_shape": list(data.train.features.shape[1:]),
            "examples": len(data.train.captions["captions"]),
        }
        captioning = self._captioning(about)
        judge = captioning_quality.Judge(captioning, data)
        return Task(
            source=source(data.train),
            init=captioning.init,
            step=captioning.step,
            show=judge.show,
            evaluate=judge.evaluate,
            about=about,
        )

    def restored(self, state: dict[str, Any], about: dict[str, Any]) -> Any:
        """A `TrainedCaptioner` from a checkpoint's nested dicts."""
        from jaxgen.captioning.trained import TrainedCaptioner

        return TrainedCaptioner(self._captioning(about), state["params"])

    def _captioning(self, about: dict[str, Any]) -> "Captioning":
        return Captioning(
            self,
            Vocabulary(about["vocabulary"], self.data.units),
            tuple(about["feature_shape"]),
            about["examples"] // self.batch_size,
        )


def source(split: Split) -> Source:
    """Batches of `captions` and the `features` of their images.

    Features that are in memory go to the device, where each step gathers its own; others are read
    from their file for each dispatch.
    """
    captions_NT, image_N = split.captions["captions"], split.captions["image_index"]
    if split.features.array is not None:

        def gather(arrays, index_B):
            features = arrays["features"][arrays["image_index"][index_B]]
            return {"captions": arrays["captions"][index_B], "features": features}

        arrays = {**split.captions, "features": split.features.array}
        return Source(size=len(captions_NT), arrays=arrays, batch=gather)

    def read(index_KB):
        features = split.features.gather(image_N[index_KB])
        return {"captions": captions_NT[index_KB], "features": features}

    return Source(size=len(captions_NT), arrays={}, chunk=read, batch=lambda arrays, batch: batch)


@dataclass(frozen=True)
class Captioning:
    """The pure functions of one configuration, on features of one shape and one vocabulary."""

    config: CaptionConfig
    vocabulary: Vocabulary
    feature_shape: tuple[int, ...]
    steps_per_epoch: int

    @cached_property
    def module(self) -> Any:
        """The captioner's Flax module."""
        return self.config.captioner.module(
            len(self.vocabulary), self.feature_shape, self.config.max_length, self.vocabulary.null
        )

    @cached_property
    def _optimizer(self) -> optax.GradientTransformation:
        return self.config.optimizer.build(self.config.steps, self.steps_per_epoch)

    def init(self, key: Array, batch: dict[str, Array]) -> CaptionState:
        """The state before the first step."""
        features = jnp.zeros((1, *self.feature_shape), batch["features"].dtype)
        params = self.module.init(key, features, jnp.zeros((1, 2), jnp.int32))["params"]
        return CaptionState(params, self._optimizer.init(params))

    def step(
        self, state: CaptionState, batch: dict[str, Array], key: Array
    ) -> tuple[CaptionState, dict[str, Array]]:
        """One update; `key` draws the dropout."""

        def objective(params):
            loss_NT, targets_NT = self._token_losses(
                params, batch, deterministic=False, rngs={"dropout": key}
            )
            return self.config.loss(loss_NT, targets_NT, self.vocabulary.null)

        loss, gradient = jax.value_and_grad(objective)(state.params)
        updates, optimizer = self._optimizer.update(gradient, state.optimizer, state.params)
        return CaptionState(optax.apply_updates(state.params, updates), optimizer), {"loss": loss}

    def _token_losses(self, params, batch, **options):
        read_NT, targets_NT = batch["captions"][:, :-1], batch["captions"][:, 1:]
        logits_NTV = self.module.apply({"params": params}, batch["features"], read_NT, **options)
        loss_NT = losses.token_cross_entropy(logits_NTV, targets_NT, self.vocabulary.null)
        return loss_NT, targets_NT

    @partial(jax.jit, static_argnums=0)
    def _losses_of_rows(self, params, batch):
        return self._token_losses(params, batch, deterministic=True)[0]

    def losses(self, params: PyTree, features: np.ndarray, captions_NT: np.ndarray) -> np.ndarray:
        """The loss of each token after the first, (N, T - 1); 0 where it is NULL."""
        return _in_parts(
            lambda features, captions: self._losses_of_rows(
                params, {"features": features, "captions": captions}
            ),
            features,
            captions_NT,
        )

    @partial(jax.jit, static_argnums=(0, 3))
    def _words_of_rows(self, params, features, decoding, key):
        vocabulary = self.vocabulary
        special = SpecialWords(vocabulary.null, vocabulary.start, vocabulary.end)
        apply = partial(self.module.apply, {"params": params})
        return decoding.words(
            partial(apply, method="step"),
            apply(features, method="start"),
            special,
            self.config.max_length,
            key,
        )

    def sentences(
        self, params: PyTree, features: np.ndarray, decoding: Decoding, seed: int = 0
    ) -> list[str]:
        """A sentence for each image's features, float (N, *feature_shape)."""
        return self.vocabulary.decode(self.words(params, features, decoding, seed))

    def words(
        self, params: PyTree, features: np.ndarray, decoding: Decoding, seed: int = 0
    ) -> np.ndarray:
        """The same as indices of words, int32 (N, L), from the one after START on."""
        keys = iter(jax.random.split(jax.random.key(seed), -(-len(features) // _ROWS)))
        return _in_parts(
            lambda features: self._words_of_rows(params, features, decoding, next(keys)), features
        )

    def attention(
        self, params: PyTree, features: np.ndarray, words_NL: np.ndarray
    ) -> np.ndarray | None:
        """How much each word of captions attended to each memory token when it was chosen.

        Args:
            params: of the captioner.
            features: float (N, *feature_shape).
            words_NL: captions without START, as `words` gives.

        Returns:
            (N, L, M), rows summing to 1: the mean over layers and heads. None for a captioner
            that attends to nothing.
        """
        start_N1 = np.full((len(words_NL), 1), self.vocabulary.start, np.int32)
        read_NL = np.concatenate([start_N1, words_NL[:, :-1]], axis=1)
        apply = jax.jit(partial(self.module.apply, mutable="intermediates"))
        _, recorded = apply({"params": params}, features, read_NL)
        by_layer = [np.mean(weights_NHLM, axis=1) for weights_NHLM in jax.tree.leaves(recorded)]
        return np.mean(by_layer, axis=0) if by_layer else None


def _in_parts(function, *arrays: np.ndarray) -> np.ndarray:
    """`function` over rows, always `_ROWS` at a time, so that it is compiled once."""
    parts = []
    for start in range(0, len(arrays[0]), _ROWS):
        rows = [array[start : start + _ROWS] for array in arrays]
        missing = _ROWS - len(rows[0])
        # Copies of the last row, since captions of zeros would be sound in no vocabulary.
        padded = [np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) for part in rows]
        parts.append(np.asarray(function(*padded))[: len(rows[0])])
    return np.concatenate(parts)
