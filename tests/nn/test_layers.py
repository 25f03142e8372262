"""Batch norm against its definition and against PyTorch."""

import importlib

import jax
import numpy as np
import pytest

from jaxgen.nn.layers import BatchNorm

DENSE_NF = np.array([[1.0, -2.0], [3.0, 0.5], [5.0, 4.0], [-1.0, 1.5]], np.float32)
IMAGES_NHWC = np.sin(np.arange(3 * 2 * 2 * 5, dtype=np.float32)).reshape(3, 2, 2, 5)


def trained(batches):
    """The outputs in training for each batch, the last output in sampling, and the variables."""
    layer = BatchNorm()
    variables = layer.init(jax.random.key(0), batches[0], train=True)
    outputs = []
    for x in batches:
        y, updated = layer.apply(variables, x, train=True, mutable=["batch_stats"])
        outputs.append(y)
        variables = variables | updated
    return outputs, layer.apply(variables, x, train=False), variables


def test_divisor_is_n_in_normalising_and_n_minus_1_in_the_running_variance():
    (y_NF,), running_NF, variables = trained([DENSE_NF])
    mean_F = DENSE_NF.mean(axis=0)
    expected_NF = (DENSE_NF - mean_F) / np.sqrt(DENSE_NF.var(axis=0) + 1e-5)
    np.testing.assert_allclose(y_NF, expected_NF, rtol=1e-5, atol=1e-6)
    stats = variables["batch_stats"]["BatchNorm_0"]  # the names of Flax's layer, as in 0.1.0
    assert set(variables["params"]["BatchNorm_0"]) == {"scale", "bias"}
    variance_F = 0.9 + 0.1 * DENSE_NF.var(axis=0, ddof=1)
    np.testing.assert_allclose(stats["mean"], 0.1 * mean_F, rtol=1e-5)
    np.testing.assert_allclose(stats["var"], variance_F, rtol=1e-5)
    expected_NF = (DENSE_NF - 0.1 * mean_F) / np.sqrt(variance_F + 1e-5)
    np.testing.assert_allclose(running_NF, expected_NF, rtol=1e-5, atol=1e-6)


def test_a_batch_of_one_has_no_variance_but_a_number():
    _, _, variables = trained([DENSE_NF[:1]])
    np.testing.assert_allclose(variables["batch_stats"]["BatchNorm_0"]["var"], 0.9, rtol=1e-6)


@pytest.mark.parametrize("x", [DENSE_NF, IMAGES_NHWC], ids=["dense", "images"])
def test_agrees_with_pytorch(x):
    pytest.importorskip("torch", reason="PyTorch, of the peers in benchmarks/, is not there")
    torch = importlib.import_module("torch")
    kind = torch.nn.BatchNorm1d if x.ndim == 2 else torch.nn.BatchNorm2d
    twin = kind(x.shape[-1])
    batches = [x, x[:2] * 2 + 1, 0.5 - x]
    outputs, running, variables = trained(batches)
    with torch.no_grad():
        for batch, y in zip(batches, outputs, strict=True):
            given = torch.from_numpy(np.moveaxis(batch, -1, 1).copy())
            np.testing.assert_allclose(np.moveaxis(y, -1, 1), twin(given), rtol=1e-4, atol=1e-5)
        twin.eval()
        np.testing.assert_allclose(np.moveaxis(running, -1, 1), twin(given), rtol=1e-4, atol=1e-5)
    stats = variables["batch_stats"]["BatchNorm_0"]
    np.testing.assert_allclose(stats["mean"], twin.running_mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(stats["var"], twin.running_var, rtol=1e-5)
