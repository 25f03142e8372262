"""COCO 2014 with features of VGG-16, in the files of the course CS231n.

Its `coco_captioning.zip` holds the captions of 82,783 training and 40,504 validation images.
Reference: Lin et al. 2014, https://arxiv.org/abs/1405.0312.
"""

from dataclasses import dataclass

from jaxgen.data.captions import course_files
from jaxgen.data.captions.base import CaptionData, Captions
from jaxgen.settings import flag, named, setting


@named("coco")
@dataclass(frozen=True)
class Coco(Captions):
    """COCO 2014 in the course's files, or any other set in the same files."""

    dir: str = ""
    """The folder with coco2014_captions.h5 and the others."""
    pca: bool = True
    """Features reduced by PCA (512 wide), or as VGG-16 gave them (4096)."""
    in_memory_mb: int = setting(512, least=0, may_change=True)
    """Features larger than this stay in their file, and each chunk of batches is read from it."""

    def load(self) -> CaptionData:
        """Loads both splits.

        Raises:
            JaxgenError: the folder does not exist, or a file in it is missing or not sound.
        """
        layout = course_files.course_layout("vgg16_fc7_pca" if self.pca else "vgg16_fc7")
        needed = (
            f"COCO does not come with jaxgen: give {flag('data.dir')}, a folder with "
            f"{course_files.CAPTIONS}"
        )
        directory = course_files.existing_folder(self.dir, needed)
        return course_files.read(directory, layout, self.in_memory_mb)
