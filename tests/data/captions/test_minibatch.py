"""A minibatch holds captions with the features and URLs of their own images."""

import numpy as np
import pytest

from jaxgen.data.captions.contents import CaptionData, Features, Split
from jaxgen.data.captions.minibatch import sample_minibatch
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.errors import JaxgenError

VOCABULARY = Vocabulary.of_sentences(["a cat"], 1)


def split(images, name, read=False):
    """Two captions an image; caption, feature and URL tell the image's number."""
    index_N = np.repeat(np.arange(images, dtype=np.int32), 2)
    captions = {"captions": np.stack([index_N] * 3, axis=1), "image_index": index_N}
    array = np.repeat(np.arange(images, dtype=np.float32)[:, None], 2, axis=1)
    features = Features.of(array)
    if read:
        features = Features(array.shape, read=lambda rows: array[rows])
    return Split(captions, features, [f"{name}{image}.png" for image in range(images)])


DATA = CaptionData(split(7, "t"), split(3, "v", read=True), VOCABULARY)


@pytest.mark.parametrize(("name", "letter", "images"), [("train", "t", 7), ("validation", "v", 3)])
def test_rows_belong_together(name, letter, images):
    captions, features, urls = sample_minibatch(DATA, 50, name, seed=1)
    assert captions.shape == (50, 3) and captions.dtype == np.int32
    assert features.shape == (50, 2) and features.dtype == np.float32
    np.testing.assert_array_equal(features[:, 0], captions[:, 0])
    assert urls == [f"{letter}{image}.png" for image in captions[:, 0]]
    assert set(captions[:, 0]) == set(range(images))  # more than there are: some come twice


def test_depends_on_the_seed_alone():
    first, again, other = (sample_minibatch(DATA, 20, seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.captions, again.captions)
    assert not np.array_equal(first.captions, other.captions)
    assert len(sample_minibatch(DATA).urls) == 100


def test_what_cannot_be_drawn_is_told():
    for arguments, sentence in [
        ((5, "val"), "split must be 'train' or 'validation', got 'val'"),
        ((0,), "batch_size 0 must be at least 1"),
        ((5, "train", -1), "seed -1 not negative"),
    ]:
        with pytest.raises(JaxgenError, match=sentence):
            sample_minibatch(DATA, *arguments)
    with pytest.raises(JaxgenError, match="'train' has no captions"):
        sample_minibatch(CaptionData(split(0, "t"), split(1, "v"), VOCABULARY))
