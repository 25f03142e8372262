"""Every formulation against the plain `lax` operation: values and derivatives up to the second."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgen.errors import JaxgenError
from jaxgen.nn import ops

LAYOUT = ("NHWC", "HWIO", "NHWC")


def lax_conv(x, kernel, stride, padding):
    stride = stride if isinstance(stride, tuple) else (stride, stride)
    if isinstance(padding, int):
        padding = ((padding, padding), (padding, padding))
    return lax.conv_general_dilated(x, kernel, stride, padding, dimension_numbers=LAYOUT)


def lax_conv_transpose(x, kernel, stride, padding):
    stride = stride if isinstance(stride, tuple) else (stride, stride)
    if isinstance(padding, int):
        padding = ((padding, padding), (padding, padding))
    return lax.conv_transpose(x, kernel, stride, padding, dimension_numbers=LAYOUT)


PEERS = {ops.conv: lax_conv, ops.conv_transpose: lax_conv_transpose}

# image (H, W, I), kernel (H, W, O), stride, padding
CONV_CASES = [
    ((28, 28, 1), (5, 5, 32), 1, "VALID"),  # DCGAN discriminator, first layer
    ((12, 12, 32), (5, 5, 64), 1, "VALID"),  # and second
    ((9, 7, 3), (3, 3, 4), 1, "SAME"),
    ((10, 7, 5), (2, 3, 4), (2, 1), 2),
    ((8, 11, 17), (3, 5, 2), (3, 2), ((1, 0), (2, 3))),
    ((9, 9, 3), (3, 3, 2), 1, ((-1, 0), (0, -2))),
    ((9, 8, 16), (3, 3, 2), 1, ((-1, 0), (2, -2))),  # from 8 channels on, another formulation
    ((7, 9, 8), (3, 2, 24), (1, 3), "SAME"),  # with gradients of its own for strides
    ((4, 4, 8), (5, 5, 16), 2, "SAME"),  # PacGAN's last layer: the kernel is the larger one
    ((2, 5, 8), (3, 3, 4), 1, "SAME"),
]
TRANSPOSE_CASES = [
    ((7, 7, 128), (4, 4, 64), 2, "SAME"),  # DCGAN generator
    ((14, 14, 64), (4, 4, 1), 2, "SAME"),
    ((5, 4, 3), (5, 5, 20), 2, "SAME"),
    ((5, 4, 3), (3, 2, 4), (2, 3), "VALID"),
    ((4, 5, 2), (3, 3, 4), 1, "SAME"),
    ((4, 5, 2), (3, 4, 3), 2, ((3, 0), (1, 2))),
]
CASES = [(ops.conv, *case) for case in CONV_CASES] + [
    (ops.conv_transpose, *case) for case in TRANSPOSE_CASES
]

_FIRST = len(CONV_CASES)
SECOND_ORDER_CASES = [CASES[n] for n in (1, 4, _FIRST, _FIRST + 3, 7, 8)]


def draw(image, kernel, dtype, n=3):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, *image))
    k = rng.standard_normal((*kernel[:2], image[2], kernel[2])) / np.sqrt(np.prod(kernel[:2]))
    return jnp.asarray(x, dtype), jnp.asarray(k, dtype)


def gradients(op, stride, padding):
    """A function to the value and both gradients of a score of it."""

    def compute(x, kernel):
        y, pull_back = jax.vjp(lambda x, kernel: op(x, kernel, stride, padding), x, kernel)
        return y, pull_back(jnp.tanh(y))

    return jax.jit(compute)


def second_order(op, stride, padding):
    """A function to the gradients of a WGAN-GP-like penalty: the input gradient's square."""

    def score(x, kernel):
        # A cube, so that the input gradient depends on the input and on the kernel.
        return jnp.sum(op(x, kernel, stride, padding) ** 3)

    def penalty(x, kernel):
        return jnp.sum(jax.grad(score)(x, kernel) ** 2)

    return jax.jit(jax.grad(penalty, (0, 1)))


def assert_agree(actual, expected, tolerance):
    def check(a, b):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(np.abs(b).max(), 1e-30))

    jax.tree.map(check, actual, expected)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0].__name__}-{c[1:]}")
def test_values_and_gradients_agree_with_lax(case, x64):
    op, image, kernel, stride, padding = case
    for dtype, tolerance in ((jnp.float64, 1e-12), (jnp.float32, 1e-5)):
        x, k = draw(image, kernel, dtype, n=2)
        expected = gradients(PEERS[op], stride, padding)(x, k)
        assert_agree(gradients(op, stride, padding)(x, k), expected, tolerance)


@pytest.mark.parametrize("case", SECOND_ORDER_CASES, ids=lambda c: f"{c[0].__name__}-{c[1:]}")
def test_second_order_agrees_with_lax(case, x64):
    op, image, kernel, stride, padding = case
    x, k = draw(image, kernel, jnp.float64, n=2)
    expected = second_order(PEERS[op], stride, padding)(x, k)
    assert_agree(second_order(op, stride, padding)(x, k), expected, 1e-12)


