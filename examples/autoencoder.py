"""A third kind of model, in one file: a variational autoencoder of images.

Kingma and Welling 2014, https://arxiv.org/abs/1312.6114, equation 10 with one draw.

    python examples/autoencoder.py --workdir runs/autoencoder
    jaxgen sample runs/autoencoder --import examples/autoencoder.py
    jaxgen evaluate runs/autoencoder --import examples/autoencoder.py

A kind is a configuration that makes a task to train and a model of what was trained; the loop, the
commands, checkpoints, resuming and flags come with that.

N images, P pixels, Z numbers of a code.
"""

import math
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.commands import cli
from jaxgen.data.images.base import Images, load_images, to_model_range
from jaxgen.data.images.mnist5k import Mnist5k
from jaxgen.display import plots
from jaxgen.settings import setting
from jaxgen.training.image_source import image_source
from jaxgen.training.task import Saved, Shown, Task, TrainConfig

Array = jax.Array
State = dict[str, Any]


class Autoencoder(nn.Module):
    """Images to codes, codes to images."""

    shape: tuple[int, int, int]
    hidden: int
    code: int

    def setup(self) -> None:
        self.encoder = nn.Sequential([nn.Dense(self.hidden), nn.relu, nn.Dense(2 * self.code)])
        self.decoder = nn.Sequential(
            [nn.Dense(self.hidden), nn.relu, nn.Dense(math.prod(self.shape)), nn.tanh]
        )

    def __call__(self, images: Array, key: Array) -> tuple[Array, Array]:
        """Images again, from a drawn code, and the code's divergence from a normal, (N,)."""
        mean_NZ, log_std_NZ = jnp.split(self.encoder(images.reshape(len(images), -1)), 2, axis=1)
        divergence_NZ = 0.5 * (mean_NZ**2 + jnp.exp(2 * log_std_NZ) - 1) - log_std_NZ
        code_NZ = mean_NZ + jnp.exp(log_std_NZ) * jax.random.normal(key, mean_NZ.shape)
        return self.decode(code_NZ), divergence_NZ.sum(axis=1)

    def decode(self, code_NZ: Array) -> Array:
        """Images (N, H, W, C) in [-1, 1] of codes."""
        return self.decoder(code_NZ).reshape(-1, *self.shape)


class TrainedAutoencoder:
    """What `jaxgen.load` returns."""

    def __init__(self, config: "AutoencoderConfig", module: Autoencoder, saved: Saved) -> None:
        self.config, self.module, self.params = config, module, saved.state["params"]
        self.history = saved.history

    def sample(self, seed: int = 0, n: int = 64, labels: Any = None) -> np.ndarray:
        """Images of normal codes, float32 (n, H, W, C) in [-1, 1]."""
        code_NZ = jax.random.normal(jax.random.key(seed), (n, self.config.code))
        return np.asarray(self.module.apply({"params": self.params}, code_NZ, method="decode"))

    def evaluate(self) -> tuple[dict[str, Any], str]:
        """The squared error of real images that went through the code."""
        real = to_model_range(load_images(self.config.data)["image"][:1000])
        applied: Any = self.module.apply({"params": self.params}, real, jax.random.key(0))
        again_NHWC, _ = applied
        error = float(np.square(again_NHWC - real).mean())
        return {"squared_error": error}, f"squared error of a pixel  {error:.4f}"


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig(TrainConfig):
    """An autoencoder's numbers."""

    data: Images = Mnist5k()
    """Images to learn."""
    hidden: int = setting(256, least=1)
    """Width of the hidden layers."""
    code: int = setting(16, least=1)
    """Numbers in a code."""
    learning_rate: float = setting(1e-3, above=0)
    """Of Adam."""

    def task(self) -> Task:
        real, source = image_source(self.data, self)
        shape = real.shape
        module, optimizer = (
            Autoencoder(shape, self.hidden, self.code),
            optax.adam(self.learning_rate),
        )

        def init(key: Array, batch: dict[str, Array]) -> State:
            params = module.init(key, jnp.zeros((1, *shape)), key)["params"]
            return {"params": params, "optimizer": optimizer.init(params)}

        def step(
            state: State, batch: dict[str, Array], key: Array
        ) -> tuple[State, dict[str, Array]]:
            images = to_model_range(batch["image"])

            def objective(params: Any) -> tuple[Array, Array]:
                applied: Any = module.apply({"params": params}, images, key)
                again_NHWC, divergence_N = applied
                error = jnp.square(again_NHWC - images).sum(axis=(1, 2, 3)).mean()
                return error + divergence_N.mean(), error

            (loss, error), gradient = jax.value_and_grad(objective, has_aux=True)(state["params"])
            updates, moments = optimizer.update(gradient, state["optimizer"])
            params = optax.apply_updates(state["params"], updates)
            return {"params": params, "optimizer": moments}, {"loss": loss, "error": error}

        def show(state: State) -> Shown:
            saved = Saved({"params": state["params"]}, {})
            return Shown(plots.grid(TrainedAutoencoder(self, module, saved).sample()))

        return Task(source, init, step, show, about={"image_shape": list(shape)})

    def restored(self, saved: Saved) -> TrainedAutoencoder:
        module = Autoencoder(tuple(saved.about["image_shape"]), self.hidden, self.code)
        return TrainedAutoencoder(self, module, saved)


config = AutoencoderConfig(workdir="runs/autoencoder", steps=1500)

if __name__ == "__main__":
    cli.main(config, __doc__)
