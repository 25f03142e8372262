"""The PyTorch twins agree with jaxgen: same weights and inputs, same images, logits and losses."""

import dataclasses
import importlib
from functools import partial
from itertools import pairwise

import jax
import numpy as np
import pytest

from experiments import (
    conditional_dcgan,
    conditional_gan,
    dcgan,
    lsgan,
    mlp_gan,
    vanilla_gan,
)
from jaxgen.data.images.base import to_model_range
from jaxgen.errors import JaxgenError
from jaxgen.gan import augmentation, losses, torch_networks
from jaxgen.gan.config import AboutImages
from jaxgen.gan.networks.base import Networks
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.gan.networks.mlp import MLP

torch = pytest.importorskip("torch", reason="PyTorch, of the peers in benchmarks/, is not there")
torch_gans = importlib.import_module("benchmarks.torch_gans")
torch_weights = importlib.import_module("benchmarks.torch_weights")
torch.set_num_threads(1)  # more would wait for each other longer than they compute

SHAPE = (28, 28, 1)
BATCH = 16
ABOUT = AboutImages(SHAPE, classes=10, examples=BATCH)
UPDATES = 12


def small(config):
    """The experiment with narrow layers, for speed; widths differ so that mixing them up fails."""
    if isinstance(config.networks, MLP):
        widths = {
            name: tuple(
                width // 8 + index for index, width in enumerate(getattr(config.networks, name))
            )
            for name in ("generator_hidden", "discriminator_hidden")
        }
        networks = dataclasses.replace(config.networks, **widths)
    else:
        networks = DCGAN(hidden=96, generator_channels=(16, 12), discriminator_channels=(6, 10))
    return dataclasses.replace(config, networks=networks, batch_size=BATCH, steps=3)


