"""Fetches the picture that a caption is about, for display. Nothing here is fatal."""

import io
import re
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from jaxgen.data import hdf5, ordinary_files

TIMEOUT = 10.0  # seconds for a whole picture
MOST_BYTES = 20 * 2**20
MOST_PIXELS = 50_000_000  # a small file can unpack to a huge picture
# Pillow's other formats are rare, and one of them starts another program (EPS).
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
_BLOCK = 2**16
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):", re.IGNORECASE)  # two letters, so that C: is none


def fetch(location: str, directory: str | Path = ".") -> tuple[np.ndarray | None, str]:
    """Fetches one picture.

    Args:
        location: an http or https URL; a path; or `FILE.h5#KEY/ROW`, a row of an HDF5 data set; ""
            where there is no picture.
        directory: where relative paths start.

    Returns:
        The picture, uint8 (H, W, 3), and an empty message; or None and why there is none.
    """
    if not location:
        return None, ""
    try:
        return _fetch(location, Path(directory)), ""
    except Exception as error:  # the network and foreign files raise nearly anything
        return None, f"no picture from {location}: {error}"


def _fetch(location: str, directory: Path) -> np.ndarray:
    if scheme := _SCHEME.match(location):
        if scheme[1].lower() not in ("http", "https"):
            raise ValueError(f"{scheme[1]} is neither http nor https")
        return _unpack(_download(location))
    file, _, place = location.partition("#")
    path = directory / file
    if place:
        return _read_row(path, place)
    return _unpack(ordinary_files.contents(path, "give a picture", MOST_BYTES))


def _download(url: str) -> bytes:
    # Not urlopen: it would follow a redirection to ftp, and it reads file: URLs.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    deadline = time.monotonic() + TIMEOUT
    contents = bytearray()
    with opener.open(url, timeout=TIMEOUT) as response:
        while block := response.read1(_BLOCK):
            contents += block
            if len(contents) > MOST_BYTES:
                raise ValueError(f"larger than {MOST_BYTES} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError(f"not there after {TIMEOUT:g} s")
    return bytes(contents)


def _unpack(contents: bytes) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        opened = Image.open(io.BytesIO(contents), formats=FORMATS)
    except UnidentifiedImageError:  # its own message names an object in memory
        raise ValueError(f"it is none of {', '.join(FORMATS)}") from None
    with opened as image:
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(f"{image.width} x {image.height} is more than {MOST_PIXELS} pixels")
        return np.asarray(image.convert("RGB"))


def _read_row(path: Path, place: str) -> np.ndarray:
    key, _, row = place.rpartition("/")
    with hdf5.open_file(path) as file:
        found = hdf5.dataset(file, key, rank=4, kind="u")
        if found.dtype != np.uint8 or found.shape[3:] != (3,):
            raise ValueError(f"{key} holds no pictures of three channels")
        if not -len(found) <= int(row) < len(found):
            raise ValueError(f"{key} has no row {row}")
        return hdf5.rows(found, int(row))
