"""What a user has to know of a number that is not taken as it was given."""

import sys


def note(sentence: str) -> None:
    """Say on standard error what is done instead of what was asked for."""
    print(f"note: {sentence}", file=sys.stderr)
