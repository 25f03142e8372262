"""Weights and images of R3GAN's discriminator by a formula, the same for jaxgen and PyTorch."""

from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parents[1] / "reference" / "r3gan_penalties.npz"
SLOPE, GROUP, WEIGHT = 0.2, 4, 0.7
SHAPE = (4, 16, 16, 3)
WIDTHS = (12, 8, 8)  # at 16, 8 and 4 pixels
SHIFT = (2, -1)
"""Rows and columns by which the augmentation moves all images, with zeros behind."""


def filled(shape, start, size=1.0):
    """An array that is the same wherever it is made."""
    count = int(np.prod(shape))
    return (size * np.sin(start + 1.7 * np.arange(count) ** 1.1)).reshape(shape).astype(np.float32)


def images():
    """Real and fake images, NHWC in [-1, 1]."""
    return filled(SHAPE, 0.3), filled(SHAPE, 2.9)


def weights():
    """Kernels as jaxgen names and shapes them, all far from 0."""
    shapes = {"image.kernel": (3, WIDTHS[0])}
    linear = 0
    for block, width in enumerate(WIDTHS):
        shapes |= {
            f"Block_{block}.Linear_0.kernel": (width, 2 * width),
            f"Block_{block}.Activation_0.bias": (2 * width,),
            f"Block_{block}.GroupedConv_0.kernel": (3, 3, GROUP, 2 * width),
            f"Block_{block}.Activation_1.bias": (2 * width,),
            f"Block_{block}.Linear_1.kernel": (2 * width, width),
        }
        if block + 1 < len(WIDTHS) and WIDTHS[block + 1] != width:
            shapes[f"Linear_{linear}.kernel"] = (width, WIDTHS[block + 1])
            linear += 1
    shapes |= {"basis": (4, 4, WIDTHS[-1]), "logit.kernel": (WIDTHS[-1], 1)}
    made = {}
    for index, (name, shape) in enumerate(shapes.items()):
        fan_in = np.prod(shape[:-1]) if len(shape) > 1 else 4
        made[name] = filled(shape, index, 1.5 / np.sqrt(fan_in))
    return made


def summary(array):
    """What the file keeps of an array: its norm and its first numbers."""
    return np.append(np.linalg.norm(array), np.ravel(array)[:20]).astype(np.float32)
