"""Captioners that see: an encoder and a captioner as one, trained together from pictures."""

import dataclasses
import functools
import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PIL import Image

import jaxgen
from experiments import caption_pixels
from jaxgen.captioning.captioners.show_attend_tell import ShowAttendTell
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.captioning.captioners.up_down import UpDown
from jaxgen.captioning.config import AboutCaptions, CaptionConfig
from jaxgen.captioning.decoding import SpecialWords, beam_search
from jaxgen.captioning.encoders.base import NoEncoder, PictureEncoder
from jaxgen.captioning.encoders.seeing import FrozenStatistics, SeeingCaptioner, with_own_rate
from jaxgen.commands import cli
from jaxgen.data.captions import build
from jaxgen.data.captions.vocabulary import SPECIAL
from jaxgen.errors import JaxgenError
from jaxgen.training.metrics_file import read_metrics
from jaxgen.training.optimizers import Optimizer, sgd

SIDE, STEPS, VOCAB = 16, 5, 9
PICTURES = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3)).astype(np.uint8)
CAPTIONS = np.array([[1, 4, 5, 6, 7], [1, 5, 8, 2, 0], [1, 7, 2, 0, 0]], np.int32)
CAPTIONERS = [
    ShowAttendTell(hidden=8, word_size=6, attention=5),
    UpDown(hidden=8, word_size=6, attention=5),
    Transformer(width=8, heads=2, layers=1, feed_forward=8, encoder_layers=1),
]


class Patches(nn.Module):
    """Each quarter of a picture is a token."""

    @nn.compact
    def __call__(self, pictures_NHWC, train=False):
        n, side = len(pictures_NHWC), SIDE // 2
        x = jnp.asarray(pictures_NHWC, jnp.float32).reshape(n, 2, side, 2, side, 3) / 255
        return nn.Dense(7)(x.transpose(0, 1, 3, 2, 4, 5).reshape(n, 4, -1))


@dataclasses.dataclass(frozen=True)
class Quarters(PictureEncoder):
    def module(self, picture_shape):
        return Patches()


ABOUT = AboutCaptions((*SPECIAL, *"abcde"), (SIDE, SIDE, 3), examples=3)


def config(captioner=CAPTIONERS[0], **changes):
    numbers = {"encoder": Quarters(), "max_length": STEPS} | changes
    return CaptionConfig(workdir="", steps=9, batch_size=3, captioner=captioner, **numbers)


def prepared(captioner):
    module = config(captioner).captioning(ABOUT).module
    return module, jax.jit(module.init)(jax.random.key(0), PICTURES, CAPTIONS)["params"]


@pytest.mark.parametrize("captioner", CAPTIONERS, ids=lambda c: type(c).__name__)
def test_it_says_what_the_captioner_says_of_the_encoders_tokens(captioner):
    module, params = prepared(captioner)
    assert isinstance(module, SeeingCaptioner)
    whole = jax.jit(module.apply)({"params": params}, PICTURES, CAPTIONS)
    tokens = Patches().apply({"params": params["encoder"]}, PICTURES)
    reads = captioner.module(VOCAB, (4, 7), STEPS)
    expected = jax.jit(reads.apply)({"params": params["captioner"]}, tokens, CAPTIONS)
    np.testing.assert_allclose(whole, expected, rtol=1e-5, atol=1e-6)

    @jax.jit
    def stepped():
        apply = functools.partial(module.apply, {"params": params})
        carry = apply(PICTURES, method="start")
        step = functools.partial(apply, method="step")
        logits = jax.lax.scan(step, carry, CAPTIONS.T)[1].swapaxes(0, 1)
        return logits, beam_search(step, carry, SpecialWords(), STEPS, beams=2)

    logits, (words, log_probability) = stepped()
    np.testing.assert_allclose(logits, whole, rtol=1e-4, atol=1e-5)
    read = np.concatenate([np.ones((3, 1), np.int32), np.asarray(words)[:, :-1]], axis=1)
    said = jax.nn.log_softmax(jax.jit(module.apply)({"params": params}, PICTURES, read))
    by_word = np.take_along_axis(np.asarray(said), np.asarray(words)[..., None], -1)[..., 0]
    total = np.sum(by_word, axis=1, where=np.asarray(words) != 0)
    np.testing.assert_allclose(log_probability, total, rtol=1e-4)


