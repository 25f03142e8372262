"""Contenders in turns: medians, ratios within each round, and the rate of matrix products beside.

The machine drifts and other programs run on it, so nothing is timed alone: a round times every
contender once, one after the other, and a large matrix product in jaxgen's precision with them.
Ratios and shares are medians over the rounds of what was measured within one round.
"""

import functools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.nn.precision import Precision

Row = dict[str, Any]

MATMUL_SIDE = 2048
SLOW_SECONDS = 2.0
"""What takes longer than this is run in the first round only."""

# Threads of OpenMP, which are PyTorch's, look for work a few milliseconds longer than there is any,
# and would take a core from whoever comes next.
_PAUSE = 0.02


@dataclass(frozen=True)
class Settings:
    """How carefully to measure."""

    repeats: int = 7
    """Rounds."""
    seconds: float = 0.3
    """Least time of one timing: short work is repeated within it."""
    compile: bool = False
    """Measure torch.compile too."""
    quick: bool = False
    """Only see that everything runs."""


@dataclass(frozen=True)
class Contender:
    """Somebody who can do the work."""

    name: str
    run: Callable[[int], Any]
    """Does the work so many times, and returns when it is done."""
    is_optional: bool = False
    """Whether it may fail to start, and is then left out."""


class Flops(NamedTuple):
    """Floating-point operations of the work done once."""

    number: float
    counted: str
    """How: "XLA" (`plain_flops`) or "by hand"."""


@dataclass(frozen=True)
class Comparison:
    """One piece of work, done by jaxgen and by its peers."""

    title: str
    contenders: Callable[[Settings], Sequence[Contender]]
    """Builds them, jaxgen first."""
    flops: Callable[[], Flops] | None = None
    most: int = 50
    """How many times a contender can do the work in one call."""
    precision: Precision = "float32"
    """jaxgen's, and that of the matrix product."""

    def rows(self, settings: Settings) -> list[Row]:
        """Measures, and gives a row for each peer."""
        contenders = [c for c in self.contenders(settings) if _starts(c)]
        counts = [_count(contender, settings, self.most) for contender in contenders]
        matmul = matmul_contender(self.precision)
        matmul.run(1)
        seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
        products = []
        for turn in range(settings.repeats):
            for contender, (unit, count) in zip(contenders, counts, strict=True):
                if turn == 0 or unit < SLOW_SECONDS:
                    seconds[contender.name].append(timed(contender, count))
            products.append(timed(matmul, 1))
        milliseconds = {name: [1e3 * s for s in column] for name, column in seconds.items()}
        flops = self.flops() if self.flops else None
        rates = [2 * MATMUL_SIDE**3 / s for s in products]
        return summary(self.title, "ms", milliseconds, flops, rates)


def timed(contender: Contender, count: int) -> float:
    """Seconds for the work once, of `count` times in one call."""
    time.sleep(_PAUSE)
    start = time.perf_counter()
    contender.run(count)
    return (time.perf_counter() - start) / count


def _starts(contender: Contender) -> bool:
    """Runs the work once, compilation included; False if an optional contender fails."""
    try:
        contender.run(1)
    except Exception as error:  # a compiler that is missing or fails may raise anything
        if not contender.is_optional:
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        print(f"left out {contender.name}: {reason}")
        return False
    return True


def _count(contender: Contender, settings: Settings, most: int) -> tuple[float, int]:
    """Seconds for the work once, roughly, and how many times to do it in one timing."""
    unit = timed(contender, 1)
    return unit, max(1, min(most, round(settings.seconds / unit)))


def summary(
    title: str,
    unit: str,
    columns: Mapping[str, Sequence[float]],
    flops: Flops | None = None,
    rates: Sequence[float] = (),
) -> list[Row]:
    """A row for each peer, or a single one if there is none.

    Args:
        title: what was done.
        unit: of the values: "ms", "s" or "MiB", where less is better.
        columns: the values of each contender, one a round, jaxgen's first; a slow contender's are
            those of the first rounds.
        flops: of the work done once, where the unit is "ms".
        rates: FLOP/s of the matrix product in each round.

    Returns:
        Rows whose "ratio" is the peer's value divided by jaxgen's: above 1, jaxgen is better.
    """
    (name, own), *peers = columns.items()
    row: Row = {"title": title, "unit": unit, name: statistics.median(own), "rounds": len(own)}
    if flops:
        speeds = [flops.number / (ms * 1e-3) for ms in own]
        shares = [speed / rate for speed, rate in zip(speeds, rates, strict=False)]
        row |= {
            "gflop": flops.number / 1e9,
            "flops_counted": flops.counted,
            "gflop_per_second": statistics.median(speeds) / 1e9,
            "share_of_matmul": statistics.median(shares),
        }
    if not peers:
        return [row]
    rows = []
    for peer, values in peers:
        ratios = [theirs / ours for theirs, ours in zip(values, own, strict=False)]
        rows.append(
            row
            | {
                "peer": peer,
                "peer_value": statistics.median(values),
                "peer_rounds": len(values),
                "ratio": statistics.median(ratios),
                "ratio_least": min(ratios),
                "ratio_most": max(ratios),
            }
        )
    return rows


@functools.cache
def matmul_contender(precision: Precision = "float32") -> Contender:
    """The product of two large matrices, summed in float32: nearly the most a machine can do."""
    square = jnp.full((MATMUL_SIDE, MATMUL_SIDE), 0.5, precision)
    product = jax.jit(partial(jnp.matmul, preferred_element_type=jnp.float32))

    def run(count: int) -> None:
        for _ in range(count):
            product(square, square).block_until_ready()

    return Contender("matrix product", run)


def plain_flops(function: Callable, *arguments: Any) -> Flops:
    """What XLA counts for a program in its plain formulation, before it is optimised.

    jaxgen's operations are `lax` convolutions except on CPU, where they do some more arithmetic:
    lowering for another platform gives the count of the former. Loops count as one turn, so there
    must be none.

    Args:
        function: not yet compiled.
        arguments: arrays or their shapes.
    """
    shapes = jax.eval_shape(lambda *args: args, *arguments)
    lowered = jax.jit(function).trace(*shapes).lower(lowering_platforms=("tpu",))
    return Flops(lowered.cost_analysis()["flops"], "XLA")
