"""Configurations as JSON and back, and the record of a run that holds one.

The whole of a configuration goes into a run's folder and is enough to rebuild the model. Classes
and choices have names that last (`jaxgen.settings.names`); a field that a run's code did not have
yet takes the value declared for such runs; all else that does not fit is refused by name.
"""

import dataclasses
import inspect
import subprocess
import typing
from pathlib import Path
from typing import Any, NamedTuple

import jaxgen
from jaxgen import settings
from jaxgen.data.sealing import is_broken, sealed
from jaxgen.errors import JaxgenError
from jaxgen.settings import Choice

FORMAT = 2
"""Of the record. 1 had no format number: classes were called by their modules."""


def to_json(config: Any, declared: Any = None) -> Any:
    """A configuration as JSON values; `type` names the class where the declaration does not.

    Raises:
        JaxgenError: a choice in it has no name, so that no run could find it again.
    """
    if isinstance(config, Choice):
        return config.choice_name()
    if isinstance(config, tuple):
        return [to_json(value) for value in config]
    if not dataclasses.is_dataclass(config):
        return config.item() if hasattr(config, "item") else config  # a number of NumPy's
    cls: Any = type(config)
    hints = typing.get_type_hints(cls)
    named = {} if cls is declared else {"type": settings.class_name(cls)}
    return named | {
        field.name: to_json(getattr(config, field.name), hints[field.name])
        for field in dataclasses.fields(cls)
    }


def from_json(value: Any, declared: type, where: str = "config") -> Any:
    """The inverse of `to_json`, checked against the declarations of every field.

    Args:
        value: JSON values.
        declared: the class of the configuration, or what it must be a kind of.
        where: what to call it in messages.

    Raises:
        JaxgenError: a class or choice that cannot be found, a field that its class does not have or
            that is missing, a value of another type or out of its range.
    """
    config = _from_json(value, declared, where)
    try:
        settings.check(config)
    except JaxgenError as error:
        raise JaxgenError(f"{where}: {error}") from error
    return config


def _from_json(value: Any, declared: Any, where: str) -> Any:
    if isinstance(declared, type) and issubclass(declared, Choice):
        if not isinstance(value, str):
            raise JaxgenError(f"{where} must be the name of a choice, got {value!r}")
        try:
            return declared.chosen(value)
        except JaxgenError as error:
            raise JaxgenError(f"{where}: {error}") from error
    if isinstance(declared, type) and dataclasses.is_dataclass(declared):
        return _object(value, declared, where)
    if isinstance(value, list) and typing.get_origin(declared) is tuple:
        hints = typing.get_args(declared)
        # Of a fixed length each item has its hint; `check` reports too many or too few.
        of = hints[:-1] if hints[-1:] == (...,) else hints
        return tuple(
            _from_json(item, of[min(index, len(of) - 1)] if of else Any, f"{where}[{index}]")
            for index, item in enumerate(value)
        )
    if isinstance(value, float) and declared is int and value.is_integer():
        raise JaxgenError(f"{where} must be a whole number, got {value!r}")
    return value


def _object(value: Any, declared: type, where: str) -> Any:
    if not isinstance(value, dict):
        raise JaxgenError(f"{where} must be an object of JSON, got {_short(value)}")
    if "type" not in value and hasattr(declared, "upgraded"):
        value = declared.upgraded(value, where)  # type: ignore[attr-defined]
    cls = declared
    if "type" in value:
        try:
            cls = settings.find_class(str(value["type"]), declared)
        except JaxgenError as error:
            raise JaxgenError(f"{where}: {error}") from error
    if inspect.isabstract(cls):
        raise JaxgenError(f"{where} does not name its class, a kind of {cls.__name__}")
    retired = getattr(cls, "retired", ())
    given = {k: v for k, v in value.items() if k != "type" and k not in retired}
    fields = {field.name: field for field in dataclasses.fields(cls)}
    if unknown := sorted(given.keys() - fields):
        raise JaxgenError(f"{where}: {cls.__name__} has no field {', '.join(map(repr, unknown))}")
    for name, field in fields.items():
        if name not in given:
            before = settings.rules(field).before
            if before is dataclasses.MISSING:
                raise JaxgenError(f"{where}: the field {name!r} of {cls.__name__} is missing")
            given[name] = to_json(before)
    hints = typing.get_type_hints(cls)
    return cls(**{k: _from_json(v, hints[k], f"{where}.{k}") for k, v in given.items()})


