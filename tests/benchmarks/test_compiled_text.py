"""The text of compiled programs: of small ones whose arithmetic is known, and lines of others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from benchmarks.compiled_text import collectives, product_flops


def text_of(function, *shapes):
    arguments = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    return jax.jit(function).lower(*arguments).compile().as_text()


def test_a_product_costs_two_operations_for_each_pair():
    assert product_flops(text_of(jnp.matmul, (6, 50), (50, 7))) == 2 * 6 * 50 * 7
    batched = text_of(lambda a, b: jnp.einsum("nab,nbc->nac", a, b), (3, 64, 32), (3, 32, 16))
    assert product_flops(batched) == 2 * 3 * 64 * 32 * 16
    assert product_flops(text_of(jnp.add, (6, 50), (6, 50))) == 0


def test_loops_count_as_often_as_they_run():
    def loops(a, b):
        inner = lambda i, a: a @ b  # noqa: E731
        return lax.fori_loop(0, 5, lambda i, a: lax.fori_loop(0, 7, inner, a) + 1, a)

    assert product_flops(text_of(loops, (64, 32), (32, 32))) == 5 * 7 * 2 * 64 * 32 * 32


def test_padding_and_holes_of_a_convolution_cost_nothing():
    def convolution(x, kernel):
        return lax.conv_general_dilated(
            x, kernel, (1, 2), ((2, 1), (3, 0)), (2, 1), (1, 3), ("NHWC", "HWIO", "NHWC")
        )

    # By hand: mark where the image has elements, and convolve marks with marks.
    marks = convolution(jnp.ones((1, 9, 11, 1)), jnp.ones((4, 3, 1, 1)))
    text = text_of(convolution, (5, 9, 11, 12), (4, 3, 12, 6))
    assert product_flops(text) == 2 * 5 * 12 * 6 * float(marks.sum())


HEAD = """HloModule step, is_scheduled=true

%sum (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %add = f32[] add(%a, %b)
}

%body (carry: (s32[], f32[8,16])) -> (s32[], f32[8,16]) {
  %carry = (s32[], f32[8,16]{1,0:T(8,128)}) parameter(0)
  %x.1 = f32[8,16]{1,0:T(8,128)S(1)} get-tuple-element(%carry), index=1
  ROOT %r = f32[8,16]{1,0:T(8,128)} all-reduce(%x.1), replica_groups={{0,1}}, to_apply=%sum
}

%wrapped (p: bf16[4,4]) -> bf16[8,4] {
  %p = bf16[4,4]{1,0:T(8,128)(2,1)} parameter(0)
  ROOT %g = bf16[8,4]{1,0:T(8,128)(2,1)} all-gather(%p), dimensions={0}
}

ENTRY %main (x: f32[8,16], y: f32[3]) -> f32[8,16] {
  %x = f32[8,16]{1,0:T(8,128)} parameter(0)
  %y = f32[3]{0:T(128)} parameter(1)
"""
# Forms that programs for CPUs do not have, as XLA prints them for TPU and GPU.
LINES = {
    "%r = (f32[8,16]{1,0:T(8,128)}, /*index=1*/f32[3]{0}) all-reduce-start(%x, %y), to_apply=%sum, "
    'metadata={op_name="jit(step)/grad"}\n  %d = f32[8,16]{1,0} all-reduce-done(%r)': (
        "all-reduce",
        8 * 16 * 4 + 3 * 4,
        1,
    ),
    "%g = (f32[8,16]{1,0:T(8,128)}, f32[32,16]{1,0:T(8,128)}) all-gather-start(%x), dimensions={0}"
    "\n  %d = f32[32,16]{1,0} all-gather-done(%g)": ("all-gather", 32 * 16 * 4, 1),
    "%p = (f32[8,16]{1,0}, f32[8,16]{1,0}, u32[], u32[]) collective-permute-start(%x), "
    "source_target_pairs={{0,1}}": ("collective-permute", 8 * 16 * 4, 1),
    "%s = f32[2,16]{1,0} reduce-scatter(%x), to_apply=%sum": ("reduce-scatter", 8 * 16 * 4, 1),
    "%w = (s32[], f32[8,16]{1,0}) while(%t), condition=%c, body=%body, "
    'backend_config={"known_trip_count":{"n":"6"}}': ("all-reduce", 8 * 16 * 4, 6),
    "%w = (s32[], f32[8,16]{1,0}) while(%t), condition=%c, body=%body": (
        "all-reduce",
        8 * 16 * 4,
        1,
    ),
    "%a = ((bf16[4,4]{1,0}), bf16[8,4]{1,0}, u32[]) async-start(%x), calls=%wrapped\n"
    "  %d = bf16[8,4]{1,0} async-done(%a), calls=%wrapped": ("all-gather", 8 * 4 * 2, 1),
}


@pytest.mark.parametrize("line", LINES)
def test_collectives(line):
    (found,) = collectives(f"{HEAD}  {line}\n}}\n")
    assert (found.kind, found.bytes, found.times) == LINES[line]
    assert sum(found.parts) == found.bytes
    assert found.source == ("jit(step)/grad" if "grad" in line else "")


def test_products_of_gpu_libraries():
    gemm = (
        '%m = (f32[8,5]{1,0}, s8[64]{0}) custom-call(%x, %z), custom_call_target="__cublas$gemm", '
        'backend_config={"gemm_backend_config":{"dot_dimension_numbers":'
        '{"lhs_contracting_dimensions":["1"],"rhs_contracting_dimensions":["0"]}}}'
    )
    assert product_flops(f"{HEAD}  {gemm}\n}}\n") == 2 * 8 * 5 * 16
    # The gradient of a kernel: the forward pass's image and the gradient of its result come in.
    filter_gradient = (
        "%i = f32[4,10,10,3]{3,2,1,0} parameter(2)\n  %o = f32[4,10,10,8]{3,2,1,0} parameter(3)\n"
        "  %k = (f32[3,3,3,8]{3,2,1,0}, u8[0]{0}) custom-call(%i, %o), "
        "window={size=3x3 pad=1_1x1_1}, dim_labels=b01f_01io->b01f, "
        'custom_call_target="__cudnn$convBackwardFilter"'
    )
    meetings = np.convolve(np.ones(10), np.ones(3), "same").sum() ** 2
    assert product_flops(f"{HEAD}  {filter_gradient}\n}}\n") == 2 * 4 * 3 * 8 * meetings
