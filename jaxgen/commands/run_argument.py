"""What the commands that open a run have in common."""

from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from jaxgen import settings
from jaxgen.errors import JaxgenError
from jaxgen.nn.precision import Precision
from jaxgen.settings import setting
from jaxgen.settings.notes import note
from jaxgen.training.task import TrainedModel


@dataclass(frozen=True)
class RunArgument:
    """A run to open."""

    run: Annotated[str, tyro.conf.Positional]
    """The run's folder, an exported model's, or hub:USER/NAME for one on the Hugging Face Hub."""
    precision: Precision | None = None
    """What it computes in, float32 or bfloat16; as it was trained if not given."""
    data_dir: Annotated[str, tyro.conf.arg(name="data.dir")] = ""
    """The folder of its data, where they are elsewhere than in training; an exported model does not
    say where they were."""
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
        return experiment.load(self.run, self.precision, self.data_dir)


def truncated(run: str, model: Any, bound: float | None) -> dict[str, float]:
    """What `sample` and `evaluate` of a model are given for a bound of its noise, None for none.

    Raises:
        JaxgenError: the model's noise is not truncated.
    """
    if bound is None:
        return {}
    from jaxgen.training.trained_replicas import TrainedReplicas

    one = model.replica(0) if isinstance(model, TrainedReplicas) else model
    if getattr(one, "most_truncation", None) is None:
        raise JaxgenError(f"{run} holds a model whose noise is not truncated")
    return {"truncation": bound}


@dataclass(frozen=True)
class ReplicaArgument(RunArgument):
    """A run to open, and which of its replicas."""

    replica: int | None = setting(None, least=0)
    """Of a run with several replicas the one that is used, from 0; the first if not given."""

    def opened(self) -> TrainedModel:
        """The trained model of the replica.

        Raises:
            JaxgenError: as `RunArgument.opened`; or the run has no such replica.
        """
        from jaxgen.training.trained_replicas import TrainedReplicas

        model = super().opened()
        if isinstance(model, TrainedReplicas):
            if self.replica is None:
                seed = model.config.seed
                note(f"{self.run} has {model.replicas} replicas, of which this is 0, seed {seed}")
            return model.replica(self.replica or 0)
        if self.replica:
            raise JaxgenError(f"--replica {self.replica}: {self.run} has no replicas")
        return model
