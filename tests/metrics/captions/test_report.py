"""All figures of captions, as pycocoevalcap has them, and the table."""

import pytest

from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions.report import comparable, measure, table

# What pycocoevalcap 1.2 says of the captions: Bleu(4), Rouge() and Cider() of (references, made).
GOLDEN = {
    "bleu_1": 0.692307692,
    "bleu_2": 0.579365459,
    "bleu_3": 0.420950370,
    "bleu_4": 0.241305656,
    "rouge_l": 0.705753168,
    "cider_d": 2.776537142,
}
OWN = """
from jaxgen.metrics.captions.base import CaptionMetric

def mean_length(made, references):
    return sum(len(caption.split()) for caption in made) / len(made)

length = CaptionMetric(
    "length", "words of a caption", "higher", mean_length, form="{:.1f}", while_training=True
)
"""


def agreement(made, references):
    """The figures that pycocoevalcap has too."""
    figures = measure(made, references)
    return {key: figures[key] for key in GOLDEN}


def test_goldens(made, references):
    assert agreement(made, references) == pytest.approx(GOLDEN, abs=1e-6)


@pytest.mark.parametrize("images", [slice(None), slice(0, 1), slice(1, 4), slice(2, 6), [0] * 3])
def test_agrees_with_pycocoevalcap(images, made, references, oracle):
    """Whole, one image (whose CIDEr-D is 0), parts, and the same image again and again."""
    rows = images if isinstance(images, list) else range(len(made))[images]
    made, references = [made[i] for i in rows], [references[i] for i in rows]
    assert agreement(made, references) == pytest.approx(oracle(made, references), abs=1e-6)


def test_agrees_with_pycocoevalcap_on_captions_of_all_lengths(oracle):
    """Captions of 0 to 11 of 5 words that a fixed rule spreads, with 1 to 4 references."""

    def caption(seed):
        return " ".join("abcde"[(seed * k * k + seed // 7 + k) % 5] for k in range(seed % 12))

    made = [caption(13 * i + 5) for i in range(60)]
    references = [[caption(17 * i + 5 * j + 1) for j in range(1 + i % 4)] for i in range(60)]
    assert agreement(made, references) == pytest.approx(oracle(made, references), abs=1e-6)


@pytest.mark.parametrize("caption", ["a red 7 above a 3", "a cat sat on mats"])
def test_identical_captions_are_perfect(caption):
    figures = agreement([caption, "one two three four"], [[caption], ["one two three four"]])
    assert figures.pop("cider_d") == pytest.approx(10)
    assert list(figures.values()) == pytest.approx([1] * 5)


def test_an_empty_caption_agrees_with_nothing():
    assert set(agreement([""], [["a cat"]]).values()) == {0}


@pytest.mark.parametrize(
    ("made", "references", "words"),
    [
        ([], [], "got 0 captions"),
        (["a"], [["a"], ["b"]], "got 1 captions and 2 lists"),
        (["a", "b"], [["a"], []], r"references\[1\]"),
        (["a"], ["a cat"], r"references\[0\] must be a list"),
    ],
)
def test_what_cannot_be_measured_is_refused(made, references, words):
    with pytest.raises(JaxgenError, match=words):
        measure(made, references)


def test_an_unknown_word_does_not_match_that_of_a_reference():
    figures = measure(["a <UNK> dog"], [["a <UNK> dog"]])
    assert figures["bleu_1"] == pytest.approx(2 / 3)
    assert figures["unk"] == pytest.approx(1 / 3)
    assert measure(["a big dog"], [["a big dog"]])["bleu_1"] == pytest.approx(1)
    assert comparable(["a <UNK> dog"]) == ["a <UNMATCHED> dog"]


def test_nothing_is_said_of_truth_and_of_what_needs_java():
    figures = measure(["a cat"], [["a cat"]])
    assert set(figures) == {*GOLDEN, "unk", "repeated", "distinct"}
    assert set(measure(["a cat"], [["a cat"]], while_training=True)) == {"cider_d"}


def test_table_has_the_model_beside_the_nearest():
    nearest = {"cider_d": 1.5, "bleu_4": 0.25, "rouge_l": 0.5}
    nearest |= {"unk": 0.0, "repeated": 0.1, "distinct": 1.0}
    report = {"validation_loss": 3.25, "validation_perplexity": 8.0, **nearest}
    report |= {"cider_d": 2.0, "bleu_1": 0.75, "meteor": 0.3}
    lines = table(report | {"nearest": nearest, "notes": ["SPICE needs Java."]}).splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["validation_loss", "3.250"],
        ["validation_perplexity", "8.000"],
        ["model", "nearest"],
    ]
    assert [line.split() for line in lines[3:-2]] == [
        ["CIDEr-D", "2.000", "1.500"],
        ["BLEU-4", "0.250", "0.250"],
        ["ROUGE-L", "0.500", "0.500"],
        ["METEOR", "0.300", "-"],
        ["unknown", "words", "0.0%", "0.0%"],
        ["repeated", "captions", "10.0%", "10.0%"],
        ["distinct", "captions", "100.0%", "100.0%"],
    ]
    assert {len(line) for line in lines[2:-2]} == {42}
    assert lines[-1] == "SPICE needs Java."


def test_truth_has_its_rows_and_its_table():
    truths = {"true": 0.5, "facts_true": 0.75, "facts_told": 0.6}
    of_captions = {"spice": 0.2, "unk": 0.1, **truths}
    text = table({**of_captions, "nearest": {**of_captions, "true": 0.25}, "notes": []})
    lines = text.splitlines()
    assert [line.split() for line in lines[1:5]] == [
        ["SPICE", "0.200", "0.200"],
        ["entirely", "true", "50.0%", "25.0%"],
        ["facts", "told", "60.0%", "60.0%"],
        ["unknown", "words", "10.0%", "10.0%"],
    ]
    assert lines[-1].split()[:3] == ["all", "50.0", "%"]


def test_an_own_metric_is_in_the_figures_and_the_table(own_file):
    own_file("own_length", OWN)
    figures = measure(["a <UNK> cat", "a"], [["a cat"], ["a"]])
    assert figures["length"] == 2
    assert set(measure(["a"], [["a"]], while_training=True)) == {"cider_d", "length"}
    nearest = measure(["a", "a"], [["a cat"], ["a"]])
    lines = table({**figures, "nearest": nearest, "notes": []}).splitlines()
    assert lines[-2].split() == ["words", "of", "a", "caption", "2.0", "1.0"]
