"""What a captioner is to the rest of jaxgen: a configuration that builds a Flax module.

N batch, T time, V vocabulary. To add a captioner, add a file here with such a module and a
`Captioner` that builds it; a shared test finds the module and checks it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import flax.linen as nn


@dataclass(frozen=True)
class Captioner(ABC):
    """The numbers of a captioner, as flags; subclasses build the module."""

    @abstractmethod
    def module(
        self, vocab_size: int, feature_shape: tuple[int, ...], max_length: int, null: int = 0
    ) -> nn.Module:
        """A module for captions of images.

        Args:
            vocab_size: V.
            feature_shape: of one image's features, without the batch: (F,) or (M, F) for tokens.
            max_length: most words of a caption, given or made.
            null: the word that pads captions.

        Returns:
            A module `(features, captions_NT, train) -> logits_NTV`, where the logits at t
            are those of the word after t, with methods `start(features) -> carry` and
            `step(carry, words_N) -> (carry, logits_NV)` for decoding. With `train`, it
            draws from the "dropout" random stream. One that attends to memory tokens records the
            weights of each layer, (N, heads, T, tokens), in the collection "intermediates". One
            whose training has a term beside the words' losses adds it, (N,) in nats a caption, to
            the collection "losses" when it is called with `train`.

        Raises:
            JaxgenError: it cannot read such features, or a number makes no sense.
        """
