"""A benchmark's file: what it holds is not measured again, what differs is."""

from dataclasses import replace

from benchmarks import records
from experiments import lsgan


def test_what_was_measured_is_not_measured_again(tmp_path):
    path, measured = tmp_path / "new" / "rows.json", []

    def row(seed, **settings):
        def measure():
            measured.append(seed)
            return {"fid": float(seed)}

        config = replace(lsgan.config, seed=seed, **settings)
        identity = {"seed": seed, "settings": records.settings(config)}
        return records.Records(path).row(identity, measure)

    assert [row(0)["fid"], row(1)["fid"], row(0)["fid"]] == [0.0, 1.0, 0.0]
    assert measured == [0, 1]
    row(0, workdir="elsewhere", log_every=7)
    assert measured == [0, 1]
    row(0, noise_size=7)
    assert measured == [0, 1, 0]
    assert [path.name for path in path.parent.iterdir()] == ["rows.json"]
