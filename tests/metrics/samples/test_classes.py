"""Figures of the classifier's guesses, by hand."""

import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples.base import Measured
from jaxgen.metrics.samples.classes import (
    accuracy,
    class_shares,
    inception_score,
    label_agreement,
    total_variation,
)


def test_classifier_score_runs_from_one_to_the_number_of_classes():
    sure = 1000.0 * np.eye(10)
    np.testing.assert_allclose(inception_score(sure), 10.0)
    np.testing.assert_allclose(inception_score(np.zeros((5, 10))), 1.0)
    np.testing.assert_allclose(inception_score(sure[:1].repeat(5, 0)), 1.0)
    np.testing.assert_allclose(inception_score(sure[[0, 0, 3, 3]]), 2.0)


def test_class_figures():
    logits = np.eye(4)
    np.testing.assert_array_equal(class_shares(logits[[0, 0, 2, 3]]), [0.5, 0, 0.25, 0.25])
    assert total_variation(logits, logits[::-1]) == 0
    assert total_variation(logits[:2], logits[2:]) == 1
    assert total_variation(logits, logits[[0, 0, 2, 3]]) == 0.25
    assert accuracy(logits, np.array([0, 1, 0, 3])) == 0.75
    with pytest.raises(JaxgenError, match=r"labels of shape \(3,\) for 4 images"):
        accuracy(logits, np.zeros(3))


def test_without_labels_there_is_no_agreement_with_them():
    images, logits, labels = np.zeros((4, 2, 2)), np.eye(4), np.array([0, 1, 0, 3])
    without = Measured(images, logits, logits)
    assert label_agreement.figure(without, without) is None
    assert label_agreement.figure(without, Measured(images, logits, logits, labels)) == 0.75
