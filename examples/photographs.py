"""Real photographs with captions, cut from those that scikit-image and scikit-learn ship.

    pip install 'jaxgen[vision]' scikit-image
    python examples/photographs.py PHOTOGRAPHS
    jaxgen features --images PHOTOGRAPHS/pictures --grid --out PHOTOGRAPHS/features

Each photograph is cut 25 times at a random place, some of them mirrored, darkened or lightened; the
captions say what is in it, and how light it is. `new` holds one more cut of each, without captions.
docs/photographs.md goes on from here.
"""

import csv
import importlib.util
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

PHOTOGRAPHS = {
    "skimage/data/chelsea.png": ("a cat looks to the side", "a striped cat with green eyes"),
    "skimage/data/coffee.png": ("a cup of coffee with a spoon", "a cup of coffee on a table"),
    "skimage/data/rocket.jpg": ("a rocket on the ground", "a rocket before its start"),
    "skimage/data/astronaut.png": ("a woman in an orange suit", "an astronaut smiles"),
    "skimage/data/motorcycle_left.png": ("a motorcycle in a garage", "a motorcycle beside a wall"),
    "skimage/data/retina.jpg": ("the inside of an eye", "vessels of an eye"),
    "sklearn/datasets/images/china.jpg": ("a temple in china", "a temple under the sky"),
    "sklearn/datasets/images/flower.jpg": ("an orange flower", "a flower before green leaves"),
}
CUTS = 25


def found(place: str) -> Path:
    """A file inside of an installed package."""
    package, _, rest = place.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"{package} is not installed: pip install scikit-image")
    return Path(spec.submodule_search_locations[0]) / rest


def cut(photograph: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, str]:
    """A part of a photograph, at least three fifths of a side, and how light it was made."""
    share = rng.uniform(0.6, 1)
    width, height = (int(side * share) for side in photograph.size)
    left = int(rng.integers(photograph.width - width + 1))
    top = int(rng.integers(photograph.height - height + 1))
    part = photograph.crop((left, top, left + width, top + height))
    if rng.random() < 0.5:
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    part.thumbnail((320, 320))
    light, words = [(1.0, ""), (0.4, " in the dark"), (1.7, " in bright light")][rng.integers(3)]
    return ImageEnhance.Brightness(part).enhance(light), words


def main(folder: Path, cuts: int = CUTS) -> None:
    """Make the folder: `pictures`, `captions.csv` and `new`."""
    rng = np.random.default_rng(0)
    rows = []
    for name in ("pictures", "new"):
        (folder / name).mkdir(parents=True)
    for place, sentences in PHOTOGRAPHS.items():
        with Image.open(found(place)) as file:
            photograph = file.convert("RGB")
        stem = Path(place).stem.partition("_")[0]
        for number in range(cuts):
            part, words = cut(photograph, rng)
            part.save(folder / "pictures" / f"{stem}_{number:02d}.jpg", quality=90)
            rows += [(f"{stem}_{number:02d}.jpg", f"{text}{words}") for text in sentences]
        cut(photograph, rng)[0].save(folder / "new" / f"{stem}.jpg", quality=90)
    with (folder / "captions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "caption"), *rows])
    print(f"{cuts * len(PHOTOGRAPHS)} photographs with {len(rows)} captions in {folder}")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("usage: python photographs.py FOLDER [CUTS OF EACH]")
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
