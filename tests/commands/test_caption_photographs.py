"""`jaxgen caption RUN photo.jpg ...`: with the encoder that the run records."""

import dataclasses
import io
import json
import re
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

import jaxgen
from jaxgen.captioning.captioners.recurrent import LSTM
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.captioning.config import AboutCaptions, CaptionConfig
from jaxgen.captioning.photographs import PhotographCaptioner
from jaxgen.commands import caption, guard
from jaxgen.data.captions import own_pictures
from jaxgen.data.captions.build import build
from jaxgen.data.captions.own_pictures import CaptionedPictures
from jaxgen.data.photographs import encoding
from jaxgen.data.photographs.asked import FeaturesConfig
from jaxgen.data.photographs.extract import extract
from jaxgen.errors import JaxgenError
from jaxgen.training import configs, experiment
from tests.data.captions.test_given_features import config as build_config
from tests.data.photographs import test_weights
from tests.data.photographs.conftest import NAMES
from tests.data.photographs.conftest import photographs as made_photographs

CAPTIONERS = {
    "vector": LSTM(hidden=16, word_size=8),
    "grid": Transformer(width=8, heads=2, layers=1, feed_forward=8),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Photographs, weights, and a short run on each kind of their features."""
    folder = tmp_path_factory.mktemp("photographs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(encoding.ENCODERS, "lite0", test_weights.TINY)
        weights = test_weights.written(folder / "tiny.safetensors")
        photographs = made_photographs.__wrapped__(folder)
        out = folder / "features"
        extract(FeaturesConfig(images=photographs, out=out, weights=weights, grid=True))
        build(build_config(photographs, out))
        for kind, captioner in CAPTIONERS.items():
            data = CaptionedPictures(dir=str(folder / "set"), features=kind)
            trained = CaptionConfig(
                workdir=str(folder / kind), captioner=captioner, data=data, steps=4, batch_size=4,
                sample_every=0, evaluate_every=0, log_every=2, checkpoint_every=4, max_length=17,
            )  # fmt: skip
            experiment.train(trained, trained)
        yield folder


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(encoding.ENCODERS, "lite0", test_weights.TINY)


def run(place, kind, *flags):
    given = [place / kind, *flags, "--weights", place / "tiny.safetensors"]
    return guard.status_of(lambda: caption.main([*map(str, given)]))


def told(capsys):
    lines = capsys.readouterr().out.splitlines()
    return [
        re.fullmatch(r"(.+?): (.*)  \(log-probability (-[\d.]+)\)", line).groups() for line in lines
    ]


@pytest.mark.parametrize("kind", CAPTIONERS)
def test_the_sentence_is_that_of_the_features_of_the_set(place, kind, capsys):
    files = [place / "photographs" / name for name in NAMES[:3]]
    assert run(place, kind, *files) == 0
    found = told(capsys)
    trained = jaxgen.load(place / kind)
    encoder = encoding.reopened(trained.feature_encoder, place / "tiny.safetensors")
    seen = encoder.features(np.stack([encoder.prepared(file) for file in files]), grid=True)
    features = seen.vector_NF if kind == "vector" else seen.grid_NLC
    sentences = trained.caption(features)
    assert [(name, sentence) for name, sentence, _ in found] == [
        (str(file), sentence or "(nothing)")
        for file, sentence in zip(files, sentences, strict=True)
    ]
    made = trained.caption_in_full(features)
    for (_, _, shown), log_probability in zip(found, made.log_probability_N, strict=True):
        assert float(shown) == pytest.approx(log_probability, abs=0.01)
    # The same by hand: the sum over the words, END or the last that fits included.
    params = {"params": trained.params}
    words = np.concatenate([np.full((3, 1), trained.vocabulary.start), made.words_NL], axis=1)
    logits = trained.module.apply(params, np.float32(features), words[:, :-1])
    shifted = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    by_word = np.take_along_axis(np.asarray(shifted), words[:, 1:, None], axis=-1)[..., 0]
    right = (by_word * (words[:, 1:] != trained.vocabulary.null)).sum(axis=1)
    np.testing.assert_allclose(made.log_probability_N, right, rtol=1e-3)


def test_standard_input_is_a_photograph_too(place, capsys, monkeypatch):
    file = place / "photographs" / NAMES[5]
    assert run(place, "vector", file) == 0
    [(_, *right)] = told(capsys)
    stdin = io.TextIOWrapper(io.BytesIO(file.read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert run(place, "vector", "-") == 0
    assert told(capsys) == [("-", *right)]
    with pytest.raises(JaxgenError, match="- is given twice"):
        caption.main([str(place / "vector"), "-", "-"])


def test_what_is_no_picture_is_told_and_the_others_are_captioned(place, capsys, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"broken")
    sound = place / "photographs" / NAMES[0]
    assert run(place, "vector", tmp_path / "broken.jpg", sound, tmp_path / "absent.jpg") == 2
    out, err = capsys.readouterr()
    assert out.startswith(f"{sound}: ")
    assert out.count("\n") == 1
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert errors[0].startswith(f"error: {tmp_path / 'broken.jpg'}: cannot identify image file")
    assert errors[1] == (
        f"error: {tmp_path / 'absent.jpg'}: it is not a file, or a link to one that is gone"
    )
    assert run(place, "vector", tmp_path / "broken.jpg") == 2


def test_where_words_looked_is_drawn_over_the_photograph(place, capsys, tmp_path):
    out = tmp_path / "shown.png"
    files = [place / "photographs" / name for name in NAMES[:2]]
    assert run(place, "grid", *files, "--attention", "--out", out) == 0
    assert f"attention {tmp_path / 'attention.png'}" in capsys.readouterr().out
    trained = jaxgen.load(place / "grid")
    captioner = PhotographCaptioner(trained, place / "tiny.safetensors")
    images = np.stack([captioner.prepared(file) for file in files])
    with Image.open(tmp_path / "attention.png") as picture:
        right = captioner.attended(images, captioner.caption(images).words_NL)
        np.testing.assert_array_equal(picture, right)
        first = np.asarray(picture)[4:164, 4:164]  # the photograph itself
    np.testing.assert_array_equal(np.unique(first.reshape(-1, 3), axis=0), images[0, :1, 0])
    assert out.exists()
    assert run(place, "vector", *files, "--attention", "--out", out) == 2
    assert "no more than one memory token to attend to" in capsys.readouterr().err


def test_other_weights_than_the_runs_are_refused(place, capsys, tmp_path):
    other = test_weights.written(tmp_path / "o.safetensors", **{"fc.bias": np.ones(5, np.float32)})
    file = place / "photographs" / NAMES[0]
    status = guard.status_of(
        lambda: caption.main([str(place / "vector"), str(file), "--weights", str(other)])
    )
    assert status == 2
    assert "the features were computed with weights of" in capsys.readouterr().err


def test_a_run_without_an_encoder_captions_no_photographs(place):
    trained = jaxgen.load(place / "vector")
    trained.feature_encoder = dataclasses.replace(trained.feature_encoder, name="")
    with pytest.raises(JaxgenError, match="not trained on features of an encoder of jaxgen's"):
        PhotographCaptioner(trained)
    trained.feature_encoder = dataclasses.replace(trained.feature_encoder, name="lite0", version=9)
    with pytest.raises(JaxgenError, match="version 9 of jaxgen's encoders made these features"):
        PhotographCaptioner(trained)


def test_flags_that_say_nothing_about_photographs_are_refused(place):
    with pytest.raises(JaxgenError, match="--weights: name photographs too"):
        caption.main([str(place / "vector"), "--weights", "x"])
    with pytest.raises(
        JaxgenError, match="201 photographs: with --out or --attention give at most"
    ):
        caption.main([str(place / "vector"), *["a.png"] * 201, "--out", "o.png"])


def test_a_run_records_its_encoder_and_goes_on_with_no_other(place, tmp_path):
    run = shutil.copytree(place / "vector", tmp_path / "run")
    about = json.loads((run / "config.json").read_text())["about"]
    recorded = jaxgen.load(run).feature_encoder
    assert about["feature_encoder"] == dataclasses.asdict(recorded)
    assert recorded == own_pictures.read_encoder(place / "set")
    without = AboutCaptions(("a",), (3,), 2)
    assert "feature_encoder" not in without.as_json()  # as in the runs before there were encoders
    assert configs.from_json(without.as_json(), AboutCaptions) == without
    trained = jaxgen.load(run).config
    same = dataclasses.replace(trained, workdir=str(run), steps=6)
    own_pictures.write_encoder(place / "set", dataclasses.replace(recorded, size=64))
    try:
        with pytest.raises(JaxgenError, match=r"other data \(feature_encoder\.size: 32 -> 64\)"):
            experiment.train(same, same)
    finally:
        own_pictures.write_encoder(place / "set", recorded)
    assert experiment.train(same, same).step == 6
