"""Peak rates of chips, as their makers publish them.

None of them was measured here. Sources: TPUs, Google Cloud's documentation, the pages "TPU v4",
"TPU v5e", "TPU v5p" and "TPU v6e" (its figures of inter-chip bandwidth are those of one direction,
all ports together); H100 and A100, NVIDIA's data sheets of the SXM models with 80 GB (rates without
sparsity; NVLink's is half of the sheet's, which adds both directions) and of the DGX machines (one
network adapter a GPU, 400 Gbit/s and 200 Gbit/s).

How fast jaxgen's float32 products run: JAX multiplies float32 at its default precision, which
`jax.lax.Precision` documents as bfloat16 on TPU and TensorFloat-32 on GPUs that have it. On TPU the
operands are rounded to bfloat16 and the sums kept in float32, in one pass of the matrix unit: the
bfloat16 rate. XLA's programs show it, in which operands are bfloat16 arrays already. Google
publishes no float32 rate; products at `Precision.HIGHEST`, of which jaxgen has none, take several
passes. All else (activations, norms, Adam) runs in the vector unit, for which no rate is published:
it is not counted, and the bytes that it moves are.
"""

from dataclasses import dataclass

from jaxgen.errors import JaxgenError

_TERA, _GIGA = 1e12, 1e9


@dataclass(frozen=True)
class Chip:
    """The published figures of one chip."""

    name: str
    bf16: float
    """FLOP/s of products of bfloat16."""
    default: float
    """FLOP/s of products of float32 at JAX's default precision."""
    default_is: str
    """What that precision is."""
    float32: float | None
    """FLOP/s of true float32; None where nothing is published."""
    memory_rate: float
    """Bytes/s of HBM."""
    memory: float
    """Bytes of HBM."""
    link_rate: float
    """Bytes/s to other chips, one direction, all ports together."""
    ports: int = 1
    """Links of a TPU in its grid, two for each axis."""
    torus_from: int = 0
    """Shortest side of a grid whose ends are joined, so that a chip has both links along it."""
    network_rate: float = 0.0
    """Bytes/s to GPUs of another machine, one direction."""
    devices: int = 1
    """JAX's devices in one chip: v4 is described as two cores."""


def _tpu(name: str, bf16: float, rate: float, memory: float, gbits: float, **grid: int) -> Chip:
    return Chip(
        name=name,
        bf16=bf16 * _TERA,
        default=bf16 * _TERA,
        default_is="bfloat16",
        float32=None,
        memory_rate=rate * _GIGA,
        memory=memory * 2**30,
        link_rate=gbits / 8 * _GIGA,
        **grid,
    )


def _gpu(
    name: str, bf16: float, tf32: float, float32: float, rate: float, nvlink: float, gbits: float
) -> Chip:
    return Chip(
        name=name,
        bf16=bf16 * _TERA,
        default=tf32 * _TERA,
        default_is="TensorFloat-32",
        float32=float32 * _TERA,
        memory_rate=rate * _GIGA,
        memory=80 * _GIGA,
        link_rate=nvlink / 2 * _GIGA,
        network_rate=gbits / 8 * _GIGA,
    )


CHIPS: dict[str, Chip] = {
    "v4": _tpu("v4", 275, 1200, 32, 2400, ports=6, torus_from=4, devices=2),
    "v5e": _tpu("v5e", 197, 819, 16, 1600, ports=4, torus_from=16),
    "v5p": _tpu("v5p", 459, 2765, 95, 4800, ports=6, torus_from=4),
    "v6e": _tpu("v6e", 918, 1600, 32, 3200, ports=4, torus_from=16),
    "h100": _gpu("h100", 989, 494, 67, 3350, 900, 400),
    "a100": _gpu("a100", 312, 156, 19.5, 2039, 600, 200),
}


def chip(name: str) -> Chip:
    """The chip of a name.

    Raises:
        JaxgenError: its rates are not known.
    """
    if name not in CHIPS:
        raise JaxgenError(
            f"no peak rates are known of the chip {name!r}, only of {', '.join(CHIPS)}"
        )
    return CHIPS[name]
