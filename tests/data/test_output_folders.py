"""Folders that commands fill: what may stand in them, and what goes."""

import pytest

from jaxgen.data import output_folders
from jaxgen.errors import JaxgenError


def test_places_where_no_folder_can_be_are_refused(tmp_path):
    (tmp_path / "file").touch()
    output_folders.check(tmp_path)
    output_folders.check(tmp_path / "new")
    with pytest.raises(JaxgenError, match="file is not a folder; name a new"):
        output_folders.check(tmp_path / "file")
    with pytest.raises(JaxgenError, match="there is no folder"):
        output_folders.check(tmp_path / "none" / "new")


def test_what_is_not_ours_is_named_and_what_was_left_goes(tmp_path):
    for name in ("part-0", ".note-0", ".note-1"):
        (tmp_path / name).touch()
    output_folders.refuse_foreign(tmp_path, {"part-0"}, (".note-",))
    output_folders.tidy(tmp_path, ".note-")
    assert [path.name for path in tmp_path.iterdir()] == ["part-0"]
    (tmp_path / "letter").touch()
    with pytest.raises(JaxgenError, match=r"has something else in it \(letter\)"):
        output_folders.refuse_foreign(tmp_path, {"part-0"}, (".note-",))