@pytest.mark.parametrize("case", SECOND_ORDER_CASES[::2], ids=lambda c: f"{c[0].__name__}-{c[1]}")
def test_second_order_agrees_with_lax_in_single_precision(case):
    op, image, kernel, stride, padding = case
    x, k = draw(image, kernel, jnp.float32, n=2)
    expected = second_order(PEERS[op], stride, padding)(x, k)
    assert_agree(second_order(op, stride, padding)(x, k), expected, 1e-5)


@pytest.mark.parametrize("op", [ops.conv, ops.conv_transpose])
def test_same_inside_scan_and_vmap(op):
    x, k = draw((6, 6, 3), (4, 4, 2), jnp.float32, n=4)
    expected = op(x, k)
    scanned = lax.scan(lambda carry, image: (carry, op(image[None], k)[0]), 0, x)[1]
    np.testing.assert_allclose(scanned, expected, atol=1e-5)
    np.testing.assert_allclose(
        jax.vmap(lambda image: op(image[None], k)[0])(x), expected, atol=1e-5
    )


@pytest.mark.parametrize("case", SECOND_ORDER_CASES, ids=lambda c: f"{c[0].__name__}-{c[1:]}")
def test_forward_mode_agrees_with_reverse_mode(case):
    op, image, kernel, stride, padding = case
    x, k = draw(image, kernel, jnp.float32)
    dx, dk = jnp.flip(x), -2 * jnp.flip(k)  # directions of their own

    def score(x, k):
        return jnp.sum(op(x, k, stride, padding) ** 3)

    forward = jax.jvp(score, (x, k), (dx, dk))[1]
    gradient_x, gradient_k = jax.grad(score, (0, 1))(x, k)
    reverse = jnp.vdot(gradient_x, dx) + jnp.vdot(gradient_k, dk)
    np.testing.assert_allclose(forward, reverse, rtol=1e-4)


def test_gradients_on_cpu_have_no_convolution():
    # Within a loop XLA runs those of its own gradients a hundred times slower.
    x, k = draw((6, 6, 16), (3, 3, 8), jnp.float32)
    _, pull_back = jax.vjp(ops.conv, x, k)
    lower = jax.jit(pull_back).trace(jnp.ones((3, 4, 4, 8))).lower
    assert "stablehlo.convolution" not in lower(lowering_platforms=("cpu",)).as_text()
    value = jax.jit(ops.conv).trace(x, k).lower(lowering_platforms=("cpu",)).as_text()
    assert value.count("stablehlo.convolution") == 1


@pytest.mark.parametrize(("side", "convolutions"), [(3, 1), (2, 0)])
def test_a_kernel_larger_than_the_image_is_not_left_to_the_naive_loop(side, convolutions):
    x, k = draw((side, 3, 16), (3, 3, 8), jnp.float32)
    padded = jax.jit(lambda x, k: ops.conv(x, k, 1, "SAME")).trace(x, k)
    program = padded.lower(lowering_platforms=("cpu",)).as_text()
    assert program.count("stablehlo.convolution") == convolutions


@pytest.mark.parametrize("op", [ops.conv, ops.conv_transpose])
def test_cpu_program_of_few_channels_has_no_convolution_and_gpu_program_has(op):
    x, k = draw((6, 6, 3), (4, 4, 2), jnp.float32)
    gradient = jax.jit(jax.grad(lambda x, k: jnp.sum(op(x, k) ** 2), (0, 1)))
    traced = gradient.trace(x, k)
    for platform, convolutions in (("cpu", False), ("cuda", True), ("tpu", True)):
        program = traced.lower(lowering_platforms=(platform,)).as_text()
        assert ("stablehlo.convolution" in program) is convolutions
    assert "conditional(" not in gradient.lower(x, k).compile().as_text()


def test_transpose_matches_the_pytorch_definition():
    # One pixel of value 1, stride 2, kernel 4, PyTorch padding 1 (here 4 - 1 - 1 = 2): the output
    # is the centre of PyTorch's kernel, which is this one flipped. Worked out by hand.
    kernel = jnp.arange(16.0).reshape(4, 4, 1, 1)
    y = ops.conv_transpose(jnp.ones((1, 1, 1, 1)), kernel, 2, 2)
    np.testing.assert_array_equal(y[0, :, :, 0], [[10.0, 9.0], [6.0, 5.0]])


@pytest.mark.parametrize("op", [ops.conv, ops.conv_transpose])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel": (3, 3, 2, 4)}, "do not fit"),
        ({"x": (8, 8, 3)}, "do not fit"),
        ({"stride": 0}, "stride=0"),
        ({"stride": (1, 1, 1)}, "stride="),
        ({"padding": "same"}, "padding='same'"),
        ({"padding": ((1, 1),)}, "padding="),
        ({"kernel": (50, 3, 3, 4), "padding": 0}, "does not fit"),
    ],
)
def test_bad_arguments_are_refused(op, arguments, message):
    x = jnp.zeros(arguments.get("x", (1, 8, 8, 3)))
    kernel = jnp.zeros(arguments.get("kernel", (3, 3, 3, 4)))
    with pytest.raises(JaxgenError, match=message):
        op(x, kernel, arguments.get("stride", 1), arguments.get("padding", "SAME"))


def test_stride_accepts_numpy_integers():
    assert ops.conv(jnp.zeros((1, 8, 8, 3)), jnp.zeros((3, 3, 3, 4)), np.int64(2)).shape[1] == 3
