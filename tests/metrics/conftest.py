"""Files of a user's own, imported for one test."""

import sys

import pytest

from jaxgen.settings import import_own, names


@pytest.fixture
def own_file(tmp_path, monkeypatch):
    """Write a file of the user's own and import it until the test ends."""
    monkeypatch.setattr(names, "_imported", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    imported = []

    def write(name, source):
        path = tmp_path / f"{name}.py"
        path.write_text(source)
        module = import_own(str(path))
        imported.append(name)
        return module

    yield write
    for name in imported:
        sys.modules.pop(name, None)
