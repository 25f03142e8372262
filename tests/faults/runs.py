"""Small runs that the campaigns kill, damage and starve, and what such a run must look like."""

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from jaxgen.training.checkpoints import Checkpoints
from tests.faults.campaign import Failed
from tests.faults.processes import Ended, environment, refused, run

LOG_EVERY = 5
NUMBERS = (
    f"--steps 40 --batch-size 16 --log-every {LOG_EVERY} --sample-every 10 --evaluate-every 20 "
    "--checkpoint-every 10 --keep-checkpoints 4"
).split()
KINDS: Mapping[str, Sequence[str]] = {
    "gan": (
        "experiments.vanilla_gan",
        *"--networks.generator-hidden 16 --networks.generator-normalized 0".split(),
        *"--networks.discriminator-hidden 16 --evaluate-samples 64".split(),
        *NUMBERS,
    ),
    "captioner": (
        "experiments.caption_rnn",
        *"--captioner.hidden 16 --captioner.word-size 8 --evaluate-images 8".split(),
        *"--data.scenes 100".split(),
        *NUMBERS,
    ),
}
"""Module and flags of a run that has checkpoints, pictures, figures and an end in two seconds."""
VOLATILE = ("wall_seconds", "steps_per_second", "time", "sha256")
"""Entries of `summary.json` that differ from run to run."""
UNTOLD = (".lock", "tensorboard", "events.jsonl", "report.html")
"""What a run's folder has beside its results, and results that tell the time: of these the tests of
`jaxgen.training` see to it that damage is noticed."""


def train(kind: str, workdir: Path) -> list[str]:
    """The command that trains such a run, without the interpreter."""
    return ["-m", *KINDS[kind], "--workdir", str(workdir)]


def words(kind: str, workdir: Path) -> list[str]:
    """The same for a `Server`: what comes after `jaxgen`."""
    module, *flags = KINDS[kind]
    return ["train", module.removeprefix("experiments."), *flags, "--workdir", str(workdir)]


def sound(folder: Path) -> Path:
    """The folder of runs that nothing happened to, made once, and of the cache that they filled.

    Args:
        folder: of a campaign; those beside it share the runs.
    """
    place = folder.parent / "sound"
    place.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        _whole(kind, place)
    return place


def _whole(kind: str, folder: Path) -> Path:
    workdir = folder / kind
    if not (workdir / "summary.json").exists():
        for _ in range(2):  # twice, so that the cache has every compiled program
            shutil.rmtree(workdir, ignore_errors=True)
            ended = run(train(kind, workdir), environment(folder / "cache"), folder)
            if refused(ended):
                raise Failed(f"the sound run is refused: {ended.errors}")
    return workdir


@functools.cache
def _seconds(place: Path) -> Mapping[str, float]:
    found, workdir = {}, place / "timed"
    for kind in KINDS:
        ended = run(train(kind, workdir), environment(place / "cache"), place)
        shutil.rmtree(workdir)
        found[kind] = ended.seconds
    return found


def seconds(folder: Path) -> Mapping[str, float]:
    """What a run of each kind takes, from the prompt on; measured once in a process."""
    return _seconds(sound(folder))


def contents(workdir: Path, *, lenient: bool = False) -> dict[str, str]:
    """The results in a run's folder by name, each with a hash of all that must not differ.

    Args:
        workdir: the folder.
        lenient: `summary.json` may be anything, and counts as it is.
    """
    found = {}
    for path in sorted(path for path in workdir.rglob("*") if path.is_file()):
        name = path.relative_to(workdir)
        if name.parts[0] in UNTOLD:
            continue
        data = path.read_bytes()
        if name.name == "summary.json" and not lenient:
            summary = json.loads(data)
            files = summary.get("files", {})
            summary["files"] = {n: digest for n, digest in files.items() if n not in UNTOLD}
            data = json.dumps({k: v for k, v in summary.items() if k not in VOLATILE}).encode()
        found[str(name)] = hashlib.sha256(data).hexdigest()
    return found


def compare(
    kind: str,
    reference: Path,
    workdir: Path,
    ended: Sequence[Ended] = (),
    *,
    stopped: bool = False,
) -> None:
    """Raise Failed unless the folder holds what the sound run has, and no command cried.

    Args:
        kind: of the run.
        reference: the sound run's folder.
        workdir: the folder.
        ended: the commands.
        stopped: whether a signal may have stopped the run, which leaves a checkpoint of its step.
    """
    for one in ended:
        if "Traceback" in one.errors:
            raise Failed(f"{kind}: traceback: {one.errors.strip().splitlines()[-1][:300]}")
        if "damaged" in one.errors or "not as it" in one.errors:
            raise Failed(f"{kind}: says that something is damaged: {one.errors[-300:]}")
    expected, found = contents(reference), contents(workdir)
    if stopped:
        expected = _with_stops(expected, found)
    names = sorted(
        name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
    )
    if names:
        what = {name: "missing" if name not in found else "differs" for name in names}
        raise Failed(f"{kind}: not as the sound run: {json.dumps(what)[:400]}")
    restored = Checkpoints(workdir / "checkpoints").restore()
    if restored is None or restored.step != 40:
        raise Failed(f"{kind}: no sound checkpoint at the end")


def _with_stops(expected: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    """What is expected where checkpoints of a signal's steps drove out as many of the oldest."""
    regular, there = _checkpoints(expected), _checkpoints(found)
    own = {step: names for step, names in there.items() if step not in regular}
    if any(step % LOG_EVERY or step > max(regular) for step in own):
        return dict(expected)  # it stopped where no dispatch ends
    kept = sorted(regular.keys() | own.keys())[-len(regular) :]
    gone = {name for step, names in regular.items() if step not in kept for name in names}
    more = {name: found[name] for step, names in own.items() if step in kept for name in names}
    return {name: content for name, content in expected.items() if name not in gone} | more


def _checkpoints(names: Iterable[str]) -> dict[int, list[str]]:
    """Files of checkpoints by step."""
    found: dict[int, list[str]] = {}
    for name in names:
        if name.startswith("checkpoints/"):
            found.setdefault(int(name.split("/")[1]), []).append(name)
    return found


def copy_cache(folder: Path, place: Path) -> Path:
    """A copy of the warm cache, hard links, so that a trial may spoil it."""
    shutil.copytree(folder / "cache", place, copy_function=os.link)
    return place
