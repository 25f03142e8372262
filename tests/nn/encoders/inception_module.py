"""torch-fidelity's Inception-v3 without its file: of a formula, or random and at work."""

import pytest

from tests.nn.encoders.formula import weight
from tests.nn.encoders.torch_models import torch, torchvision_models

torchvision_models()  # before what imports torchvision by itself

SIDE = 107
"""Of the pictures that the golden numbers are of, which are not scaled: 299 would take seconds."""


def extractor():
    """The module, in evaluation, with weights that PyTorch draws."""
    inception = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")

    class Unloaded(inception.FeatureExtractorInceptionV3):
        """Nothing is fetched."""

        def load_state_dict(self, state_dict, strict=True):
            return super().load_state_dict(self.state_dict() | (state_dict or {}), strict)

    kept = inception.load_state_dict_from_url
    inception.load_state_dict_from_url = lambda *arguments, **options: {}
    try:
        return Unloaded("inception-v3-compat", ["2048", "logits"])
    finally:
        inception.load_state_dict_from_url = kept


def with_formula():
    """The module with the weights of the formula, for pictures of `SIDE`."""
    module = extractor()
    module.INPUT_IMAGE_SIZE = SIDE
    state = {
        name: torch.from_numpy(weight(name, tuple(value.shape)))
        for name, value in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    module.load_state_dict(state)
    return module


def at_work(pixels):
    """The module with random weights whose batch norm knows pictures, so that features differ."""
    torch.manual_seed(3)
    module = extractor()
    for part in module.modules():
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
        elif isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.weight, 0.6, 1.1)
            torch.nn.init.uniform_(part.bias, -0.3, 0.3)
            part.momentum = 1.0
            part.train()
    with torch.no_grad():
        module(torch.from_numpy(pixels).permute(0, 3, 1, 2))
    return module.eval()
