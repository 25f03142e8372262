"""jaxgen: generative models in JAX, as pure functions.

`jaxgen.load(RUN)` opens a run's folder and gives something ready to sample.
"""

__version__ = "0.1.0"


def load(path):
    """Open the run in folder `path`; see `jaxgen.runs.load`."""
    from jaxgen import runs  # imported late: `import jaxgen` costs next to nothing

    return runs.load(path)
