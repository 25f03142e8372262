"""METEOR and SPICE: what they give, and what is said where their programs cannot run."""

import importlib.machinery
import importlib.util
import shutil
import sys
import types

import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions import java as captions_java

MADE = ["a cat sat on the mat", "", "a dog"]
REFERENCES = [["a cat is on the mat", "the cats sat on a mat"], ["x y"], ["a hound"]]


@pytest.fixture
def spice_folder(monkeypatch, tmp_path):
    """A pycocoevalcap of our own, with Java, and a SPICE that gives back what it was given."""

    class Spice:
        def compute_score(self, wanted, found):
            assert wanted == dict(enumerate(REFERENCES))
            assert found == {0: [MADE[0]], 1: [""], 2: ["a dog"]}
            return 0.25, []

    spec = importlib.machinery.ModuleSpec("pycocoevalcap", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/java")
    for name in ("pycocoevalcap", "pycocoevalcap.spice"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    module = types.ModuleType("pycocoevalcap.spice.spice")
    vars(module)["Spice"] = Spice
    monkeypatch.setitem(sys.modules, "pycocoevalcap.spice.spice", module)
    (tmp_path / "spice" / "lib").mkdir(parents=True)
    return tmp_path / "spice"


def test_without_the_package_it_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert captions_java.measure(MADE, REFERENCES) == (
        {},
        [f"{name} needs pycocoevalcap: pip install pycocoevalcap" for name in ("METEOR", "SPICE")],
    )


def test_without_java_it_is_named(spice_folder, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    figures, missing = captions_java.measure(MADE, REFERENCES)
    assert figures == {}
    assert [line.split(":")[0] for line in missing] == ["METEOR needs Java", "SPICE needs Java"]


def test_an_own_metric_that_needs_java_is_measured_or_named(own_file, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    own_file(
        "own_programs",
        "from jaxgen.metrics.captions.base import CaptionMetric\n"
        "runs = CaptionMetric('runs', 'R', 'lower', lambda made, _: len(made), needs_java=True)\n"
        "ends = CaptionMetric('ends', 'E', 'lower', lambda made, _: 1 / 0, needs_java=True)\n",
    )
    figures, missing = captions_java.measure(MADE, REFERENCES)
    assert figures == {"runs": 3}
    assert "own_programs:ends failed" in missing[-1]


def test_spice_downloads_nothing_by_itself(spice_folder):
    with pytest.raises(JaxgenError, match="SPICE needs Stanford CoreNLP"):
        captions_java.spice_score(MADE, REFERENCES)


def test_spice_is_the_packages(spice_folder):
    (spice_folder / "lib" / "stanford-corenlp-3.6.0.jar").touch()
    assert captions_java.spice_score(MADE, REFERENCES) == 0.25


def test_a_java_that_fails_is_reported(monkeypatch, tmp_path):
    """As the `java` of macOS does, which only says that there is none."""
    pytest.importorskip("pycocoevalcap", reason="is of the test extra")
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\nexit 1\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(JaxgenError, match="METEOR's program failed"):
        captions_java.meteor_score(MADE, REFERENCES)


@pytest.mark.slow
def test_meteor_where_java_is():
    """The number is of METEOR 1.5 in pycocoevalcap 1.2 with OpenJDK 17."""
    pytest.importorskip("pycocoevalcap", reason="is of the test extra")
    if shutil.which("java") is None:
        pytest.skip("there is no Java here")
    assert captions_java.meteor_score(MADE, REFERENCES) == pytest.approx(0.3406661, abs=1e-6)


def test_meteor_of_counts_by_hand():
    """Counts as METEOR 1.5 gave them, and its own score of them (pycocoevalcap 1.2, OpenJDK 17)."""
    horse = "8 7 3 2 1 1 2 2 1 1 0 0 1 1 0 0 2 2 0 0 2 7 7"
    dogs = "3 6 1 3 0 0 1 1 0 0 0 0 1 1 0 0 1 1 0 1 1 3 4"
    counts = np.array([line.split() for line in (horse, dogs)], np.float64)
    assert captions_java.meteor_of_totals(counts[0]) == pytest.approx(0.3977909178359772, rel=1e-12)
    assert captions_java.meteor_of_totals(counts[1]) == pytest.approx(0.2718519648247931, rel=1e-12)
    assert captions_java.meteor_of_totals(np.zeros(23)) == 0


@pytest.mark.slow
def test_meteor_of_counts_is_that_of_the_program_where_java_is():
    pytest.importorskip("pycocoevalcap", reason="is of the test extra")
    if shutil.which("java") is None:
        pytest.skip("there is no Java here")
    made = [*MADE, "a man is riding a large horse quickly", "two dogs", "a hound"]
    wrote = [*REFERENCES, ["a person rides a big horse fast", "man on horse"], ["two dogs"], ["x"]]
    counts = captions_java.meteor_counts(made, wrote)
    assert counts.shape == (6, captions_java.METEOR_COUNTS)
    figure = captions_java.meteor_of_totals(counts.sum(0))
    assert figure == pytest.approx(captions_java.meteor_score(made, wrote), rel=1e-12)
    rows = [0, 0, 3, 5]
    of_some = captions_java.meteor_score([made[i] for i in rows], [wrote[i] for i in rows])
    assert captions_java.meteor_of_totals(counts[rows].sum(0)) == pytest.approx(of_some, rel=1e-12)
