"""Convolutions and pooling of the DCGAN: `jaxgen.nn.ops` beside `lax` and PyTorch.

The JAX functions run inside `lax.scan`, as in training, which is where the gradients of `lax`
convolutions are slow on CPU.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.measuring import Comparison, Contender, Flops, Settings, plain_flops
from jaxgen.nn import ops

_LAYOUT = ("NHWC", "HWIO", "NHWC")
Shape = tuple[int, ...]


def _lax_conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=_LAYOUT)


def _lax_conv_transpose(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return lax.conv_transpose(x, kernel, (2, 2), "SAME", dimension_numbers=_LAYOUT)


def _lax_max_pool(x: jax.Array) -> jax.Array:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


@dataclass(frozen=True)
class _Operation:
    """An operation in its three forms; `torch_name` is that in torch.nn.functional."""

    title: str
    plain: Callable[..., jax.Array]
    fast: Callable[..., jax.Array]
    torch_name: str
    torch_options: dict[str, Any]
    shapes: list[list[Shape]]


_OPERATIONS = [
    _Operation(
        "conv 5x5",
        _lax_conv,
        ops.conv,
        "conv2d",
        {},
        [[(256, 28, 28, 1), (5, 5, 1, 32)], [(256, 12, 12, 32), (5, 5, 32, 64)]],
    ),
    _Operation(
        "transposed conv 4x4/2",
        _lax_conv_transpose,
        ops.conv_transpose,
        "conv_transpose2d",
        {"stride": 2, "padding": 1},
        [[(128, 7, 7, 128), (4, 4, 128, 64)], [(128, 14, 14, 64), (4, 4, 64, 1)]],
    ),
    _Operation(
        "max-pool 2x2/2",
        _lax_max_pool,
        ops.max_pool,
        "max_pool2d",
        {"kernel_size": 2},
        [[(128, 24, 24, 32)]],
    ),
]


def comparisons() -> list[Comparison]:
    """Each operation at the shapes of the DCGAN, forward, and forward with all gradients."""
    found = []
    for operation in _OPERATIONS:
        for shapes in operation.shapes:
            sizes = " with ".join("x".join(map(str, shape)) for shape in shapes)
            for label, backward in (("forward", False), ("forward and backward", True)):
                found.append(
                    Comparison(
                        f"{operation.title}, {sizes}, {label}",
                        partial(_contenders, operation, shapes, backward),
                        partial(_flops, operation, shapes, backward),
                    )
                )
    return found


def _contenders(
    operation: _Operation, shapes: list[Shape], backward: bool, settings: Settings
) -> list[Contender]:
    plain, fast = (
        _with_gradients(function) if backward else function
        for function in (operation.plain, operation.fast)
    )
    return [
        _in_scan("jaxgen", fast, shapes),
        _in_scan("lax", plain, shapes),
        _torch(operation, shapes, backward),
    ]


def _flops(operation: _Operation, shapes: list[Shape], backward: bool) -> Flops:
    function = _with_gradients(operation.plain) if backward else operation.plain
    return plain_flops(function, *(jax.ShapeDtypeStruct(s, jnp.float32) for s in shapes))


def _with_gradients(function: Callable[..., jax.Array]) -> Callable[..., tuple[jax.Array, ...]]:
    """Forward and the gradients of a sum of squares with respect to every argument."""

    def run(*arrays: jax.Array) -> tuple[jax.Array, ...]:
        everything = tuple(range(len(arrays)))
        return jax.grad(lambda *arrays: jnp.sum(function(*arrays) ** 2), everything)(*arrays)

    return run


def _in_scan(name: str, function: Callable[..., Any], shapes: list[Shape]) -> Contender:
    arrays = tuple(jax.random.normal(jax.random.key(i), s) for i, s in enumerate(shapes))

    def body(i: jax.Array, arrays: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        # The barrier keeps every result alive, the added element keeps the loop from being hoisted.
        results = lax.optimization_barrier(jax.tree.leaves(function(*arrays)))
        change = 1e-30 * sum(result[(0,) * result.ndim] for result in results)
        return tuple(a.at[(0,) * a.ndim].add(change) for a in arrays)

    loop = jax.jit(lambda arrays, count: lax.fori_loop(0, count, body, arrays))
    return Contender(name, lambda count: jax.block_until_ready(loop(arrays, count)))


def _torch(operation: _Operation, shapes: list[Shape], backward: bool) -> Contender:
    import torch

    function = getattr(torch.nn.functional, operation.torch_name)
    kernel_axes = (2, 3, 0, 1) if operation.torch_name == "conv_transpose2d" else (3, 2, 0, 1)
    axes = [(0, 3, 1, 2), kernel_axes]  # from NHWC and HWIO
    arrays = [
        torch.randn([shape[a] for a in order], requires_grad=backward)
        for shape, order in zip(shapes, axes[: len(shapes)], strict=True)
    ]

    def run(count: int) -> None:
        for _ in range(count):
            result = function(*arrays, **operation.torch_options)
            if backward:
                torch.autograd.grad((result**2).sum(), arrays)

    return Contender("PyTorch", run)
