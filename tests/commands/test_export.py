"""`jaxgen export` as a user types it: runs, replicas, exported folders, and what is refused."""

import json

import numpy as np
import pytest

import jaxgen
from jaxgen.commands import evaluate, export, sample
from jaxgen.commands.run_argument import RunArgument
from jaxgen.errors import JaxgenError

TINY = (
    "--steps 4 --batch-size 8 --log-every 2 --sample-every 0 --noise-size 4 --data.train 5000 "
    "--networks.generator-hidden 6 7 --networks.discriminator-hidden 5 --evaluate-samples 40"
).split()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of one seed and one of two, of the vanilla GAN."""
    from experiments import vanilla_gan
    from jaxgen.commands import cli

    folder = tmp_path_factory.mktemp("runs")
    for name, flags in (("one", []), ("two", ["--replicas", "2"])):
        with pytest.raises(SystemExit) as stop:
            cli.main(vanilla_gan.config, "", [*TINY, *flags, "--workdir", str(folder / name)])
        assert stop.value.code == 0
    return folder


def test_a_run_is_exported_with_its_figures(runs, tmp_path, capsys):
    out = tmp_path / "out"
    assert export.main([str(runs / "one"), "--out", str(out), "--license", "cc-by-4.0"]) == 0
    assert f"{out}: README.md, SHA256SUMS" in capsys.readouterr().out
    record = json.loads((out / "config.json").read_text())
    told = json.loads((runs / "one" / "summary.json").read_text())
    assert record["step"] == 4
    assert record["figures"] == told["metrics"]
    assert "| d_loss |" in (out / "README.md").read_text()
    ours, theirs = (jaxgen.load(path).sample(seed=2, n=5) for path in (out, runs / "one"))
    assert np.array_equal(ours, theirs)
    for path in (out, runs / "one"):
        assert (
            sample.main([str(path), "--n", "3", "--out", str(tmp_path / f"{path.name}.npz")]) == 0
        )
    files = [np.load(tmp_path / f"{name}.npz")["images"] for name in ("out", "one")]
    assert np.array_equal(*files)
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert evaluate.main([str(out)]) == 0
    assert "FID" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_of_several_replicas_one_has_to_be_named(runs, tmp_path):
    with pytest.raises(JaxgenError, match="has 2 replicas: say which one is exported"):
        export.main([str(runs / "two"), "--out", str(tmp_path / "out")])
    assert export.main([str(runs / "two"), "--out", str(tmp_path / "b"), "--replica", "1"]) == 0
    expected = jaxgen.load(runs / "two").replica(1).sample(n=3)
    exported = jaxgen.load(tmp_path / "b")
    assert np.array_equal(exported.sample(n=3), expected)
    assert exported.config.seed == 1
    with pytest.raises(JaxgenError, match="there is no replica 2"):
        export.main([str(runs / "two"), "--out", str(tmp_path / "c"), "--replica", "2"])


def test_what_cannot_be_exported_is_told(runs, tmp_path, monkeypatch):
    run = str(runs / "one")
    for flags, words in (
        ([run], "give --out"),
        ([run, "--out", str(runs)], "there is something already"),
        ([run, "--out", "x", "--license", "My licence"], "no name of a licence"),
        ([str(tmp_path / "none"), "--out", "x"], "is not a run: there is no such folder"),
    ):
        with pytest.raises(JaxgenError, match=words):
            export.main(flags)
    monkeypatch.setattr(RunArgument, "opened", lambda self: object())
    with pytest.raises(JaxgenError, match="has no `exportable"):
        export.main([run, "--out", "x"])


def test_the_command_import_is_found_though_python_has_the_word(run_module, tmp_path):
    flags = ("--torch", tmp_path / "none.pth", "--as", "dcgan", "--out", tmp_path / "out")
    status, told = run_module("jaxgen", "import", *flags)
    assert status == 2
    assert told.splitlines()[-1] == (
        f"error: {tmp_path / 'none.pth'} cannot be read (it is missing); give another --torch"
    )
    assert not (tmp_path / "out").exists()
