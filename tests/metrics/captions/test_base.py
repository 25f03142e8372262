"""Each declaration of a caption metric says truly which figures are better."""

import pytest

from jaxgen.metrics.captions.base import CaptionMetric

REFERENCES = [
    ["a red 3 above a blue 7"],
    ["a large 9 on the left"],
    ["two small digits at the top"],
]
GOOD = [some[0] for some in REFERENCES]
BAD = ["the <UNK> cat"] * 3

HERE = [metric for metric in CaptionMetric.ordered() if metric.measure and not metric.needs_java]


@pytest.mark.parametrize("metric", HERE, ids=lambda metric: metric.key)
def test_what_is_declared_to_be_better_is_what_better_captions_get(metric):
    good, bad = (metric.figure(made, REFERENCES) for made in (GOOD, BAD))
    assert good < bad if metric.better == "lower" else good > bad
