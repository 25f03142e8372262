"""Your own pictures with captions, in a folder that `jaxgen captions build` wrote.

The folder has

- captions.h5: train_captions and validation_captions, words as numbers, and train_image_index and
  validation_image_index, the image of each caption;
- vocabulary.json: idx_to_word and word_to_idx;
- train_features.h5 and validation_features.h5: the features of the images as they were given;
- train_features_pca.h5 and validation_features_pca.h5: the same, reduced to the principal
  components of training's;
- train_pictures.txt and validation_pictures.txt: the path of each image.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from jaxgen.data.captions import course_files, pixels
from jaxgen.data.captions.base import CaptionData, Captions, Split
from jaxgen.data.captions.course_files import Layout
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, named, setting


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
    pca: bool = True
    """Features reduced by PCA (at most 512 wide), or as they were given."""
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
        if not self.pixels:
            return course_files.read(directory, files, self.in_memory_mb)
        data = course_files.read(directory, files, in_memory_mb=0)
        train, validation = (self._seen(split) for split in (data.train, data.validation))
        return replace(data, train=train, validation=validation, has_grid=True)

    def _seen(self, split: Split) -> Split:
        paths = [Path(place) for place in split.urls]
        return replace(split, features=pixels.pictures(paths, self.pixels, self.in_memory_mb))
