"""A set of captions from a folder of images and a file of captions, to train captioners on.

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
from typing import Literal

import numpy as np

from jaxgen import settings
from jaxgen.data import picture_files
from jaxgen.data.captions import (
    caption_files,
    caption_sets,
    caption_splits,
    course_files,
    given_features,
    own_pictures,
)
from jaxgen.data.captions.vocabulary import SPECIAL, Vocabulary
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, setting, shortened


@dataclass(frozen=True)
class BuildConfig:
    """Make a set of captions of your own pictures, which `--data captioned_pictures` trains on."""

    images: Path
    """Folder of pictures (PNG, JPEG, ...), with or without sub-folders."""

    captions: Path
    """COCO's annotations, Karpathy's JSON, Flickr's lines of image#number, tab and caption, CSV
    with the columns image and caption, or JSON: a list of {"image", "caption"} or an object of
    {image: [caption, ...]}. An image is a path from the folder on, or the last part of one."""

    out: Path
    """Folder to make."""

    validation_captions: Path | None = None
    """A second file of captions, whose images are held out: COCO gives one for each split."""

    format: caption_sets.Format = "auto"
    """Of the files of captions; auto tells it from the content."""

    validation: float = setting(0.1, above=0, below=1)
    """Share of the images that is held out, where neither the captions nor lists say which."""

    held_out: Literal["val", "test"] = "val"
    """The split that is held out, where the captions name splits, as Karpathy's do."""

    restval: bool = True
    """Train on Karpathy's split restval too."""

    train_list: Path | None = None
    """A list of the images to train on, one a line, as Flickr8k has them."""

    validation_list: Path | None = None
    """A list of the images that are held out; those in neither list are left out."""

    unmatched: Literal["skip", "refuse"] = "skip"
    """What is done with captions without a picture, pictures without a caption and captions without
    words: they are left out and counted, or refused."""

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
    sentences, given, notes = _sentences(config, names)
    rows = [row for row, name in enumerate(names) if name in sentences]
    rows = features.sound(rows)
    if len(rows) < 2:
        raise JaxgenError(
            f"{len(rows)} pictures of {config.images} have a caption and can be read; at least 2 "
            "are needed, one to train on and one held out"
        )
    splits = _splits(config, [given.get(names[row]) for row in rows])
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


def _splits(config: BuildConfig, given: list[str | None]) -> dict[str, np.ndarray]:
    """The images of each split, ascending; at random where nothing is given."""
    if any(given):
        splits = {
            split: np.array([image for image, its in enumerate(given) if its == split], np.int64)
            for split in ("train", "validation")
        }
        for split, images in splits.items():
            if not len(images):
                raise JaxgenError(
                    f"no picture of {config.images} with a caption is of the split {split}"
                )
        return splits
    order = np.random.default_rng(config.seed).permutation(len(given))
    held_out = min(max(1, round(config.validation * len(given))), len(given) - 1)
    return {"train": np.sort(order[held_out:]), "validation": np.sort(order[:held_out])}


def _sentences(
    config: BuildConfig, names: list[str]
) -> tuple[dict[str, list[str]], dict[str, str], list[str]]:
    """The captions of each picture that has any, as words; its split, where one is given; notes."""
    read = caption_sets.read(config.captions, config.format)
    images, homeless = read.images, read.homeless
    lists = caption_splits.of_lists(config.train_list, config.validation_list)
    if config.validation_captions is not None:
        if lists:
            raise JaxgenError(f"give {flag('validation_captions')} or lists of images, not both")
        held_out = caption_sets.read(config.validation_captions, config.format)
        by_file = caption_splits.of_two(images, held_out.images)
        images, homeless = images + held_out.images, homeless + held_out.homeless
    else:
        by_file = caption_splits.of_file(images, config.held_out, config.restval)
    called = caption_splits.in_folder([*(image.name or "" for image in images), *lists], names)
    split_of = {called[name]: split for name, split in (lists or by_file).items() if name in called}
    found: dict[str, list[str]] = {}
    unknown, empty, cut, others = [*homeless], list[str](), 0, set[str]()
    for image in images:
        name = called.get(image.name or "")
        if not lists and by_file and image.name not in by_file:
            others |= {name} if name else set()
            continue
        for caption in image.captions:
            words = caption_files.words(caption).split()
            if name is None:
                unknown.append(str(image.id) if image.name is None else image.name)
            elif split_of and name not in split_of:
                others.add(name)
            elif not words:
                empty.append(name)
            else:
                cut += len(words) > config.max_words
                found.setdefault(name, []).append(" ".join(words[: config.max_words]))
    if not found:
        raise JaxgenError(
            f"no caption of {config.captions} is about a picture of {config.images}"
            f"{_for_one(unknown)}; an "
            f"image is named by its path from the folder on, such as "
            f"{min(names, default='image.png')!r}"
        )
    silent = [name for name in names if name not in found and name not in others]
    causes = [
        (unknown, "captions left out: no such picture"),
        (empty, "captions left out: they have no words"),
        (silent, "pictures left out: they have no caption"),
    ]
    amiss = [f"{len(some)} {what}{_for_one(some)}" for some, what in causes if some]
    if amiss and config.unmatched == "refuse":
        raise JaxgenError(
            f"{'; '.join(amiss).replace('left out: ', '')}: mend {config.captions}, or give "
            f"{flag('unmatched')} skip"
        )
    notes = [
        (cut, f"captions cut to {config.max_words} words"),
        (len(others), "pictures left out: they are of other splits"),
    ]
    return found, split_of, amiss + [f"{count} {what}" for count, what in notes if count]


def _for_one(names: list[str]) -> str:
    return f" ({shortened(repr(names[0]), 200)}, for one)" if names else ""


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
