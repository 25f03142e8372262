"""Sessions of a watched run, without training: what a recorder would tell, told at once."""

import threading
import time

import numpy as np
import pytest

from jaxgen.training.watchers.audience import Audience

CONFIG = {"type": "gan", "steps": 40, "networks": {"type": "mlp", "hidden": [8, 8]}, "loss": "x"}
SESSION = {"command": "jaxgen train dcgan", "versions": {"jax": "0.10.2"}, "commit": ""}
PICTURE = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """Tells watchers by name of a session in `tmp_path`; returns what was said on standard error.

    `steps` have scalars each, and a picture and an alarm where they divide by 20.
    """
    monkeypatch.setattr("jaxgen.training.watchers.audience._SECONDS_TO_END", 240.0)

    begun = []

    def session(watchers, start, steps, state="finished", why="", config=CONFIG):
        if begun and "wandb" in watchers:
            time.sleep(1.1)  # it names folders by the second
        begun.append(start)
        said = []
        audience = Audience(watchers)
        audience.start(tmp_path, start, 40, config, SESSION, said.append)
        for step in steps:
            if step % 20 == 0:
                audience.picture(step, PICTURE, "a cat" if step == 20 else "")
            audience.scalars(step, {"d_loss": step / 10, "seed_3/d_loss": -step / 10})
            if step % 20 == 0:
                audience.alarm(step, f"looks wrong at {step}")
                audience.alarm(step, "and so does this")
        audience.end(max(steps), state, why)
        assert not [t for t in threading.enumerate() if t.name.startswith("watch-")]
        return said

    return session
