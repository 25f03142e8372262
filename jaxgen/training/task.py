"""What a kind of model is to the rest of jaxgen: a configuration that makes a task, and restores.

A kind is a `TrainConfig` of its own. The loop sees the `Task` that it makes: numbers and a handful
of pure functions. The commands see what it restores from a run, a `TrainedModel`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

import jax
import numpy as np

from jaxgen.display.report.told import FigureWords
from jaxgen.errors import JaxgenError
from jaxgen.nn.precision import Precision
from jaxgen.settings import flag, setting
from jaxgen.training import seeds
from jaxgen.training.metrics_file import History, read_metrics

PyTree = Any
T = TypeVar("T")
MOST_REPLICAS = 256
MOST_DISPATCHED = 2**26
"""Examples of one dispatch, all steps together."""
KeepData = Literal["auto", "device", "host", "stream"]


class ShownCaption(NamedTuple):
    """A caption that is shown, word by word."""

    image: int
    """Which of the validation images."""
    picture: np.ndarray | None
    """uint8 (H, W, 3); None where it is missing."""
    words: tuple[str, ...]
    joined_by: str
    """What stands between them: " ", or "" between characters."""
    true: str
    """A sentence that is right."""
    attention: np.ndarray | None = None
    """Where each word looked in the picture, floats (words, h, w); None where that is unknown."""
    seed: int = 0
    """Of the replica."""


class Shown(NamedTuple):
    """What to look at: a picture uint8 (H, W) or (H, W, 3), and words."""

    picture: np.ndarray
    text: str = ""
    captions: tuple[ShownCaption, ...] = ()
    """What is in the picture, where it shows captions."""


def _gather(arrays: dict[str, jax.Array], indices_B: jax.Array) -> dict[str, jax.Array]:
    return {name: array[indices_B] for name, array in arrays.items()}


def _indices(indices_KB: np.ndarray) -> np.ndarray:
    return indices_KB


@dataclass(frozen=True)
class Source:
    """Where batches come from: `arrays` stay on the device, `chunk` is sent for each dispatch.

    By default a dispatch gets the examples' indices and each step gathers its batch from the
    arrays, inside the program. Data that do not fit on the device override `chunk` to gather on
    the host, and `batch` to pass on what it gathered.
    """

    size: int
    """Examples in an epoch."""
    arrays: PyTree
    """Arrays kept on the device."""
    chunk: Callable[[np.ndarray], PyTree] = _indices
    """Indices (steps, batch) to host arrays of the same leading axes."""
    batch: Callable[[PyTree, PyTree], PyTree] = _gather
    """One step's slice of the chunk to a batch; pure, compiled."""
    most_steps: int | None = None
    """Steps of which a chunk may hold the examples, where it is what memory bounds; any number of
    them if None."""
    beside: Callable[[], PyTree] = tuple
    """Arrays that tell apart what `chunk` reads, as far as it can be told without reading it."""

    def digest(self) -> str:
        """SHA-256 of `arrays`, `beside` and some examples from all over: tells sets apart."""
        digest = hashlib.sha256(f"{self.size}".encode())
        places = np.unique(np.linspace(0, self.size - 1, 64).astype(np.int32))
        for leaf in jax.tree.leaves((self.arrays, self.beside(), self.chunk(places[None]))):
            array = np.ascontiguousarray(leaf)
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(array.data.cast("B") if array.size else b"")
        return digest.hexdigest()

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> "Source":
        """A source over a dict of arrays with one leading axis."""
        return cls(size=len(next(iter(arrays.values()))), arrays=arrays)


def _no_figures(state: PyTree) -> dict[str, float]:
    return {}


def _nothing_to_watch(state: PyTree) -> Callable[[], dict[str, float]]:
    return dict


def _from_nothing() -> None:
    return None


def _no_alarms(history: dict[str, np.ndarray]) -> list[str]:
    return []


