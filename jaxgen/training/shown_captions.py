"""Captions that were shown while training, in `samples/step_000500.json` of a run.

Beside the picture `step_000500.png`, which has the same captions drawn, so that a report can show
them as words, each with where it looked. Pictures in it are small copies.
"""

import base64
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.data.sealing import is_broken, sealed
from jaxgen.display.report.told import ToldCaption
from jaxgen.errors import JaxgenError
from jaxgen.training.run_folder import read_json, write_json
from jaxgen.training.task import ShownCaption

_SIDE = 144  # pixels of a picture's longer side
_MOST_MAP = 2**10  # places that a word may look at
_MOST_WEIGHTS = 2**17  # of all words of a file; more of them are left out
_MOST_SHOWN, _MOST_WORDS = 64, 256
_MOST_OF_WORD, _MOST_LETTERS = 60, 1000  # of a word, and of a true sentence


def write(path: Path, shown: Sequence[ShownCaption]) -> None:
    """Write captions.

    Raises:
        OSError: the disk refuses.
    """
    room, captions = _MOST_WEIGHTS, []
    for one in shown[:_MOST_SHOWN]:
        caption: dict[str, Any] = {
            "image": one.image,
            "seed": one.seed,
            "words": [word[:_MOST_OF_WORD] for word in one.words[:_MOST_WORDS]],
            "joined_by": one.joined_by,
            "true": one.true[:_MOST_LETTERS],
        }
        if one.picture is not None:
            caption["picture"] = _png(one.picture)
        looked = None if one.attention is None else one.attention[:_MOST_WORDS]
        if looked is not None and looked[0].size <= _MOST_MAP and looked.size <= room:
            room -= looked.size
            highest = np.maximum(looked.max(axis=(1, 2), keepdims=True), 1e-12)
            caption["attention"] = {
                "shape": list(looked.shape),
                # In 255ths of what a word looked at most.
                "weights": np.rint(255 * looked / highest).astype(int).ravel().tolist(),
                "most": [round(float(value), 4) for value in highest.ravel()],
            }
        captions.append(caption)
    write_json(path, sealed({"captions": captions}))


def read(path: Path) -> list[ToldCaption]:
    """The captions of a file.

    Raises:
        JaxgenError: it cannot be read, or is not as it was written.
    """
    found = read_json(path)
    if not isinstance(found, dict) or "sha256" not in found or is_broken(found):
        raise JaxgenError(f"{path} is not as it was written")
    try:
        return [_caption(one) for one in found["captions"][:_MOST_SHOWN]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise JaxgenError(f"{path} holds no captions that were shown ({error})") from error


def _caption(one: dict[str, Any]) -> ToldCaption:
    words = tuple(str(word)[:_MOST_OF_WORD] for word in one["words"][:_MOST_WORDS])
    weights: tuple[tuple[int, ...], ...] = ()
    rows, columns, most = 0, 0, ()
    if looked := one.get("attention"):
        count, rows, columns = (int(size) for size in looked["shape"])
        flat = [min(255, max(0, int(weight))) for weight in looked["weights"]]
        size = rows * columns
        if min(rows, columns) < 1 or count != len(words) or len(flat) != count * size:
            raise ValueError("attention of another shape")
        weights = tuple(tuple(flat[i * size : (i + 1) * size]) for i in range(count))
        most = tuple(float(value) for value in looked["most"])
        if len(most) != count or not all(map(math.isfinite, most)):
            raise ValueError("attention without its highest weights")
    return ToldCaption(
        image=int(one["image"]),
        seed=int(one["seed"]),
        words=words,
        joined_by=" " if one["joined_by"] == " " else "",
        true=str(one["true"])[:_MOST_LETTERS],
        picture=base64.b64decode(one["picture"], validate=True) if "picture" in one else b"",
        weights=weights,
        most=most,
        rows=rows,
        columns=columns,
    )


def _png(picture: np.ndarray) -> str:
    from PIL import Image

    image, written = Image.fromarray(picture), io.BytesIO()
    image.thumbnail((_SIDE, _SIDE))
    image.save(written, "PNG")
    return base64.b64encode(written.getvalue()).decode()
