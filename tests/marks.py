"""Marks of parametrized tests."""

from collections.abc import Collection, Iterable

import pytest


def long_but_for(quick: Collection[str], names: Iterable[str], *more: pytest.MarkDecorator) -> list:
    """Names as parameters: a few run with the short tests, the others are `long`, and more."""
    return [
        pytest.param(name, marks=() if name in quick else (pytest.mark.long, *more))
        for name in names
    ]
