"""What a file calls pictures, and what they are called in a folder."""

import pytest

from jaxgen.data.captions import caption_splits


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/1.png", "a/1.png"),
        ("1.png", None),  # there are two
        ("2.png", "b/c/2.png"),
        ("c/2.png", "b/c/2.png"),
        ("x/b/c/2.png", "b/c/2.png"),
        ("a/2.png", None),  # another folder's
        ("val2014/3.png", "3.png"),
        ("13.png", None),
    ],
)
def test_folders_may_be_left_out_and_may_not_differ(path, name):
    names = ["a/1.png", "b/1.png", "b/c/2.png", "3.png"]
    assert caption_splits.in_folder([path], names).get(path) == name
