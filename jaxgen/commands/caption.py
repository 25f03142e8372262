"""Caption validation images with a trained captioner: `python -m jaxgen.caption RUN`."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from jaxgen.captioning.decoding import Decoding
from jaxgen.commands import cli
from jaxgen.errors import JaxgenError

ATTENTION = "attention.png"
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")


@dataclass(frozen=True)
class CaptionImagesConfig:
    """Caption validation images with a trained captioner."""

    run: Annotated[str, tyro.conf.Positional]
    """The run's folder."""
    n: int = 8
    """How many images, evenly spaced."""
    out: Path = Path("captions.png")
    """A picture of the images, with generated and true sentences."""
    attention: bool = False
    """Draw also where in the images each word looked, as attention.png beside the picture."""
    seed: int = 0
    """Seed of sampling."""
    decoding: Annotated[Decoding, tyro.conf.arg(name="")] = field(default_factory=Decoding)
    """How words are chosen."""


def main() -> int:
    """Caption as the command line says."""
    config = tyro.cli(CaptionImagesConfig, prog="python -m jaxgen.caption", description=__doc__)
    if config.n < 1:
        raise JaxgenError(f"--n must be at least 1, got {config.n}")
    if config.seed < 0:
        raise JaxgenError(f"--seed must be at least 0, got {config.seed}")
    config.decoding.validate()
    if config.out.suffix not in PICTURES:
        raise JaxgenError(f"--out {config.out}: the name must end in one of {', '.join(PICTURES)}")
    if not config.out.parent.is_dir():
        raise JaxgenError(f"--out {config.out}: there is no folder {config.out.parent}")
    attention = config.out.with_name(ATTENTION)
    if config.attention and config.out == attention:
        raise JaxgenError(f"--out {config.out}: with --attention another picture has this name")
    from jaxgen.captioning.trained import TrainedCaptioner
    from jaxgen.data import cache
    from jaxgen.display import plots
    from jaxgen.training import run_folder as runs

    cache.keep_compiled_programs()
    trained = runs.load(config.run)
    if not isinstance(trained, TrainedCaptioner):
        raise JaxgenError(f"{config.run} holds no captioner; python -m jaxgen.sample draws images")
    chosen = dataclasses.asdict(config.decoding)
    looked = trained.show_attention(config.n, config.seed, **chosen) if config.attention else None
    shown = trained.show(config.n, config.seed, **chosen)
    print(shown.text)
    plots.save_image(config.out, shown.picture)
    print(f"picture {config.out}")
    if looked is not None:
        plots.save_image(attention, looked)
        print(f"attention {attention}")
    return 0


if __name__ == "__main__":
    cli.run_guarded(main)
