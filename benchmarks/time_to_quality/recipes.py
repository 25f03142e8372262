"""What is trained, how, and when it is good enough: the tables that this benchmark is tuned in."""

from dataclasses import dataclass, replace
from typing import Any

from experiments import caption_lstm, caption_transformer, conditional_dcgan, dcgan
from jaxgen.errors import JaxgenError
from jaxgen.gan.config import GanConfig
from jaxgen.training.task import TrainConfig


@dataclass(frozen=True)
class Goal:
    """When an experiment's samples or captions are good enough."""

    title: str
    """Of the experiment."""
    figure: str
    """Its key among the figures that an evaluation gives."""
    name: str
    """What it is called."""
    target: float
    """A little less than what the default recipe reaches."""
    evaluate_every: int
    """Steps between evaluations, and so the resolution of the time."""
    less_is_better: bool = False

    def is_reached(self, value: float) -> bool:
        """Whether a figure is as good as the target."""
        return value <= self.target if self.less_is_better else value >= self.target

    def best(self, values: list[float]) -> float:
        """The best of some figures."""
        return min(values) if self.less_is_better else max(values)

    def __str__(self) -> str:
        return f"{self.name} at {'most' if self.less_is_better else 'least'} {self.target:g}"


# The GANs' evaluations are an epoch of batches of 128 apart.
GOALS = {
    "dcgan": Goal("DCGAN", "fid", "FID", 2.5, 39, less_is_better=True),
    "conditional_dcgan": Goal("conditional DCGAN", "label_agreement", "label agreement", 0.97, 39),
    "caption_lstm": Goal("LSTM captioner", "true", "true captions", 0.5, 150),
    "caption_transformer": Goal("Transformer captioner", "cider_d", "CIDEr-D", 2.6, 225),
}


def _with(config: GanConfig, **later: dict[str, Any]) -> dict[str, GanConfig]:
    """The default recipe, and what it becomes by each change after the one before."""
    found = {"default": config}
    for name, changes in later.items():
        found[name] = config = replace(config, **changes)
    return found


_BFLOAT16, _HALF_BATCH = {"precision": "bfloat16"}, {"batch_size": 64}
_AVERAGE = {"average_decay": 0.99}

# "default" is the experiment as it is; "best" what reaches the same in less time; between them what
# each change gives.
RECIPES: dict[str, dict[str, TrainConfig]] = {
    "dcgan": {
        **_with(dcgan.config, bfloat16=_BFLOAT16, half_batch=_HALF_BATCH, average=_AVERAGE),
        "best": dcgan.quick,
    },
    "conditional_dcgan": {
        **_with(conditional_dcgan.config, bfloat16=_BFLOAT16, half_batch=_HALF_BATCH, best=_AVERAGE)
    },
    "caption_lstm": {
        "default": caption_lstm.config,
        "bfloat16": replace(caption_lstm.config, precision="bfloat16"),
        "best": replace(
            caption_lstm.config,
            optimizer=replace(caption_lstm.config.optimizer, learning_rate=4e-3),
            steps=1500,
            precision="bfloat16",
        ),
    },
    "caption_transformer": {
        "default": caption_transformer.config,
        "best": replace(caption_transformer.config, precision="bfloat16"),
    },
}


@dataclass(frozen=True)
class Changes:
    """What the flags change of every recipe."""

    steps: int | None = None
    evaluate_every: int | None = None
    samples: int | None = None
    """Samples, or validation images, of an evaluation."""


def recipe_config(
    experiment: str, recipe: str, seed: int, changes: Changes = Changes()
) -> TrainConfig:
    """A recipe's configuration, with nothing done but training and evaluations.

    Raises:
        JaxgenError: an evaluation is never due.
    """
    config = RECIPES[experiment][recipe]
    if changes.samples:
        measured = "evaluate_samples" if isinstance(config, GanConfig) else "evaluate_images"
        config = replace(config, **{measured: changes.samples})
    every = changes.evaluate_every or GOALS[experiment].evaluate_every
    steps = changes.steps or config.steps
    if min(every, steps) < 1:
        raise JaxgenError(f"--steps and --evaluate-every must be at least 1, got {steps}, {every}")
    return replace(
        config, seed=seed, steps=steps, evaluate_every=every, sample_every=0, checkpoint_every=0
    )
