"""A set of images of your own: stripes, whose direction is their class.

    python examples/own_images.py
    jaxgen sample runs/own_images --import examples/own_images.py

Every experiment takes it: `--import examples/own_images.py --data own_images:Stripes`.
"""

from dataclasses import dataclass, replace

import numpy as np

from experiments import vanilla_gan
from jaxgen.commands import cli
from jaxgen.data.images.base import Images
from jaxgen.settings import setting


@dataclass(frozen=True)
class Stripes(Images):
    """Black and white stripes, upright and level."""

    size: int = setting(16, least=4, most=128)
    """Side of the images in pixels."""
    examples: int = setting(512, least=2)
    """How many there are."""

    def load(self) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(0)
        label_N = np.arange(self.examples) % 2
        period_N = rng.integers(2, 7, self.examples)
        place_S = np.arange(self.size)
        wave_NS = (place_S + rng.integers(0, 7, (self.examples, 1))) // period_N[:, None] % 2
        upright_NSS = np.repeat(wave_NS[:, None, :], self.size, axis=1)
        is_level_N11 = (label_N == 1)[:, None, None]
        image_NSS = np.where(is_level_N11, upright_NSS.swapaxes(1, 2), upright_NSS)
        return {"image": (255 * image_NSS[..., None]).astype(np.uint8), "label": label_N}


config = replace(
    vanilla_gan.config, workdir="runs/own_images", data=Stripes(), conditional=True, steps=1000
)

if __name__ == "__main__":
    cli.main(config, __doc__)
