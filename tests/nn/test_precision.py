"""The policy of precision: what is rounded, what is not, and what programs come of it."""

import re
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from jaxgen.data.photographs import encoding
from jaxgen.data.scenes import features
from jaxgen.metrics.samples import classifier, manifold, networks
from jaxgen.nn import ops, precision
from jaxgen.nn.encoders.base import Encoded
from jaxgen.nn.layers import BatchNorm, Conv, ConvTranspose, Dense
from jaxgen.nn.precision import in_precision
from jaxgen.nn.recurrence import lstm_sequence, rnn_sequence

BF16 = jnp.bfloat16


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def as_rounded(x):
    """float64 of what bfloat16 keeps of an array."""
    return np.asarray(jnp.asarray(x).astype(BF16).astype(jnp.float32), np.float64)


class Layers(nn.Module):
    """One of each layer."""

    @nn.compact
    def __call__(self, x_NHWC):
        x = nn.leaky_relu(Conv(4, window=3, pool=2)(x_NHWC), 0.1)
        x = BatchNorm()(nn.relu(ConvTranspose(3)(x)), train=True)
        return Dense(1, exact=True)(nn.relu(Dense(16)(x.reshape(len(x), -1))))[:, 0]


def variables_and_images():
    images_NHWC = normal(1, 4, 10, 10, 1)
    return Layers().init(jax.random.key(0), images_NHWC), images_NHWC


def score(module, variables, images_NHWC):
    logits_N, _ = module.apply(variables, images_NHWC, mutable=["batch_stats"])
    return logits_N


@pytest.mark.parametrize(
    "spec", ["rd,df->rf", "rf,df->rd", "rd,rf->df", "rd,rf->fd", "nthk,nshk->nhts"]
)
def test_a_product_is_one_of_rounded_operands_summed_in_float32(spec):
    sizes = dict(zip("rdfnthsk", (6, 5, 4, 2, 3, 2, 4, 5), strict=True))
    operands, _ = spec.split("->")
    a, b = (
        normal(i, *(sizes[letter] for letter in letters))
        for i, letters in enumerate(operands.split(","))
    )
    y = jax.jit(ops.rounding_einsum, static_argnums=0)(spec, a, b)
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(y, np.einsum(spec, as_rounded(a), as_rounded(b)), atol=1e-5)


@pytest.mark.parametrize("spec", ["rd,df->rf", "rd,rf->df", "nthk,nshk->nhts"])
def test_a_products_gradients_are_products_of_rounded_operands(spec):
    sizes = dict(zip("rdfnthsk", (6, 5, 4, 2, 3, 2, 4, 5), strict=True))
    of_a, of_b, of_y = re.split(",|->", spec)
    a, b, g = (
        normal(i, *(sizes[letter] for letter in letters))
        for i, letters in enumerate((of_a, of_b, of_y))
    )
    _, back = jax.vjp(lambda a, b: ops.rounding_einsum(spec, a, b), a, b)
    da, db = back(jnp.asarray(g))
    assert (da.dtype, db.dtype) == (jnp.float32, jnp.float32)
    a, b, g = map(as_rounded, (a, b, g))
    np.testing.assert_allclose(da, np.einsum(f"{of_y},{of_b}->{of_a}", g, b), atol=1e-5)
    np.testing.assert_allclose(db, np.einsum(f"{of_a},{of_y}->{of_b}", a, g), atol=1e-5)


def test_an_activations_gradient_is_rounded_and_a_kernels_is_not():
    x, kernel = jnp.asarray(normal(0, 6, 5)).astype(BF16), jnp.asarray(normal(1, 5, 4))
    dx, dkernel = jax.grad(lambda *args: ops.rounding_einsum("rd,df->rf", *args).sum(), (0, 1))(
        x, kernel
    )
    assert (dx.dtype, dkernel.dtype) == (BF16, jnp.float32)


def test_a_product_has_second_derivatives():
    x, kernel = normal(0, 6, 5), normal(1, 5, 4)

    def penalty(product, kernel):
        gradient = jax.grad(lambda x: jnp.tanh(product(x, kernel)).sum())(x)
        return jnp.square(gradient).sum()

    rounded = jax.grad(lambda k: penalty(lambda *args: ops.rounding_einsum("rd,df->rf", *args), k))
    exact = jax.grad(lambda k: penalty(jnp.matmul, k))(kernel)
    error = np.abs(rounded(kernel) - exact).max() / np.abs(exact).max()
    assert 0 < error < 0.02


def test_without_the_policy_nothing_is_rounded():
    x, kernel = normal(0, 6, 5), normal(1, 5, 4)
    np.testing.assert_array_equal(ops.matmul(x, kernel), jnp.asarray(x) @ kernel)
    assert in_precision(Layers(), "float32") == Layers()


