"""A checksum over the entries of a JSON object, which damage does not survive."""

import hashlib
import json
from typing import Any


def seal(value: dict[str, Any]) -> str:
    """SHA-256 over the entries of a JSON object, however they are ordered."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
