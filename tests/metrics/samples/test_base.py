"""What metrics of samples share, and that each declaration says truly which figures are better."""

import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples.base import Measured, SampleMetric, once_a_pair
from jaxgen.metrics.samples.frechet import frechet_distance
from jaxgen.metrics.samples.kernel import kernel_distance
from jaxgen.metrics.samples.manifold import precision_recall


def likeness(seed):
    """120 images of three of 1,000 classes, of which the classifier is sure, rightly labelled.

    Features are as wide as those of stacked digits, so that their metrics have figures too.
    """
    rng = np.random.default_rng(seed)
    classes = np.arange(120) % 3
    features = rng.normal(size=(120, 4)) + 3 * classes[:, None]
    images = features.repeat(4, axis=1).reshape(120, 4, 4, 1)
    return Measured(images, features.repeat(48, axis=1), 30 * np.eye(1000)[classes], classes)


def caricature():
    """As many copies, nearly, of one image far away, which is not of the class asked for."""
    noise = 0.01 * np.random.default_rng(9).normal(size=(120, 4))
    images = (noise + 20).repeat(4, axis=1).reshape(120, 4, 4, 1)
    logits = np.tile(30 * np.eye(1000)[:1], (120, 1))
    return Measured(images, (noise + 20).repeat(48, axis=1), logits, np.ones(120, int))


# That its mean over subsets is sure makes samples no better.
TOLD = [metric for metric in SampleMetric.ordered() if metric.key != "kid_std"]


@pytest.mark.parametrize("metric", TOLD, ids=lambda metric: metric.key)
def test_what_is_declared_to_be_better_is_what_better_samples_get(metric):
    floor, good, bad = (
        metric.figure(likeness(0), fake) for fake in (likeness(1), likeness(2), caricature())
    )
    best = {"lower": -np.inf, "higher": np.inf, "closer to the floor": floor, "closer to 1": 1}
    if np.isinf(best[metric.better]):
        assert np.sign(good - bad) == np.sign(best[metric.better])
    else:
        assert abs(good - best[metric.better]) < abs(bad - best[metric.better]) / 2


def test_what_several_metrics_need_is_computed_once_for_a_pair():
    calls = []

    @once_a_pair
    def count(real, fake):
        calls.append((real, fake))
        return len(calls)

    real, fake, bad = likeness(0), likeness(1), caricature()
    assert [count(real, fake), count(real, fake), count(fake, real), count(real, bad)] == [
        *(1, 1, 2, 3)
    ]
    assert count(real, fake) == 1


def test_rows_of_what_was_measured_stay_together():
    some = likeness(0).rows(np.array([4, 0]))
    assert some.labels is not None
    assert list(some.labels) == list(some.logits.argmax(1)) == [1, 0]
    np.testing.assert_array_equal(some.images[:, 0, 0, 0], some.features[:, 0])
    without = Measured(np.zeros((3, 2, 2)), np.zeros((3, 1)), np.zeros((3, 2)), seed=7)
    assert without.rows(np.array([1])).labels is None
    assert without.rows(np.array([1])).seed == 7


def test_an_alarm_has_a_value_and_a_sentence():
    with pytest.raises(JaxgenError, match="'x' must have both `alarm_below` and `alarm`"):
        SampleMetric("x", "X", "higher", lambda real, fake: None, alarm_below=1)
    with pytest.raises(JaxgenError, match="'x' must have both `alarm_below` and `alarm`"):
        SampleMetric("x", "X", "higher", lambda real, fake: None, alarm="it is bad")


@pytest.mark.parametrize("measure", [frechet_distance, kernel_distance, precision_recall])
def test_features_that_cannot_be_measured_are_refused(measure, normal, other):
    with pytest.raises(JaxgenError, match="1 real images are too few"):
        measure(normal[:1], other)
    with pytest.raises(JaxgenError, match="1 generated images are too few"):
        measure(normal, other[:1])
    with pytest.raises(JaxgenError, match="8 wide and generated ones 5"):
        measure(normal, other[:, :5])
    broken = other.copy()
    broken[17, 3] = np.nan
    with pytest.raises(JaxgenError, match="generated features of image 17 are not finite"):
        measure(normal, broken)
    with pytest.raises(JaxgenError, match=r"real features have shape \(600,\)"):
        measure(normal[:, 0], other)
