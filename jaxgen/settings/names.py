"""Names that last: of classes and choices in the files of runs, and of code of a user's own.

What comes with jaxgen has a short name that does not tell where it lives. Anything else is
`FILE:NAME`, the file without its folder and suffix: a script that was run as `python my_file.py` is
found again as the module `my_file`. Nothing is ever imported because a run's folder names it.
"""

import dataclasses
import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Self, TypeVar

from jaxgen.errors import JaxgenError

C = TypeVar("C", bound=type)

_PACKAGE = Path(__file__).parents[1]  # of jaxgen: its modules are found as files
_classes: dict[str, type] = {}
_imported: dict[str, ModuleType] = {}


def named(name: str, *aliases: str) -> Callable[[C], C]:
    """Give a configuration class the name that it has in the files of runs.

    Args:
        name: stays the same wherever the class moves.
        *aliases: names that older runs may have for it.

    Raises:
        ValueError: another class has that name already.
    """

    def mark(cls: C) -> C:
        for known in (name, *aliases):
            other = _classes.get(known, cls)
            if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
                raise ValueError(f"{other} is called {known!r} already; choose another name")
            _classes[known] = cls
        cls.stable_name = name  # type: ignore[attr-defined]
        return cls

    return mark


def class_name(cls: type) -> str:
    """The name of a class in the files of runs: that of `named`, or else `FILE:CLASS`."""
    if "stable_name" in vars(cls):
        return vars(cls)["stable_name"]
    return f"{_module_name(sys.modules[cls.__module__])}:{cls.__qualname__}"


def find_class(name: str, base: type = object) -> type:
    """The configuration class of a name: of jaxgen, or of a module that is imported already.

    Args:
        name: as `class_name` gives it.
        base: what it must be a kind of.

    Raises:
        JaxgenError: there is no such class.
    """
    if name not in _classes:
        _import_jaxgen()
    cls = _classes.get(name) or _in_loaded_modules(name)
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls) and issubclass(cls, base)):
        raise JaxgenError(f"there is no {_kind(base)} {name!r}{_hint(name)}")
    return cls


def subclasses(base: type, everywhere: bool = False) -> dict[str, type]:
    """Every named or own class that is a kind of `base`, by its name; jaxgen's first, sorted.

    Args:
        base: the class.
        everywhere: look in all of jaxgen, which takes a quarter of a second; by default in what is
            imported already and in the package of `base`.
    """
    home = base.__module__.rpartition(".")[0]
    _import_jaxgen("jaxgen" if everywhere or not home.startswith("jaxgen.") else home)
    named = {vars(cls)["stable_name"]: cls for cls in _classes.values() if issubclass(cls, base)}
    found = dict(sorted(named.items()))  # not in the order in which modules were imported
    own = {
        class_name(value): value
        for module in own_modules()
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value not in found.values()
    }
    return {name: cls for name, cls in (found | own).items() if cls is not base}


class Choice:
    """Base of the things a configuration picks by name, such as a loss.

    Those of jaxgen are called like the variables that hold them, in the modules that `homes` gives;
    one of a user's own is called `FILE:VARIABLE`. Adding one is adding a variable.
    """

    home: ClassVar[str] = ""
    """A package whose modules hold the choices; by default the module of the class does."""

    @classmethod
    def choices(cls) -> dict[str, Self]:
        """Every instance that comes with jaxgen, then those in files of the user's own."""
        found = dict(_instances(cls, cls._homes()))
        for module in own_modules():
            for variable, value in _instances(cls, [module]):
                if not any(value is other for other in found.values()):
                    found[f"{_module_name(module)}:{variable}"] = value
        return found

    @classmethod
    def _homes(cls) -> list[ModuleType]:
        if not cls.home:
            return [sys.modules[cls.__module__]]
        package = importlib.import_module(cls.home)
        names = [info.name for info in pkgutil.iter_modules(package.__path__)]
        return [importlib.import_module(f"{cls.home}.{name}") for name in sorted(names)]

    @classmethod
    def chosen(cls, name: str) -> Self:
        """The instance of a name, as `choice_name` gives it.

        Raises:
            JaxgenError: there is none.
        """
        value = cls.choices().get(name) or _in_loaded_modules(name)
        if not isinstance(value, cls):
            known = ", ".join(sorted(cls.choices()))
            raise JaxgenError(f"there is no {_kind(cls)} {name!r}{_hint(name)}; there are {known}")
        return value

    def choice_name(self) -> str:
        """The name of this instance.

        Raises:
            JaxgenError: no variable of an imported module holds it, so that it has no name.
        """
        for name, value in type(self).choices().items():
            if value is self:
                return name
        for module in list(sys.modules.values()):
            for variable, value in _instances(type(self), [module]):
                if value is self:
                    return f"{_module_name(module)}:{variable}"
        raise JaxgenError(
            f"a configuration holds a {type(self).__name__} that has no name, so that no run could "
            "find it again; give it to a variable at the top of a file"
        )


