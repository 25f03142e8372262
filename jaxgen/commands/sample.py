"""`jaxgen sample RUN`: draw samples from a trained model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxgen.commands import cli
from jaxgen.commands.run_argument import RunArgument
from jaxgen.errors import JaxgenError
from jaxgen.settings import setting

PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")


@dataclass(frozen=True)
class SampleConfig(RunArgument):
    """Draw samples from a trained model."""

    n: int = setting(64, least=1, most=1_000_000)
    """How many; of a conditional model the classes take turns."""
    labels: tuple[int, ...] = setting((), least=0)
    """Classes to draw, of a conditional model, one after the other until there are n."""
    interpolate: bool = False
    """Instead, rows of images on the way from one random input to another: 10 columns, n images."""
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
    if config.out.suffix not in (".npz", *PICTURES):
        raise JaxgenError(
            f"--out {config.out}: the name must end in .npz or one of {', '.join(PICTURES)}"
        )
    if config.interpolate and config.labels:
        raise JaxgenError("give --interpolate or --labels, not both")
    if not config.out.parent.is_dir():
        raise JaxgenError(f"--out {config.out}: there is no folder {config.out.parent}")
    import numpy as np

    from jaxgen.display import plots
    from jaxgen.display.replacing import replacing
    from jaxgen.training.task import CanSample

    model = config.opened()
    if not isinstance(model, CanSample):
        raise JaxgenError(f"{config.run} draws no samples; jaxgen caption captions images")
    known = getattr(model, "classes", 0)
    columns = config.columns or (10 if known or config.interpolate else 0)
    labels = None
    if config.interpolate:
        interpolate = getattr(model, "interpolate", None)
        if interpolate is None:
            raise JaxgenError(f"{config.run} holds a model that cannot interpolate")
        images = interpolate(config.seed, -(-config.n // columns), columns)
    else:
        classes = config.labels or tuple(range(known))
        if classes:
            labels = np.sort(np.resize(classes, config.n))  # a row of the grid for each class
        images = model.sample(seed=config.seed, n=config.n, labels=labels)
    if config.out.suffix == ".npz":
        arrays: dict[str, Any] = {"images": images[..., 0] if images.shape[-1] == 1 else images}
        if labels is not None:
            arrays["labels"] = labels
        with replacing(config.out) as temporary:
            np.savez_compressed(temporary, **arrays)
    else:
        grid = plots.grid(images, columns, normalize_each=config.normalize_each)
        plots.save_image(config.out, grid, scale=2)
    print(f"{len(images)} samples in {config.out}")
    return 0