def trained(steps, **changes):
    """Parameters after each step of gradient descent on one batch."""
    numbers = {"optimizer": Optimizer(rule=sgd, learning_rate=0.1)} | changes
    captioning = config(**numbers).captioning(ABOUT)
    batch = {"captions": CAPTIONS, "features": PICTURES}
    state = jax.jit(captioning.init)(jax.random.key(0), batch)
    step, found = jax.jit(captioning.step), [state.params]
    for number in range(steps):
        state, _ = step(state, batch, jax.random.key(number))
        found.append(state.params)
    return found


def moved(before, after, part):
    change = jax.tree.map(lambda a, b: np.asarray(b - a), before[part], after[part])
    return np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(change)])


def test_the_encoder_learns_at_its_own_rate_and_not_before_its_step():
    plain, own = trained(1), trained(3, encoder=Quarters(rate=0.5, frozen_steps=1))
    assert np.all(moved(own[0], own[1], "encoder") == 0)
    np.testing.assert_array_equal(
        moved(own[0], own[1], "captioner"), moved(plain[0], plain[1], "captioner")
    )
    assert np.any(moved(own[1], own[2], "encoder") != 0)
    half = trained(1, encoder=Quarters(rate=0.5))
    np.testing.assert_allclose(
        moved(half[0], half[1], "encoder"),
        0.5 * moved(plain[0], plain[1], "encoder"),
        rtol=1e-3,
        atol=1e-8,
    )
    still = trained(2, encoder=Quarters(rate=0.0))
    assert np.all(moved(still[0], still[2], "encoder") == 0)
    assert np.any(moved(still[0], still[2], "captioner") != 0)


def test_no_rate_of_its_own_leaves_the_optimizer_as_it_is():
    optimizer = optax.sgd(0.1)
    assert with_own_rate(optimizer, Quarters(shift=1)) is optimizer


def test_pictures_move_in_training_alone():
    captioning = config(encoder=Quarters(shift=3)).captioning(ABOUT)
    params = jax.jit(captioning.module.init)(jax.random.key(0), PICTURES, CAPTIONS)

    def logits(train, seed):
        rngs = {"dropout": jax.random.key(seed)}
        return captioning.module.apply(params, PICTURES, CAPTIONS, train=train, rngs=rngs)

    np.testing.assert_array_equal(logits(False, 0), logits(False, 1))
    np.testing.assert_array_equal(logits(True, 0), logits(True, 0))
    assert np.any(logits(True, 0) != logits(True, 1))


class Normed(nn.Module):
    """A network with batch norm, which uses its running averages."""

    @nn.compact
    def __call__(self, pictures_NHWC):
        x = nn.Conv(4, (8, 8), (8, 8))(jnp.asarray(pictures_NHWC, jnp.float32) / 255)
        return nn.relu(nn.BatchNorm(use_running_average=True)(x))


@dataclasses.dataclass(frozen=True)
class Normal(PictureEncoder):
    def module(self, picture_shape):
        return FrozenStatistics(Normed())


