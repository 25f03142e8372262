"""PyTorch twins of the GAN experiments: networks, initial values, one step, training, sampling.

They are written as the notebooks are: eager modules in NCHW, one discriminator pass for the real
images and one for the fakes, `torch.optim.Adam`. `twin` starts one from PyTorch's random numbers;
`copy_weights` gives a network the weights of a jaxgen state instead.

N batch, Z noise, C channels, H height, W width, I O input and output channels. Images are grey.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from flax import traverse_util
from torch import Tensor, nn
from torch.nn import functional as F

from jaxgen import augment, losses, noise
from jaxgen.data.batches import epoch_indices
from jaxgen.errors import JaxgenError
from jaxgen.gan import GanConfig
from jaxgen.models.dcgan import DCGAN
from jaxgen.models.mlp import MLP

PyTree = Any

SIDE = 28


class Twin(NamedTuple):
    """Both networks and their optimisers; a step changes them in place."""

    config: GanConfig
    generator: nn.Sequential
    discriminator: nn.Sequential
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer


def twin(config: GanConfig) -> Twin:
    """The twin of an experiment before its first step.

    Args:
        config: of the experiment, within SPEC A1 to A4.

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
        "loss": config.loss not in _ERRORS,
        "conditional": config.conditional,
        "augmentation": config.augmentation != augment.none,
        "average_decay": config.average_decay > 0,
        "networks.spectral_norm": getattr(config.networks, "spectral_norm", False),
    }
    if any(is_beyond.values()):
        settings = ", ".join(name for name, beyond in is_beyond.items() if beyond)
        raise JaxgenError(f"the PyTorch twins do not know this configuration's {settings}")
    generator, discriminator = builders[type(config.networks)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        networks = generator(config), discriminator(config)
    numbers = config.optimizer
    return Twin(
        config,
        *networks,
        *(
            torch.optim.Adam(n.parameters(), numbers.learning_rate, (numbers.b1, numbers.b2))
            for n in networks
        ),
    )


def mlp_generator(config: GanConfig) -> nn.Sequential:
    """Noise (N, Z) to images (N, 1, 28, 28), as SPEC A1 and A4."""
    networks, width, layers = config.networks, config.noise_size, []
    for index, hidden in enumerate(networks.generator_hidden):
        layers.append(nn.Linear(width, hidden))
        if index in networks.generator_normalized:
            layers.append(nn.BatchNorm1d(hidden))
        layers.append(nn.LeakyReLU(networks.generator_slope))
        width = hidden
    last = nn.Linear(width, SIDE * SIDE)
    return nn.Sequential(*layers, last, nn.Tanh(), nn.Unflatten(1, (1, SIDE, SIDE)))


def mlp_discriminator(config: GanConfig) -> nn.Sequential:
    """Images (N, 1, 28, 28) to logits (N,), as SPEC A1 and A4."""
    networks, width, layers = config.networks, SIDE * SIDE, [nn.Flatten()]
    for hidden in networks.discriminator_hidden:
        layers += [nn.Linear(width, hidden), nn.LeakyReLU(networks.discriminator_slope)]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, 1), nn.Flatten(0))


def dcgan_generator(config: GanConfig) -> nn.Sequential:
    """Noise (N, Z) to images (N, 1, 28, 28), as SPEC A3."""
    hidden, (quarter, half) = config.networks.hidden, config.networks.generator_channels
    size = SIDE // 4
    network = nn.Sequential(
        nn.Linear(config.noise_size, hidden),
        nn.ReLU(),
        nn.BatchNorm1d(hidden),
        nn.Linear(hidden, quarter * size * size),
        nn.ReLU(),
        nn.BatchNorm1d(quarter * size * size),
        nn.Unflatten(1, (quarter, size, size)),
        nn.ConvTranspose2d(quarter, half, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(half),
        nn.ConvTranspose2d(half, 1, 4, stride=2, padding=1),
        nn.Tanh(),
    )
    return network.apply(_xavier_uniform)


def dcgan_discriminator(config: GanConfig) -> nn.Sequential:
    """Images (N, 1, 28, 28) to logits (N,), as SPEC A3."""
    first, second = config.networks.discriminator_channels
    width = 4 * 4 * second
    network = nn.Sequential(
        nn.Conv2d(1, first, 5),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 5),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(width, width),
        nn.LeakyReLU(0.01),
        nn.Linear(width, 1),
        nn.Flatten(0),
    )
    return network.apply(_xavier_uniform)


