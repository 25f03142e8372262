"""Command lines generated from the flags themselves: each works, or is refused in a sentence."""

import functools
import hashlib
import os
import shutil
import stat
import threading
from pathlib import Path

import numpy as np
from PIL import Image

from tests.faults import generated_lines, processes
from tests.faults.campaign import CannotRun, Failed
from tests.faults.forked import STOPPED, Servers

STOP_AFTER = 20.0
"""Seconds after which a line is legal, long, and stopped."""
_DIVERGED = 1
_ONE_IN = 12  # lines that run as processes of their own, as a check of the others
_LINES = {
    "gan": "train vanilla_gan --networks.generator-hidden 8 --networks.discriminator-hidden 8",
    "conditional": (
        "train conditional_gan --networks.generator-hidden 8 8 8 8 "
        "--networks.discriminator-hidden 8 8"
    ),
    "captioner": "train caption_rnn --data.scenes 20 --captioner.hidden 8 --captioner.word-size 8",
}


class CommandLines:
    """Command lines generated from the flags themselves."""

    name = "command_lines"
    about = "command lines generated from the flags themselves"
    trials = 500
    short = 2

    def prepare(self, folder: Path) -> None:
        """Train what lines sample from, and make a set of captions."""
        if not hasattr(os, "fork"):
            raise CannotRun("commands are run by forks, which this system lacks")
        self._cache, self._shared = folder / "cache", folder / "shared"
        self._told = folder / "told"
        if not self._is_made():
            shutil.rmtree(self._shared, ignore_errors=True)
            self._make_shared()

    def _is_made(self) -> bool:
        """Whether the runs are there, of a version whose files are read."""
        if not (self._shared / "made").exists():
            return False
        words = ["-m", "jaxgen", "sample", "gan", "--n", "1", "--out", "../probe.png"]
        return not processes.run(words, self._environment(), self._shared).status

    def _make_shared(self) -> None:
        make_pictures(self._shared)
        build = "captions build --images pictures --captions captions.csv --out set --threshold 1"
        lines = [f"{line} --workdir {name}" for name, line in _LINES.items()]
        for line in (build, *(f"{line} --steps 2 --batch-size 8" for line in lines)):
            words = ["-m", "jaxgen", *line.split()]
            ended = processes.run(words, self._environment(), self._shared)
            if ended.status:
                raise Failed(f"{line}: {ended.errors}")
        (self._shared / "made").touch()

    def trial(self, number: int, chance: np.random.Generator, folder: Path) -> None:
        """Run one line in a folder full of traps, and look at what it left there."""
        words = generated_lines.line(int(chance.integers(2**32)))
        alone = not chance.integers(_ONE_IN)
        try:
            self.hold(words, folder, alone=alone)
        except Failed as failure:
            raise Failed(f"{_shown(words)}: {failure}") from failure

    def hold(self, words: list[str], folder: Path, *, alone: bool = False) -> None:
        """Run a line and hold it against what is allowed.

        Args:
            words: what comes after `jaxgen`.
            folder: an empty one.
            alone: run a process of its own instead of a fork.

        Raises:
            Failed: it ends in another way than it may.
        """
        fill(folder, self._shared)
        before = _listing(folder)
        if alone:
            arguments = ["-m", "jaxgen", *words]
            ended = processes.run(
                arguments, self._environment(), folder, kill_after=2 * STOP_AFTER, signalled=15
            )
        else:
            told = self._told / str(threading.get_ident())  # not in the folder that is looked at
            told.mkdir(parents=True, exist_ok=True)
            ended = self._servers.own.run(words, folder, told, STOP_AFTER)
        if ended.status in (STOPPED, -15):
            return
        if ended.status == _DIVERGED and "training diverged" in ended.errors:
            ended = ended._replace(status=0)
        is_refused = _is_told_by_the_parser(ended) or processes.refused(ended)
        if is_refused and (changed := _changes(before, _listing(folder))):
            names = ", ".join(changed)
            raise Failed(f"it is refused and yet changes {names}: {ended.errors[:200]}")

    def _environment(self) -> dict[str, str]:
        return processes.environment(self._cache, JAX_PLATFORMS="cpu")

    @functools.cached_property
    def _servers(self) -> Servers:
        return Servers(self._environment())


def _is_told_by_the_parser(ended: processes.Ended) -> bool:
    """Whether the parser of flags says what is wrong, in a box of its own, or the usage is told."""
    is_box = ended.errors.startswith("╭─") and "For full helptext" in ended.errors
    return ended.status == 2 and (is_box or ended.output.startswith(("usage: ", "jaxgen ")))


def make_pictures(folder: Path) -> None:
    """Pictures and captions of them."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    rows = ["image,caption"]
    for index in range(6):
        Image.new("RGB", (20, 20), (40 * index, 0, 90)).save(pictures / f"{index}.png")
        rows += [f"{index}.png,a picture of colour {index}"]
    (folder / "captions.csv").write_text("\n".join(rows) + "\n")
    np.save(folder / "features.npy", np.eye(6, 9, dtype=np.float32))


def fill(folder: Path, shared: Path) -> None:
    """Fill a trial's folder with the things that `generated_lines.PATHS` names."""
    shutil.copytree(shared, folder, dirs_exist_ok=True)
    (folder / "file.txt").write_text("text\n")
    (folder / "old.png").write_bytes((folder / "pictures" / "0.png").read_bytes())
    (folder / "own.py").write_text("here = True\n")
    (folder / "broken.py").write_text("1 / 0\n")
    (folder / "exits.py").write_text("raise SystemExit(3)\n")
    (folder / "link").symlink_to("nowhere")
    for name in ("empty", "folder.png"):
        (folder / name).mkdir()
    for name in ("pipe", "pipe.png", "pipe.py"):
        os.mkfifo(folder / name)


def _listing(folder: Path) -> dict[str, str]:
    """Everything in a folder, with a hash of what is in it; a lock that is left says nothing."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        content = str(stat.S_IFMT(mode))
        if stat.S_ISREG(mode):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        is_lock = path.name == ".lock"
        holds_lock = stat.S_ISDIR(mode) and [child.name for child in path.iterdir()] == [".lock"]
        is_compiled = "__pycache__" in path.parts
        if not (is_lock or holds_lock or is_compiled):
            found[os.fsencode(path.relative_to(folder)).decode(errors="backslashreplace")] = content
    return found


def _changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [name for name in before | after if before.get(name) != after.get(name)]


def _shown(words: list[str]) -> str:
    return " ".join(repr(word) for word in words)[:400]
