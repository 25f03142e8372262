"""Images with their captions, as files of COCO, Karpathy, Flickr and of people have them.

The form of a file is told from its content:

    coco      {"images": [{"id", "file_name"}, ...], "annotations": [{"image_id", "caption"}, ...]}
    results   [{"image_id", "caption"}, ...], what captioners are scored by
    karpathy  {"images": [{"filename", "split", "sentences": [{"raw"}, ...]}, ...]}, such as
              dataset_coco.json, where a split is train, restval, val or test
    flickr    lines of IMAGE#NUMBER, a tab and a caption, such as Flickr8k.token.txt
    csv       a header that names the columns image and caption, and perhaps split, among others
    list      [{"image", "caption"}, ...]
    object    {IMAGE: [CAPTION, ...], ...}
"""

import csv
import io
import json
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jaxgen.data import ordinary_files
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, shortened

Format = Literal["auto", "coco", "results", "karpathy", "flickr", "csv", "list", "object"]

MOST_BYTES = 2**28
"""Of a file; Karpathy's for COCO has 144 million."""
MOST_CHARACTERS = 5_000
"""Of a caption, or of the name of an image."""

Id = int | str

_FLICKR = re.compile(r"(.+)#(\d+)\t(.*)")


@dataclass
class Captioned:
    """An image and the captions of it."""

    name: str | None
    """Its file, a path with `/` between the parts; None where the file of captions has only ids."""
    id: Id | None
    """What results call it; None where there are only names."""
    split: str | None = None
    captions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CaptionSet:
    """What a file of captions holds."""

    format: Format
    images: list[Captioned]
    """In the order of the file, also those without captions."""
    homeless: list[str]
    """Images, by id, that captions are about and that the file does not describe; one a caption."""


def read(path: Path, format: Format = "auto") -> CaptionSet:
    """Reads a file of captions.

    Args:
        path: of the file, in UTF-8.
        format: what it is; auto tells it from the content.

    Returns:
        Its images; at least one caption, which may be empty.

    Raises:
        JaxgenError: the file cannot be read, is too large, or is of another form; the message says
            where.
    """
    text = ordinary_files.text(path, "give a file of captions in UTF-8", MOST_BYTES)
    start = text[:1000].lstrip()[:1]
    if format in _OF_JSON or (
        format == "auto" and (path.suffix.lower() == ".json" or start in ("[", "{"))
    ):
        content = _json(path, text)
        found = _format(path, content) if format == "auto" else format
        made = _Reader(path, found)
        _OF_JSON[found](made, content)
    else:
        first = next((line for line in io.StringIO(text[:20_000]) if line.strip()), "")
        found = ("flickr" if _FLICKR.match(first) else "csv") if format == "auto" else format
        made = _Reader(path, found)
        (_flickr if found == "flickr" else _csv)(made, text)
    if not made.captions:
        raise JaxgenError(f"{path} has no captions; give one row for each")
    return CaptionSet(found, list(made.images.values()), made.homeless)


