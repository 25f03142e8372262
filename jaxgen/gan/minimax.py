"""The minimax game f(x, y) = x y: why a GAN's two updates can go round in circles.

References: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, equation 1; Mescheder et al.
2018, https://arxiv.org/abs/1801.04406 (convergence of the two kinds of updates).
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.display.replacing import replacing

Array = jax.Array


def value(x: Array, y: Array) -> Array:
    """What x minimises and y maximises; the saddle point is (0, 0)."""
    return x * y


def play(step_size: float | Array, steps: int, simultaneous: bool = False) -> Array:
    """Gradient ascent in y and descent in x from (1, 1).

    Args:
        step_size: factor on both gradients.
        steps: updates of each player.
        simultaneous: both move from the same point; otherwise x responds to the new y.

    Returns:
        float32 (steps + 1, 2): x and y before the first update and after each.
    """
    step_size = jnp.asarray(step_size, jnp.float32)
    slope_x, slope_y = jax.grad(value, 0), jax.grad(value, 1)

    def step(point: tuple[Array, Array], _: None) -> tuple[Any, Any]:
        x, y = point
        new_y = y + step_size * slope_y(x, y)
        new_x = x - step_size * slope_x(x, y if simultaneous else new_y)
        return (new_x, new_y), (new_x, new_y)

    start = jnp.float32(1), jnp.float32(1)
    _, path = jax.lax.scan(step, start, length=steps)
    return jnp.concatenate([jnp.stack(start)[None], jnp.stack(path, axis=1)])


def table(path: Array | np.ndarray) -> str:
    """The points of a game as text, a column for each step."""
    path = np.asarray(path)
    rows = [("step", range(len(path))), ("y", path[:, 1]), ("x", path[:, 0])]
    return "\n".join(
        f"{name:<5}" + "".join(f"{number:8.4g}" for number in numbers) for name, numbers in rows
    )


def draw(path: Path, step_sizes: tuple[float, ...], steps: int) -> None:
    """Write a picture of the orbits: a column for each step size, alternating above."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(step_sizes), 6.4), layout="constrained")
    panels = figure.subplots(2, len(step_sizes), squeeze=False)
    for row, simultaneous in enumerate((False, True)):
        for axes, step_size in zip(panels[row], step_sizes, strict=True):
            points = np.asarray(play(step_size, steps, simultaneous))
            axes.plot(points[:, 0], points[:, 1], ".-", linewidth=0.7, markersize=4)
            axes.plot(1, 1, "go", label="start")
            axes.plot(0, 0, "r*", label="saddle point")
            kind = "simultaneous" if simultaneous else "alternating"
            axes.set_title(f"{kind}, step {step_size:g}", fontsize=10)
            axes.set_xlabel("x")
            axes.set_ylabel("y")
            axes.set_box_aspect(1)
    panels[0, 0].legend(fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100)
