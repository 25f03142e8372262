"""Computing the shards of a set of features, or finding that they were computed before.

N photographs of a batch.
"""

import hashlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from jaxgen.data import ordinary_files, output_folders, picture_files, sealing
from jaxgen.data.photographs import encoding, feature_set
from jaxgen.data.photographs.asked import FeaturesConfig
from jaxgen.data.photographs.encoding import Encoding, Features
from jaxgen.data.photographs.feature_set import FeatureSet, Shard, shard_name
from jaxgen.display import progress
from jaxgen.display.replacing import PARTIAL, replacing
from jaxgen.errors import JaxgenError
from jaxgen.nn.encoders.base import Encoded
from jaxgen.settings import flag

NOTE = ".note-"
"""What the names of notes on finished shards begin with."""
_TOLD = 5  # broken pictures reported one by one


class Work:
    """What is to be computed, in which shards: the same for the same files."""

    def __init__(self, config: FeaturesConfig, encoder: Encoding, paths: list[Path]) -> None:
        """Take what is asked for, with what, and the pictures, in the order of their names."""
        self._config, self._encoder = config, encoder
        self._batch = min(config.batch_size, len(paths))
        self._parts = [
            paths[start : start + config.shard] for start in range(0, len(paths), config.shard)
        ]
        about = {"encoder": asdict(encoder.identity), "grid": config.grid, "shard": config.shard}
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        for path in paths:
            digest.update(f"{self._name(path)}\0{_size(path)}\n".encode(errors="surrogateescape"))
        self.source = digest.hexdigest()
        """A hash of all that the features depend on but times."""

    def _name(self, path: Path) -> str:
        return path.relative_to(self._config.images).as_posix()

    def _path(self, number: int) -> Path:
        return self._config.out / shard_name(number, len(self._parts))

    def refuse_foreign(self) -> None:
        """Refuses a folder that holds anything but parts of this work."""
        ours = {self._path(number).name for number in range(len(self._parts))}
        output_folders.refuse_foreign(self._config.out, ours, (PARTIAL, NOTE))

    def is_whole(self, before: FeatureSet) -> bool:
        """Whether no file of a finished set is missing or damaged."""
        return all(self._is_sound(number, shard) for number, shard in enumerate(before.shards))

    def shards(self, before: FeatureSet | None = None) -> tuple[Shard, ...]:
        """Each shard, after it is on the disk: from before, or computed now.

        Args:
            before: the finished set, of which files are missing or damaged.
        """
        found, told, kept = [], 0, 0
        with (
            warnings.catch_warnings(action="ignore"),  # Pillow's, about files that it can read
            ThreadPoolExecutor(os.cpu_count()) as pool,
            progress.bar(
                total=sum(map(len, self._parts)), desc="encoding", unit="picture", delay=1
            ) as done,
        ):
            for number, paths in enumerate(self._parts):
                shard = self._finished(number, before)
                if shard is not None:
                    kept += len(paths)
                    done.update(len(paths))
                else:
                    shard = self._computed(number, pool, done.update)
                    for name, reason in shard.left_out[: _TOLD - told]:
                        print(f"skipped {self._config.images / name}: {reason}", file=sys.stderr)
                    told = min(_TOLD, told + len(shard.left_out))
                found.append(shard)
        if kept:
            print(f"going on: {kept} pictures were done before", file=sys.stderr)
        return tuple(found)

    def _note(self, number: int) -> Path:
        path = self._path(number)
        return path.with_name(f"{NOTE}{path.name}")

    def _made_from(self, number: int) -> str:
        """A hash that changes with any file of a shard; times are in it, so that edits are seen."""
        digest = hashlib.sha256(f"{self.source}\0{number}\n".encode())
        for place, path in enumerate(self._parts[number]):
            with suppress(OSError):
                digest.update(f"{place}\0{path.stat().st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def _finished(self, number: int, before: FeatureSet | None) -> Shard | None:
        """A shard that an earlier process finished; None if it has to be computed."""
        if before is not None:
            shard = before.shards[number]
            return shard if self._is_sound(number, shard) else None
        try:
            told = json.loads(ordinary_files.text(self._note(number), ""))
            if "sha256" not in told or sealing.is_broken(told):
                return None
            shard = feature_set.shard_of_json(told["shard"])
            is_the_same = told["made_from"] == self._made_from(number)
        except (JaxgenError, OSError, LookupError, TypeError, ValueError, RecursionError):
            return None
        if shard.left_out and self._config.broken == "refuse":
            return None  # it is looked at again, and refused
        return shard if is_the_same and self._is_sound(number, shard) else None

    def _is_sound(self, number: int, shard: Shard) -> bool:
        """Whether the file of a shard is as it was written."""
        path = self._path(number)
        try:
            ordinary_files.check(path, "")
            return path.stat().st_size == shard.size and sha256_of(path) == shard.sha256
        except (JaxgenError, OSError):
            return False

    def _computed(
        self, number: int, pool: ThreadPoolExecutor, advance: Callable[[int], object]
    ) -> Shard:
        made_from, path = self._made_from(number), self._path(number)
        names, left_out, parts = [], [], []
        for part_names, problems, features in self._encoded(self._parts[number], pool):
            advance(len(part_names) + len(problems))
            names += part_names
            left_out += problems
            if features is not None:
                parts.append(features)
        arrays = {}
        if parts:
            arrays["vector"] = np.concatenate([part.vector_NF for part in parts])
            if self._config.grid:
                arrays["grid"] = np.concatenate([part.grid_NLC for part in parts])
        with replacing(path) as temporary:
            with temporary.open("wb") as file:
                np.savez(file, **arrays)
            size, sha256 = temporary.stat().st_size, sha256_of(temporary)
        shard = Shard(size, sha256, tuple(names), tuple(left_out))
        told = {"made_from": made_from, "shard": json.loads(json.dumps(asdict(shard)))}
        with replacing(self._note(number)) as temporary:
            temporary.write_text(json.dumps(sealing.sealed(told)))
        return shard

    def _encoded(
        self, paths: list[Path], pool: ThreadPoolExecutor
    ) -> Iterator[tuple[list[str], list[tuple[str, str]], Features | None]]:
        """Names, problems and features of a batch at a time.

        A batch is decoded while the devices still encode the one before.
        """
        waiting: tuple[list[str], list[tuple[str, str]], Callable[[], Encoded] | None] | None = None
        for start in range(0, len(paths), self._batch):
            some = paths[start : start + self._batch]
            images, names, problems = [], [], []
            for path, result in zip(
                some, picture_files.in_threads(pool, self._attempt, some), strict=True
            ):
                if isinstance(result, str):
                    problems.append((self._name(path), result))
                else:
                    images.append(result)
                    names.append(self._name(path))
            if problems and self._config.broken == "refuse":
                name, reason = problems[0]
                raise JaxgenError(
                    f"{self._config.images / name}: {reason}; mend it, take it away, or give "
                    f"{flag('broken')} skip"
                )
            wait = None
            if images:
                image_NSSC = np.stack(images + images[-1:] * (self._batch - len(images)))
                wait = self._encoder.dispatched(image_NSSC)
            if waiting is not None:
                yield self._waited(*waiting)
            waiting = names, problems, wait
        if waiting is not None:
            yield self._waited(*waiting)

    def _waited(
        self,
        names: list[str],
        problems: list[tuple[str, str]],
        wait: Callable[[], Encoded] | None,
    ) -> tuple[list[str], list[tuple[str, str]], Features | None]:
        if wait is None:
            return names, problems, None
        encoded = Encoded(*(array[: len(names)] for array in wait()))
        return names, problems, encoding.checked(encoded, self._config.grid, self._encoder.identity)

    def _attempt(self, path: Path, most: int) -> np.ndarray | str:
        try:
            return self._encoder.prepared(path, most)
        except picture_files.Large:
            raise
        except Exception as error:  # foreign files make decoders raise nearly anything
            return picture_files.reason(error)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # such as a link to nowhere: reported with the broken pictures
        return -1


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
