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


def npy(header, data=b""):
    """A file in NumPy's format 1.0 with any header."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, ",  # SyntaxError of Python's parser
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, \"\"\"",  # TokenError
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-3, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2.5)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 10000000000000)}",  # MemoryError
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 10000000000000000000000)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4611686018427387904)}",
        "{'descr': ('<f4', {}), 'fortran_order': False, 'shape': (3, 2)}",  # TypeError
        "{'descr': [('a', '<f4', -1)], 'fortran_order': False, 'shape': (3, 2)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (3, 2)}",
        "{'descr': '<f4', {}: 1, 'shape': (3, 2)}",
        "(" * 3000,
        "\0" * 100,
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)} \U0001f98a",
    ],
)
def test_damaged_headers_make_one_sentence(tmp_path, header):
    path = tmp_path / "features.npy"
    path.write_bytes(npy(header, bytes(20)))  # 4 bytes fewer than 3 rows of 2
    with pytest.raises(JaxgenError, match=r"features .*features\.npy cannot be read") as raised:
        image_features.read(path, 3)
    assert str(raised.value).isprintable()
    assert str(raised.value).endswith("write it with numpy.save")


def test_other_orders_of_bytes_and_axes_are_read(tmp_path):
    path = tmp_path / "features.npy"
    for dtype in (">f8", "u1"):
        np.save(path, np.asfortranarray(np.arange(6, dtype=dtype).reshape(3, 2)))
        assert image_features.read(path, 3).tolist() == [[0, 1], [2, 3], [4, 5]]


def test_an_archive_is_told_apart(tmp_path):
    path = tmp_path / "features.npy"
    with path.open("wb") as file:
        np.savez(file, a=np.ones((3, 2)))
    with pytest.raises(JaxgenError, match=r"must hold one array, as numpy\.save writes it"):
        image_features.read(path, 3)


def test_features_that_no_memory_holds_are_refused(tmp_path):
    path = tmp_path / "features.npy"
    path.write_bytes(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1000000000)}"))
    with path.open("ab") as file:
        file.truncate(13 * 10**9)  # takes no room on the disk
    with pytest.raises(JaxgenError, match=r"shape \(3, 1000000000\), more than the 8589934592"):
        image_features.read(path, 3)
