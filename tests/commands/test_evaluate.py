"""`jaxgen evaluate RUN --truncation`: figures of truncated samples, which the run does not keep."""

import json

import pytest

import jaxgen
from jaxgen.commands import evaluate
from jaxgen.errors import JaxgenError
from jaxgen.gan.config import GanConfig
from jaxgen.gan.networks.mlp import MLP
from jaxgen.metrics.samples import report
from jaxgen.training import experiment


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A GAN of one step."""
    folder = tmp_path_factory.mktemp("run") / "gan"
    config = GanConfig(
        workdir=str(folder),
        steps=1,
        batch_size=8,
        noise_size=5,
        networks=MLP(generator_hidden=(6,), discriminator_hidden=(5,)),
        evaluate_samples=40,
    )
    experiment.train(config)
    return folder


def test_figures_of_truncated_samples_are_told_and_not_kept(run, capsys):
    before = (run / "summary.json").read_bytes()
    assert evaluate.main([str(run), "--truncation", "0.5", "--json"]) == 0
    assert (run / "summary.json").read_bytes() == before
    cut = json.loads(capsys.readouterr().out)
    assert cut["truncation"] == 0.5
    assert report.table(cut).startswith("40 samples of noise truncated at 0.5 against 5000 ")
    whole, table = jaxgen.load(run).evaluate()
    assert cut["fid"]["value"] != whole["fid"]["value"]
    assert table.startswith("40 samples against 5000 ")


def test_noise_that_is_not_truncated_is_told(run, monkeypatch):
    with pytest.raises(JaxgenError, match="truncation must be above 0 and at most 1"):
        evaluate.main([str(run), "--truncation", "2"])
    with pytest.raises(JaxgenError, match="truncation is for runs"):
        evaluate.main(["--samples", "a", "--real", "b", "--truncation", "2"])
    monkeypatch.setattr(type(jaxgen.load(run)), "most_truncation", None)
    with pytest.raises(JaxgenError, match="holds a model whose noise is not truncated"):
        evaluate.main([str(run), "--truncation", "0.5"])
