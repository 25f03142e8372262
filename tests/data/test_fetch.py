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


@pytest.mark.parametrize("location", ["absent.png", "text.png", "images.h5#train_images/1"])
def test_an_unreadable_file_is_told(tmp_path, location):
    (tmp_path / "text.png").write_text("no picture")
    picture, message = pictures.fetch(location, tmp_path)
    assert picture is None
    assert location in message
