"""Captions as pairs of an image and a sentence, and the plain words in them."""

import unicodedata
from pathlib import Path

from jaxgen.data.captions import caption_sets
from jaxgen.errors import JaxgenError

_APOSTROPHES = str.maketrans("", "", "'\u2019\u02bc`")


def read(path: Path) -> list[tuple[str, str]]:
    """Reads pairs of an image's name and a caption; an image may come several times.

    Args:
        path: of the file, in one of the forms of `caption_sets`.

    Returns:
        The pairs, image by image; names are paths with `/` between their parts.

    Raises:
        JaxgenError: the file cannot be read, is of another form, or does not name its images.
    """
    found = caption_sets.read(path)
    pairs = [(image.name, caption) for image in found.images for caption in image.captions]
    named = [(name, caption) for name, caption in pairs if name is not None]
    if not named:
        raise JaxgenError(f"{path} does not name the files of its images; give one that does")
    return named


def words(sentence: str) -> str:
    """The words of a sentence in lower case, with a space between them.

    Apostrophes are dropped (man's is mans); any other punctuation mark, sign or emoji separates
    words (well-known is two of them). Letters, accents and digits of all languages stay.
    """
    plain = unicodedata.normalize("NFKC", sentence).lower().translate(_APOSTROPHES)
    kept = (mark if unicodedata.category(mark)[0] in "LMN" else " " for mark in plain)
    return " ".join("".join(kept).split())
