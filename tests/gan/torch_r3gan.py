"""R3GAN's discriminator loss in PyTorch, written from the paper: an oracle for jaxgen's step.

python tests/gan/torch_r3gan.py       # writes tests/reference/r3gan_penalties.npz again
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))

from r3gan_formula import (
    GOLDEN,
    GROUP,
    SHIFT,
    SLOPE,
    WEIGHT,
    WIDTHS,
    images,
    summary,
    weights,
)


def reference(through):
    """The discriminator's loss with R1 and R2, and the gradients of all weights, by autograd.

    Args:
        through: take the penalties' gradients with respect to images before they are moved, through
            that; else of moved images.
    """
    kernels = {name: torch.tensor(array, requires_grad=True) for name, array in weights().items()}

    def dense(x_NCHW, name):
        return F.conv2d(x_NCHW, kernels[name].T[:, :, None, None])

    def biased(x_NCHW, name):
        return F.leaky_relu(x_NCHW + kernels[name][None, :, None, None], SLOPE)

    def score(x_NCHW):
        x = dense(x_NCHW, "image.kernel")
        linear = 0
        for block, width in enumerate(WIDTHS):
            y = biased(
                dense(x, f"Block_{block}.Linear_0.kernel"), f"Block_{block}.Activation_0.bias"
            )
            kernel = kernels[f"Block_{block}.GroupedConv_0.kernel"].permute(3, 2, 0, 1)
            y = F.conv2d(y, kernel, padding=1, groups=2 * width // GROUP)
            y = biased(y, f"Block_{block}.Activation_1.bias")
            x = x + dense(y, f"Block_{block}.Linear_1.kernel")
            if block + 1 == len(WIDTHS):
                break
            taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
            low_pass = (taps[:, None] * taps).expand(width, 1, 4, 4)
            x = F.conv2d(x, low_pass, stride=2, padding=1, groups=width)
            if WIDTHS[block + 1] != width:
                x = dense(x, f"Linear_{linear}.kernel")
                linear += 1
        x_NC = (x * kernels["basis"].permute(2, 0, 1)).sum((2, 3))
        return (x_NC @ kernels["logit.kernel"])[:, 0]

    def moved(x_NCHW):
        height, width = x_NCHW.shape[2:]
        down, right = SHIFT
        padded = F.pad(x_NCHW, (width, width, height, height))
        return padded[:, :, height - down : 2 * height - down, width - right : 2 * width - right]

    def logits_and_penalty(array_NHWC):
        x = torch.tensor(array_NHWC).permute(0, 3, 1, 2)
        if not through:
            x = moved(x)
        x = x.clone().requires_grad_(True)
        logits = score(moved(x) if through else x)
        (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        return logits, gradient.square().sum((1, 2, 3))

    (real, r1), (fake, r2) = map(logits_and_penalty, images())
    loss = (F.softplus(fake - real) + WEIGHT / 2 * (r1 + r2)).mean()
    loss.backward()
    found = {f"gradient {name}": kernel.grad.numpy() for name, kernel in kernels.items()}
    told = {"loss": loss, "r1": r1, "r2": r2, "real": real, "fake": fake}
    return found | {name: value.detach().numpy() for name, value in told.items()}


def main():
    """Write the golden arrays: of each gradient the first twenty numbers and the norm."""
    kept = {}
    for of, through in (("made", True), ("seen", False)):
        for name, value in reference(through).items():
            kept[f"{of} {name}"] = summary(value)
    np.savez_compressed(GOLDEN, **kept)


if __name__ == "__main__":
    main()
