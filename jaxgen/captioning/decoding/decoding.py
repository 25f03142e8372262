"""How the words of a caption are chosen, as flags."""

from dataclasses import dataclass

from jaxgen.captioning.decoding.beam_search import beam_search
from jaxgen.captioning.decoding.word_by_word import greedy, sample
from jaxgen.errors import JaxgenError


@dataclass(frozen=True)
class Decoding:
    """How the words of a caption are chosen; greedily by default."""

    beam: int = 1
    """Candidates kept by beam search; 1 for none but the best word each time."""
    length_penalty: float = 0.0
    """beam search: larger values favour longer captions."""
    temperature: float = 0.0
    """Draw words at random, more evenly the higher it is; 0 for the most probable ones."""
    top_k: int = 0
    """Draw from so many most probable words only; 0 for all."""
    top_p: float = 1.0
    """Draw from the fewest most probable words that together reach this probability."""

    def validate(self) -> None:
        """Raise JaxgenError naming the flag whose number makes no sense."""
        if self.beam < 1:
            raise JaxgenError(f"--beam must be at least 1, got {self.beam}")
        for name in ("length_penalty", "temperature", "top_k"):
            if not getattr(self, name) >= 0:
                flag = name.replace("_", "-")
                raise JaxgenError(f"--{flag} must not be negative, got {getattr(self, name)}")
        if not 0 < self.top_p <= 1:
            raise JaxgenError(f"--top-p must be in (0, 1], got {self.top_p}")
        if self.beam > 1 and self.temperature:
            raise JaxgenError("give --beam or --temperature, not both")
        if not self.temperature and (self.top_k or self.top_p < 1):
            raise JaxgenError("--top-k and --top-p need a --temperature, 1 for the model's own")

    def words(self, step, carry, special, max_length, key):
        """Captions (N, L) of the chosen kind; `key` is used by sampling alone."""
        if self.beam > 1:
            return beam_search(step, carry, special, max_length, self.beam, self.length_penalty)[0]
        if self.temperature:
            options = {"top_k": self.top_k or None, "top_p": self.top_p if self.top_p < 1 else None}
            return sample(step, carry, special, max_length, key, self.temperature, **options)[0]
        return greedy(step, carry, special, max_length)[0]
