"""Folders of small pictures, to be packed."""

import numpy as np
from PIL import Image

from jaxgen.data.packing import pack
from jaxgen.data.packing.plan import PackConfig


def fill(folder, count=30, classes=("cats", "owls"), seed=0, grey=False):
    """Noise in colour, of several sizes, as JPEG and PNG in turn."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        place = folder / classes[number % len(classes)]
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (5, 6, 1 if grey else 3), np.uint8)
        picture = Image.fromarray(np.broadcast_to(pixels, (5, 6, 3))).resize((40 + number, 36))
        picture.save(place / f"{number:03d}.{('png', 'jpg')[number // 2 % 2]}")
    return folder


def packed(folder, out, **fields):
    """Packs a folder into `out`; the sentences that are told."""
    return pack.pack(PackConfig(folder, out, **fields))


def contents(folder):
    """The bytes of each file."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
