"""Where attention lies on a picture."""

from types import SimpleNamespace

import numpy as np
import pytest

from jaxgen.captioning import attention_maps
from jaxgen.captioning.encoders.scene_cnn import SceneCNNModule

MAPS = np.arange(8, dtype=np.float32).reshape(1, 2, 4)  # of one caption, two words, a grid of 2x2


def writer(encoder):
    module = SimpleNamespace(encoder=encoder)
    return SimpleNamespace(module=module, attention=lambda params, features, words_NL: MAPS)


@pytest.mark.parametrize("encoder", [None, SceneCNNModule(between=True)])
def test_a_map_has_a_number_a_token(encoder):
    (map_LTT,) = attention_maps.maps(writer(encoder), {}, None, np.zeros((1, 2)), True)
    np.testing.assert_array_equal(map_LTT, MAPS.reshape(2, 2, 2))


def test_a_token_that_sees_a_corner_lies_around_it():
    (map_Lhw,) = attention_maps.maps(writer(SceneCNNModule()), {}, None, np.zeros((1, 2)), True)
    np.testing.assert_array_equal(
        map_Lhw[1], [[4, 5, 5, 0], [6, 7, 7, 0], [6, 7, 7, 0], [0, 0, 0, 0]]
    )
