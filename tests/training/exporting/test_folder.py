"""Exported folders: the same bits elsewhere, no altered byte, no half of a folder."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest
import safetensors.numpy

import jaxgen
from jaxgen.data.images.mnist5k import Mnist5k
from jaxgen.errors import JaxgenError
from jaxgen.training import configs
from jaxgen.training.exporting import folder, sums
from jaxgen.training.exporting.exportable import difference, flat, nested
from jaxgen.training.run_folder import Run
from tests.training.exporting.conftest import FEATURES, GAN, captioner, gan

ELSEWHERE = """
import sys, jaxgen, numpy as np
model = jaxgen.load(sys.argv[1])
np.save("images.npy", model.sample(seed=5, n=11))
"""


def test_a_process_elsewhere_draws_the_same_bits(exported_gan, tmp_path):
    model, out = exported_gan
    there = shutil.copytree(out, tmp_path / "given" / "away")
    environment = os.environ | {"PYTHONPATH": ":".join(filter(None, sys.path))}
    command = [sys.executable, "-c", ELSEWHERE, str(there)]
    subprocess.run(command, check=True, cwd=tmp_path, env=environment)
    assert np.array_equal(np.load(tmp_path / "images.npy"), model.sample(seed=5, n=11))


def test_a_captioner_writes_the_same_words(exported_captioner):
    model, out = exported_captioner
    features = np.random.default_rng(0).normal(size=(9, FEATURES)).astype(np.float32)
    loaded = jaxgen.load(out)
    assert loaded.caption(features) == model.caption(features)
    assert loaded.caption(features, beam=3) == model.caption(features, beam=3)
    assert len(set(loaded.caption(features))) > 1
    for ours, theirs in zip(*map(jax.tree.leaves, (model.params, loaded.params)), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("kind", ["exported_gan", "exported_captioner"])
def test_a_flipped_byte_of_any_file_is_refused(kind, request, tmp_path):
    _, out = request.getfixturevalue(kind)
    names = sorted(path.name for path in out.iterdir())
    assert len(names) == 7
    copy = shutil.copytree(out, tmp_path / "copy")
    for name in names:
        sound = (copy / name).read_bytes()
        places = {0, 7, len(sound) // 3, len(sound) // 2, len(sound) - 2, len(sound) - 1}
        for place in sorted(places):
            for mask in (0x01, 0x20):
                damaged = bytearray(sound)
                damaged[place] ^= mask
                (copy / name).write_bytes(damaged)
                with pytest.raises(JaxgenError, match=r"restore it from a copy"):
                    jaxgen.load(copy)
        (copy / name).write_bytes(sound[:-1])
        with pytest.raises(JaxgenError):
            jaxgen.load(copy)
        (copy / name).unlink()
        with pytest.raises(JaxgenError, match=name):
            jaxgen.load(copy)
        (copy / name).write_bytes(sound)
    jaxgen.load(copy)


def test_every_byte_of_the_sums_counts(exported_gan, tmp_path):
    _, out = exported_gan
    copy = shutil.copytree(out, tmp_path / "copy")
    sound = (copy / sums.NAME).read_bytes()
    for place in range(len(sound)):
        damaged = bytearray(sound)
        damaged[place] ^= 0x02
        (copy / sums.NAME).write_bytes(damaged)
        with pytest.raises(JaxgenError):
            sums.verified(copy, ("config.json",))


def test_other_weights_under_new_sums_make_something_else(exported_gan, tmp_path):
    _, out = exported_gan
    copy = shutil.copytree(out, tmp_path / "copy")
    weights = safetensors.numpy.load_file(copy / folder.WEIGHTS)
    name = next(name for name in weights if name.endswith("bias"))
    weights[name] = weights[name] + 0.5
    safetensors.numpy.save_file(weights, copy / folder.WEIGHTS)
    sums.write(copy)
    with pytest.raises(JaxgenError, match="does not make what it made when it was exported"):
        jaxgen.load(copy)
    safetensors.numpy.save_file(weights | {name: weights[name].astype("f8")}, copy / folder.WEIGHTS)
    sums.write(copy)
    with pytest.raises(JaxgenError, match="float64, and what is learnt is float32"):
        jaxgen.load(copy)
    del weights[name]
    safetensors.numpy.save_file(weights, copy / folder.WEIGHTS)
    sums.write(copy)
    with pytest.raises(JaxgenError, match=r"does not fit the configuration"):
        jaxgen.load(copy)


def test_other_checks_and_other_entries_under_new_sums_are_refused(exported_gan, tmp_path):
    _, out = exported_gan
    copy = shutil.copytree(out, tmp_path / "copy")
    record = json.loads((out / folder.CONFIG).read_text())
    for wrong, words in (
        ([], "not the one of an exported model"),
        (record | {"exported": 2}, "has format 2"),
        (record | {"more": 1}, "lacks an entry, or has one too many"),
        (record | {"step": "3"}, "the entry 'step' is of the wrong kind"),
        (record | {"config": record["config"] | {"noise_size": 7}}, "does not fit"),
    ):
        (copy / folder.CONFIG).write_text(json.dumps(wrong))
        sums.write(copy)
        with pytest.raises(JaxgenError, match=words):
            jaxgen.load(copy)
    shutil.copy(out / folder.CONFIG, copy)
    for content in (safetensors.numpy.save({"inputs": np.ones(2)}), b"\xff" * 40):
        (copy / folder.CHECK).write_bytes(content)
        sums.write(copy)
        with pytest.raises(JaxgenError, match=r"check.safetensors (has other|cannot be read)"):
            jaxgen.load(copy)


def test_a_model_that_diverged_is_not_exported(tmp_path):
    model = gan()
    model._weights = jax.tree.map(lambda x: x * np.nan, model._weights)
    with pytest.raises(JaxgenError, match="it has diverged"):
        folder.write(model, tmp_path / "out", folder.Extras())


def test_the_folder_says_nothing_of_the_machine_and_all_of_the_model(exported_gan):
    _, out = exported_gan
    assert not any(b"secret" in path.read_bytes() for path in out.iterdir())
    record = json.loads((out / folder.CONFIG).read_text())
    assert record["config"]["data"]["dir"] == ""
    assert record["config"]["noise_size"] == GAN.noise_size
    weights = safetensors.numpy.load_file(out / folder.WEIGHTS)
    assert "generator.params.Dense_0.Dense_0.kernel" in weights
    assert "generator.stats.BatchNorm_0.BatchNorm_0.var" in weights
    card = (out / folder.CARD).read_text()
    assert card.startswith("---\nlibrary_name: jaxgen\nlicense: mit\n")
    parts = ("What it is", "Data", "Figures", "How to load it", "What it must not be used for")
    for title in (*parts, "Licence"):
        assert f"\n## {title}\n" in card
    assert "| fid | 3.25 | 0.5 | 0.125 |" in card


def test_figures_of_captions_stand_beside_the_nearest_neighbour(exported_captioner):
    card = (exported_captioner[1] / folder.CARD).read_text()
    assert "| cider_d | 1.5 | 0.75 |" in card
    assert "license: unknown" in card


def test_what_needs_the_data_says_so(exported_gan):
    with pytest.raises(JaxgenError, match="came without the data that this needs"):
        jaxgen.load(exported_gan[1]).evaluate()
    with pytest.raises(JaxgenError, match="nowhere is not a folder"):
        jaxgen.load(exported_gan[1], data_dir="nowhere").evaluate()
    with pytest.raises(JaxgenError, match=r"data of this model are in no folder"):
        configs.placed(dataclasses.replace(GAN, data=Mnist5k()), "nowhere")
    assert jaxgen.load(exported_gan[1]).history == {}
    with pytest.raises(JaxgenError, match="exported model, which cannot be trained on"):
        Run(exported_gan[1]).record()


def test_bfloat16_stays_bfloat16(tmp_path):
    model = gan(dataclasses.replace(GAN, precision="bfloat16"))
    folder.write(model, tmp_path / "a", folder.Extras())
    loaded = jaxgen.load(tmp_path / "a")
    assert loaded.config.precision == "bfloat16"
    assert np.array_equal(loaded.sample(seed=1, n=3), model.sample(seed=1, n=3))
    exact = jaxgen.load(tmp_path / "a", "float32").sample(seed=1, n=3)
    assert 0 < np.abs(exact - model.sample(seed=1, n=3)).max() < 0.1


def test_nothing_is_written_over_and_nothing_is_half_written(exported_gan, tmp_path, monkeypatch):
    model, out = exported_gan
    with pytest.raises(JaxgenError, match="there is something already"):
        folder.write(model, out, folder.Extras())
    with pytest.raises(JaxgenError, match="no PyTorch form"):
        config = dataclasses.replace(captioner().config, captioner=_windowed())
        folder.write(captioner(config), tmp_path / "a", folder.Extras(torch=True))

    def full(path, *arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder.card, "text", full)
    with pytest.raises(OSError, match="No space left"):
        folder.write(model, tmp_path / "b", folder.Extras())
    assert list(tmp_path.iterdir()) == []


def _windowed():
    from jaxgen.captioning.captioners.transformer import Transformer

    return Transformer(width=4, heads=1, layers=1, feed_forward=4, window=2)


def test_an_exported_model_is_exported_again(exported_gan, tmp_path):
    model, out = exported_gan
    folder.write(jaxgen.load(out), tmp_path / "again", folder.Extras())
    again = jaxgen.load(tmp_path / "again")
    assert np.array_equal(again.sample(n=2), model.sample(n=2))


def test_names_are_dotted_and_back():
    tree = {"a": {"b": np.ones(2), "c": {"d": np.zeros(1)}}}
    arrays = flat(tree)
    assert list(arrays) == ["a.b", "a.c.d"]
    jax.tree.map(np.testing.assert_array_equal, nested(arrays), tree)
    with pytest.raises(JaxgenError, match="no dotted name"):
        flat({"a.b": np.ones(1)})
    for names in (("a", "a.b"), ("a.b", "a")):
        with pytest.raises(JaxgenError, match="array"):
            nested(dict.fromkeys(names, 0))


def test_difference_is_of_the_size_and_sees_everything():
    one = {"x": np.array([1.0, 200.0], np.float32), "w": np.array([1, 2])}
    assert difference(one, one) == 0
    other = one | {"x": np.array([1.0, 202.0], np.float32)}
    assert difference(other, one) == pytest.approx(0.01)
    for wrong in (
        {"x": np.array([np.nan, 200.0], np.float32)},
        {"w": np.array([1, 3])},
        {"x": np.ones(3, np.float32)},
        {"y": np.ones(1)},
    ):
        assert difference(one | wrong, one) == float("inf")
