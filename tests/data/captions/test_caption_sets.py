"""Files of captions in each of the forms that COCO, Karpathy, Flickr and people give them."""

import json

import pytest

from jaxgen.data.captions import caption_sets
from jaxgen.errors import JaxgenError

EXPECTED = {"a.png": ["A dog, running.", "Ein Hund läuft"], "sub/b.png": ['He said "hi"']}
AS_LIST = [
    {"image": image, "caption": caption} for image, some in EXPECTED.items() for caption in some
]
AS_COCO = {
    "info": {},
    "images": [{"id": 7, "file_name": "a.png"}, {"id": 3, "file_name": "./sub/b.png"}],
    "annotations": [
        {"id": 1, "image_id": 7, "caption": "A dog, running."},
        {"id": 2, "image_id": 3, "caption": 'He said "hi"'},
        {"id": 3, "image_id": 7, "caption": "Ein Hund läuft"},
    ],
}
AS_KARPATHY = {
    "dataset": "flickr8k",
    "images": [
        {
            "imgid": 0,
            "filename": "a.png",
            "split": "restval",
            "sentences": [{"raw": "A dog, running."}, {"raw": "Ein Hund läuft", "tokens": ["x"]}],
        },
        {
            "imgid": 1,
            "cocoid": 9,
            "filepath": "sub",
            "filename": "b.png",
            "split": "test",
            "sentences": [{"raw": 'He said "hi"'}],
        },
    ],
}
AS_FLICKR = 'a.png#0\tA dog, running.\n\nsub/b.png#0\tHe said "hi"\na.png#1\tEin Hund läuft\r\n'
AS_CSV = (
    'number,Image, Caption\n1,a.png,"A dog, running."\n2,./sub/b.png,"He said ""hi"""\n'
    "3, a.png ,Ein Hund läuft\n"
)
FORMS = {
    "coco": AS_COCO,
    "karpathy": AS_KARPATHY,
    "flickr": AS_FLICKR,
    "csv": AS_CSV,
    "list": AS_LIST,
    "object": EXPECTED,
}


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["captions.txt", "captions.JSON"])
def test_each_form_is_found_by_its_content(tmp_path, form, name):
    if name.endswith("JSON") and isinstance(FORMS[form], str):
        return
    path = written(tmp_path, name, FORMS[form])
    found = caption_sets.read(path)
    assert found.format == form
    assert {image.name: image.captions for image in found.images} == EXPECTED
    assert found.homeless == []
    assert caption_sets.read(path, form) == found


def test_ids_and_splits(tmp_path):
    def known(content):
        found = caption_sets.read(written(tmp_path, "a", content))
        return [(image.id, image.split) for image in found.images]

    assert known(AS_COCO) == [(7, None), (3, None)]
    assert known(AS_KARPATHY) == [(0, "restval"), (9, "test")]
    assert known(AS_CSV) == [(None, None)] * 2
    assert known("image,caption,split\na,x,train\nb,y,\na,z,train\n") == [
        (None, "train"),
        (None, None),
    ]


def test_results_have_ids_and_no_names(tmp_path):
    content = [{"image_id": 3, "caption": "a"}, {"image_id": "x.png", "caption": ""}]
    found = caption_sets.read(written(tmp_path, "a.json", content))
    assert [(image.name, image.id, image.captions) for image in found.images] == [
        (None, 3, ["a"]),
        (None, "x.png", [""]),
    ]


def test_captions_of_images_that_are_not_described_are_kept_apart(tmp_path):
    content = AS_COCO | {"images": [AS_COCO["images"][0], {"id": "8"}]}
    found = caption_sets.read(written(tmp_path, "a.json", content))
    assert [(image.name, image.id, len(image.captions)) for image in found.images] == [
        ("a.png", 7, 2),
        (None, "8", 0),
    ]
    assert found.homeless == ["3"]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path, mark):
    found = caption_sets.read(written(tmp_path, "captions.txt", mark + AS_CSV))
    assert [image.name for image in found.images] == list(EXPECTED)


