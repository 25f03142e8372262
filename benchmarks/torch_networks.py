"""The networks of the GAN experiments as PyTorch modules, with PyTorch's initial values.

N batch, Z noise, P pixels, K classes or clusters. Images are grey, 28x28. Where there are labels,
all networks read their one-hot vectors behind noise and flattened image (Mirza and Osindero 2014);
the convolutional discriminator projects them (Miyato and Koyama 2018).
References: the course's GAN notebook (CS231n 2020, GANs-PyTorch); Goodfellow et al. 2014; Radford
et al. 2016 (batch norm).
"""

from torch import Tensor, nn

from jaxgen.gan.config import GanConfig

SIDE = 28
CLASSES = 10


def label_size(config: GanConfig) -> int:
    """Numbers in a label's vector, 0 without labels."""
    return config.clusters or (CLASSES if config.conditional else 0)


def mlp_generator(config: GanConfig) -> nn.Sequential:
    """Noise (N, Z) to images (N, 1, 28, 28), with batch norm where the configuration has it."""
    networks, width, layers = config.networks, config.noise_size + label_size(config), []
    for index, hidden in enumerate(networks.generator_hidden):
        layers.append(nn.Linear(width, hidden))
        if index in networks.generator_normalized:
            layers.append(nn.BatchNorm1d(hidden))
        layers.append(nn.LeakyReLU(networks.generator_slope))
        width = hidden
    last = nn.Linear(width, SIDE * SIDE)
    return nn.Sequential(*layers, last, nn.Tanh(), nn.Unflatten(1, (1, SIDE, SIDE)))


def mlp_discriminator(config: GanConfig) -> nn.Sequential:
    """Images (N, 1, 28, 28) to logits (N,)."""
    networks, layers = config.networks, [nn.Flatten()]
    width = SIDE * SIDE + label_size(config)
    for hidden in networks.discriminator_hidden:
        layers += [nn.Linear(width, hidden), nn.LeakyReLU(networks.discriminator_slope)]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, 1), nn.Flatten(0))


def dcgan_generator(config: GanConfig) -> nn.Sequential:
    """Noise (N, Z) to images (N, 1, 28, 28), after InfoGAN (Chen et al. 2016), appendix C.1."""
    hidden, (quarter, half) = config.networks.hidden, config.networks.generator_channels
    size = SIDE // 4
    network = nn.Sequential(
        nn.Linear(config.noise_size + label_size(config), hidden),
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
    """Images (N, 1, 28, 28) to logits (N,), as in the course's GAN notebook.

    With labels it is a `Projection`, which reads images and labels as rows.
    """
    first, second = config.networks.discriminator_channels
    width = 4 * 4 * second
    layers = [
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
    ]
    if classes := label_size(config):
        network = Projection(*layers, nn.Linear(classes, width, bias=False))
    else:
        network = nn.Sequential(*layers, nn.Flatten(0))
    return network.apply(_xavier_uniform)


class Projection(nn.Sequential):
    """Rows of P pixels and K numbers of a label to logits (N,).

    The last two layers are the one that gives a logit and the labels' embedding, whose inner
    product with the features is added (Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637,
    equation 3).
    """

    def forward(self, both_NR: Tensor) -> Tensor:
        """Logits (N,) of images in [-1, 1] with their one-hot labels behind them."""
        pixels_NP, label_NK = both_NR.tensor_split([SIDE * SIDE], dim=1)
        *layers, score, embedding = self
        x = pixels_NP.unflatten(1, (1, SIDE, SIDE))
        for layer in layers:
            x = layer(x)
        return score(x)[:, 0] + (embedding(label_NK) * x).sum(dim=1)


def _xavier_uniform(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(layer.weight)
