"""The embedded caption set: scenes of real digits, true sentences and features, as HDF5 files.

    python -m jaxgen.data.scenes.build

makes it in the user's cache folder; training on `scenes` does so on first use.
"""

import hashlib
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxgen import settings
from jaxgen.data import cache, ordinary_files
from jaxgen.data.scenes import features, files
from jaxgen.display.replacing import PARTIAL, sweep
from jaxgen.errors import JaxgenError
from jaxgen.settings import setting

VERSION = 1  # raise it when the same settings yield another set
_MANIFEST = "manifest.json"
_MOST_BYTES = 2**35  # of a file: a hundred times the largest of the default set
_SUFFIXES = (".h5", ".json", ".txt")


@dataclass(frozen=True)
class ScenesConfig:
    """A set of scenes."""

    train: int = setting(20_000, least=1)
    """Training scenes."""

    validation: int = setting(2_000, least=1)
    """Validation scenes, of other digits."""

    seed: int = setting(0, least=0)
    """Seed of everything drawn."""

    @property
    def sizes(self) -> dict[str, int]:
        """Scenes of each split."""
        return dict(zip(files.SPLITS, (self.train, self.validation), strict=True))


def ensure(config: ScenesConfig | None = None) -> Path:
    """The folder of a set of scenes, made first if it does not exist or is damaged.

    Args:
        config: the set; the default one if None.

    Returns:
        The folder, in the user's cache.

    Raises:
        JaxgenError: a number is out of range, or the folder cannot be written.
    """
    config = config or ScenesConfig()
    settings.check(config)
    directory = cache.folder() / f"scenes-{config.train}-{config.validation}-{config.seed}"
    if _is_sound(directory, config):
        return directory
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        for pattern in (f"{PARTIAL}*", "*.tmp"):  # the second as 0.1.0 named them
            sweep(directory.parent, pattern)
        with tempfile.TemporaryDirectory(dir=directory.parent, prefix=PARTIAL) as temporary:
            made, old = Path(temporary) / "made", Path(temporary) / "old"
            made.mkdir()
            build(made, config)
            if directory.exists() and not _is_sound(directory, config):
                os.replace(directory, old)
            if not directory.exists():  # otherwise another run has made it meanwhile
                os.replace(made, directory)
    except OSError as error:
        raise JaxgenError(
            f"cannot write scenes to {directory} ({error}); set JAXGEN_CACHE_DIR to another folder"
        ) from error
    return directory


def build(directory: Path, config: ScenesConfig) -> None:
    """Makes a set of scenes, with the hashes of its files, in an empty folder.

    Args:
        directory: an existing folder.
        config: the set.

    Raises:
        JaxgenError: the digits or the network's weights cannot be read.
    """
    files.write(directory, config.sizes, config.seed)
    hashes = {path.name: _hash(path) for path in sorted(directory.iterdir())}
    manifest = _about(config) | {"sha256": hashes}
    (directory / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _about(config: ScenesConfig) -> dict[str, Any]:
    return {
        "version": VERSION,
        "weights": features.SHA256,
        "config": {**config.sizes, "seed": config.seed},
    }


def _is_sound(directory: Path, config: ScenesConfig) -> bool:
    """Whether the folder holds this set, every file as it was written."""
    try:
        manifest = json.loads(ordinary_files.text(directory / _MANIFEST, ""))
        hashes = manifest.pop("sha256")
        made = {path.name for path in directory.iterdir() if path.suffix in _SUFFIXES}
        return (
            manifest == _about(config)
            and made - {_MANIFEST} <= hashes.keys()
            and all(_hash(directory / name) == sha256 for name, sha256 in hashes.items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _hash(path: Path) -> str:
    ordinary_files.check(path, "", _MOST_BYTES)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> int:
    """Makes the set that the command line names and prints its folder; returns the exit status."""
    import tyro

    with settings.flags_spelled():
        try:
            print(ensure(tyro.cli(ScenesConfig, prog="python -m jaxgen.data.scenes.build")))
        except JaxgenError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
