"""Names of watchers: what cannot be had is refused in a sentence, before training."""

import sys
import textwrap

import pytest

from jaxgen.errors import JaxgenError
from jaxgen.training.watchers import weights_and_biases
from jaxgen.training.watchers.base import RunWatcher
from jaxgen.training.watchers.chosen import chosen

OWN = """
    from jaxgen.training.watchers.base import RunWatcher

    class Mine(RunWatcher):
        pass

    class Apart:
        def start(self, run): ...
        def scalars(self, step, figures): ...
        def picture(self, step, picture, text): ...
        def alarm(self, step, sentence): ...
        def end(self, step, state, why): ...

    class Lacking:
        end = 3
        def scalars(self, step, figures): ...

    class Asking:
        def __init__(self, place): ...

    number = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A file of a user's own, not imported yet."""
    path = tmp_path / "watchers_of_mine.py"
    path.write_text(textwrap.dedent(OWN))
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield path
    sys.modules.pop(path.stem, None)


def test_classes_of_ones_own(own):
    found = chosen([f"{own}:Mine", "watchers_of_mine:Apart", f"{own}:Mine"])
    assert list(found) == ["watchers_of_mine:Mine", "watchers_of_mine:Apart"]
    assert isinstance(found["watchers_of_mine:Mine"], RunWatcher)


def test_objects_from_python(own):
    (first,) = chosen([f"{own}:Mine"]).values()
    assert chosen([first]) == {"watchers_of_mine:Mine": first}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("nothing", "watch nothing: there is no such watcher; there are wandb, mlflow, and "),
        ("missing.py:Mine", "missing.py cannot be imported: there is no such file"),
        ("no.such.module:Mine", "no.such.module cannot be imported (ModuleNotFoundError"),
        ("{}:Nobody", "has no class Nobody"),
        ("{}:number", "has no class number"),
        ("{}:Lacking", "Lacking lacks start, picture, alarm, end: a watcher has start, scalars"),
        ("{}:Asking", "Asking cannot be made without arguments (TypeError: "),
        (":Mine", "'' cannot be imported"),
        ("{}:", "has no class "),
    ],
)
def test_what_cannot_be_had_is_refused(own, asked, sentence):
    with pytest.raises(JaxgenError) as refused:
        chosen([asked.format(own)])
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_object_that_lacks_methods_is_refused():
    with pytest.raises(JaxgenError, match="object lacks start, scalars"):
        chosen([object()])


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_package_that_is_missing_is_named_with_its_extra(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(JaxgenError) as refused:
        chosen([name])
    assert f"pip install 'jaxgen[{name}]'" in str(refused.value)


def test_a_mode_that_the_package_does_not_know_is_refused(monkeypatch):
    def settings(mode):
        raise ValueError(f"{mode} is\nno mode")

    package = type(sys)("wandb")
    package.Settings = settings
    monkeypatch.setitem(sys.modules, "wandb", package)
    monkeypatch.setenv("WANDB_MODE", "sideways")
    with pytest.raises(JaxgenError, match=r"wandb cannot be used .*sideways is no mode"):
        weights_and_biases.WeightsAndBiases()
