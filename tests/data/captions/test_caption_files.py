"""Pairs of images and captions, and the plain words in captions."""

import json

import pytest

from jaxgen.data.captions import caption_files
from jaxgen.errors import JaxgenError


def test_pairs_are_those_of_images_with_names(tmp_path):
    path = tmp_path / "captions.csv"
    path.write_text("image,caption\nb.png,a cat\n./a.png,a dog\nb.png,two cats\n")
    pairs = [("b.png", "a cat"), ("b.png", "two cats"), ("a.png", "a dog")]
    assert caption_files.read(path) == pairs
    path = tmp_path / "results.json"
    path.write_text(json.dumps([{"image_id": 3, "caption": "a dog"}]))
    with pytest.raises(JaxgenError, match=r"results.json does not name the files of its images"):
        caption_files.read(path)


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("A man's dog, (well-known) runs!", "a mans dog well known runs"),
        ("Two\u2019s  company\nthree_is a crowd \U0001f642", "twos company three is a crowd"),
        ("<START> 3.5 m", "start 3 5 m"),
        ("ÉTÉ à l'île; ﬁn", "été à lîle fin"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),
        ("...!", ""),
    ],
)
def test_words(sentence, words):
    assert caption_files.words(sentence) == words
