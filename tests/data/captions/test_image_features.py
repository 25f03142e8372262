"""Features of pictures without a network: pixels, files, principal components."""

import numpy as np
import pytest

from jaxgen.data.captions import image_features
from jaxgen.errors import JaxgenError


@pytest.mark.parametrize("shape", [(60, 12), (9, 40)])  # more images than features, and fewer
def test_principal_components_keep_all_distances(shape):
    rng = np.random.default_rng(0)
    features = (5 + rng.normal(size=shape) * np.linspace(1, 3, shape[1])).astype(np.float32)
    mean, projection = image_features.principal_components(features)
    assert projection.shape == (shape[1], min(shape[0] - 1, shape[1]))
    reduced = (features - mean) @ projection
    np.testing.assert_allclose(reduced.var(axis=0).mean(), 1, rtol=1e-4)
    covariance = reduced.T @ reduced / len(reduced)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-4)
    assert (np.diff(np.diag(covariance)) < 1e-4).all()  # the widest first

    def distances(x):
        return np.linalg.norm(x[:, None] - x[None], axis=-1)

    whole, part = distances(features), distances(reduced)
    np.testing.assert_allclose(part / part.max(), whole / whole.max(), atol=1e-4)


def test_principal_components_of_few_or_equal_images_are_finite():
    for features in (np.ones((1, 3)), np.ones((5, 3))):
        mean, projection = image_features.principal_components(features)
        assert projection.shape == (3, 1)
        assert np.isfinite((features - mean) @ projection).all()


def test_pixels_are_features_in_the_range_of_the_networks():
    image = np.zeros((2, 4, 4, 3), np.uint8)
    image[1] = 255
    features = image_features.of_pixels(image)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features, np.repeat([[-1.0], [1.0]], 48, axis=1))


def test_a_file_of_features(tmp_path):
    path = tmp_path / "features.npy"
    np.save(path, np.arange(6).reshape(3, 2))
    features = image_features.read(path, 3)
    assert features.dtype == np.float32
    assert features.tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 2)), r"shape \(4, 2\): expected \(3, width\)"),
        (np.zeros(3), r"shape \(3,\)"),
        (np.zeros((3, 0)), r"shape \(3, 0\)"),
        (np.array([["a"]] * 3), "real numbers"),
        (np.array([[1], [2], [np.inf]]), "row 2 .* not finite"),
        (np.array([{}] * 3), "cannot be read as a .npy file"),  # an object needs unpickling
    ],
)
def test_unsound_features_are_refused(tmp_path, array, message):
    path = tmp_path / "features.npy"
    np.save(path, array)
    with pytest.raises(JaxgenError, match=message):
        image_features.read(path, 3)
    for content in (b"", b"text"):
        path.write_bytes(content)
        with pytest.raises(JaxgenError, match="cannot be read"):
            image_features.read(path, 3)
