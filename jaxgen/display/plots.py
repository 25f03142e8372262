"""Pictures: grids of images, curves of metrics, animations. All NumPy in, uint8 or files out.

N batch, H height, W width, C channels (1 grey or 3 colours).
"""

import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from jaxgen.display.replacing import replacing


def to_bytes(images: np.ndarray) -> np.ndarray:
    """[-1, 1] to uint8 [0, 255], rounded and clipped; any shape."""
    return np.clip(np.rint((np.asarray(images, np.float64) + 1) * 127.5), 0, 255).astype(np.uint8)


def grid(
    images_NHWC: np.ndarray,
    columns: int = 0,
    padding: int = 2,
    normalize_each: bool = False,
) -> np.ndarray:
    """Images side by side on black, like torchvision's `make_grid`.

    Args:
        images_NHWC: floats in [-1, 1], 1 or 3 channels.
        columns: images in a row, if there are as many; 0 for the squarest grid.
        padding: black pixels around each image; a single image has none, as torchvision's.
        normalize_each: stretch each image so that its lowest value is black, its highest white
            (`make_grid(normalize=True, scale_each=True)`); a uniform image becomes black.

    Returns:
        uint8 (height, width) for one channel, (height, width, 3) for three.

    Raises:
        ValueError: no images, or not of four axes.
    """
    images = np.asarray(images_NHWC)
    if images.ndim != 4 or not len(images):
        raise ValueError(f"a grid needs images (N, H, W, C) with N > 0, not {images.shape}")
    count, height, width, channels = images.shape
    padding = padding if count > 1 else 0
    columns = min(columns or int(np.ceil(np.sqrt(count))), count)
    down, across = height + padding, width + padding
    size = -(-count // columns) * down + padding, columns * across + padding
    picture = np.zeros((*size, channels), np.uint8)
    # One image after the other, since all of them in float64 take eight times the picture's memory.
    for index, image_HWC in enumerate(images):
        top, left = index // columns * down + padding, index % columns * across + padding
        pixels = to_bytes(_stretched(image_HWC) if normalize_each else image_HWC)
        picture[top : top + height, left : left + width] = pixels
    return picture[..., 0] if channels == 1 else picture


def _stretched(image_HWC: np.ndarray) -> np.ndarray:
    """The image with its lowest value at -1 and its highest at 1."""
    from_low = np.asarray(image_HWC, np.float64) - np.float64(image_HWC.min())
    return 2 * from_low / max(from_low.max(), 1e-5) - 1


def captioned(
    pictures: Sequence[np.ndarray | None],
    captions: Sequence[str],
    references: Sequence[str],
    columns: int = 4,
) -> np.ndarray:
    """Pictures, each with a generated sentence and, in grey below it, a true one.

    Args:
        pictures: uint8 (H, W, 3) of any size, or None for one that is missing.
        captions: generated sentences.
        references: true ones.
        columns: pictures in a row.

    Returns:
        uint8 (height, width, 3), of a size that depends on the number of pictures alone; sentences
        that do not fit are cut.
    """
    from PIL import Image, ImageDraw, ImageFont, ImageOps

    side, line, most_lines, margin = 224, 16, 4, 8
    width, height = side + 2 * margin, side + 2 * margin + 2 * most_lines * line
    columns = min(columns, len(pictures))
    canvas = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=13)
    cells = zip(pictures, captions, references, strict=True)
    for index, (picture, *sentences) in enumerate(cells):
        left, top = index % columns * width + margin, index // columns * height + margin
        if picture is None:
            draw.rectangle((left, top, left + side, top + side), fill="lightgrey")
        else:
            fitted = ImageOps.contain(Image.fromarray(picture), (side, side))
            canvas.paste(fitted, (left, top))
        for part, (sentence, colour) in enumerate(zip(sentences, ("black", "grey"), strict=True)):
            lines = textwrap.wrap(sentence, 34, max_lines=most_lines, placeholder=" ...")
            place = (left, top + side + 2 + part * most_lines * line)
            draw.multiline_text(place, "\n".join(lines), colour, font, spacing=2)
    return np.asarray(canvas)


