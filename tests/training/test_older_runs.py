"""Runs that jaxgen 0.1.0 wrote load, sample as they did, and go on (tests/runs_0_1/README.md)."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import jaxgen
from experiments import (
    caption_char,
    caption_lstm,
    caption_rnn,
    caption_transformer,
    conditional_dcgan,
    conditional_gan,
    dcgan,
    lsgan,
    mlp_gan,
    vanilla_gan,
)
from jaxgen.errors import JaxgenError
from jaxgen.gan.losses import relativistic_r1r2, wasserstein_gp
from jaxgen.training import configs, experiment
from jaxgen.training.run_folder import Run
from jaxgen.training.task import TrainConfig

RUNS = Path(__file__).parents[1] / "runs_0_1"
LOGGING = ("steps", "log_every", "sample_every", "evaluate_every", "workdir")
EXPERIMENTS = {
    "caption_char": caption_char.config,
    "caption_lstm": caption_lstm.config,
    "caption_lstm_overfit": caption_lstm.overfit,
    "caption_rnn": caption_rnn.config,
    "caption_rnn_overfit": caption_rnn.overfit,
    "caption_transformer": caption_transformer.config,
    "caption_transformer_overfit": caption_transformer.overfit,
    "caption_transformer_vector": caption_transformer.vector,
    "conditional_dcgan": conditional_dcgan.config,
    "conditional_gan": conditional_gan.config,
    "dcgan": dcgan.config,
    "dcgan_best": dcgan.best,
    "lsgan": lsgan.notebook,
    "mlp_gan": mlp_gan.config,
    "vanilla_gan": vanilla_gan.config,
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_configurations_of_then_are_the_experiments_of_today(name):
    """But for the flags they were written with, which are those of logging."""
    run = Run(RUNS / "configs")
    record = configs.Record.of_json(json.loads((RUNS / f"configs/{name}.json").read_text()), name)
    then = experiment.read_config(run, record.config)
    old, new = (configs.to_json(config) for config in (then, EXPERIMENTS[name]))
    found = {d.name for d in configs.differences(old, new)}
    assert found <= set(LOGGING)


def test_choices_and_numbers_of_then_are_kept():
    record = json.loads((RUNS / "configs/dcgan_sn.json").read_text())
    config = configs.from_json(record["config"] | {"workdir": ""}, TrainConfig)
    assert config.networks.spectral_norm
    assert config.loss is relativistic_r1r2
    record = json.loads((RUNS / "configs/vanilla_wgan.json").read_text())
    config = configs.from_json(record["config"] | {"workdir": ""}, TrainConfig)
    assert config.loss is wasserstein_gp
    assert config.optimizer.rule.choice_name() == "rmsprop"


def test_a_gan_of_then_samples_the_same_images():
    with np.load(RUNS / "gan_samples.npz") as file:
        model = jaxgen.load(RUNS / "gan")
        made = model.sample(seed=3, labels=file["labels"])[..., 0]
        # The same bits on the machine that wrote them; another processor rounds otherwise.
        np.testing.assert_allclose(made, file["images"], atol=2e-5)
    steps, losses = model.history["d_loss"]
    assert steps.tolist() == list(range(1, 21))
    assert np.isfinite(losses).all()


def test_a_captioner_of_then_writes_the_same_sentences():
    model = jaxgen.load(RUNS / "captioner")
    features = np.sin(np.arange(6 * 512, dtype=np.float32)).reshape(6, 512)
    expected = json.loads((RUNS / "captions.json").read_text())
    assert model.caption(features) == expected["greedy"]
    assert model.caption(features, seed=1, temperature=1.0) == expected["sampled"]
    assert model.caption(features, beam=3) == expected["beam"]


@pytest.fixture
def cut_back(tmp_path):
    """A run of then as a kill after its tenth step would have left it."""

    def cut(name):
        folder = shutil.copytree(RUNS / name, tmp_path / name)
        shutil.rmtree(folder / "checkpoints" / "20")
        (folder / "summary.json").unlink()
        return folder

    return cut


GAN_FLAGS = (
    "--steps 20 --batch-size 16 --log-every 5 --sample-every 10 --checkpoint-every 10 "
    "--noise-size 6 --networks.generator-hidden 8 8 --networks.generator-normalized 1 "
    "--networks.discriminator-hidden 8 --average-decay 0.9"
).split()
CAPTION_FLAGS = (
    "--steps 20 --batch-size 16 --log-every 5 --sample-every 10 --checkpoint-every 10 "
    "--evaluate-every 0 --data.scenes 40 --captioner.hidden 16 --captioner.word-size 8"
).split()


@pytest.mark.parametrize(
    ("name", "module", "flags"),
    [
        ("gan", "experiments.conditional_gan", GAN_FLAGS),
        ("gan", "experiments.conditional_gan", []),
        ("captioner", "experiments.caption_lstm", CAPTION_FLAGS),
    ],
)
def test_the_command_of_then_goes_on(cut_back, run_module, name, module, flags):
    folder = cut_back(name)
    code, told = run_module(module, *flags, "--workdir", folder)
    assert code == 0, told
    assert "going on at step 10" in told
    then = json.loads((RUNS / name / "summary.json").read_text())
    now = json.loads((folder / "summary.json").read_text())
    assert now["step"] == 20
    same = [key for key in now["metrics"] if key in then["metrics"]]
    assert len(same) >= 1
    for key in same:
        # Running variances had the divisor n then, and n - 1 since, which moves the samples.
        rtol = 2e-3 if "loss" in key else 2e-2
        np.testing.assert_allclose(now["metrics"][key], then["metrics"][key], rtol=rtol)
    record = json.loads((folder / "config.json").read_text())
    assert record["format"] == configs.FORMAT


def test_a_run_of_then_is_still_refused_another_configuration(cut_back, run_module):
    folder = cut_back("gan")
    before = (folder / "config.json").read_bytes()
    code, told = run_module(
        "experiments.conditional_gan", *GAN_FLAGS, "--seed", 1, "--workdir", folder
    )
    assert code == 2
    assert "another configuration (seed: 0 -> 1)" in told
    assert (folder / "config.json").read_bytes() == before


def test_an_older_run_of_an_unknown_set_is_told(tmp_path):
    folder = shutil.copytree(RUNS / "gan", tmp_path / "gan")
    record = json.loads((folder / "config.json").read_text())
    record["config"]["data"]["name"] = "mnist6k"
    (folder / "config.json").write_text(json.dumps(record))
    with pytest.raises(JaxgenError, match="mnist6k"):
        jaxgen.load(folder)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("gan", lambda record: record["config"]["networks"].update(generator_hidden=[8, 9])),
        ("gan", lambda record: record["config"].update(noise_size=7)),
        ("gan", lambda record: record["config"].update(conditional=False)),
        ("gan", lambda record: record["about"].update(image_shape=[28, 28, 3])),
        ("captioner", lambda record: record["about"]["vocabulary"].pop()),
        ("captioner", lambda record: record["config"]["captioner"].update(hidden=17)),
        ("captioner", lambda record: record["about"].update(feature_shape=[511])),
    ],
)
def test_a_configuration_that_does_not_fit_its_checkpoint_is_told(tmp_path, name, change):
    """A record of then has no checksum, so that a change of it may go unseen until here."""
    folder = shutil.copytree(RUNS / name, tmp_path / name)
    record = json.loads((folder / "config.json").read_text())
    change(record)
    (folder / "config.json").write_text(json.dumps(record))
    with pytest.raises(JaxgenError, match="checkpoint of step 20 does not fit the configuration"):
        jaxgen.load(folder)
