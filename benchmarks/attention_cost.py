"""What causal attention costs against the length of the sequence: full, sliding window, low rank.

    python -m benchmarks.attention_cost
    python -m benchmarks.attention_cost --longest 2048 --out cost.json

Time (the least of runs in turns, which other work disturbed least) and memory (what XLA reserves
for the program beside its inputs and outputs), forward alone and with the gradient of queries, keys
and values. Writes a JSON file, a picture of the same name, and prints the slopes of both on
logarithmic axes over the longer half: 1 is O(T), 2 is O(T²). Programs that would take more than
4 GiB are left out.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.nn.attention import causal_mask, full_attention
from jaxgen.nn.cheap_attention import low_rank_attention, window_attention

HEADS, WIDTH, WINDOW, RANK = 2, 64, 64, 64
SHORTEST, LONGEST = 64, 8192
MOST_BYTES = 4 * 2**30
_MIB = 2**20

Row = dict[str, Any]


def _full(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
    return full_attention(q, k, v, jnp.asarray(causal_mask(q.shape[1]))[None, None])


FORMS: dict[str, Callable] = {
    "full": _full,
    "window": lambda q, k, v: window_attention(q, k, v, WINDOW),
    "low rank": lambda q, k, v: low_rank_attention(q, k, v, RANK),
}


def _with_gradient(attention: Callable) -> Callable:
    return jax.grad(lambda q, k, v: jnp.sum(attention(q, k, v) ** 2), argnums=(0, 1, 2))


def compiled(form: str, part: str, steps: int) -> Any:
    """The compiled program of one form ("full", ...) and part ("forward" or "gradient")."""
    function = FORMS[form] if part == "forward" else _with_gradient(FORMS[form])
    shape = jax.ShapeDtypeStruct((1, steps, HEADS, WIDTH), jnp.float32)
    return jax.jit(function).lower(shape, shape, shape).compile()


def measure(lengths: list[int], repeats: int) -> list[Row]:
    """Time and memory of all forms and parts at all lengths."""
    rows = []
    for steps in lengths:
        rng = np.random.default_rng(0)
        inputs = [jnp.asarray(rng.normal(size=(1, steps, HEADS, WIDTH)), jnp.float32)] * 3
        programs = {}
        for part in ("forward", "gradient"):
            for form in FORMS:
                program = compiled(form, part, steps)
                temporary = program.memory_analysis().temp_size_in_bytes
                if temporary <= MOST_BYTES:
                    programs[form, part] = program, temporary
        seconds = _least_seconds([program for program, _ in programs.values()], inputs, repeats)
        for ((form, part), (_, temporary)), least in zip(programs.items(), seconds, strict=True):
            row = {"form": form, "part": part, "steps": steps}
            rows.append(row | {"ms": 1000 * least, "mib": temporary / _MIB})
            print(
                f"{form:9} {part:9} {steps:5}  {1000 * least:9.2f} ms {temporary / _MIB:9.1f} MiB"
            )
    return rows


def _least_seconds(programs: list, inputs: list, repeats: int) -> list[float]:
    """Of each program, run in turns."""
    for program in programs:
        jax.block_until_ready(program(*inputs))
    seconds: list[list[float]] = [[] for _ in programs]
    for _ in range(repeats):
        for times, program in zip(seconds, programs, strict=True):
            start = time.perf_counter()
            jax.block_until_ready(program(*inputs))
            times.append(time.perf_counter() - start)
    return [min(times) for times in seconds]


def slope(rows: list[Row], figure: str) -> float:
    """Exponent of the length that `figure` grows with, fitted to the longer half of the rows.

    NaN where that half is less than two rows.
    """
    longer = sorted(rows, key=lambda row: row["steps"])[len(rows) // 2 :]
    if len(longer) < 2:
        return float("nan")
    steps, values = ([np.log(row[name]) for row in longer] for name in ("steps", figure))
    return float(np.polyfit(steps, values, 1)[0])


def curves(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    """The rows of each form and part."""
    pairs = [(form, part) for part in ("forward", "gradient") for form in FORMS]
    return {pair: [row for row in rows if (row["form"], row["part"]) == pair] for pair in pairs}


def save_plot(path: Path, rows: list[Row]) -> None:
    """Time and memory against the length on logarithmic axes, with the slopes in the legend."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    colours = {form: f"C{index}" for index, form in enumerate(FORMS)}
    panels = (("ms", "time, ms"), ("mib", "memory, MiB"))
    for axes, (name, label) in zip(figure.subplots(1, 2), panels, strict=True):
        for (form, part), points in curves(rows).items():
            axes.loglog(
                [row["steps"] for row in points],
                [row[name] for row in points],
                color=colours[form],
                linestyle="-" if part == "forward" else "--",
                marker=".",
                label=f"{form}, {part}: T^{slope(points, name):.2f}",
            )
        axes.set_xscale("log", base=2)
        axes.set_xlabel("length T")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure, write, print the slopes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--longest", type=int, default=LONGEST)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("attention_cost.json"))
    arguments = parser.parse_args()
    if arguments.longest < 4 * SHORTEST:
        parser.error(f"--longest must be at least {4 * SHORTEST}")
    doublings = int(np.log2(arguments.longest / SHORTEST))
    rows = measure([SHORTEST * 2**i for i in range(doublings + 1)], arguments.repeats)
    settings = {"heads": HEADS, "width": WIDTH, "window": WINDOW, "rank": RANK}
    about = settings | {"jax": jax.__version__, "device": jax.devices()[0].device_kind}
    arguments.out.write_text(json.dumps(about | {"rows": rows}, indent=1), encoding="utf-8")
    save_plot(arguments.out.with_suffix(".png"), rows)
    for (form, part), points in curves(rows).items():
        exponents = f"time T^{slope(points, 'ms'):.2f}, memory T^{slope(points, 'mib'):.2f}"
        print(f"{form:9} {part:9} {exponents}")


if __name__ == "__main__":
    main()
