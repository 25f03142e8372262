"""Numerical gradients of functions whose gradients are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.nn.checking import (
    count_params,
    eval_numerical_gradient,
    eval_numerical_gradient_array,
    rel_error,
)
from jaxgen.nn.recurrence import rnn_step


def test_relative_error_is_the_courses():
    """|1 - 3| / (1 + 3) is larger than 1e-9 / 1e-8."""
    assert rel_error([1.0, 1e-9], [3.0, 0.0]) == 0.5
    assert rel_error([0.0, 1e-9], [0.0, 0.0]) == pytest.approx(0.1)
    assert rel_error([], []) == 0
    with pytest.raises(JaxgenError, match=r"\(2, 1\) and \(2,\) cannot be compared"):
        rel_error(np.ones((2, 1)), np.ones(2))


def test_gradient_of_a_cubic_form():
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    before = x.copy()
    gradient = eval_numerical_gradient(lambda x: np.sum(x**3), x)
    assert gradient.dtype == np.float64
    np.testing.assert_allclose(gradient, 3 * x**2, rtol=1e-8)
    np.testing.assert_array_equal(x, before)
    assert eval_numerical_gradient(lambda x: float(x**2), 3) == pytest.approx(6)


def test_gradient_through_an_array():
    x, df = np.array([1.0, 2.0, -1.0]), np.array([[0.5, -1.0, 2.0], [1.0, 0.0, 3.0]])
    matrix = np.array([[1.0, 2.0], [3.0, -1.0]])
    gradient = eval_numerical_gradient_array(lambda x: matrix @ np.stack([x, x**2]), x, df)
    through = matrix.T @ df
    np.testing.assert_allclose(gradient, through[0] + 2 * x * through[1], rtol=1e-8)


def test_of_a_jax_function(x64):
    rng = np.random.default_rng(0)
    x, h, Wx, Wh, b = (rng.normal(size=s) for s in ((2, 3), (2, 4), (3, 4), (4, 4), (4,)))
    df = rng.normal(size=(2, 4))
    step = jax.jit(lambda Wh: rnn_step(x, h, Wx, Wh, b))
    exact = jax.grad(lambda Wh: jnp.sum(step(Wh) * df))(Wh)
    assert rel_error(exact, eval_numerical_gradient_array(step, Wh, df)) < 1e-6


@pytest.mark.parametrize(
    ("f", "sentence"),
    [
        (jnp.sum, "returns float32, too coarse .*jax.enable_x64"),
        (lambda x: x, r"returns shape \(2,\), not \(\): give a `df`"),
    ],
)
def test_functions_that_cannot_be_differentiated_so_are_told(f, sentence):
    with pytest.raises(JaxgenError, match=sentence):
        eval_numerical_gradient(f, np.ones(2))


def test_parameters_are_counted_in_arrays_and_in_shapes():
    params = {"kernel": np.zeros((3, 4)), "bias": jax.ShapeDtypeStruct((4,), np.float32)}
    assert count_params(params) == 16
    assert count_params({}) == 0
