"""The table of GANs beside their twins, from figures, and what is trained for it."""

from benchmarks.gan_quality import COLUMNS, table, trainings


def figures(fid):
    of_each = {key: {"value": 0.5, "floor": 0.25} for key in COLUMNS}
    return of_each | {"fid": {"value": fid, "floor": 0.125, "matched": fid + 1}}


def row(framework, seeds, *fids):
    return {
        "experiment": "lsgan",
        "framework": framework,
        "seeds": seeds,
        "settings": {"steps": 3900},
        "images": {"fake": 5000, "real": 5000, "matched": 2500},
        "seconds_per_step": 0.02,
        "figures": [figures(fid) for fid in fids],
    }


def test_seeds_of_one_framework_are_one_run_and_of_the_other_a_run_each():
    found = trainings("lsgan", 70, replicas=3)
    assert [framework for framework, _ in found] == ["jaxgen", "PyTorch", "PyTorch", "PyTorch"]
    assert [config.seeds for _, config in found] == [(0, 1, 2), (0,), (1,), (2,)]
    assert {config.steps for _, config in found} == {70}


def test_the_table_has_each_seed_and_the_spread_of_both():
    rows = [row("jaxgen", [0, 1], 6.0, 8.0), row("PyTorch", [0], 5.0), row("PyTorch", [1], 6.0)]
    lines = table(rows).splitlines()
    assert lines[0] == "### lsgan, 3,900 steps"
    assert lines[6].startswith("| jaxgen | 0 | 6.000 | 500.000 | 0.500 | 0.500 | 7.000 | 20.000 |")
    assert lines[8].startswith("| **jaxgen** | mean ± sd | 7.000 ± 1.414 | 500.000 ± 0.000 |")
    assert lines[11].startswith("| **PyTorch** | mean ± sd | 5.500 ± 0.707 |")
    assert lines[12].startswith("| digits (floor) |  | 0.125 | 250.000 | 0.250 | 0.250 | 0.125 |")
