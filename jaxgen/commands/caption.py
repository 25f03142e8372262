"""`jaxgen caption RUN`: caption validation images with a trained captioner."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxgen.captioning.decoding import Decoding
from jaxgen.commands import caption_results, cli, pictures
from jaxgen.commands.devices import tell_devices
from jaxgen.commands.run_argument import ReplicaArgument
from jaxgen.errors import JaxgenError
from jaxgen.settings import setting
from jaxgen.settings.notes import note

ATTENTION = "attention.png"


@dataclass(frozen=True)
class CaptionImagesConfig(Decoding, ReplicaArgument):
    """Caption validation images with a trained captioner."""

    n: int = setting(8, least=1, most=1000)
    """How many images, evenly spaced."""
    out: Path = Path("captions.png")
    """A picture of the images, with generated and true sentences."""
    attention: bool = False
    """Draw also where in the images each word looked, as attention.png beside the picture."""
    seed: int = setting(0, least=0, most=2**32 - 1)
    """Seed of sampling."""
    results: Path | None = None
    """Caption all validation images instead, and write COCO's results here, for jaxgen score."""
    references: Path | None = None
    """With results, write also what people wrote of these images, as COCO's annotations."""


def main(argv: Sequence[str]) -> int:
    """Caption as the command line says."""
    config = cli.parse_command(CaptionImagesConfig, argv, "jaxgen caption")
    pictures.refuse_out(config.out)
    attention = config.out.with_name(ATTENTION)
    if config.attention:
        pictures.refuse_out(attention)
    if config.attention and config.out == attention:
        raise JaxgenError(f"--out {config.out}: with --attention another picture has this name")
    from jaxgen.captioning.trained import TrainedCaptioner
    from jaxgen.display import plots

    trained = config.opened()
    if not isinstance(trained, TrainedCaptioner):
        raise JaxgenError(f"{config.run} holds no captioner; jaxgen sample draws images")
    tell_devices(precision=trained.config.precision)
    chosen = {field.name: getattr(config, field.name) for field in dataclasses.fields(Decoding)}
    words = len(trained.vocabulary)
    if config.top_k > words:
        note(f"--top-k {config.top_k}: there are {words} words, all are drawn from")
    if config.results or config.references:
        return caption_results.write(
            trained, config.results, config.references, config.seed, chosen
        )
    if config.n > trained.images:
        note(f"--n {config.n}: there are {trained.images} validation images, all are captioned")
    looked = trained.show_attention(config.n, config.seed, **chosen) if config.attention else None
    shown = trained.show(config.n, config.seed, **chosen)
    for path, picture in ((config.out, shown.picture), (attention, looked)):
        if picture is not None:
            height, width = picture.shape[:2]
            pictures.refuse_large(path, width, height, "give a smaller --n")
    print(shown.text)
    plots.save_image(config.out, shown.picture)
    print(f"picture {config.out}")
    if looked is not None:
        plots.save_image(attention, looked)
        print(f"attention {attention}")
    return 0
