"""`jaxgen directions RUN`: what the strongest directions of a generator's noise do to an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxgen.commands import cli, pictures
from jaxgen.commands.devices import tell_devices
from jaxgen.commands.run_argument import ReplicaArgument
from jaxgen.errors import JaxgenError
from jaxgen.settings import setting
from jaxgen.settings.notes import note

_PIXELS = 2  # of the picture for one of an image, each way


@dataclass(frozen=True)
class DirectionsConfig(ReplicaArgument):
    """Draw what the directions do that the generator's first layer stretches most (SeFa)."""

    n: int = setting(6, least=1, most=1000)
    """How many directions, a row each, the strongest first."""
    strength: float = setting(3.0, above=0, most=100)
    """How far each goes, to both sides, in standard deviations of the noise."""
    columns: int = setting(7, least=3, most=101)
    """Images of each direction; with an odd number the middle one is not moved."""
    label: int | None = setting(None, least=0, most=2**31 - 1)
    """Class of the image, of a conditional model; the first if not given."""
    seed: int = setting(0, least=0, most=2**32 - 1)
    """Seed of the noise that is moved."""
    truncation: float | None = setting(None, above=0, most=1e6)
    """The largest number in the noise, as of jaxgen sample. Not given, none is cut."""
    out: Path = Path("directions.png")
    """A picture with a row for each direction, or NAME.npz: vectors, gains, strengths, images."""


def main(argv: Sequence[str]) -> int:
    """Find and draw directions as the command line says."""
    config = cli.parse_command(DirectionsConfig, argv, "jaxgen directions")
    pictures.refuse_out(config.out, (".npz", *pictures.SUFFIXES))
    import numpy as np

    from jaxgen.display import plots, tables_of_images
    from jaxgen.display.replacing import replacing
    from jaxgen.gan.trained import TrainedGan

    model = config.opened()
    if not isinstance(model, TrainedGan):
        raise JaxgenError(f"{config.run} holds no generator that has directions")
    tell_devices(precision=model.config.precision)
    n = min(config.n, model.noise_size)
    if n < config.n:
        note(f"--n {config.n}: the noise has {n} numbers, and no more directions")
    strengths = np.linspace(-1, 1, config.columns) * config.strength  # whose middle is exactly 0
    headings = [f"{strength:+.3g}" if strength else "0" for strength in strengths]
    found = model.directions(n)
    names = [f"{i}  {share:.1%}" for i, share in enumerate(found.shares, 1)]
    if config.out.suffix != ".npz":
        across = tables_of_images.size(n, model.image_shape[:2], headings, names, _PIXELS)
        pictures.refuse_large(config.out, *across, "give a smaller --n, or a .npz file")
    images = model.along(found.vectors, strengths, config.seed, config.label, config.truncation)
    images = images.reshape(n, len(strengths), *images.shape[1:])
    if config.out.suffix == ".npz":
        arrays: dict[str, Any] = {
            "vectors": found.vectors,
            "gains": found.gains,
            "strengths": strengths,
            "images": images,
        }
        with replacing(config.out) as temporary:
            np.savez_compressed(temporary, **arrays)
    else:
        plots.save_image(config.out, tables_of_images.table(images, headings, names, _PIXELS))
    print(f"{n} directions, {found.shares.sum():.0%} of the first layer's gain, in {config.out}")
    return 0
