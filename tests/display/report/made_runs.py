"""Folders of runs that nobody trained, as training would have left them."""

import dataclasses

import numpy as np

import jaxgen
from experiments import caption_transformer, vanilla_gan
from jaxgen.display import plots
from jaxgen.training import experiment, finishing, shown_captions
from jaxgen.training.configs import Record
from jaxgen.training.events import Events
from jaxgen.training.metrics_file import MetricsFile
from jaxgen.training.run_folder import Run
from jaxgen.training.task import ShownCaption

COLUMNS = ("d_loss", "g_loss")


def gan(folder, seed=0, steps=400, fid=5.0, alarms=(), end="", evaluation=None, **changes):
    """A GAN's run; `evaluation` goes into its summary."""
    config = dataclasses.replace(
        vanilla_gan.config, seed=seed, steps=steps, workdir=str(folder), **changes
    )
    chance = np.random.default_rng(seed)
    seeds = config.seeds
    rows = []
    for step in range(1, steps + 1):
        row = {"step": str(step)}
        for place, name in enumerate(COLUMNS):
            own = 1 + place + np.exp(-step / 100) + chance.normal(0, 0.1, len(seeds))
            row |= _of_seeds(name, own, seeds)
        if step % (steps // 4) == 0:
            row |= _of_seeds("fid", fid + 400 / step + chance.normal(0, 0.2, len(seeds)), seeds)
        rows.append(row)
    run = _begun(config, {"image_shape": [28, 28, 1], "classes": 10, "examples": 5000})
    MetricsFile(run.metrics_path, 0).add(rows)
    events = Events(run.events_path, 0)
    events.add("began", 0, command="jaxgen train vanilla_gan", data="abc", time="2026-11-26")
    for step, sentence in alarms:
        events.add("alarm", step, said=sentence)
    for step in range(steps // 8, steps + 1, steps // 8):
        images = chance.uniform(-1, step / steps, (64, 28, 28, 1))
        plots.save_image(run.samples_path / f"step_{step:06d}.png", plots.grid(images))
    if end:
        events.add("diverged", steps, said=end)
    else:
        _finish(run, config, steps, evaluation)
    return run.path


def captioner(folder, seed=0, steps=40, said="a small red 3", evaluation=None, **changes):
    """A captioner's run, with attention."""
    config = dataclasses.replace(
        caption_transformer.config, seed=seed, steps=steps, workdir=str(folder), **changes
    )
    run = _begun(config, {"vocabulary": said.split(), "feature_shape": [16, 4], "examples": 40})
    rows = [{"step": str(s), "loss": f"{4 / s:.6g}"} for s in range(1, steps + 1)]
    MetricsFile(run.metrics_path, 0).add(rows)
    Events(run.events_path, 0).add("began", 0, command="jaxgen train caption_transformer")
    pictures = np.random.default_rng(0).integers(0, 255, (4, 64, 64, 3), np.uint8)
    for step in (steps // 2, steps):
        words = tuple(said.split()) if step == steps else ("nothing", "yet")
        looked = np.random.default_rng(step).dirichlet(np.ones(16), len(words)).reshape(-1, 4, 4)
        shown = [
            ShownCaption(image, picture, words, " ", f"true {image} {said}", looked)
            for image, picture in enumerate(pictures)
        ]
        shown_captions.write(run.samples_path / f"step_{step:06d}.json", shown)
        plots.save_image(run.samples_path / f"step_{step:06d}.png", pictures[0])
    _finish(run, config, steps, evaluation)
    return run.path


def _of_seeds(name, values, seeds):
    if len(seeds) == 1:
        return {name: f"{values[0]:.6g}"}
    own = {f"seed_{seed}/{name}": f"{v:.6g}" for seed, v in zip(seeds, values, strict=True)}
    return own | {name: f"{values.mean():.6g}", f"{name}_std": f"{values.std(ddof=1):.6g}"}


def _begun(config, about):
    run = Run(config.workdir)
    recorded = experiment.recorded(config)
    default = experiment.recorded(dataclasses.replace(vanilla_gan.config, steps=3900))
    run.write_record(Record(recorded, default, about, jaxgen.__version__, "a" * 40))
    return run


def _finish(run, config, steps, evaluation):
    summary = {"step": steps, "finished": True, "metrics": {}, "wall_seconds": 12.0, "time": "2026"}
    finishing.write_summary(run, summary | ({"evaluation": evaluation} if evaluation else {}))
