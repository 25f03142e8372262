"""What is drawn: facts by chance, digits in their colours and places, and facts as features."""

import numpy as np

from jaxgen.data.scenes.rendering import CENTRES, COLOURS, EMPTY, draw, one_hot, scenes_of


def test_digits_of_a_scene_are_in_different_cells_in_reading_order(facts):
    assert {len(scene) for scene in scenes_of(facts)} == {1, 2, 3}
    for scene in scenes_of(facts):
        cells = [(digit.row, digit.column) for digit in scene]
        assert cells == sorted(set(cells))
    present = facts[facts[:, :, 0] != EMPTY]
    assert present.min(0).tolist() == [0] * 5
    assert present.max(0).tolist() == [9, 7, 1, 2, 2]


def test_facts_are_drawn_as_ever(facts):
    # Origin: sample_facts of version 1 with NumPy 2.4's PCG64. Another value here makes every
    # cached set stale: raise build.VERSION with it.
    assert facts[0].tolist() == [[2, 1, 1, 0, 1], [8, 6, 1, 0, 2], [9, 7, 0, 1, 0]]


def test_a_digit_is_drawn_in_its_colour_size_and_place(facts, glyphs):
    image_NHWC, centre_NS2 = draw(np.random.default_rng(1), facts, glyphs)
    for scene, image, centre_S2 in zip(scenes_of(facts), image_NHWC, centre_NS2, strict=True):
        is_ink = np.abs(image.astype(int) - image[0, 0]).max(axis=-1) > 60
        seen = np.zeros_like(is_ink)
        for digit, (row, column) in zip(scene, centre_S2, strict=False):
            assert abs(row - CENTRES[digit.row]) <= 3
            assert abs(column - CENTRES[digit.column]) <= 3
            window = np.s_[max(row - 10, 0) : row + 10, max(column - 10, 0) : column + 10]
            rows, columns = np.nonzero(is_ink[window])
            if len(scene) == 1:
                extent = max(np.ptp(rows), np.ptp(columns)) + 1
                assert (extent <= 14, 15 <= extent <= 20)[digit.size], digit
                strongest = image[window][rows, columns].astype(int)
                strongest = strongest[np.abs(strongest - image[0, 0]).sum(-1).argmax()]
                palette = np.array(list(COLOURS.values()))
                assert np.abs(palette - strongest).sum(-1).argmin() == digit.colour, digit
            assert len(rows) > 5
            seen[window] = True
        assert not (is_ink & ~seen).any()  # and nothing else is drawn


def test_one_hot_attributes_say_what_the_facts_say():
    features = one_hot(np.array([[[3, 1, 0, 2, 1], [EMPTY] * 5, [EMPTY] * 5]], np.int8))
    assert features.shape == (1, 3, 27)
    assert np.flatnonzero(features[0, 0]).tolist() == [0, 1 + 3, 11 + 1, 19 + 0, 21 + 2, 24 + 1]
    assert not features[0, 1:].any()
