"""From an experiment's configuration to a trained run and back, for commands and for notebooks."""

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import flax.serialization
import jax
import numpy as np

import jaxgen
from jaxgen import settings
from jaxgen.data import compiled_programs
from jaxgen.errors import JaxgenError
from jaxgen.nn.precision import Precision
from jaxgen.settings import flag
from jaxgen.training import configs, what_was_run
from jaxgen.training.checkpoints import Restored, refuse_misfit
from jaxgen.training.configs import Record
from jaxgen.training.divergence import Diverged
from jaxgen.training.exporting import folder as exported_folder
from jaxgen.training.exporting import hub
from jaxgen.training.finishing import finish, is_whole
from jaxgen.training.loop import Loop, Outcome
from jaxgen.training.metrics_file import has_step, metrics_of
from jaxgen.training.processes import (
    gathered,
    is_first,
    refuse_differences,
    refuse_unshared,
    together,
)
from jaxgen.training.recorder import Follower, Recorder
from jaxgen.training.run_folder import Run
from jaxgen.training.run_lock import RunLock
from jaxgen.training.task import Saved, TrainConfig, TrainedModel
from jaxgen.training.trained_replicas import TrainedReplicas
from jaxgen.training.watchers.base import RunWatcher
from jaxgen.training.watchers.chosen import chosen


def train(
    config: TrainConfig,
    default: TrainConfig | None = None,
    *,
    reschedule: bool = False,
    said: Mapping[str, str] = MappingProxyType({}),
    watch: Sequence[str | RunWatcher] = (),
) -> Outcome | None:
    """Train into `config.workdir`, going on where a run of the same configuration stopped there.

    Settings that do not change what is learnt may differ from those of the run, and so may the
    number of steps: more of them extend a run that is finished, exactly as if it had had them from
    the start.

    Args:
        config: the whole configuration.
        default: what the run's folder remembers as the experiment's defaults; `config` if None.
        reschedule: extend also a run whose schedule depends on the number of steps; it goes on
            under the schedule of the new number, which an unbroken run would have had all along.
        said: what the run is to remember of the command, "command" and "hardware".
        watch: who else is told, see `watchers.chosen`; process 0 of several tells them.

    Returns:
        How training ended; None if the run was finished before.

    Raises:
        JaxgenError: a setting makes no sense; the folder holds something else, or a run of another
            configuration or of other data; a watcher cannot be had; training diverged.
    """
    settings.check(config)
    if not config.workdir:
        raise JaxgenError(f"{flag('workdir')} must name a folder, got ''")
    compiled_programs.keep()
    run = Run(config.workdir)
    refuse_differences("code", _code)
    config = together(partial(_settled, config, run))
    refuse_differences("configuration", lambda: recorded(config))
    together(run.exists)
    watchers = together(lambda: chosen(watch) if is_first() else {})
    refuse_unshared(run.path)
    with RunLock(run.path) as lock:

        def take() -> None:
            if is_first() and run.exists():
                lock.acquire()

        together(take)
        return _train(config, default or config, reschedule, run, lock, said, watchers)


def _settled(config: TrainConfig, run: Run) -> TrainConfig:
    """The configuration with what is found out once, or what its run found when it began."""
    return config.settled(read_config(run, run.record().config) if run.exists() else None)


def _train(
    config: TrainConfig,
    default: TrainConfig,
    reschedule: bool,
    run: Run,
    lock: RunLock,
    said: Mapping[str, str],
    watchers: Mapping[str, RunWatcher],
) -> Outcome | None:
    record = Record(recorded(config), recorded(default), {}, jaxgen.__version__, configs.commit())
    earlier = old = restored = None
    if run.exists():
        earlier = run.record()
        old = read_config(run, earlier.config)
        restored = run.checkpoints().restore()
        _refuse_other(run, old, config, restored.step if restored else 0, reschedule)
        record = dataclasses.replace(record, default=earlier.default)
    task = together(config.task)
    record = dataclasses.replace(record, about=_as_json(task.about))
    if earlier and (changed := configs.differences(earlier.about, record.about)):
        raise JaxgenError(f"{run.path} was trained on other data ({_joined(changed)})")
    if restored is None:
        given = together(task.begin)  # before anything is written: it may not be there
        task = dataclasses.replace(task, begin=lambda: given)
    digest = together(task.source.digest)
    refuse_differences("data", lambda: {"their hash": digest})
    start = restored.step if restored else 0
    # Killed between a checkpoint and the pictures and figures that were due.
    unseen = gathered(bool(restored and restored.row and not has_step(run.metrics_path, start)))[0]
    if restored and is_first():
        _tell_damage(restored)
        for step in restored.damaged:
            run.checkpoints().set_aside(step)
    if start == config.steps and not unseen:

        def finish_again() -> None:
            if is_first():
                _finish_again(run, config, record, old, restored)

        together(finish_again)
        return None
    loop = Loop(task, config)
    state = None
    if restored:
        refuse_misfit(loop.state_shapes, restored.state, start)
        state = flax.serialization.from_state_dict(loop.state_shapes, restored.state)
    what = f"going on at step {start}" if start else "starting"
    row = restored.row if restored and unseen else None
    if is_first():
        print(f"{what} in {run.path}, {config.steps} steps", file=sys.stderr)
        began = what_was_run.session(digest, said)
        watcher = Recorder(run, config, start, record, lock, row, began, watchers)
    else:
        watcher = Follower(run, config.keep_checkpoints)
    try:
        outcome = loop.run(state, start, watcher, unseen=metrics_of(row) if row else None)
    except BaseException as error:
        if isinstance(error, Diverged):
            watcher.diverged(str(error))
        watcher.close()
        raise
    watcher.finish(outcome)
    return outcome


