"""Names that last, and code of a user's own."""

import sys
from dataclasses import dataclass

import pytest

from jaxgen import settings
from jaxgen.errors import JaxgenError
from jaxgen.gan.config import GanConfig
from jaxgen.gan.losses import AdversarialLoss, hinge
from jaxgen.gan.networks.base import Networks
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.settings import names

OWN = """
from dataclasses import dataclass
from jaxgen.gan.losses import AdversarialLoss, hinge
from jaxgen.gan.networks.mlp import MLP

@dataclass(frozen=True)
class Mine(MLP):
    more: int = 3

loud = AdversarialLoss(hinge.discriminator_terms, hinge.generator_terms)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A file of one's own, imported; forgotten afterwards."""
    monkeypatch.setattr(names, "_imported", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_things.py").write_text(OWN)
    yield settings.import_own(str(tmp_path / "own_things.py"))
    del sys.modules["own_things"]


def test_classes_of_jaxgen_have_short_names_and_their_old_ones():
    assert settings.class_name(DCGAN) == "dcgan"
    for name in ("dcgan", "jaxgen.models.dcgan:DCGAN"):
        assert settings.find_class(name, Networks) is DCGAN
    assert settings.find_class("jaxgen.gan:GanConfig") is GanConfig
    assert list(settings.subclasses(Networks))[:2] == ["dcgan", "mlp"]


def test_two_classes_cannot_have_one_name():
    @dataclass(frozen=True)
    class Other:
        pass

    with pytest.raises(ValueError, match="called 'dcgan' already"):
        settings.named("dcgan")(Other)


def test_own_classes_and_choices_are_called_by_their_file(own):
    assert settings.class_name(own.Mine) == "own_things:Mine"
    assert settings.find_class("own_things:Mine", Networks) is own.Mine
    assert settings.subclasses(Networks)["own_things:Mine"] is own.Mine
    assert own.loud.choice_name() == "own_things:loud"
    assert AdversarialLoss.chosen("own_things:loud") is own.loud
    # What the file only imports keeps the name that it has.
    assert "own_things:hinge" not in AdversarialLoss.choices()
    assert hinge.choice_name() == "hinge"


def test_a_choice_without_a_name_is_told():
    with pytest.raises(JaxgenError, match="has no name, so that no run could find it again"):
        AdversarialLoss(hinge.discriminator_terms, hinge.generator_terms).choice_name()


def test_names_of_code_that_is_not_imported_are_never_imported(tmp_path, monkeypatch):
    (tmp_path / "trap.py").write_text("raise SystemExit('executed')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("trap:Mine", "trap", "os:path", "jaxgen:nothing", "trap:Mine:x"):
        with pytest.raises(JaxgenError, match="there is no Networks"):
            settings.find_class(name, Networks)
        with pytest.raises(JaxgenError, match="there is no AdversarialLoss"):
            AdversarialLoss.chosen(name)
    with pytest.raises(JaxgenError, match=r"import trap first \(--import FILE"):
        settings.find_class("trap:Mine", Networks)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("absent", None, "there is no such file"),
        ("broken", "x = (", "SyntaxError"),
        ("failing", "1 / 0", "ZeroDivisionError"),
        ("leaving", "raise SystemExit(3)", "SystemExit"),
        ("json", "", "another module is called json; rename the file"),
    ],
)
def test_files_that_cannot_be_imported_are_told(tmp_path, monkeypatch, name, content, words):
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / f"{name}.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(JaxgenError, match=words):
        settings.import_own(str(path))
    with pytest.raises(JaxgenError, match=r"^no_such_module cannot be imported"):
        settings.import_own("no_such_module")
    with pytest.raises(JaxgenError, match=r"^~nobody at all/x.py cannot be imported"):
        settings.import_own("~nobody at all/x.py")
