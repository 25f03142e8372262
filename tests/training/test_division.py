"""How the programs of all experiments divide their work among four devices, read in their text.

The experiments have their real widths, since what is compiled costs no more for it; only captions
are made up, because scenes take a minute to make.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accelerators.programs import OF_OTHERS

RESIDUAL = ("r3gan", "sngan")
"""Experiments whose programs take half a minute to compile."""
pytestmark = [pytest.mark.early, pytest.mark.long]

EXPERIMENTS = sorted(
    path.stem
    for path in (Path(__file__).parents[2] / "experiments").glob("*.py")
    # minimax trains no network.
    if path.stem not in ("__init__", "minimax", *RESIDUAL, *OF_OTHERS)
)
VARIANTS = (
    "dcgan best",
    "vanilla_gan wasserstein",
    "vanilla_gan r1r2",
    "vanilla_gan recipe",
    "conditional_gan packed",
    "dcgan pacgan",
    "own autoencoder",
)
"""What the experiments' own programs do not have: averages, shifts, spectral norm, penalties, parts
of recipes, packs, a discriminator with batch norm; and a kind of model that is not jaxgen's."""

CONFIGS = """
import dataclasses, importlib, json, math, sys
import jax
import numpy as np
from benchmarks.compiled_text import collectives, product_flops
from examples import autoencoder
from jaxgen.captioning.captioners.recurrent import LSTM, RNN
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.data.captions.base import CaptionData, Captions, Features, Split
from jaxgen.data.captions.vocabulary import SPECIAL, Vocabulary
from jaxgen.gan import augmentation, losses
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.networks.pacgan import PacGAN
from jaxgen.gan.networks.r3gan import R3GAN
from jaxgen.gan.networks.sngan import SNGAN
from jaxgen.gan.recipe import Augmenting, Penalty, Updates
from jaxgen.training.loop import Loop
from jaxgen.training.mesh import make_mesh, replicated

@dataclasses.dataclass(frozen=True, kw_only=True)
class MadeUp(Captions):
    shape: tuple[int, ...]
    words: int
    tokens: int

    def load(self):
        vocabulary = Vocabulary([*SPECIAL, *(f"w{i}" for i in range(self.words - len(SPECIAL)))])
        rng = np.random.default_rng(0)
        captions = rng.integers(len(SPECIAL), self.words, (256, self.tokens)).astype(np.int32)
        captions[:, 0], captions[:, -1] = vocabulary.start, vocabulary.end
        arrays = {"captions": captions, "image_index": np.arange(256, dtype=np.int32)}
        numbers = rng.normal(size=(256, *self.shape))
        is_pictures = len(self.shape) == 3
        features = Features.of(numbers.astype(np.uint8) if is_pictures else numbers)
        split = Split(arrays, features, ["a.png"] * 256)
        return CaptionData(split, split, vocabulary, has_grid=len(self.shape) == 2)

CHANGES = {
    "dcgan best": dict(
        augmentation=augmentation.translation_cutout,
        average_decay=0.995,
        networks=DCGAN(spectral_norm=True),
    ),
    "vanilla_gan wasserstein": dict(loss=losses.wasserstein_gp),
    "vanilla_gan r1r2": dict(loss=losses.relativistic_r1r2),
    "conditional_gan packed": dict(
        packing=4,
        loss=losses.relativistic_r1r2,
        penalty=Penalty(images="made"),
        augmentation=augmentation.translation,
    ),
    "dcgan pacgan": dict(
        networks=PacGAN(generator_channels=(32, 16, 8, 8), discriminator_channels=(8, 8, 8, 8)),
        packing=2,
    ),
    "vanilla_gan recipe": dict(
        loss=losses.non_saturating_r1,
        penalty=Penalty(every=4),
        updates=Updates(discriminator=2, parts=2),
        augmentation=augmentation.ada_full,
        augmenting=Augmenting(target=0.6),
    ),
    # One block has several groups of channels and the other stages are alike.
    "r3gan": dict(networks=R3GAN((32,), (32,))),
    "sngan": dict(networks=SNGAN((64,), (64,))),
}
# One of the layers, which are alike.
CHANGES |= {
    name: dict(captioner=Transformer(width=width, heads=4, feed_forward=inner, layers=1))
    for name, width, inner in (
        ("caption_transformer", 192, 512),
        ("caption_self_critical", 192, 512),
        ("caption_char", 128, 256),
    )
}
# Of the scenes: 16 tokens of a grid, one vector or pixels, 82 words or 37 characters.
CAPTIONS = {
    "caption_rnn": MadeUp(shape=(512,), words=82, tokens=17),
    "caption_lstm": MadeUp(shape=(512,), words=82, tokens=17),
    "caption_transformer": MadeUp(shape=(16, 128), words=82, tokens=17),
    "caption_self_critical": MadeUp(shape=(16, 128), words=82, tokens=17),
    "caption_char": MadeUp(shape=(16, 128), words=37, tokens=75),
    "caption_attention": MadeUp(shape=(16, 128), words=82, tokens=17),
    "caption_up_down": MadeUp(shape=(16, 128), words=82, tokens=17),
    "caption_pixels": MadeUp(shape=(64, 64, 3), words=82, tokens=17),
}

def config_of(name):
    if name == "own autoencoder":
        return autoencoder.config
    config = importlib.import_module(f"experiments.{name.split()[0]}").config
    return dataclasses.replace(config, **({"data": CAPTIONS[name]} if name in CAPTIONS else {}))

def loops_of(config):
    task = config.task()
    return [Loop(task, config, make_mesh(jax.devices()[:count])) for count in (1, 4)]
"""

