"""Configurations survive JSON, what differs is named, and what is damaged is told."""

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from experiments import caption_lstm, caption_transformer, dcgan, mlp_gan
from jaxgen.captioning.config import AboutCaptions
from jaxgen.errors import JaxgenError
from jaxgen.gan.config import AboutImages
from jaxgen.settings import setting
from jaxgen.training import configs
from jaxgen.training.configs import Record
from jaxgen.training.task import TrainConfig

ABOUT = {"gan": AboutImages, "captioner": AboutCaptions}
OLDER = Path(__file__).parents[1] / "runs_0_1"


@pytest.mark.parametrize("experiment", [dcgan, mlp_gan, caption_lstm, caption_transformer])
def test_round_trip_through_json(experiment):
    for config in (experiment.config, *getattr(experiment, "presets", {}).values()):
        text = json.dumps(configs.to_json(config))
        assert configs.from_json(json.loads(text), TrainConfig) == config


def test_what_does_not_fit_is_named():
    value = configs.to_json(dcgan.config)

    def told(changed, words):
        with pytest.raises(JaxgenError, match=words):
            configs.from_json(changed, TrainConfig)

    told(value | {"colour": 1}, "config: GanConfig has no field 'colour'")
    told({k: v for k, v in value.items() if k != "noise"}, "field 'noise' of GanConfig is missing")
    told(value | {"type": "os:path"}, "config: there is no TrainConfig 'os:path'")
    told(value | {"type": "dcgan"}, "config: there is no TrainConfig 'dcgan'")
    told(value | {"loss": "lsgan"}, "config.loss: there is no AdversarialLoss 'lsgan'; there are")
    told(value | {"loss": 3}, "config.loss must be the name of a choice, got 3")
    told(value | {"steps": "3"}, "config: steps must be a whole number, got '3'")
    told(value | {"steps": 3.0}, "config.steps must be a whole number, got 3.0")
    told(value | {"networks": 3}, "config.networks must be an object of JSON, got 3")
    told(value | {"data": []}, "config.data must be an object")
    told(value | {"networks": {}}, "config.networks does not name its class, a kind of Networks")
    nested = value["networks"] | {"generator_channels": [1, 2, 3]}
    told(value | {"networks": nested}, "networks.generator_channels must be a tuple of 2")


@dataclass(frozen=True)
class Grown:
    """A configuration that has got fields since it was first written."""

    size: int = 3
    depth: int = setting(8, before=2)
    kinds: tuple[str, ...] = setting(("a", "b"), before=("a",))


def test_a_field_that_was_not_there_has_the_value_that_the_code_had_then():
    assert configs.from_json({"size": 5}, Grown) == Grown(5, 2, ("a",))
    with pytest.raises(JaxgenError, match="the field 'size' of Grown is missing"):
        configs.from_json({"depth": 5}, Grown)


def test_differences_name_nested_fields():
    old = {"seed": 1, "data": {"name": "a", "dir": ""}}
    new = {"seed": 1, "data": {"name": "b", "dir": ""}, "more": 2}
    found = configs.differences(old, new)
    assert list(map(str, found)) == ["data.name: 'a' -> 'b'", "more: None -> 2"]


def test_what_may_change_is_marked_once():
    free = configs.may_change(dcgan.config)
    assert {"log_every", "sample_every", "keep_checkpoints", "evaluate_samples"} <= free
    assert not {"seed", "batch_size", "optimizer.b1", "networks.hidden", "steps"} & free
    assert "data.in_memory_mb" in configs.may_change(caption_lstm.config)


def record():
    config = configs.to_json(replace(dcgan.config, workdir=""))
    return Record(config, config, {"classes": 10}, "0.2.0", "abc")


def test_a_record_is_what_was_written():
    written = json.loads(json.dumps(record().as_json()))
    assert written["format"] == configs.FORMAT
    assert Record.of_json(written, "config.json") == record()


def test_a_record_that_was_altered_is_refused():
    written = record().as_json()
    for altered in (
        {"config": written["config"] | {"seed": 1}},
        {"about": {"classes": 9}},
        {"commit": "abd"},
        {"sha256": "0" * 64},
        {"sha256": 3},
    ):
        with pytest.raises(JaxgenError, match="its checksum does not match; restore it"):
            Record.of_json(written | altered, "config.json")
    meant = {k: v for k, v in written.items() if k != "sha256"}
    assert Record.of_json(meant | {"commit": "x"}, "config.json").commit == "x"
    with pytest.raises(
        JaxgenError, match=r"has format 3, and jaxgen .* reads 1 and 2; use a newer"
    ):
        Record.of_json(meant | {"format": 3}, "config.json")
    for wrong in ([], 3, {}, {"config": 1}, meant | {"config": []}, meant | {"more": 1}):
        with pytest.raises(JaxgenError, match=r"config\.json"):
            Record.of_json(wrong, "config.json")


# What JSON can hold in place of anything; the numbers are at the edges of what is asked for.
STRANGE = [
    None, True, False, 0, -1, 1, 3.5, -0.0, 1e308, 2**40, 10**30, "", "dcgan", "x" * 500, "os:path",
    [], [1], [[1]], {}, {"type": "dcgan"}, {"type": []}, {"name": []}, "jaxgen.gan:GanConfig",
]  # fmt: skip


def places(value, path=()):
    """Every place in JSON values."""
    yield path
    if isinstance(value, dict | list):
        keys = value if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield from places(value[key], (*path, key))


def mutant(value, chance):
    """A copy with one thing changed: set, removed, added or renamed."""
    value = json.loads(json.dumps(value))
    path = chance.choice([p for p in places(value) if p])
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    kind = chance.random()
    if kind < 0.7:
        holder[path[-1]] = chance.choice(STRANGE)
    elif kind < 0.85:
        del holder[path[-1]]
    elif isinstance(holder, dict):
        holder[chance.choice(["colour", "type", "name", "retired", "x" * 99])] = chance.choice(
            STRANGE
        )
    else:
        holder.append(chance.choice(STRANGE))
    return value


@pytest.mark.parametrize("name", ["gan", "captioner"])
@pytest.mark.parametrize("written", [1, 2])
def test_mutants_load_as_what_they_say_or_make_a_sentence(name, written, tmp_path):
    """250 of each: no other exception escapes, and in format 2 none is taken for sound."""
    sound = json.loads((OLDER / name / "config.json").read_text())
    if written == 2:
        config = configs.from_json(sound["config"] | {"workdir": ""}, TrainConfig)
        as_json = configs.to_json(config)
        del as_json["workdir"]
        sound = Record(as_json, as_json, sound["about"], "0.2.0", "").as_json()
    chance = random.Random(written)
    refused = 0
    for _ in range(250):
        changed = mutant(sound, chance)
        try:
            kept = Record.of_json(changed, "config.json")
            config = configs.from_json(kept.config | {"workdir": ""}, TrainConfig)
            configs.from_json(kept.default | {"workdir": ""}, TrainConfig)
            configs.from_json(kept.about, ABOUT[name], "about")
            again = configs.from_json(configs.to_json(config), TrainConfig)
            assert again == config
        except JaxgenError as error:
            refused += 1
            assert "\n" not in str(error)
            assert len(str(error)) < 900
        else:
            if written == 2:
                same = {k: v for k, v in sound.items() if k != "sha256"}
                assert {k: v for k, v in changed.items() if k != "sha256"} == same
    assert refused > 150
