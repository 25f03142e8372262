"""Kills and full disks aimed at every single operation that writes to a run's folder or a cache."""

import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np

from jaxgen.training.checkpoints import Checkpoints
from tests.faults import disks, runs
from tests.faults.campaign import CannotRun, Failed
from tests.faults.processes import Ended, environment, refused, run

_SOURCE = Path(__file__).with_name("interpose.c")


class _Aimed:
    """Trials that strike at the Nth operation below a folder; N goes through all of them."""

    mode: str

    def prepare(self, folder: Path) -> None:
        """Build the library that strikes, and train the sound runs.

        Raises:
            CannotRun: there is no C compiler.
        """
        self._folder = runs.sound(folder)
        self._library = folder / "interpose.so"
        compiler = shutil.which("cc") or shutil.which("gcc")
        if not compiler:
            raise CannotRun("there is no C compiler")
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", self._library, _SOURCE, "-ldl"]
        built = subprocess.run(command, capture_output=True, text=True)
        if built.returncode:
            raise CannotRun(f"the C compiler fails: {built.stderr[-200:]}")

    def _count(self, kind: str, aim: str) -> int:
        """How many operations a sound run makes; counted once."""
        kept = self._folder / f"operations-{kind}-{aim}"
        if not kept.exists():
            place = kept.with_name(f"counted-{kind}-{aim}-{threading.get_ident()}")
            place.mkdir()
            _, count = self._struck(kind, aim, 0, place)
            shutil.rmtree(place)
            kept.write_text(str(count))
        return int(kept.read_text())

    def _struck(self, kind: str, aim: str, at: int, place: Path) -> tuple[Ended, int]:
        """Train with a strike at an operation on the run's folder or on an empty cache."""
        workdir, cache = place / kind, place / "cache"
        if aim == "run" and not cache.exists():
            runs.copy_cache(self._folder, cache)
        count = place / "count"
        env = environment(
            cache,
            LD_PRELOAD=str(self._library),
            FAULT_ROOT=str(workdir if aim == "run" else cache),
            FAULT_AT=str(at),
            FAULT_MODE=self.mode,
            FAULT_COUNT=str(count),
        )
        ended = run(runs.train(kind, workdir), env, place)
        return ended, int(count.read_text()) if count.exists() else 0

    def _aim(self, number: int, chance: np.random.Generator) -> tuple[str, str, int]:
        kinds = list(runs.KINDS)
        kind, aim = kinds[number % len(kinds)], "cache" if number % 8 >= 6 else "run"
        return kind, aim, int(chance.integers(1, self._count(kind, aim) + 1))


class AimedKills(_Aimed):
    """SIGKILL at any operation that writes."""

    name = "aimed_kills"
    about = "SIGKILL at every kind of write to a run or a cache, then resumed"
    trials = 300
    short = 1
    mode = "kill"

    def trial(self, number: int, chance: np.random.Generator, folder: Path) -> None:
        """Strike, then let the run end, twice."""
        kind, aim, at = self._aim(number, chance)
        first, _ = self._struck(kind, aim, at, folder)
        env = environment(folder / "cache")
        ended = [run(runs.train(kind, folder / kind), env, folder) for _ in range(2)]
        for one in ended:
            if one.status:
                raise Failed(f"{kind} {aim} {at}: does not go on: {one.errors.strip()[-300:]}")
        runs.compare(kind, self._folder / kind, folder / kind, [first, *ended])
        left = [path for path in (folder / "cache").rglob("*-cache") if not path.stat().st_size]
        if left:
            raise Failed(f"{kind} {aim} {at}: half of a compiled program stays in the cache")


class FullDisk(_Aimed):
    """A disk that is full from any operation on; every third trial on a real, small file system."""

    name = "full_disk"
    about = "disk full from any write on, then freed and resumed"
    trials = 300
    short = 1
    mode = "full"

    def prepare(self, folder: Path) -> None:
        """See whether file systems may be mounted, beside what all aimed trials need."""
        super().prepare(folder)
        place = folder / "mounted"
        place.mkdir(exist_ok=True)
        self._mounts = disks.mount(place, 100)
        if self._mounts:
            disks.unmount(place)

    def trial(self, number: int, chance: np.random.Generator, folder: Path) -> None:
        """Strike, see what is told and kept, then free the disk and let the run end."""
        kind, aim, at = self._aim(number, chance)
        if self._mounts and number % 3 == 2:
            self._on_small_disk(kind, int(chance.integers(8, 1500)), folder)
            return
        first, _ = self._struck(kind, aim, at, folder)
        self._judge(kind, f"{aim} {at}", first, folder / kind)
        env = environment(folder / "cache")
        ended = [run(runs.train(kind, folder / kind), env, folder) for _ in range(2)]
        if ended[0].status:
            raise Failed(f"{kind} {aim} {at}: does not go on: {ended[0].errors.strip()[-300:]}")
        runs.compare(kind, self._folder / kind, folder / kind, ended)

    def _on_small_disk(self, kind: str, kilobytes: int, folder: Path) -> None:
        disk = folder / "disk"
        disk.mkdir()
        if not disks.mount(disk, kilobytes):
            raise Failed("a small file system could be mounted before, and now it cannot")
        try:
            env = environment(self._folder / "cache")
            first = run(runs.train(kind, disk / kind), env, folder)
            self._judge(kind, f"disk of {kilobytes} kB", first, disk / kind)
            disks.remount(disk, "size=100m")
            ended = [run(runs.train(kind, disk / kind), env, folder) for _ in range(2)]
            if ended[0].status:
                raise Failed(f"{kind}: does not go on: {ended[0].errors.strip()[-300:]}")
            runs.compare(kind, self._folder / kind, disk / kind, ended)
        finally:
            disks.unmount(disk)

    def _judge(self, kind: str, where: str, ended: Ended, workdir: Path) -> None:
        try:
            was_refused = refused(ended)
            if was_refused and "pace" not in ended.errors:
                raise Failed(f"no word of space: {ended.errors.strip()[-300:]}")
            if (workdir / "checkpoints").exists():
                Checkpoints(workdir / "checkpoints").restore()
        except Exception as error:
            raise Failed(f"{kind} {where}: {error}") from error
