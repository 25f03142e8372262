"""Configurations survive JSON, and what differs is named."""

import json

import pytest

from experiments import dcgan
from jaxgen.errors import JaxgenError
from jaxgen.gan import losses
from jaxgen.training import configs


def test_round_trip_through_json():
    config = dcgan.config
    text = json.dumps(configs.to_json(config))
    assert configs.from_json(json.loads(text)) == config


def test_choices_are_the_module_variables():
    assert losses.AdversarialLoss.choices()["least_squares"] is losses.least_squares
    assert losses.least_squares.choice_name() == "least_squares"


def test_unknown_field_and_class_are_named():
    value = configs.to_json(dcgan.config)
    with pytest.raises(JaxgenError, match=r"fields of GanConfig were others .*\(colour\)"):
        configs.from_json(value | {"colour": 1})
    with pytest.raises(JaxgenError, match=r"no configuration class os:path"):
        configs.from_json({"type": "os:path"})
    with pytest.raises(JaxgenError, match=r"config.loss: 'lsgan' is none of"):
        configs.from_json(value | {"loss": "lsgan"})


def test_differences_name_nested_fields():
    old = {"seed": 1, "data": {"name": "a", "dir": ""}}
    new = {"seed": 1, "data": {"name": "b", "dir": ""}, "more": 2}
    assert configs.differences(old, new) == ["data.name: 'a' -> 'b'", "more: None -> 2"]
