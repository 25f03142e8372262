"""What every way of decoding shares: the special words, and what it asks of a captioner's steps.

Shapes: R rows (N captions, or N·B in beam search), V vocabulary.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array
PyTree = Any
Step = Callable[[PyTree, Array], tuple[PyTree, Array]]
"""`step(carry, words_R) -> (carry, logits_RV)` of a captioner."""


class SpecialWords(NamedTuple):
    """Indices of the words that steer decoding, and of those that it must not emit.

    NULL and START are never emitted; `banned` adds others, such as UNK.
    """

    null: int = 0
    start: int = 1
    end: int = 2
    banned: tuple[int, ...] = ()


def rows(carry: PyTree, max_length: int) -> int:
    """Number of captions; refuses more words than a carry with a `capacity` has room for."""
    if max_length > getattr(carry, "capacity", max_length):
        raise ValueError(f"max_length {max_length} exceeds the captioner's {carry.capacity}")
    return jax.tree.leaves(carry)[0].shape[0]


def ban(logits_RV: Array, special: SpecialWords) -> Array:
    """Logits, or log-probabilities, with -inf for the words that must not be emitted."""
    banned_V = np.zeros(logits_RV.shape[1], bool)
    banned_V[[special.null, special.start, *special.banned]] = True
    return jnp.where(jnp.asarray(banned_V)[None], -jnp.inf, logits_RV)


def logits_dtype(step: Step, carry: PyTree, words_R: Array) -> np.dtype:
    """The dtype of the logits that `step` returns."""
    return jax.eval_shape(step, carry, words_R)[1].dtype
