"""The whole networks beside torchvision's, on random weights, through files that PyTorch writes."""

import jax
import numpy as np
import pytest

from jaxgen.data.photographs import weights
from jaxgen.nn.encoders.known import ENCODERS
from tests.nn.encoders.torch_models import torch, torchvision_models


def randomised(name):
    """torchvision's module with random weights and statistics, in evaluation."""
    torch.manual_seed(3)
    module = getattr(torchvision_models(), name)(weights=None).eval()
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.running_mean, -0.3, 0.3)
            torch.nn.init.uniform_(part.running_var, 0.7, 1.3)
            torch.nn.init.uniform_(part.weight, 0.4, 0.9)
            torch.nn.init.uniform_(part.bias, -0.3, 0.3)
        elif isinstance(part, torch.nn.Conv2d | torch.nn.Linear) and part.bias is not None:
            torch.nn.init.uniform_(part.bias, -0.1, 0.1)
    return module


@pytest.mark.early
@pytest.mark.parametrize(
    ("name", "size", "zipped"),
    [
        ("resnet50", (96, 64), True),
        ("resnet101", (64, 96), False),
        ("vgg16", (224, 224), True),
        ("vgg16", (96, 320), False),
    ],
)
def test_an_encoder_is_equal_to_torchvisions(name, size, zipped, tmp_path):
    module, encoder = randomised(name), ENCODERS[name]
    path = tmp_path / "weights.pth"
    torch.save(module.state_dict(), path, _use_new_zipfile_serialization=zipped)
    variables = weights.load(encoder, path).variables
    path.unlink()
    pixels = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    found = jax.jit(encoder.encoded)(variables, pixels)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (torch.from_numpy(pixels).float() / 255 - mean) / deviation
    x = x.permute(0, 3, 1, 2)
    with torch.no_grad():
        if name == "vgg16":
            grid = module.features(x)
            vector = module.classifier[:5](module.avgpool(grid).flatten(1))
        else:
            grid = torch.nn.Sequential(*list(module.children())[:-2])(x)
            vector = grid.mean((2, 3))
        right = vector, grid.permute(0, 2, 3, 1), module(x)
    for mine, theirs in zip(found, right, strict=True):
        assert mine.shape == tuple(theirs.shape)
        scale = float(theirs.abs().max())
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize("size", [(500, 375), (256, 256), (333, 1000), (70, 41)])
@pytest.mark.parametrize("name", ["resnet50", "vgg16"])
def test_photographs_are_prepared_as_torchvisions_evaluation_prepares_them(name, size, tmp_path):
    torchvision_models()
    from PIL import Image
    from torchvision.transforms import functional

    from jaxgen.data.photographs.preparing import prepared

    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (8, 6, 3), np.uint8)
    picture = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
    picture.save(tmp_path / "a.png")
    # What ImageClassification(crop_size=224) does with a picture of Pillow's.
    right = functional.center_crop(functional.resize(picture, [256]), [224])
    found = prepared(tmp_path / "a.png", 224, "centre", ENCODERS[name].resampling)
    difference = np.abs(found.astype(int) - np.asarray(right))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01
