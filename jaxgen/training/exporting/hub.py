"""Exported models on the Hugging Face Hub, by the package huggingface_hub (extra `hub`)."""

import importlib
import os
import re
from pathlib import Path
from typing import Any

from jaxgen.errors import JaxgenError
from jaxgen.training.exporting import sums

PREFIX = "hub:"
INSTALL = "pip install 'jaxgen[hub]'"
_PLACE = re.compile(
    r"([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?:@([A-Za-z0-9][\w./-]{0,99}))?"
)


def fetched(place: str) -> Path:
    """The folder of an exported model of the Hub, in the library's cache.

    What was fetched before is taken from there; the library's `HF_HUB_OFFLINE=1` asks no network.

    Args:
        place: `hub:USER/NAME`, or `hub:USER/NAME@REVISION`.

    Raises:
        JaxgenError: it is no such place, the library is not installed, or the Hub refuses.
    """
    name, revision = _parsed(place.removeprefix(PREFIX))
    library = _library()
    try:
        return Path(library.snapshot_download(name, revision=revision))
    except Exception as error:  # of the library, of its HTTP client, of the system
        raise JaxgenError(f"{place} cannot be fetched ({_reason(error)})") from error


def publish(folder: Path, place: str, private: bool = True, api: Any = None) -> str:
    """Put an exported model on the Hub: the files that `SHA256SUMS` names, and that one.

    Args:
        folder: an exported one, which is verified first.
        place: `USER/NAME`, made if it is not there.
        private: whether a new one can be seen by its owner only.
        api: an `HfApi` of huggingface_hub; by default one with the token that `hf auth login` left.

    Returns:
        The address that the Hub gives for the commit.

    Raises:
        JaxgenError: see `fetched`.
    """
    name, revision = _parsed(place)
    if revision:
        raise JaxgenError(f"{place}: a model is published as USER/NAME, without a revision")
    names = [*sums.verified(folder, ("config.json",)), sums.NAME]
    api = api or _library().HfApi()
    try:
        api.create_repo(name, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=name,
            folder_path=str(folder),
            allow_patterns=names,
            commit_message="Exported by jaxgen",
        )
    except Exception as error:  # of the library, of its HTTP client, of the system
        raise JaxgenError(f"{name} cannot be published ({_reason(error)})") from error
    return str(getattr(done, "commit_url", done))


def _parsed(place: str) -> tuple[str, str | None]:
    match = _PLACE.fullmatch(place)
    if not match:
        raise JaxgenError(
            f"{place!r} is no place on the Hub: give USER/NAME, or USER/NAME@REVISION"
        )
    return match[1], match[2]


def _library() -> Any:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise JaxgenError(f"the Hugging Face Hub needs a package: {INSTALL}") from error


def _reason(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first[:200]}"