def import_own(place: str) -> ModuleType:
    """Import a file or a module of the user's own, so that its classes and choices are found.

    Args:
        place: the path of a Python file, or the dotted name of a module.

    Returns:
        The module; a file is the module of its name, its folder is searched for further imports.

    Raises:
        JaxgenError: it is not there, fails, or is called like a module that is something else.
    """
    if not place:
        raise JaxgenError("'' cannot be imported: name a file or a module")
    path = Path(os.path.expanduser(place))
    try:
        if path.suffix != ".py" and "/" not in place:
            module = importlib.import_module(place)
        else:
            module = _import_file(path)
    except JaxgenError:
        raise
    except (Exception, SystemExit) as error:  # code of a user's own raises anything
        problem = f"{type(error).__name__}: {error}"
        raise JaxgenError(f"{place} cannot be imported ({problem})") from error
    _imported[module.__name__] = module
    return module


def own_class(place: str, asked: str) -> type:
    """A class of the user's own, whose file or module is imported.

    Args:
        place: `FILE.py:CLASS` or `MODULE:CLASS`, as the user names it.
        asked: what asks for it, the beginning of a sentence.

    Raises:
        JaxgenError: the module cannot be imported, or has no such class.
    """
    module_name, _, name = place.rpartition(":")
    main = sys.modules["__main__"]
    module = main if _module_name(main) == module_name else import_own(module_name)
    cls = getattr(module, name, None)
    if not isinstance(cls, type):
        raise JaxgenError(f"{asked} {place}: {module_name} has no class {name}")
    return cls


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise JaxgenError(f"{path} cannot be imported: there is no such file")
    path, name = path.resolve(), path.stem
    main = sys.modules["__main__"]
    loaded = main if _module_name(main) == name else sys.modules.get(name)
    if loaded is not None:
        if Path(getattr(loaded, "__file__", None) or "").resolve() == path:
            return loaded
        raise JaxgenError(
            f"{path} cannot be imported: another module is called {name}; rename the file"
        )
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    return importlib.import_module(name)


def own_modules() -> list[ModuleType]:
    """Modules that the user named: the script that runs, and what `import_own` imported."""
    return [sys.modules["__main__"], *_imported.values()]


def _module_name(module: ModuleType) -> str:
    """`module.__name__`, and of the script that runs the name that it has when it is imported."""
    if module.__name__ != "__main__":
        return module.__name__
    if spec := getattr(module, "__spec__", None):
        return spec.name
    path = getattr(module, "__file__", None)
    return Path(path).stem if path else "__main__"


def _instances(cls: type, modules: Iterable[ModuleType]) -> list[tuple[str, Any]]:
    return [
        (variable, value)
        for module in modules
        for variable, value in list(getattr(module, "__dict__", {}).items())
        if isinstance(value, cls) and not variable.startswith("_")
    ]


def _in_loaded_modules(name: str) -> Any:
    """What `FILE:NAME` is in a module that is imported already; None if there is none."""
    module_name, colon, variable = name.partition(":")
    if not colon:
        return None
    main = sys.modules["__main__"]
    module = main if _module_name(main) == module_name else sys.modules.get(module_name)
    return getattr(module, variable, None)


def _import_jaxgen(package: str = "jaxgen") -> None:
    """Import every module of jaxgen, or of a package of it, so that its classes are known."""
    folder = _PACKAGE.joinpath(*package.split(".")[1:])
    for info in pkgutil.walk_packages([str(folder)], f"{package}."):
        if not info.name.startswith(("jaxgen.commands", "jaxgen.__main__")):
            importlib.import_module(info.name)


def _kind(base: type) -> str:
    return "configuration class" if base is object else base.__name__


def _hint(name: str) -> str:
    if ":" not in name:
        return ""
    return f"; import {name.partition(':')[0]} first (--import FILE on the command line)"