@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"stride": (1, 3), "padding": "SAME"}])
@pytest.mark.parametrize("channels", [1, 9])
@pytest.mark.parametrize("transposed", [False, True])
def test_convolutions_are_those_of_rounded_operands(transposed, channels, options):
    x_NHWI, kernel_HWIO = normal(0, 2, 7, 6, channels), normal(1, 4, 3, channels, 5)
    conv = partial(ops.conv_transpose if transposed else ops.conv, **options)
    rounded = [jnp.float32(as_rounded(operand)) for operand in (x_NHWI, kernel_HWIO)]
    expected, back = jax.vjp(conv, *rounded)
    g = as_rounded(normal(2, *expected.shape))
    with precision.using("bfloat16"):
        y, rounded_back = jax.vjp(conv, x_NHWI, kernel_HWIO)
        dx, dkernel = rounded_back(jnp.asarray(g, BF16))
    assert (y.dtype, dx.dtype, dkernel.dtype) == (BF16, jnp.float32, jnp.float32)
    right = (expected, *back(jnp.float32(g)))
    # The result is rounded and so is the image's gradient; the kernel's is only a sum.
    for mine, theirs, share in zip((y, dx, dkernel), right, (0.005, 0.005, 1e-5), strict=True):
        np.testing.assert_allclose(np.float32(mine), theirs, atol=share * np.abs(theirs).max())


@pytest.mark.parametrize("transposed", [False, True])
def test_convolutions_have_second_derivatives(transposed):
    x_NHWI, kernel_HWIO = normal(0, 2, 7, 6, 3), normal(1, 3, 3, 3, 5)
    conv = ops.conv_transpose if transposed else ops.conv

    def penalty(kernel_HWIO):
        def score(x_NHWI):
            return jnp.tanh(0.1 * conv(x_NHWI, kernel_HWIO).astype(jnp.float32)).sum()

        return jnp.square(jax.grad(score)(x_NHWI)).sum()

    exact = jax.grad(penalty)(kernel_HWIO)
    with precision.using("bfloat16"):
        rounded = jax.grad(penalty)(kernel_HWIO)
    error = np.abs(rounded - exact).max() / np.abs(exact).max()
    assert 0 < error < 0.02


def test_parameters_statistics_logits_and_gradients_stay_float32():
    module = in_precision(Layers(), "bfloat16")
    variables, images_NHWC = variables_and_images()
    own = module.init(jax.random.key(0), images_NHWC)
    jax.tree.map(np.testing.assert_array_equal, own["params"], variables["params"])
    logits_N, updated = module.apply(variables, images_NHWC, mutable=["batch_stats"])
    gradient = jax.grad(lambda v: score(module, v, images_NHWC).sum())(variables)
    leaves = jax.tree.leaves((own, logits_N, updated, gradient))
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float32")}


def test_layers_in_bfloat16_agree_with_float32_as_far_as_rounding_allows():
    variables, images_NHWC = variables_and_images()
    found = {}
    for name in ("float32", "bfloat16"):
        module = in_precision(Layers(), name)

        def loss(variables, module=module):
            return jnp.square(score(module, variables, images_NHWC)).mean()

        value, gradient = jax.value_and_grad(loss)(variables)
        found[name] = value, np.concatenate([g.ravel() for g in jax.tree.leaves(gradient)])
    (value, gradient), (rounded, rounded_gradient) = found.values()
    assert value != rounded
    np.testing.assert_allclose(rounded, value, rtol=0.05)
    distance = np.linalg.norm(gradient - rounded_gradient) / np.linalg.norm(gradient)
    assert distance < 0.1


@pytest.mark.parametrize(("sequence", "gates"), [(rnn_sequence, 1), (lstm_sequence, 4)])
def test_recurrences_in_bfloat16_agree_with_float32_as_far_as_rounding_allows(sequence, gates):
    x, h0 = 0.3 * normal(0, 3, 6, 5), 0.3 * normal(1, 3, 4)  # where tanh is not flat
    kernels = normal(2, 5, 4 * gates), 0.5 * normal(3, 4, 4 * gates), normal(4, 4 * gates)

    def loss(kernels):
        return jnp.square(sequence(x, h0, *kernels).astype(jnp.float32)).sum()

    value, exact = jax.value_and_grad(loss)(kernels)
    with precision.using("bfloat16"):
        rounded_value, rounded = jax.value_and_grad(loss)(kernels)
    assert {g.dtype for g in rounded} == {jnp.dtype("float32")}
    assert value != rounded_value
    np.testing.assert_allclose(rounded_value, value, rtol=0.02)
    for a, b in zip(exact, rounded, strict=True):
        assert 0 < np.linalg.norm(a - b) / np.linalg.norm(a) < 0.05