def _finish_again(
    run: Run,
    config: TrainConfig,
    record: Record,
    old: TrainConfig | None,
    restored: Restored | None,
) -> None:
    """See to it that a run whose steps are done has all its results."""
    if old and recorded(old) != record.config:
        run.write_record(record)  # settings that may change have changed
    if restored and not is_whole(run, restored.step):
        print(f"finishing {run.path}, whose results are not all there", file=sys.stderr)
        run.make()
        finish(run, config, restored.step, restored.checksum)


def _code() -> dict[str, str]:
    """What runs here, as far as the processes of a job must have it alike."""
    return {"version": jaxgen.__version__, "commit": configs.commit(), "jax": jax.__version__}


def load(path: str | Path, precision: Precision | None = None, data_dir: str = "") -> TrainedModel:
    """Open a run and restore its newest checkpoint, or open an exported model.

    Args:
        path: the folder of a run, or one that `jaxgen export` or `jaxgen import` wrote; or
            `hub:USER/NAME` for such a folder on the Hugging Face Hub.
        precision: what it computes in; as it was trained if None.
        data_dir: where the data are, if they are no longer where they were.

    Returns:
        What the run's configuration makes of it: a `jaxgen.gan.trained.TrainedGan`, a
        `jaxgen.captioning.trained.TrainedCaptioner`, or what another kind of model gives; of a run
        with several replicas a `jaxgen.training.trained_replicas.TrainedReplicas` of these.

    Raises:
        JaxgenError: not a run, no checkpoint yet, damaged ones only, a file of an exported model
            is altered, or code of a user's own was not imported before.
    """
    if str(path).startswith(hub.PREFIX):
        path = hub.fetched(str(path))
    if exported_folder.is_exported(Path(path)):
        return exported_folder.read(Path(path), precision, data_dir)
    run = Run(path)
    if not str(path):
        raise JaxgenError("name the folder of a run, not ''")
    run.refuse_none()
    record = run.record()
    config = configs.placed(read_config(run, record.config), data_dir)
    if precision:
        config = dataclasses.replace(config, precision=precision)
    restored = run.checkpoints().restore()
    if restored is None:
        raise JaxgenError(f"{path} has no checkpoint yet; train it further")
    _tell_damage(restored)
    state = jax.tree.map(np.asarray, restored.state)
    saved = Saved(state, record.about, restored.step, run.path)
    return TrainedReplicas(config, saved) if config.replicas > 1 else config.restored(saved)


def recorded(config: TrainConfig) -> dict[str, Any]:
    """The configuration as JSON values, without the place it is kept in: a run may be moved."""
    as_json = configs.to_json(config)
    del as_json["workdir"]
    return _as_json(as_json)


def read_config(run: Run, as_json: dict[str, Any]) -> TrainConfig:
    """The configuration that `recorded` wrote into a run's folder.

    Raises:
        JaxgenError: it cannot be read.
    """
    placed = as_json | {"workdir": str(run.path)}
    if "type" not in placed:
        raise JaxgenError(f"{run.config_path}: the configuration does not name its class")
    return configs.from_json(placed, TrainConfig, f"{run.config_path}: config")


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _joined(changed: list[configs.Difference]) -> str:
    return "; ".join(map(str, changed))


def _tell_damage(restored: Restored) -> None:
    for step, reason in restored.damaged.items():
        print(
            f"warning: checkpoint {step} is damaged ({reason}); using step {restored.step} instead",
            file=sys.stderr,
        )


def _refuse_other(
    run: Run, old: TrainConfig, config: TrainConfig, start: int, reschedule: bool
) -> None:
    """Raises JaxgenError if a run of the `old` configuration cannot go on under the new one."""
    free = configs.may_change(config)
    changed = [
        difference
        for difference in configs.differences(recorded(old), recorded(config))
        if difference.name not in free and difference.name != "steps"
    ]
    if changed:
        raise JaxgenError(
            f"{run.path} was trained with another configuration ({_joined(changed)}); "
            f"give the same numbers to go on, or another {flag('workdir')}"
        )
    if config.steps < start:
        raise JaxgenError(
            f"{run.path} has {start} steps already, more than {flag('steps')} {config.steps}; "
            f"choose another {flag('workdir')}"
        )
    reason = config.tied_to_steps()
    if config.steps != old.steps and start and reason and not reschedule:
        raise JaxgenError(
            f"{run.path} was to have {old.steps} steps, not {config.steps}: {reason}, so that its "
            f"first steps would have been others; {flag('reschedule')} goes on nevertheless, under "
            "the schedule of the new number"
        )