@dataclass(frozen=True)
class Task:
    """All that the loop sees of what is trained. State is one pytree."""

    source: Source
    init: Callable[[jax.Array, PyTree], PyTree]
    """(key, batch) -> state"""
    step: Callable[[PyTree, PyTree, jax.Array], tuple[PyTree, dict[str, jax.Array]]]
    """(state, batch, key) -> (state, scalar metrics)"""
    show: Callable[[PyTree], Shown]
    """state -> a picture of what it makes"""
    watch: Callable[[PyTree], Callable[[], dict[str, float]]] = _nothing_to_watch
    """state -> what gives figures that are quick enough for each log line; what it computes on the
    device should be under way when it returns, since the next steps overwrite the state"""
    evaluate: Callable[[PyTree], dict[str, float]] = _no_figures
    """state -> figures that take longer to measure"""
    alarms: Callable[[dict[str, np.ndarray]], list[str]] = _no_alarms
    """metrics since the last log line, a value a step, and all figures so far -> sentences about
    what looks wrong"""
    about: dict[str, Any] = field(default_factory=dict)
    """what the data say of the model, as JSON values: with the configuration, enough to rebuild
    it"""
    begin: Callable[[], dict[str, PyTree] | None] = _from_nothing
    """What the first state takes from elsewhere instead of `init`: arrays by the names that
    `flax.serialization.to_state_dict` gives to its parts, those of all replicas or with an axis of
    them in front; asked for when a run begins, not when it goes on"""
    reseeded: Callable[[int], "Task"] | None = None
    """seed -> the task of a run with that seed, on the same data, where what is shown or measured
    draws from the seed"""


@dataclass(frozen=True)
class Saved:
    """What a run holds of a model: its newest sound checkpoint and what the data said of it."""

    state: dict[str, Any]
    """The task's state as nested dicts of NumPy arrays (`flax.serialization.to_state_dict`)."""
    about: dict[str, Any]
    """`Task.about`, as JSON values."""
    step: int = 0
    """Training steps in it."""
    folder: Path | None = None
    """The run's folder."""
    seed: int | None = None
    """Of the replica that this is, where the run has several."""
    exported: Path | None = None
    """The folder of an exported model, which holds no data; None for a run."""

    def with_data(self, make: Callable[[], T]) -> T:
        """What `make` makes of the data that the model was trained on.

        Raises:
            JaxgenError: they are not here; of an exported model it says that it came without.
        """
        if self.exported is None:
            return make()
        try:
            return make()
        except JaxgenError as error:
            raise JaxgenError(
                f"{self.exported} is an exported model, which samples and captions by itself, but "
                f"came without the data that this needs ({error})"
            ) from error

    @cached_property
    def history(self) -> History:
        """Every metric of the run by name: the steps at which it was taken, and its values."""
        history = read_metrics(self.folder / "metrics.csv") if self.folder else {}
        return history if self.seed is None else seeds.of_seed(history, self.seed)


class TrainedModel(Protocol):
    """What `jaxgen.load` gives, of any kind.

    Commands ask for more by method: `CanSample` for `jaxgen sample`, `CanCaption` for
    `jaxgen caption`.
    """

    @property
    def config(self) -> "TrainConfig":
        """The configuration that it was trained with."""
        ...

    @property
    def module(self) -> Any:
        """The Flax module that `params` belong to."""
        ...

    @property
    def params(self) -> PyTree:
        """Its parameters: `module.apply({"params": params, ...}, ...)`."""
        ...

    @property
    def history(self) -> History:
        """Every metric of its run by name: steps int (S,) and values float (S,)."""
        ...

    def evaluate(self) -> tuple[dict[str, Any], str]:
        """How good it is: figures as JSON values, and the same as a table to print."""
        ...


@runtime_checkable
class CanSample(Protocol):
    """A model that draws images."""

    def sample(self, seed: int = 0, n: int = 64, labels: Any = None) -> np.ndarray:
        """`n` images, or one for each label: float32 (n, height, width, channels) in [-1, 1]."""
        ...


