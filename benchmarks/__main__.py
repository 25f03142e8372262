"""How fast jaxgen is beside its peers, all in one run, in turns.

    python -m benchmarks
    python -m benchmarks --only "DCGAN training" --repeats 15
    python -m benchmarks --precision bfloat16 --batch-sizes 25 64 128 512
    python -m benchmarks --list

Training steps of GANs and captioners, decoding, single operations and whole commands, beside
PyTorch, and NumPy where the notebook has it. Prints a Markdown table and writes the same as JSON.
The ratio is the peer's time divided by jaxgen's, the median over rounds in which both ran; the
share is jaxgen's rate of useful floating-point operations (those of the plain formulation) divided
by that of a large matrix product in the same round. With `--precision bfloat16` training steps and
decoding are jaxgen's in bfloat16, beside jaxgen and PyTorch in float32 and PyTorch under autocast;
rows that know no precision are left out then. Needs PyTorch.
"""

import argparse
import dataclasses
import os
import re
from pathlib import Path

from benchmarks import caption_steps, commands, decoding_speed, gan_steps, ops, products, report
from benchmarks.measuring import Settings
from benchmarks.precisions import CHOICES, DEFAULT, Wanted, wanted
from jaxgen.commands.guard import run_guarded
from jaxgen.errors import JaxgenError
from jaxgen.training.run_folder import write_json

QUICK = Settings(repeats=1, seconds=0, quick=True)


def all_comparisons(wanted: Wanted = DEFAULT) -> list:
    """Everything that can be measured, in the order of the table."""
    of_models = [
        comparison
        for module in (gan_steps, caption_steps, decoding_speed)
        for comparison in module.comparisons(wanted)
    ]
    if "float32" not in wanted.precisions:
        return of_models
    return [*products.comparisons(), *of_models, *ops.comparisons(), *commands.comparisons()]


def chosen(pattern: str, wanted: Wanted = DEFAULT) -> list:
    """Those whose title the regular expression is found in, capital letters or not."""
    try:
        expression = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise JaxgenError(f"--only {pattern} is not a regular expression: {error}") from error
    found = [c for c in all_comparisons(wanted) if expression.search(c.title)]
    if not found:
        raise JaxgenError(f"--only {pattern} matches no benchmark; --list shows all")
    return found


def settings(args: argparse.Namespace) -> Settings:
    """How carefully to measure, from the flags."""
    if args.repeats is not None and args.repeats < 1:
        raise JaxgenError(f"--repeats must be at least 1, got {args.repeats}")
    base = QUICK if args.quick else Settings()
    repeats = args.repeats if args.repeats is not None else base.repeats
    return dataclasses.replace(base, repeats=repeats, compile=args.compile)


def parser() -> argparse.ArgumentParser:
    """The command's flags."""
    flags = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flags.add_argument("--only", default="", metavar="PATTERN", help="titles to run, a regexp")
    flags.add_argument("--precision", choices=CHOICES, default="float32", help="of jaxgen")
    flags.add_argument(
        "--batch-sizes", type=int, nargs="+", default=[], metavar="N", help="of training steps"
    )
    flags.add_argument("--repeats", type=int, help=f"rounds, {Settings().repeats} by default")
    flags.add_argument("--out", type=Path, default=Path("benchmarks.json"))
    flags.add_argument("--quick", action="store_true", help="only see that everything runs")
    flags.add_argument("--compile", action="store_true", help="torch.compile too (C++ compiler)")
    flags.add_argument("--list", action="store_true", help="print the titles and stop")
    return flags


def main() -> None:
    """Measure, print as it goes, write after each row."""
    args = parser().parse_args()
    how, comparisons = settings(args), chosen(args.only, wanted(args))
    if args.list:
        print("\n".join(comparison.title for comparison in comparisons))
        return
    try:
        import torch
    except ModuleNotFoundError as error:
        raise JaxgenError("the peers need PyTorch: pip install 'jaxgen[bench]'") from error
    torch.set_num_threads(os.cpu_count() or 1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    about, rows = report.machine(), []
    for comparison in comparisons:
        new = comparison.rows(how)
        rows += new
        content = report.document(rows, dataclasses.asdict(how), about)
        write_json(args.out, content)
        print("\n".join(map(report.line, new)), flush=True)
    print(f"\n{report.table(content)}")


if __name__ == "__main__":
    run_guarded(main)
