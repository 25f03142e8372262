"""Draw samples from a trained GAN: `python -m jaxgen.sample RUN`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxgen.commands import cli
from jaxgen.errors import JaxgenError

PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")


@dataclass(frozen=True)
class SampleConfig:
    """Draw samples from a trained GAN."""

    run: Annotated[str, tyro.conf.Positional]
    """The run's folder."""
    n: int = 64
    """How many; of a conditional model the classes take turns."""
    labels: tuple[int, ...] = ()
    """Classes to draw, of a conditional model, one after the other until there are n."""
    interpolate: bool = False
    """Instead, rows of images on the way from one random input to another: 10 columns, n images."""
    out: Path = Path("samples.png")
    """A picture of the grid, or NAME.npz: images float32 (N, 28, 28) in [-1, 1] and, of a
    conditional model, labels."""
    seed: int = 0
    """Seed of the noise."""
    columns: int = 0
    """Images in a row of the grid; 0 for the squarest."""
    normalize_each: bool = False
    """Stretch the contrast of each image of the grid by itself."""


def main() -> int:
    """Sample as the command line says."""
    config = tyro.cli(SampleConfig, prog="python -m jaxgen.sample", description=__doc__)
    if config.n < 1:
        raise JaxgenError(f"--n must be at least 1, got {config.n}")
    if config.out.suffix not in (".npz", *PICTURES):
        raise JaxgenError(
            f"--out {config.out}: the name must end in .npz or one of {', '.join(PICTURES)}"
        )
    if not config.out.parent.is_dir():
        raise JaxgenError(f"--out {config.out}: there is no folder {config.out.parent}")
    import numpy as np

    from jaxgen.data import cache
    from jaxgen.display import plots
    from jaxgen.gan.trained import TrainedGan
    from jaxgen.training import run_folder as runs

    cache.keep_compiled_programs()
    gan = runs.load(config.run)
    if not isinstance(gan, TrainedGan):
        raise JaxgenError(f"{config.run} holds no GAN; python -m jaxgen.caption captions images")
    columns = config.columns or (10 if gan.classes or config.interpolate else 0)
    labels = None
    if config.interpolate:
        images = gan.interpolate(config.seed, -(-config.n // columns), columns)
    else:
        classes = config.labels or tuple(range(gan.classes))
        if classes:
            labels = np.sort(np.resize(classes, config.n))  # a row of the grid for each class
        images = gan.sample(seed=config.seed, n=config.n, labels=labels)
    if config.out.suffix == ".npz":
        arrays = {"images": images[..., 0] if images.shape[-1] == 1 else images}
        np.savez_compressed(config.out, **arrays, **({} if labels is None else {"labels": labels}))
    else:
        grid = plots.grid(images, columns, normalize_each=config.normalize_each)
        plots.save_image(config.out, grid, scale=2)
    print(f"{len(images)} samples in {config.out}")
    return 0


if __name__ == "__main__":
    cli.run_guarded(main)
