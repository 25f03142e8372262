"""Grouped convolution beside `lax`'s, resampling beside `lax`'s convolutions by its filter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgen.errors import JaxgenError
from jaxgen.nn import ops, precision

LAYOUT = ("NHWC", "HWIO", "NHWC")
# Groups, channels of each, outputs of each, kernel, stride, padding: one block, several, of one.
CASES = [(3, 2, 2, 3, 1, "SAME"), (8, 16, 8, 3, 1, "SAME"), (2, 40, 3, 2, 2, ((1, 0), (0, 2)))]


def draw(shape, start=0):
    return np.float32(np.sin(start + np.arange(np.prod(shape)))).reshape(shape)


def second_order(convolve):
    """The value, and the gradients of a penalty on the image's gradient, which are second ones."""

    def score(x, k):
        return (convolve(x, k) ** 3).sum()

    def penalty(x, k):
        return (jax.grad(score)(x, k) ** 2).mean()

    return jax.jit(lambda x, k: (convolve(x, k), jax.grad(penalty, (0, 1))(x, k)))


def close(mine, right):
    for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(right), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-5 * np.abs(b).max())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_second_derivatives_are_those_of_lax(case):
    groups, inside, outside, side, stride, padding = case
    x = draw((2, 5, 7, groups * inside))
    kernel = draw((side, side, inside, groups * outside), 7) / (inside * side)

    def plain(x, k):
        return lax.conv_general_dilated(
            x, k, (stride, stride), padding, dimension_numbers=LAYOUT, feature_group_count=groups
        )

    mine = second_order(lambda x, k: ops.grouped_conv(x, k, groups, stride, padding))
    close(mine(x, kernel), second_order(plain)(x, kernel))


def test_bfloat16_and_the_platforms():
    x, kernel = draw((1, 4, 4, 64)), draw((3, 3, 16, 64), 3) / 12
    with precision.using("bfloat16"):
        found = jax.jit(lambda x, k: ops.grouped_conv(x, k, 4, 1, "SAME"))(x, kernel)
    assert found.dtype == jnp.bfloat16
    right = ops.grouped_conv(x, kernel, 4, 1, "SAME")
    np.testing.assert_allclose(np.float32(found), right, atol=0.05)
    gradient = jax.jit(jax.grad(lambda x, k: (ops.grouped_conv(x, k, 4) ** 2).sum(), (0, 1)))
    for platform, count in (("cpu", 2), ("cuda", 3)):  # of a block each; XLA's and its gradients
        text = gradient.trace(x, kernel).lower(lowering_platforms=(platform,)).as_text()
        assert text.count("stablehlo.convolution") == count


def test_what_does_not_fit_is_refused():
    for shape, groups in (((3, 3, 2, 4), 3), ((3, 3, 2, 5), 2), ((3, 3, 2, 4), 0)):
        with pytest.raises(JaxgenError, match="do not fit"):
            ops.grouped_conv(jnp.zeros((1, 5, 5, 4)), jnp.zeros(shape), groups)


def test_resampling_is_a_convolution_by_its_filter():
    x = draw((2, 4, 6, 3))
    weights = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32)
    kernel = np.tile((weights / 64)[:, :, None, None], (1, 1, 1, 3))

    def resample(x, kernel, strides, dilation, pad):
        return lax.conv_general_dilated(
            x, kernel, strides, [pad, pad], dilation, dimension_numbers=LAYOUT,
            feature_group_count=3,
        )  # fmt: skip

    np.testing.assert_allclose(ops.halve(x), resample(x, kernel, (2, 2), (1, 1), (1, 1)), atol=1e-6)
    right = resample(x, 4 * kernel, (1, 1), (2, 2), (2, 2))
    assert right.shape == (2, 8, 12, 3)
    np.testing.assert_allclose(ops.double(x), right, atol=1e-6)
    # One is the other's transpose, but for the factor 4.
    y = draw((2, 8, 12, 3), 5)
    np.testing.assert_allclose(jnp.vdot(ops.double(x), y), 4 * jnp.vdot(x, ops.halve(y)), rtol=1e-4)
    assert ops.halve(ops.double(jnp.bfloat16(x))).dtype == jnp.bfloat16
    with pytest.raises(JaxgenError, match="even sides"):
        ops.halve(x[:, 1:])
