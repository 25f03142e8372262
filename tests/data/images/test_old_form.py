"""Sets of images in runs of jaxgen 0.1.0: each of its forms loads, and nothing else does."""

import pytest

from jaxgen.data.images.base import Images
from jaxgen.data.images.idx import Idx
from jaxgen.data.images.mnist5k import Mnist5k
from jaxgen.data.images.pictures import Pictures
from jaxgen.data.images.tfds import Tfds
from jaxgen.errors import JaxgenError
from jaxgen.training import configs

# As jaxgen 0.1.0 wrote it; tests/runs_0_1/gan/config.json has one.
OLD = {
    "name": "mnist5k",
    "dir": "",
    "train": 50_000,
    "validation": 5_000,
    "size": 28,
    "colour": "auto",
}


@pytest.mark.parametrize(
    ("changes", "images"),
    [
        ({}, Mnist5k()),
        ({"train": 4_000, "validation": 0}, Mnist5k(train=4_000)),
        ({"name": "mnist"}, Tfds(name="mnist")),
        ({"name": "mnist", "train": 7, "dir": "a b"}, Tfds(name="mnist", train=7, dir="a b")),
        ({"name": "fashion_mnist", "colour": "grey"}, Tfds(name="fashion_mnist", colour="grey")),
        ({"name": "idx", "dir": "folder"}, Idx(dir="folder")),
        ({"name": "idx", "dir": "folder", "train": 9, "size": 32}, Idx(dir="folder", train=9)),
        ({"name": "pictures", "dir": "folder"}, Pictures(dir="folder")),
        (
            {"name": "pictures", "dir": "folder", "train": 3, "size": 64, "colour": "rgb"},
            Pictures(dir="folder", train=3, size=64, colour="rgb"),
        ),
    ],
)
def test_every_old_form_loads(changes, images):
    loaded = configs.from_json(OLD | changes, Images)
    assert loaded == images
    assert configs.from_json(configs.to_json(loaded, Images), Images) == images


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "cifar10"}, r"^run\.data\.name must be 'mnist5k' or .*, got 'cifar10'$"),
        ({"name": ["mnist5k"]}, r"run\.data\.name must be 'mnist5k' or "),
        ({"name": None}, r"run\.data\.name must be 'mnist5k' or "),
        ({"name": {}}, r"run\.data\.name must be 'mnist5k' or "),
        ({"dir": 3}, r"run\.data\.dir must be a string, got 3"),
        ({"dir": ["x" * 1000]}, r"run\.data\.dir must be a string, got \['x{58}$"),
        ({"train": "all"}, r"run\.data\.train must be a whole number, got 'all'"),
        ({"train": True}, r"run\.data\.train must be a whole number, got True"),
        ({"train": 5.5}, r"run\.data\.train must be a whole number, got 5.5"),
        ({"train": 0}, r"run\.data: train must be at least 1, got 0"),
        ({"validation": [5]}, r"run\.data\.validation must be a whole number"),
        ({"size": {}}, r"run\.data\.size must be a whole number"),
        ({"name": "pictures", "size": 30}, r"run\.data: data\.size must be a multiple of 4"),
        ({"colour": "blue"}, r"run\.data\.colour must be 'auto' or 'grey' or 'rgb', got 'blue'"),
        ({"colour": []}, r"run\.data\.colour must be 'auto' or"),
        ({"extra": 1}, r"run\.data has no 'type', .* missing or unknown fields extra"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(changes, message):
    with pytest.raises(JaxgenError, match=message) as raised:
        configs.from_json(OLD | changes, Images, "run.data")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("missing", OLD)
def test_a_missing_field_is_named(missing):
    value = {name: item for name, item in OLD.items() if name != missing}
    with pytest.raises(JaxgenError, match=rf"missing or unknown fields {missing}$"):
        configs.from_json(value, Images)


@pytest.mark.parametrize("value", [{}, {1: 2}])
def test_other_objects_are_refused(value):
    with pytest.raises(JaxgenError, match="config has no 'type'"):
        configs.from_json(value, Images)


@pytest.mark.parametrize("value", [[], None, "mnist5k", 3])
def test_what_is_no_object_is_refused(value):
    with pytest.raises(JaxgenError, match="here must be an object of JSON, got "):
        Images.upgraded(value, "here")


def test_a_set_that_its_configuration_declares_itself_is_not_of_the_old_form():
    written = configs.to_json(Idx(dir="folder"), Idx)
    assert "type" not in written
    assert configs.from_json(written, Idx) == Idx(dir="folder")
