"""`jaxgen evaluate --samples --real`: a table, JSON, and a sentence for what does not fit."""

import json

import numpy as np
import pytest

from jaxgen import settings
from jaxgen.commands import evaluate
from jaxgen.errors import JaxgenError


@pytest.fixture
def words(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (100, 28, 28), np.uint8)
    np.savez(tmp_path / "fake.npz", images=pixels[:40])
    np.savez(tmp_path / "real.npz", images=pixels[40:])
    return [
        "--samples", str(tmp_path / "fake.npz"), "--real", str(tmp_path / "real.npz"),
        "--features", "classifier",
    ]  # fmt: skip


def test_a_table_and_json(words, capsys):
    assert evaluate.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert evaluate.main(words) == 0
    out = capsys.readouterr().out
    assert f"FID (classifier 'digits'){found['fid']['value']:>25.3f}" in out
    assert found["images"] == {"real": 60, "fake": 40, "matched": 30}
    assert set(found["fid"]) == {"value", "matched", "floor"}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda words: [], r"give a run, or pictures as --samples and --real"),
        (lambda words: words[:2], r"give both --samples and --real"),
        (lambda words: ["runs/a", *words], r"give a run \(runs/a\) or --samples and --real"),
        (lambda words: [*words, "--precision", "bfloat16"], r"are for runs: .* in float32"),
    ],
)
def test_what_does_not_go_together_is_refused(words, change, match):
    with settings.flags_spelled(), pytest.raises(JaxgenError, match=match):
        evaluate.main(change(words))
