"""Shares of captions, UNK that matches nothing, and the table."""

import pytest

from jaxgen.metrics.captions.report import measure, table

REFERENCES = [["a cat", "one cat"], ["a <UNK> dog"], ["the dog"], ["a mat"], ["a mat"]]


def test_shares_of_unknown_words_and_of_repeated_and_distinct_captions():
    figures = measure(["a <UNK> cat", "a dog", "a dog", "", "a <UNK> cat"], REFERENCES)
    assert figures["unk"] == pytest.approx(2 / 10)
    assert figures["repeated"] == pytest.approx(4 / 5)
    assert figures["distinct"] == pytest.approx(3 / 5)
    silent = measure([""] * 5, REFERENCES)
    assert (silent["unk"], silent["repeated"], silent["distinct"]) == (0, 1, 1 / 5)
    different = measure([some[0] for some in REFERENCES[:4]], REFERENCES[:4])
    assert (different["repeated"], different["distinct"]) == (0, 1)


def test_an_unknown_word_does_not_match_that_of_a_reference():
    assert measure(["a <UNK> dog"], [["a <UNK> dog"]])["bleu_1"] == pytest.approx(2 / 3)
    assert measure(["a big dog"], [["a big dog"]])["bleu_1"] == pytest.approx(1)


def test_table_has_the_model_beside_the_nearest():
    nearest = {"cider_d": 1.5, "bleu_4": 0.25, "rouge_l": 0.5}
    nearest |= {"unk": 0.0, "repeated": 0.1, "distinct": 1.0}
    report = {"val_loss": 3.25, "val_perplexity": 8.0, **nearest, "cider_d": 2.0, "meteor": 0.3}
    lines = table(report | {"nearest": nearest, "notes": ["SPICE needs Java."]}).splitlines()
    assert lines[0].split() == ["val_loss", "3.250"]
    assert lines[2].split() == ["model", "nearest"]
    assert lines[3].split() == ["CIDEr-D", "2.000", "1.500"]
    assert ["METEOR", "0.300", "-"] in [line.split() for line in lines]
    assert ["repeated", "captions", "10.0%", "10.0%"] in [line.split() for line in lines]
    assert not any("true" in line for line in lines)
    assert lines[-1] == "SPICE needs Java."
