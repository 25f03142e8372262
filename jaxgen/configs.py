"""Configurations as values: frozen dataclasses written to JSON and back, and compared.

A configuration holds numbers, strings, other frozen dataclasses, and `Choice`s. The whole of it
goes into a run's folder and is enough to rebuild the model.
"""

import dataclasses
import importlib
import sys
import typing
from typing import Any, Self

from jaxgen.errors import JaxgenError

_TRUSTED_PACKAGES = ("jaxgen", "experiments")


class Choice:
    """Base of the things a configuration picks by name, such as a loss.

    The names are the variables of the module that defines the class, so that adding one is adding
    a variable: no registry to keep up to date.
    """

    @classmethod
    def choices(cls) -> dict[str, Self]:
        """Every instance in the module of the class, by the name of its variable."""
        module = vars(sys.modules[cls.__module__])
        return {name: value for name, value in module.items() if isinstance(value, cls)}

    def choice_name(self) -> str:
        """The name of the variable that holds this instance."""
        return next(name for name, value in self.choices().items() if value is self)


def to_json(config: Any, declared: type | None = None) -> Any:
    """A dataclass as JSON values; `type` names the class where the declaration does not."""
    if isinstance(config, Choice):
        return config.choice_name()
    if isinstance(config, tuple):
        return [to_json(value) for value in config]
    if not dataclasses.is_dataclass(config):
        return config
    cls = type(config)
    hints = typing.get_type_hints(cls)
    named = {} if cls is declared else {"type": f"{cls.__module__}:{cls.__qualname__}"}
    return named | {
        field.name: to_json(getattr(config, field.name), hints[field.name])
        for field in dataclasses.fields(cls)
    }


def from_json(value: Any, declared: type | None = None, where: str = "config") -> Any:
    """The inverse of `to_json`.

    Raises:
        JaxgenError: a class that cannot be found, or fields that the class does not have.
    """
    if isinstance(declared, type) and issubclass(declared, Choice):
        choices = declared.choices()
        if value not in choices:
            raise JaxgenError(f"{where}: {value!r} is none of {', '.join(sorted(choices))}")
        return choices[value]
    if isinstance(value, list):
        return tuple(from_json(item, where=where) for item in value)
    if not isinstance(value, dict):
        return value
    cls = _find_class(value["type"], where) if "type" in value else declared
    fields = {field.name for field in dataclasses.fields(cls)}
    given = {name: item for name, item in value.items() if name != "type"}
    # A field with a new default is as bad as an unknown one: the run may not have had that value.
    if strange := sorted(given.keys() ^ fields):
        raise JaxgenError(
            f"{where}: the fields of {cls.__qualname__} were others when this was written "
            f"({', '.join(strange)}): use the version of the code that wrote it"
        )
    hints = typing.get_type_hints(cls)
    return cls(**{k: from_json(v, hints[k], f"{where}.{k}") for k, v in given.items()})


def _find_class(name: str, where: str) -> type:
    """The dataclass `module:Class`; only from jaxgen, experiments and modules already imported."""
    module_name, _, class_name = name.partition(":")
    if module_name.split(".")[0] in _TRUSTED_PACKAGES:
        try:
            importlib.import_module(module_name)
        except ImportError as error:
            raise JaxgenError(f"{where}: cannot import {module_name}: {error}") from error
    cls = getattr(sys.modules.get(module_name), class_name, None)
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise JaxgenError(f"{where}: no configuration class {name}; import its module first")
    return cls


def differences(old: Any, new: Any, prefix: str = "") -> list[str]:
    """One line for each leaf in which two results of `to_json` differ: `data.name: a -> b`."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for name in [*old, *(name for name in new if name not in old)]
            for line in differences(old.get(name), new.get(name), f"{prefix}{name}.")
        ]
    return [] if old == new else [f"{prefix[:-1]}: {old!r} -> {new!r}"]
