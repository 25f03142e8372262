"""What a pair of GAN networks is to the rest of jaxgen: a configuration that builds two modules.

N batch, Z noise, H height, W width, C channels, K classes. To add networks, add a file here with
two Flax modules and a `Networks` that builds them.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import flax.linen as nn


@dataclass(frozen=True)
class Networks(ABC):
    """The numbers of a generator and a discriminator, as flags; subclasses build the modules."""

    @property
    def judges_batches(self) -> bool:
        """Whether the discriminator normalises by the statistics of what it is given (batch norm).

        It is then given real and fake images one after the other, always with `train`.
        """
        return False

    @abstractmethod
    def generator(self, image_shape: tuple[int, int, int]) -> nn.Module:
        """A module `(noise_NZ, label_NK or None, train) -> images_NHWC` in [-1, 1].

        With `train` its batch norms use the batch's statistics and update the running averages in
        the collection "batch_stats"; without, they use the running averages.
        """

    @abstractmethod
    def discriminator(self, image_shape: tuple[int, int, int]) -> nn.Module:
        """A module `(images_NHWC, label_NK or None, train) -> logits_N`; no example sees another,
        unless `judges_batches`.

        `image_shape` is what it is given: with packing P images are side by side in the channels,
        and so are their labels.
        With `train` what it keeps beside its parameters (spectral norm's vectors, in the collection
        "batch_stats") is updated.
        """
