"""Images in rows and columns with names: where they lie, and how large the picture is."""

import numpy as np

from jaxgen.display import tables_of_images


def test_images_lie_in_their_rows_and_columns():
    grey = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3, 1, 1, 1)
    images = np.broadcast_to(grey, (2, 3, 10, 20, 1))
    headings, names = ["given", "0", "a heading that is long"], ["1", "2"]
    made = tables_of_images.table(images, headings, names, scale=2, first_apart=True)
    assert made.shape[:2] == tables_of_images.size(2, (10, 20), headings, names, 2)[::-1]
    # Rows of 20 pixels and 4 between them, below a line of 18; columns of 40, a gap of 12.
    for row in range(2):
        for column in range(3):
            middle = made[18 + 24 * row + 10, 12 + 44 * column + 12 * (column > 0) + 20]
            np.testing.assert_array_equal(middle, [round(255 * (3 * row + column) / 5)] * 3)
    assert (made[18:, 53:64] == 255).all()
    assert (made[:18, :100] < 100).any()
    assert (made[18:40, :11] < 100).any()


def test_colours_are_kept():
    red = np.stack([np.ones((1, 1, 4, 4)), *[-np.ones((1, 1, 4, 4))] * 2], axis=-1)
    made = tables_of_images.table(red, ["x"])
    np.testing.assert_array_equal(made[22, 8], [255, 0, 0])
