"""`jaxgen caption RUN [PHOTOGRAPH ...]`: caption photographs, or validation images of the run."""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from jaxgen.captioning.decoding import Decoding
from jaxgen.commands import caption_results, cli, pictures
from jaxgen.commands.devices import tell_devices
from jaxgen.commands.run_argument import ReplicaArgument
from jaxgen.errors import JaxgenError
from jaxgen.settings import setting
from jaxgen.settings.notes import note

if TYPE_CHECKING:
    from jaxgen.captioning.trained import TrainedCaptioner

ATTENTION = "attention.png"
_STDIN = "-"
_AT_ONCE = 32  # photographs
_MOST_DRAWN = 200  # photographs


@dataclass(frozen=True)
class CaptionImagesConfig(Decoding, ReplicaArgument):
    """Caption photographs with a trained captioner, or validation images where none are named."""

    photographs: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Files of photographs, - for standard input; for captioners of features of `jaxgen features`.
    Of each the sentence and its log-probability are printed."""
    weights: Path | None = None
    """File of the weights of the encoder that the run records, where no package brings them."""
    n: int = setting(8, least=1, most=1000)
    """How many validation images, evenly spaced."""
    out: Path | None = None
    """A picture of the images, with generated and true sentences; captions.png for validation
    images, none for photographs if not given."""
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
    out = config.out or Path("captions.png")
    pictures.refuse_out(out)
    attention = out.with_name(ATTENTION)
    if config.attention:
        pictures.refuse_out(attention)
    if config.attention and out == attention:
        raise JaxgenError(f"--out {out}: with --attention another picture has this name")
    if config.photographs.count(_STDIN) > 1:
        raise JaxgenError("- is given twice, and standard input holds one photograph")
    if (config.attention or config.out) and len(config.photographs) > _MOST_DRAWN:
        raise JaxgenError(
            f"{len(config.photographs)} photographs: with --out or --attention give at most "
            f"{_MOST_DRAWN}"
        )
    if config.photographs and (config.results or config.references):
        raise JaxgenError(
            "--results and --references are of validation images: give one or the other"
        )
    if config.weights and not config.photographs:
        raise JaxgenError("--weights: name photographs too, which they are for")
    from jaxgen.captioning.trained import TrainedCaptioner

    trained = config.opened()
    if not isinstance(trained, TrainedCaptioner):
        raise JaxgenError(f"{config.run} holds no captioner; jaxgen sample draws images")
    tell_devices(precision=trained.config.precision)
    words = len(trained.vocabulary)
    if config.top_k > words:
        note(f"--top-k {config.top_k}: there are {words} words, all are drawn from")
    if config.results or config.references:
        return caption_results.write(
            trained, config.results, config.references, config.seed, _decoding(config)
        )
    if config.photographs:
        return _photographs(config, trained, config.out, attention)
    return _validation_images(config, trained, out, attention)


def _decoding(config: CaptionImagesConfig) -> dict[str, Any]:
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(Decoding)}


def _validation_images(
    config: CaptionImagesConfig, trained: "TrainedCaptioner", out: Path, attention: Path
) -> int:
    from jaxgen.display import plots

    chosen = _decoding(config)
    if config.n > trained.images:
        note(f"--n {config.n}: there are {trained.images} validation images, all are captioned")
    looked = trained.show_attention(config.n, config.seed, **chosen) if config.attention else None
    shown = trained.show(config.n, config.seed, **chosen)
    for path, picture in ((out, shown.picture), (attention, looked)):
        if picture is not None:
            height, width = picture.shape[:2]
            pictures.refuse_large(path, width, height, "give a smaller --n")
    print(shown.text)
    plots.save_image(out, shown.picture)
    print(f"picture {out}")
    if looked is not None:
        plots.save_image(attention, looked)
        print(f"attention {attention}")
    return 0


def _photographs(
    config: CaptionImagesConfig, trained: "TrainedCaptioner", out: Path | None, attention: Path
) -> int:
    """Captions photographs as they are read; of those that cannot be the status is 2."""
    import numpy as np

    from jaxgen.captioning.photographs import PhotographCaptioner
    from jaxgen.display import plots

    captioner = PhotographCaptioner(trained, config.weights)
    rows = min(_AT_ONCE, len(config.photographs))
    status, drawn, sentences, words = 0, [], [], []
    for start in range(0, len(config.photographs), rows):
        names, images = [], []
        for name in config.photographs[start : start + rows]:
            try:
                images.append(captioner.prepared(_file(name)))
                names.append(name)
            except JaxgenError as error:
                print(f"error: {name}: {error}", file=sys.stderr)
                status = JaxgenError.exit_code
        if not images:
            continue
        # Always as many, so that one program is compiled.
        image_NSSC = np.stack(images + images[-1:] * (rows - len(images)))
        made = captioner.caption(image_NSSC, config.seed + start // rows, **_decoding(config))
        for name, sentence, log_probability in zip(
            names, made.sentences, made.log_probability_N, strict=False
        ):
            told = f"{sentence or '(nothing)'}  (log-probability {log_probability:.2f})"
            print(f"{name}: {told}", flush=True)
        if out or config.attention:
            drawn += images
            sentences += made.sentences[: len(images)]
            words.append(made.words_NL[: len(images)])
    if drawn and out:
        _save(out, plots.captioned(drawn, sentences, [""] * len(drawn)), "picture")
    if drawn and config.attention:
        _save(attention, captioner.attended(np.stack(drawn), np.concatenate(words)), "attention")
    return status


def _file(name: str) -> Path | bytes:
    """A photograph's path, or what standard input holds."""
    if name != _STDIN:
        return Path(name)
    from jaxgen.data import picture_files

    contents = sys.stdin.buffer.read(picture_files.MOST_BYTES + 1)
    if len(contents) > picture_files.MOST_BYTES:
        raise JaxgenError(f"it has more than {picture_files.MOST_BYTES} bytes")
    return contents


def _save(path: Path, picture: Any, called: str) -> None:
    from jaxgen.display import plots

    pictures.refuse_large(path, picture.shape[1], picture.shape[0], "name fewer photographs")
    plots.save_image(path, picture)
    print(f"{called} {path}")