@runtime_checkable
class CanCaption(Protocol):
    """A model that captions images."""

    def caption(self, features: Any, seed: int = 0, **decoding: Any) -> list[str]:
        """A sentence for the features of each image, float (N, ...)."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What every experiment sets about its training; each kind of model has one of its own."""

    workdir: str
    """The run's folder, made if absent; an existing run in it goes on where it stopped."""
    steps: int = setting(least=1, most=2**31 - 1)
    """Training steps in all; more of them extend a run that is finished."""
    batch_size: int = setting(128, least=1, most=2**20)
    """Examples a step."""
    seed: int = setting(0, least=0, most=2**32 - 1)
    """Seed of initialisation, batches and noise."""
    replicas: int = setting(1, least=1, most=MOST_REPLICAS, before=1)
    """Seeds that are trained side by side, from this one on."""
    log_every: int = setting(50, least=1, most=2**20, may_change=True)
    """Steps between log lines; also the most steps of one dispatch."""
    sample_every: int = setting(250, least=0, may_change=True)
    """Steps between sample pictures; 0 for none before the end."""
    sample_at_start: bool = setting(False, before=False, may_change=True)
    """Also show what is made before the first step, as step 0."""
    evaluate_every: int = setting(0, least=0, may_change=True)
    """Steps between evaluations; 0 for none."""
    checkpoint_every: int = setting(250, least=0, may_change=True)
    """Steps between checkpoints; 0 for one at the end only."""
    keep_checkpoints: int = setting(3, least=1, may_change=True)
    """Newest checkpoints kept."""
    shard_parameters: bool = setting(False, before=False, may_change=True)
    """Split large arrays of the state among the devices, where it does not fit on each."""
    precision: Precision = setting("float32", before="float32")
    """Of the networks' arithmetic: bfloat16 rounds the operands of products and convolutions and
    what stands between them, and sums in float32; parameters and losses stay float32."""
    deterministic: bool = setting(False, before=False, may_change=True)
    """Ask XLA for the same bits in each run on GPU too, where it is slower; CPUs give them always.
    On TPU it changes nothing."""
    devices: int = setting(0, least=0, before=0, may_change=True)
    """Devices to train on, of all processes together; 0 for all."""
    keep_data: KeepData = setting("auto", before="auto", may_change=True)
    """Where training data are: on the device; on the host, in memory, from where each dispatch gets
    its examples; or read for each dispatch (stream), which takes a set that can be. auto is the
    first that they fit into: a quarter of the device's memory, or of the machine's."""

    def check_together(self) -> None:
        """Raise JaxgenError if the numbers do not go with each other."""
        # The indices of a dispatch are made, and sent, together.
        dispatched = min(self.log_every, self.steps) * self.batch_size * self.replicas
        if dispatched > MOST_DISPATCHED:
            times = f" times {flag('replicas')} {self.replicas}" if self.replicas > 1 else ""
            raise JaxgenError(
                f"{flag('log_every')} {self.log_every} times {flag('batch_size')} "
                f"{self.batch_size}{times} are {dispatched} examples of one dispatch, more than "
                f"{MOST_DISPATCHED}: give a smaller {flag('log_every')}"
            )
        if self.seed + self.replicas > 2**32:
            raise JaxgenError(
                f"{flag('seed')} {self.seed} with {flag('replicas')} {self.replicas}: the last "
                f"seed would be above {2**32 - 1}; give a smaller {flag('seed')}"
            )

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each replica."""
        return tuple(range(self.seed, self.seed + self.replicas))

    def task(self) -> Task:
        """The task to train, its data loaded.

        Raises:
            JaxgenError: the data or the numbers cannot be used.
        """
        raise NotImplementedError(f"{type(self).__name__} must define task()")

    def restored(self, saved: Saved) -> TrainedModel:
        """What was trained, from what its run holds.

        Raises:
            JaxgenError: what is saved does not belong to this configuration.
        """
        raise NotImplementedError(f"{type(self).__name__} must define restored()")

    def figures(self) -> dict[str, FigureWords]:
        """How reports speak of its figures, by the names that metrics and `evaluate` give them.

        The first that a run has is the one that runs are listed and compared by.
        """
        return {}

    def settled(self, old: "TrainConfig | None") -> "TrainConfig":
        """The configuration with what is found out once, when its run begins.

        Args:
            old: the run's own, where it goes on; None where it begins.

        Raises:
            JaxgenError: what has to be found is not there.
        """
        return self

    def tied_to_steps(self) -> str:
        """Why a run of another number of steps would take other steps from the first on.

        Such a run cannot be extended without a change of schedule.

        Returns:
            A clause, "the learning rate falls to 0 over all steps" for one; "" for no reason.
        """
        return ""
