"""`jaxgen import --torch FILE --as NAME --out FOLDER`: a PyTorch model of the notebooks'."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from jaxgen.commands import cli, named_experiments
from jaxgen.commands.devices import tell_devices
from jaxgen.commands.export import refuse_license
from jaxgen.errors import JaxgenError
from jaxgen.nn.torch_layout import EPSILON
from jaxgen.settings import setting, shortened

Name = Literal[
    "dcgan",
    "vanilla_gan",
    "lsgan",
    "mlp_gan",
    "conditional_gan",
    "conditional_dcgan",
    "caption_rnn",
    "caption_lstm",
    "caption_transformer",
]
MOST_BYTES = 2**30
"""Of the file."""
_ADVICE = "give another --torch"


@dataclass(frozen=True)
class ImportConfig:
    """Read a PyTorch model of the notebooks' and write it as `jaxgen export` does.

    Nothing in the file is executed. Widths are taken from it; further flags are those of the
    experiment (`jaxgen train NAME --help`), such as `--captioner.heads 4` and `--data coco`.
    """

    torch: Path
    """A state dict: of a generator, or of a captioner; `.pth` or `.safetensors`."""
    as_: Annotated[Name, tyro.conf.arg(name="as")]
    """The experiment whose model it is."""
    out: Path
    """The folder that is written, which must not hold anything yet."""
    vocabulary: Path | None = None
    """Of a captioner: JSON with its words in their order, a list or the course's idx_to_word."""
    tokens: int = setting(0, least=0, most=2**14)
    """Of a Transformer: feature vectors that it reads of an image; 0 where it is one, no list."""
    epsilon: float = setting(EPSILON, above=0, most=10)
    """Of the file's batch norms, which a state dict does not tell; running variances take up the
    difference from jaxgen's."""
    license: str = ""
    """Of the weights, as the Hugging Face Hub calls it."""


def main(argv: Sequence[str]) -> int:
    """Import as the command line says."""
    config, flags = cli.parse_known(ImportConfig, argv, "jaxgen import")
    refuse_license(config.license)
    from jaxgen.captioning.config import CaptionConfig
    from jaxgen.gan.config import GanConfig
    from jaxgen.training.exporting import folder

    default = named_experiments.config(config.as_)
    experiment: Any = cli.chosen(default, flags, f"jaxgen import --as {config.as_}")
    arrays, digest = _arrays(config.torch)
    if isinstance(experiment, GanConfig):
        if config.vocabulary:
            raise JaxgenError("--vocabulary is of captioners, and this is a GAN")
        from jaxgen.gan.importing import imported

        model = imported(experiment, arrays, config.epsilon)
    else:
        assert isinstance(experiment, CaptionConfig)
        if config.vocabulary is None:
            raise JaxgenError("give --vocabulary, a JSON file with the captioner's words in order")
        from jaxgen.captioning.importing import imported, words_of

        model = imported(experiment, arrays, words_of(config.vocabulary), config.tokens)
    tell_devices(precision=experiment.precision)
    source = (
        f"Read from a PyTorch state dict, {shortened(config.torch.name)} (SHA-256 {digest}), as "
        f"{config.as_}; how it was trained is not known. "
    )
    extras = folder.Extras(license=config.license, source=source)
    print(f"{config.out}: {', '.join(folder.write(model, config.out, extras))}")
    return 0


def _arrays(path: Path) -> tuple[dict[str, Any], str]:
    """The arrays of a file, float32 by name, and its SHA-256."""
    from jaxgen.data import ordinary_files
    from jaxgen.data.photographs import weight_files

    ordinary_files.check(path, _ADVICE, MOST_BYTES)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        shapes = weight_files.shapes(path, file, _ADVICE)
        return weight_files.read(path, file, shapes, _ADVICE), digest
