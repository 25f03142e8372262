"""Convolutions and pooling of the DCGAN: `lax`, `jaxgen.ops` and PyTorch, forward and backward.

    python -m benchmarks.ops [--repeats 7]

Prints a Markdown table of medians in milliseconds. The JAX rows run inside `lax.scan`, as in
training, which is where the gradients of `lax` convolutions are slow on CPU; the three run in
turns, so that a drift of the machine hits all of them. Without PyTorch its column stays empty.
"""

import argparse
import importlib.util
import statistics
import time

import jax
import jax.numpy as jnp
from jax import lax

from jaxgen import ops

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_STEPS = 2  # per dispatch
_SLOW_MS = 1000


def _lax_conv(x, kernel):
    return lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=_LAYOUT)


def _lax_conv_transpose(x, kernel):
    return lax.conv_transpose(x, kernel, (2, 2), "SAME", dimension_numbers=_LAYOUT)


def _lax_max_pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


# name, lax, jaxgen.ops, name in torch.nn.functional, its keywords, shapes
_CASES = [
    ("conv 5x5", _lax_conv, ops.conv, "conv2d", {}, [(256, 28, 28, 1), (5, 5, 1, 32)]),
    ("conv 5x5", _lax_conv, ops.conv, "conv2d", {}, [(256, 12, 12, 32), (5, 5, 32, 64)]),
    (
        "transposed conv 4x4/2",
        _lax_conv_transpose,
        ops.conv_transpose,
        "conv_transpose2d",
        {"stride": 2, "padding": 1},
        [(128, 7, 7, 128), (4, 4, 128, 64)],
    ),
    (
        "transposed conv 4x4/2",
        _lax_conv_transpose,
        ops.conv_transpose,
        "conv_transpose2d",
        {"stride": 2, "padding": 1},
        [(128, 14, 14, 64), (4, 4, 64, 1)],
    ),
    (
        "max-pool 2x2/2",
        _lax_max_pool,
        ops.max_pool,
        "max_pool2d",
        {"kernel_size": 2},
        [(128, 24, 24, 32)],
    ),
]


def _backward(function):
    """Forward and the gradients of a sum of squares with respect to every argument."""

    def run(*arrays):
        everything = tuple(range(len(arrays)))
        return jax.grad(lambda *arrays: jnp.sum(function(*arrays) ** 2), everything)(*arrays)

    return run


def _jax_timer(function, shapes):
    """A function without arguments that runs `function` in a scan and gives ms per call."""
    arrays = tuple(jax.random.normal(jax.random.key(i), s) for i, s in enumerate(shapes))

    def body(arrays, _):
        # The barrier keeps every result alive, the added element keeps the loop from being hoisted.
        results = lax.optimization_barrier(jax.tree.leaves(function(*arrays)))
        change = 1e-30 * sum(result[(0,) * result.ndim] for result in results)
        return tuple(a.at[(0,) * a.ndim].add(change) for a in arrays), None

    compiled = jax.jit(lambda arrays: lax.scan(body, arrays, length=_STEPS)[0])
    compiled = compiled.lower(arrays).compile()

    def timer():
        start = time.perf_counter()
        jax.block_until_ready(compiled(arrays))
        return (time.perf_counter() - start) / _STEPS * 1e3

    return timer


def _torch_timer(name, keywords, shapes, backward):
    import torch

    function = getattr(torch.nn.functional, name)
    kernel_axes = (2, 3, 0, 1) if name == "conv_transpose2d" else (3, 2, 0, 1)
    axes = [(0, 3, 1, 2), kernel_axes]  # from NHWC and HWIO
    arrays = [
        torch.randn([shape[a] for a in order], requires_grad=backward)
        for shape, order in zip(shapes, axes[: len(shapes)], strict=True)
    ]

    def timer():
        start = time.perf_counter()
        for _ in range(_STEPS):
            result = function(*arrays, **keywords)
            if backward:
                torch.autograd.grad((result**2).sum(), arrays)
        return (time.perf_counter() - start) / _STEPS * 1e3

    return timer


def _medians(timers, repeats):
    """Medians of interleaved runs; what takes seconds a call (lax in scan) is run only once."""
    first = [timer() for timer in timers]
    times = [[ms] if ms > _SLOW_MS else [] for ms in first]
    for _ in range(repeats):
        for timer, ms, column in zip(timers, first, times, strict=True):
            if ms <= _SLOW_MS:
                column.append(timer())
    return [statistics.median(column) for column in times]


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ops", description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    with_torch = importlib.util.find_spec("torch") is not None
    print("| operation | pass | lax in scan | jaxgen.ops in scan | PyTorch |")
    print("|---|---|---|---|---|")
    for title, plain, fast, torch_name, keywords, shapes in _CASES:
        sizes = " with ".join("x".join(map(str, shape)) for shape in shapes)
        for label, backward in (("forward", False), ("forward + backward", True)):
            functions = [_backward(f) if backward else f for f in (plain, fast)]
            timers = [_jax_timer(function, shapes) for function in functions]
            if with_torch:
                timers.append(_torch_timer(torch_name, keywords, shapes, backward))
            cells = [f"{ms:.1f}" for ms in _medians(timers, repeats)]
            cells += [""] * (3 - len(cells))
            print(f"| {title}, {sizes} | {label} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
