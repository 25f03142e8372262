"""What images add, and figures of other choices of images."""

import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions import corpus
from jaxgen.metrics.captions.cider import Frequencies, of_images
from jaxgen.metrics.captions.report import measure


def test_figures_are_those_of_the_metrics(made, references):
    found = corpus.measured(made, references).figures()
    assert list(found) == list(corpus.FIGURES)
    expected = measure(made, references)
    assert found == pytest.approx({key: expected[key] for key in found}, abs=1e-12)


def test_sums_over_some_images_are_the_figures_of_those(made, references):
    """One image is drawn twice and one is not; CIDEr-D keeps the frequencies of all."""
    whole = corpus.measured(made, references)
    rows = [0, 0, 2, 3, 4, 5, 6]
    found = whole.of_sums(whole.parts_NK[rows].sum(0)[None])
    expected = corpus.measured(
        [made[i] for i in rows], [references[i] for i in rows], Frequencies.of(references)
    ).figures()
    assert {key: float(value[0]) for key, value in found.items()} == pytest.approx(expected)


def test_document_frequencies_of_another_corpus():
    """Ten images, of which one has a dog, two a cat and all an a: log 10, log 5 and log 1."""
    frequencies = Frequencies.of([["a dog"], ["a cat"], ["a cat"], *([["a"]] * 7)])
    assert frequencies.images == 10
    assert frequencies.images_with[("a",)] == 10 and frequencies.images_with[("cat",)] == 2
    figure = of_images(["a dog"], [["a cat"]], frequencies)
    assert figure == pytest.approx([0.0])
    half = of_images(["dog cat"], [["cat dog"]], frequencies)
    assert half == pytest.approx([10 / 4])  # the same words, no pair
    dog, cat = np.log(10), np.log(5)
    some = of_images(["dog cat"], [["dog x"]], frequencies)
    cosine = dog**2 / (
        np.hypot(dog, cat) * np.hypot(dog, dog)
    )  # an unknown word is as rare as can be
    assert some == pytest.approx([10 / 4 * cosine])


def test_captions_and_references_must_fit():
    with pytest.raises(JaxgenError, match="got 1 captions and 2 lists"):
        corpus.measured(["a"], [["a"], ["b"]])
