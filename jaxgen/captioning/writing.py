"""Captions from a trained captioner, and how well it predicts given ones.

N captions, T time, L words of a generated caption, M memory tokens.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from jaxgen.captioning.decoding import Decoding, SpecialWords
from jaxgen.captioning.losses import caption_token_losses
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.nn import batch_axis, placing
from jaxgen.settings import flag
from jaxgen.settings.memory import refuse_too_much

Array = jax.Array
PyTree = Any

_ROWS = 128  # captions of one compiled program
_MOST_BEAMS = 1024  # of all captions of one compiled program


@dataclass(frozen=True)
class Writer:
    """A captioner, its vocabulary, and how long a caption may get."""

    module: nn.Module
    """As `jaxgen.captioning.captioners.base.Captioner.module` describes it."""
    vocabulary: Vocabulary = field(compare=False)
    max_length: int
    """Most words of a caption, END included."""
    special: SpecialWords
    """The vocabulary's."""

    @partial(jax.jit, static_argnums=0)
    def _losses_of_rows(self, params: PyTree, batch: dict[str, Array]) -> Array:
        rows = {name: batch_axis.spread(array) for name, array in batch.items()}
        loss_NT = caption_token_losses(self.module, params, rows, self.special.null)[0]
        return batch_axis.whole(loss_NT, len(batch["captions"]))

    def losses(self, params: PyTree, features: np.ndarray, captions_NT: np.ndarray) -> np.ndarray:
        """The loss of each token after the first, (N, T - 1); 0 where it is NULL."""
        return _in_parts(
            params,
            lambda features, captions: self._losses_of_rows(
                params, {"features": features, "captions": captions}
            ),
            features,
            captions_NT,
        )

    def log_probability(
        self, params: PyTree, features: np.ndarray, words_NL: np.ndarray
    ) -> np.ndarray:
        """The log-probability of captions without START, as `words` returns them, (N,)."""
        start_N1 = np.full((len(words_NL), 1), self.special.start, np.int32)
        return -self.losses(params, features, np.concatenate([start_N1, words_NL], axis=1)).sum(1)

    @partial(jax.jit, static_argnums=(0, 3))
    def _words_of_rows(
        self, params: PyTree, features: Array, decoding: Decoding, key: Array
    ) -> Array:
        def apply(*args: Any, method: str) -> Any:
            return self.module.apply({"params": params}, *args, method=method)

        words_NL = decoding.words(
            partial(apply, method="step"),
            apply(batch_axis.spread(features), method="start"),
            self.special,
            self.max_length,
            key,
        )
        return batch_axis.whole(words_NL, len(features))

    def param_shapes(self, feature_shape: tuple[int, ...]) -> PyTree:
        """Shapes and dtypes of the captioner's parameters, for images of such features."""
        features = jax.ShapeDtypeStruct((1, *feature_shape), np.float32)
        words_NT = jax.ShapeDtypeStruct((1, 2), np.int32)
        return jax.eval_shape(self.module.init, jax.random.key(0), features, words_NT)["params"]

    def sentences(
        self, params: PyTree, features: np.ndarray, decoding: Decoding, seed: int = 0
    ) -> list[str]:
        """A sentence for each image's features, float (N, *feature_shape)."""
        words_NL = self.words(params, features, decoding, seed)
        return [self.vocabulary.decode(words_L) for words_L in words_NL]

    def words(
        self, params: PyTree, features: np.ndarray, decoding: Decoding, seed: int = 0
    ) -> np.ndarray:
        """The same as indices of words, int32 (N, L), from the one after START on."""
        # Each beam is a row of its own; a search of few beams has the rows of any other decoding.
        rows = max(1, min(_ROWS, _MOST_BEAMS // decoding.beam))
        self._refuse_too_long(params, features[:1], rows * decoding.beam)
        keys = iter(jax.random.split(jax.random.key(seed), -(-len(features) // rows)))
        return _in_parts(
            params,
            lambda features: self._words_of_rows(params, features, decoding, next(keys)),
            features,
            rows=rows,
        )

    @partial(jax.jit, static_argnums=0)
    def _started(self, params: PyTree, features: Array) -> PyTree:
        return self.module.apply({"params": params}, features, method="start")

    def _refuse_too_long(self, params: PyTree, features: np.ndarray, rows: int) -> None:
        """Refuse what a captioner keeps of each caption, and its words, if memory is too small."""
        carry = Writer._started.eval_shape(self, params, features)  # followed once
        kept = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(carry))
        refuse_too_much(
            rows * (kept + 4 * self.max_length + 4 * len(self.vocabulary)),
            f"{rows} captions of at most {self.max_length} words",
            f"give a smaller {flag('max_length')} or {flag('decoding.beam')}",
        )

    def attention(
        self, params: PyTree, features: np.ndarray, words_NL: np.ndarray
    ) -> np.ndarray | None:
        """How much each word of captions attended to each memory token when it was chosen.

        Args:
            params: of the captioner.
            features: float (N, *feature_shape).
            words_NL: captions without START, as `words` returns them.

        Returns:
            (N, L, M), rows summing to 1: the mean over layers and heads. None for a captioner
            that attends to nothing.
        """
        start_N1 = np.full((len(words_NL), 1), self.special.start, np.int32)
        read_NL = np.concatenate([start_N1, words_NL[:, :-1]], axis=1)
        parts = []
        for start in range(0, len(words_NL), _ROWS):
            rows = slice(start, start + _ROWS)
            with placing.around(params):
                recorded = self._recorded(params, features[rows], read_NL[rows])
            by_layer = [np.mean(weights_NHLM, axis=1) for weights_NHLM in recorded]
            if not by_layer:
                return None
            parts.append(np.mean(by_layer, axis=0))
        return np.concatenate(parts)

    @partial(jax.jit, static_argnums=0)
    def _recorded(self, params: PyTree, features: Array, read_NL: Array) -> list[Array]:
        """The weights (N, H, L, M) of each layer."""
        rows = batch_axis.spread(features), batch_axis.spread(read_NL)
        _, recorded = self.module.apply({"params": params}, *rows, mutable="intermediates")
        return [batch_axis.whole(part, len(read_NL)) for part in jax.tree.leaves(recorded)]


def writer(module: nn.Module, vocabulary: Vocabulary, max_length: int) -> Writer:
    """A `Writer` with the special words of the vocabulary."""
    special = SpecialWords(vocabulary.null, vocabulary.start, vocabulary.end)
    return Writer(module, vocabulary, max_length, special)


def _in_parts(
    params: PyTree, function: Callable[..., Any], *arrays: np.ndarray, rows: int = _ROWS
) -> np.ndarray:
    """`function` over rows, always so many at a time, so that it is compiled once.

    They are split among the devices that hold `params`.
    """
    parts = []
    for start in range(0, len(arrays[0]), rows):
        some = [array[start : start + rows] for array in arrays]
        missing = rows - len(some[0])
        # Copies of the last row, since zeros are a valid caption in no vocabulary.
        padded = [np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) for part in some]
        with placing.around(params):
            parts.append(np.asarray(function(*padded))[: len(some[0])])
    return np.concatenate(parts)
