"""The trained captioner that a training starts from, where its objective names a run.

Of a run with several replicas each seed goes on from the replica of its own seed. What is read is
recorded by its content: the configuration holds the SHA-256 of the parameters, so that a run whose
start was altered before its first checkpoint is refused instead of becoming another one. Once there
is a checkpoint the start is no longer needed.
"""

import dataclasses
from typing import Any

import jax
import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.settings import flag
from jaxgen.training import checkpoints, configs

PyTree = Any
_SAME = ("captioner", "encoder")  # what makes the parameters


def settled(config: Any, old: Any) -> Any:
    """The configuration with the content of its start; see `TrainConfig.settled`.

    Raises:
        JaxgenError: the start is not a run of the same captioner, or not the one that is recorded.
    """
    objective, before = config.objective, getattr(old, "objective", None)
    path = getattr(objective, "start", "")
    if not path:
        return config
    if before is not None and getattr(before, "start", "") == path:
        found = before.start_sha256  # when the run began; what is there by now does not matter
    else:
        found = checkpoints.checksum(_opened(config)[1])
    _refuse_other(config, found)
    return dataclasses.replace(config, objective=dataclasses.replace(objective, start_sha256=found))


def begin(config: Any, about: dict[str, Any]) -> dict[str, PyTree] | None:
    """What the first state takes from the start; see `Task.begin`.

    Args:
        config: the configuration.
        about: what the data say of the captioner, as JSON values.

    Raises:
        JaxgenError: the start is no run of the same captioner and words, or not the one that is
            recorded.
    """
    path = getattr(config.objective, "start", "")
    if not path:
        return None
    opened, params = _opened(config)
    _refuse_other(config, checkpoints.checksum(params))
    if list(opened.vocabulary.words) != list(about["vocabulary"]):
        raise JaxgenError(
            f"{flag('objective.start')} {path} was trained on other words than {flag('data')} has"
        )
    if list(opened.feature_shape) != list(about["feature_shape"]):
        raise JaxgenError(
            f"{flag('objective.start')} {path} reads features of shape {opened.feature_shape}, and "
            f"{flag('data')} has {tuple(about['feature_shape'])}"
        )
    return {"params": jax.tree.map(np.asarray, params)}


def _opened(config: Any) -> tuple[Any, PyTree]:
    """A captioner of the run that training starts from, and the parameters that are taken.

    Where both runs have several replicas, the parameters are of each, along an axis in front.
    """
    # Late: most trainings start from nothing, and --help needs none of it.
    from jaxgen.training import experiment

    path = config.objective.start
    name = f"{flag('objective.start')} {path}"
    opened: Any = experiment.load(path)
    theirs = opened.config
    if not hasattr(theirs, "captioner"):
        raise JaxgenError(f"{name} is no run of a captioner")
    for field in _SAME:
        if hasattr(config, field):
            old, new = ({field: configs.to_json(getattr(one, field))} for one in (theirs, config))
            if changed := configs.differences(old, new):
                told = "; ".join(map(str, changed))
                raise JaxgenError(f"{name} is of another captioner ({told}); give the same numbers")
    if theirs.replicas == 1:
        return opened, opened.params
    if missing := [seed for seed in config.seeds if seed not in theirs.seeds]:
        raise JaxgenError(
            f"{name} has no replica of seed {missing[0]}, only of seeds {theirs.seeds[0]} to "
            f"{theirs.seeds[-1]}; each seed starts from its own"
        )
    own = [opened.replica(theirs.seeds.index(seed)) for seed in config.seeds]
    if config.replicas == 1:
        return own[0], own[0].params
    return own[0], jax.tree.map(lambda *leaves: np.stack(leaves), *(one.params for one in own))


def _refuse_other(config: Any, found: str) -> None:
    recorded = config.objective.start_sha256
    if recorded not in ("", found):
        raise JaxgenError(
            f"{flag('objective.start')} {config.objective.start} holds another captioner (SHA-256 "
            f"{found[:12]}...) than the one that this run starts from ({recorded[:12]}...): "
            f"restore it, or begin in another {flag('workdir')}"
        )
