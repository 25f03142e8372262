"""`jaxgen.run(config)`: what a notebook calls."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import jaxgen
from experiments import vanilla_gan
from jaxgen.errors import JaxgenError
from jaxgen.gan.networks.mlp import MLP
from jaxgen.training import experiment
from jaxgen.training.loop import Loop
from jaxgen.training.recorder import Recorder
from jaxgen.training.run_folder import Run, read_json
from tests.training import members


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return replace(
        vanilla_gan.config,
        networks=MLP(generator_hidden=(4,), generator_normalized=(), discriminator_hidden=(4,)),
        steps=4,
        batch_size=8,
        log_every=2,
        checkpoint_every=2,
        workdir=str(tmp_path_factory.mktemp("runs") / "a"),
    )


def test_run_trains_and_opens_and_opens_again(config):
    first = jaxgen.run(config)
    saved = Run(config.workdir).summary_path.read_bytes()
    again = jaxgen.run(config)
    assert np.array_equal(first.sample(seed=0, n=2), again.sample(seed=0, n=2))
    assert Run(config.workdir).summary_path.read_bytes() == saved
    assert experiment.train(config) is None  # finished


def test_what_may_change_changes_in_a_finished_run(config):
    finished = replace(config, workdir=f"{config.workdir}-changed")
    jaxgen.run(finished)
    model = jaxgen.run(replace(finished, evaluate_samples=77, sampling_statistics="batch"))
    assert model.config.evaluate_samples == 77
    assert jaxgen.load(finished.workdir).config.sampling_statistics == "batch"
    assert jaxgen.run(finished).config.sampling_statistics == "running"


@pytest.mark.parametrize(
    "what, step",
    [
        ("figures", 2),
        pytest.param("figures", 4, marks=pytest.mark.long),
        pytest.param("show", 2, marks=pytest.mark.long),
        pytest.param("show", 4, marks=pytest.mark.long),
    ],
)
def test_a_run_that_dies_while_it_is_looked_at_loses_nothing(config, monkeypatch, what, step):
    """Its checkpoint is there; the next call draws and measures what was due, then goes on."""
    numbers = {"sample_every": 2, "evaluate_every": 2, "evaluate_samples": 8}
    folders = []
    for name in ("whole", f"{what}-{step}"):
        one = replace(config, **numbers, workdir=f"{config.workdir}-{name}")
        folders.append(Run(one.workdir))
        real = getattr(Recorder, what)

        def dies(self, at, *rest, real=real):
            if at == step:
                raise MemoryError
            real(self, at, *rest)

        if name != "whole":
            with monkeypatch.context() as patched:
                patched.setattr(Recorder, what, dies)
                with pytest.raises(MemoryError):
                    jaxgen.run(one)
            assert folders[1].checkpoints().steps()[-1] == step
        jaxgen.run(one)
    whole, broken = folders
    assert whole.metrics_path.read_bytes() == broken.metrics_path.read_bytes()
    pictures = [sorted(run.samples_path.iterdir()) for run in folders]
    assert [p.name for p in pictures[0]] == [p.name for p in pictures[1]]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(*pictures, strict=True))
    assert len(pictures[0]) == 2
    told = [read_json(run.summary_path) for run in folders]
    assert told[0]["parameters_sha256"] == told[1]["parameters_sha256"]
    assert told[0]["metrics"] == told[1]["metrics"]


def test_an_interrupted_run_says_so(config, monkeypatch):
    config = replace(config, workdir=f"{config.workdir}-interrupted")
    real_run = Loop.run

    def interrupted(*args, **named):
        return real_run(*args, **named)._replace(step=2, interrupted=2)

    monkeypatch.setattr(Loop, "run", interrupted)
    with pytest.raises(KeyboardInterrupt, match="after step 2"):
        jaxgen.run(config)
    assert Run(config.workdir).exists()


def test_another_configuration_is_refused(config):
    jaxgen.run(config)
    with pytest.raises(JaxgenError, match=r"another configuration \(seed: 0 -> 1\)"):
        jaxgen.run(replace(config, seed=1))


def test_a_field_of_another_type_is_told_before_anything_happens(config, tmp_path):
    for changes, words in (
        ({"steps": "4"}, "^steps must be a whole number, got '4'"),
        ({"networks": 3}, "^networks must be a Networks, got 3"),
        ({"batch_size": 0}, "^batch_size must be at least 1, got 0"),
    ):
        with pytest.raises(JaxgenError, match=words):
            jaxgen.run(replace(config, workdir=str(tmp_path / "x"), **changes))
    assert not (tmp_path / "x").exists()


def test_more_steps_extend_and_history_tells_all_of_them(config):
    longer = replace(config, workdir=f"{config.workdir}-longer")
    jaxgen.run(longer)
    model = jaxgen.run(replace(longer, steps=6))
    assert model.history["d_loss"][0].tolist() == [1, 2, 3, 4, 5, 6]
    whole = jaxgen.run(replace(config, workdir=f"{config.workdir}-whole", steps=6))
    assert np.array_equal(model.sample(n=2), whole.sample(n=2))


def test_a_picture_before_the_first_step_where_it_is_asked_for(config, tmp_path):
    def frames(folder):
        with Image.open(folder / "samples.gif") as animation:
            return animation.n_frames

    workdir = tmp_path / "start"
    asked = replace(config, workdir=str(workdir), steps=2, sample_every=1, sample_at_start=True)
    jaxgen.run(asked)
    first = workdir / "samples" / "step_000000.png"
    before = first.read_bytes()
    assert frames(workdir) == 3
    jaxgen.run(replace(asked, steps=3))  # it stays, and is not drawn of a later state
    assert first.read_bytes() == before
    assert frames(workdir) == 4
    other = tmp_path / "not_asked"
    jaxgen.run(replace(asked, workdir=str(other), sample_at_start=False))
    assert sorted(path.name for path in (other / "samples").iterdir()) == [
        "step_000001.png",
        "step_000002.png",
    ]
    ends = [(folder / "samples" / "step_000002.png").read_bytes() for folder in (workdir, other)]
    assert ends[0] == ends[1]


def test_a_run_in_bfloat16_goes_on_bit_for_bit_and_in_no_other_precision(config):
    rounding = replace(config, precision="bfloat16")
    whole, cut = (
        replace(rounding, workdir=f"{config.workdir}-{name}") for name in ("whole16", "cut16")
    )
    model = jaxgen.run(whole)
    jaxgen.run(replace(cut, steps=2))
    with pytest.raises(JaxgenError, match="precision"):
        jaxgen.run(replace(cut, precision="float32"))
    jaxgen.run(cut)
    assert (
        Run(whole.workdir).metrics_path.read_bytes() == Run(cut.workdir).metrics_path.read_bytes()
    )
    marks = [read_json(Run(c.workdir).summary_path)["parameters_sha256"] for c in (whole, cut)]
    assert marks[0] == marks[1]
    assert (
        Run(config.workdir).metrics_path.read_bytes() != Run(cut.workdir).metrics_path.read_bytes()
    )
    # It samples in its own precision, or in another that is asked for.
    own, exact = (
        jaxgen.load(cut.workdir, precision).sample(n=2) for precision in (None, "float32")
    )
    assert np.array_equal(own, model.sample(n=2))
    assert (own.dtype, exact.dtype) == (np.float32, np.float32)
    assert 0 < np.abs(own - exact).max() < 0.05


@pytest.mark.parametrize(
    ("name", "changes"),
    [("dcgan", {}), ("caption_transformer", {}), ("vanilla_gan", {"replicas": 2})],
)
def test_other_networks_and_replicas_go_on_bit_for_bit_in_bfloat16(tmp_path, name, changes):
    numbers = {"precision": "bfloat16", "log_every": 2, "checkpoint_every": 2} | changes
    config = members.small(name, workdir=str(tmp_path / name), steps=4, **numbers)
    jaxgen.run(config)
    whole = Run(config.workdir)
    cut = Run(shutil.copytree(whole.path, tmp_path / "cut"))
    shutil.rmtree(cut.path / "checkpoints" / "4")  # what was lost is trained again
    cut.summary_path.unlink()
    jaxgen.run(replace(config, workdir=str(cut.path)))
    assert whole.metrics_path.read_bytes() == cut.metrics_path.read_bytes()
    marks = [read_json(run.summary_path)["parameters_sha256"] for run in (whole, cut)]
    assert marks[0] == marks[1]
