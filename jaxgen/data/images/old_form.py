"""Sets of images as jaxgen 0.1.0 wrote them into runs: one form for all, a name, unused fields."""

from typing import Any, Literal

from jaxgen import settings
from jaxgen.errors import JaxgenError

_FIELDS: dict[str, Any] = {
    "name": Literal["mnist5k", "mnist", "fashion_mnist", "idx", "pictures"],
    "dir": str,
    "train": int,
    "validation": int,
    "size": int,
    "colour": Literal["auto", "grey", "rgb"],
}
_KEPT = {
    "mnist5k": ("train",),
    "idx": ("train", "dir"),
    "pictures": ("train", "dir", "size", "colour"),
}


def upgraded(value: Any, where: str) -> dict[str, Any]:
    """Today's form; fields that meant nothing to the set are dropped.

    Args:
        value: the form of jaxgen 0.1.0.
        where: what to call it in messages.

    Returns:
        `type` and the fields of its class.

    Raises:
        JaxgenError: it is not of that form.
    """
    if not isinstance(value, dict):
        raise JaxgenError(f"{where} must be an object of JSON, got {type(value).__name__}")
    if wrong := sorted(map(str, value.keys() ^ _FIELDS.keys())):
        raise JaxgenError(
            f"{where} has no 'type', and is no set of images of jaxgen 0.1.0 either: missing or "
            f"unknown fields {', '.join(wrong)}"
        )
    for name, hint in _FIELDS.items():
        if problem := settings.field_problem(value[name], hint):
            raise JaxgenError(f"{where}.{name} {problem}, got {value[name]!r:.60}")
    name = value["name"]
    if name in _KEPT:
        return {"type": name, **{field: value[field] for field in _KEPT[name]}}
    # Its images had to be of the size that was given, so 0, as they are, is the same.
    return {
        "type": "tfds",
        "train": value["train"],
        "name": name,
        "dir": value["dir"],
        "size": 0,
        "colour": value["colour"],
        "download": False,
    }
