"""From two files to figures: the same as pycocoevalcap with its own tokeniser."""

import json

import pytest

from jaxgen.metrics.captions.score import ScoreConfig, score
from tests.metrics.captions.tokens import corpus


def test_figures_are_those_of_pycocoevalcap_with_its_java_tokenizer(oracle, tmp_path):
    if corpus.jar() is None:
        pytest.skip("there is no Java, or no pycocoevalcap")
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    lines = corpus.captions(4, 240 * 6)
    # The program reads all captions as one text: none may end where it waits for the next one.
    wrote = {i: [{"caption": f"{c} x"} for c in lines[5 * i : 5 * i + 5]] for i in range(240)}
    made = {i: [{"caption": f"{c[:40]} x"}] for i, c in enumerate(lines[1200:])}
    cut_wrote, cut_made = PTBTokenizer().tokenize(wrote), PTBTokenizer().tokenize(made)
    expected = oracle([cut_made[i][0] for i in range(240)], [cut_wrote[i] for i in range(240)])
    images = [{"id": i, "file_name": f"{i}.jpg"} for i in wrote]
    annotations = [{"image_id": i, **row} for i, some in wrote.items() for row in some]
    refs, a = tmp_path / "refs.json", tmp_path / "a.json"
    refs.write_text(json.dumps({"images": images, "annotations": annotations}))
    a.write_text(json.dumps([{"image_id": i, **some[0]} for i, some in made.items()]))
    found = score(a, refs, ScoreConfig(java=False, resamples=0), "1")
    assert found.systems[0]["figures"] == pytest.approx(expected, rel=0, abs=1e-9)
