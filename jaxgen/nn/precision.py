"""The precision of the networks' arithmetic: one policy, which layers ask.

With "bfloat16" the operands of products and convolutions, and the activations between them, are
bfloat16, and each product is summed in float32. Parameters, moments, averages, batch statistics,
logits, softmax, losses and penalties stay float32, so that no scaling of the loss is needed
(Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740; Kalamkar et al. 2019,
https://arxiv.org/abs/1905.12322).

`in_precision` gives a module its precision; a layer asks `rounds` and calls `rounded` for what it
hands on. Modules of a user's own that are made of jaxgen's layers, or call `jaxgen.nn.ops`, follow
without a word of their own.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp

if TYPE_CHECKING:  # the commands ask this module before they import Flax
    import flax.linen as nn

Array = jax.Array
Precision = Literal["float32", "bfloat16"]

_in_use: ContextVar[Precision] = ContextVar("precision", default="float32")


def rounds() -> bool:
    """Whether the module that is traced computes in bfloat16."""
    return _in_use.get() == "bfloat16"


def rounded(x: Array) -> Array:
    """An activation as the precision in use has it: bfloat16, or as it is."""
    return x.astype(jnp.bfloat16) if rounds() else x


def exact(x: Array) -> Array:
    """An activation in float32 at least, for what is not to be rounded."""
    return x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x


@contextmanager
def using(precision: Precision) -> Iterator[None]:
    """What is traced within computes in this precision."""
    token = _in_use.set(precision)
    try:
        yield
    finally:
        _in_use.reset(token)


@dataclass(frozen=True)
class InPrecision:
    """A module whose `init` and `apply` compute in bfloat16.

    The precision is part of its value, so that programs of the two precisions are told apart
    wherever a module is a static argument.
    """

    module: "nn.Module"
    """What is computed."""
    precision: Precision
    """How."""

    def init(self, *args: Any, **options: Any) -> Any:
        """The variables of the module, float32."""
        with using(self.precision):
            return self.module.init(*args, **options)

    def apply(self, *args: Any, **options: Any) -> Any:
        """What the module makes of its arguments."""
        with using(self.precision):
            return self.module.apply(*args, **options)


def in_precision(module: "nn.Module", precision: Precision) -> Any:
    """`module`, or for bfloat16 what stands in for it: it has the same `init` and `apply`."""
    return module if precision == "float32" else InPrecision(module, precision)


def plain(module: Any) -> "nn.Module":
    """The Flax module that `in_precision` was given."""
    return module.module if isinstance(module, InPrecision) else module


def highest() -> AbstractContextManager[None]:
    """Around programs that measure, whose numbers are to be the same on every platform.

    TPUs multiply float32 in passes of bfloat16 otherwise, and GPUs may round to TF32.
    """
    return jax.default_matmul_precision("highest")


def cpu_is_faster(root: Path = Path("/")) -> bool:
    """Whether this CPU multiplies bfloat16 faster than float32: by AVX512_BF16 or AMX.

    Args:
        root: where the system's files are.

    Returns:
        False also where the system does not tell.
    """
    try:
        words = (root / "proc/cpuinfo").read_text(errors="replace").split()
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(words)
