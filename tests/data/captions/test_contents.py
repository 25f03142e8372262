"""Features of images, in memory and read when they are needed."""

import numpy as np
import pytest

from jaxgen.data.captions.contents import Features

ARRAY = np.arange(12, dtype=np.float64).reshape(4, 3)
ROWS = np.array([[3, 0, 3], [1, 1, 0]])


def test_features_in_memory_are_single_precision():
    for array in (ARRAY, ARRAY.astype(int), ARRAY.tolist()):
        features = Features.of(array)
        assert features.shape == (4, 3)
        gathered = features.gather(ROWS)
        assert gathered.dtype == np.float32
        np.testing.assert_array_equal(gathered, ARRAY[ROWS])


def test_pictures_stay_as_they_are():
    array = np.arange(4 * 2 * 2 * 3).reshape(4, 2, 2, 3).astype(np.uint8)
    for features in (Features.of(array), Features(array.shape, read=lambda rows: array[rows])):
        assert features.are_pictures
        assert features.bytes_of_one == 12
        gathered = features.gather(ROWS)
        assert gathered.dtype == np.uint8
        np.testing.assert_array_equal(gathered, array[ROWS])


def test_rows_are_read_in_order_and_once():
    asked = []

    def read(rows):
        asked.append(rows.tolist())
        return ARRAY[rows]

    gathered = Features((4, 3), read=read).gather(ROWS)
    assert asked == [[0, 1, 3]]
    assert gathered.dtype == np.float32
    np.testing.assert_array_equal(gathered, ARRAY[ROWS])


def test_features_need_a_source():
    with pytest.raises(ValueError, match="an array, or a function"):
        Features((4, 3)).gather(ROWS)
