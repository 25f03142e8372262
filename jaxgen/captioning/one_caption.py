"""One caption at a time, for whoever waits for it and tries other numbers next.

`Writer` captions 128 images at once and compiles a program for each `Decoding`, which is right for
sets; here one row is decoded, and temperature and top-p are arguments of one program.

L words of a caption.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.captioning import attention_maps
from jaxgen.captioning.decoding import beam_search, greedy, sample
from jaxgen.captioning.writing import Writer
from jaxgen.errors import JaxgenError
from jaxgen.nn import batch_axis, placing
from jaxgen.settings import flag, setting

Array = jax.Array
PyTree = Any
MOST_BEAM = 10
"""Each is a program of its own."""


@dataclass(frozen=True)
class Way:
    """How the words of one caption are chosen; the most probable each time by default."""

    beam: int = setting(1, least=1, most=MOST_BEAM)
    """Candidates kept by beam search; 1 for none but the best word each time."""
    temperature: float = setting(0.0, least=0, most=100)
    """Draw words at random, more evenly the higher it is; 0 for the most probable ones."""
    top_p: float = setting(1.0, above=0, most=1)
    """Draw from the fewest most probable words that together reach this probability."""
    seed: int = setting(0, least=0, most=2**32 - 1)
    """Of drawing."""

    def check_together(self) -> None:
        """Raise JaxgenError if the numbers do not go with each other."""
        if self.beam > 1 and self.temperature:
            raise JaxgenError(f"give {flag('beam')} or {flag('temperature')}, not both")
        if 0 < self.temperature < 1e-3:
            raise JaxgenError(
                f"{flag('temperature')} must be 0 or at least 0.001, got {self.temperature:g}"
            )


class OneCaption(NamedTuple):
    """A caption, word by word."""

    words: tuple[str, ...]
    joined_by: str
    """What stands between them: " ", or "" between characters."""
    log_probability: float
    """Of the caption under the model itself, END included."""
    attention: np.ndarray | None
    """Where each word looked in the picture, floats (words, h, w); None where that is unknown."""

    @property
    def sentence(self) -> str:
        """The words as they are read; "" where there are none."""
        return self.joined_by.join(self.words)


def write_one(
    writer: Writer, params: PyTree, features_1: np.ndarray, way: Way, has_grid: bool
) -> OneCaption:
    """Caption one image.

    Args:
        writer: of the captioner.
        params: of the captioner.
        features_1: of the image, with a first axis of 1.
        way: how the words are chosen.
        has_grid: whether the memory tokens may be a grid in reading order.
    """
    is_drawn = way.temperature > 0
    numbers = np.array([way.temperature or 1, way.top_p], np.float32)
    with placing.around(params):
        words_1L, log_probability_1 = _words(
            writer, way.beam, is_drawn, params, features_1, jax.random.key(way.seed), numbers
        )
    words_1L = np.asarray(words_1L)
    words = tuple(writer.vocabulary.tokens(words_1L[0]))
    looked = attention_maps.maps(writer, params, features_1, words_1L, has_grid)[0]
    return OneCaption(
        words,
        " " if writer.vocabulary.units == "words" else "",
        float(log_probability_1[0]),
        None if looked is None or not words else looked[: len(words)],
    )


@partial(jax.jit, static_argnums=(0, 1, 2))
def _words(
    writer: Writer,
    beam: int,
    is_drawn: bool,
    params: PyTree,
    features_1: Array,
    key: Array,
    numbers: Array,
) -> tuple[Array, Array]:
    """Words (1, L) and their log-probability (1,)."""

    def apply(*args: Any, method: str) -> Any:
        return writer.module.apply({"params": params}, *args, method=method)

    step = partial(apply, method="step")
    carry = apply(batch_axis.spread(features_1), method="start")
    ends = writer.special, writer.max_length
    if beam > 1:
        made = beam_search(step, carry, *ends, beam)
    elif is_drawn:
        made = sample(step, carry, *ends, key, temperature=numbers[0], top_p=numbers[1])
    else:
        made = greedy(step, carry, *ends)
    return batch_axis.whole(made[0], 1), batch_axis.whole(made[1], 1)