def placed(config: Any, data_dir: str) -> Any:
    """A configuration whose data are in another folder; as it is for "".

    Raises:
        JaxgenError: its data are in no folder.
    """
    if not data_dir:
        return config
    data: Any = getattr(config, "data", None)
    if not hasattr(data, "dir"):
        raise JaxgenError(
            f"{settings.flag('data.dir')} {data_dir}: the data of this model are in no folder"
        )
    return dataclasses.replace(config, data=dataclasses.replace(data, dir=data_dir))


class Difference(NamedTuple):
    """One leaf in which two configurations differ."""

    name: str
    """Dotted, `optimizer.learning_rate` for one."""
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.name}: {self.old!r} -> {self.new!r}"


def differences(old: Any, new: Any, prefix: str = "") -> list[Difference]:
    """Each leaf in which two results of `to_json` differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            found
            for name in [*old, *(name for name in new if name not in old)]
            for found in differences(old.get(name), new.get(name), f"{prefix}{name}.")
        ]
    return [] if old == new else [Difference(prefix[:-1], old, new)]


def may_change(config: Any, prefix: str = "") -> set[str]:
    """Dotted names of the fields that may differ when a run goes on."""
    found = set()
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if settings.rules(field).may_change:
            found.add(prefix + field.name)
        elif dataclasses.is_dataclass(value) and not isinstance(value, Choice):
            found |= may_change(value, f"{prefix}{field.name}.")
    return found


@dataclasses.dataclass(frozen=True)
class Record:
    """What a run's `config.json` holds; the place of the run is in neither configuration."""

    config: dict[str, Any]
    """The whole configuration, as JSON values."""
    default: dict[str, Any]
    """The experiment's own, from which flags had changed it."""
    about: dict[str, Any]
    """What the data said of the model (`Task.about`)."""
    jaxgen: str = ""
    """The version of jaxgen that wrote it; "" of format 1."""
    commit: str = ""
    """The commit that jaxgen ran from, with `-dirty` if files differed from it; "" if unknown."""

    def as_json(self) -> dict[str, Any]:
        """With the format's number and a checksum over the rest."""
        written = {"format": FORMAT, **dataclasses.asdict(self)}
        return sealed(written)

    @classmethod
    def of_json(cls, value: Any, where: str) -> "Record":
        """The inverse of `as_json`; reads format 1 too.

        Raises:
            JaxgenError: it is of another format, incomplete, or not as it was written.
        """
        if not isinstance(value, dict):
            raise JaxgenError(f"{where} is not a run's configuration")
        if "exported" in value:
            raise JaxgenError(
                f"{where} is of an exported model, which cannot be trained on or reported as a run"
            )
        value = {"format": 1, **value}
        if value["format"] not in (1, FORMAT) or isinstance(value["format"], bool):
            raise JaxgenError(
                f"{where} has format {_short(value['format'])}, and jaxgen {jaxgen.__version__} "
                f"reads 1 and {FORMAT}; use a newer jaxgen"
            )
        if is_broken(value):
            raise JaxgenError(
                f"{where} is not as it was written: its checksum does not match; restore it from a "
                'copy, or, if the change is meant, delete its entry "sha256"'
            )
        written = value.pop("format")
        fields = {field.name for field in dataclasses.fields(cls)}
        needed = {"config", "default", "about"} if written == 1 else fields
        if needed - value.keys() or value.keys() - fields:
            wrong = ", ".join(sorted((needed - value.keys()) | (value.keys() - fields)))
            raise JaxgenError(
                f"{where} is not a run's configuration: missing or unknown entries {_short(wrong)}"
            )
        kinds = typing.get_type_hints(cls)
        for name, item in value.items():
            if not isinstance(item, typing.get_origin(kinds[name]) or kinds[name]):
                raise JaxgenError(f"{where}: the entry {name!r} cannot be {_short(item)}")
        return cls(**value)


def _short(value: Any) -> str:
    return settings.shortened(value if isinstance(value, str) else repr(value))


def commit() -> str:
    """The commit that jaxgen's code is of, where it runs from a checkout; else ""."""
    top = Path(jaxgen.__file__).parents[1]
    if not (top / ".git").exists():
        return ""
    command = ["git", "-C", str(top), "describe", "--always", "--dirty", "--abbrev=40"]
    command += ["--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()