PROGRAM = """
def size(tree):
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))

def learnt(shapes, name):
    if hasattr(shapes, "generator"):
        of_g, of_d = PASSES.get(name, (1, 1))
        of_d *= 1 + PENALTIES.get(name, 0)
        return of_g * size(shapes.generator.params) + of_d * size(shapes.discriminator.params)
    return size(shapes["params"] if isinstance(shapes, dict) else shapes.params)

# A penalty differentiates the discriminator in a pass of its own, for real and for fake images with
# R1 and R2, and XLA for CPU sums each pass's gradient by itself.
PENALTIES = {
    "vanilla_gan r1r2": 2,
    "vanilla_gan wasserstein": 1,
    "conditional_gan packed": 2,
    "stacked_digits": 2,
    "vanilla_gan recipe": 1,
    "r3gan": 2,
}

# Passes of both networks in a step, where a batch is divided: each part's gradient is summed.
# PacGAN's discriminator judges real and fake packs in passes of their own.
PASSES = {"vanilla_gan recipe": (2, 4), "sngan": (1, 2), "dcgan pacgan": (1, 2)}

# On CPU the products of a convolution have kernels with zeros beside them, and XLA sums the
# gradients of those: for the six of the encoder, which is bfloat16, 264,256 numbers, 675,840.
WIDER = {"caption_pixels": 4 * (675_840 - 264_256)}
# The discriminator's two of 3 to 32 to 64 channels, in three passes.
WIDER["stacked_digits"] = 3 * 4 * (15_360 + 122_880 - 25 * (3 * 32 + 32 * 64))
# Transposed ones of the generator, 5x5, become 6x6; then the discriminator's first, in two passes:
# those after it, of 8 channels and with strides, are products of windows without zeros.
WIDER["dcgan pacgan"] = 4 * (36 - 25) * (32 * 16 + 16 * 8 + 8 * 8 + 8)
WIDER["dcgan pacgan"] += 2 * 4 * (96 - 25) * (2 * 8)
# Grouped ones have zeros between the groups of a block of 32 channels too. Three kernels of 64, of
# the generator once, of the discriminator in three passes.
WIDER["r3gan"] = 12 * 4 * (2 * 3 * 128 * 64 - 9 * 16 * 64)
# Of 64 to 64 channels four of the generator, five of the discriminator in each of two updates.
WIDER["sngan"] = 14 * 4 * (3 * 256 * 128 - 9 * 64 * 64)

for name in sys.argv[1:]:
    config = dataclasses.replace(config_of(name), **CHANGES.get(name, {}))
    loops = loops_of(config)
    texts = [loop.lowered().compile().as_text() for loop in loops]
    print(json.dumps({
        "name": name,
        "flops": [product_flops(text) for text in texts],
        "alone": len(collectives(texts[0])),
        "collectives": [dataclasses.astuple(one) for one in collectives(texts[1])],
        "gradients": learnt(loops[0].state_shapes, name) + WIDER.get(name, 0),
    }), flush=True)
"""

VALUES = """
SMALL = {
    "vanilla_gan": dict(networks=MLP(generator_hidden=(16, 16), discriminator_hidden=(8, 8))),
    "mlp_gan": dict(networks=MLP(generator_hidden=(16, 16), generator_normalized=(1,))),
    "caption_rnn": dict(captioner=RNN(hidden=16, word_size=8)),
    "caption_lstm": dict(captioner=LSTM(hidden=16, word_size=8, dropout=0.3)),
}
for name, changes in SMALL.items():
    config = dataclasses.replace(config_of(name), **changes, steps=4, batch_size=16)
    metrics = []
    for loop in loops_of(config):
        state = jax.device_put(loop.initial_state(), replicated(loop.mesh))
        _, history = loop.dispatch(state, 0, 4)
        metrics.append({name: np.asarray(row).tolist() for name, row in history.items()})
    print(json.dumps({"name": name, "metrics": metrics}), flush=True)
"""


@pytest.fixture(scope="module")
def told_by(on_devices):
    """What a program says on four devices, by name."""

    def run(program, *arguments):
        said = on_devices(CONFIGS + program, *arguments).stdout.splitlines()
        return {row["name"]: row for row in map(json.loads, said)}

    return run


@pytest.fixture(scope="module")
def told(told_by):
    """By name: products' arithmetic on one device and on each of four, collectives, parameters."""
    return told_by(PROGRAM, *EXPERIMENTS, *VARIANTS)


@pytest.mark.parametrize("name", [*EXPERIMENTS, *VARIANTS])
def test_each_device_does_its_share_and_only_gradients_travel(told, name):
    hold_to_its_share(told[name])


@pytest.mark.slow
def test_so_do_residual_networks(told_by):
    for row in told_by(PROGRAM, *RESIDUAL).values():
        hold_to_its_share(row)


def hold_to_its_share(row):
    alone, shared = row["flops"]
    assert alone > 1e6
    assert shared <= 0.26 * alone
    assert row["alone"] == 0
    assert {kind for kind, *_ in row["collectives"]} == {"all-reduce"}
    reduced = sum(size * times for _, size, times, *_ in row["collectives"])
    # All gradients, each once; then what is not gradients: metrics, and statistics of batches.
    assert abs(reduced / row["gradients"] - 1) <= 0.05
    assert reduced - row["gradients"] < 500_000


def test_four_devices_compute_what_one_does(told_by):
    for name, row in told_by(VALUES).items():
        alone, shared = row["metrics"]
        for metric, values in alone.items():
            np.testing.assert_allclose(
                shared[metric][:4], values[:4], 1e-3, 1e-5, err_msg=f"{name} {metric}"
            )