CONFIGS = {
    "vanilla_gan": small(vanilla_gan.config),
    "lsgan": small(lsgan.config),
    "mlp_gan": small(mlp_gan.config),
    "conditional_gan": small(conditional_gan.config),
    "dcgan": small(dcgan.config),
    "conditional_dcgan": small(conditional_dcgan.config),
}
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def real_batch():
    """Bright strokes on black, as digits are: different in every image."""
    image = np.zeros((BATCH, *SHAPE), np.uint8)
    for index in range(BATCH):
        image[index, 4 + index // 2 : 9 + index, 6 + index % 5 :: 7 + index % 3] = 255 - 9 * index
    return {"image": image, "label": np.arange(BATCH) % 10}


def one_hot():
    return np.eye(10, dtype=np.float32)[real_batch()["label"]]


def with_labels(x, label_NK):
    return x if label_NK is None else torch.cat([x.flatten(1), torch.from_numpy(label_NK)], dim=1)


def nchw(images_NHWC):
    return torch.from_numpy(np.array(images_NHWC).transpose(0, 3, 1, 2).copy())


def known_state(config):
    """A state whose arrays are all far from those that a twin starts with."""
    shapes = jax.eval_shape(config.gan(ABOUT).init, jax.random.key(0), real_batch())
    state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    rng = np.random.default_rng(3)

    def kernel_or_bias(leaf):
        size = (2 * leaf.shape[-1] / leaf.size) ** 0.5 if leaf.ndim > 1 else 0.5
        return rng.normal(0, size, leaf.shape).astype(np.float32)

    def statistic(leaf):  # a variance is positive
        return rng.uniform(0.1, 1, leaf.shape).astype(np.float32)

    return state.replace(
        generator=state.generator.replace(
            params=jax.tree.map(kernel_or_bias, state.generator.params),
            stats=jax.tree.map(statistic, state.generator.stats),
        ),
        discriminator=state.discriminator.replace(
            params=jax.tree.map(kernel_or_bias, state.discriminator.params)
        ),
    )


def copied(config, state):
    twin = torch_gans.twin(config)
    classes = 10 if config.conditional else 0
    generator = torch_networks.generator(config.networks, SHAPE, config.noise_size + classes)
    discriminator = torch_networks.discriminator(config.networks, SHAPE, classes)
    network = state.generator
    torch_weights.copy_weights(twin.generator, generator, network.params, network.stats)
    torch_weights.copy_weights(twin.discriminator, discriminator, state.discriminator.params, {})
    return twin


@every_config
def test_same_weights_give_the_same_images_and_logits(config):
    state = known_state(config)
    twin = copied(config, state)
    noise_NZ = np.random.default_rng(5).uniform(-1, 1, (BATCH, config.noise_size))
    noise_NZ = noise_NZ.astype(np.float32)
    label_NK = one_hot() if config.conditional else None

    @jax.jit
    def ours(state, noise_NZ):
        generator = config.networks.generator(SHAPE)
        discriminator = config.networks.discriminator(SHAPE)
        variables = {"params": state.generator.params, "batch_stats": state.generator.stats}
        outputs = []
        for train in (True, False):
            images, _ = generator.apply(
                variables, noise_NZ, label_NK, train=train, mutable=["batch_stats"]
            )
            logits = discriminator.apply({"params": state.discriminator.params}, images, label_NK)
            outputs.append((images, logits))
        return outputs

    for train, (images, logits) in zip((True, False), ours(state, noise_NZ), strict=True):
        twin.generator.eval()
        for layer in twin.generator:  # each pass in training mode moves the running averages
            if train and hasattr(layer, "track_running_stats"):
                layer.train().momentum = 0.0
        with torch.no_grad():
            twin_images = twin.generator(with_labels(torch.from_numpy(noise_NZ), label_NK))
            twin_logits = twin.discriminator(with_labels(twin_images, label_NK))
        np.testing.assert_allclose(twin_images, nchw(images), atol=1e-4)
        np.testing.assert_allclose(twin_logits, logits, atol=1e-4)
        assert np.std(images, axis=0).mean() > 0.01  # two constants would agree all too easily
        assert np.std(logits) > 0.01


@every_config
def test_same_weights_give_the_same_losses_for_many_updates(config, monkeypatch):
    """In float64: training is chaotic, an LSGAN in float32 differs by 2 % after ten updates."""
    state, batch = known_state(config), real_batch()
    twin = copied(config, state)
    twin.generator.double()
    twin.discriminator.double()
    real = nchw(to_model_range(batch["image"])).double()
    label_NK = torch.from_numpy(one_hot()).double() if config.conditional else None
    drawn = np.random.default_rng(5).uniform(-1, 1, (UPDATES, 2, BATCH, config.noise_size))

    def step(state, noises):
        order = iter(noises)  # a step draws for the discriminator, then for the generator
        noise = dataclasses.replace(config.noise, draw=lambda key, shape: next(order))
        gan = dataclasses.replace(config, noise=noise).gan(ABOUT)
        return gan.step(state, batch, jax.random.key(0))

    def double(leaf):
        return leaf.astype(np.float64) if leaf.dtype == np.float32 else leaf

    monkeypatch.setattr(
        "jaxgen.gan.step.to_model_range",
        lambda image: to_model_range(image).astype(np.float64),
    )
    with jax.enable_x64(True):
        _, metrics = jax.jit(partial(jax.lax.scan, step))(jax.tree.map(double, state), drawn)
    for index, noises in enumerate(drawn):
        twin_losses = torch_gans.step(twin, real, *map(torch.from_numpy, noises), label_NK)
        ours = metrics["d_loss"][index], metrics["g_loss"][index]
        np.testing.assert_allclose(twin_losses, ours, rtol=1e-5, atol=1e-6)


def test_clusters_are_to_a_twin_what_classes_are():
    batch = real_batch()
    outcomes = []
    for labels in ({"conditional": True}, {"clusters": 10}):
        twin = torch_gans.twin(dataclasses.replace(CONFIGS["dcgan"], **labels))
        history = [float(d) for d, _ in torch_gans.train(twin, batch["image"], batch["label"])]
        outcomes.append((history, torch_gans.sample(twin, 20)))
    (classes, drawn), (clusters, others) = outcomes
    assert classes == clusters
    np.testing.assert_array_equal(drawn, others)


@pytest.mark.parametrize(
    "config, generator, discriminator",
    [(vanilla_gan.config, 1_858_320, 267_009), (dcgan.config, 6_580_801, 1_102_721)],
    ids=["vanilla_gan", "dcgan"],
)
def test_parameter_counts_of_the_notebook(config, generator, discriminator):
    """Those that the course's GAN notebook (CS231n 2020, GANs-PyTorch) checks, with 4 numbers of
    noise.
    """
    twin = torch_gans.twin(dataclasses.replace(config, noise_size=4))
    counts = [sum(p.numel() for p in n.parameters()) for n in (twin.generator, twin.discriminator)]
    assert counts == [generator, discriminator]


def test_xavier_uniform_in_dense_and_transposed_layers_and_nowhere_else():
    """As in the course's GAN notebook: bounds sqrt(6 / (fan in + fan out)), Glorot and Bengio 2010,
    and PyTorch's own 1 / sqrt(fan in) for convolutions.
    """
    twin = torch_gans.twin(dcgan.config)
    bounds = [
        (twin.generator[0], (6 / (96 + 1024)) ** 0.5),
        (twin.generator[3], (6 / (1024 + 6272)) ** 0.5),
        (twin.generator[7], (6 / (16 * (128 + 64))) ** 0.5),
        (twin.generator[10], (6 / (16 * (64 + 1))) ** 0.5),
        (twin.discriminator[0], 1 / 5),
        (twin.discriminator[3], 1 / 800**0.5),
        (twin.discriminator[7], (6 / (1024 + 1024)) ** 0.5),
    ]
    for layer, bound in bounds:
        assert 0.98 * bound < float(layer.weight.detach().abs().max()) <= bound * (1 + 1e-6), layer


@pytest.mark.parametrize("name", ["vanilla_gan", "conditional_gan"])
def test_training_repeats_and_depends_on_the_seed(name):
    digits, labels = (np.repeat(real_batch()[key], 3, axis=0) for key in ("image", "label"))

    def trained(seed):
        twin = torch_gans.twin(dataclasses.replace(CONFIGS[name], seed=seed))
        history = [float(d_loss) for d_loss, _ in torch_gans.train(twin, digits, labels)]
        return history, torch_gans.sample(twin, 20)

    history, images = trained(0)
    assert len(history) == 3
    assert all(a != b for a, b in pairwise(history))
    assert images.shape == (20, *SHAPE)
    assert np.abs(images).max() <= 1
    again_history, again_images = trained(0)
    assert history == again_history
    assert np.array_equal(images, again_images)
    assert trained(1)[0] != history


def test_the_classes_of_samples_take_turns():
    twin = torch_gans.twin(dataclasses.replace(CONFIGS["conditional_gan"], seed=0))
    with torch.no_grad():
        first = twin.generator[0]
        first.weight.zero_()
        first.weight[:, -10:] = 1e3 * torch.eye(10).repeat(2, 1)[: len(first.weight)]
    images = torch_gans.sample(twin, 22)
    assert np.allclose(images[:2], images[10:12])
    assert np.allclose(images[:2], images[20:22])
    assert not np.allclose(images[0], images[1])


def test_sampling_uses_the_statistics_that_the_config_names():
    for statistics, moves in (("batch", False), ("running", True)):
        twin = torch_gans.twin(
            dataclasses.replace(CONFIGS["dcgan"], sampling_statistics=statistics)
        )
        before = torch_gans.sample(twin, 5)
        for layer in twin.generator:
            if hasattr(layer, "running_mean"):
                layer.running_mean += 3.0
        assert np.array_equal(before, torch_gans.sample(twin, 5)) != moves


class Unknown(Networks):
    """Networks of a user's own."""

    def generator(self, image_shape):
        raise NotImplementedError

    discriminator = generator


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"networks": Unknown()}, "Unknown has no PyTorch twin; those of MLP and DCGAN do"),
        (
            {"loss": losses.hinge, "augmentation": augmentation.translation_cutout},
            "configuration's loss, augmentation$",
        ),
        ({"networks": DCGAN(spectral_norm=True)}, "configuration's networks.spectral_norm$"),
    ],
)
def test_what_has_no_twin_is_refused(changes, sentence):
    with pytest.raises(JaxgenError, match=sentence):
        torch_gans.twin(dataclasses.replace(CONFIGS["dcgan"], **changes))


