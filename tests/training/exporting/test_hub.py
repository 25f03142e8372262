"""Publishing and loading by huggingface_hub, against a folder: nothing asks a network."""

import inspect
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import jaxgen
from jaxgen.errors import JaxgenError
from jaxgen.training.exporting import hub, sums

library = pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FolderApi:
    """What `HfApi` does for `publish`, into the library's own cache: a fetch finds it there."""

    def __init__(self, cache):
        self.cache, self.private = cache, {}

    def create_repo(self, *args, **options):
        given = inspect.signature(library.HfApi.create_repo).bind(self, *args, **options)
        name = given.arguments["repo_id"]
        self.private.setdefault(name, given.arguments["private"])
        self.home = self.cache / f"models--{name.replace('/', '--')}"

    def upload_folder(self, **options):
        inspect.signature(library.HfApi.upload_folder).bind(self, **options)
        snapshot = self.home / "snapshots" / COMMIT
        snapshot.mkdir(parents=True)
        (self.home / "refs").mkdir()
        (self.home / "refs" / "main").write_text(COMMIT)
        for path in Path(options["folder_path"]).iterdir():
            if path.name in options["allow_patterns"]:
                shutil.copy(path, snapshot / path.name)
        return f"https://hub/{options['repo_id']}/commit/{COMMIT}"


@pytest.fixture
def api(tmp_path, monkeypatch):
    fetch = library.snapshot_download

    def offline(*args, **options):
        return fetch(*args, **options, cache_dir=tmp_path, local_files_only=True)

    monkeypatch.setattr(library, "snapshot_download", offline)
    return FolderApi(tmp_path)


def test_what_is_published_loads_from_the_hub(exported_gan, api, tmp_path):
    model, out = exported_gan
    copy = shutil.copytree(out, tmp_path / "copy")
    (copy / "private_notes.txt").write_text("not exported")
    told = hub.publish(copy, "somebody/digits", api=api)
    assert told.startswith("https://hub/somebody/digits/commit/")
    assert api.private == {"somebody/digits": True}
    for place in ("hub:somebody/digits", f"hub:somebody/digits@{COMMIT}"):
        assert np.array_equal(jaxgen.load(place).sample(n=3), model.sample(n=3))
    fetched = hub.fetched("hub:somebody/digits")
    assert sorted(path.name for path in fetched.iterdir()) == sorted(
        [*sums.verified(out, ()), sums.NAME]
    )
    content = bytearray((fetched / "README.md").read_bytes())
    content[9] ^= 1
    (fetched / "README.md").write_bytes(content)
    with pytest.raises(JaxgenError, match=r"README.md is not as it was exported"):
        jaxgen.load("hub:somebody/digits")


def test_what_is_altered_is_not_published(exported_gan, api, tmp_path):
    copy = shutil.copytree(exported_gan[1], tmp_path / "copy")
    (copy / "README.md").write_text("other")
    with pytest.raises(JaxgenError, match="not as it was exported"):
        hub.publish(copy, "somebody/digits", api=api)
    assert api.private == {}


def test_places_that_are_none_and_models_that_are_not_there(exported_gan, api):
    for place in ("digits", "a/b/c", "../x/y", "a/b@", "-a/b", "a/" + "b" * 200):
        with pytest.raises(JaxgenError, match="no place on the Hub"):
            jaxgen.load(f"hub:{place}")
    with pytest.raises(JaxgenError, match=r"hub:nobody/nothing cannot be fetched \("):
        jaxgen.load("hub:nobody/nothing")
    with pytest.raises(JaxgenError, match="without a revision"):
        hub.publish(exported_gan[1], "a/b@main", api=api)


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(JaxgenError, match=r"pip install 'jaxgen\[hub\]'"):
        jaxgen.load("hub:a/b")
