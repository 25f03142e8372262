"""FID's Inception-v3 beside torch-fidelity's and pytorch-fid's, and the scaling before it."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxgen.data.photographs import weights
from jaxgen.errors import JaxgenError
from jaxgen.nn.encoders import base
from jaxgen.nn.encoders.inception import averaged, inception, scaled
from tests.nn.encoders import formula

REFERENCE = Path(__file__).parents[2] / "reference" / "inception.npz"
SIDE = 107  # of the reference


def test_numbers_are_those_of_torch_fidelitys_module():
    encoder = dataclasses.replace(inception, size=SIDE)
    variables, _ = encoder.shapes()
    made = {}
    for path, leaf in flatten_dict(variables).items():
        array = formula.weight(base.stored_name(path), base.stored_shape(leaf.shape))
        made[path] = base.arranged(array)
    found = jax.jit(encoder.encoded)(unflatten_dict(made), formula.picture(SIDE, SIDE))
    with np.load(REFERENCE) as file:
        for key, array in (("vector", found.vector_NF), ("logits", found.logits_NK)):
            right = file[key]
            atol = 1e-5 * np.abs(right).max()
            np.testing.assert_allclose(array[:, :: formula.STEPS[key]], right, rtol=0, atol=atol)


def test_parameters_and_shapes_are_those_of_the_file():
    variables, encoded = inception.shapes()
    # torchvision's 27,161,264 without the auxiliary classifier's 3,326,696, with 8 classes more.
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == 23_850_960
    assert encoded.vector_NF.shape == (1, 2048)
    assert encoded.grid_NHWC.shape == (1, 8, 8, 2048)
    assert encoded.logits_NK.shape == (1, 1008)


def test_pictures_are_scaled_without_aligned_corners_and_without_a_filter():
    row = jnp.array([0.0, 4.0, 8.0])[None, None, :, None]
    square = row + 10 * row.swapaxes(1, 2)
    wider = scaled(square, 6)[0, :, :, 0]
    np.testing.assert_array_equal(wider[0], [0, 2, 4, 6, 8, 8])
    np.testing.assert_array_equal(wider[:, 0], [0, 20, 40, 60, 80, 80])
    np.testing.assert_allclose(scaled(square, 2)[0, :, :, 0], [[0, 6], [60, 66]])
    checks = jnp.asarray(np.indices((8, 8)).sum(0) % 2, jnp.float32)[None, :, :, None]
    assert not scaled(checks, 4).any()  # every second pixel is never seen
    assert scaled(square, 3) is square


def test_means_leave_the_padding_out():
    ones = jnp.ones((1, 5, 4, 2))
    np.testing.assert_allclose(averaged(ones), ones, rtol=1e-6)
    ramp = jnp.arange(12.0).reshape(1, 3, 4, 1)
    found = averaged(ramp)[0, :, :, 0]
    np.testing.assert_allclose(found[0, 0], np.mean([0, 1, 4, 5]))
    np.testing.assert_allclose(found[1, 2], np.mean([1, 2, 3, 5, 6, 7, 9, 10, 11]))
    np.testing.assert_allclose(found[2, 3], np.mean([6, 7, 10, 11]))


def test_in_double_precision_it_stays_in_float32(x64):
    picture = jnp.ones((1, 5, 4, 3), jnp.float32)
    assert scaled(picture, 7).dtype == averaged(picture).dtype == np.float32


def test_without_a_file_the_message_names_it():
    with pytest.raises(JaxgenError, match=r"do not come with jaxgen.*2015-12-05-6726825d\.pth"):
        weights.load(inception)


@pytest.mark.parametrize(("size", "zipped"), [((32, 48), True), ((310, 299), False)])
def test_features_are_equal_to_torch_fidelitys(size, zipped, tmp_path):
    from tests.nn.encoders.inception_module import at_work, torch

    pixels = np.random.default_rng(0).integers(0, 256, (4, *size, 3), np.uint8)
    pixels[2:] = pixels[2:] // 2 + formula.picture(*size) // 3
    module = at_work(pixels)
    path = tmp_path / "weights.pth"
    torch.save(module.state_dict(), path, _use_new_zipfile_serialization=zipped)
    variables = weights.load(inception, path).variables
    path.unlink()
    found = jax.jit(inception.encoded)(variables, pixels)
    with torch.no_grad():
        vector, logits = module(torch.from_numpy(pixels).permute(0, 3, 1, 2))
    assert float(vector.std(0).mean()) > 0.1 * float(vector.mean())  # they do differ
    for mine, theirs in ((found.vector_NF, vector), (found.logits_NK, logits)):
        scale = float(theirs.abs().max())
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-4 * scale)


def test_features_are_equal_to_pytorch_fids_of_the_same_numbers(monkeypatch, tmp_path):
    from tests.nn.encoders.inception_module import at_work, torch

    theirs = pytest.importorskip("pytorch_fid.inception")
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (2, 23, 23, 3), np.uint8).repeat(13, 1).repeat(13, 2)
    pixels = small // 2 + formula.picture(299, 299) // 3
    state = at_work(pixels).state_dict()
    torch.save(state, tmp_path / "weights.pth")
    monkeypatch.setattr(theirs, "load_state_dict_from_url", lambda *args, **kwargs: state)
    # Its own pixels are x / 127.5 - 1; of x / 256 it makes (x - 128) / 128, as TensorFlow's are.
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 256
    with torch.no_grad():
        (right,) = theirs.InceptionV3().eval()(x)
    variables = weights.load(inception, tmp_path / "weights.pth").variables
    found = jax.jit(inception.encoded)(variables, pixels).vector_NF
    right = right[:, :, 0, 0].numpy()
    np.testing.assert_allclose(found, right, rtol=0, atol=2e-4 * np.abs(right).max())
