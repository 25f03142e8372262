"""The command: which benchmarks run, what is printed and written."""

import json
import sys
import types

import pytest

from benchmarks import __main__ as command
from benchmarks import report
from benchmarks.measuring import summary

ROW = summary("some work", "ms", {"jaxgen": [10.0, 12.0, 11.0], "PyTorch": [30.0, 24.0, 22.0]})


class Recorded:
    """A benchmark that was run before."""

    def __init__(self, title):
        self.title, self.settings = title, None

    def rows(self, settings):
        self.settings = settings
        return [ROW[0] | {"title": self.title}]


@pytest.fixture
def benchmarks(monkeypatch, tmp_path):
    """Two benchmarks that take no time, run in an empty folder; they need no PyTorch."""
    torch = types.SimpleNamespace(set_num_threads=lambda count: None)
    monkeypatch.setitem(sys.modules, "torch", torch)
    both = Recorded("GAN step"), Recorded("RNN step")
    monkeypatch.setattr(command, "all_comparisons", lambda wanted: list(both))
    monkeypatch.chdir(tmp_path)
    return both


def run(monkeypatch, *flags):
    monkeypatch.setattr("sys.argv", ["benchmarks", *flags])
    command.main()


def test_table_and_json(benchmarks, monkeypatch, capsys, tmp_path):
    run(monkeypatch, "--repeats", "3", "--out", "deep/found.json")
    written = json.loads((tmp_path / "deep" / "found.json").read_text())
    assert [row["title"] for row in written["rows"]] == ["GAN step", "RNN step"]
    assert written["settings"]["repeats"] == 3
    assert written["machine"]["cores"] >= 1
    assert {"python", "jax", "numpy"} <= written["versions"].keys()
    assert written["date"].startswith("20")
    assert capsys.readouterr().out.endswith(
        "| GAN step | 11 ms | PyTorch | 24 ms | **2.00** (2.00 to 3.00) |  |  |\n"
        "| RNN step | 11 ms | PyTorch | 24 ms | **2.00** (2.00 to 3.00) |  |  |\n"
    )


def test_only_those_that_the_pattern_is_found_in(benchmarks, monkeypatch):
    gan, rnn = benchmarks
    run(monkeypatch, "--only", "^rnn", "--quick")
    assert gan.settings is None
    assert rnn.settings == command.QUICK


@pytest.mark.parametrize(
    "flags, sentence",
    [
        (("--only", "nothing"), "--only nothing matches no benchmark; --list shows all"),
        (("--only", "("), r"--only \( is not a regular expression: "),
        (("--repeats", "0"), "--repeats must be at least 1, got 0"),
        (("--batch-sizes", "25", "0"), "--batch-sizes must be at least 1, got 0"),
    ],
)
def test_wrong_flags_are_refused(benchmarks, monkeypatch, flags, sentence):
    with pytest.raises(command.JaxgenError, match=sentence):
        run(monkeypatch, *flags)


def test_without_pytorch_it_says_what_to_install(benchmarks, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(command.JaxgenError, match=r"pip install 'jaxgen\[bench\]'"):
        run(monkeypatch)


def test_every_title_stands_once(monkeypatch, capsys):
    """In `--list`, which needs no PyTorch."""
    run(monkeypatch, "--list")
    titles = capsys.readouterr().out.splitlines()
    assert len(titles) == len(set(titles)) > 30
    assert not any("bfloat16" in title for title in titles)


def test_precision_and_batch_sizes_choose_rows(monkeypatch, capsys):
    def titles(*flags):
        run(monkeypatch, "--list", *flags)
        return capsys.readouterr().out.splitlines()

    rounded = titles("--precision", "bfloat16", "--batch-sizes", "25", "64", "25")
    assert len(rounded) == len(set(rounded))
    assert all(title.endswith(", bfloat16") for title in rounded)
    steps = [title for title in rounded if "training step, batch" in title]
    assert {title.rsplit(" ", 2)[1] for title in steps} == {"25,", "64,"}
    models = {title.partition(" training step")[0] for title in steps}
    assert {"DCGAN", "conditional DCGAN", "grid Transformer captioner"} < models
    both = titles("--precision", "both")
    assert set(titles()) < set(both)
    added = [title for title in both if title not in titles()]
    assert added == titles("--precision", "bfloat16")


def test_speed_and_share_are_shown():
    row = ROW[0] | {"gflop_per_second": 123.45, "share_of_matmul": 0.5, "jaxgen": 1234.5}
    assert report.line(row).startswith("| some work | 1234 ms | PyTorch |")
    assert report.line(row).endswith(" | 123.5 | 50% |")
    alone = {"title": "memory", "unit": "MiB", "jaxgen": 0.1234, "rounds": 1}
    assert report.line(alone) == "| memory | 0.123 MiB |  |  |  |  |  |"