def attended(
    rows: Sequence[tuple[np.ndarray | None, Sequence[str], np.ndarray]],
    columns: int = 10,
    side: int = 96,
) -> np.ndarray:
    """Where in pictures the words of their captions looked: each picture, then once for each word.

    Args:
        rows: for each caption its picture, uint8 (H, W, 3), or None for one that is missing;
            its words; and their attention, floats (words, h, w), a map of the picture each. What a
            word looked at most is lit up, the rest is darkened.
        columns: words in a line.
        side: pixels of each copy of a picture.

    Returns:
        uint8 (height, width, 3).
    """
    from PIL import Image, ImageDraw, ImageFont

    line, margin = 18, 4
    lines = [max(1, -(-len(words) // columns)) for _, words, _ in rows]
    size = ((columns + 1) * (side + margin) + margin, sum(lines) * (side + line + margin) + margin)
    canvas = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=13)

    def cell(pixels: np.ndarray, column: int, line_of_cell: int, word: str) -> None:
        left = margin + column * (side + margin)
        top = margin + line_of_cell * (side + line + margin)
        canvas.paste(Image.fromarray(pixels), (left, top))
        draw.text((left, top + side), word, "black", font)

    for first, (picture, words, maps) in zip(np.cumsum([0, *lines]), rows, strict=False):
        shown = np.full((side, side, 3), 200, np.uint8)
        if picture is not None:
            shown = np.asarray(Image.fromarray(picture).resize((side, side)))
        cell(shown, 0, first, "")
        for index, (word, weights) in enumerate(zip(words, maps, strict=True)):
            cell(lit(shown, weights), 1 + index % columns, first + index // columns, word)
    return np.asarray(canvas)


def lit(picture: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A picture, uint8 (H, W, 3), lit up where weights, floats (h, w), are large, else darkened."""
    from PIL import Image

    share = Image.fromarray(np.float32(weights / weights.max()))
    light = np.asarray(share.resize(picture.shape[1::-1], Image.Resampling.NEAREST))
    # Light is added too, since on a dark background a factor alone hardly shows.
    return (picture * (0.4 + 0.3 * light[..., None]) + 70 * light[..., None]).astype(np.uint8)


def titled(pictures: Sequence[np.ndarray], titles: Sequence[str]) -> np.ndarray:
    """Pictures side by side on white, in rows of about as many, each with a title above it.

    Args:
        pictures: uint8 (H, W) or (H, W, 3).
        titles: of each.

    Returns:
        uint8 (height, width, 3), of a size that depends on theirs and their number alone.
    """
    from PIL import Image, ImageDraw, ImageFont

    line, margin = 18, 6
    columns = -(-len(pictures) // max(1, round(len(pictures) ** 0.5)))
    height = max(len(picture) for picture in pictures) + line + margin
    width = max(picture.shape[1] for picture in pictures) + margin
    size = (columns * width + margin, -(-len(pictures) // columns) * height + margin)
    canvas = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=13)
    for index, (picture, title) in enumerate(zip(pictures, titles, strict=True)):
        left, top = margin + index % columns * width, margin + index // columns * height
        draw.text((left, top), title, "black", font)
        canvas.paste(Image.fromarray(picture).convert("RGB"), (left, top + line))
    return np.asarray(canvas)


def save_image(path: Path, picture: np.ndarray, scale: int = 1) -> None:
    """Write a uint8 picture as the file type of `path`, each pixel `scale` pixels wide."""
    from PIL import Image

    enlarged = np.repeat(np.repeat(picture, scale, axis=0), scale, axis=1)
    with replacing(path) as temporary:
        Image.fromarray(enlarged).save(temporary)


def save_animation(path: Path, frames: Sequence[Path], seconds_per_frame: float = 0.25) -> None:
    """Write pictures of one size as an endless GIF; the last frame stays for two seconds.

    Pictures that cannot be read are left out, with a warning.
    """
    from PIL import Image

    pictures = []
    for frame in frames:
        try:
            with Image.open(frame, formats=["PNG"]) as picture:
                pictures.append(picture.convert("P"))
        except Exception as error:  # a damaged file makes Pillow raise nearly anything
            print(f"warning: {path.name} goes without {frame} ({error})", file=sys.stderr)
    if not pictures:
        return
    durations = [round(seconds_per_frame * 1000)] * (len(pictures) - 1) + [2000]
    more = pictures[1:]
    with replacing(path) as temporary:
        pictures[0].save(
            temporary, save_all=True, append_images=more, duration=durations, loop=0, optimize=True
        )


def save_curves(
    path: Path,
    columns: Mapping[str, tuple[np.ndarray, np.ndarray]],
    spreads: Mapping[str, tuple[np.ndarray, np.ndarray]] = MappingProxyType({}),
    of: str = "",
) -> None:
    """Plot metrics against the step: a panel for each `prefix_name` family, losses first.

    Args:
        path: PNG to write.
        columns: name -> (steps, values). Names that share what follows the last `_` share a panel,
            so that `d_loss` and `g_loss` can be compared.
        spreads: the same for standard deviations, which become a band around the values.
        of: what a value with a band is the mean of, "4 seeds" for one.
    """
    from matplotlib.figure import Figure

    families: dict[str, list[str]] = {}
    for name in columns:
        families.setdefault(name.rsplit("_", 1)[-1] if "loss" in name else name, []).append(name)
    height = 2.6 * len(families)  # inches
    figure = Figure(figsize=(8, height))
    # Matplotlib's own layouts draw everything twice and measure it as often.
    figure.subplots_adjust(0.12, 0.45 / height, 0.98, 1 - 0.3 / height, hspace=0.25)
    panels = figure.subplots(len(families), squeeze=False)[:, 0]
    for axes, (family, names) in zip(panels, families.items(), strict=True):
        for name in names:
            steps, values = columns[name]
            label = f"{name}, mean ± standard deviation of {of}" if name in spreads else name
            line = axes.plot(steps, values, alpha=0.25 if len(values) > 400 else 1, linewidth=1)[0]
            if len(values) > 400:
                smooth_steps, smooth = _block_means(steps, values, 200)
                axes.plot(smooth_steps, smooth, color=line.get_color(), label=label)
            else:
                line.set_label(label)
            if name in spreads:
                _band(axes, columns[name], spreads[name], line.get_color())
        axes.set_ylabel(family)
        # Above the panel, where it hides no curve that rises.
        above = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
        axes.legend(**above, ncols=len(names), frameon=False, fontsize=8)
    axes.set_xlabel("step")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100)


def _band(
    axes: Any,
    values: tuple[np.ndarray, np.ndarray],
    spread: tuple[np.ndarray, np.ndarray],
    color: Any,
) -> None:
    """A band of a standard deviation to each side of values, as smooth as their curve."""
    # Steps at which the values of one seed alone are known have no spread.
    known = np.isin(values[0], spread[0])
    curves = [(values[0][known], values[1][known]), spread]
    if len(values[1]) > 400:
        curves = [_block_means(*one, 200) for one in curves if len(one[1]) >= 200]
    if len(curves) == 2:
        (steps, middle), (_, half) = curves
        axes.fill_between(steps, middle - half, middle + half, color=color, alpha=0.2, linewidth=0)


def _block_means(
    steps: np.ndarray, values: np.ndarray, blocks: int
) -> tuple[np.ndarray, np.ndarray]:
    length = len(values) // blocks
    used = length * blocks
    return (
        steps[:used].reshape(blocks, length).mean(axis=1),
        values[:used].reshape(blocks, length).mean(axis=1),
    )
