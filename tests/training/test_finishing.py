"""A run's results are all there in the end, whenever its process died; a half-made folder too."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import jaxgen
from experiments import vanilla_gan
from jaxgen.display import plots
from jaxgen.gan.networks.mlp import MLP
from jaxgen.training import experiment, finishing, optimizers, told_run
from jaxgen.training.divergence import Diverged
from jaxgen.training.events import read_events
from jaxgen.training.run_folder import Run


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    networks = MLP(generator_hidden=(4,), generator_normalized=(), discriminator_hidden=(4,))
    config = replace(
        vanilla_gan.config,
        networks=networks,
        steps=6,
        batch_size=8,
        log_every=2,
        sample_every=2,
        workdir=str(tmp_path_factory.mktemp("runs") / "a"),
    )
    jaxgen.run(config)
    return config


@pytest.fixture
def run(config, tmp_path):
    folder = shutil.copytree(config.workdir, tmp_path / "copy")
    return Run(folder), replace(config, workdir=str(folder))


RESULTS = ("summary.json", "curves.png", "samples.gif", "report.html")


@pytest.mark.parametrize("missing", [RESULTS, RESULTS[:1], RESULTS[:2], RESULTS[3:]])
def test_a_run_that_was_killed_after_its_last_checkpoint_is_finished(run, missing, capsys):
    run, config = run
    whole = json.loads(run.summary_path.read_text())
    for name in missing:
        (run.path / name).unlink()
        (run.path / f".partial-77-{name}").touch()
    assert experiment.train(config) is None
    assert "whose results are not all there" in capsys.readouterr().err
    summary = json.loads(run.summary_path.read_text())
    for key in ("step", "finished", "metrics", "parameters_sha256", "seed"):
        assert summary[key] == whole[key]
    assert all((run.path / name).stat().st_size > 100 for name in RESULTS)
    assert not list(run.path.glob(".partial-*"))
    before = run.summary_path.read_bytes()
    assert experiment.train(config) is None
    assert run.summary_path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"step": 6, "finis'])
def test_a_damaged_summary_is_set_aside_and_written_again(run, content, capsys):
    run, config = run
    run.summary_path.write_bytes(content)
    assert experiment.train(config) is None
    assert "summary.json is damaged" in capsys.readouterr().err
    assert (run.path / "damaged-summary.json").read_bytes() == content
    assert json.loads(run.summary_path.read_text())["finished"]


@pytest.mark.parametrize("name", ["curves.png", "samples.gif", "summary.json", "report.html"])
def test_a_result_that_was_altered_is_written_again(run, name):
    run, config = run
    before = (run.path / name).read_bytes()
    changed = bytearray(before)
    changed[-40] ^= 1
    (run.path / name).write_bytes(changed)
    assert experiment.train(config) is None
    if name == "summary.json":
        assert finishing.read_summary(run)["finished"]
    elif name == "report.html":  # it tells when the run was finished
        assert "Finished after 6 steps" in (run.path / name).read_text()
        assert (run.path / name).read_bytes() != bytes(changed)
    else:
        assert (run.path / name).read_bytes() == before
    assert finishing.is_whole(run, 6)


@pytest.mark.parametrize("name", ["metrics.csv", "events.jsonl", "samples/step_000002.png"])
def test_what_cannot_be_had_again_is_told_when_it_was_altered(run, name, capsys):
    run, config = run
    path = run.path / name
    altered = bytearray(path.read_bytes())
    altered[-9] = ord("2") if altered[-9] == ord("1") else ord("1")
    path.write_bytes(altered)
    assert experiment.train(config) is None
    assert f"{name.split('/')[0]} is not as it was when the run ended" in capsys.readouterr().err


def test_an_animation_goes_without_pictures_that_cannot_be_read(run, capsys):
    run, config = run
    (run.samples_path / "step_000002.png").write_bytes(b"\x89PNG")
    (run.path / "samples.gif").unlink()
    assert experiment.train(config) is None
    assert "samples.gif goes without" in capsys.readouterr().err
    assert (run.path / "samples.gif").stat().st_size > 100


def test_summary_metrics_are_means_since_the_log_line_before(run):
    run, _ = run
    history = jaxgen.load(run.path).history
    metrics = json.loads(run.summary_path.read_text())["metrics"]
    assert metrics["d_loss"] == pytest.approx(history["d_loss"][1][-2:].mean())
    assert metrics["diversity"] == history["diversity"][1][-1]


def test_a_picture_that_cannot_be_written_leaves_the_old_one(run, monkeypatch):
    run, config = run
    before = (run.path / "samples.gif").read_bytes()
    (run.path / "summary.json").unlink()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("PIL.Image.Image.save", full)
    with pytest.raises(OSError, match="No space"):
        experiment.train(config)
    assert (run.path / "samples.gif").read_bytes() == before
    monkeypatch.undo()
    assert experiment.train(config) is None
    assert finishing.is_whole(run, 6)
    assert not list(run.path.rglob(".partial-*"))


def test_many_pictures_make_a_bounded_animation(run, monkeypatch):
    run, config = run
    chosen = []
    monkeypatch.setattr(finishing, "MOST_FRAMES", 4)
    monkeypatch.setattr(plots, "save_animation", lambda path, frames: chosen.append(frames))
    for step in range(100, 130):
        plots.save_image(run.samples_path / f"step_{step:06d}.png", np.zeros((4, 4), np.uint8))
    finishing.finish(run, config, 6, "")
    (frames,) = chosen
    assert len(frames) == 4
    assert [frames[0].name, frames[-1].name] == ["step_000002.png", "step_000129.png"]


@pytest.mark.parametrize("left", [[], [".lock"], [".partial-77-config.json"], [".lock", "samples"]])
def test_a_folder_whose_making_was_cut_short_is_no_strangers(config, tmp_path, left):
    folder = tmp_path / "begun"
    folder.mkdir()
    for name in left:
        (folder / name).mkdir() if name == "samples" else (folder / name).touch()
    if "samples" in left:  # 0.1.0 made it first: a folder of pictures may be anybody's
        (folder / "samples").rmdir()
    jaxgen.run(replace(config, workdir=str(folder)))
    assert finishing.is_whole(Run(folder), 6)
    assert not list(folder.glob(".partial-*"))


def test_a_report_tells_of_the_run_and_of_its_evaluation(run):
    run, config = run
    page = run.report_path.read_text()
    assert "Finished after 6 steps" in page
    assert finishing.read_summary(run)["files"]["report.html"]
    finishing.add_evaluation(run, {"fid": {"value": 7.25, "matched": 7.5, "floor": 0.125}})
    page = run.report_path.read_text()
    assert "7.250" in page
    assert "0.125" in page
    assert finishing.is_whole(run, 6)
    (run.path / "curves.png").unlink()  # what was measured of the same checkpoint stays
    assert experiment.train(config) is None
    assert "7.250" in run.report_path.read_text()
    assert finishing.read_summary(run)["evaluation"]["fid"]["value"] == 7.25


def test_a_run_that_was_evaluated_before_it_had_a_report_gets_none(run):
    run, _ = run
    run.report_path.unlink()
    summary = finishing.read_summary(run)
    del summary["files"]["report.html"]
    finishing.write_summary(run, summary)
    finishing.add_evaluation(run, {"fid": {"value": 7.25}})
    assert not run.report_path.exists()
    assert finishing.is_whole(run, 6)


def test_what_was_run_is_remembered(run):
    run, config = run
    (began,), problem = read_events(run.events_path)
    assert problem == ""
    assert (began["kind"], began["step"]) == ("began", 0)
    assert began["data"] == config.task().source.digest()
    assert began["versions"].keys() >= {"python", "jax", "flax", "numpy"}


def test_why_a_run_diverged_is_remembered_until_it_goes_on(config, tmp_path):
    fast = replace(config.optimizer, rule=optimizers.sgd, learning_rate=1e30)
    config = replace(config, workdir=str(tmp_path / "b"), optimizer=fast)
    with pytest.raises(Diverged):
        experiment.train(config)
    found = told_run.read(config.workdir)
    assert told_run.state(found) == "diverged"
    assert "training diverged" in told_run.in_short(found).end
