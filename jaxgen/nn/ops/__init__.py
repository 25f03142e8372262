"""Convolutions, resampling, pooling and products of sequences, fast on CPU, GPU and TPU.

One signature for every platform. In a program that is compiled for CPU, convolutions and their
gradients become products and slices, or the one form of convolution that is fast there, because
XLA's CPU backend runs the gradients of convolutions inside `scan`, `while` and `cond` as a naive
loop (https://github.com/jax-ml/jax/issues/12868); elsewhere they are the plain `jax.lax`
operations. Values and derivatives of any order agree up to rounding.
"""

from jaxgen.nn.ops.convolution import conv
from jaxgen.nn.ops.depthwise import depthwise_conv
from jaxgen.nn.ops.grouped import grouped_conv
from jaxgen.nn.ops.pooling import max_pool
from jaxgen.nn.ops.product import dot_general, einsum, matmul, over_rows, rounding_einsum
from jaxgen.nn.ops.resampling import double, halve
from jaxgen.nn.ops.transposed import conv_transpose

__all__ = [
    "conv",
    "conv_transpose",
    "depthwise_conv",
    "dot_general",
    "double",
    "einsum",
    "grouped_conv",
    "halve",
    "matmul",
    "max_pool",
    "over_rows",
    "rounding_einsum",
]
