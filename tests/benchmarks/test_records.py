"""A benchmark's file: what it holds is not measured again, what differs is."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.records import Records, settings
from experiments import caption_rnn, dcgan, lsgan
from jaxgen.gan.config import GanConfig
from jaxgen.training import configs
from jaxgen.training.task import TrainConfig

RUNS = Path(__file__).parents[1] / "runs_0_1" / "configs"
LEFT_OUT = ("log_every", "keep_checkpoints", "evaluate_samples")  # by version 0.1.0


@pytest.fixture
def measures(tmp_path):
    """Whether a file measures: a function of an identity, a configuration, and what is decisive."""

    def run(identity, config, decisive=()):
        measured = []

        def measure():
            measured.append(config)
            return {"fid": 1.0}

        found = Records(tmp_path / "new" / "rows.json", decisive).row(identity, config, measure)
        assert found["fid"] == 1.0
        assert found.items() >= identity.items()
        return bool(measured)

    return run


def test_what_was_measured_is_not_measured_again(measures, tmp_path):
    assert measures({"framework": "jaxgen"}, lsgan.config)
    assert measures({"framework": "PyTorch"}, lsgan.config)
    assert not measures({"framework": "jaxgen"}, lsgan.config)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["rows.json"]
    [row, _] = json.loads((tmp_path / "new" / "rows.json").read_text())
    assert row["settings"] == settings(lsgan.config)
    assert "workdir" not in row["settings"]


def test_what_differs_in_training_is_measured_and_nothing_else(measures):
    assert measures({}, caption_rnn.config)
    same = {"workdir": "elsewhere", "log_every": 7, "keep_checkpoints": 1, "evaluate_images": 9}
    assert not measures({}, replace(caption_rnn.config, **same))
    in_file = replace(caption_rnn.config.data, in_memory_mb=0)
    assert not measures({}, replace(caption_rnn.config, data=in_file))
    others = {"seed": 1}, {"max_length": 40}, {"data": replace(in_file, features="grid")}
    for changes in others:
        assert measures({}, replace(caption_rnn.config, **changes)), changes


def test_what_decides_about_the_figures_alone_counts_where_a_benchmark_says_so(measures):
    few = replace(caption_rnn.config, evaluate_images=9)
    assert measures({}, caption_rnn.config, ["evaluate_images"])
    assert measures({}, few, ["evaluate_images"])
    assert not measures({}, few, ["evaluate_images"])


@pytest.fixture
def written_by_0_1_0(tmp_path):
    """Writes a row as 0.1.0 did, of the experiment of that name, and gives its configuration."""

    def write(name):
        as_json = json.loads((RUNS / f"{name}.json").read_text())["config"]
        row = {name: value for name, value in as_json.items() if name not in LEFT_OUT}
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "rows.json").write_text(json.dumps([{"settings": row, "fid": 1.0}]))
        return configs.from_json(as_json | {"workdir": ""}, TrainConfig)

    return write


@pytest.mark.parametrize("name", ["lsgan", "caption_transformer"])
def test_rows_of_0_1_0_are_found(measures, written_by_0_1_0, name):
    config = written_by_0_1_0(name)
    decisive = ["sampling_statistics" if isinstance(config, GanConfig) else "evaluate_images"]
    assert not measures({}, config, decisive)
    assert measures({}, replace(config, batch_size=7), decisive)


def test_samples_of_0_1_0_were_made_with_the_statistics_it_says(measures, written_by_0_1_0):
    config = written_by_0_1_0("dcgan")
    assert measures({}, config, ["sampling_statistics"])
    batch = replace(config, sampling_statistics="batch")
    assert not measures({}, batch, ["sampling_statistics"])


def test_a_row_of_code_that_is_gone_is_kept_and_measured_anew(measures, tmp_path):
    assert measures({}, dcgan.config)
    path = tmp_path / "new" / "rows.json"
    path.write_text(path.read_text().replace('"dcgan"', '"lost"'))
    assert measures({}, dcgan.config)
    assert len(json.loads(path.read_text())) == 2
