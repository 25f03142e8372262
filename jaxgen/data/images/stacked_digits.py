"""Stacked digits: three digits drawn at random are the red, the green and the blue of an image.

The set that papers call Stacked MNIST, of the 5,000 digits that come with a package. It has 1,000
classes, equally likely, which a classifier of digits tells apart: a generator that leaves some out
is found out.

N images, D digits, H height, W width, K that are asked for.
References: Metz et al. 2017, https://arxiv.org/abs/1611.02163, section 3.3.1 (the set); Lin et al.
2018, https://arxiv.org/abs/1712.04086, section 4.2 (PacGAN, whose code draws 128,000 images).
"""

import dataclasses
from typing import Literal

import numpy as np

from jaxgen.data.images.base import Images, load_images
from jaxgen.data.images.mnist5k import SIDE, SIZE, Mnist5k
from jaxgen.data.images.stored import StoredImages
from jaxgen.settings import flag, named, setting
from jaxgen.settings.memory import refuse_too_much

CHANNELS = 3
Part = Literal["train", "held_out"]


@named("stacked_digits")
@dataclasses.dataclass(frozen=True)
class StackedDigits(Images):
    """Three random MNIST digits as the colours of an image: 1,000 classes, no folder."""

    train: int = setting(60_000, least=1, most=2**24)
    """Images to train on, each of three digits drawn at random; more begin with the same ones."""
    draw_seed: int = setting(0, least=0, most=2**32 - 1)
    """Of what is drawn; runs of several seeds are of the same images."""
    digits: Part = "train"
    """Which digits: nine of ten, or every tenth, which the classifier that measures samples has
    never seen. Either has all ten digits equally often."""

    def load(self) -> dict[str, np.ndarray]:
        """Draws and makes the images.

        Returns:
            `image` uint8 (N, 28, 28, 3) and `label` int32 (N,), 100 red + 10 green + blue.

        Raises:
            JaxgenError: the digits cannot be read, or memory does not hold the images.
        """
        stored = self.stored()
        bytes_of_all = self.train * stored.bytes_of_one
        refuse_too_much(
            bytes_of_all, f"{self.train} images", f"give a smaller {flag('data.train')}"
        )
        return stored.arrays()

    def stored(self) -> StoredImages:
        """The digits, of which any of the images are made when they are asked for.

        Raises:
            JaxgenError: the digits cannot be read.
        """
        digit_DHW, digit_label_D = _digits(self.digits)
        # Row by row, so that the first images do not depend on how many there are.
        draw = np.random.default_rng(self.draw_seed)
        drawn_N3 = draw.integers(len(digit_DHW), size=(self.train, CHANNELS), dtype=np.int32)
        label_N = digit_label_D[drawn_N3] @ np.asarray([100, 10, 1], np.int32)

        def read(place_K: np.ndarray) -> np.ndarray:
            return np.moveaxis(digit_DHW[drawn_N3[place_K]], 1, -1)

        return StoredImages((SIDE, SIDE, CHANNELS), label_N.astype(np.int32), read=read)


def _digits(part: Part) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (D, H, W) and int32 (D,): those that a classifier is trained on, or the others."""
    data = load_images(Mnist5k())
    # As `jaxgen.metrics.samples.classifier_training` holds them out.
    is_taken_N = (np.arange(SIZE) % 10 == 9) == (part == "held_out")
    return data["image"][is_taken_N, ..., 0], data["label"][is_taken_N]
