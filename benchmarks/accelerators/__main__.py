"""What the training of every experiment is on TPUs and GPUs: compiled for them here, not timed.

    python -m benchmarks.accelerators
    python -m benchmarks.accelerators --topology v5e:4x4 --experiments dcgan caption_lstm
    python -m benchmarks.accelerators --gpu h100x8 --scaling
    python -m benchmarks.accelerators --precision bfloat16 --batch-a-chip 1024 --scaling

For each experiment the program of a dispatch is compiled for described devices, and its text is
read: arithmetic of products, bytes of main memory, every collective, peak memory. Peak rates as
published turn that into the most steps a second that a chip could take. Then the same for some
experiments against the number of chips, at a fixed batch a chip and at a fixed batch of all.

Needs libtpu for TPUs (`pip install 'jax[tpu]'`), JAX's CUDA packages for GPUs
(`pip install 'jax[cuda12]'`, 5 GB), no device. A program takes from seconds to minutes to compile;
what was found is kept in the file of `--out`, and a later call compiles only what is not there, or
is another program now. The captioners' scenes are made on first use, which takes a minute.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.accelerators import described, programs, table
from benchmarks.accelerators.described import COUNTS, Topology, gpu_topology, tpu_topology
from jaxgen.commands.guard import run_guarded
from jaxgen.errors import JaxgenError
from jaxgen.settings import shortened
from jaxgen.training.run_folder import read_json, write_json

Row = dict[str, Any]
SCALING = ("dcgan", "caption_lstm", "caption_transformer")
TIMEOUT = 3600
KEPT = {
    *("experiment", "topology", "batch", "code_sha256", "program_sha256", "devices", "seconds"),
    *("product_flops", "memory_bytes", "peak_bytes", "collectives"),
}
"""What each row of the file has at least."""
_ROOT = Path(__file__).parents[2]


class Rows:
    """What is known of programs, in a file that is written after each of them."""

    def __init__(self, path: Path, code: str, precision: str = "float32") -> None:
        """Opens the file, if there is one.

        Args:
            path: of the file.
            code: SHA-256 of the code that programs come from.
            precision: of the programs that will be asked for.

        Raises:
            JaxgenError: it is not such a file.
        """
        self._path, self._code, self._precision = path, code, precision
        self._rows: Any = []
        if path.exists():
            content = read_json(path)
            self._rows = content.get("rows") if isinstance(content, dict) else None
            rows = self._rows if isinstance(self._rows, list) else [None]
            if not all(isinstance(row, dict) and row.keys() >= KEPT for row in rows):
                raise JaxgenError(f"{path} holds no rows of compiled programs; give another --out")

    def row(self, experiment: str, topology: Topology, batch: int) -> Row:
        """The row of a program, compiled if it is not known.

        Raises:
            JaxgenError: it cannot be compiled.
        """
        identity = {"experiment": experiment, "topology": topology.name, "batch": batch}
        identity["precision"] = self._precision
        flags = os.environ.get("XLA_FLAGS", "")
        old = next((row for row in self._rows if _is_of(row, identity, flags)), None)
        if old and old["code_sha256"] == self._code:
            return old
        told = f"{experiment}, {topology.name}, batch {batch}, {self._precision}"
        print(told, file=sys.stderr, flush=True)
        known = old["program_sha256"] if old else ""
        found = compiled(experiment, topology, batch, self._precision, known)
        new = {**identity, "xla_flags": flags, **(old or {}), **found, "code_sha256": self._code}
        self._rows = [row for row in self._rows if row is not old] + [new]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._path, {"rows": self._rows})
        return new


def _is_of(row: Row, identity: Row, flags: str) -> bool:
    kept = {"precision": "float32", "xla_flags": ""} | row  # which older rows lack
    return identity.items() <= kept.items() and kept["xla_flags"] == flags


def compiled(experiment: str, topology: Topology, batch: int, precision: str, known: str) -> Row:
    """`programs.row`, in a process of its own.

    Raises:
        JaxgenError: it ended with an error, or took longer than `TIMEOUT` seconds.
    """
    command = [sys.executable, "-m", "benchmarks.accelerators.programs"]
    command += [experiment, topology.name, str(batch), precision, known]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=_ROOT,
            env=described.environment(),
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired as error:
        raise JaxgenError(
            f"{experiment} for {topology.name} took more than {TIMEOUT} s to compile"
        ) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        if done.returncode == JaxgenError.exit_code:
            raise JaxgenError(lines[-1])
        # The compiler's own reports follow a Python exception's line.
        errors = [line for line in lines if re.match(r"[\w.]+Error: ", line)]
        said = shortened((errors or lines)[-1], 300)
        raise JaxgenError(f"{experiment} for {topology.name} ended with {done.returncode}: {said}")
    return json.loads(done.stdout.splitlines()[-1])


def code() -> str:
    """SHA-256 of all that a program comes from: the package, the experiments and how it is read."""
    files = [
        *sorted((_ROOT / "jaxgen").rglob("*.py")),
        *sorted((_ROOT / "experiments").glob("*.py")),
        Path(programs.__file__),
    ]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def parser() -> argparse.ArgumentParser:
    """The command's flags."""
    flags = argparse.ArgumentParser(
        prog="python -m benchmarks.accelerators",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flags.add_argument("--topology", help="TPUs, v5e:2x2 by default; also v4, v5p, v6e")
    flags.add_argument("--gpu", help="GPUs: h100x8, a100x4, ...")
    flags.add_argument("--experiments", nargs="+", default=[], help="all by default")
    flags.add_argument(
        "--scaling", nargs="*", help=f"against the number of chips: {' '.join(SCALING)} by default"
    )
    flags.add_argument("--chips", nargs="+", type=int, default=list(COUNTS))
    flags.add_argument("--batch-a-chip", type=int, default=64)
    flags.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    flags.add_argument("--out", type=Path, default=Path("accelerators.json"))
    return flags


def topologies(args: argparse.Namespace) -> list[Topology]:
    """What to compile for; v5e:2x2 if nothing is given.

    Raises:
        JaxgenError: a name is none, or the package that compiles for it is missing.
    """
    found = [gpu_topology(args.gpu)] if args.gpu is not None else []
    if args.topology is not None or not found:
        found.insert(0, tpu_topology("v5e:2x2" if args.topology is None else args.topology))
    for topology in found:
        described.refuse_missing(topology)
    return found


def names(given: Iterable[str], flag: str) -> list[str]:
    """Experiments that were asked for.

    Raises:
        JaxgenError: there is no such experiment.
    """
    there = programs.experiments()
    for name in given:
        if name not in there:
            raise JaxgenError(
                f"{flag} {name}: there is no such experiment, only {', '.join(there)}"
            )
    return list(given)


def main() -> int:
    """Compile what is not known, and print the tables; 1 if anything could not be compiled."""
    args = parser().parse_args()
    if args.batch_a_chip < 1:
        raise JaxgenError(f"--batch-a-chip must be at least 1, got {args.batch_a_chip}")
    if min(args.chips) < 1:
        raise JaxgenError(f"--chips must be at least 1, got {min(args.chips)}")
    chosen = names(args.experiments, "--experiments") or [
        name for name in programs.experiments() if name not in programs.OF_OTHERS
    ]
    default = [name for name in SCALING if name in chosen]
    scaling = default if args.scaling is None else names(args.scaling, "--scaling")
    rows, failed = Rows(args.out, code(), args.precision), 0

    def row(experiment: str, topology: Topology, batch: int) -> Row | None:
        nonlocal failed
        try:
            return rows.row(experiment, topology, batch)
        except JaxgenError as error:
            print(error, file=sys.stderr, flush=True)
            failed += 1
            return None

    for topology in topologies(args):
        of_all = args.batch_a_chip * topology.chips
        grids = [topology.of(chips) for chips in args.chips] if scaling else []
        found = [row(name, topology, of_all) for name in chosen]
        told = table.programs_table([one for one in found if one], topology, args.precision)
        print(told, flush=True)
        for name in scaling:
            pairs = [
                (
                    grid,
                    row(name, grid, args.batch_a_chip * grid.chips),
                    None if of_all % grid.chips else row(name, grid, of_all),
                )
                for grid in grids
            ]
            print(f"\n{table.scaling_table(name, pairs, args.batch_a_chip)}", flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    run_guarded(main)
