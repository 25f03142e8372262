"""Image captioning by reward: captions that are drawn and earn more than others become likelier.

Rennie et al. 2017, https://arxiv.org/abs/1612.00563; the baseline is the mean of an image's other
captions, Luo 2020, https://arxiv.org/abs/2003.09971.

    python -m experiments.caption_transformer
    python -m experiments.caption_self_critical
    python -m experiments.caption_self_critical --preset truth
    python -m experiments.caption_lstm
    python -m experiments.caption_self_critical --preset lstm
"""

from dataclasses import replace

from experiments import caption_lstm, caption_transformer
from jaxgen.captioning.objectives.self_critical import SelfCritical
from jaxgen.captioning.rewards.truth import Truth
from jaxgen.commands import cli

start = caption_transformer.config
config = replace(
    start,
    workdir="runs/caption_self_critical",
    objective=SelfCritical(start=start.workdir),
    optimizer=replace(start.optimizer, learning_rate=3e-4, warm_up=20),
    steps=500,
    log_every=50,
    sample_every=250,
    evaluate_every=250,
    checkpoint_every=250,
)

truth = replace(
    config,
    workdir="runs/caption_self_critical_truth",
    objective=replace(config.objective, reward=Truth(), longest=20),
)

lstm = replace(
    config,
    workdir="runs/caption_self_critical_lstm",
    captioner=caption_lstm.config.captioner,
    loss=caption_lstm.config.loss,
    data=caption_lstm.config.data,
    objective=replace(config.objective, start=caption_lstm.config.workdir),
)

presets = {"truth": truth, "lstm": lstm}

if __name__ == "__main__":
    cli.main(config, __doc__, presets=presets)
