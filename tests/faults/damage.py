"""Bits flipped, bytes zeroed, files cut, emptied, exchanged, deleted: in runs and in the cache."""

import os
import re
import shutil
from collections.abc import Set
from pathlib import Path

import numpy as np

from tests.faults import runs
from tests.faults.campaign import Failed
from tests.faults.forked import Servers
from tests.faults.processes import Ended, environment, refused, run

_WORDS = ("warning", "skipped")


class Damage:
    """One file of a run or of the cache is damaged; the command is repeated."""

    name = "damage"
    about = "bit flips, cuts, zeros, exchanges and deletions in files of runs and of the cache"
    trials = 3000
    short = 6

    def prepare(self, folder: Path) -> None:
        """Train sound runs: finished ones, and ones that are half done."""
        self._folder = runs.sound(folder)
        self._servers = Servers(environment(self._folder / "cache"))
        for kind in runs.KINDS:
            half = self._folder / f"half-{kind}"
            if not half.exists():
                shutil.copytree(self._folder / kind, half)
                for name in ("summary.json", "curves.png", "samples.gif"):
                    (half / name).unlink()
                for step in (30, 40):
                    shutil.rmtree(half / "checkpoints" / str(step))

    def trial(self, number: int, chance: np.random.Generator, folder: Path) -> None:
        """Damage a copy, repeat the command, and hold what came out against the sound run."""
        kind = list(runs.KINDS)[number % len(runs.KINDS)]
        is_half, in_cache = number // 2 % 2 == 0, number % 7 == 6
        workdir, cache = folder / kind, self._folder / "cache"
        shutil.copytree(self._folder / (f"half-{kind}" if is_half else kind), workdir)
        if in_cache:
            cache = runs.copy_cache(self._folder, folder / "cache")
        damaged, how = _damage(cache if in_cache else workdir, chance)
        before = runs.contents(workdir, lenient=True)
        if in_cache:
            ended = run(runs.train(kind, workdir), environment(cache), folder)
        else:
            ended = self._servers.own.run(runs.words(kind, workdir), folder, folder)
        try:
            self._judge(kind, workdir, ended, before, "" if in_cache else damaged, how)
        except Failed as error:
            state = "half done" if is_half else "finished"
            raise Failed(f"{kind}, {state}, {damaged} {how}: {error}") from error

    def _judge(
        self, kind: str, workdir: Path, ended: Ended, before: object, damaged: str, how: str
    ) -> None:
        if refused(ended):
            if runs.contents(workdir, lenient=True) != before:
                raise Failed("refused, and the folder is not as it was")
            if not damaged:
                raise Failed(f"a damaged cache is no reason to refuse: {ended.errors[-300:]}")
            return
        expected = runs.contents(self._folder / kind)
        found = runs.contents(workdir)
        told = any(word in ended.errors for word in _WORDS)
        differ = {n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n)}
        wrong = differ - _allowed(damaged, how, told, differ)
        if wrong:
            said = "said so" if told else "without a word"
            raise Failed(f"{', '.join(sorted(wrong))} differ, {said}: {ended.errors[-200:]}")


def _allowed(damaged: str, how: str, told: bool, differ: Set[str]) -> set[str]:
    """Files that may differ from the sound run's after a file was damaged."""
    allowed = {name for name in differ if Path(name).name.startswith("damaged-")}
    allowed |= {name for name in differ if "/damaged-" in name}
    if damaged == "metrics.sha256":  # no result, and what it covers is as it was
        return allowed | {damaged}
    if re.fullmatch(r"checkpoints/[123]0/.*", damaged):  # not read while there is a newer one
        allowed.add(damaged)
    if damaged.startswith("samples/"):  # a picture of a state that is gone
        return allowed | {damaged, "samples.gif", "summary.json"}
    if told and damaged == "metrics.csv":
        return allowed | {"metrics.csv", "metrics.sha256", "curves.png", "summary.json"}
    if told and damaged.startswith("checkpoints/"):  # of those that are kept one is missing
        return allowed | {name for name in differ if name.startswith("checkpoints/")}
    return allowed


def _damage(folder: Path, chance: np.random.Generator) -> tuple[str, str]:
    """Damage a file below a folder, each kind of file as likely; its name, and how."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and "tensorboard" not in p.parts)
    kinds: dict[str, list[Path]] = {}
    for path in paths:
        parts = path.relative_to(folder).parts
        kinds.setdefault(f"{parts[0] if len(parts) > 1 else path.name}", []).append(path)
    of_kind = kinds[sorted(kinds)[chance.integers(len(kinds))]]
    path = of_kind[chance.integers(len(of_kind))]
    content = bytearray(path.read_bytes())
    how = str(chance.choice(["flip", "flip", "flip", "cut", "zeros", "empty", "delete", "swap"]))
    if how == "flip" and content:
        place = int(chance.integers(len(content)))
        content[place] ^= 1 << int(chance.integers(8))
        how = f"flipped at {place}"
    elif how == "cut":
        del content[int(chance.integers(len(content) + 1)) :]
    elif how == "zeros" and content:
        start = int(chance.integers(len(content)))
        length = min(len(content) - start, int(chance.integers(1, 600)))
        content[start : start + length] = bytes(length)
    elif how == "empty":
        content.clear()
    elif how == "swap":
        content[:] = paths[chance.integers(len(paths))].read_bytes()
    state = os.stat(path)
    path.unlink()  # it may be a link to the sound one
    if how != "delete":
        path.write_bytes(content)
        if chance.integers(2):  # what damages a disk leaves times as they were
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    return str(path.relative_to(folder)), how
