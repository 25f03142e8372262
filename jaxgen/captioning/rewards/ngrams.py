"""Every n-gram of a set of captions as a number that a device can look up.

A tree: the n-grams that go on from an n-gram of n - 1 words lie together, sorted by their last
word, so that each is found exactly, without hashing, by a search among those.

C captions, T tokens, U n-grams of a length.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array


class Level(NamedTuple):
    """The n-grams of one length, in the order of their numbers."""

    first: np.ndarray | Array
    """int32 (U of the length before + 1,): where those that go on from each begin."""
    last_word: np.ndarray | Array
    """int32 (U,)."""


@dataclass(frozen=True)
class Found:
    """The n-grams of one length in a set of captions."""

    level: Level
    number_CT: np.ndarray
    """int64 (C, T - n + 1), -1 where padding is in it."""
    most: int
    """That go on from one n-gram of the length before."""


def ngrams(captions_CT: np.ndarray, null: int, words: int, longest: int) -> list[Found]:
    """The n-grams of captions, of 1 to `longest` words.

    Args:
        captions_CT: words, then NULLs.
        null: the word that pads captions.
        words: of the vocabulary.
        longest: words of an n-gram.

    Returns:
        One `Found` for each length; T must be at least `longest`.
    """
    before_CT = np.zeros_like(captions_CT, np.int64)  # the one n-gram of no words
    count, found = 1, []
    for n in range(1, longest + 1):
        word_CT = captions_CT[:, n - 1 :].astype(np.int64)
        before_CT = before_CT[:, : word_CT.shape[1]]
        is_there_CT = (before_CT >= 0) & (word_CT != null)
        keys, inverse = np.unique((before_CT * words + word_CT)[is_there_CT], return_inverse=True)
        number_CT = np.full(word_CT.shape, -1, np.int64)
        number_CT[is_there_CT] = inverse.reshape(-1)
        parent_U, last_U = np.divmod(keys, words)
        first = np.searchsorted(parent_U, np.arange(count + 1))
        level = Level(first.astype(np.int32), last_U.astype(np.int32))
        found.append(Found(level, number_CT, int(np.diff(first).max(initial=0))))
        before_CT, count = number_CT, len(keys)
    return found


def numbers(levels: list[Level], most: tuple[int, ...], words_XL: Array) -> list[Array]:
    """The numbers of the n-grams of captions, for each length.

    Args:
        levels: as `ngrams` finds them.
        most: `Found.most` of each.
        words_XL: int32 (..., L), at least as long as an n-gram.

    Returns:
        int32 (..., L - n + 1) for each length n; -1 for an n-gram that the set does not have.
    """
    before = jnp.zeros_like(words_XL)
    found = []
    for n, (level, many) in enumerate(zip(levels, most, strict=True), start=1):
        word = words_XL[..., n - 1 :]
        before = before[..., : word.shape[-1]]
        if not len(level.last_word):  # no caption is so long
            before = jnp.full_like(before, -1)
            found.append(before)
            continue
        parent = jnp.maximum(before, 0)
        first, last_word = jnp.asarray(level.first), jnp.asarray(level.last_word)
        low, end = first[parent], first[parent + 1]
        high = end
        for _ in range(many.bit_length()):  # the first place whose word is not before this one
            middle = (low + high) // 2
            is_before = (low < high) & (last_word[jnp.minimum(middle, len(last_word) - 1)] < word)
            low, high = jnp.where(is_before, middle + 1, low), jnp.where(is_before, high, middle)
        place = jnp.minimum(low, len(last_word) - 1)
        is_there = (before >= 0) & (low < end) & (last_word[place] == word)
        before = jnp.where(is_there, place, -1)
        found.append(before)
    return found
