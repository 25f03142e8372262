"""Fields of configurations: their ranges, declared beside them and checked in one place."""

import dataclasses
import math
import numbers
import struct
import types
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar, overload

from jaxgen.errors import JaxgenError
from jaxgen.settings.names import Choice

T = TypeVar("T")
_KEY = "jaxgen"
_MOST_WHOLE = 2**63 - 1  # what an int64 holds; a field's own limit is lower where that matters
_flags_are_spelled = False


class Rules(NamedTuple):
    """What a field's declaration says beside its type and default."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    before: Any = dataclasses.MISSING
    """The value of runs that were written before the field existed."""
    may_change: bool = False
    """Whether it may differ when a run goes on, since it does not change what is learnt."""


@overload
def setting(
    *,
    least: float | None = ...,
    most: float | None = ...,
    above: float | None = ...,
    below: float | None = ...,
    before: Any = ...,
    may_change: bool = ...,
) -> Any: ...


@overload
def setting(
    default: T,
    *,
    least: float | None = ...,
    most: float | None = ...,
    above: float | None = ...,
    below: float | None = ...,
    before: Any = ...,
    may_change: bool = ...,
) -> T: ...


def setting(
    default: Any = dataclasses.MISSING,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    before: Any = dataclasses.MISSING,
    may_change: bool = False,
) -> Any:
    """Declare a field of a configuration.

    Args:
        default: its default; a field without one has to be given.
        least, most: the smallest and the greatest value allowed; of a tuple, of each element.
        above, below: values that it must stay above and below.
        before: the value that the code had before the field existed. Runs that were written then
            load with it; without it they are refused.
        may_change: it may differ when a run goes on, since it does not change what is learnt.

    Returns:
        A dataclass field, typed as its default so that type checkers see the declared type.
    """
    declared = Rules(least, most, above, below, before, may_change)
    return dataclasses.field(default=default, metadata={_KEY: declared})


def rules(field: dataclasses.Field) -> Rules:
    """What the declaration of a field says; nothing for one that is not made by `setting`."""
    return field.metadata.get(_KEY, Rules())


def flag(name: str) -> str:
    """A setting's name as whoever reads a message would write it.

    Args:
        name: dotted, as in Python: `optimizer.learning_rate`.

    Returns:
        `--optimizer.learning-rate` on the command line, the name itself elsewhere.
    """
    return f"--{name.replace('_', '-')}" if _flags_are_spelled else name


@contextmanager
def flags_spelled(spelled: bool = True) -> Iterator[None]:
    """While a command of the command line runs, messages name flags instead of fields.

    A command that answers elsewhere, on a page for one, has them `spelled` as fields again.
    """
    global _flags_are_spelled  # noqa: PLW0603 - of the process, as standard error is
    before, _flags_are_spelled = _flags_are_spelled, spelled
    try:
        yield
    finally:
        _flags_are_spelled = before


def check(config: Any, prefix: str = "") -> None:
    """Hold a configuration, and all that it holds, against its declarations.

    After its fields have been found sound, a configuration's own method `check_together`, if it has
    one, may refuse values that do not go with each other.

    Args:
        config: a dataclass.
        prefix: where it is held, `optimizer.` for one.

    Raises:
        JaxgenError: a value is of another type than its field or out of its range.
    """
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        name = prefix + field.name
        if problem := field_problem(value, hints[field.name], rules(field)):
            raise JaxgenError(f"{flag(name)} {problem}, got {shortened(repr(value), 80)}")
        if dataclasses.is_dataclass(value) and not isinstance(value, Choice):
            check(value, f"{name}.")
    if hasattr(config, "check_together"):
        config.check_together()


def field_problem(value: Any, hint: Any, declared: Rules = Rules()) -> str:  # noqa: B008
    """What is wrong with a field's value, "must be at least 1" for one; "" if nothing is."""
    if not _fits(value, hint):
        return f"must be {_in_words(hint)}"
    whole = int in (hint, *typing.get_args(hint)[:1])
    for item in value if isinstance(value, tuple) else (value,):
        is_number = isinstance(item, numbers.Real) and not isinstance(item, bool)
        if is_number and (problem := _range_problem(item, declared, whole)):
            return problem
    return ""


def _range_problem(value: Any, declared: Rules, whole: bool) -> str:
    least, most, above, below = declared[:4]
    # A whole number is finite, but may be too large to be asked.
    if not hasattr(value, "__index__") and not math.isfinite(value):
        return "must be finite"
    if whole and most is None and below is None:
        most = _MOST_WHOLE
    too_low = (least is not None and value < least) or (above is not None and value <= above)
    too_high = (most is not None and value > most) or (below is not None and value >= below)
    if not (too_low or too_high):
        return "" if whole else _rounding_problem(value, declared)
    low = "" if least is None and above is None else f"[{least}" if above is None else f"({above}"
    high = "" if most is None and below is None else f"{most}]" if below is None else f"{below})"
    if low and high and not whole:
        return f"must be in {low}, {high}"
    if too_low and above is not None:
        return "must be positive" if above == 0 else f"must be above {above}"
    if too_low:
        return f"must be at least {least}"
    return f"must be at most {most}" if below is None else f"must be below {below}"


def _rounding_problem(value: Any, declared: Rules) -> str:
    """What is wrong with a number once it is a float32, in which all is computed."""
    try:
        (rounded,) = struct.unpack("<f", struct.pack("<f", float(value)))
    except OverflowError:
        return "must be between -3.4e38 and 3.4e38, the limits of float32"
    _, _, above, below = declared[:4]
    if above is not None and rounded <= above:
        return f"must be above {above} in float32 too, which rounds it to {rounded:g}"
    if below is not None and rounded >= below:
        return f"must be below {below} in float32 too, which rounds it to {rounded:g}"
    return ""


def _fits(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is typing.Literal:
        return any(value == option and type(value) is type(option) for option in arguments)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return all(_fits(item, arguments[0]) for item in value)
        pairs = zip(value, arguments, strict=False)
        return len(value) == len(arguments) and all(_fits(*pair) for pair in pairs)
    if hint in (int, float):
        kind = numbers.Integral if hint is int else numbers.Real
        return isinstance(value, kind) and not isinstance(value, bool)
    return isinstance(value, hint) if isinstance(hint, type) else True


def _in_words(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_in_words, arguments))
    if origin is typing.Literal:
        return " or ".join(map(repr, arguments))
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return f"a tuple, each item {_in_words(arguments[0])}"
        return f"a tuple of {len(arguments)}, each item {_in_words(arguments[0])}"
    words = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
    if hint in words:
        return words[hint]
    return f"a {hint.__name__}" if isinstance(hint, type) else str(hint)


def shortened(text: str, most: int = 60) -> str:
    """The text for a message of one line, cut to `most` characters with an ellipsis.

    What is no character to print, such as the end of a line, is escaped.
    """
    text = text[: most + 1]
    text = "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)
    return text if len(text) <= most else f"{text[: most - 3]}..."
