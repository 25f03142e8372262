"""Pictures and sentences as HTML that needs no other file: all text in it is escaped.

H height, W width.
"""

import base64
import html
import io
from collections.abc import Sequence

import numpy as np

_MILLISECONDS = 80  # a frame
_SMALL = 500  # pixels a side, up to which a saved picture is enlarged
STYLE = """
.jg img { image-rendering: pixelated; max-width: 100%; height: auto; display: block; }
.jg img.grid { width: min(100%, 640px); }
.jg img.seen { width: 224px; }
.jg img.moving { width: min(100%, 640px); max-height: 70vh; object-fit: contain;
  object-position: left; }
.jg .sentence { font-size: 1.35em; margin: 0.6em 0 0.2em; overflow-wrap: anywhere; }
.jg .small { color: var(--body-text-color-subdued); margin: 0.2em 0 0.8em; }
.jg .problem { border-left: 4px solid #b91c1c; padding: 0.6em 0.8em; margin: 0.4em 0;
  background: var(--background-fill-secondary); overflow-wrap: anywhere; }
.jg .words { display: flex; flex-wrap: wrap; gap: 8px; padding: 0; margin: 0; }
.jg figure { margin: 0; width: clamp(72px, 22vw, 112px); }
.jg figcaption { text-align: center; overflow-wrap: anywhere; }
.jg-pictures .grid-container { grid-template-columns: repeat(4, minmax(0, 1fr)) !important;
  grid-auto-rows: auto !important; }
.jg-pictures .grid-container button { aspect-ratio: 1; height: auto; min-height: 0; }
.jg-pictures .grid-wrap { padding-top: 2em; min-height: 0; }
"""
"""Of what `answer` and `problem` give, and of pictures to choose from."""


def answer(*parts: str) -> str:
    """Parts of HTML as one answer of a page."""
    return f'<div class="jg">{"".join(parts)}</div>'


def problem(sentence: str) -> str:
    """What went wrong, as an answer that a screen reader reads at once."""
    return answer(f'<p class="problem" role="alert">{html.escape(sentence)}</p>')


def paragraph(text: str, kind: str) -> str:
    """Text in a paragraph of a class of `STYLE`."""
    return f'<p class="{kind}">{html.escape(text)}</p>'


def picture(pixels: np.ndarray, told: str, kind: str = "grid", save_as: str = "") -> str:
    """A picture, uint8 (H, W) or (H, W, 3), with words for those who do not see it.

    Args:
        pixels: the picture.
        told: what is on it.
        kind: a class of `STYLE`.
        save_as: name of a file, for a link that saves it; none if empty.
    """
    shown = f'<img class="{kind}" alt="{html.escape(told)}" src="{_png(pixels)}">'
    if not save_as:
        return shown
    times = 2 if max(pixels.shape[:2]) < _SMALL else 1
    saved = _png(pixels.repeat(times, axis=0).repeat(times, axis=1))
    return shown + _link(saved, save_as)


def animation(frames: Sequence[np.ndarray], told: str, save_as: str) -> str:
    """Frames of one size, uint8 (H, W) or (H, W, 3), as an endless GIF; still where that is asked.

    Args:
        frames: the pictures.
        told: what is on them.
        save_as: name of the file that a link saves.
    """
    moving = _as_data(_gif(frames), "gif")
    return (
        '<picture><source media="(prefers-reduced-motion: reduce)" '
        f'srcset="{_png(frames[0])}">'
        f'<img class="moving" alt="{html.escape(told)}" src="{moving}"></picture>'
        + _link(moving, save_as)
    )


def words(pictures: Sequence[tuple[str, np.ndarray]]) -> str:
    """Where each word looked: a picture with the word below it, in lines as wide as the screen."""
    figures = "".join(
        f"<figure>{picture(pixels, f'where {word!r} looked', 'word')}"
        f"<figcaption>{html.escape(word)}</figcaption></figure>"
        for word, pixels in pictures
    )
    return f'<div class="words">{figures}</div>'


def _link(data: str, name: str) -> str:
    return f'<p class="small"><a download="{html.escape(name)}" href="{data}">Save it</a></p>'


def _png(pixels: np.ndarray) -> str:
    from PIL import Image

    contents = io.BytesIO()
    Image.fromarray(pixels).save(contents, "png")
    return _as_data(contents.getvalue(), "png")


def _gif(frames: Sequence[np.ndarray]) -> bytes:
    from PIL import Image

    first, *more = [
        Image.fromarray(frame).convert("P", palette=Image.Palette.ADAPTIVE) for frame in frames
    ]
    contents = io.BytesIO()
    first.save(contents, "gif", save_all=True, append_images=more, duration=_MILLISECONDS, loop=0)
    return contents.getvalue()


def _as_data(contents: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(contents).decode()}"
