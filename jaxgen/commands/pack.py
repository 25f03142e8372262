"""`jaxgen pack FOLDER --out SET`: a folder of pictures as a set that is read at random."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxgen.commands import cli
from jaxgen.data.packing.plan import PackConfig


@dataclass(frozen=True)
class PackArguments(PackConfig):
    """Pack a folder of pictures into a set that `--data packed` trains on."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of pictures (PNG, JPEG, ...): it holds pictures, or sub-folders with pictures in or
    below them, each a class in the order of their names."""


def main(argv: Sequence[str]) -> int:
    """Pack as the command line says."""
    config = cli.parse_command(PackArguments, argv, "jaxgen pack")
    from jaxgen.data.packing.pack import pack

    for sentence in pack(config):
        print(sentence)
    return 0