class _Reader:
    """Images as they are found in a file, and what its entries have to be."""

    def __init__(self, path: Path, format: Format) -> None:
        self.path, self.format = path, format
        self.images: dict[Id, Captioned] = {}
        self.homeless: list[str] = []
        self.captions = 0

    def refuse(self, what: str) -> JaxgenError:
        return JaxgenError(f"{self.path}: {what} (read as {self.format})")

    def items(self, content: Any, key: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Objects of a list, each with what messages call it."""
        entries = content if key is None else self.value(content, key, list, "the file")
        if not isinstance(entries, list):
            raise self.refuse(f"it must be a list, not {_line(entries)}")
        for number, entry in enumerate(entries):
            where = f"{key or 'entry '}[{number}]" if key else f"entry {number}"
            if not isinstance(entry, dict):
                raise self.refuse(f"{where} must be an object, not {_line(entry)}")
            yield where, entry

    def value(self, entry: Any, key: str, kind: type | tuple[type, ...], where: str) -> Any:
        if not isinstance(entry, dict) or key not in entry:
            raise self.refuse(f"{where} has no {key!r}")
        value = entry[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.refuse(f"{where} has a {key!r} of the wrong type: {_line(value)}")
        return value

    def text(self, entry: Any, key: str, where: str) -> str:
        return self.short(self.value(entry, key, str, where), key, where)

    def short(self, text: str, called: str, where: str) -> str:
        if len(text) > MOST_CHARACTERS:
            raise self.refuse(
                f"{where} has a {called!r} of {len(text)} characters, more than {MOST_CHARACTERS}"
            )
        return text

    def id(self, entry: Any, key: str, where: str) -> Id:
        value = self.value(entry, key, (int, str), where)
        return self.short(value, key, where) if isinstance(value, str) else value

    def describe(self, image: Captioned, key: Id, where: str) -> Captioned:
        if key in self.images:
            raise self.refuse(f"{where} is of the image {_line(key)}, as one before it")
        self.images[key] = image
        return image

    def add(self, image: Captioned, caption: str) -> None:
        image.captions.append(caption)
        self.captions += 1

    def named(self, name: str) -> Captioned:
        name = posixpath.normpath(name)
        return self.images.setdefault(name, Captioned(name, None))


def _coco(made: _Reader, content: Any) -> None:
    for where, entry in made.items(content, "images"):
        id = made.id(entry, "id", where)
        name = made.text(entry, "file_name", where) if "file_name" in entry else None
        made.describe(Captioned(name and posixpath.normpath(name), id), id, where)
    for where, entry in made.items(content, "annotations"):
        id, caption = made.id(entry, "image_id", where), made.text(entry, "caption", where)
        if id in made.images:
            made.add(made.images[id], caption)
        else:
            made.homeless.append(str(id))
            made.captions += 1


def _results(made: _Reader, content: Any) -> None:
    for where, entry in made.items(content, None):
        id = made.id(entry, "image_id", where)
        image = made.images.setdefault(id, Captioned(None, id))
        made.add(image, made.text(entry, "caption", where))


def _karpathy(made: _Reader, content: Any) -> None:
    for where, entry in made.items(content, "images"):
        name = made.text(entry, "filename", where)
        if "filepath" in entry:
            name = f"{made.text(entry, 'filepath', where)}/{name}"
        key = next((key for key in ("cocoid", "imgid") if key in entry), None)
        id = made.id(entry, key, where) if key else None
        split = made.text(entry, "split", where)
        image = Captioned(posixpath.normpath(name), id, split)
        made.describe(image, name if id is None else id, where)
        for number, sentence in enumerate(made.value(entry, "sentences", list, where)):
            made.add(image, made.text(sentence, "raw", f"{where}.sentences[{number}]"))


def _list(made: _Reader, content: Any) -> None:
    for where, entry in made.items(content, None):
        image = made.named(made.text(entry, "image", where))
        made.add(image, made.text(entry, "caption", where))


def _object(made: _Reader, content: Any) -> None:
    if not isinstance(content, dict):
        raise made.refuse(f"it must be an object, not {_line(content)}")
    for name, captions in content.items():
        where = f"the image {_line(name)}"
        if not isinstance(captions, list):
            raise made.refuse(f"the captions of {where} are not a list")
        for number, caption in enumerate(captions):
            if not isinstance(caption, str):
                raise made.refuse(f"caption {number} of {where} is not a text: {_line(caption)}")
            made.add(made.named(name), made.short(caption, "caption", where))
        made.named(made.short(name, "name", where))


def _flickr(made: _Reader, text: str) -> None:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        matched = _FLICKR.fullmatch(line.rstrip("\r"))
        if not matched:
            raise made.refuse(
                f"line {number} must be IMAGE#NUMBER, a tab and a caption, not {_line(line)}"
            )
        caption = made.short(matched[3], "caption", f"line {number}")
        made.add(made.named(made.short(matched[1], "name", f"line {number}")), caption)


def _csv(made: _Reader, text: str) -> None:
    path = made.path
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    try:
        columns = {name.strip().lower(): name for name in reader.fieldnames or ()}
        if not {"image", "caption"} <= columns.keys():
            raise JaxgenError(
                f"{path} must be CSV with a header that names the columns image and caption; its "
                f"first line has {_plain(', '.join(reader.fieldnames or ())) or 'nothing'}"
                f" ({flag('format')} names another form)"
            )
        for row in reader:
            if None in row or None in row.values():
                raise JaxgenError(
                    f"{path} line {reader.line_num} has {'more' if None in row else 'fewer'} "
                    "fields than the header; put captions with commas between quotation marks"
                )
            where = f"line {reader.line_num}"
            image = made.named(made.short(row[columns["image"]].strip(), "image", where))
            made.add(image, made.short(row[columns["caption"]], "caption", where))
            split = row[columns["split"]].strip() if "split" in columns else ""
            if split and image.split not in (None, split):
                raise made.refuse(
                    f"{where} puts {_line(image.name)} into another split than before"
                )
            image.split = split or image.split
    except csv.Error as error:
        raise JaxgenError(f"{path} line {reader.line_num} is not CSV ({error})") from error


_OF_JSON: dict[str, Callable[[_Reader, Any], None]] = {
    "coco": _coco,
    "results": _results,
    "karpathy": _karpathy,
    "list": _list,
    "object": _object,
}


def _json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise JaxgenError(f"{path} is not JSON ({error})") from error


def _format(path: Path, content: Any) -> Format:
    """Which form a file of JSON has."""
    if isinstance(content, list):
        first = content[0] if content else {}
        return "results" if isinstance(first, dict) and "image_id" in first else "list"
    if isinstance(content, dict):
        images = content.get("images")
        if "annotations" in content and isinstance(images, list):
            return "coco"
        if isinstance(images, list) and images and isinstance(images[0], dict):
            return "karpathy"
        return "object"
    raise JaxgenError(
        f"{path} must hold a list or an object of captions, not {_line(content)}; "
        f"{flag('format')} lists the forms"
    )


def _line(value: object) -> str:
    """What of a file a message shows: one line, and not a long one."""
    return _plain(repr(value))


def _plain(text: str) -> str:
    return shortened(" ".join(text.split()), 200)
