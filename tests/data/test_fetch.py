"""Pictures by URL, by path and in HDF5, and every way in which there is none."""

import contextlib
import http.server
import io
import threading
import time

import h5py
import numpy as np
import pytest
from PIL import Image

from jaxgen.data import fetch as pictures

PIXELS = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


def png():
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG")
    return buffer.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/gone":
            self.send_error(404)
        elif self.path == "/to-a-file":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
        else:
            self.send_response(200)
            self.end_headers()
            self.send_body()

    def send_body(self):
        if self.path == "/picture":
            self.wfile.write(png())
        elif self.path == "/large":
            self.wfile.write(bytes(5000))
        elif self.path == "/slow":
            with contextlib.suppress(ConnectionError):  # when the other side has enough
                for _ in range(40):  # each byte comes in time, the whole does not
                    self.wfile.write(b"x")
                    time.sleep(0.02)

    def log_message(self, *_):
        pass


@pytest.fixture
def url(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_fetches_by_url(url):
    picture, message = pictures.fetch(f"{url}/picture")
    np.testing.assert_array_equal(picture, PIXELS)
    assert message == ""


@pytest.mark.parametrize(
    ("path", "message"),
    [("gone", "404"), ("to-a-file", "redirect"), ("large", "larger than"), ("slow", "not there")],
)
def test_a_dead_or_unfit_url_is_told(url, path, message, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_BYTES", 4000)
    monkeypatch.setattr(pictures, "TIMEOUT", 0.2)
    picture, told = pictures.fetch(f"{url}/{path}")
    assert picture is None
    assert message in told.lower()


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://example.org/a.png"])
def test_other_schemes_are_refused(location):
    picture, message = pictures.fetch(location)
    assert picture is None
    assert "neither http nor https" in message


def test_reads_paths_and_rows_of_hdf5(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["train_images"] = np.stack([PIXELS + 1, PIXELS])
    for location in ("a.png", "images.h5#train_images/1"):
        np.testing.assert_array_equal(pictures.fetch(location, tmp_path)[0], PIXELS)


def test_where_there_is_no_picture_there_is_nothing_to_tell():
    assert pictures.fetch("", "absent") == (None, "")


@pytest.mark.parametrize("location", ["absent.png", "text.png", "images.h5#train_images/1"])
def test_an_unreadable_file_is_told(tmp_path, location):
    (tmp_path / "text.png").write_text("no picture")
    picture, message = pictures.fetch(location, tmp_path)
    assert picture is None
    assert location in message


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("a/0", "must hold integers"),
        ("b/0", "must have 4 axes"),
        ("d/0", "no pictures"),
        ("group/0", "has no array 'group'"),
        ("c/7", "no row 7"),
        ("linked/0", "has no array 'linked'"),
    ],
)
def test_a_row_of_hdf5_that_is_no_picture_is_told(tmp_path, key, told):
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["a"] = PIXELS[None].astype(np.float32)
        file["b"] = PIXELS
        file["c"] = PIXELS[None]
        file["d"] = PIXELS[None, ..., :1]
        file["linked"] = h5py.ExternalLink("other.h5", "c")
        file.create_group("group")
    picture, message = pictures.fetch(f"images.h5#{key}", tmp_path)
    assert picture is None
    assert told in message


def test_a_format_that_starts_another_program_is_never_opened(tmp_path):
    """Pillow hands EPS to Ghostscript, whatever the name of the file says."""
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "EPS"  # so that Pillow itself would
    (tmp_path / "a.png").write_bytes(content)
    picture, message = pictures.fetch("a.png", tmp_path)
    assert picture is None
    assert message == f"no picture from a.png: it is none of {', '.join(pictures.FORMATS)}"


@pytest.mark.parametrize("name", pictures.FORMATS)
def test_the_usual_formats_are_opened(tmp_path, name):
    path = tmp_path / "picture"
    Image.new("RGB", (5, 4), (200, 100, 0)).save(path, name)
    picture, message = pictures.fetch(str(path))
    assert (picture.shape, message) == ((4, 5, 3), "")
    assert np.abs(picture.astype(int) - (200, 100, 0)).max() < 40  # some of them lose a little
