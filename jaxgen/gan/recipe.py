"""Parts of a recipe beside loss, optimiser and augmentation: groups of settings of a GAN."""

from dataclasses import dataclass
from typing import Literal

from jaxgen.settings import setting

Penalized = Literal["made", "seen"]


@dataclass(frozen=True)
class BurnIn:
    """Numbers that the first steps move from the experiment's own to these, along half a cosine.

    Reference: Huang et al. 2024, https://arxiv.org/abs/2501.05441, appendix D.
    """

    steps: int = setting(0, least=0, most=2**31 - 1)
    """How many steps that takes; 0 for numbers that stay as they are."""
    learning_rate: float | None = setting(None, least=0)
    """Of both networks, where the experiment's is the first; None to leave it."""
    b2: float | None = setting(None, least=0, below=1)
    """Of adam."""
    penalty_weight: float | None = setting(None, least=0)
    """Factor on the loss's penalty."""
    average_decay: float | None = setting(None, least=0, below=1)
    """Of the generator's moving average; what moves evenly is the average's half-life in steps."""
    strength: float | None = setting(None, least=0, most=1)
    """Of the augmentation."""


@dataclass(frozen=True)
class Penalty:
    """When and of what the loss's penalty is taken."""

    every: int = setting(1, least=1, most=2**20)
    """Steps from one to the next, which then counts as often (lazy regularisation, Karras et al.
    2020, https://arxiv.org/abs/1912.04958, appendix B); it is part of that step's one update."""
    images: Penalized = "seen"
    """What the gradient is taken with respect to: images as they are made, through their
    augmentation, as StyleGAN2-ADA's and R3GAN's code has it; or images as the discriminator sees
    them."""


@dataclass(frozen=True)
class Augmenting:
    """How much of the augmentation there is."""

    strength: float = setting(1.0, least=0, most=1)
    """Probability that an image, or each transformation of it, is augmented; with a target the
    first one."""
    target: float = setting(0.0, least=0, below=1)
    """Adapt the strength until the mean sign of the real images' logits is this, 0.6 for one
    (Karras et al. 2020, https://arxiv.org/abs/2006.06676, section 3); 0 to leave it. A relativistic
    loss leaves the sign open: let the strength rise by `burn_in` there, as R3GAN does."""
    images: int = setting(500_000, least=1)
    """Images within which the strength could go from 0 to 1."""
    every: int = setting(4, least=1, most=2**20)
    """Steps from one change of the strength to the next."""


@dataclass(frozen=True)
class Updates:
    """How a step's batch becomes updates."""

    discriminator: int = setting(1, least=1, most=1024)
    """Updates of the discriminator before that of the generator; they share the batch, each has a
    part of its own, and the generator makes as many images as a part has."""
    parts: int = setting(1, least=1, most=2**16)
    """Passes of which an update takes the mean gradient, each with an equal part of its images:
    memory is that of a part, and so are the statistics of batch norm."""
    discriminator_rate: float = setting(1.0, above=0)
    """The discriminator's learning rate as a multiple of the generator's (Heusel et al. 2017,
    https://arxiv.org/abs/1706.08500)."""
