"""From the names that `--watch` was given to watchers, before anything is trained."""

from collections.abc import Sequence

from jaxgen import settings
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag
from jaxgen.training.watchers.base import METHODS, RunWatcher
from jaxgen.training.watchers.mlflow_store import MlflowStore
from jaxgen.training.watchers.weights_and_biases import WeightsAndBiases

KNOWN: dict[str, type[RunWatcher]] = {"wandb": WeightsAndBiases, "mlflow": MlflowStore}


def chosen(asked: Sequence[str | RunWatcher]) -> dict[str, RunWatcher]:
    """The watchers of a run by lasting names, each once.

    Args:
        asked: names of `KNOWN`; `FILE:CLASS` or `MODULE:CLASS`, which is imported because the user
            names it; or watchers, from Python.

    Raises:
        JaxgenError: there is no such watcher, it cannot be imported or made, or lacks a method.
    """
    found: dict[str, RunWatcher] = {}
    for one in asked:
        if not isinstance(one, str):
            found[settings.class_name(type(one))] = _complete(one, type(one).__name__)
        elif one in KNOWN:
            found[one] = KNOWN[one]()
        elif ":" in one:
            cls = settings.own_class(one, flag("watch"))
            found[settings.class_name(cls)] = _made(cls, f"{flag('watch')} {one}")
        else:
            raise JaxgenError(
                f"{flag('watch')} {one}: there is no such watcher; there are {', '.join(KNOWN)}, "
                "and FILE.py:CLASS or MODULE:CLASS for one of your own (tensorboard/ of a run is "
                "always written)"
            )
    return found


def _made(cls: type, what: str) -> RunWatcher:
    try:
        return _complete(cls(), what)
    except JaxgenError:
        raise
    except (Exception, SystemExit) as error:  # code of a user's own raises anything
        problem = f"{type(error).__name__}: {error}"
        raise JaxgenError(f"{what} cannot be made without arguments ({problem})") from error


def _complete(watcher: object, what: str) -> RunWatcher:
    missing = [name for name in METHODS if not callable(getattr(watcher, name, None))]
    if missing:
        raise JaxgenError(
            f"{what} lacks {', '.join(missing)}: a watcher has {', '.join(METHODS)}, all of "
            "which jaxgen.training.watchers.base.RunWatcher has for a class of your own"
        )
    return watcher  # type: ignore[return-value]
