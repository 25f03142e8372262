"""With `JAX_ENABLE_X64=1` all runs as without it: the same numbers up to rounding, in float32."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxgen.captioning.captioners.recurrent import LSTM, RNN
from jaxgen.captioning.captioners.show_attend_tell import ShowAttendTell
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.captioning.captioners.up_down import UpDown
from jaxgen.captioning.config import AboutCaptions, CaptionConfig
from jaxgen.captioning.decoding import Decoding
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.gan import augmentation, losses, noise
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.step import weights
from jaxgen.training.optimizers import Optimizer, adam, momentum

IMAGES = AboutImages((16, 16, 1), classes=3, examples=8)
DENSE = GanConfig(
    workdir="",
    steps=4,
    batch_size=8,
    noise_size=5,
    networks=MLP(generator_hidden=(6,), generator_normalized=(0,), discriminator_hidden=(5,)),
    loss=losses.non_saturating,
    noise=noise.normal,
    conditional=True,
    average_decay=0.9,
    augmentation=augmentation.translation_cutout,
    optimizer=Optimizer(momentum, 1e-3, epoch_decay=0.5, warm_up=2, cosine=True),
)
GANS = {
    "mlp": DENSE,
    "dcgan": replace(
        DENSE,
        networks=DCGAN(
            hidden=6,
            generator_channels=(4, 3),
            discriminator_channels=(2, 3),
            spectral_norm=True,
        ),
        loss=losses.wasserstein_gp,
        noise=noise.uniform,
    ),
}
WORDS = AboutCaptions(
    Vocabulary.of_sentences(["a cat on a mat", "the dog and the cat"], 1).words, (6,), examples=8
)
CAPTIONERS = {
    "rnn": RNN(hidden=7, word_size=5, dropout=0.1),
    "lstm": LSTM(hidden=7, word_size=5, dropout=0.1),
    "show_attend_tell": ShowAttendTell(hidden=7, word_size=5, attention=4, dropout=0.1),
    "up_down": UpDown(hidden=7, word_size=5, attention=4, dropout=0.1),
    "transformer": Transformer(width=8, feed_forward=9),
    "encoder": Transformer(width=8, feed_forward=9, layers=1, encoder_layers=1),
    "window": Transformer(width=8, feed_forward=9, layers=1, window=2),
    "rank": Transformer(width=8, feed_forward=9, layers=1, rank=4),
}


PIXELS = np.arange(8 * 256, dtype=np.uint32).reshape(8, 16, 16, 1) * 2654435761 >> 7
IMAGE_BATCH = {"image": PIXELS.astype(np.uint8), "label": np.arange(8, dtype=np.int32) % 3}
FEATURES = np.sin(np.arange(8 * 6, dtype=np.float32)).reshape(8, 6)
CAPTIONS = 3 + np.arange(8 * 6, dtype=np.int32).reshape(8, 6) % (len(WORDS.vocabulary) - 3)
CAPTION_BATCH = {"features": FEATURES, "captions": CAPTIONS}
WAYS = {
    "greedy": Decoding(),
    "beam": Decoding(beam=2, length_penalty=0.6),
    "drawn": Decoding(temperature=1.0, top_k=5, top_p=0.9),
}


def parts(config):
    """What a configuration trains, a batch for it, and functions of its state that make things."""
    if isinstance(config, GanConfig):
        sampler = config.sampler(IMAGES)
        inputs = np.ones((8, 5), np.float32), np.arange(8) % 3
        makers = {"images": lambda state: sampler.images(weights(state), *inputs)}
        return config.gan(IMAGES), IMAGE_BATCH, makers
    writer = config.writer(WORDS)
    makers = {
        name: lambda state, way=way: writer._words_of_rows(
            state.params, FEATURES, way, jax.random.key(4)
        )
        for name, way in WAYS.items()
    }
    makers["losses"] = lambda state: writer._losses_of_rows(state.params, CAPTION_BATCH)
    return config.captioning(WORDS), CAPTION_BATCH, makers


def captioning(captioner):
    optimizer = Optimizer(adam, 1e-2, epoch_decay=0.5)
    return CaptionConfig(
        workdir="", steps=4, batch_size=8, captioner=captioner, max_length=5, optimizer=optimizer
    )


CONFIGS = GANS | {name: captioning(captioner) for name, captioner in CAPTIONERS.items()}


@pytest.mark.parametrize("name", CONFIGS)
def test_nothing_gets_another_type(name):
    def shapes():
        model, batch, makers = parts(CONFIGS[name])
        state = jax.eval_shape(model.init, jax.random.key(1), batch)
        after, metrics = jax.eval_shape(model.step, state, batch, jax.random.key(2))
        made = {what: jax.eval_shape(make, state) for what, make in makers.items()}
        return state, after, metrics, made

    single = shapes()
    with jax.enable_x64(True):
        double = shapes()
    assert double == single
    assert double[0] == double[1]


def close(single, double, rtol):
    def compare(path, a, b):
        np.testing.assert_allclose(b, a, rtol, 1e-5, err_msg=jax.tree_util.keystr(path))

    jax.tree_util.tree_map_with_path(compare, single, double)


@pytest.mark.parametrize("name", ["mlp", "rnn", pytest.param("window", marks=pytest.mark.long)])
def test_the_numbers_are_the_same_but_for_rounding(name):
    def run():
        model, batch, makers = parts(CONFIGS[name])
        first = jax.jit(model.init)(jax.random.key(1), batch)
        state, metrics = jax.jit(model.step)(first, batch, jax.random.key(2))
        del makers["greedy" if name == "window" else "images" if name == "mlp" else "drawn"]
        made = {what: make(first) for what, make in makers.items()}
        moved = state.optimizer if hasattr(state, "optimizer") else state
        return jax.device_get((first, moved, metrics, made))

    single = run()
    with jax.enable_x64(True):
        double = run()
    close(single[0], double[0], rtol=1e-6)
    close(single[1:], double[1:], rtol=1e-4)


PROGRAM = """
import sys
from pathlib import Path
import jax, jaxgen, numpy as np
from dataclasses import replace
from experiments import caption_rnn, conditional_gan
from jaxgen.captioning.captioners.recurrent import RNN
from jaxgen.data.scenes.captions import Scenes
from jaxgen.gan.networks.mlp import MLP
from jaxgen.training.experiment import train