def test_a_module_of_each_precision_has_programs_of_its_own():
    variables, images_NHWC = variables_and_images()
    apply = jax.jit(score, static_argnums=0)
    exact = apply(in_precision(Layers(), "float32"), variables, images_NHWC)
    rounded = apply(in_precision(Layers(), "bfloat16"), variables, images_NHWC)
    assert not np.array_equal(exact, rounded)
    again = apply(in_precision(Layers(), "float32"), variables, images_NHWC)
    np.testing.assert_array_equal(again, exact)


def products_of(text):
    """Types of the operands of each product and convolution of a StableHLO program."""
    lines = re.findall(r"stablehlo\.(?:dot_general|convolution).* : \((.*)\) ->", text)
    return [re.findall(r"x(f32|bf16)>", line) for line in lines]


def test_accelerators_multiply_bfloat16_in_every_product_forward_and_back():
    module = in_precision(Layers(), "bfloat16")
    variables, images_NHWC = variables_and_images()
    step = jax.jit(jax.grad(lambda v: score(module, v, images_NHWC).sum()))
    products = products_of(export.export(step, platforms=["tpu"])(variables).mlir_module())
    assert len(products) == 10  # of four layers, whose logits and images have none
    assert all(operands == ["bf16", "bf16"] for operands in products)


@pytest.mark.skipif(not precision.cpu_is_faster(), reason="this CPU multiplies float32 as fast")
def test_this_cpu_multiplies_bfloat16_in_a_dense_layers_three_products():
    x, kernel = jnp.ones((64, 128), BF16), jnp.ones((128, 256))

    def loss(x, kernel):
        y = ops.rounding_einsum("rd,df->rf", x, kernel)
        return jnp.square(y.astype(BF16).astype(jnp.float32)).sum()

    text = jax.jit(jax.grad(loss, (0, 1))).lower(x, kernel).compile().as_text()
    operands = re.findall(r"\bdot\((.*?)\)", text)
    assert len(operands) == 3
    for pair in operands:
        for name in pair.split(", "):
            name = name.split()[-1]
            (dtype,) = re.findall(rf"{re.escape(name)} = (\w+)\[", text)[:1]
            assert dtype == "bf16", text


@pytest.mark.parametrize(
    ("flags", "faster"),
    [
        ("fpu avx2 avx512f", False),
        ("avx512_bf16", True),
        ("amx_bf16 amx_tile", True),
        (None, False),
    ],
)
def test_whether_a_cpu_is_faster_is_read_from_what_the_system_says(tmp_path, flags, faster):
    if flags is not None:
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc/cpuinfo").write_text(f"model name : CPU\nflags : {flags}\n")
    assert precision.cpu_is_faster(tmp_path) is faster


class TellsPrecision:
    """Stands for an encoder, and keeps the precision that it is traced with."""

    found = ()

    def encoded(self, variables, image_NHWC):
        self.found = (jax.config.jax_default_matmul_precision, precision.rounds())
        zeros = jnp.zeros((len(image_NHWC), 2))
        return Encoded(vector_NF=zeros, grid_NHWC=zeros, logits_NK=zeros)


@pytest.mark.parametrize("program", [networks._program, partial(encoding._program, kind="float32")])
def test_features_of_photographs_are_of_full_precision(program):
    encoder = TellsPrecision()
    with precision.using("bfloat16"):
        program(encoder)({}, np.zeros((2, 3, 3, 3), np.uint8))
    assert encoder.found == ("highest", False)


def test_features_of_digits_and_scenes_and_distances_are_of_full_precision(monkeypatch):
    found = []

    def telling(function):
        def told(*args, **options):
            found.append(jax.config.jax_default_matmul_precision)
            return function(*args, **options)

        return told

    def forward(variables, image_NHWC):
        n = len(image_NHWC)
        return np.zeros((n, 4, 4, features.TOKEN_WIDTH)), np.zeros((n, 1024))

    monkeypatch.setattr(classifier, "_apply", telling(classifier._apply))
    monkeypatch.setattr(features, "_forward", lambda: telling(forward))
    for name in ("_meet", "_nearest"):
        monkeypatch.setattr(manifold, name, telling(getattr(manifold, name)))
    classifier.load("digits").features_and_logits(np.zeros((1, 28, 28), np.float32))
    features.extract({}, np.zeros((1, 64, 64, 3), np.uint8))
    manifold.precision_recall(normal(0, 9, 3), normal(1, 9, 3))
    assert set(found) == {"highest"} and len(found) == 5
