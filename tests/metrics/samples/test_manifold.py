"""Precision and recall of sets with known answers."""

import numpy as np

from jaxgen.metrics.samples import manifold
from jaxgen.metrics.samples.manifold import precision_recall


def test_precision_and_recall_of_sets_with_known_answers():
    line = np.arange(10.0)[:, None]  # radii: 3 at the ends, 2 next to them and inside
    assert precision_recall(line, line) == (1.0, 1.0)
    assert precision_recall(line, line + 100) == (0.0, 0.0)
    # k = 1: each ball reaches 1 to both sides. The fakes at 0.5 and 3.5 lie within, 11.5 and 50
    # do not; their own balls reach 3, 3, 8 and 38.5: all of 0 to 9, and -2.5 to 6.5, are covered.
    fake = np.array([0.5, 3.5, 11.5, 50.0])[:, None]
    assert precision_recall(line, fake, neighbours=1) == (0.5, 1.0)
    assert precision_recall(fake, line, neighbours=1) == (1.0, 0.5)


def test_collapsed_samples_have_precision_but_no_recall(normal):
    fake = np.repeat(normal[:1], 300, axis=0)
    precision, recall = precision_recall(normal, fake)
    assert precision == 1.0
    assert recall == 1 / len(normal)  # the copied image itself, at distance 0 of its copies


def test_precision_does_not_depend_on_the_block_size(monkeypatch, normal, other):
    whole = precision_recall(normal, other)
    monkeypatch.setattr(manifold, "_BLOCK", 7)
    assert precision_recall(normal, other) == whole
