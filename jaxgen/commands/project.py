"""`jaxgen project RUN PICTURE ...`: find the noise whose image is nearest to a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from jaxgen.commands import cli, given_pictures, pictures
from jaxgen.commands.devices import tell_devices
from jaxgen.commands.run_argument import ReplicaArgument
from jaxgen.errors import JaxgenError
from jaxgen.gan.latents.search import Features, Search
from jaxgen.settings import setting
from jaxgen.settings.notes import note

if TYPE_CHECKING:
    from jaxgen.gan.latents.projection import Projected

MOST = 1000
"""Pictures of one command."""
_PIXELS = 2  # of the picture for one of an image, each way


@dataclass(frozen=True)
class ProjectConfig(Search, ReplicaArgument):
    """Find the noise that a generator makes nearly a given picture of, and draw the way there."""

    pictures: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Files of pictures; cut and scaled as the images that the model was trained on."""
    labels: tuple[int, ...] = setting((), least=0, most=2**31 - 1)
    """Class of each picture, or one for all, of a conditional model; found if not given."""
    negative: bool = False
    """Exchange black and white first: MNIST's digits are white on black."""
    features: Features = "auto"
    """Whose features are compared beside the pixels; auto is the classifier that knows the data."""
    stages: int = setting(9, least=2, most=50)
    """Images of the way, from the nearest random sample to what was found."""
    out: Path = Path("projected.png")
    """A picture with a row for each, the given one and the way, or NAME.npz: noise, images,
    pictures, distance, way, and of a conditional model labels."""
    seed: int = setting(0, least=0, most=2**32 - 1)
    """Seed of the random samples that the search begins from."""


def main(argv: Sequence[str]) -> int:
    """Project as the command line says."""
    config = cli.parse_command(ProjectConfig, argv, "jaxgen project")
    pictures.refuse_out(config.out, (".npz", *pictures.SUFFIXES))
    given = config.pictures
    if not given:
        raise JaxgenError("name the pictures to look for, after the run")
    if len(given) > MOST:
        raise JaxgenError(f"{len(given)} pictures: give at most {MOST} at a time")
    if config.labels and len(config.labels) not in (1, len(given)):
        raise JaxgenError(
            f"{len(given)} pictures need as many --labels, or one for all, not {len(config.labels)}"
        )
    import numpy as np

    from jaxgen.display import plots, tables_of_images
    from jaxgen.display.replacing import replacing
    from jaxgen.gan.trained import TrainedGan

    model = config.opened()
    if not isinstance(model, TrainedGan):
        raise JaxgenError(f"{config.run} holds no generator to look for pictures in")
    tell_devices(precision=model.config.precision)
    images, places = given_pictures.read(given, model.image_shape, negative=config.negative)
    labels = None
    if config.labels:
        labels = np.resize(config.labels, len(given))[places]
    steps = np.linspace(0, config.steps, min(config.stages, config.steps + 1)).astype(int)
    headings = ["given", *map(str, steps)]
    if config.out.suffix != ".npz":
        across = tables_of_images.size(len(images), images.shape[1:3], headings, (), _PIXELS)
        pictures.refuse_large(config.out, *across, "name fewer pictures, or give a .npz file")
    search = Search(config.restarts, config.steps, config.learning_rate, config.feature_weight)
    found = model.project(images, labels, search, config.seed, config.features, config.stages)
    for row, place in enumerate(places):
        print(_told(given[place], found, row, "class" if model.classes else "cluster"))
    if found.negative.any() and not config.negative:
        some = [
            str(given[place]) for place, is_so in zip(places, found.negative, strict=True) if is_so
        ]
        others = f" and {len(some) - 1} others" if len(some) > 1 else ""
        note(f"{some[0]}{others}: nearer to samples with black and white exchanged; try --negative")
    pixels = images.astype(np.float32) / 127.5 - 1
    if config.out.suffix == ".npz":
        arrays: dict[str, Any] = {
            "noise": found.noise,
            "images": found.images,
            "pictures": pixels,
            "distance": found.distance,
            "way": found.way,
        }
        if found.labels is not None:
            arrays["labels"] = found.labels
        with replacing(config.out) as temporary:
            np.savez_compressed(temporary, **arrays)
    else:
        rows = np.concatenate([pixels[:, None], found.way], axis=1)
        picture = tables_of_images.table(rows, headings, scale=_PIXELS, first_apart=True)
        plots.save_image(config.out, picture)
    print(f"{len(images)} projections in {config.out}")
    return 0


def _told(path: Path, found: "Projected", row: int, label: str) -> str:
    """How near the image that was found is to a picture, and what its label is, a class or not."""
    told = f"{path}: distance {found.distance[row]:.4f}, {found.at_random[row]:.4f} at random"
    if found.feature_distance is not None:
        told += f", features {found.feature_distance[row]:.3f}"
    return told if found.labels is None else f"{told}, {label} {found.labels[row]}"
