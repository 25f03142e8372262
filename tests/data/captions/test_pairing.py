"""Captions of a captioner find the references of their images."""

import json
from pathlib import Path

import pytest

from jaxgen.data.captions import caption_sets, pairing
from jaxgen.data.captions.caption_sets import Captioned, CaptionSet
from jaxgen.errors import JaxgenError

PATH = Path("made.json")
IMAGES = [
    Captioned("val/COCO_1.jpg", 1, "test", ["a cat", "cats"]),
    Captioned("val/COCO_2.jpg", 2, "test", ["a dog"]),
    Captioned("COCO_3.jpg", 3, "val", ["a bird"]),
]


def results(**captions):
    images = [Captioned(None, int(key[1:]), None, [text]) for key, text in captions.items()]
    return CaptionSet("results", images, [])


@pytest.mark.parametrize(
    "image",
    [
        Captioned(None, 2, None, ["x"]),
        Captioned(None, "2", None, ["x"]),
        Captioned(None, "COCO_2.jpg", None, ["x"]),
        Captioned("./val/COCO_2.jpg", None, None, ["x"]),
        Captioned("elsewhere/COCO_2.jpg", None, None, ["x"]),
    ],
)
def test_an_image_is_found_by_id_or_file(image):
    found = pairing.paired(CaptionSet("list", [image], []), IMAGES, "skip", PATH)
    assert (found.made, found.references, found.left_out) == (["x"], [["a dog"]], 2)


def test_a_last_part_that_two_images_have_says_nothing():
    images = [Captioned("a/1.jpg", None, None, ["x"]), Captioned("b/1.jpg", None, None, ["y"])]
    one = [Captioned("b/1.jpg", None, None, ["z"])]
    assert pairing.paired(CaptionSet("list", one, []), images, "skip", PATH).references == [["y"]]
    with pytest.raises(JaxgenError, match=r"no caption of made.json is of an image that has ref"):
        pairing.paired(
            CaptionSet("list", [Captioned("1.jpg", None, None, ["z"])], []), images, "skip", PATH
        )


def test_all_images_in_the_order_of_the_references():
    found = pairing.paired(results(_3="c", _1="a", _2="b"), IMAGES, "refuse", PATH)
    assert found.made == ["a", "b", "c"]
    assert found.references == [image.captions for image in IMAGES]
    assert (found.left_out, found.notes) == (0, [])


def test_what_has_no_counterpart_is_refused_left_out_or_empty():
    made = results(_1="a", _2="", _9="x")
    with pytest.raises(
        JaxgenError, match=r"1 of 3 images have no caption \(3, for one\) and 1 capt"
    ):
        pairing.paired(made, IMAGES, "refuse", PATH)
    skipped = pairing.paired(made, IMAGES, "skip", PATH)
    assert (skipped.made, skipped.left_out, len(skipped.notes)) == (["a", ""], 2, 2)
    empty = pairing.paired(made, IMAGES, "empty", PATH)
    assert (empty.made, empty.left_out) == (["a", "", ""], 1)
    assert "are measured as empty" in empty.notes[0] and "are left out" in empty.notes[1]


def test_one_caption_for_each_image():
    two = [Captioned(None, 1, None, ["a", "b"])]
    with pytest.raises(JaxgenError, match=r"made.json has 2 captions of the image 1; give one"):
        pairing.paired(CaptionSet("results", two, []), IMAGES, "skip", PATH)
    two = [Captioned(None, 1, None, ["a"]), Captioned(None, "COCO_1.jpg", None, ["b"])]
    with pytest.raises(JaxgenError, match=r"made.json has two captions of the image 'COCO_1.jpg'"):
        pairing.paired(CaptionSet("results", two, []), IMAGES, "skip", PATH)


def test_splits_of_references(tmp_path):
    found = CaptionSet("karpathy", [*IMAGES, Captioned("4", 4, "test", [])], [])
    assert pairing.of_split(found, "test", PATH) == IMAGES[:2]
    assert pairing.of_split(found, "", PATH) == IMAGES
    with pytest.raises(JaxgenError, match="no image of the split 'dev'; it has test, val"):
        pairing.of_split(found, "dev", PATH)
    unsplit = CaptionSet("coco", [Captioned("4", 4, None, [])], [])
    with pytest.raises(JaxgenError, match="no image of the split 'dev'; it names no splits"):
        pairing.of_split(unsplit, "dev", PATH)
    with pytest.raises(JaxgenError, match=r"no image of made.json has a caption"):
        pairing.of_split(unsplit, "", PATH)


def test_training_captions_are_those_of_train_and_restval(tmp_path):
    images = [
        {"filename": f"{split}.jpg", "split": split, "sentences": [{"raw": split}]}
        for split in ("train", "restval", "val", "test")
    ]
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps({"images": images}))
    assert pairing.training_captions(caption_sets.read(path)) == ["train", "restval"]
    path.write_text(json.dumps({"a.jpg": ["x", "y"]}))
    assert pairing.training_captions(caption_sets.read(path)) == ["x", "y"]
