"""jaxgen: generative models in JAX, as pure functions.

`jaxgen.run(config)` trains an experiment's configuration, and `jaxgen.load(RUN)` opens what was
trained; both give something ready to sample.
"""

__version__ = "0.1.0"


def run(config):
    """Train `config` in its `workdir`, or go on there, and open the run as `load` does.

    The same as the command line: a finished run is opened at once, one that was interrupted goes
    on bit for bit, one of another configuration is refused.

    Args:
        config: of an experiment, such as `dataclasses.replace(experiments.dcgan.config, steps=99)`.

    Returns:
        The trained model; see `jaxgen.training.run_folder.load`.

    Raises:
        JaxgenError: see `jaxgen.training.experiment.train`.
        KeyboardInterrupt: training was interrupted; the run's folder holds it up to that step.
    """
    from jaxgen.training import experiment

    outcome = experiment.train(config)
    if outcome is not None and outcome.interrupted:
        raise KeyboardInterrupt(f"interrupted after step {outcome.step}")
    return load(config.workdir)


def load(path):
    """Open the run in folder `path`; see `jaxgen.training.run_folder.load`."""
    from jaxgen.training import (
        run_folder as runs,  # imported late: `import jaxgen` costs next to nothing
    )

    return runs.load(path)
