"""PyTorch twins of the GAN experiments: one step, training, sampling.

They are written like the course's GAN notebook (CS231n 2020, GANs-PyTorch): eager modules in NCHW,
one discriminator pass for the real images and one for the fakes, `torch.optim.Adam`. `twin` starts
one from PyTorch's random numbers; `torch_weights.copy_weights` gives a network the weights of a
jaxgen state instead. In bfloat16 they run under PyTorch's autocast.

N batch, Z noise, C channels, H height, W width, K classes or clusters. Images are grey.
"""

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.torch_networks import (
    CLASSES,
    dcgan_discriminator,
    dcgan_generator,
    label_size,
    mlp_discriminator,
    mlp_generator,
)
from benchmarks.torch_settings import adam, forward_in
from jaxgen.errors import JaxgenError
from jaxgen.gan import augmentation as augment
from jaxgen.gan import losses, noise
from jaxgen.gan.config import GanConfig
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.recipe import Augmenting, Updates
from jaxgen.training.batches import epoch_indices


class Twin(NamedTuple):
    """Both networks, their optimisers with the schedules, and the generator's moving average.

    A step changes them in place.
    """

    config: GanConfig
    generator: nn.Sequential
    discriminator: nn.Sequential
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    schedules: tuple[torch.optim.lr_scheduler.LRScheduler, ...]
    """Of both, empty where the learning rate is constant."""
    average: "Average | None"


class Average:
    """A moving average of a generator's parameters and running statistics."""

    def __init__(self, generator: nn.Module, decay: float) -> None:
        self.generator, self._decay, self._count = copy.deepcopy(generator), decay, 0

    @torch.no_grad()
    def update(self, newest: nn.Module) -> None:
        """Take up the newest values, faster in the first steps, as `jaxgen.gan.step` does."""
        self._count += 1
        decay = min(self._decay, self._count / (self._count + 10))
        for kept, new in zip(_floats(self.generator), _floats(newest), strict=True):
            kept.lerp_(new, 1 - decay)


def _floats(network: nn.Module) -> list[Tensor]:
    """Parameters and running statistics, without the counters of batches."""
    tensors = [*network.parameters(), *network.buffers()]
    return [tensor for tensor in tensors if tensor.is_floating_point()]


