"""Small models with the weights that they begin with, for pages to play with."""

import dataclasses
import functools
import json
from pathlib import Path

import jax
import numpy as np
from flax.serialization import to_state_dict
from PIL import Image

from jaxgen.captioning.config import AboutCaptions
from jaxgen.data.captions.base import CaptionData, Captions, Features, Split
from jaxgen.data.captions.vocabulary import SPECIAL, Vocabulary
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.networks.mlp import MLP
from jaxgen.training.task import Saved
from tests.captioning.encoders.test_seeing import CAPTIONERS, SIDE, config

WORDS = [*SPECIAL, "a", "red", "<b>7</b>", "two", "blue"]
SCENES = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3)).astype(np.uint8)


@functools.cache
def gan(**changes):
    """A GAN of digits in ten classes."""
    numbers = {"noise_size": 5, "batch_size": 8, "conditional": True} | changes
    networks = MLP(generator_hidden=(16,), discriminator_hidden=(5,))
    config = GanConfig(workdir="", steps=1, networks=networks, **numbers)
    made = config.gan(AboutImages((28, 28, 1), 10, 8))
    about = {"image_shape": [28, 28, 1], "classes": 10, "examples": 8}
    return config.restored(Saved(to_state_dict(jax.jit(made.init)(jax.random.key(1), {})), about))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scenes(Captions):
    """Three pictures; of the last the file is gone."""

    folder: str = ""

    def load(self):
        arrays = {
            "captions": np.array([[1, 4, 5, 6, 2], [1, 7, 8, 6, 2], [1, 4, 6, 2, 0]], np.int32),
            "image_index": np.arange(3, dtype=np.int32),
        }
        split = Split(arrays, Features.of(SCENES), ["0.png", "1.png", "2.png"])
        return CaptionData(split, split, Vocabulary(WORDS), Path(self.folder), has_grid=True)


def captioner(folder, captioner=CAPTIONERS[0]):
    """One that sees pictures of 16 x 16 pixels, and those that it comes with."""
    for number in range(2):
        Image.fromarray(SCENES[number]).save(folder / f"{number}.png")
    made = config(captioner, data=Scenes(folder=str(folder)))
    shape = (SIDE, SIDE, 3)
    captioning = made.captioning(AboutCaptions(tuple(WORDS), shape, 3))
    state = jax.jit(captioning.init)(jax.random.key(0), {"features": SCENES})
    state = jax.tree.map(  # so that pictures matter
        lambda x: (
            x + 0.5 * np.cos(np.arange(x.size, dtype=np.float32)).reshape(x.shape)
            if x.dtype == np.float32
            else x
        ),
        to_state_dict(state),
    )
    about = {"vocabulary": WORDS, "feature_shape": shape, "examples": 3}
    return made.restored(Saved(state, json.loads(json.dumps(about))))


def broken_files(folder):
    """Files that pretend to be pictures, by name, each with what is said of it."""
    whole = folder / "whole.jpg"
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(noise).save(whole)
    (folder / "cut.jpg").write_bytes(whole.read_bytes()[:900])
    (folder / "text.png").write_text("<script>alert(1)</script> is no picture")
    (folder / "empty.png").touch()
    Image.new("1", (8000, 6251)).save(folder / "huge.png")
    Image.fromarray(noise[..., 0].astype(np.float32)).save(folder / "float.tif")
    return {
        "cut.jpg": "truncated",
        "text.png": "cannot identify image file",
        "empty.png": "cannot identify image file",
        "huge.png": "8000 x 6251 is more than 50000000 pixels",
        "float.tif": "neither 8 nor 16 bits",
    }
