"""`jaxgen captions build`: a set of captions from a folder of pictures and a file of captions."""

from collections.abc import Sequence

from jaxgen.commands import cli
from jaxgen.errors import JaxgenError

USAGE = "usage: jaxgen captions build --images DIR --captions FILE --out SET [--help]"


def main(argv: Sequence[str]) -> int:
    """Do to captions what the first word says.

    Raises:
        JaxgenError: there is no such thing to do; see `jaxgen.data.captions.build.build`.
    """
    if argv[:1] == ["build"]:
        from jaxgen.data.captions import build

        config = cli.parse_command(build.BuildConfig, argv[1:], "jaxgen captions build")
        for sentence in build.build(config):
            print(sentence)
        return 0
    if argv and argv[0] not in ("-h", "--help"):
        raise JaxgenError(f"jaxgen captions {argv[0]}: there is only `jaxgen captions build`")
    print(USAGE)
    return 0 if argv else JaxgenError.exit_code
