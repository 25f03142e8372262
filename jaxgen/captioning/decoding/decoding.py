"""How the words of a caption are chosen, as flags."""

from dataclasses import dataclass
from typing import Any

import jax

from jaxgen.captioning.decoding.beam_search import beam_search
from jaxgen.captioning.decoding.captioner_steps import PyTree, SpecialWords, Step
from jaxgen.captioning.decoding.word_by_word import greedy, sample
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, setting

Array = jax.Array
_LEAST_TEMPERATURE = 1e-6


@dataclass(frozen=True)
class Decoding:
    """How the words of a caption are chosen; greedily by default."""

    beam: int = setting(1, least=1, most=1000)
    """Candidates kept by beam search; 1 for none but the best word each time."""
    length_penalty: float = setting(0.0, least=0, most=10)
    """beam search: larger values favour longer captions."""
    temperature: float = setting(0.0, least=0, most=1e6)
    """Draw words at random, more evenly the higher it is; 0 for the most probable ones."""
    top_k: int = setting(0, least=0, most=2**31 - 1)
    """Draw from this many most probable words only; 0 for all."""
    top_p: float = setting(1.0, above=0, most=1)
    """Draw from the fewest most probable words that together reach this probability."""

    def check_together(self) -> None:
        """Raise JaxgenError if the numbers do not go with each other."""
        if 0 < self.temperature < _LEAST_TEMPERATURE:  # logits divided by less may overflow
            raise JaxgenError(
                f"{flag('temperature')} must be 0, for the most probable words, or at least "
                f"{_LEAST_TEMPERATURE:g}, got {self.temperature:g}"
            )
        if self.beam > 1 and self.temperature:
            raise JaxgenError(f"give {flag('beam')} or {flag('temperature')}, not both")
        if not self.temperature and (self.top_k or self.top_p < 1):
            raise JaxgenError(
                f"{flag('top_k')} and {flag('top_p')} need a {flag('temperature')}, 1 for the "
                "model's own"
            )

    def words(
        self, step: Step, carry: PyTree, special: SpecialWords, max_length: int, key: Array
    ) -> Array:
        """Captions (N, L) chosen in this way; only sampling uses `key`."""
        if self.beam > 1:
            return beam_search(step, carry, special, max_length, self.beam, self.length_penalty)[0]
        if self.temperature:
            options: dict[str, Any] = {
                "top_k": self.top_k or None,
                "top_p": self.top_p if self.top_p < 1 else None,
            }
            return sample(step, carry, special, max_length, key, self.temperature, **options)[0]
        return greedy(step, carry, special, max_length)[0]