def test_statistics_of_batch_norm_stay_and_its_parameters_learn():
    before, *_, after = trained(3, encoder=Normal(), optimizer=Optimizer(learning_rate=0.01))
    told, learnt = before["encoder"]["variables"], after["encoder"]["variables"]
    jax.tree.map(np.testing.assert_array_equal, told["batch_stats"], learnt["batch_stats"])
    assert np.any(
        np.asarray(told["params"]["BatchNorm_0"]["scale"])
        != np.asarray(learnt["params"]["BatchNorm_0"]["scale"])
    )
    tokens = FrozenStatistics(Normed()).apply({"params": before["encoder"]}, PICTURES)
    np.testing.assert_allclose(
        tokens, Normed().apply(told, PICTURES).reshape(3, 4, 4), rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize(
    ("changes", "shape", "words"),
    [
        ({"encoder": NoEncoder()}, (SIDE, SIDE, 3), "these features are pictures"),
        ({}, (16, 128), "an encoder sees pictures, and these data have features of shape"),
    ],
)
def test_encoders_are_for_pictures_and_pictures_for_encoders(changes, shape, words):
    about = dataclasses.replace(ABOUT, feature_shape=shape)
    with pytest.raises(JaxgenError, match=words):
        config(**changes).captioning(about)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve pictures of three colours with captions, as `jaxgen captions build` makes them."""
    pictures, out = tmp_path_factory.mktemp("pictures"), tmp_path_factory.mktemp("set") / "set"
    lines = ["image,caption"]
    for number in range(12):
        colour = ("red", "green", "blue")[number % 3]
        Image.new("RGB", (20 + number, 24), colour).save(pictures / f"{number:02}.png")
        lines += [f"{number:02}.png,a {colour} picture", f"{number:02}.png,all is {colour}"]
    captions = pictures.parent / "captions.csv"
    captions.write_text("\n".join(lines))
    build.build(build.BuildConfig(pictures, captions, out, validation=0.25, threshold=1))
    return out


FLAGS = (
    "--data captioned_pictures --data.pixels 16 --encoder.weights scratch --encoder.shift 1 "
    "--encoder.rate 0.5 --encoder.frozen-steps 2 --batch-size 6 --log-every 5 --sample-every 0 "
    "--evaluate-every 0 --precision float32 --captioner.hidden 16 --captioner.word-size 8 "
    "--captioner.attention 8"
).split()


def command(workdir, folder, *flags):
    argv = [*FLAGS, "--workdir", str(workdir), "--data.dir", str(folder), *flags]
    with pytest.raises(SystemExit) as stop:
        cli.main(caption_pixels.config, "", argv)
    return stop.value.code


UNBROKEN = "--optimizer.no-cosine --optimizer.warm-up 0 --optimizer.learning-rate 0.01".split()


@pytest.mark.long
def test_a_run_from_pictures_is_resumed_captions_and_shows_its_attention(
    folder, tmp_path, run_module
):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert command(whole, folder, "--steps", "150", *UNBROKEN) == 0
    for steps in ("15", "150"):
        assert command(parts, folder, "--steps", steps, *UNBROKEN) == 0
    ends = [json.loads((run / "summary.json").read_text()) for run in (whole, parts)]
    assert ends[0]["parameters_sha256"] == ends[1]["parameters_sha256"]
    read = tmp_path / "read"  # while training goes on
    assert command(read, folder, "--steps", "15", "--keep-data", "stream", *UNBROKEN) == 0
    (_, near), (_, losses) = (read_metrics(run / "metrics.csv")["loss"] for run in (read, whole))
    np.testing.assert_allclose(near, losses[:15], rtol=1e-4)
    model = jaxgen.load(whole)
    red = np.zeros((2, 16, 16, 3), np.uint8)
    red[0, ..., 0], red[1, ..., 2] = 255, 255
    first, second = model.caption(red, beam=2)
    assert "red" in first
    assert "blue" in second
    for pictures, words in [(red / 255, "must be uint8"), (red[:, :8], r"\(N, 16, 16, 3\)")]:
        with pytest.raises(JaxgenError, match=words):
            model.caption(pictures)
    out = tmp_path / "captions.png"
    with pytest.raises(JaxgenError, match="no more than one memory token"):
        model.show_attention(2)  # of pictures so small the encoder makes one token
    code, told = run_module("jaxgen", "caption", whole, "--n", 2, "--out", out)
    assert code == 0, told
    photo = tmp_path / "photo.png"
    Image.fromarray(red[0]).resize((40, 30)).save(photo)
    code, told = run_module("jaxgen", "caption", whole, photo)
    assert code == 0, told
    assert f"{photo}: {model.caption(red[:1])[0]}  (log-probability" in told
    code, told = run_module("jaxgen", "caption", whole, photo, "--weights", photo)
    assert code == 2
    assert "its weights are the run's" in told


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--data.pixels", "0"], "an --encoder sees pictures"),
        (["--encoder.weights", "scenes"], "--encoder.weights scenes are for pictures of 64x64"),
        (["--encoder.rate", "-1"], "--encoder.rate must be"),
        (["--encoder.mirror", "--data.units", "characters"], "--encoder.mirror: these captions"),
    ],
)
def test_bad_input_makes_one_sentence(folder, tmp_path, capsys, flags, words):
    assert command(tmp_path / "x", folder, "--steps", "2", *flags) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if line[:8] != "devices:"]
    assert len(told) == 1, told
    assert words in told[0]
    assert not (tmp_path / "x").exists()


def test_mirrors_are_for_captions_that_name_no_side(folder, tmp_path, capsys):
    assert command(tmp_path / "a", folder, "--steps", "2", "--encoder.mirror") == 0
    words = folder / "vocabulary.json"
    before = words.read_text()
    words.write_text(before.replace('"picture"', '"left"'))
    try:
        assert command(tmp_path / "b", folder, "--steps", "2", "--encoder.mirror") == 2
    finally:
        words.write_text(before)
    assert "these captions may say left" in capsys.readouterr().err
