"""Where words looked: weights, their picture, and `python -m jaxgen.caption RUN --attention`."""

import dataclasses
import functools
import json
import sys

import h5py
import jax
import numpy as np
import pytest
from PIL import Image

from jaxgen.captioning.captioners.recurrent import RNN
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.captioning.step import CaptionConfig, Captioning
from jaxgen.captioning.trained import TrainedCaptioner
from jaxgen.commands import caption
from jaxgen.data.captions.course_files import CaptionsConfig
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.errors import JaxgenError
from jaxgen.training import run_folder as runs

VOCABULARY = Vocabulary(["<NULL>", "<START>", "<END>", "<UNK>", "a", "cat"])
IMAGES, TOKENS, WIDTH = 2, 4, 6
FEATURES = np.sin(np.arange(IMAGES * TOKENS * WIDTH, dtype=np.float32))
FEATURES = {
    "grid": FEATURES.reshape(IMAGES, TOKENS, WIDTH),
    "vector": FEATURES.reshape(IMAGES, TOKENS * WIDTH),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco")
    with h5py.File(folder / "coco2014_captions.h5", "w") as file:
        for split in ("train", "val"):
            file[f"{split}_captions"] = np.array([[1, 4, 5, 2], [1, 5, 2, 0]], np.int32)
            file[f"{split}_image_idxs"] = np.arange(IMAGES, dtype=np.int32)
    for split in ("train", "val"):
        for kind, name in (("grid", "grid"), ("vector", "vgg16_fc7_pca")):
            with h5py.File(folder / f"{split}2014_{name}.h5", "w") as file:
                file["features"] = FEATURES[kind]
        (folder / f"{split}2014_urls.txt").write_text("0.png\n1.png")
    Image.new("RGB", (20, 20), (100, 100, 100)).save(folder / "0.png")  # the other is missing
    index = {word: place for place, word in enumerate(VOCABULARY.words)}
    vocabulary = {"idx_to_word": list(VOCABULARY.words), "word_to_idx": index}
    (folder / "coco2014_vocab.json").write_text(json.dumps(vocabulary))
    return folder


def captioning(folder, captioner, features):
    data = CaptionsConfig(name="coco", dir=str(folder), features=features)
    config = CaptionConfig(workdir="", steps=1, captioner=captioner, data=data, max_length=4)
    return Captioning(config, VOCABULARY, FEATURES[features].shape[1:], 1)


def parameters(captioning):
    batch = {"features": FEATURES[captioning.config.data.features]}
    return jax.jit(captioning.init)(jax.random.key(0), batch).params


SMALL = Transformer(width=8, heads=2, layers=1, feed_forward=8)


@pytest.fixture(scope="module")
def trained(folder):
    made = captioning(folder, SMALL, "grid")
    return TrainedCaptioner(made, parameters(made))


def test_attention_is_that_of_the_step_that_chose_the_word(folder):
    made = captioning(folder, dataclasses.replace(SMALL, layers=2), "grid")
    params = jax.tree.map(  # far from uniform attention
        lambda x: x + np.cos(np.arange(x.size, dtype=np.float32)).reshape(x.shape),
        jax.device_get(parameters(made)),
    )
    words = np.array([[4, 5, 2, 0], [5, 2, 0, 0]], np.int32)
    weights = made.attention(params, FEATURES["grid"], words)
    assert weights.shape == (IMAGES, 4, TOKENS)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    read = np.array([[1, 4, 5, 2], [1, 5, 2, 0]], np.int32)
    apply = jax.jit(functools.partial(made.module.apply, mutable="intermediates"))
    recorded = apply({"params": params}, FEATURES["grid"], read)[1]["intermediates"]
    layers = [recorded[f"layers_{i}"]["cross_attn"]["weights"][0] for i in range(2)]
    np.testing.assert_allclose(weights, np.mean(layers, axis=(0, 2)), rtol=1e-5)
    later = words.copy()
    later[0, 2:] = 5
    changed = made.attention(params, FEATURES["grid"], later)
    np.testing.assert_allclose(changed[0, :3], weights[0, :3], rtol=1e-5)
    assert np.abs(changed[0, 3] - weights[0, 3]).max() > 1e-4


def test_a_picture_for_every_word(trained):
    picture = trained.show_attention(2)
    assert picture.dtype == np.uint8
    assert picture.shape == (2 * 118 + 4, 11 * 100 + 4, 3)
    assert np.all(picture[4:100, 4:100] == 100)
    assert np.all(picture[122:218, 4:100] == 200)


@pytest.mark.parametrize(
    ("captioner", "features"),
    [(SMALL, "vector"), (RNN(hidden=8, word_size=8), "vector")],
    ids=["one token", "no attention"],
)
def test_without_several_tokens_it_is_refused(folder, captioner, features):
    made = captioning(folder, captioner, features)
    trained = TrainedCaptioner(made, parameters(made))
    with pytest.raises(JaxgenError, match="no more than one memory token to attend to"):
        trained.show_attention(1)


def test_tokens_that_are_no_grid_are_drawn_as_stripes(folder):
    made = captioning(folder, dataclasses.replace(SMALL, memory_tokens=3), "vector")
    picture = TrainedCaptioner(made, parameters(made)).show_attention(1)
    assert len(np.unique(picture[4:100, 104:200].reshape(-1, 3), axis=0)) in (2, 3)
    assert np.all(picture[4, 104:200] == picture[99, 104:200])


def run_caption(monkeypatch, *flags):
    monkeypatch.setattr(sys, "argv", ["caption", "run", *map(str, flags)])
    return caption.main()


def test_the_command_writes_both_pictures(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runs, "load", lambda run: trained)
    out = tmp_path / "captions.png"
    assert run_caption(monkeypatch, "--n", 1, "--out", out) == 0
    assert not (tmp_path / "attention.png").exists()
    assert run_caption(monkeypatch, "--n", 1, "--out", out, "--attention") == 0
    with Image.open(tmp_path / "attention.png") as picture:
        np.testing.assert_array_equal(picture, trained.show_attention(1))
    assert f"attention {tmp_path / 'attention.png'}" in capsys.readouterr().out
    with pytest.raises(JaxgenError, match="another picture has this name"):
        run_caption(monkeypatch, "--out", tmp_path / "attention.png", "--attention")
