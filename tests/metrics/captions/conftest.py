"""Captions at the edge, and what pycocoevalcap says of captions."""

import pytest


@pytest.fixture(scope="session")
def made():
    """Captions of seven images: long, short, stammering, empty."""
    return [
        "a man rides a horse on the beach",
        "a cat",
        "two dogs play with a red ball in the park near a big tree and a river",
        "the the the the the",
        "",
        "a plate of food",
        "a large 7",
    ]


@pytest.fixture(scope="session")
def references():
    """Those that people could have written for them."""
    return [
        ["a man riding a horse on a beach", "man on a horse at the beach", "a rider by the sea"],
        ["a cat sits on a mat", "a cat"],
        ["two dogs play in the park", "dogs with a ball"],
        ["the bus is on the road", "the the"],
        ["a person", "somebody stands there"],
        ["a plate of food"],
        ["there is a large 7 in the middle", "7", "a small 7", "a large 7 at the top"],
    ]


@pytest.fixture
def oracle():
    """(made, references) -> the figures as pycocoevalcap has them."""
    pytest.importorskip("pycocoevalcap", reason="is of the test extra")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    def figures_of(made, references):
        wanted = dict(enumerate(references))
        found = {image: [caption] for image, caption in enumerate(made)}
        scores, _ = Bleu(4).compute_score(wanted, found, verbose=0)
        figures = {f"bleu_{n}": score for n, score in enumerate(scores, 1)}
        figures["rouge_l"], _ = Rouge().compute_score(wanted, found)
        figures["cider_d"], _ = Cider().compute_score(wanted, found)
        return figures

    return figures_of
