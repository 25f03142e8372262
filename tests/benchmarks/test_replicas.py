"""Replicas beside single runs on a tiny experiment, and the table over seeds from figures."""

import dataclasses
import sys

import pytest

import jaxgen
from benchmarks import over_seeds, replicas
from experiments import vanilla_gan
from jaxgen.errors import JaxgenError
from jaxgen.gan.networks.mlp import MLP

TINY = dataclasses.replace(
    vanilla_gan.config,
    networks=MLP(generator_hidden=(4,), generator_normalized=(), discriminator_hidden=(4,)),
    steps=3,
    batch_size=8,
    evaluate_samples=8,
)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    for module in (replicas, over_seeds):
        monkeypatch.setattr(module, "experiment", lambda name: TINY)
    monkeypatch.chdir(tmp_path)


def command(monkeypatch, module, flags):
    monkeypatch.setattr(sys, "argv", ["benchmark", *flags.split()])
    module.main()


@pytest.mark.long
def test_steps_are_timed_and_their_bits_compared(tiny, monkeypatch, capsys):
    command(monkeypatch, replicas, "--replicas 2 --rounds 2 --steps 3 --command-steps 0")
    told = capsys.readouterr().out
    assert "vanilla_gan, 2 replicas beside 2 single runs, 3 steps of each" in told
    assert "the same bits" in told
    seen = replicas.steps(dataclasses.replace(TINY, replicas=2, log_every=2, steps=9), 3)
    assert len(seen.together) == len(seen.alone) == 3
    assert seen.needed[0] > seen.needed[1] > 0
    assert seen.same_bits and seen.difference == seen.apart == 0


@pytest.mark.long
def test_a_table_over_seeds_is_one_command(tiny, monkeypatch, capsys):
    command(monkeypatch, over_seeds, "--replicas 2 --steps 2 --out out")
    *_, head, _, row = capsys.readouterr().out.splitlines()
    assert head == "| | steps | seeds | FID | KID x 1000 | precision | recall |"
    model = jaxgen.load("out/vanilla_gan")
    figures = model.evaluate()[0]
    fid = f"{figures['mean']['fid.value']:.2f} ± {figures['std']['fid.value']:.2f}"
    assert row.startswith(f"| vanilla_gan | 2 | 2 | {fid} | ")
    command(monkeypatch, over_seeds, "out/vanilla_gan")
    assert capsys.readouterr().out.splitlines()[-1] == row


def test_figures_of_different_kinds_share_a_table():
    gan = [{"fid": {"value": value}, "label_agreement": {"value": 0.5}} for value in (1, 3)]
    captioner = [{"cider_d": 1.0, "true_1": None}] * 2
    rows = [over_seeds.Row("a", 1000, gan), over_seeds.Row("b", 20, captioner)]
    assert over_seeds.table(rows).splitlines()[::2] == [
        "| | steps | seeds | FID | as asked | CIDEr-D |",
        "| a | 1,000 | 2 | 2.00 ± 1.41 | 50.0% ± 0.0% | - |",
    ]


@pytest.mark.parametrize("module", [replicas, over_seeds])
def test_one_replica_has_no_spread(tiny, monkeypatch, module):
    with pytest.raises(JaxgenError, match="--replicas"):
        command(monkeypatch, module, "--replicas 1")


def test_a_run_without_replicas_has_no_row():
    with pytest.raises(JaxgenError, match="was trained without replicas"):
        over_seeds.row("a", object())