def _xavier_uniform(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(layer.weight)


def _binary_cross_entropy(logits_N: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits_N, torch.full_like(logits_N, target))


def _squared_error(scores_N: Tensor, target: float) -> Tensor:
    return 0.5 * ((scores_N - target) ** 2).mean()


# Of logits and the target that they should meet: 1 for real. The generator aims at 1 for its fakes.
_ERRORS = {losses.non_saturating: _binary_cross_entropy, losses.least_squares: _squared_error}

_NOISES = {
    noise.uniform: lambda shape, rng: torch.rand(shape, generator=rng) * 2 - 1,
    noise.normal: lambda shape, rng: torch.randn(shape, generator=rng),
}


def step(twin: Twin, real: Tensor, noise_d_NZ: Tensor, noise_g_NZ: Tensor) -> tuple[Tensor, Tensor]:
    """Updates the discriminator, then the generator against the new discriminator.

    Args:
        twin: changed in place, in training mode.
        real: (N, 1, 28, 28) in [-1, 1].
        noise_d_NZ: for the fakes that the discriminator is trained on.
        noise_g_NZ: for those that the generator is trained on.

    Returns:
        The discriminator's loss and the generator's loss, scalars.
    """
    error = _ERRORS[twin.config.loss]
    twin.discriminator_optimizer.zero_grad()
    fake = twin.generator(noise_d_NZ).detach()
    d_loss = error(twin.discriminator(real), 1.0) + error(twin.discriminator(fake), 0.0)
    d_loss.backward()
    twin.discriminator_optimizer.step()

    twin.generator_optimizer.zero_grad()
    g_loss = error(twin.discriminator(twin.generator(noise_g_NZ)), 1.0)
    g_loss.backward()
    twin.generator_optimizer.step()
    return d_loss.detach(), g_loss.detach()


def train(twin: Twin, images_NHWC: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
    """Trains for `config.steps` on the batches that jaxgen sees, and yields each step's losses.

    Args:
        twin: changed in place.
        images_NHWC: uint8 (N, 28, 28, 1).
    """
    config = twin.config
    pixels_NCHW = torch.from_numpy(np.ascontiguousarray(images_NHWC.transpose(0, 3, 1, 2)))
    batches = epoch_indices(len(images_NHWC), config.batch_size, config.seed, 0, config.steps)
    rng = torch.Generator().manual_seed(config.seed)
    shape = (config.batch_size, config.noise_size)
    for indices_N in batches:
        real = pixels_NCHW[torch.from_numpy(indices_N)].float() / 127.5 - 1
        noise_d_NZ, noise_g_NZ = (_NOISES[config.noise](shape, rng) for _ in range(2))
        yield step(twin, real, noise_d_NZ, noise_g_NZ)


@torch.no_grad()
def sample(twin: Twin, n: int, seed: int = 0) -> np.ndarray:
    """`n` images, float32 (n, 28, 28, 1) in [-1, 1], in batches of `batch_size` as jaxgen does.

    Batch norm uses the statistics that the config names.
    """
    config = twin.config
    rng = torch.Generator().manual_seed(seed)
    shape = (config.batch_size, config.noise_size)
    twin.generator.train(config.sample_statistics == "batch")
    batches = [
        twin.generator(_NOISES[config.noise](shape, rng)) for _ in range(-(-n // config.batch_size))
    ]
    twin.generator.train()
    return torch.cat(batches)[:n].permute(0, 2, 3, 1).numpy()


_FLAX_NAMES = {
    nn.Linear: "Dense",
    nn.Conv2d: "Conv",
    nn.ConvTranspose2d: "ConvTranspose",
    nn.BatchNorm1d: "BatchNorm",
    nn.BatchNorm2d: "BatchNorm",
}


@torch.no_grad()
def copy_weights(network: nn.Sequential, params: PyTree, stats: PyTree) -> None:
    """Sets a network to the values of the jaxgen network that it is the twin of.

    Axes: dense (I, O) to (O, I); convolution (H, W, I, O) to (O, I, H, W); transposed convolution
    to (I, O, H, W) with the kernel turned by 180 degrees (`jaxgen.ops.conv_transpose`). jaxgen
    flattens an image as (H, W, C) and PyTorch as (C, H, W): what stands before an `Unflatten` or
    after a `Flatten` has its features reordered.

    Args:
        network: changed in place.
        params: of the jaxgen network, its layers named as Flax numbers them.
        stats: its collection "batch_stats", {} without batch norm.
    """
    counts: Counter[str] = Counter()
    layers = list(network)
    for index, layer in enumerate(layers):
        kind = _FLAX_NAMES.get(type(layer))
        if kind is None:
            continue
        name = f"{kind}_{counts[kind]}"
        counts[kind] += 1
        values = _named_leaves(params[name]) | _named_leaves(stats.get(name, {}))
        channels_in = _flattened_channels(layers[:index])
        channels_out = _unflattened_channels(layers[index + 1 :])
        if kind == "BatchNorm":
            values = {k: _channels_first(value, channels_out) for k, value in values.items()}
            new = {
                "weight": values["scale"],
                "bias": values["bias"],
                "running_mean": values["mean"],
                "running_var": values["var"],
            }
        elif kind == "Dense":
            rows = _channels_first(values["kernel"], channels_in)
            new = {
                "weight": _channels_first(rows.T, channels_out),
                "bias": _channels_first(values["bias"], channels_out),
            }
        elif kind == "Conv":
            new = {"weight": values["kernel"].transpose(3, 2, 0, 1), "bias": values["bias"]}
        else:
            turned = values["kernel"][::-1, ::-1]
            new = {"weight": turned.transpose(2, 3, 0, 1), "bias": values["bias"]}
        for key, value in new.items():
            getattr(layer, key).copy_(torch.from_numpy(np.ascontiguousarray(value)))


def _named_leaves(layer: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """A layer's arrays by their own names: jaxgen's layers wrap Flax's."""
    leaves = traverse_util.flatten_dict(layer)
    return {path[-1]: np.array(leaf) for path, leaf in leaves.items()}


def _channels_first(features: np.ndarray, channels: int) -> np.ndarray:
    """Reorders the first axis from (H, W, C), flattened, to (C, H, W)."""
    split = features.reshape(-1, channels, *features.shape[1:])
    return split.swapaxes(0, 1).reshape(features.shape)


def _flattened_channels(before: list[nn.Module]) -> int:
    """Channels of the feature map that the last of these layers flattens, 1 if there is none."""
    if not before or not isinstance(before[-1], nn.Flatten):
        return 1
    return next((x.out_channels for x in reversed(before) if isinstance(x, nn.Conv2d)), 1)


def _unflattened_channels(after: list[nn.Module]) -> int:
    """Channels that an `Unflatten` makes before any other layer with a matrix, 1 if none does."""
    for layer in after:
        if isinstance(layer, nn.Unflatten):
            return layer.unflattened_size[0]
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            break
    return 1
