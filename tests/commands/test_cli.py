"""Flags of configurations: presets and classes."""

from dataclasses import replace

import pytest

import jaxgen
from experiments import dcgan, r3gan, vanilla_gan
from jaxgen import settings
from jaxgen.commands import cli
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.networks.pacgan import PacGAN
from jaxgen.gan.networks.r3gan import R3GAN
from jaxgen.gan.networks.sngan import SNGAN


def test_presets_and_classes(tmp_path, capsys):
    presets = {"small": replace(dcgan.config, noise_size=3)}
    with pytest.raises(SystemExit):
        cli.main(dcgan.config, "", ["--preset", "large"], presets)
    assert "no such preset (small)" in capsys.readouterr().err
    flags = ["--steps", "1", "--batch-size", "2", "--preset=small", "--networks", "mlp"]
    with pytest.raises(SystemExit) as stop:
        cli.main(dcgan.config, "", [*flags, "--workdir", str(tmp_path / "a")], presets)
    assert stop.value.code == 0
    config = jaxgen.load(tmp_path / "a").config
    assert (config.noise_size, config.steps) == (3, 1)
    assert settings.class_name(type(config.networks)) == "mlp"
    # Neither of them has to be said again when the run goes on.
    with pytest.raises(SystemExit) as stop:
        cli.main(dcgan.config, "", ["--workdir", str(tmp_path / "a"), "--steps", "2"], presets)
    assert stop.value.code == 2  # another preset is another experiment
    with pytest.raises(SystemExit) as stop:
        cli.main(presets["small"], "", ["--workdir", str(tmp_path / "a"), "--steps", "2"])
    assert stop.value.code == 0
    assert settings.class_name(type(jaxgen.load(tmp_path / "a").config.networks)) == "mlp"
    capsys.readouterr()
    with pytest.raises(SystemExit):
        cli.main(dcgan.config, "", ["--help"], presets)
    told = capsys.readouterr().out
    assert "--preset small: noise_size: 96 -> 3" in told
    for name in ("mnist5k", "idx", "tfds", "pictures", "--import FILE", "--reschedule"):
        assert name in told


@pytest.mark.parametrize("networks", [DCGAN, MLP, PacGAN, R3GAN, SNGAN])
@settings.flags_spelled()
def test_other_networks_have_their_own_widths(networks):
    """PacGAN's are 512, 256, 128, 64, not the DCGAN's 128, 64; what was set on purpose stays."""
    flags = ["--networks", settings.class_name(networks)]
    for experiment in (dcgan, vanilla_gan, r3gan):
        assert cli.chosen(experiment.config, flags, "").networks == networks()

    widths = (96, 48, 24)
    wide = replace(r3gan.config, networks=R3GAN(generator_channels=widths))
    kept = {"generator_channels": widths} if networks in (PacGAN, R3GAN, SNGAN) else {}
    assert cli.chosen(wide, flags, "").networks == networks(**kept)
