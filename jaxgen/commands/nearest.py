"""`jaxgen nearest RUN`: samples beside the training images that are nearest to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jaxgen.commands import cli, pictures
from jaxgen.commands.devices import tell_devices
from jaxgen.commands.run_argument import ReplicaArgument
from jaxgen.errors import JaxgenError
from jaxgen.gan.latents.search import NeighbourFeatures
from jaxgen.settings import setting

if TYPE_CHECKING:
    import numpy as np

    from jaxgen.gan.latents.copying import Copying

_PIXELS = 2  # of the picture for one of an image, each way


@dataclass(frozen=True)
class NearestConfig(ReplicaArgument):
    """Draw samples beside their nearest training images, and measure whether they are copies."""

    n: int = setting(1000, least=2, most=20_000)
    """Samples that are measured; of a conditional model the classes take turns."""
    rows: int = setting(8, least=1, most=500)
    """Samples that are drawn, twice as many: the first ones, and those that are much nearer to one
    image than to the next ones, as copies are."""
    neighbours: int = setting(5, least=2, most=50)
    """Training images beside each."""
    features: NeighbourFeatures = "auto"
    """Whose features are compared beside the pixels; auto is the classifier that knows the data,
    and lite0 is EfficientNet-Lite0, for photographs."""
    seed: int = setting(0, least=0, most=2**32 - 1)
    """Seed of the noise."""
    truncation: float | None = setting(None, above=0, most=1e6)
    """The largest number in the noise, as of jaxgen sample. Not given, none is cut."""
    out: Path = Path("nearest.png")
    """The picture; before each row stands the distance to its nearest training image."""


def main(argv: Sequence[str]) -> int:
    """Compare as the command line says."""
    config = cli.parse_command(NearestConfig, argv, "jaxgen nearest")
    pictures.refuse_out(config.out)
    from jaxgen.display import plots, tables_of_images
    from jaxgen.gan.latents import copying
    from jaxgen.gan.trained import TrainedGan

    model = config.opened()
    if not isinstance(model, TrainedGan):
        raise JaxgenError(f"{config.run} holds no generator whose samples could be compared")
    tell_devices(precision=model.config.precision)
    headings = ["sample", *map(str, range(1, config.neighbours + 1))]
    rows = min(config.rows, config.n)
    shape = model.image_shape[:2]
    width, height = tables_of_images.size(rows, shape, headings, ["0.0000"], _PIXELS)
    pictures.refuse_large(config.out, 2 * width + 50, 2 * height + 50, "give fewer --rows")
    compared = model.nearest(
        config.n, config.neighbours, config.seed, None, config.features, config.truncation
    )
    panels, titles = [], []
    for measure, beside in compared.measures.items():
        nearest_N = beside.found.distance_NK[:, 0]
        for place_R, which in (
            (range(rows), f"the first of {config.n}"),
            (_singled_out(beside.found.distance_NK)[:rows], "those nearest to one image alone"),
        ):
            names = [f"{nearest_N[place]:.4f}" for place in place_R]
            images = _beside(compared, beside.found.place_NK, list(place_R))
            panels.append(tables_of_images.table(images, headings, names, _PIXELS, True))
            titles.append(f"{measure}: {which}")
    plots.save_image(config.out, plots.titled(panels, titles))
    print(copying.table(compared))
    print(f"picture {config.out}")
    return 0


def _singled_out(distance_NK: "np.ndarray") -> "np.ndarray":
    """Samples in the order of how much nearer the nearest image is than the last of the nearest.

    A distance alone says little, for plain images, strokes of a 1 among digits, are near to many.

    Reference:
        Carlini et al. 2023, https://arxiv.org/abs/2301.13188, equation 2, with one neighbour in
        place of the mean over several.
    """
    return (distance_NK[:, 0] / distance_NK[:, -1].clip(min=1e-12)).argsort()


def _beside(compared: "Copying", place_NK: "np.ndarray", rows: list[int]) -> "np.ndarray":
    """Samples, each followed by its neighbours: float32 (R, 1 + K, H, W, C)."""
    import numpy as np

    return np.concatenate([compared.samples[rows, None], compared.read(place_NK[rows])], axis=1)
