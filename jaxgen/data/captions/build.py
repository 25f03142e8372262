"""A set of captions from a folder of images and a CSV or JSON file, to train captioners on.

    jaxgen captions build --images PICTURES --captions captions.csv --out SET
    python -m experiments.caption_lstm --data captioned_pictures --data.dir SET

Captions become lower case without punctuation (apostrophes are dropped, other marks separate
words), rare words become UNK, and long captions are cut. Pictures that are broken or without a
caption are left out, with a count. `own_pictures` says what is in the folder that is made.

N pictures of the folder, F width of a feature.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxgen import settings
from jaxgen.data import picture_files
from jaxgen.data.captions import caption_files, course_files, given_features, own_pictures
from jaxgen.data.captions.vocabulary import SPECIAL, Vocabulary
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, setting, shortened


@dataclass(frozen=True)
class BuildConfig:
    """Make a set of captions of your own pictures, which `--data captioned_pictures` trains on."""

    images: Path
    """Folder of pictures (PNG, JPEG, ...), with or without sub-folders."""

    captions: Path
    """CSV with the columns image and caption; or JSON: a list of {"image", "caption"}, an object of
    {image: [caption, ...]}, or COCO's annotations. An image is a path from the folder on."""

    out: Path
    """Folder to make."""

    validation: float = setting(0.1, above=0, below=1)
    """Share of the images that is held out."""

    threshold: int = setting(5, least=1)
    """Words that training captions use less often become UNK."""

    max_words: int = setting(15, least=1)
    """Longer captions are cut to this many words."""

    features: str = "pixels"
    """A folder that `jaxgen features` made of the same pictures; lite0, to make one beside the set;
    pixels (16x16 colours, a baseline that needs nothing); or a .npy file with a row of features for
    each picture of the folder, in the order of their sorted paths."""

    seed: int = setting(0, least=0)
    """Seed of the split."""


def build(config: BuildConfig) -> list[str]:
    """Makes the folder `config.out`.

    Returns:
        Sentences that say what is in it and what was left out.

    Raises:
        JaxgenError: a number is out of range, a file or folder is missing or unsound, `out` exists
            and is not empty, or fewer than two images have a caption.
        OSError: a folder cannot be read or written.
    """
    _check(config)
    paths = picture_files.find(config.images)
    names = [path.relative_to(config.images).as_posix() for path in paths]
    features = given_features.opened(config.features, config.images, paths, names, config.out)
    sentences, notes = _sentences(config, set(names))
    rows = [row for row, name in enumerate(names) if name in sentences]
    rows = features.sound(rows)
    if len(rows) < 2:
        raise JaxgenError(
            f"{len(rows)} pictures of {config.images} have a caption and can be read; at least 2 "
            "are needed, one to train on and one held out"
        )
    order = np.random.default_rng(config.seed).permutation(len(rows))
    held_out = min(max(1, round(config.validation * len(rows))), len(rows) - 1)
    splits = {"train": np.sort(order[held_out:]), "validation": np.sort(order[:held_out])}
    captions = {
        split: [sentences[names[rows[image]]] for image in images]
        for split, images in splits.items()
    }
    places = {
        split: [str(paths[rows[image]].resolve()) for image in images]
        for split, images in splits.items()
    }
    vocabulary, note = _vocabulary(config, captions["train"])
    with tempfile.TemporaryDirectory(dir=config.out.parent, suffix=".tmp") as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        layout = own_pictures.layout(pca=False)
        course_files.write_captions(made, layout, captions, vocabulary, config.max_words + 2)
        course_files.write_pictures(made, layout, places)
        features.write(made, {s: [rows[image] for image in images] for s, images in splits.items()})
        if config.out.exists():
            config.out.rmdir()
        os.replace(made, config.out)
    counts = {split: sum(map(len, per_image)) for split, per_image in captions.items()}
    return [
        *notes,
        note,
        f"{len(splits['train'])} images with {counts['train']} captions to train on, "
        f"{len(splits['validation'])} with {counts['validation']} held out, in {config.out}",
    ]


def _check(config: BuildConfig) -> None:
    settings.check(config)
    if not config.images.is_dir():
        raise JaxgenError(f"{flag('images')} {config.images} is not a folder")
    out = f"{flag('out')} {config.out}"
    if not config.out.parent.is_dir():
        raise JaxgenError(f"{out}: there is no folder {config.out.parent}")
    if config.out.exists() and not (config.out.is_dir() and not any(config.out.iterdir())):
        raise JaxgenError(f"{out} is there already; name a new or an empty folder")


def _sentences(config: BuildConfig, names: set[str]) -> tuple[dict[str, list[str]], list[str]]:
    """The captions of each picture that has any, as words; and what was changed or left out."""
    found: dict[str, list[str]] = {}
    unknown, empty, cut = [], 0, 0
    for image, caption in caption_files.read(config.captions):
        words = caption_files.words(caption).split()
        if image not in names:
            unknown.append(image)
        elif not words:
            empty += 1
        else:
            cut += len(words) > config.max_words
            found.setdefault(image, []).append(" ".join(words[: config.max_words]))
    example = f" ({shortened(repr(unknown[0]), 200)}, for one)" if unknown else ""
    if not found:
        raise JaxgenError(
            f"no caption of {config.captions} is about a picture of {config.images}{example}; an "
            f"image is named by its path from the folder on, such as "
            f"{min(names, default='image.png')!r}"
        )
    notes = [
        (len(unknown), f"captions left out: no such picture{example}"),
        (empty, "captions left out: they have no words"),
        (cut, f"captions cut to {config.max_words} words"),
        (len(names) - len(found), "pictures left out: they have no caption"),
    ]
    return found, [f"{count} {what}" for count, what in notes if count]


def _vocabulary(config: BuildConfig, captions: list[list[str]]) -> tuple[Vocabulary, str]:
    """The vocabulary of training captions, and what it leaves unknown."""
    flat = [sentence for of_image in captions for sentence in of_image]
    vocabulary = Vocabulary.of_sentences(flat, config.threshold)
    if len(vocabulary) == len(SPECIAL):
        raise JaxgenError(
            f"no word is used {config.threshold} times in the training captions: lower "
            f"{flag('threshold')}"
        )
    known = set(vocabulary.words)
    used = [word for sentence in flat for word in sentence.split()]
    share = sum(word not in known for word in used) / len(used)
    return vocabulary, (
        f"vocabulary of {len(vocabulary)} words; {share:.1%} of the words in training captions are "
        f"rarer than {flag('threshold')} {config.threshold} and became {SPECIAL[-1]}"
    )
