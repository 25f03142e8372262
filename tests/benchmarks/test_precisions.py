"""Who stands beside whom in each precision."""

from dataclasses import replace

import pytest

from benchmarks.measuring import Contender, Settings
from benchmarks.precisions import beside_torch
from experiments import dcgan


def who(precision, **options):
    """Names of the contenders, with what each was built from."""
    built = {}

    def jaxgen(config, name):
        built[name] = config.precision, None
        return Contender(name, print)

    def torch(config, settings, name, is_compiled):
        built[name] = config.precision, is_compiled
        return Contender(name, print, is_optional=is_compiled)

    config = replace(dcgan.config, precision=precision)
    contenders = beside_torch(config, Settings(**options), jaxgen, torch)
    assert [contender.name for contender in contenders] == list(built)
    return built


def test_float32_stands_beside_pytorch_alone():
    assert who("float32") == {"jaxgen": ("float32", None), "PyTorch": ("float32", False)}


@pytest.mark.parametrize("is_compiled", [False, True])
def test_bfloat16_stands_beside_float32_and_autocast(is_compiled):
    expected = {
        "jaxgen": ("bfloat16", None),
        "jaxgen float32": ("float32", None),
        "PyTorch": ("float32", False),
        "PyTorch, autocast bfloat16": ("bfloat16", False),
    }
    if is_compiled:
        expected |= {
            "torch.compile": ("float32", True),
            "torch.compile, autocast bfloat16": ("bfloat16", True),
        }
    found = who("bfloat16", compile=is_compiled)
    assert list(found.items()) == list(expected.items())
