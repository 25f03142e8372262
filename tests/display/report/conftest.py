"""Runs to report of, made once."""

import dataclasses
import shutil

import pytest

from tests.display.report import made_runs

HOSTILE = "<script>document.title = 'taken'</script>"
EVALUATION = {
    "fid": {"value": 5.3, "matched": 5.9, "floor": 0.13},
    "images": {"real": 5000, "fake": 5000, "matched": 2500},
    "classes": {},
    "classifier": "digits",
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Six GANs of three configurations, one of three seeds, and two captioners."""
    folder = tmp_path_factory.mktemp("made")
    optimizer = made_runs.vanilla_gan.config.optimizer
    fast = dataclasses.replace(optimizer, learning_rate=3e-3)
    alarm = [(100, f"the generator {HOSTILE} collapses")]
    made_runs.gan(folder / "slow-0", evaluation=EVALUATION)
    made_runs.gan(folder / "slow-1", seed=1, alarms=alarm)
    made_runs.gan(folder / "fast-0", fid=9, optimizer=fast)
    made_runs.gan(folder / "fast-1", fid=9, seed=1, optimizer=fast)
    made_runs.gan(folder / "three", fid=7, seed=5, replicas=3, noise_size=64)
    made_runs.gan(folder / "lost", fid=30, noise_size=32, end=f"d_loss is nan {HOSTILE}")
    figures = {"cider_d": 1.2, "true": 0.8, "nearest": {"cider_d": 1.0}, "notes": ["no METEOR"]}
    made_runs.captioner(folder / "words", said=f"a red 3 {HOSTILE}", evaluation=figures)
    made_runs.captioner(folder / "more", seed=1, said="two blue 7", batch_size=32)
    yield folder
    shutil.rmtree(folder)
