"""Captions of a report: words over training, each with where it looked."""

import base64
import io
from typing import Any, Protocol

import numpy as np

from jaxgen.display.report import pictures
from jaxgen.display.report.html import element, slider, text
from jaxgen.display.report.told import Told, ToldCaption

_MOST_CAPTIONS, _MOST_CAPTION_STEPS = 24, 12
_MOST_LETTERS = 100_000  # of a run's captions
_MOST_WEIGHTS = 120_000  # bytes of a run's attention


class Data(Protocol):
    """Where values for the page's script go."""

    def add(self, key: str, value: Any) -> int:
        """Keep a value under a key; its place there."""
        ...


def cards(run: Told, data: Data) -> str:
    """Captions as words, whose attention shows on the picture."""
    places = np.linspace(0, len(run.captions) - 1, min(_MOST_CAPTION_STEPS, len(run.captions)))
    chosen = [run.captions[place] for place in dict.fromkeys(places.astype(int).tolist())]
    room, letters, steps = _MOST_WEIGHTS, 0, []
    for step, captions in reversed(chosen):
        letters += sum(len(caption.sentence) + 4 * len(caption.words) for caption in captions)
        if letters > _MOST_LETTERS and steps:
            break  # the newest are what counts
        rows = []
        for caption in captions[:_MOST_CAPTIONS]:
            row: dict[str, Any] = {"words": caption.words, "joined": caption.joined_by}
            if (size := sum(map(len, caption.weights))) and size <= room:
                room -= size
                looked = bytes(weight for word in caption.weights for weight in word)
                row |= {
                    "weights": base64.b64encode(looked).decode(),
                    "most": [round(value, 3) for value in caption.most],
                    "size": [caption.rows, caption.columns],
                }
            rows.append(row)
        steps.append({"step": step, "rows": rows})
    place = data.add("captions", steps[::-1])
    newest = chosen[-1][1]
    several = len({caption.seed for caption in newest}) > 1
    each = "".join(_card(caption, several) for caption in newest[:_MOST_CAPTIONS])
    said = ""
    if any(caption.weights for caption in newest):
        said = element(
            "p",
            "Point at a word, or reach it by the keyboard, to see where it looked in the picture.",
            class_="quiet js",
        )
    over_time = element(
        "div", slider([part["step"] for part in steps[::-1]], "Step"), class_="controls"
    )
    inner = said + over_time + element("div", each, class_="cards")
    return element("div", inner, class_="captions", data_captions=place)


def _card(caption: ToldCaption, several: bool) -> str:
    address = small(caption.picture)
    seed = f", seed {caption.seed}" if several else ""
    if address:
        alt = f"Validation picture {caption.image}{seed}: {caption.true}"
        picture = element("img", src=address, alt=alt, class_="pixels")
    else:
        picture = element("span", "no picture", class_="missing")
    veil = element("canvas", "", aria_hidden="true", class_="veil")
    made = element("p", text(caption.sentence or "(nothing)"), class_="made", dir="auto")
    true = element("p", text(caption.true), class_="true", dir="auto")
    which = element("p", text(f"Picture {caption.image}{seed}"), class_="quiet")
    looked = element("p", "", class_="looked quiet", aria_live="polite")
    frame = element("div", picture + veil, class_="picture")
    return element("div", frame + made + true + which + looked, class_="card")


def small(picture: bytes, room: int = 9000) -> str:
    """The address of a small picture; "" where it cannot be read."""
    if not picture:
        return ""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(picture), formats=["PNG"]) as opened:
            pixels = np.asarray(opened.convert("RGB"))
    except Exception:  # a damaged picture makes Pillow raise nearly anything
        return ""
    return pictures.address_of(pixels, room)
