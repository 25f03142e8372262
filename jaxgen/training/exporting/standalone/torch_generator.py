"""The generator of this folder as a PyTorch module; needs PyTorch and safetensors.

    from torch_generator import load
    images = load()(torch.rand(16, Z) * 2 - 1)  # (N, C, H, W) in [-1, 1]

Where it sees labels, their one-hot vectors stand behind the noise. `python torch_generator.py`
compares it with what the exported model made.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import one_hot

FOLDER = Path(__file__).resolve().parent
CLASSES = 0
TRAIN = False  # whether batch norm uses the statistics of what is drawn together


def generator():
    """The module, with PyTorch's random weights."""
    return nn.Sequential(
        # STEPS
    )


def load(folder=FOLDER):
    """The module with the weights of a folder."""
    module = generator()
    found = module.load_state_dict(load_file(Path(folder) / "torch_generator.safetensors"), False)
    if found.unexpected_keys or any("num_batches" not in key for key in found.missing_keys):
        raise ValueError(f"these are the weights of another module: {found}")
    return module.train(TRAIN)


def check(folder=FOLDER):
    """The largest difference between its images and those that the exported model made."""
    stored = load_file(Path(folder) / "check.safetensors")
    rows = stored["inputs.noise"]
    if CLASSES:
        label = one_hot(stored["inputs.label"].long(), CLASSES)
        rows = torch.cat([rows, label.to(rows.dtype)], dim=1)
    with torch.no_grad():
        made = load(folder)(rows).permute(0, 2, 3, 1)
    return float((made - stored["outputs.images"]).abs().max())


if __name__ == "__main__":
    worst = check()
    print(f"off by {worst:.2g}")
    sys.exit(worst > 1e-4)
