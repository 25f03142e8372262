"""Where words looked: weights, their picture, and `jaxgen caption RUN --attention`."""

import dataclasses
import functools
import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from flax.serialization import to_state_dict
from PIL import Image

from jaxgen.captioning.captioners.recurrent import RNN
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.captioning.config import AboutCaptions, CaptionConfig
from jaxgen.commands import caption, caption_results, score
from jaxgen.commands.run_argument import RunArgument
from jaxgen.data.captions.base import CaptionData, Captions, Features, Split
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.errors import JaxgenError
from jaxgen.training import experiment
from jaxgen.training.task import Saved

VOCABULARY = Vocabulary(["<NULL>", "<START>", "<END>", "<UNK>", "a", "cat"])
IMAGES, TOKENS, WIDTH = 2, 4, 6
FEATURES = np.sin(np.arange(IMAGES * TOKENS * WIDTH, dtype=np.float32))
FEATURES = {
    "grid": FEATURES.reshape(IMAGES, TOKENS, WIDTH),
    "vector": FEATURES.reshape(IMAGES, TOKENS * WIDTH),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TwoImages(Captions):
    """One picture that is there and one that is not, a caption each."""

    folder: str = ""
    features: str = "grid"

    def load(self):
        captions = np.array([[1, 4, 5, 2], [1, 5, 2, 0]], np.int32)
        arrays = {"captions": captions, "image_index": np.arange(IMAGES, dtype=np.int32)}
        split = Split(arrays, Features.of(FEATURES[self.features]), ["0.png", "1.png"])
        is_grid = self.features == "grid"
        return CaptionData(split, split, VOCABULARY, Path(self.folder), has_grid=is_grid)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    Image.new("RGB", (20, 20), (100, 100, 100)).save(folder / "0.png")
    return folder


def restored(folder, captioner, features):
    data = TwoImages(folder=str(folder), features=features)
    config = CaptionConfig(workdir="", steps=1, captioner=captioner, data=data, max_length=4)
    shape = FEATURES[features].shape[1:]
    about = {"vocabulary": VOCABULARY.words, "feature_shape": shape, "examples": IMAGES}
    about = json.loads(json.dumps(about))
    captioning = config.captioning(AboutCaptions(VOCABULARY.words, shape, IMAGES))
    state = jax.jit(captioning.init)(jax.random.key(0), {"features": FEATURES[features]})
    return config.restored(Saved(to_state_dict(state), about))


SMALL = Transformer(width=8, heads=2, layers=1, feed_forward=8)


@pytest.fixture(scope="module")
def trained(folder):
    return restored(folder, SMALL, "grid")


def test_attention_is_that_of_the_step_that_chose_the_word(folder):
    made = restored(folder, dataclasses.replace(SMALL, layers=2), "grid")
    params = jax.tree.map(  # far from uniform attention
        lambda x: x + np.cos(np.arange(x.size, dtype=np.float32)).reshape(x.shape),
        jax.device_get(made.params),
    )
    words = np.array([[4, 5, 2, 0], [5, 2, 0, 0]], np.int32)
    weights = made._writer.attention(params, FEATURES["grid"], words)
    assert weights.shape == (IMAGES, 4, TOKENS)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    read = np.array([[1, 4, 5, 2], [1, 5, 2, 0]], np.int32)
    apply = jax.jit(functools.partial(made.module.apply, mutable="intermediates"))
    recorded = apply({"params": params}, FEATURES["grid"], read)[1]["intermediates"]
    layers = [recorded[f"layers_{i}"]["cross_attn"]["weights"][0] for i in range(2)]
    np.testing.assert_allclose(weights, np.mean(layers, axis=(0, 2)), rtol=1e-5)
    later = words.copy()
    later[0, 2:] = 5
    changed = made._writer.attention(params, FEATURES["grid"], later)
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
    trained = restored(folder, captioner, features)
    with pytest.raises(JaxgenError, match="no more than one memory token to attend to"):
        trained.show_attention(1)


def test_tokens_that_are_no_grid_are_drawn_as_stripes(folder):
    made = restored(folder, dataclasses.replace(SMALL, memory_tokens=3), "vector")
    picture = made.show_attention(1)
    assert len(np.unique(picture[4:100, 104:200].reshape(-1, 3), axis=0)) in (2, 3)
    assert np.all(picture[4, 104:200] == picture[99, 104:200])


def run_caption(*flags):
    return caption.main(["run", *map(str, flags)])


def test_the_command_writes_both_pictures(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(experiment, "load", lambda run, precision, data_dir: trained)
    out = tmp_path / "captions.png"
    assert run_caption("--n", 1, "--out", out) == 0
    assert not (tmp_path / "attention.png").exists()
    assert run_caption("--n", 1, "--out", out, "--attention") == 0
    with Image.open(tmp_path / "attention.png") as picture:
        np.testing.assert_array_equal(picture, trained.show_attention(1))
    assert f"attention {tmp_path / 'attention.png'}" in capsys.readouterr().out
    with pytest.raises(JaxgenError, match="another picture has this name"):
        run_caption("--out", tmp_path / "attention.png", "--attention")


def test_fewer_images_or_words_than_asked_for_are_said(trained, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(RunArgument, "opened", lambda self: trained)
    flags = ["--n", "3", "--temperature", "1", "--top-k", "7"]
    assert caption.main(["run", *flags, "--out", str(tmp_path / "a.png")]) == 0
    devices, notes = capsys.readouterr().err.split("\n", 1)
    assert devices.startswith("devices: ")
    assert notes == (
        "note: --top-k 7: there are 6 words, all are drawn from\n"
        "note: --n 3: there are 2 validation images, all are captioned\n"
    )
    assert caption.main(["run", "--n", "2", "--out", str(tmp_path / "a.png")]) == 0
    assert capsys.readouterr().err == f"{devices}\n"


def test_results_and_references_in_cocos_format_can_be_scored(
    trained, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(experiment, "load", lambda run, precision, data_dir: trained)
    results, references = tmp_path / "made.json", tmp_path / "wrote.json"
    assert run_caption("--results", results, "--references", references) == 0
    assert f"2 references {references}" in capsys.readouterr().out
    made = json.loads(results.read_text())
    expected = trained.caption(FEATURES["grid"])
    assert made == [
        {"image_id": f"{image}.png", "caption": expected[image]} for image in range(IMAGES)
    ]
    wrote = json.loads(references.read_text())
    assert [row["caption"] for row in wrote["annotations"]] == ["a cat", "cat"]
    assert [row["image_id"] for row in wrote["annotations"]] == ["0.png", "1.png"]
    assert score.main([str(results), str(references), "--no-java", "--resamples", "0"]) == 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--references", "wrote.json"], "--references: give --results too"),
        (["--results", "a.json", "--references", "a.json"], "are both a.json; name two files"),
        (["--results", "absent/a.json"], "--results absent/a.json: there is no folder absent"),
        (["--results", "."], "--results .: there is something that is not a file"),
    ],
)
def test_files_of_results_that_cannot_be_written(trained, monkeypatch, tmp_path, flags, message):
    monkeypatch.setattr(experiment, "load", lambda run, precision, data_dir: trained)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(JaxgenError, match=re.escape(message)):
        run_caption(*flags)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("places", "ids"),
    [
        (["/a/COCO_val2014_000000000042.jpg", "http://x/y/7.jpg"], [42, "7.jpg"]),
        (["a/1.png", "b/1.png"], ["a/1.png", "b/1.png"]),
        (["images.h5#val_images/3", ""], [0, 1]),
        (["a/COCO_x_5.jpg", "b/COCO_y_5.jpg"], [0, 1]),
    ],
)
def test_what_results_call_images(places, ids):
    assert caption_results._ids(list(enumerate(places))) == ids
