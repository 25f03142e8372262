"""From an experiment's configuration to a trained run, for the command line and for notebooks."""

import json
import sys
from typing import Any

import flax.serialization

from jaxgen import configs, runs
from jaxgen.data import cache
from jaxgen.errors import JaxgenError
from jaxgen.task import TrainConfig
from jaxgen.train import Outcome, fit, prepare, trace_init


def train(config: TrainConfig, default: TrainConfig | None = None) -> Outcome | None:
    """Train into `config.workdir`, going on where a run of the same configuration stopped there.

    Args:
        config: the whole configuration.
        default: what the run's folder remembers as the experiment's defaults; `config` if None.

    Returns:
        How training ended; None if the run was finished before.

    Raises:
        JaxgenError: the folder holds something else, or a run of another configuration or of other
            data; training diverged.
    """
    config.validate()
    cache.keep_compiled_programs()
    run = runs.Run(config.workdir)
    resumed = run.exists()
    if resumed:
        _refuse_other(run, config)
    task = config.task()
    restored = None
    if resumed:
        if changed := configs.differences(run.record()["about"], task.about):
            raise JaxgenError(f"{run.path} was trained on other data ({'; '.join(changed)})")
        restored = run.checkpoints().restore()
    if restored:
        for sentence in runs.damage_report(restored):
            print(sentence, file=sys.stderr)
        for step in restored.damaged:
            run.checkpoints().set_aside(step)
    start = restored.step if restored else 0
    if start == config.steps:
        return None
    initial, state = trace_init(task, config), None
    if restored:
        state = flax.serialization.from_state_dict(initial.shapes, restored.state)
    what = f"going on at step {start}" if start else "starting"
    print(f"{what} in {run.path}, {config.steps} steps", file=sys.stderr)
    state, loop = prepare(task, config, initial, state)
    if not resumed:
        record = {"config": recorded(config), "default": recorded(default or config)}
        run.create(record | {"about": task.about})
    recorder = runs.Recorder(run, config, start)
    try:
        outcome = fit(task, config, state, start, recorder, loop)
    except BaseException:
        recorder.close()
        raise
    recorder.finish(outcome)
    return outcome


def recorded(config: TrainConfig) -> dict[str, Any]:
    """The configuration as JSON, without the place it is kept in: a run may be moved."""
    as_json = configs.to_json(config)
    del as_json["workdir"]
    return json.loads(json.dumps(as_json))


def _refuse_other(run: runs.Run, config: TrainConfig) -> None:
    """Raises JaxgenError if the run was trained with another configuration."""
    if changed := configs.differences(run.record()["config"], recorded(config)):
        raise JaxgenError(
            f"{run.path} was trained with another configuration ({'; '.join(changed)}); "
            "give the same numbers to go on, or another --workdir"
        )
