"""`jaxgen sample RUN`: draw samples from a trained model."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jaxgen.commands import cli, pictures
from jaxgen.commands.devices import tell_devices
from jaxgen.commands.run_argument import ReplicaArgument, truncated
from jaxgen.errors import JaxgenError
from jaxgen.settings import setting
from jaxgen.settings.notes import note

if TYPE_CHECKING:
    import numpy as np

_PADDING = 2  # pixels around each
_PIXELS = 2  # of the picture for one of a sample, each way


@dataclass(frozen=True)
class SampleConfig(ReplicaArgument):
    """Draw samples from a trained model."""

    n: int = setting(64, least=1, most=1_000_000)
    """How many; of a conditional model the classes take turns."""
    labels: tuple[int, ...] = setting((), least=0, most=2**31 - 1)
    """Classes to draw, of a conditional model, one after the other until there are n."""
    interpolate: bool = False
    """Instead, rows of images on the way from one random input to another: 10 columns, n images."""
    walk: Literal["linear", "spherical"] | None = None
    """The way that --interpolate takes, which it implies; by default the straight line for uniform
    noise and the spherical one for normal noise. A spherical way of uniform noise takes each number
    through the normal distribution and back, and stays in the box."""
    between: tuple[int, int] | None = setting(None, least=0, most=2**31 - 1)
    """Instead, rows of images on the way from one class to another, a random input each: 10
    columns, n images; of a conditional model."""
    truncation: float | None = setting(None, above=0, most=1e6)
    """The largest number in the noise: smaller ones make samples more typical and less varied.
    Uniform noise has numbers up to 1, normal noise few above 3. Not given, none is cut."""
    out: Path = Path("samples.png")
    """A picture of the grid, or NAME.npz: images float32 (N, 28, 28) in [-1, 1] and, of a
    conditional model, labels."""
    seed: int = setting(0, least=0, most=2**32 - 1)
    """Seed of the noise."""
    columns: int = setting(0, least=0, most=10_000)
    """Images in a row of the grid; 0 for the squarest."""
    normalize_each: bool = False
    """Stretch the contrast of each image of the grid by itself."""


def main(argv: Sequence[str]) -> int:
    """Sample as the command line says."""
    config = cli.parse_command(SampleConfig, argv, "jaxgen sample")
    pictures.refuse_out(config.out, (".npz", *pictures.SUFFIXES))
    walks = config.interpolate or config.walk is not None
    ways = {"--interpolate": walks, "--between": config.between, "--labels": config.labels}
    if len(given := [name for name, value in ways.items() if value]) > 1:
        raise JaxgenError(f"give {' or '.join(given[:2])}, not both")
    import numpy as np

    from jaxgen.display import plots
    from jaxgen.display.replacing import replacing
    from jaxgen.training.task import CanSample

    model = config.opened()
    if not isinstance(model, CanSample):
        raise JaxgenError(f"{config.run} draws no samples; jaxgen caption captions images")
    how = truncated(config.run, model, config.truncation)
    way = _way(model, config, how) if walks or config.between else None
    tell_devices(precision=model.config.precision)
    known = getattr(model, "classes", 0)
    in_rows = 10 if known or way else math.ceil(math.sqrt(config.n))
    columns = config.columns or in_rows
    rows = -(-config.n // columns)
    n, labels = config.n, None
    if way:
        n = rows * columns
        if n != config.n:
            note(f"--n {config.n}: rows of {columns} make {n} images")
    elif classes := config.labels[:n] or tuple(range(known)):
        labels = np.sort(np.resize(classes, n))  # a row of the grid for each class
        if config.labels[n:]:
            note(f"--n {n}: there are more --labels, of which only the first {n} are drawn")
    is_picture = config.out.suffix != ".npz"
    if is_picture and config.columns > n:
        note(f"--columns {config.columns}: the grid has {n}, as there are {n} images")
    columns = min(columns, n)
    if is_picture:
        first = None if labels is None else labels[:1]
        height, width = model.sample(seed=config.seed, n=1, labels=first).shape[1:3]
        across = _PIXELS * (columns * (width + _PADDING) + _PADDING)
        down = _PIXELS * (rows * (height + _PADDING) + _PADDING)
        pictures.refuse_large(config.out, across, down, "give fewer samples, or a .npz file")
    if way:
        images = way(rows, columns)
    else:
        images = model.sample(seed=config.seed, n=n, labels=labels, **how)
    if is_picture:
        grid = plots.grid(images, columns, _PADDING, config.normalize_each)
        plots.save_image(config.out, grid, scale=_PIXELS)
    else:
        arrays: dict[str, Any] = {"images": images[..., 0] if images.shape[-1] == 1 else images}
        if labels is not None:
            arrays["labels"] = labels
        with replacing(config.out) as temporary:
            np.savez_compressed(temporary, **arrays)
    print(f"{len(images)} samples in {config.out}")
    return 0


def _way(
    model: Any, config: SampleConfig, how: dict[str, Any]
) -> Callable[[int, int], "np.ndarray"]:
    """Makes rows of images on the way that is asked for, rows and columns of them."""
    name = "interpolate_classes" if config.between else "interpolate"
    interpolate = getattr(model, name, None)
    if interpolate is None:
        raise JaxgenError(f"{config.run} holds a model that cannot interpolate")
    if config.between is None:
        more = how if config.walk is None else {**how, "walk": config.walk}
        return lambda rows, columns: interpolate(config.seed, rows, columns, **more)
    if not getattr(model, "classes", 0):
        raise JaxgenError("--between: this model is not conditional, it knows no classes")
    start, end = config.between
    return lambda rows, columns: interpolate(start, end, config.seed, rows, columns, **how)
