"""Image captioning by reward: captions that are drawn and earn more than others become likelier.

Rennie et al. 2017, https://arxiv.org/abs/1612.00563; the baseline is the mean of an image's other
captions, Luo 2020, https://arxiv.org/abs/2003.09971.

    python -m experiments.caption_transformer
    python -m experiments.caption_self_critical
    python -m experiments.caption_self_critical --preset truth
    python -m experiments.caption_lstm
    python -m experiments.caption_self_critical --preset lstm

300 steps take 6 minutes on 2 CPU cores, 9 for truth. From a start with CIDEr-D 2.72, 80 % of
captions entirely true, 46 % of facts told and a relation in 1 % of captions: 3.30, 90 %, 45 % and
0 %. With `--preset truth` 2.11, 86 %, 69 % and 63 %. docs/self_critical.md has more.
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
    steps=300,
    log_every=50,
    sample_every=150,
    evaluate_every=150,
    checkpoint_every=150,
)

truth = replace(
    config,
    workdir="runs/caption_self_critical_truth",
    objective=replace(config.objective, reward=Truth(), longest=20, cross_entropy=0.2),
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