def twin(config: GanConfig) -> Twin:
    """The twin of an experiment before its first step.

    Args:
        config: of the experiment.

    Raises:
        JaxgenError: the networks, the loss or another setting has no twin.
    """
    builders = {
        MLP: (mlp_generator, mlp_discriminator),
        DCGAN: (dcgan_generator, dcgan_discriminator),
    }
    if type(config.networks) not in builders:
        raise JaxgenError(
            f"{type(config.networks).__name__} has no PyTorch twin; those of "
            f"{' and '.join(kind.__name__ for kind in builders)} do"
        )
    is_beyond = {
        "loss": config.loss not in _LOSSES,
        "augmentation": config.augmentation not in _AUGMENTATIONS,
        "augmenting": config.augmenting != Augmenting(),
        "updates": config.updates != Updates(),
        "burn_in": config.burn_in.steps > 0,
        "optimizer.epoch_decay": config.optimizer.epoch_decay != 1,
        "packing": config.packing != 1,
        "networks.spectral_norm": getattr(config.networks, "spectral_norm", False),
    }
    if any(is_beyond.values()):
        settings = ", ".join(name for name, beyond in is_beyond.items() if beyond)
        raise JaxgenError(f"the PyTorch twins do not know this configuration's {settings}")
    generator, discriminator = builders[type(config.networks)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        networks = generator(config), discriminator(config)
    trained = [adam(network, config.optimizer, config.steps, 1) for network in networks]
    optimizers, schedules = zip(*trained, strict=True)
    average = Average(networks[0], config.average_decay) if config.average_decay else None
    return Twin(config, *networks, *optimizers, tuple(filter(None, schedules)), average)


def _binary_cross_entropy(logits_N: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits_N, torch.full_like(logits_N, target))


def _squared_error(scores_N: Tensor, target: float) -> Tensor:
    return 0.5 * F.mse_loss(scores_N, torch.full_like(scores_N, target))


class _Loss(NamedTuple):
    """The discriminator's error of logits against their target, 1 for real, and what the generator
    minimises, a function of its fakes' logits.
    """

    error: Callable[[Tensor, float], Tensor]
    generator: Callable[[Tensor], Tensor]


_LOSSES = {
    losses.non_saturating: _Loss(
        _binary_cross_entropy, lambda fake_N: _binary_cross_entropy(fake_N, 1.0)
    ),
    losses.saturating: _Loss(
        _binary_cross_entropy, lambda fake_N: -_binary_cross_entropy(fake_N, 0.0)
    ),
    losses.least_squares: _Loss(_squared_error, lambda scores_N: _squared_error(scores_N, 1.0)),
}


def _translate(images_NCHW: Tensor, rng: torch.Generator) -> Tensor:
    """Move each image by up to an eighth of its size along both axes; what appears is black."""
    n, _, *sides = images_NCHW.shape
    most = [side // 8 for side in sides]
    rows_NH, columns_NW = (
        torch.arange(side)[None] + torch.randint(0, 2 * m + 1, (n, 1), generator=rng)
        for side, m in zip(sides, most, strict=True)
    )
    padded_NHWC = F.pad(images_NCHW + 1, (most[1], most[1], most[0], most[0])).permute(0, 2, 3, 1)
    own_N11 = torch.arange(n)[:, None, None]
    moved_NHWC = padded_NHWC[own_N11, rows_NH[:, :, None], columns_NW[:, None]]
    return moved_NHWC.permute(0, 3, 1, 2) - 1


_AUGMENTATIONS = {
    augment.none: lambda images_NCHW, rng: images_NCHW,
    augment.translation: _translate,
}

_NOISES = {
    noise.uniform: lambda shape, rng: torch.rand(shape, generator=rng) * 2 - 1,
    noise.normal: lambda shape, rng: torch.randn(shape, generator=rng),
}


def step(
    twin: Twin,
    real: Tensor,
    noise_d_NZ: Tensor,
    noise_g_NZ: Tensor,
    label_NK: Tensor | None = None,
    view: Callable[[Tensor], Tensor] = lambda images: images,
) -> tuple[Tensor, Tensor]:
    """Updates the discriminator, then the generator against the new discriminator.

    Args:
        twin: changed in place, in training mode.
        real: (N, 1, 28, 28) in [-1, 1].
        noise_d_NZ: for the fakes that the discriminator is trained on.
        noise_g_NZ: for those that the generator is trained on.
        label_NK: one-hot, of the real images and of the fakes; None where the networks see none.
        view: what the discriminator sees of images.

    Returns:
        The discriminator's loss and the generator's loss, scalars.
    """
    loss, precision = _LOSSES[twin.config.loss], twin.config.precision

    def score(images: Tensor) -> Tensor:
        return twin.discriminator(_joined(view(images), label_NK))

    def fake(noise_NZ: Tensor) -> Tensor:
        return twin.generator(_joined(noise_NZ, label_NK))

    twin.discriminator_optimizer.zero_grad()
    with forward_in(precision):
        d_loss = loss.error(score(real), 1.0) + loss.error(score(fake(noise_d_NZ).detach()), 0.0)
    d_loss.backward()
    twin.discriminator_optimizer.step()

    twin.generator_optimizer.zero_grad()
    with forward_in(precision):
        g_loss = loss.generator(score(fake(noise_g_NZ)))
    g_loss.backward()
    twin.generator_optimizer.step()

    for schedule in twin.schedules:
        schedule.step()
    if twin.average:
        twin.average.update(twin.generator)
    return d_loss.detach(), g_loss.detach()


def _joined(x: Tensor, label_NK: Tensor | None) -> Tensor:
    """Noise or images, with the labels behind each flattened row where there are labels."""
    return x if label_NK is None else torch.cat([x.flatten(1), label_NK], dim=1)


def train(
    twin: Twin, images_NHWC: np.ndarray, labels_N: np.ndarray | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Trains for `config.steps` on the batches that jaxgen sees, and yields each step's losses.

    Args:
        twin: changed in place.
        images_NHWC: uint8 (N, 28, 28, 1).
        labels_N: integers in [0, K), classes or clusters, which a twin needs whose networks see
            labels; others leave them alone.
    """
    config = twin.config
    pixels_NCHW = torch.from_numpy(np.ascontiguousarray(images_NHWC.transpose(0, 3, 1, 2)))
    batches = epoch_indices(len(images_NHWC), config.batch_size, config.seed, 0, config.steps)
    rng = torch.Generator().manual_seed(config.seed)
    shape = (config.batch_size, config.noise_size)
    view = partial(_AUGMENTATIONS[config.augmentation], rng=rng)
    classes = label_size(config)
    for indices_N in batches:
        real = pixels_NCHW[torch.from_numpy(indices_N)].float() / 127.5 - 1
        noise_d_NZ, noise_g_NZ = (_NOISES[config.noise](shape, rng) for _ in range(2))
        label_NK = _one_hot(labels_N[indices_N], classes) if classes else None
        yield step(twin, real, noise_d_NZ, noise_g_NZ, label_NK, view)


def _one_hot(labels_N: np.ndarray, classes: int) -> Tensor:
    return F.one_hot(torch.from_numpy(labels_N).long(), classes).float()


def classes_in_turn(start: int, stop: int) -> np.ndarray:
    """Labels of images `start` to `stop`, the classes one after the other: int (n,)."""
    return np.arange(start, stop) % CLASSES


@torch.no_grad()
def sample(
    twin: Twin,
    n: int,
    seed: int = 0,
    turns: Callable[[int, int], np.ndarray] = classes_in_turn,
) -> np.ndarray:
    """`n` images, float32 (n, 28, 28, 1) in [-1, 1], in batches of `batch_size` as jaxgen does.

    They are the moving average's where there is one. Batch norm uses the statistics that the config
    names; `turns` gives the labels of images from one number up to another.
    """
    config = twin.config
    generator = twin.average.generator if twin.average else twin.generator
    size, classes = config.batch_size, label_size(config)
    rng = torch.Generator().manual_seed(seed)
    generator.train(config.sampling_statistics == "batch")
    batches = []
    for start in range(0, n, size):
        noise_NZ = _NOISES[config.noise]((size, config.noise_size), rng)
        label_NK = _one_hot(turns(start, start + size), classes) if classes else None
        with forward_in(config.precision):
            batches.append(generator(_joined(noise_NZ, label_NK)).float())
    generator.train()
    return torch.cat(batches)[:n].permute(0, 2, 3, 1).numpy()
