"""Captions in CSV and JSON files, and the plain words in them."""

import json

import pytest

from jaxgen.data.captions import caption_files
from jaxgen.errors import JaxgenError

PAIRS = [("a.png", "A dog, running."), ("sub/b.png", 'He said "hi"'), ("a.png", "Ein Hund läuft")]
AS_OBJECT = {"a.png": ["A dog, running.", "Ein Hund läuft"], "sub/b.png": ['He said "hi"']}
AS_COCO = {
    "info": {},
    "images": [{"id": 7, "file_name": "a.png"}, {"id": 3, "file_name": "sub/b.png"}],
    "annotations": [
        {"id": 1, "image_id": 7, "caption": "A dog, running."},
        {"id": 2, "image_id": 3, "caption": 'He said "hi"'},
        {"id": 3, "image_id": 7, "caption": "Ein Hund läuft"},
    ],
}


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_with_quotes_more_columns_and_a_byte_order_mark(tmp_path, mark):
    content = (
        mark + 'number,Image, Caption\n1,a.png,"A dog, running."\n2,./sub/b.png,"He said ""hi"""\n'
        "3, a.png ,Ein Hund läuft\n"
    )
    assert caption_files.read(written(tmp_path, "captions.txt", content)) == PAIRS


def test_the_three_forms_of_json(tmp_path):
    as_list = [{"image": image, "caption": caption} for image, caption in PAIRS]
    for content in (as_list, AS_COCO):
        assert caption_files.read(written(tmp_path, "captions.json", content)) == PAIRS
    path = written(tmp_path, "captions.JSON", AS_OBJECT)
    assert sorted(caption_files.read(path)) == sorted(PAIRS)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "picture,text\na.png,dog\n", "first line has picture, text"),
        ("a.csv", "", "first line has nothing"),
        ("a.csv", 'a\0b,"c\nd"\n', r"first line has a\\x00b, c d$"),
        ("a.csv", "x" * 100_000 + "\n", r"first line has x{197}\.\.\.$"),
        ("a.json", [{"image": 3, "caption": "x" * 9000}], "must be texts, not .3, 'x{1,200}"),
        ("a.json", {"annotations": [{"image_id": "x" * 9000}], "images": []}, "KeyError: 'x"),
        ("a.csv", "image,caption\n", "has no captions"),
        ("a.csv", "image,caption\na.png,a dog, running\n", "line 2 has more fields"),
        ("a.csv", "image,caption\na.png,dog\nb.png\n", "line 3 has fewer fields"),
        ("a.csv", "image,caption\n" + "x" * 200_000, "is not CSV"),
        ("a.json", "{", "is not JSON"),
        ("a.json", "[" * 100_000, "is not JSON"),
        ("a.json", [{"image": "a.png"}], "must hold .*KeyError: 'caption'"),
        ("a.json", ["a dog"], "must hold .*TypeError"),
        ("a.json", 3, "must hold .*AttributeError"),
        ("a.json", {"a.png": "a dog"}, "captions of 'a.png' are not a list"),
        ("a.json", [{"image": "a.png", "caption": 3}], "image and caption 0 must be texts"),
        ("a.json", AS_COCO | {"images": []}, "must hold .*KeyError: 7"),
    ],
)
def test_files_of_another_form_are_refused(tmp_path, name, content, message):
    with pytest.raises(JaxgenError, match=message) as raised:
        caption_files.read(written(tmp_path, name, content))
    assert str(tmp_path / name) in str(raised.value)
    told = str(raised.value).replace(str(tmp_path), "")
    assert told.isprintable() and len(told) < 500


def test_files_of_more_than_an_eighth_of_a_gigabyte_are_refused(tmp_path):
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(2**27 + 1)  # takes no room on the disk
    with pytest.raises(JaxgenError, match=f"{2**27 + 1} bytes are more than {2**27}"):
        caption_files.read(path)


def test_files_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"image,caption\na.png,\xff\n")
    for name in ("a.csv", "absent.csv"):
        with pytest.raises(JaxgenError, match=f"{name} cannot be read"):
            caption_files.read(tmp_path / name)


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