assert jax.config.jax_enable_x64
jax.config.update("jax_numpy_rank_promotion", "raise")
folder = Path(sys.argv[1])
small = dict(steps=2, batch_size=16, log_every=1, evaluate_every=0, sample_every=0)
gan = replace(
    conditional_gan.config, **small, workdir=str(folder / "gan"), evaluate_samples=20,
    networks=MLP(generator_hidden=(8,), generator_normalized=(0,), discriminator_hidden=(8,)),
)
captioner = replace(
    caption_rnn.overfit, **small, workdir=str(folder / "captioner"), evaluate_images=4,
    captioner=RNN(hidden=8, word_size=8), data=Scenes(scenes=40),
)
for config in (gan, captioner):
    assert train(config).step == 2
    assert train(replace(config, steps=3)).step == 3
    model = jaxgen.load(config.workdir)
    assert {leaf.dtype for leaf in jax.tree.leaves(model.params)} == {np.dtype(np.float32)}
    figures, _ = model.evaluate(*([False] if config is captioner else []))
    assert figures
"""


@pytest.mark.long
def test_runs_in_a_process_of_double_precision(tmp_path):
    """Trained, extended, restored and measured; and then by this process, which has none."""
    environment = os.environ | {"JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}
    program = [sys.executable, "-W", "error", "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(program, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("gan", "captioner"):
        summary = json.loads((tmp_path / name / "summary.json").read_text())
        assert (summary["step"], summary["finished"]) == (3, True)
