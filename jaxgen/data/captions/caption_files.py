"""Captions as people write them down, CSV or JSON, and the plain words in them."""

import csv
import io
import json
import posixpath
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxgen.data import ordinary_files
from jaxgen.errors import JaxgenError
from jaxgen.settings import shortened

_APOSTROPHES = str.maketrans("", "", "'\u2019\u02bc`")


def read(path: Path) -> list[tuple[str, str]]:
    """Reads pairs of an image's name and a caption; an image may come several times.

    A file whose name ends in `.json` holds a list of `{"image": NAME, "caption": TEXT}`, an object
    `{NAME: [TEXT, ...], ...}`, or COCO's `{"images": [{"id", "file_name"}, ...], "annotations":
    [{"image_id", "caption"}, ...]}`. Any other is CSV whose header names the columns image and
    caption among others.

    Args:
        path: of the file, in UTF-8.

    Returns:
        The pairs, in the order of the file; names are paths with `/` between their parts.

    Raises:
        JaxgenError: the file cannot be read or is of another form.
    """
    text = ordinary_files.text(path, "give a file of captions in UTF-8")
    pairs = _of_json(path, text) if path.suffix.lower() == ".json" else _of_csv(path, text)
    if not pairs:
        raise JaxgenError(f"{path} has no captions; give one row for each")
    return [(posixpath.normpath(image), caption) for image, caption in pairs]


def words(sentence: str) -> str:
    """The words of a sentence in lower case, with a space between them.

    Apostrophes are dropped (man's is mans); any other punctuation mark, sign or emoji separates
    words (well-known is two of them). Letters, accents and digits of all languages stay.
    """
    plain = unicodedata.normalize("NFKC", sentence).lower().translate(_APOSTROPHES)
    kept = (mark if unicodedata.category(mark)[0] in "LMN" else " " for mark in plain)
    return " ".join("".join(kept).split())


def _of_csv(path: Path, text: str) -> list[tuple[str, str]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    try:
        columns = {name.strip().lower(): name for name in reader.fieldnames or ()}
        if not {"image", "caption"} <= columns.keys():
            raise JaxgenError(
                f"{path} must be CSV with a header that names the columns image and caption; its "
                f"first line has {_line(', '.join(reader.fieldnames or ())) or 'nothing'}"
            )
        pairs = []
        for row in reader:
            if None in row or None in row.values():
                raise JaxgenError(
                    f"{path} line {reader.line_num} has {'more' if None in row else 'fewer'} "
                    "fields than the header; put captions with commas between quotation marks"
                )
            pairs.append((row[columns["image"]].strip(), row[columns["caption"]]))
    except csv.Error as error:
        raise JaxgenError(f"{path} line {reader.line_num} is not CSV ({error})") from error
    return pairs


def _of_json(path: Path, text: str) -> list[tuple[str, str]]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise JaxgenError(f"{path} is not JSON ({error})") from error
    try:
        pairs = list(_pairs(content))
    except (KeyError, TypeError, AttributeError) as error:
        raise JaxgenError(
            f'{path} must hold [{{"image": ..., "caption": ...}}, ...], {{"image": ["caption", '
            f'...], ...}} or COCO\'s "images" and "annotations" ({type(error).__name__}: '
            f"{_line(error)})"
        ) from error
    for number, pair in enumerate(pairs):
        if not all(isinstance(text, str) for text in pair):
            raise JaxgenError(
                f"{path}: image and caption {number} must be texts, not {_line(pair)}"
            )
    return pairs


def _line(value: object) -> str:
    """What of a file a message shows: one line, and not a long one."""
    return shortened(" ".join(str(value).split()), 200)


def _pairs(content: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(content, list):
        yield from ((entry["image"], entry["caption"]) for entry in content)
    elif content.keys() >= {"images", "annotations"}:
        names = {image["id"]: image["file_name"] for image in content["images"]}
        for annotation in content["annotations"]:
            yield names[annotation["image_id"]], annotation["caption"]
    else:
        for image, captions in content.items():
            if not isinstance(captions, list):
                raise TypeError(f"the captions of {image!r} are not a list")
            yield from ((image, caption) for caption in captions)
