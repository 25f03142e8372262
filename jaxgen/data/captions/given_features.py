"""The features that a set of captions is built of: pixels, rows of a file, or an encoder's.

N pictures of the folder, M of a split, F width of a feature.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxgen.data import picture_files
from jaxgen.data.captions import course_files, image_features, own_pictures
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag

if TYPE_CHECKING:
    from jaxgen.data.photographs.feature_set import FeatureSet


class GivenFeatures(ABC):
    """Features of the pictures of a folder, which are numbered in the order of their names."""

    @abstractmethod
    def sound(self, rows: Sequence[int]) -> list[int]:
        """Those of some pictures that can be used; the others are reported.

        Raises:
            JaxgenError: none can be used, by what is no fault of the pictures.
        """

    @abstractmethod
    def write(self, directory: Path, rows: Mapping[str, Sequence[int]]) -> None:
        """Writes features into the folder of a set.

        Args:
            directory: an existing folder.
            rows: of each split, numbers of pictures that `sound` returned.
        """


def opened(
    features: str, images: Path, paths: Sequence[Path], names: Sequence[str], out: Path
) -> GivenFeatures:
    """What `--features` names.

    Args:
        features: `pixels`, `lite0`, a `.npy` file, or a folder that `jaxgen features` made.
        images: the folder of the pictures.
        paths: of its N pictures.
        names: of the same, from their folder on.
        out: the set that is built: features of `lite0` are kept beside it.

    Raises:
        JaxgenError: it cannot be read, or computed.
    """
    if features == "pixels":
        return _Rows(paths, None)
    if features == "lite0":
        from jaxgen.data.photographs import extract, feature_set
        from jaxgen.data.photographs.asked import FeaturesConfig

        computed = out.with_name(f"{out.name}.features")
        extract.extract(FeaturesConfig(images=images, out=computed, grid=True))
        return _OfSet(paths, names, feature_set.read(computed))
    if Path(features).is_dir():
        from jaxgen.data.photographs import feature_set  # which loads the encoders

        return _OfSet(paths, names, feature_set.read(Path(features)))
    return _Rows(paths, image_features.read(Path(features), len(paths)))


class _Rows(GivenFeatures):
    """A row for each picture, given or of its pixels."""

    def __init__(self, paths: Sequence[Path], features_NF: np.ndarray | None) -> None:
        self._paths, self._features_NF = paths, features_NF
        self._place: dict[int, int] | None = None
        """Of pictures the row in what is kept, where it is not their number."""

    def sound(self, rows: Sequence[int]) -> list[int]:
        problems, named = _named(self._paths, rows)
        image_NSSC, kept_N, broken = picture_files.read_all(
            [self._paths[row] for row in named], image_features.SIDE
        )
        picture_files.report(problems + broken, len(rows))
        found = [named[place] for place in kept_N]
        if self._features_NF is None:
            self._features_NF = image_features.of_pixels(image_NSSC)
            self._place = {row: place for place, row in enumerate(found)}
        return found

    def write(self, directory: Path, rows: Mapping[str, Sequence[int]]) -> None:
        assert self._features_NF is not None, "sound comes first"
        place = self._place
        features = {
            split: self._features_NF[[row if place is None else place[row] for row in of_split]]
            for split, of_split in rows.items()
        }
        mean_F, projection_FP = image_features.principal_components(features["train"])
        reduced = {
            split: (whole_MF - mean_F[None, :]) @ projection_FP
            for split, whole_MF in features.items()
        }
        course_files.write_features(directory, own_pictures.layout(pca=False), features)
        course_files.write_features(directory, own_pictures.layout(pca=True), reduced)


class _OfSet(GivenFeatures):
    """Those of an encoder, which are read a shard at a time."""

    def __init__(self, paths: Sequence[Path], names: Sequence[str], found: "FeatureSet") -> None:
        self._paths, self._names, self._set = paths, names, found
        self._row_in_set = {name: row for row, name in enumerate(found.names)}

    def sound(self, rows: Sequence[int]) -> list[int]:
        problems, named = _named(self._paths, rows)
        kept = [row for row in named if self._names[row] in self._row_in_set]
        if named and not kept:
            raise JaxgenError(
                f"{self._set.folder} has features of no picture that has a caption, such as "
                f"{self._names[named[0]]!r}, but of {self._set.names[0]!r}: give the folder of "
                f"pictures that they were computed from as {flag('images')}"
            )
        problems += [
            f"{self._paths[row]}: {self._set.folder} has no features of it"
            for row in named
            if self._names[row] not in self._row_in_set
        ]
        picture_files.report(problems, len(rows))
        return kept

    def write(self, directory: Path, rows: Mapping[str, Sequence[int]]) -> None:
        wanted = {
            self._row_in_set[self._names[row]]: (split, place)
            for split, of_split in rows.items()
            for place, row in enumerate(of_split)
        }
        kinds = {"vector_NF": own_pictures.layout(pca=False).features}
        if self._set.grid:
            kinds["grid_NLC"] = own_pictures.GRID
        with contextlib.ExitStack() as stack:
            files = {
                (kind, split): stack.enter_context(_Growing(directory, name, split, len(of_split)))
                for kind, name in kinds.items()
                for split, of_split in rows.items()
            }
            for start, features in self._set.read():
                stop = start + len(features.vector_NF)
                here = [(row - start, *wanted[row]) for row in range(start, stop) if row in wanted]
                for (kind, split), file in files.items():
                    chosen = sorted((place, row) for row, of, place in here if of == split)
                    file.put(getattr(features, kind), chosen)
        own_pictures.write_encoder(directory, self._set.encoder)


class _Growing:
    """A file of features of a split, of which some rows are written at a time."""

    def __init__(self, directory: Path, name: str, split: str, rows: int) -> None:
        import h5py

        self._file = h5py.File(directory / name.format(split=split), "w")
        self._rows = rows

    def __enter__(self) -> "_Growing":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, features: np.ndarray, chosen: Sequence[tuple[int, int]]) -> None:
        """Writes rows of features at ascending places, pairs of a place and a row."""
        if not chosen:
            return
        key = course_files.FEATURES_KEY
        if key not in self._file:
            shape = (self._rows, *features.shape[1:])
            self._dataset = self._file.create_dataset(key, shape, features.dtype)
        places, rows = zip(*chosen, strict=True)
        self._dataset[list(places)] = features[list(rows)]


def _named(paths: Sequence[Path], rows: Sequence[int]) -> tuple[list[str], list[int]]:
    """Sentences about pictures whose paths cannot stand in a set; and the rows of the others."""
    problems = [
        f"{paths[row]}: its path has a '#' or an unprintable character, rename it"
        for row in rows
        if not _is_a_line(paths[row])
    ]
    return problems, [row for row in rows if _is_a_line(paths[row])]


def _is_a_line(path: Path) -> bool:
    """Whether a path can stand in a file of places, where `#` begins a key of HDF5."""
    place = str(path.resolve())
    return "#" not in place and place.isprintable()
