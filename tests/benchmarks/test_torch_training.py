"""The peer of the experiments' commands: it trains and tells of its steps as they do."""

import importlib

import pytest

torch = pytest.importorskip("torch", reason="PyTorch, of the peers in benchmarks/, is not there")
torch_training = importlib.import_module("benchmarks.torch_training")


def test_it_tells_of_its_steps(monkeypatch, capsys):
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    monkeypatch.setattr(
        "sys.argv", "torch_training conditional_gan --steps 3 --log-every 2".split()
    )
    torch_training.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["step", "2/3"], ["step", "3/3"]]
    # At first the discriminator is a coin: 2 log 2 = 1.39, and log(1 - 1/2) = -0.69.
    assert all("d_loss 1." in line and "g_loss -0." in line for line in lines)
