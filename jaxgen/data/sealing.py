"""JSON objects with a checksum over their entries, which damage does not survive."""

import hashlib
import json
from typing import Any


def seal(value: dict[str, Any]) -> str:
    """SHA-256 over the entries of a JSON object, however they are ordered."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """The object with its seal as another entry, `sha256`."""
    return {**value, "sha256": seal(value)}


def is_broken(value: dict[str, Any]) -> bool:
    """Whether an object has a seal and is not as it was sealed; the seal is taken out of it."""
    return "sha256" in value and value.pop("sha256") != seal(value)
