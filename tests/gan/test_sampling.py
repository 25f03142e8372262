"""A sample depends on its own noise and label alone, however it is asked for; ways of noise."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.gan import noise
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.networks.pacgan import PacGAN
from jaxgen.gan.networks.r3gan import R3GAN
from jaxgen.gan.networks.sngan import SNGAN
from jaxgen.gan.sampling import Sampler
from jaxgen.gan.step import weights

ABOUT = AboutImages((28, 28, 1), classes=10, examples=8)
FULLY_CONNECTED = MLP(
    generator_hidden=(6, 7),
    generator_normalized=(0, 1),
    generator_slope=0.2,
    discriminator_hidden=(5,),
)
NETWORKS = {
    "mlp": FULLY_CONNECTED,
    "dcgan": DCGAN(hidden=6, generator_channels=(4, 3), discriminator_channels=(2, 3)),
    "r3gan": R3GAN((4,), (4,), group=4),
    "sngan": SNGAN((4,), (4,)),
    "pacgan": PacGAN((4, 3), (2, 3)),
}
SMALL = GanConfig(
    workdir="", steps=1, batch_size=8, noise_size=5, networks=FULLY_CONNECTED, conditional=True
)


def sampler_and_weights(config):
    """With running averages that no batch has, so that a batch's own would show."""
    state = jax.jit(config.gan(ABOUT).init)(jax.random.key(0), {})
    made = weights(state)

    def uneven_of(path, x):
        change = 0.3 + 0.1 * np.arange(x.size).reshape(x.shape)
        return x - change if "mean" in str(path) else x + change  # nothing dies in a ReLU

    uneven = jax.tree.map_with_path(uneven_of, made.stats)
    return config.sampler(ABOUT), made._replace(stats=uneven)


@pytest.mark.parametrize("networks", NETWORKS)
def test_a_sample_drawn_alone_is_itself_among_others(networks):
    sampler, made = sampler_and_weights(replace(SMALL, networks=NETWORKS[networks]))
    noise = sampler.draw_noise(20, seed=3)[:20]
    mixed = np.arange(20) % 10
    among = sampler.sample_from(made, noise, mixed)
    order = np.argsort(mixed, kind="stable")
    by_class = sampler.sample_from(made, noise[order], mixed[order])
    np.testing.assert_allclose(by_class, among[order], atol=1e-6)
    for index in (0, 7, 19):
        alone = sampler.sample_from(made, noise[index : index + 1], mixed[index : index + 1])
        np.testing.assert_allclose(alone[0], among[index], atol=1e-6)
    # And it does depend on both of them.
    assert np.abs(sampler.sample_from(made, noise, (mixed + 1) % 10) - among).max() > 1e-4
    assert np.abs(sampler.sample_from(made, -noise, mixed) - among).max() > 1e-4


def test_batch_statistics_are_an_explicit_choice():
    batchwise, made = sampler_and_weights(replace(SMALL, sampling_statistics="batch"))
    noise, threes = batchwise.draw_noise(8, seed=3), np.full(8, 3)
    other = batchwise.sample_from(made, noise, np.r_[3, np.arange(7)])
    assert np.abs(batchwise.sample_from(made, noise, threes)[0] - other[0]).max() > 1e-3
    far = made._replace(stats=jax.tree.map(lambda x: x + 3.0, made.stats))
    assert np.array_equal(batchwise.sample(far, 8), batchwise.sample(made, 8))
    running, _ = sampler_and_weights(SMALL)
    assert np.abs(running.sample(far, 8) - running.sample(made, 8)).max() > 1e-2


def test_more_samples_begin_with_the_same_ones():
    sampler, made = sampler_and_weights(SMALL)
    few = sampler.sample(made, 3, seed=4)
    many = sampler.sample(made, 19, seed=4)
    assert many.shape == (19, 28, 28, 1)
    assert np.array_equal(few, many[:3])
    assert np.abs(many).max() <= 1
    assert not np.array_equal(many[:8], many[8:16])


def test_samples_are_those_of_their_noise_whatever_their_number():
    sampler, made = sampler_and_weights(SMALL)
    noise, labels = sampler.draw_noise(19, seed=3)[:19], np.arange(19) % 10
    drawn = sampler.sample(made, 19, seed=3)
    np.testing.assert_array_equal(drawn, sampler.sample_from(made, noise, labels, seed=3))


@pytest.mark.parametrize("walk", ["linear", "spherical", None])
@pytest.mark.parametrize("kind", [noise.uniform, noise.normal], ids=["uniform", "normal"])
def test_every_point_of_a_way_is_within_the_bound(kind, walk):
    sampler = Sampler(MLP().generator((28, 28, 1)), kind, 3000, block=2)
    ends = sampler.draw_noise(2, 5)
    shares = np.float32([0, 0.25, 0.5, 1])
    points = sampler.between(ends[:1], ends[1:], shares, walk, 0.7)
    assert np.abs(points).max() <= 0.7
    truncated = sampler.draw_noise(2, 5, 0.7)
    np.testing.assert_allclose(points[[0, 3]], truncated, atol=1e-5)
    assert np.abs(points[1] - truncated[0]).max() > 0.01
    if walk == "spherical":  # on it half of the way is noise too, truncated as any
        assert points[2].std() == pytest.approx(truncated.std(), rel=0.03)


def test_more_samples_than_memory_holds_are_refused_in_bytes():
    sampler, made = sampler_and_weights(SMALL)
    with pytest.raises(JaxgenError, match=r"^1000000000000 samples would take 3136 TB"):
        sampler.sample(made, 10**12, labels=np.zeros(8, int))


SIZES = (1, 5, 2)


def clustered():
    return replace(SMALL, conditional=False, clusters=3), replace(ABOUT, cluster_sizes=SIZES)


def test_clusters_are_drawn_as_often_as_images_fall_on_them():
    config, about = clustered()
    sampler = config.sampler(about)
    assert (sampler.classes, sampler.asked_classes) == (3, 0)
    labels = sampler.turns(0, 800)
    np.testing.assert_allclose(np.bincount(labels), 100 * np.array(SIZES), atol=2)
    # In every stretch of them, wherever it begins.
    np.testing.assert_array_equal(sampler.turns(300, 380), labels[300:380])
    np.testing.assert_allclose(np.bincount(labels[300:380]), 10 * np.array(SIZES), atol=2)


def test_a_sample_is_of_its_cluster():
    config, about = clustered()
    made = weights(jax.jit(config.gan(about).init)(jax.random.key(0), {}))
    sampler = config.sampler(about)
    drawn = sampler.sample(made, 12, seed=1)
    noise, labels = sampler.draw_noise(12, 1)[:12], sampler.turns(0, 12)
    np.testing.assert_array_equal(drawn, sampler.sample_from(made, noise, labels))
    assert np.abs(drawn - sampler.sample_from(made, noise, (labels + 1) % 3)).max() > 1e-4
