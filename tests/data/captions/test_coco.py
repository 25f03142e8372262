"""COCO's folder: which one, and which of its features."""

import numpy as np
import pytest

from jaxgen import settings
from jaxgen.data.captions import course_files
from jaxgen.data.captions.base import load_captions
from jaxgen.data.captions.coco import Coco
from jaxgen.data.captions.course_files import course_layout
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.errors import JaxgenError


def test_features_are_reduced_or_as_the_network_gave_them(tmp_path):
    sentences = {"train": [["a cat"], ["a dog"]], "val": [["a cat"]]}
    vocabulary = Vocabulary.of_sentences(["a cat", "a dog"], 1)
    layout = course_layout("vgg16_fc7")
    course_files.write_captions(tmp_path, layout, sentences, vocabulary, 4)
    course_files.write_pictures(tmp_path, layout, {"train": ["0", "1"], "val": ["2"]})
    for stem, width in (("vgg16_fc7", 5), ("vgg16_fc7_pca", 3)):
        arrays = {"train": np.ones((2, width)), "val": np.ones((1, width))}
        course_files.write_features(tmp_path, course_layout(stem), arrays)
    assert load_captions(Coco(str(tmp_path))).train.features.shape == (2, 3)
    assert load_captions(Coco(str(tmp_path), pca=False)).validation.features.shape == (1, 5)


def test_the_folder_must_be_given_and_there(tmp_path):
    with pytest.raises(JaxgenError, match=r"give data\.dir, a folder with coco2014_captions\.h5"):
        load_captions(Coco())
    with settings.flags_spelled(), pytest.raises(JaxgenError, match=r"give --data\.dir"):
        load_captions(Coco())
    with pytest.raises(JaxgenError, match=r"^data\.dir .*absent is not a folder"):
        load_captions(Coco(str(tmp_path / "absent")))
    with pytest.raises(JaxgenError, match=r"data\.in_memory_mb must be at least 0"):
        load_captions(Coco(in_memory_mb=-1))