def test_the_moving_average_is_jaxgens():
    config = dataclasses.replace(CONFIGS["dcgan"], average_decay=0.3)
    twin, gan = torch_gans.twin(config), config.gan(ABOUT)
    shapes = jax.eval_shape(gan.init, jax.random.key(0), real_batch())
    state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    weights = [network[0].weight for network in (twin.generator, twin.average.generator)]
    for weight in weights:
        weight.data.zero_()
    for number in (1.0, 5.0, -2.0, 4.0, 4.0, 3.0):
        params = jax.tree.map(lambda leaf, n=number: np.full_like(leaf, n), state.generator.params)
        state = gan._update_average(state.replace(generator=state.generator.replace(params=params)))
        weights[0].data.fill_(number)
        twin.average.update(twin.generator)
    ours = float(state.average["params"]["Dense_0"]["Dense_0"]["kernel"][0, 0])
    np.testing.assert_allclose(weights[1].detach(), np.full(weights[1].shape, ours), rtol=1e-5)
    assert abs(ours - 3) > 0.1


def test_samples_are_the_moving_averages():
    twin = torch_gans.twin(dataclasses.replace(CONFIGS["dcgan"], average_decay=0.99))
    before = torch_gans.sample(twin, 5)
    for parameter in twin.generator.parameters():
        parameter.data += 1.0
    assert np.array_equal(before, torch_gans.sample(twin, 5))
    twin.average.update(twin.generator)
    assert not np.array_equal(before, torch_gans.sample(twin, 5))


