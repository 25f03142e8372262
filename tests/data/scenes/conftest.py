"""Few digits, glyphs of them, and a tiny set of scenes."""

import numpy as np
import pytest

from jaxgen.data.scenes import build
from jaxgen.data.scenes import digits as scene_digits
from jaxgen.data.scenes.rendering import Glyphs, cut_glyphs, sample_facts


def _few(digits):
    rows = np.concatenate([np.flatnonzero(digits["label"] == value)[:8] for value in range(10)])
    return {name: array[rows] for name, array in digits.items()}


@pytest.fixture(scope="session")
def facts():
    """What is in 400 scenes."""
    return sample_facts(np.random.default_rng(0), 400)


@pytest.fixture(scope="session")
def few_digits():
    """Eight digits of each value to train on, and eight to validate on."""
    return tuple(map(_few, scene_digits.split()))


@pytest.fixture(scope="session")
def glyphs(few_digits) -> Glyphs:
    return cut_glyphs(few_digits[0]["image"], few_digits[0]["label"])


@pytest.fixture
def in_tmp_cache(tmp_path, monkeypatch, few_digits):
    """A cache folder of this test; sets in it are made from few digits."""
    monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(scene_digits, "split", lambda: few_digits)
    return tmp_path


@pytest.fixture(scope="session")
def tiny():
    """The configuration of `made`."""
    return build.ScenesConfig(train=12, validation=5, seed=3)


@pytest.fixture(scope="session")
def made(tmp_path_factory, few_digits, tiny):
    """The tiny set, made once."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXGEN_CACHE_DIR", str(cache))
        patch.setattr(scene_digits, "split", lambda: few_digits)
        return build.ensure(tiny)
