"""The StableHLO program runs where there is no jaxgen and no Flax, and verifies itself."""

import dataclasses
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from jaxgen.captioning.captioners.recurrent import RNN
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.training.exporting import folder, stablehlo
from jaxgen.training.exporting.exportable import flat
from tests.marks import long_but_for
from tests.training.exporting.conftest import CAPTIONS, FEATURES, GAN, captioner, gan

pytest.importorskip("flatbuffers", reason="what jax.export writes with is not there")

WITHOUT = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("jaxgen", "flax", "optax", "safetensors", "h5py"):
            raise ImportError(f"{name} is not here")
sys.meta_path.insert(0, Without())
"""


@pytest.fixture
def run(tmp_path):
    """Run a folder's script in a process that cannot import jaxgen; returns status and words."""
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text(WITHOUT)

    def script(out, *flags):
        done = subprocess.run(
            [sys.executable, str(out / stablehlo.SCRIPT), *map(str, flags)],
            env=os.environ | {"PYTHONPATH": str(tmp_path / "without"), "JAX_PLATFORMS": "cpu"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    return script


def test_a_generator_makes_images_without_jaxgen(run, tmp_path):
    model, out = gan(), tmp_path / "gan"
    folder.write(model, out, folder.Extras(stablehlo=True))
    status, told = run(out, "--n", 5, "--seed", 1)
    assert status == 0, told
    assert "verified on cpu: off by" in told
    images = np.load(tmp_path / "images.npy")
    assert images.shape == (5, 28, 28, 1)
    noise = np.random.default_rng(1).normal(size=(5, GAN.noise_size)).astype(np.float32)
    ours = model._sampler.sample_from(model._weights, noise, np.arange(5))
    np.testing.assert_allclose(images, ours, atol=1e-5)
    assert "error: this folder holds a generator" in run(out, "--features", "x.npy")[1]
    content = bytearray((out / folder.WEIGHTS).read_bytes())
    content[len(content) // 2] ^= 1
    (out / folder.WEIGHTS).write_bytes(content)
    status, told = run(out)
    assert status == 1
    assert "model.safetensors is not as it was exported" in told


def test_a_generator_of_clusters_draws_them_by_their_size(run, tmp_path):
    model = gan(dataclasses.replace(GAN, conditional=False, clusters=2), cluster_sizes=(7, 1))
    out = tmp_path / "gan"
    folder.write(model, out, folder.Extras(stablehlo=True))
    status, told = run(out, "--n", 80)
    assert status == 0, told
    images, rng = np.load(tmp_path / "images.npy"), np.random.default_rng(0)
    noise = rng.normal(size=(80, GAN.noise_size)).astype(np.float32)
    of_each = [
        model._sampler.sample_from(model._weights, noise, np.full(80, cluster))
        for cluster in (0, 1)
    ]
    is_of_each = [np.isclose(images, made, atol=1e-5).all((1, 2, 3)) for made in of_each]
    assert (is_of_each[0] ^ is_of_each[1]).all()
    assert 60 < is_of_each[0].sum() < 80


def test_a_captioner_writes_without_jaxgen(run, tmp_path):
    model, out = captioner(), tmp_path / "captioner"
    folder.write(model, out, folder.Extras(stablehlo=True))
    features = np.random.default_rng(0).normal(size=(7, FEATURES)).astype(np.float32)
    np.save(tmp_path / "features.npy", features)
    status, told = run(out, "--features", "features.npy")
    assert status == 0, told
    assert told.splitlines()[1:] == model.caption(features)


OTHERS = {
    "dcgan": lambda: gan(
        dataclasses.replace(
            GAN, networks=DCGAN(hidden=8, generator_channels=(4, 2)), sampling_statistics="batch"
        )
    ),
    "bfloat16": lambda: gan(dataclasses.replace(GAN, precision="bfloat16")),
    "rnn": lambda: captioner(dataclasses.replace(CAPTIONS, captioner=RNN(hidden=7, word_size=5))),
    "transformer": lambda: captioner(
        dataclasses.replace(CAPTIONS, captioner=Transformer(12, 3, 2, 9))
    ),
}


@pytest.mark.parametrize("name", long_but_for(("bfloat16", "rnn"), OTHERS))
def test_every_program_is_for_any_batch_and_three_platforms(name):
    exported = OTHERS[name]().exportable()
    weights = flat(exported.weights)
    stored = jax.export.deserialize(bytearray(stablehlo.serialized(exported.program, weights)))
    assert stored.platforms == ("cpu", "cuda", "tpu")
    expected = exported.program.outputs(weights)
    for rows in (1, 3):
        some = {key: array[:rows] for key, array in exported.program.inputs.items()}
        made = jax.jit(stored.call)(weights, some)
        for key, array in expected.items():
            if name != "dcgan":  # whose images depend on each other
                np.testing.assert_allclose(made[key], array[:rows], atol=1e-4)
    whole = jax.jit(stored.call)(weights, exported.program.inputs)
    for key, array in expected.items():
        np.testing.assert_allclose(whole[key], array, atol=1e-4)
