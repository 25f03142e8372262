"""Figures of a file of captions with their signature, and how certain they are."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jaxgen.data import ordinary_files
from jaxgen.data.captions import caption_sets, pairing
from jaxgen.data.captions.caption_sets import Format
from jaxgen.data.captions.pairing import Missing
from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions import corpus, java, language, resampling
from jaxgen.metrics.captions.cider import Frequencies
from jaxgen.metrics.captions.resampling import Test
from jaxgen.metrics.captions.tokens import ptb
from jaxgen.settings import flag, setting

Tokens = Literal["ptb", "spaces"]

_FEW = 50  # images whose document frequencies say little


@dataclass(frozen=True)
class ScoreConfig:
    """Measure a file of captions by the references of their images, and say how certain that is."""

    against: Path | None = None
    """A second file of captions of the same images; the differences are tested."""
    format: Format = "auto"
    """Of the captions; auto tells it from the content."""
    references_format: Format = "auto"
    """Of the references."""
    split: str = ""
    """The split of the references that is measured, such as test of Karpathy's JSON; all if not
    given."""
    tokens: Tokens = "ptb"
    """ptb cuts captions as the COCO evaluation does; spaces takes them as words between spaces."""
    frequencies: Path | None = None
    """A file of captions whose images give CIDEr-D's document frequencies; the references if not
    given."""
    frequencies_split: str = ""
    """The split of that file; all if not given."""
    training: Path | None = None
    """The captions that were trained on (train and restval, where the file has splits), for
    novelty."""
    missing: Missing = "refuse"
    """What is done with images without a caption, and captions of images without references:
    refuse; skip; or measure an empty caption for such images."""
    resamples: int = setting(1000, least=0, most=100_000)
    """How often images are drawn again for intervals and tests; 0 leaves both out."""
    confidence: float = setting(0.95, above=0, below=1)
    """Share of the resamples that is inside of an interval."""
    test: Test = "bootstrap"
    """How two files are compared: paired bootstrap, or randomisation."""
    seed: int = setting(0, least=0, most=2**32 - 1)
    """Seed of the resamples."""
    java: bool = True
    """Measure METEOR and SPICE too, where Java and pycocoevalcap are installed."""


@dataclass
class Score:
    """What is told of one file of captions, or of two."""

    signature: str
    systems: list[dict[str, Any]]
    """Of each file `file`, `figures`, `intervals` and `language`."""
    p_values: dict[str, float] | None = None
    notes: list[str] = field(default_factory=list)


def score(captions: Path, references: Path, config: ScoreConfig, version: str) -> Score:
    """Measures a file of captions, or two.

    Args:
        captions: one caption for each image, in any form of `caption_sets`.
        references: what people wrote of them.
        config: how.
        version: of jaxgen, for the signature.

    Returns:
        Figures, and the signature without which they say little.

    Raises:
        JaxgenError: a file cannot be read, or the captions do not fit the references.
    """
    cut = ptb.tokenise if config.tokens == "ptb" else _between_spaces
    given = caption_sets.read(references, config.references_format)
    images = pairing.of_split(given, config.split, references)
    paths = [captions] + ([config.against] if config.against else [])
    pairs = [
        pairing.paired(caption_sets.read(path, config.format), images, config.missing, path)
        for path in paths
    ]
    if any(some.references != pairs[0].references for some in pairs):
        raise JaxgenError(
            f"{paths[0]} and {paths[1]} have captions of different images; compare two files of "
            "the same ones"
        )
    wanted = [[cut(caption) for caption in some] for some in pairs[0].references]
    frequencies, of_frequencies = _frequencies(config, cut)
    training = None
    if config.training:
        known = pairing.training_captions(caption_sets.read(config.training))
        training = {cut(caption) for caption in known}
    made = [[cut(caption) for caption in some.made] for some in pairs]
    notes = [note for some in pairs for note in some.notes]
    if given.homeless:
        notes.append(
            f"{len(given.homeless)} references are of images that the file does not describe"
        )
    if frequencies is None and len(wanted) < _FEW:
        notes.append(f"CIDEr-D of {len(wanted)} images says little: their own words weigh them")
    frequencies = frequencies or Frequencies.of(wanted)
    measured = [corpus.measured(some, wanted, frequencies) for some in made]
    spice: list[dict[str, float]] = [{} for _ in made]
    if config.java:
        try:
            counts = [java.meteor_counts(some, wanted) for some in made]
            measured = [one.with_meteor(its) for one, its in zip(measured, counts, strict=True)]
        except JaxgenError as error:
            notes.append(str(error))
        try:
            spice = [{"spice": java.spice_score(some, wanted)} for some in made]
        except JaxgenError as error:
            notes.append(str(error))
    systems = []
    for path, some, found, of_spice in zip(paths, made, measured, spice, strict=True):
        told: dict[str, Any] = {"file": str(path), "figures": found.figures() | of_spice}
        told["intervals"] = {}
        if config.resamples:
            told["intervals"] = resampling.intervals(
                found, config.resamples, config.confidence, config.seed
            )
        systems.append(told | {"language": language.measured(some, training)})
    p_values = None
    if len(measured) == 2 and config.resamples:
        p_values = resampling.p_values(
            measured[0], measured[1], config.test, config.resamples, config.seed
        )
    left_out = max(some.left_out for some in pairs)
    signature = _signature(config, references, wanted, of_frequencies, left_out)
    return Score(f"{signature}|version:jaxgen-{version}", systems, p_values, notes)


def _between_spaces(caption: str) -> str:
    return " ".join(caption.split())


def _frequencies(config: ScoreConfig, cut: Callable[[str], str]) -> tuple[Frequencies | None, str]:
    """Document frequencies of another corpus, if one is given, and what the signature says."""
    path = config.frequencies
    if path is None:
        if config.frequencies_split:
            raise JaxgenError(
                f"{flag('frequencies_split')}: give {flag('frequencies')} too, the file that it is "
                "of"
            )
        return None, "references"
    images = pairing.of_split(caption_sets.read(path), config.frequencies_split, path)
    found = Frequencies.of([[cut(caption) for caption in image.captions] for image in images])
    split = f":{config.frequencies_split}" if config.frequencies_split else ""
    return found, f"{_plain(path.name)}{split}({found.images},{_hash(path)})"


def _signature(
    config: ScoreConfig,
    references: Path,
    wanted: Sequence[Sequence[str]],
    frequencies: str,
    left_out: int,
) -> str:
    numbers = sorted({len(some) for some in wanted})
    parts = {
        "split": _plain(config.split) or "all",
        "images": len(wanted),
        "refs": f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else numbers[0],
        "data": _hash(references),
        "tok": ptb.NAME if config.tokens == "ptb" else "spaces",
        "df": frequencies,
    }
    if config.missing == "empty":
        parts["missing"] = "empty"
    if left_out:
        parts["left-out"] = left_out
    if config.resamples:
        parts |= {"bs": config.resamples, "ci": f"{config.confidence:g}", "seed": config.seed}
        if config.against:
            parts["test"] = config.test
    return "|".join(f"{key}:{value}" for key, value in parts.items())


def _plain(name: str) -> str:
    """A name without the signs that divide a signature."""
    return "".join(mark if mark.isalnum() or mark in "._-" else "_" for mark in name)[:60]


def _hash(path: Path) -> str:
    """The first digits of a file's SHA-256."""
    found = ordinary_files.contents(path, "give a file of captions", caption_sets.MOST_BYTES)
    return hashlib.sha256(found).hexdigest()[:8]