COCO_IMAGE = {"id": 1, "file_name": "a.png"}
KARPATHY_IMAGE = AS_KARPATHY["images"][0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "picture,text\na.png,dog\n", "first line has picture, text"),
        ("a.csv", "", "first line has nothing"),
        ("a.csv", 'a\0b,"c\nd"\n', r"first line has a\\x00b, c d \(format"),
        ("a.csv", "x" * 100_000 + "\n", r"first line has x{197}\.\.\. \(format"),
        ("a.csv", "image,caption\n", "has no captions"),
        ("a.csv", "image,caption\na.png,a dog, running\n", "line 2 has more fields"),
        ("a.csv", "image,caption\na.png,dog\nb.png\n", "line 3 has fewer fields"),
        ("a.csv", "image,caption\n" + "x" * 200_000, "is not CSV"),
        (
            "a.csv",
            "image,caption,split\na,x,train\na,y,val\n",
            "line 3 puts 'a' into another split",
        ),
        ("a.csv", "image,caption\na," + "x" * 5_001, "line 2 has a 'caption' of 5001 characters"),
        (
            "a.txt",
            "a.png#0\tdog\nb.png#0 dog\n",
            "line 2 must be IMAGE#NUMBER, a tab and a caption",
        ),
        ("a.json", "{", r"is not JSON \(.* line 1 column 2"),
        ("a.json", "[" * 100_000, "is not JSON"),
        ("a.json", 3, "must hold a list or an object of captions, not 3"),
        ("a.json", [], "has no captions"),
        ("a.json", [{"image": 3, "caption": ""}], "entry 0 has a 'image' of the wrong type: 3 "),
        ("a.json", [{"image": "a.png"}], r"entry 0 has no 'caption' \(read as list"),
        ("a.json", [{"image": "a", "caption": "b"}, "a dog"], "entry 1 must be an object"),
        ("a.json", ["a dog"], "entry 0 must be an object, not 'a dog'"),
        ("a.json", [{"image_id": 1.5, "caption": ""}], "'image_id' of the wrong type: 1.5"),
        ("a.json", [{"image_id": True, "caption": ""}], "'image_id' of the wrong type: True"),
        ("a.json", {"a.png": "a dog"}, "captions of the image 'a.png' are not a list"),
        ("a.json", {"a.png": ["x", 3]}, "caption 1 of the image 'a.png' is not a text: 3"),
        ("a.json", {"images": [], "annotations": 3}, "the file has a 'annotations' of the wrong"),
        (
            "a.json",
            {"images": [], "annotations": [3]},
            r"annotations\[0\] must be an object, not 3",
        ),
        ("a.json", {"images": [3], "annotations": []}, r"images\[0\] must be an object"),
        (
            "a.json",
            {"images": [COCO_IMAGE] * 2, "annotations": []},
            r"images\[1\] is of the image 1",
        ),
        ("a.json", {"images": [COCO_IMAGE], "annotations": []}, "has no captions"),
        ("a.json", {"images": [{"file_name": "a"}]}, r"images\[0\] has no 'filename'"),
        (
            *("a.json", {"images": [KARPATHY_IMAGE | {"sentences": [{"tokens": []}]}]}),
            r"images\[0\].sentences\[0\] has no 'raw' \(read as karpathy",
        ),
        ("a.json", {"images": [KARPATHY_IMAGE, KARPATHY_IMAGE]}, r"images\[1\] is of the image 0"),
        ("a.json", {"images": [], "annotations": [{"image_id": "x" * 5_001}]}, "of 5001 char"),
    ],
)
def test_files_of_another_form_are_refused_with_the_place(tmp_path, name, content, message):
    with pytest.raises(JaxgenError, match=message) as raised:
        caption_sets.read(written(tmp_path, name, content))
    assert str(tmp_path / name) in str(raised.value)
    told = str(raised.value).replace(str(tmp_path), "")
    assert told.isprintable() and len(told) < 500


def test_a_form_can_be_named(tmp_path):
    path = written(tmp_path, "a.json", {"images": ["a dog", "a cat"]})
    assert caption_sets.read(path, "object").images[0].captions == ["a dog", "a cat"]
    for form in FORMS.keys() - {"object"}:
        with pytest.raises(JaxgenError):
            caption_sets.read(path, form)


def test_files_of_more_than_a_quarter_of_a_gigabyte_are_refused(tmp_path):
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(2**28 + 1)  # takes no room on the disk
    with pytest.raises(JaxgenError, match=f"{2**28 + 1} bytes are more than {2**28}"):
        caption_sets.read(path)


def test_files_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"image,caption\na.png,\xff\n")
    for name in ("a.csv", "absent.csv"):
        with pytest.raises(JaxgenError, match=f"{name} cannot be read"):
            caption_sets.read(tmp_path / name)
