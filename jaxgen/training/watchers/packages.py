"""Packages of watchers, which are extras: imported before training, so that it refuses in time."""

import importlib
from collections.abc import Callable
from typing import Any

from jaxgen.errors import JaxgenError
from jaxgen.settings import flag


def imported(name: str, check: Callable[[Any], object]) -> Any:
    """A package that the extra of the same name brings.

    Args:
        name: of the package, of the extra, and of the watcher.
        check: is called with it, and raises where it cannot be used.

    Raises:
        JaxgenError: it is not installed, cannot be imported, or does not pass.
    """
    asked = f"{flag('watch')} {name}"
    try:
        package = importlib.import_module(name)
        check(package)
    except ModuleNotFoundError as error:
        lacking = error.name or name
        raise JaxgenError(
            f"{asked} needs the package {lacking}, which is not installed: "
            f"pip install 'jaxgen[{name}]'"
        ) from error
    except Exception as error:  # whatever a package of that size raises
        told = " ".join(str(error).split())
        raise JaxgenError(f"{asked} cannot be used ({type(error).__name__}: {told})") from error
    return package
