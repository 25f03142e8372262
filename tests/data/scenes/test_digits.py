"""Which real digits scenes are made of."""

import numpy as np

from jaxgen.data.scenes import digits as scene_digits


def test_training_and_validation_digits_are_disjoint():
    train, validation = scene_digits.split()
    images = [{image.tobytes() for image in part["image"]} for part in (train, validation)]
    assert len(images[0]) == 4400
    assert len(images[1]) == 600
    assert not images[0] & images[1]
    assert np.bincount(validation["label"]).tolist() == [60] * 10
