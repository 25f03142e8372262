"""Draw samples from a trained GAN: `python -m jaxgen.sample RUN`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxgen import cli
from jaxgen.errors import JaxgenError

PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")


@dataclass(frozen=True)
class SampleConfig:
    """Draw samples from a trained GAN."""

    run: Annotated[str, tyro.conf.Positional]
    """The run's folder."""
    n: int = 64
    """How many."""
    out: Path = Path("samples.png")
    """A picture of the grid, or NAME.npz: images float32 (N, 28, 28) in [-1, 1]; (N, H, W, 3) for
    colour."""
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

    from jaxgen import plots, runs

    cli.use_compilation_cache()
    gan = runs.load(config.run)
    images = gan.sample(seed=config.seed, n=config.n)
    if config.out.suffix == ".npz":
        grey = images.shape[-1] == 1
        np.savez_compressed(config.out, images=images[..., 0] if grey else images)
    else:
        grid = plots.grid(images, config.columns, normalize_each=config.normalize_each)
        plots.save_image(config.out, grid, scale=2)
    print(f"{config.n} samples in {config.out}")
    return 0


if __name__ == "__main__":
    cli.run_guarded(main)
