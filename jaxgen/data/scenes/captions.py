"""Scenes of digits as captioned images, made on first use."""

from dataclasses import dataclass, replace
from typing import Literal

from jaxgen.data.captions import course_files
from jaxgen.data.captions.base import CaptionData, Captions
from jaxgen.errors import JaxgenError
from jaxgen.settings import named, setting


@named("scenes")
@dataclass(frozen=True)
class Scenes(Captions):
    """Pictures of one to three digits with true sentences, which jaxgen makes: no network."""

    dir: str = ""
    """A folder with a set made earlier; by default the user's cache."""
    features: Literal["vector", "grid", "pixels", "attributes", "attribute_tokens"] = "vector"
    """vector: one an image. grid: 16 tokens an image, for attention. pixels: the pictures, for an
    encoder that learns with the captioner. To try a captioner without a network that sees, the true
    attributes as one vector or as one token for each digit."""
    scenes: int = setting(20_000, least=10, most=10_000_000)
    """How many training scenes to make, with a tenth as many for validation."""
    pca: bool = True
    """Vectors reduced by PCA (512 wide), or as the network gave them (1024)."""
    in_memory_mb: int = setting(512, least=0, may_change=True)
    """Features larger than this stay in their file, and each chunk of batches is read from it."""

    def load(self) -> CaptionData:
        """Loads both splits, and what is in the validation images; makes them on first use.

        Raises:
            JaxgenError: they cannot be made, or a file is missing or not sound.
        """
        from jaxgen.data.scenes import build, files  # the network and the sentences of scenes

        if self.dir:
            directory = course_files.existing_folder(self.dir)
        else:
            directory = build.ensure(build.ScenesConfig(self.scenes, self.scenes // 10))
        layout = {
            "vector": files.VECTORS if self.pca else files.WHOLE_VECTORS,
            "grid": files.GRIDS,
            "pixels": files.PIXELS,
            "attributes": files.ATTRIBUTES,
            "attribute_tokens": files.ATTRIBUTE_TOKENS,
        }[self.features]
        data = course_files.read(directory, layout, self.in_memory_mb)
        of_training, facts = (files.load_scenes(directory, split) for split in files.SPLITS)
        for known, split, use in (
            (of_training, data.train, "train"),
            (facts, data.validation, "validate"),
        ):
            if len(known) != split.features.shape[0]:
                raise JaxgenError(
                    f"{directory} has {split.features.shape[0]} images to {use} on, but tells what "
                    f"is in {len(known)}; {course_files.DAMAGED}"
                )
        grid = self.features in ("grid", "pixels")
        return replace(data, facts=facts, train_facts=of_training, has_grid=grid)
