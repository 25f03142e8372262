"""Declarations of metrics: their order, their keys, and failures of a user's own."""

import pytest

from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions.base import CaptionMetric
from jaxgen.metrics.samples.base import SampleMetric

HEAD = """
from jaxgen.metrics.captions.base import CaptionMetric
from jaxgen.metrics.samples.base import SampleMetric
"""


@pytest.mark.parametrize("kind", [SampleMetric, CaptionMetric])
def test_jaxgens_metrics_are_called_like_their_keys(kind):
    for name, metric in kind.choices().items():
        assert name == metric.key
        assert metric.choice_name() == name


def test_an_own_metric_comes_last_unless_it_says_otherwise(own_file):
    module = own_file(
        "own_places",
        HEAD + "last = SampleMetric('z', 'Z', 'lower', None)\n"
        "first = SampleMetric('a', 'A', 'lower', None, order=0)\n"
        "other = CaptionMetric('z', 'Z', 'lower', None)\n",
    )
    found = SampleMetric.ordered()
    assert (found[0], found[-1]) == (module.first, module.last)
    assert module.last.choice_name() == "own_places:last"
    assert CaptionMetric.ordered()[-1] is module.other


@pytest.mark.parametrize(
    ("declaration", "words"),
    [
        ("SampleMetric('fid', 'FID', 'lower', None)", "metrics fid and own_key:mine have the same"),
        ("SampleMetric('images', 'I', 'lower', None)", "own_key:mine has the key 'images'"),
        ("CaptionMetric('unk', 'UNK', 'lower', None)", "metrics unk and own_key:mine have the"),
        ("CaptionMetric('notes', 'N', 'lower', None)", "own_key:mine has the key 'notes'"),
    ],
)
def test_a_key_that_is_taken_is_refused(own_file, declaration, words):
    module = own_file("own_key", f"{HEAD}mine = {declaration}")
    with pytest.raises(JaxgenError, match=words):
        type(module.mine).ordered()


def test_an_own_metric_that_fails_is_named(own_file):
    module = own_file(
        "own_fault", HEAD + "mine = SampleMetric('m', 'M', 'lower', lambda r, f: r/f)"
    )
    with pytest.raises(JaxgenError, match=r"own_fault:mine failed \(ZeroDivisionError: division"):
        module.mine.figure(1, 0)
    assert module.mine.figure(1, 2) == 0.5


def test_an_own_metric_that_gives_no_number_is_named(own_file):
    module = own_file("own_text", HEAD + "mine = SampleMetric('m', 'M', 'lower', lambda r, f: 'x')")
    with pytest.raises(JaxgenError, match="own_text:mine failed"):
        module.mine.figure(1, 0)


def test_errors_of_jaxgens_metrics_stay_what_they_are():
    with pytest.raises(AttributeError):
        SampleMetric.chosen("fid").figure(1, 0)