def test_translation_moves_each_image_by_its_own_step():
    rng = torch.Generator().manual_seed(0)
    image = torch.full((64, 1, 28, 28), -1.0)
    image[:, 0, 10, 14] = 1.0
    moved = torch_gans._translate(image, rng)
    places = (moved[:, 0] == 1).nonzero()
    assert moved.shape == image.shape
    assert sorted(set(moved.unique().tolist())) == [-1.0, 1.0]
    assert places[:, 0].tolist() == list(range(64))  # none is lost or doubled
    for column, middle in ((1, 10), (2, 14)):
        steps = (places[:, column] - middle).tolist()
        assert set(steps) == set(range(-3, 4))


@every_config
def test_autocast_rounds_and_keeps_parameters_exact(config):
    digits = real_batch()
    noises = torch.rand(2, BATCH, config.noise_size) * 2 - 1
    label_NK = torch.from_numpy(one_hot()) if config.conditional else None
    found = []
    for precision in ("float32", "bfloat16"):
        twin = torch_gans.twin(dataclasses.replace(config, precision=precision))
        real = nchw(to_model_range(digits["image"]))
        found.append(torch_gans.step(twin, real, *noises, label_NK))
        assert {p.dtype for p in twin.generator.parameters()} == {torch.float32}
        assert torch_gans.sample(twin, 5).dtype == np.float32
    exact, rounded = found
    assert [loss.dtype for loss in rounded] == [torch.float32] * 2
    assert rounded[0] != exact[0]
    np.testing.assert_allclose(rounded, exact, rtol=0.05)
