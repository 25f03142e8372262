"""What the commands that open a run have in common."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from jaxgen import settings
from jaxgen.nn.precision import Precision
from jaxgen.training.task import TrainedModel


@dataclass(frozen=True)
class RunArgument:
    """A run to open."""

    run: Annotated[str, tyro.conf.Positional]
    """The run's folder."""
    precision: Precision | None = None
    """What it computes in, float32 or bfloat16; as it was trained if not given."""
    own: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(name="import")] = ()
    """A file or module of your own that the run needs; may be given several times."""

    def opened(self) -> TrainedModel:
        """The trained model; compiled programs are kept for the next call.

        Raises:
            JaxgenError: see `jaxgen.load`; or a file cannot be imported.
        """
        from jaxgen.data import compiled_programs
        from jaxgen.training import experiment

        for place in self.own:
            settings.import_own(place)
        compiled_programs.keep()
        return experiment.load(self.run, self.precision)
