"""Encoders beside numbers of PyTorch's modules, and what they promise of sizes and precisions."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxgen.nn import precision
from jaxgen.nn.encoders import base
from jaxgen.nn.encoders.known import ENCODERS
from jaxgen.nn.encoders.vgg import VGG16, averaged
from tests.nn.encoders import formula

REFERENCE = Path(__file__).parents[2] / "reference" / "encoders.npz"
NARROW = {"vgg16": VGG16(hidden=128)}


def with_formula(name):
    """An encoder, VGG-16 with narrow dense layers, and the variables of the formula."""
    encoder = ENCODERS[name]
    encoder = dataclasses.replace(encoder, module=NARROW.get(name, encoder.module))
    variables, _ = encoder.shapes(64)
    made = {}
    for path, leaf in flatten_dict(variables).items():
        called = base.stored_name(path)
        array = formula.weight(called, base.stored_shape(leaf.shape))
        made[path] = base.arranged(encoder.stored(called, array))
    return encoder, unflatten_dict(made)


@pytest.mark.parametrize("name", ["resnet50", "vgg16"])
def test_numbers_are_those_of_torchvisions_module(name):
    encoder, variables = with_formula(name)
    found = jax.jit(encoder.encoded)(variables, formula.picture(64, 96))
    with np.load(REFERENCE) as file:
        for array, (key, step) in zip(found, formula.STEPS.items(), strict=True):
            right = file[f"{name}/{key}"]
            atol = 1e-4 * np.abs(right).max()
            np.testing.assert_allclose(array[..., ::step], right, rtol=0, atol=atol, err_msg=key)


@pytest.mark.parametrize(
    ("name", "parameters", "width", "channels"),
    [
        ("lite0", 4_652_008, 1280, 1280),
        ("vgg16", 138_357_544, 4096, 512),
        ("resnet50", 25_557_032, 2048, 2048),
        ("resnet101", 44_549_160, 2048, 2048),
    ],
)
def test_parameters_and_shapes_are_the_published_ones(name, parameters, width, channels):
    variables, encoded = ENCODERS[name].shapes()
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == parameters
    assert encoded.vector_NF.shape == (1, width)
    assert encoded.grid_NHWC.shape == (1, 7, 7, channels)
    assert encoded.logits_NK.shape == (1, 1000)
    _, larger = ENCODERS[name].shapes(320)
    assert larger.grid_NHWC.shape == (1, 10, 10, channels)
    assert larger.vector_NF.shape == (1, width)
    _, smallest = ENCODERS[name].shapes(ENCODERS[name].least)
    assert smallest.grid_NHWC.shape == (1, 1, 1, channels)


def test_bfloat16_rounds_and_hands_on_float32():
    encoder, variables = with_formula("resnet50")
    pixels = formula.picture(32, 32)

    @jax.jit
    def rounded(variables, pixels):
        with precision.using("bfloat16"):
            return encoder.encoded(variables, pixels)

    exact, found = jax.jit(encoder.encoded)(variables, pixels), rounded(variables, pixels)
    for one, other in zip(exact, found, strict=True):
        assert other.dtype == np.float32
        difference = np.abs(one - other).max() / np.abs(one).max()
        assert 1e-5 < difference < 0.1


def test_in_training_batch_norm_follows_the_batch():
    encoder = ENCODERS["lite0"]
    pixels = np.float32(formula.picture(32, 32)) / 128 - 1
    shapes, _ = encoder.shapes(32)
    variables = jax.tree.map(lambda leaf: np.full(leaf.shape, 0.5, leaf.dtype), shapes)

    @jax.jit
    def trained(variables):
        return encoder.module.apply(variables, pixels, train=True, mutable=["batch_stats"])[1]

    (mean,) = (trained(variables)["batch_stats"]["_bn0"]["BatchNorm_0"]["mean"],)
    # Of kernels of 0.5 each sees the sum over its window; TensorFlow pads below and on the right.
    padded = np.pad(pixels, ((0, 0), (0, 1), (0, 1), (0, 0))).sum(-1)
    windows = sum(padded[:, i : i + 31 : 2, j : j + 31 : 2] for i in range(3) for j in range(3))
    right = 0.99 * 0.5 + 0.01 * 0.5 * windows.mean()
    np.testing.assert_allclose(mean, np.full(32, right), rtol=1e-5)


def test_means_over_parts_are_those_of_adaptive_pooling():
    x = np.float32(np.arange(2 * 3 * 10 * 1).reshape(2, 3, 10, 1))
    found = averaged(x, 7)
    assert found.shape == (2, 7, 7, 1)
    # PyTorch: part i of 10 in 7 is [10 i // 7, ceil(10 (i + 1) / 7)); of 3 each is one or two rows.
    assert found[0, 0, 0, 0] == x[0, 0, 0:2].mean()
    assert found[1, 2, 3, 0] == pytest.approx(x[1, 0:2, 4:6].mean())
    same = np.float32(np.arange(49).reshape(1, 7, 7, 1))
    assert averaged(same, 7) is same


def test_in_double_precision_encoders_stay_in_float32(x64):
    encoder, variables = with_formula("resnet50")
    shapes = jax.eval_shape(encoder.encoded, variables, formula.picture(32, 32))
    assert {leaf.dtype for leaf in shapes} == {np.dtype(np.float32)}
    encoder, variables = with_formula("vgg16")
    shapes = jax.eval_shape(encoder.encoded, variables, formula.picture(32, 64))
    assert {leaf.dtype for leaf in shapes} == {np.dtype(np.float32)}
