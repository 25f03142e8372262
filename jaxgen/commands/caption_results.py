"""Captions of all validation images in COCO's format of results, and what people wrote of them."""

import json
import posixpath
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxgen.display.replacing import replacing
from jaxgen.errors import JaxgenError

if TYPE_CHECKING:
    from jaxgen.captioning.trained import TrainedCaptioner

_OF_COCO = re.compile(r"COCO_\w+_0*(\d+)\.\w+")


def write(
    trained: "TrainedCaptioner",
    results: Path | None,
    references: Path | None,
    seed: int,
    decoding: Mapping[str, Any],
) -> int:
    """Caption all validation images, and write what was asked for.

    An image is told by the number in its name where that is one of COCO's, by the last part of its
    path where no other has the same, by the whole path, or by its number where it has no file of
    its own.

    Raises:
        JaxgenError: only references are asked for, or a path cannot be written to.
    """
    if results is None:
        raise JaxgenError("--references: give --results too, the file of the captions")
    for flag, path in (("--results", results), ("--references", references)):
        if path is not None and not path.parent.is_dir():
            raise JaxgenError(f"{flag} {path}: there is no folder {path.parent}")
        if path is not None and path.exists() and not path.is_file():
            raise JaxgenError(f"{flag} {path}: there is something that is not a file")
    if results == references:
        raise JaxgenError(f"--results and --references are both {results}; name two files")
    told = trained.results(seed, **decoding)
    ids = _ids([(image, place) for image, place, _, _ in told])
    captions = [
        {"image_id": id, "caption": caption}
        for id, (_, _, caption, _) in zip(ids, told, strict=True)
    ]
    _save(results, captions)
    print(f"{len(captions)} captions {results}")
    if references is not None:
        true = [(id, some) for id, (_, _, _, some) in zip(ids, told, strict=True)]
        flat = [(id, caption) for id, some in true for caption in some]
        annotations = [
            {"id": number, "image_id": id, "caption": caption}
            for number, (id, caption) in enumerate(flat)
        ]
        images = [{"id": id, "file_name": str(id)} for id in ids]
        _save(references, {"images": images, "annotations": annotations})
        print(f"{len(flat)} references {references}")
    return 0


def _ids(images: Sequence[tuple[int, str]]) -> list[int | str]:
    """What results call images, given their numbers and the places of their pictures."""
    last = Counter(posixpath.basename(place) for _, place in images)
    ids: list[int | str] = []
    for image, place in images:
        name = posixpath.basename(place)
        of_coco = _OF_COCO.fullmatch(name)
        if not place or "#" in place:
            ids.append(image)
        elif of_coco:
            ids.append(int(of_coco[1]))
        else:
            ids.append(name if last[name] == 1 else place)
    return ids if len(set(ids)) == len(ids) else [image for image, _ in images]


def _save(path: Path, content: Any) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")
