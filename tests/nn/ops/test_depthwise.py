"""Depthwise convolution beside `lax`'s convolution of feature groups."""

import jax
import numpy as np
import pytest
from jax import lax

from jaxgen.errors import JaxgenError
from jaxgen.nn import ops, precision

X = np.float32(np.sin(np.arange(2 * 9 * 7 * 5)).reshape(2, 9, 7, 5))


def kernel(side):
    return np.float32(np.cos(np.arange(side * side * 5)).reshape(side, side, 1, 5))


def grouped(x, kernel, stride, padding):
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=5,
    )  # fmt: skip


@pytest.mark.parametrize("padding", ["SAME", "VALID", ((1, 0), (0, 2))])
@pytest.mark.parametrize(("side", "stride"), [(3, 1), (3, 2), (5, 2)])
def test_values_and_gradients_are_those_of_groups(side, stride, padding):
    def of(convolve):
        def loss(x, k):
            y = convolve(x, k, stride, padding)
            return (y * np.sin(np.arange(y.size)).reshape(y.shape).astype(np.float32)).sum(), y

        return jax.jit(jax.grad(loss, (0, 1), has_aux=True))(X, kernel(side))

    for mine, right in zip(
        jax.tree.leaves(of(ops.depthwise_conv)), jax.tree.leaves(of(grouped)), strict=True
    ):
        np.testing.assert_allclose(mine, right, rtol=1e-4, atol=1e-5)


def test_in_bfloat16_operands_are_rounded_and_sums_are_not():
    def rounded(x):
        return np.asarray(jax.numpy.bfloat16(x), np.float32)

    with precision.using("bfloat16"):
        found = jax.jit(lambda x, k: ops.depthwise_conv(x, k, 1, "SAME"))(X, kernel(3))
    assert found.dtype == jax.numpy.bfloat16
    right = grouped(rounded(X), kernel(3), 1, "SAME")
    np.testing.assert_allclose(np.float32(found), right, rtol=1e-2, atol=1e-2)


def test_what_does_not_fit_is_refused():
    with pytest.raises(JaxgenError, match="do not fit; give"):
        ops.depthwise_conv(X, kernel(3)[..., :4])
    with pytest.raises(JaxgenError, match="does not fit into an image"):
        ops.depthwise_conv(X[:, :2], kernel(3))
