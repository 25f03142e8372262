"""Mutants of every file format that is read: each makes a sentence, or a result that is sound."""

import json
import select
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults import (
    caption_formats,
    image_formats,
    mutants,
    photograph_formats,
    run_formats,
)
from tests.faults.campaign import CannotRun, Failed
from tests.faults.formats import Format
from tests.faults.processes import HANG, ROOT, environment, resident_mb

FORMATS: tuple[Format, ...] = (
    *image_formats.FORMATS,
    *caption_formats.FORMATS,
    *photograph_formats.FORMATS,
    *run_formats.FORMATS,
)
MOST_MB = 2000
"""That a parser may take besides what the process has before."""
_LOOK = 0.05  # seconds between looks at the memory of a parser that has not answered


class Worker:
    """A process of `parser_worker`, replaced when it dies."""

    def __init__(self, cache: Path) -> None:
        self._environment = environment(cache, JAX_PLATFORMS="cpu", OMP_NUM_THREADS="1")
        self._process: subprocess.Popen[bytes] | None = None
        self.measured: set[str] = set()
        """Formats that the process has read once: what only the first time costs is no mutant's."""

    def ask(self, **request: str) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            Failed: the process crashes, hangs or takes more than `MOST_MB`.
        """
        process = self._process or self._started()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        before, began = resident_mb(process.pid), time.monotonic()
        while not select.select([process.stdout], [], [], _LOOK)[0]:
            if time.monotonic() - began > HANG:
                self.stop()
                raise Failed(f"hangs for {HANG:.0f} s")
            if (grown := resident_mb(process.pid) - before) > MOST_MB:
                self.stop()
                raise Failed(f"takes more than {grown:.0f} MB")
        line = process.stdout.readline()
        if not line:
            status = process.wait()
            self.stop()
            raise Failed(f"the process ends with {status}")
        return json.loads(line)

    def _started(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.parser_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment,
            cwd=ROOT,
        )
        return self._process

    def stop(self) -> None:
        """End the process; the next request starts another."""
        process, self._process = self._process, None
        self.measured.clear()
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def __del__(self) -> None:
        self.stop()


class Parsers:
    """The campaign."""

    name = "parsers"
    about = "mutants of every file format that is read"
    trials = 10_000
    short = 200

    def __init__(self) -> None:
        self._folder = Path()
        self._workers = threading.local()  # trials of several threads run at once

    def prepare(self, folder: Path) -> None:
        """Make a sample of each format.

        Raises:
            CannotRun: the kernel does not tell of the memory of processes, or a package is missing.
        """
        if not Path("/proc/self/clear_refs").exists():
            raise CannotRun("the kernel does not tell what memory a process takes")
        self._folder = folder
        for form in FORMATS:
            place = self.sample(form)
            if place.is_dir():
                continue
            making = place.with_name(f"making-{place.name}")
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir(parents=True)
            try:
                self._worker().ask(make=form.name, folder=str(making))
            except Failed as error:
                raise CannotRun(f"no sample of {form.name}: {error}") from error
            making.rename(place)

    def trial(self, number: int, chance: np.random.Generator, folder: Path) -> None:
        """Damage the file of one format and read it.

        Raises:
            Failed: the outcome is neither a sentence nor a sound result.
        """
        form = FORMATS[number % len(FORMATS)]
        mutants.copied(self.sample(form), folder / "files")
        self._damage(form, chance, folder / "files")
        self.read(form, folder / "files")

    def sample(self, form: Format) -> Path:
        """The folder of a format's sound sample."""
        return self._folder / "samples" / plain(form.name)

    def read(self, form: Format, files: Path) -> str:
        """Read a folder in another process; "" if all is well, or the sentence that refuses it.

        Raises:
            Failed: neither.
        """
        worker = self._worker()
        if form.name not in worker.measured:
            sound = files.with_name("sound")
            mutants.copied(self.sample(form), sound)
            answer = worker.ask(read=form.name, folder=str(sound))
            if answer["failure"] or answer["told"]:
                raise Failed(f"{form.name}: the sound sample is refused: {answer}")
            worker.measured.add(form.name)
        try:
            answer = worker.ask(read=form.name, folder=str(files))
        except Failed as error:
            raise Failed(f"{form.name}: {error}") from error
        if answer["failure"]:
            raise Failed(f"{form.name}: {answer['failure']}")
        if answer["grew_mb"] > MOST_MB:
            raise Failed(f"{form.name}: takes {answer['grew_mb']:.0f} MB")
        return answer["told"]

    def _worker(self) -> Worker:
        """The process of this thread."""
        if not hasattr(self._workers, "own"):
            self._workers.own = Worker(self._folder / "cache")
        return self._workers.own

    def _damage(self, form: Format, chance: np.random.Generator, files: Path) -> None:
        path = files / form.file
        how = chance.random()
        if how < 0.04:
            mutants.special(path, chance)
            return
        if form.kind == "hdf5" and how < 0.34:
            mutants.hdf5(path, chance)
            return
        other = self.sample(FORMATS[chance.integers(len(FORMATS))])
        others = sorted(path for path in other.rglob("*") if path.is_file())
        content = others[chance.integers(len(others))].read_bytes()
        path.write_bytes(mutants.mutant(form.kind, path.read_bytes(), content, chance))


def plain(name: str) -> str:
    """The name of a format as that of a folder."""
    return "".join(letter if letter.isalnum() else "-" for letter in name)
