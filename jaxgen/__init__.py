"""jaxgen: generative models in JAX, as pure functions.

`jaxgen.run(config)` trains an experiment's configuration, and `jaxgen.load(RUN)` opens what was
trained; both give something ready to sample, or to caption.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxgen.nn.precision import Precision
    from jaxgen.training.task import TrainConfig
    from jaxgen.training.watchers.base import RunWatcher

__version__ = "0.2.0"


def run(
    config: "TrainConfig", *, reschedule: bool = False, watch: "Sequence[str | RunWatcher]" = ()
) -> Any:
    """Train `config` in its `workdir`, or go on there, and open the run as `load` does.

    The same as the command line: a finished run is opened at once, or extended if `config` has more
    steps; one that was interrupted goes on bit for bit, one of another configuration is refused.

    Args:
        config: of an experiment, such as `dataclasses.replace(experiments.dcgan.config, steps=99)`.
        reschedule: extend also a run whose schedule depends on the number of steps.
        watch: who else is told: "wandb", "mlflow", "FILE.py:CLASS", or a watcher of your own.

    Returns:
        The trained model, a `jaxgen.training.task.TrainedModel`; see `load`.

    Raises:
        JaxgenError: see `jaxgen.training.experiment.train`.
        KeyboardInterrupt: training was interrupted; the run's folder holds it up to that step.
    """
    from jaxgen.training import experiment

    outcome = experiment.train(config, reschedule=reschedule, watch=watch)
    if outcome is not None and outcome.interrupted:
        raise KeyboardInterrupt(f"interrupted after step {outcome.step}")
    return load(config.workdir)


def load(path: "str | Path", precision: "Precision | None" = None, data_dir: str = "") -> Any:
    """Open the run or exported model in folder `path`.

    It gives a `TrainedGan`, a `TrainedCaptioner` or another kind's model.

    Of a run with `replicas` it gives a `TrainedReplicas`, whose `replica(i)` is such a model.

    See `jaxgen.training.experiment.load` for `precision`, `data_dir` and what is raised.

    Code of your own that the run needs is imported first: by `import my_file`, or by
    `jaxgen.settings.import_own("my_file.py")`.
    """
    from jaxgen.training import experiment  # late: `import jaxgen` costs next to nothing

    return experiment.load(path, precision, data_dir)
