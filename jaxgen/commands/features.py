"""`jaxgen features --images DIR --out SET`: what an encoder sees in photographs."""

from collections.abc import Sequence

from jaxgen.commands import cli
from jaxgen.commands.devices import tell_devices
from jaxgen.data.photographs.asked import FeaturesConfig


def main(argv: Sequence[str]) -> int:
    """Compute features as the command line says."""
    config = cli.parse_command(FeaturesConfig, argv, "jaxgen features")
    from jaxgen.data import compiled_programs
    from jaxgen.data.photographs.extract import extract

    compiled_programs.keep()
    tell_devices(precision=config.precision)
    for sentence in extract(config):
        print(sentence)
    return 0
