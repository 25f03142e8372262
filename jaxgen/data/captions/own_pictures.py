"""Your own pictures with captions, in a folder that `jaxgen captions build` wrote.

The folder has

- captions.h5: train_captions and validation_captions, words as numbers, and train_image_index and
  validation_image_index, the image of each caption;
- vocabulary.json: idx_to_word and word_to_idx;
- train_features.h5 and validation_features.h5: the features of the images as they were given;
- train_features_pca.h5 and validation_features_pca.h5: the same, reduced to the principal
  components of training's;
- train_pictures.txt and validation_pictures.txt: the path of each image.

Where the features are of `jaxgen features` there are none that are reduced, but

- train_grid.h5 and validation_grid.h5: those of regions, if they were computed;
- encoder.json: which encoder made them, with a checksum.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from jaxgen.data import ordinary_files, sealing
from jaxgen.data.captions import course_files, pixels
from jaxgen.data.captions.base import CaptionData, Captions, Split
from jaxgen.data.captions.course_files import Layout
from jaxgen.data.photographs.identity import EncoderIdentity
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, named, setting, shortened

ENCODER = "encoder.json"
GRID = "{split}_grid.h5"


def layout(pca: bool) -> Layout:
    """Names of the files, with reduced features or with those that were given."""
    return Layout(
        captions="captions.h5",
        image_index="{split}_image_index",
        vocabulary="vocabulary.json",
        features="{split}_features_pca.h5" if pca else "{split}_features.h5",
        pictures="{split}_pictures.txt",
        splits=("train", "validation"),
    )


@named("captioned_pictures")
@dataclass(frozen=True)
class CaptionedPictures(Captions):
    """Your own pictures with captions, as `jaxgen captions build` writes them."""

    dir: str = ""
    """The folder that `jaxgen captions build` made."""
    features: Literal["vector", "grid"] = setting("vector", before="vector")
    """Of `jaxgen features`: one vector of an image, or those of its regions."""
    pca: bool = True
    """Features reduced by PCA (at most 512 wide), or as they were given; those of `jaxgen features`
    are always as they were given."""
    pixels: int = setting(0, least=0, most=1024, before=0)
    """Instead of features the pictures themselves, their middle squares scaled to this many pixels
    a side, for an encoder that learns with the captioner; 0 for features."""
    in_memory_mb: int = setting(512, least=0, may_change=True)
    """Features larger than this stay in their file, and each chunk of batches is read from it."""

    def load(self) -> CaptionData:
        """Loads both splits.

        Raises:
            JaxgenError: the folder does not exist, or a file in it is missing or not sound.
        """
        needed = f"give {flag('data.dir')}, the folder that `jaxgen captions build` made"
        directory = course_files.existing_folder(self.dir, needed)
        old, files = course_files.CAPTIONS, layout(self.pca)
        if (directory / old).exists() and not (directory / files.captions).exists():
            raise JaxgenError(
                f"{directory} has {old}, as jaxgen 0.1.0 wrote it; load it as coco or rebuild it"
            )
        if self.pixels:
            if self.features == "grid":
                raise JaxgenError(
                    f"{flag('data.pixels')} {self.pixels} are the pictures themselves: leave "
                    f"{flag('data.features')} at vector"
                )
            data = course_files.read(directory, layout(pca=False), in_memory_mb=0)
            train, validation = (self._seen(split) for split in (data.train, data.validation))
            return replace(data, train=train, validation=validation, has_grid=True)
        encoder = read_encoder(directory)
        if encoder.name:
            files = layout(pca=False)
        if self.features == "grid":
            files = replace(files, features=GRID, rank=3)
            if not (directory / GRID.format(split="train")).exists():
                raise JaxgenError(
                    f"{directory} has no features of regions: build it of features that `jaxgen "
                    f"features --grid` computed, or give {flag('data.features')} vector"
                )
        data = course_files.read(directory, files, self.in_memory_mb)
        return replace(data, feature_encoder=encoder, has_grid=self.features == "grid")

    def _seen(self, split: Split) -> Split:
        paths = [Path(place) for place in split.urls]
        return replace(split, features=pixels.pictures(paths, self.pixels, self.in_memory_mb))


def write_encoder(directory: Path, encoder: EncoderIdentity) -> None:
    """Writes which encoder made the features of a set."""
    told = sealing.sealed({"encoder": asdict(encoder)})
    (directory / ENCODER).write_text(json.dumps(told), encoding="utf-8")


def read_encoder(directory: Path) -> EncoderIdentity:
    """The encoder that made the features of a set; one without a name where none of jaxgen's did.

    Raises:
        JaxgenError: the file that tells is not as it was written.
    """
    path = directory / ENCODER
    if not path.exists():
        return EncoderIdentity()
    advice = "build the set again"
    text = ordinary_files.text(path, advice)
    try:
        told = json.loads(text)
        if "sha256" not in told or sealing.is_broken(told):
            raise ValueError("its checksum does not match")
        return EncoderIdentity.of_json(told["encoder"])
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = shortened(" ".join(str(error).split()), 200)
        raise JaxgenError(f"{path} is not as it was written ({reason}); {advice}") from error
