"""What a reward of captions is: a configuration that makes the arrays and the function of a score.

To add one, write a subclass of `Reward`, here or in a file of your own; the flag
`--objective.reward` finds it:

    @dataclass(frozen=True)
    class Short(Reward):
        def scorer(self, data: CaptionData, count_end: bool) -> Scorer:
            def score(shared, of_images, words_NKL):
                return -jnp.sum(words_NKL != data.vocabulary.null, axis=2).astype(jnp.float32)

            return Scorer({}, {}, score)

N images of a batch, K captions of an image, L words of a caption, M training images.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax

from jaxgen.data.captions.base import CaptionData

Array = jax.Array
PyTree = Any


class Scorer(NamedTuple):
    """A reward for the captions of a set: what it needs to know, and the function of it."""

    of_images: PyTree
    """Arrays with a row for each training image, (M, ...); a step gets those of its images."""
    shared: PyTree
    """Arrays that every step gets whole."""
    score: Callable[[PyTree, PyTree, Array], Array]
    """(shared, rows of `of_images` (N, ...), words_NKL) -> rewards float32 (N, K), higher is
    better. Words are int32, those after START; END where the caption has one, then NULL. Pure: it
    runs inside the compiled step."""


@dataclass(frozen=True)
class Reward(ABC):
    """The numbers of a reward, as flags; subclasses make the scorer."""

    @abstractmethod
    def scorer(self, data: CaptionData, count_end: bool) -> Scorer:
        """The scorer for a set of captions.

        Args:
            data: the set, as it is trained on.
            count_end: whether END is a word like any other, so that a caption that breaks off earns
                less.

        Raises:
            JaxgenError: the set has not what the reward needs.
        """
